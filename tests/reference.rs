//! Cases that run on the peers too: the same words to our link and to theirs, in a new directory each. What is
//! printed and the status must be equal, but for the differences that are named here, each with its reason;
//! and what the peer does there must be as named, so that this fails too where a difference disappears.

use crate::needs;
use crate::nice::{lowered, own};
use crate::support::*;

/// A case: its name, and a script after [`HEAD`].
type Case = (&'static str, &'static str);

/// A known difference: the case, the status and the stdout of the peer, and the reason.
type Difference = (&'static str, i32, &'static str, &'static str);

/// What each script starts with. `link` is our link or the peer, with the options that make the two equal;
/// `$ARGS` is what it needs before a program. `mortal` runs a program that file permissions bind.
const HEAD: &str = r#"
PATH=/usr/sbin:/usr/bin:/sbin:/bin
exec 3<&- 4<&- 5<&- 6<&- 7<&- 8<&- 9<&-
link() { "$PROGRAM" $OPTIONS "$@"; }
without() {
    capabilities=$1
    shift
    if [ "$(id -u)" = 0 ]; then setpriv --bounding-set="$capabilities" "$@"; else "$@"; fi
}
mortal() { without -dac_override,-dac_read_search "$@"; }
by() {
    before=$(cut -d ' ' -f 19 /proc/self/stat)
    after=$("$@" cut -d ' ' -f 19 /proc/self/stat) && echo $((after - before))
}
# The policy and the priority of what is executed behind these words; its CPUs; the namespaces that are not ours; whether
# some of its mounts are shared.
policy() {
    found=$("$@" sh -c '/usr/bin/chrt -p $$')
    status=$?
    [ "$status" != 0 ] || echo "$found" | sed 's/.*: //' | xargs
    return "$status"
}
cpus() {
    found=$("$@" grep Cpus_allowed_list /proc/self/status)
    status=$?
    [ "$status" != 0 ] || echo "$found" | cut -f 2
    return "$status"
}
apart() {
    for kind in cgroup ipc mnt net pid user uts; do
        [ "$(readlink /proc/self/ns/$kind)" = "$("$@" readlink /proc/self/ns/$kind)" ] || echo $kind
    done
}
shared() { /usr/bin/unshare -m --propagation shared "$PROGRAM" "$2" grep -c shared: /proc/self/mountinfo; }
# The value of K in a file, as envfile or systemd's reader of environment.d has it.
value() {
    printf "$1" >d/a.conf
    case $PROGRAM in
    */envfile) "$PROGRAM" $OPTIONS d/a.conf printenv K ;;
    *)
        mv d environment.d
        read=$(XDG_CONFIG_HOME=$PWD "$PROGRAM" 2>/dev/null | grep ^K=) || return
        eval "$read"
        printf '%s\n' "$K"
        ;;
    esac
}
mkdir d
"#;

/// Runs a case: with `words`, which are the program and its options.
fn outcome(program: &str, words: &str, args: &str, script: &str) -> (i32, String) {
    let options = words.split_once(' ').map_or("", |(_, options)| options);
    let directory = open_directory();
    let mut command = sh(&format!("{HEAD}{script}"));
    command.current_dir(&directory).env("PROGRAM", program).env("OPTIONS", options).env("ARGS", args);
    // How a second one tries to get a lock that is taken.
    command.env("TRY", if words.starts_with("chpst") { "-L" } else { "-n" });
    let outcome = run(&mut command);
    if root().is_err() {
        run_in(&directory, "chmod -R u+rwx ."); // so that it can be removed
    }
    (outcome.status, outcome.stdout)
}

/// Runs all cases on `ours` and `theirs`, both a program and its options, and complains of every difference
/// that is not known, or known and not there.
fn compare(ours: &str, theirs: &str, args: &str, cases: &[&[Case]], differences: &[&[Difference]]) {
    let name = |words: &str| words.split(' ').next().unwrap_or_default().to_owned();
    let our_program = bin().join(name(ours)).display().to_string();
    let their_program = peer(&name(theirs)).unwrap();
    let (cases, differences) = (cases.concat(), differences.concat());
    let mut complaints = Vec::new();
    for (case, script) in &cases {
        let ours = outcome(&our_program, ours, args, script);
        let theirs = outcome(&their_program, theirs, args, script);
        let known = differences.iter().find(|difference| difference.0 == *case);
        let expected = known.map_or(ours.clone(), |(_, status, stdout, _)| (*status, (*stdout).to_owned()));
        if theirs != expected || known.is_some() && theirs == ours {
            let known = known.map(|_| &expected);
            complaints.push(format!("{case}:\n  ours {ours:?}\n  theirs {theirs:?}\n  known {known:?}"));
        }
    }
    for (case, ..) in differences {
        assert!(cases.iter().any(|(name, _)| *name == case), "no such case: {case}");
    }
    assert!(complaints.is_empty(), "{ours} and {theirs}:\n{}", complaints.join("\n"));
}

/// What every link does with the program at its end.
const PROGRAM: &[Case] = &[
    ("the status of the program", "link $ARGS sh -c 'exit 7'"),
    ("a program that a signal ends", "link $ARGS sh -c 'kill -9 $$'"),
    ("arguments", r#"link $ARGS printf '<%s>' '' 'a b' "$(printf '\377')" -x -- --help | od -c"#),
    ("a program that is not there", "link $ARGS no-such-program"),
    ("a program in a directory that is not there", "link $ARGS ./no/program"),
    ("a program below a file", "link $ARGS /etc/passwd/x"),
    ("a program that is not executable", ">x; link $ARGS ./x"),
    ("a directory for a program", "link $ARGS ./d"),
    ("a script without a first line", "echo 'echo ran' >x; chmod 755 x; link $ARGS ./x"),
    ("a script whose interpreter is not there", "echo '#!/no' >x; chmod 755 x; link $ARGS ./x"),
    ("an empty name", "link $ARGS ''"),
    ("no PATH", "unset PATH; link $ARGS sh -c 'echo found'"),
    ("an empty PATH", "printf '#!/bin/sh\necho found' >x; chmod 755 x; PATH=; link $ARGS x"),
    ("an empty directory in PATH", "printf '#!/bin/sh\necho found' >x; chmod 755 x; PATH=/no:; link $ARGS x"),
    ("a directory of PATH that is not there", "PATH=/no:$PATH; link $ARGS echo found"),
    ("a file in the place of a directory of PATH", "PATH=/etc/passwd:$PATH; link $ARGS echo found"),
    ("a file in PATH that is not executable", ">d/echo; PATH=$PWD/d:$PATH; link $ARGS echo found"),
    ("the only file in PATH is not executable", ">d/xyz; PATH=$PWD/d:$PATH; link $ARGS xyz"),
    (
        "a directory of PATH that may not be searched",
        r#"mkdir -m 0 no; PATH=$PATH:$PWD/no; mortal "$PROGRAM" $OPTIONS $ARGS no-such-program"#,
    ),
    ("no program", "link $ARGS"),
    ("nothing at all", "link"),
];

const ONE_STATUS: &str = "they say 111 whatever was wrong with the program";
const ENOTDIR: &str = "what is below a file is not there, and in PATH no reason to stop the search";

/// What daemontools and runit do differently with every program.
const DJB: &[Difference] = &[
    ("a program that is not there", 111, "", ONE_STATUS),
    ("a program in a directory that is not there", 111, "", ONE_STATUS),
    ("a program below a file", 111, "", ONE_STATUS),
    ("a program that is not executable", 111, "", ONE_STATUS),
    ("a directory for a program", 111, "", ONE_STATUS),
    ("a script without a first line", 111, "", ONE_STATUS),
    ("a script whose interpreter is not there", 111, "", ONE_STATUS),
    ("an empty name", 111, "", ONE_STATUS),
    ("a file in the place of a directory of PATH", 111, "", ENOTDIR),
    ("the only file in PATH is not executable", 111, "", ONE_STATUS),
    ("a directory of PATH that may not be searched", 111, "", ONE_STATUS),
];

/// What s6 and execline do differently with every program.
const SKA: &[Difference] = &[
    ("a program below a file", 126, "", ENOTDIR),
    ("an empty name", 126, "", "an empty name is nowhere, and so not found"),
    ("an empty PATH", 126, "", "an empty directory of PATH is the current one, as in the shell"),
    ("an empty directory in PATH", 127, "", "an empty directory of PATH is the current one, as in the shell"),
];

// argv0

/// Its own program takes the place of `$ARGS` and its name.
const ARGV0: &[Case] = &[
    ("a name", "link sh other -c 'echo $0'"),
    ("a name with a dash", "link sh -other -c 'echo $0'"),
    ("an empty name", "link sh '' -c 'echo \"<$0>\"'"),
    ("arguments", r#"link printf x '<%s>' '' 'a b' "$(printf '\377')" -x -- --help | od -c"#),
    ("no arguments", "link true x"),
    ("the status", "link sh x -c 'exit 7'"),
    ("a program that is not there", "link no-such-program sh"),
    ("a program that is not executable", ">x; link ./x sh"),
    ("a file in PATH that is not executable", ">d/true; PATH=$PWD/d:$PATH; link true x"),
    ("a file in the place of a directory of PATH", "PATH=/etc/passwd:$PATH; link true x"),
    ("no name", "link sh"),
    ("nothing at all", "link"),
];

#[test]
fn argv0_and_ucspi_tcp() {
    needs!(peer("argv0"));
    let differences = [
        ("a program that is not there", 111, "", ONE_STATUS),
        ("a program that is not executable", 111, "", ONE_STATUS),
        ("a file in the place of a directory of PATH", 111, "", ENOTDIR),
    ];
    compare("argv0", "argv0", "", &[ARGV0], &[&differences]);
}

// fghack

const FGHACK: &[Case] = &[
    (
        "a process in the background",
        "mkfifo f; link sh -c '(cat f; echo late) & exit 3' & echo x >f; wait $!",
    ),
    (
        "one that closes a few files",
        "link sh -c 'exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; (sleep 0.1; echo late) &'",
    ),
    ("one that closes the first 64", CLOSES),
    ("a write into the pipe", "link perl -e 'open F, q(>&=), $_ and syswrite F, q(x) for 4, 1023; exit 3'"),
    ("the signals that are ignored", "trap '' USR1; link grep SigIgn /proc/self/status"),
    ("TERM", TERM),
];

/// A daemon as it might be written in C, which looks whether fghack waits for it.
const CLOSES: &str = r#"link perl -e '
use POSIX ();
my $fghack = getppid;
POSIX::close($_) for 3..63;
exit if fork;
for (1..20) { kill 0, $fghack or print("gone\n"), exit; select undef, undef, undef, 0.1 }
print "there\n"'"#;

/// A stop of fghack, whose program goes on as long as fghack is there and the stop is not handed on.
const TERM: &str = r#"link sh -c '
trap "echo got; exit 4" TERM
kill $PPID
while kill -0 $PPID 2>/dev/null; do sleep 0.1; done
exit 5'"#;

const HANDED_ON: &str = "a signal is handed on, so that a stop stops the program";
const BY_SIGNAL: &str = "a program that a signal ended has the status that it has in the shell";

#[test]
fn fghack_and_daemontools() {
    needs!(peer("fghack"), tool("perl"));
    let differences = [
        ("a program that a signal ends", 111, "", BY_SIGNAL),
        ("one that closes the first 64", 0, "gone\n", "the pipe is out of the way of its files"),
        ("TERM", 143, "", HANDED_ON),
    ];
    compare("fghack", "fghack", "", &[PROGRAM, FGHACK], &[DJB, &differences]);
}

#[test]
fn fghack_and_s6() {
    needs!(peer("s6-fghack"), tool("perl"));
    let empty = "an empty directory of PATH is the current one, as in the shell";
    let differences = [
        ("an empty PATH", 111, "", empty),
        ("an empty directory in PATH", 111, "", empty),
        ("a program that a signal ends", 111, "", BY_SIGNAL),
        ("one that closes the first 64", 0, "gone\n", "the pipe is out of the way of its files"),
        (
            "a write into the pipe",
            102,
            "",
            "what a program writes anywhere is no reason to report another status",
        ),
        ("TERM", 143, "", HANDED_ON),
    ];
    let djb: Vec<_> = DJB.iter().filter(|(.., reason)| *reason == ONE_STATUS).copied().collect();
    compare("fghack", "s6-fghack", "", &[PROGRAM, FGHACK], &[&djb, &differences]);
}

// envdir

const ENVDIR: &[Case] = &[
    ("an empty file", ">d/X; X=pre link d printenv X"),
    ("an empty line", "echo >d/X; X=pre link d printenv X"),
    ("blanks alone", "printf ' \\t \\n' >d/X; link d printenv X"),
    ("a line", "echo v >d/X; X=pre link d printenv X"),
    ("a line without an end", "printf v >d/X; link d printenv X"),
    ("two lines", "printf 'a\\nb\\n' >d/X; link d printenv X"),
    ("an empty line and another", "printf '\\nb\\n' >d/X; link d printenv X"),
    ("blanks at the end", "printf 'v \\t \\n' >d/X; link d printenv X"),
    ("blanks in front", "printf ' \\tv\\n' >d/X; link d printenv X"),
    ("a carriage return", "printf 'v\\r\\n' >d/X; link d printenv X"),
    ("form feed and vertical tab", "printf 'v\\f\\v\\n' >d/X; link d printenv X"),
    ("a NUL", "printf 'a\\0b\\n' >d/X; link d printenv X"),
    ("a NUL at the end", "printf 'a\\0\\n' >d/X; link d printenv X"),
    ("a NUL and blanks", "printf 'a\\0 \\n' >d/X; link d printenv X"),
    ("what is special to shells", r#"printf '%s\n' '#$x`y`\n="\' >d/X; link d printenv X"#),
    ("what is not UTF-8", "printf '\\377\\351\\n' >d/X; link d printenv X | od -c"),
    ("5000 characters", "printf %05000d 0 >d/X; link d printenv X | wc -c"),
    ("a dot in front of a name", "echo v >d/.X; ln -s no d/.Y; link d env | grep X=v"),
    ("a blank in a name", "echo v >'d/a b'; link d env | grep 'a b'"),
    ("a newline in a name", "echo v >'d/a\nb'; link d env | grep b=v"),
    ("a digit in front of a name", "echo v >d/1; link d env | grep 1=v"),
    ("an equals sign in a name", "echo v >d/X=Y; link d printenv X"),
    ("an equals sign in the name of an empty file", ">d/X=Y; link d printenv X"),
    ("a directory", "mkdir d/X; link d echo x"),
    ("a link to a directory", "ln -s . d/X; link d echo x"),
    ("a link to nothing", "ln -s no d/X; link d echo x"),
    ("a link to a file", "echo v >f; ln -s ../f d/X; link d printenv X"),
    ("a link to /dev/null", "ln -s /dev/null d/X; X=pre link d printenv X"),
    ("a file that may not be read", r#">d/X; chmod 0 d/X; mortal "$PROGRAM" $OPTIONS d echo x"#),
    ("a dir that may not be read", r#"chmod 0 d; mortal "$PROGRAM" $OPTIONS d echo x; echo $?; rmdir d"#),
    (
        "a current directory that may not be read",
        r#"echo v >d/X; d=$PWD/d; mkdir e; cd e; chmod 0 .; mortal "$PROGRAM" $OPTIONS "$d" printenv X"#,
    ),
    ("a dir that is not there", "link no echo x"),
    ("a dir that is a file", ">f; link f echo x"),
    ("a dir that is a link to one", "ln -s d l; echo v >d/X; link l printenv X"),
    ("PATH", "echo /no >d/PATH; link d sh -c 'echo $PATH'"),
    ("an empty PATH file", ">d/PATH; link d sh -c '/usr/bin/env | /bin/grep ^PATH='"),
];

/// Not for s6, whose envdir waits for a writer, and takes 4095 newlines from /dev/zero.
const ENVDIR_NO_FILE: &[Case] = &[
    ("a FIFO", "mkfifo d/X; link d echo x"),
    ("a link to /dev/zero", "ulimit -v 100000; ln -s /dev/zero d/X; link d echo x"),
];

/// What daemontools has no option for.
const ENVDIR_OPTIONS: &[Case] = &[
    ("-I and a dir that is not there", "link -I no echo x"),
    ("-I and a dir that is a file", ">f; link -I f echo x"),
    ("-f", "printf 'a\\nb\\n\\n' >d/X; link -f d printenv X"),
    ("-f and blanks", "printf 'a \\n' >d/X; link -f d printenv X"),
    ("-n", "printf 'a \\nb\\n' >d/X; link -n d printenv X"),
    ("-fn", "printf 'a \\nb\\n\\n' >d/X; link -fn d printenv X"),
    ("-c", "printf 'a\\0b\\0\\n' >d/X; link -c : d printenv X"),
    ("-c and nothing", "link -c '' d echo x"),
    ("-c and two characters", "link -c xy d echo x"),
    ("two dashes", "echo v >d/X; link -- d printenv X"),
    ("an unknown option", "link -q d echo x"),
];

const NO_NAME: &str = "a name has no equals sign: it would set another variable";
const NO_FILE: &str = "what cannot be read is an error, and nothing is executed";

const DJB_ENVDIR: &[Difference] = &[
    ("an equals sign in a name", 0, "Y=v\n", NO_NAME),
    ("an equals sign in the name of an empty file", 0, "Y\n", NO_NAME),
    ("a link to nothing", 0, "x\n", NO_FILE),
    ("a FIFO", 0, "x\n", NO_FILE),
    ("a current directory that may not be read", 111, "", "it is not needed"),
];

#[test]
fn envdir_and_daemontools() {
    needs!(peer("envdir"));
    let usage = "a usage error is 100 everywhere";
    let differences = [("no program", 111, "", usage), ("nothing at all", 111, "", usage)];
    compare("envdir", "envdir", "d", &[PROGRAM, ENVDIR, ENVDIR_NO_FILE], &[DJB, DJB_ENVDIR, &differences]);
}

#[test]
fn envdir_and_chpst() {
    needs!(peer("chpst"));
    let differences = [
        ("a directory", 0, "x\n", "a directory in a directory of variables is an error, as in daemontools"),
        ("a link to a directory", 0, "x\n", "as a directory"),
    ];
    compare("envdir", "chpst -e", "d", &[PROGRAM, ENVDIR, ENVDIR_NO_FILE], &[DJB, DJB_ENVDIR, &differences]);
}

#[test]
fn envdir_and_s6() {
    needs!(peer("s6-envdir"));
    let differences = [
        ("a carriage return", 0, "v\n", "kept, as in daemontools"),
        ("5000 characters", 0, "4096\n", "a value has any length"),
        ("an equals sign in a name", 1, "", "s6 leaves such a file out; it may be a mistake"),
        ("an equals sign in the name of an empty file", 1, "", "as with some content"),
        ("-c and nothing", 111, "", "a usage error is 100"),
        ("-c and two characters", 0, "x\n", "the second would be lost"),
    ];
    compare("envdir", "s6-envdir", "d", &[PROGRAM, ENVDIR, ENVDIR_OPTIONS], &[SKA, &differences]);
}

// setuidgid and envuidgid

const SETUIDGID: &[Case] = &[
    ("an account", "link nobody sh -c 'id -u; id -g; id -G'"),
    ("all three ids", "link daemon grep -E '^[UG]id' /proc/self/status"),
    ("capabilities", "link daemon grep -E '^Cap(Prm|Eff|Bnd|Amb)' /proc/self/status"),
    ("root", "link root sh -c 'id -u; id -g; id -G'"),
    ("groups that were there", r#"setpriv --groups=4,24 "$PROGRAM" $OPTIONS nobody id -G"#),
    ("an unknown account", "link no-such-account echo x"),
    ("a number", "link 1 echo x"),
    ("an empty account", "link '' echo x"),
    ("an account and a colon", "link nobody: echo x"),
    ("a colon", "link : echo x"),
    (
        "the account's variables",
        "USER=a LOGNAME=b HOME=c SHELL=d link nobody printenv USER LOGNAME HOME SHELL",
    ),
    (
        "UID, GID and GIDLIST",
        r#"env UID=a GID=b GIDLIST=c "$PROGRAM" $OPTIONS nobody printenv UID GID GIDLIST"#,
    ),
    ("two dashes", "link -- nobody id -u"),
    ("no right to", r#"without -setuid,-setgid "$PROGRAM" $OPTIONS nobody echo x"#),
    (
        "no right and no need",
        r#"setpriv --groups=0 --bounding-set=-setuid,-setgid "$PROGRAM" $OPTIONS root id -u"#,
    ),
    (
        "inheritable capabilities",
        r#"setpriv --inh-caps=+chown "$PROGRAM" $OPTIONS nobody grep CapInh /proc/self/status"#,
    ),
    (
        "the parent-death signal",
        r#"setpriv --pdeathsig=TERM "$PROGRAM" $OPTIONS nobody setpriv -d | grep -i death"#,
    ),
];

/// Account specs that only chpst has.
const SPECS: &[Case] = &[
    ("a group", "link nobody:daemon sh -c 'id -u; id -g; id -G'"),
    ("groups", "link nobody:daemon:bin:sys sh -c 'id -u; id -g; id -G'"),
    ("a group twice", "link nobody:daemon:daemon sh -c 'id -u; id -g; id -G'"),
    ("an unknown group", "link nobody:no-such-group echo x"),
    ("a number for a group", "link nobody:1 echo x"),
    ("numbers", "link :1:2:3 sh -c 'id -u; id -g; id -G'"),
    ("a uid alone", "link :1 echo x"),
    ("a uid and an empty gid", "link :1: id -g"),
    ("two colons", "link :: id -u"),
    ("an empty group at the end", "link nobody:daemon: echo x"),
    ("an empty group between", "link nobody::daemon echo x"),
    ("a number that is none", "link :1:x echo x"),
    ("a number with a sign", "link :+1:1 echo x"),
    ("a number that is too large", "link :99999999999:99999999999 id -u"),
    ("minus one as the kernel sees it", "link :4294967295:4294967295 echo x"),
];

const EMPTY_FIELD: &str = "an empty field is a usage error, and never a 0";
const NO_NUMBER: &str = "an invalid number is a usage error";
const DASHES: &str = "two dashes end the options, and are no account";

const SETUIDGID_KEEPS: &[Difference] = &[
    ("no right and no need", 111, "", "calls that would change nothing are left out"),
    (
        "inheritable capabilities",
        0,
        "CapInh:\t0000000000000001\n",
        "no capability is left but in the bounding set",
    ),
    (
        "the parent-death signal",
        0,
        "Parent death signal: [none]\n",
        "a change of ids clears it; it is set again",
    ),
];

const DJB_ACCOUNT: &[Difference] = &[
    ("an empty account", 111, "", EMPTY_FIELD),
    ("an account and a colon", 111, "", EMPTY_FIELD),
    ("a colon", 111, "", EMPTY_FIELD),
    ("two dashes", 111, "", DASHES),
];

const CHPST_SPECS: &[Difference] = &[
    ("a uid alone", 111, "", "a usage error is 100"),
    ("a uid and an empty gid", 0, "0\n", EMPTY_FIELD),
    ("two colons", 0, "0\n", EMPTY_FIELD),
    ("an empty group at the end", 111, "", EMPTY_FIELD),
    ("an empty group between", 111, "", EMPTY_FIELD),
    ("a number that is none", 111, "", NO_NUMBER),
    ("a number with a sign", 111, "", NO_NUMBER),
    ("a number that is too large", 0, "1215752191\n", "chpst cuts it to 32 bits"),
    ("minus one as the kernel sees it", 111, "", "a usage error is 100"),
];

#[test]
fn setuidgid_and_daemontools() {
    needs!(root(), peer("setuidgid"));
    let cases = [PROGRAM, SETUIDGID];
    compare("setuidgid", "setuidgid", "nobody", &cases, &[DJB, DJB_ACCOUNT, SETUIDGID_KEEPS]);
}

#[test]
fn setuidgid_and_chpst() {
    needs!(root(), peer("chpst"));
    compare(
        "setuidgid",
        "chpst -u",
        "nobody",
        &[PROGRAM, SETUIDGID, SPECS],
        &[DJB, DJB_ACCOUNT, SETUIDGID_KEEPS, CHPST_SPECS],
    );
}

const S6_ACCOUNT: &[Difference] = &[
    ("an unknown account", 1, "", "111 is the status of what the system refuses"),
    ("a number", 1, "", "as an unknown account"),
];

#[test]
fn setuidgid_and_s6() {
    needs!(root(), peer("s6-setuidgid"));
    let numbers: &[Case] = &[("uid:gid", "link 1:2 sh -c 'id -u; id -g; id -G'")];
    let differences = [
        ("an empty account", 0, "x\n", "an empty name must not mean root"),
        ("UID, GID and GIDLIST", 1, "", "they are not ours to remove"),
        ("two dashes", 1, "", DASHES),
        ("uid:gid", 0, "1\n2\n2\n", "numbers are written :uid:gid, so that no account's name is meant"),
    ];
    compare(
        "setuidgid",
        "s6-setuidgid",
        "nobody",
        &[PROGRAM, SETUIDGID, numbers],
        &[SKA, S6_ACCOUNT, SETUIDGID_KEEPS, &differences],
    );
}

const ENVUIDGID: &[Case] = &[
    ("an account", "link nobody printenv UID GID"),
    ("the ids themselves", "link nobody id"),
    ("variables that were there", r#"env UID=a GID=b "$PROGRAM" $OPTIONS daemon printenv UID GID"#),
    ("GIDLIST that was there", r#"env GIDLIST=a "$PROGRAM" $OPTIONS daemon printenv GIDLIST"#),
    ("an unknown account", "link no-such-account echo x"),
    ("a number", "link 1 echo x"),
    ("an empty account", "link '' echo x"),
    ("two dashes", "link -- nobody printenv UID"),
];

#[test]
fn envuidgid_and_daemontools() {
    needs!(peer("envuidgid"));
    let differences = [("an empty account", 111, "", EMPTY_FIELD), ("two dashes", 111, "", DASHES)];
    compare("envuidgid", "envuidgid", "nobody", &[PROGRAM, ENVUIDGID], &[DJB, &differences]);
}

#[test]
fn envuidgid_and_chpst() {
    needs!(peer("chpst"));
    let specs: &[Case] = &[
        ("a group", "link nobody:daemon printenv UID GID"),
        ("groups", "link nobody:daemon:bin printenv UID GID"),
        ("numbers", "link :1:2:3 printenv UID GID"),
        ("a uid alone", "link :1 printenv UID GID"),
    ];
    let differences = [
        ("an empty account", 111, "", EMPTY_FIELD),
        ("two dashes", 111, "", DASHES),
        ("a uid alone", 111, "", "a usage error is 100"),
    ];
    compare("envuidgid", "chpst -U", "nobody", &[PROGRAM, ENVUIDGID, specs], &[DJB, &differences]);
}

#[test]
fn envuidgid_and_s6() {
    needs!(peer("s6-envuidgid"));
    let differences = [
        ("GIDLIST that was there", 0, "\n", "without -s there is no GIDLIST, as in daemontools"),
        ("an empty account", 1, "", EMPTY_FIELD),
    ];
    compare("envuidgid", "s6-envuidgid", "nobody", &[PROGRAM, ENVUIDGID], &[SKA, S6_ACCOUNT, &differences]);
}

#[test]
fn envuidgid_s_and_s6() {
    needs!(peer("s6-envuidgid"));
    let cases: &[Case] = &[("all three", "link daemon printenv UID GID GIDLIST")];
    compare("envuidgid -s", "s6-envuidgid", "nobody", &[cases], &[]);
}

// export, unexport, emptyenv, envfile

#[test]
fn export_and_execline() {
    needs!(peer("export"));
    let cases: &[Case] = &[
        ("a value", "link A 'b  c' printenv A"),
        ("an empty value", "link A '' printenv A"),
        ("one that is there", "A=a link A b printenv A"),
        ("a value with an equals sign", "link A b=c printenv A"),
        ("a value with a dash", "link A -b printenv A"),
        ("an odd name", "link 'a b.c' v env -0 | tr '\\0' '\\n' | grep '^a b'"),
        ("an equals sign in the name", "link A=B c echo ran"),
        ("no value", "link A"),
        ("no name", "link '' v echo ran"),
        ("two dashes", "link -- v printenv -- --"),
    ];
    compare("export", "export", "A b", &[PROGRAM, cases], &[SKA, &NAMES]);
}

const NAMES: [Difference; 2] = [
    ("no name", 0, "ran\n", "a name that is empty is a variable of the shell that is not set"),
    ("two dashes", 0, "v\n", "two dashes end the options of every link"),
];

#[test]
fn unexport_and_execline() {
    needs!(peer("unexport"));
    let cases: &[Case] = &[
        ("a variable", "A=a link A sh -c 'echo ${A-none}'"),
        ("none", "link A sh -c 'echo ${A-none}'"),
        ("another", "A=a AA=b link AA sh -c 'echo $A ${AA-none}'"),
        ("PATH", "link PATH /usr/bin/printenv PATH"),
        ("an equals sign in the name", "link A=B echo ran"),
        ("no name", "link '' echo ran"),
        ("two dashes", "link -- v printf 'v\\n'"),
    ];
    let dashes = ("two dashes", 127, "", "two dashes end the options of every link");
    compare("unexport", "unexport", "A", &[PROGRAM, cases], &[SKA, &[NAMES[0], dashes]]);
}

#[test]
fn emptyenv_and_execline() {
    needs!(peer("emptyenv"));
    let cases: &[Case] = &[
        ("nothing is left", "link env"),
        ("PATH is left", "link -p env"),
        ("PATH that is not there", "unset PATH; link -p /usr/bin/env"),
        ("-c", "env -i A=1 1=a 0:1=b '#=2' '!=3' '?=4' FD5=6 ELGETOPT_a=7 EXECLINE_STRICT=1 $PROGRAM -c env"),
        ("-c and what looks like one of execline", "env -i FDX=1 1x=2 $PROGRAM -c env"),
        (
            "-P",
            "env -i A=1 0=a 1=b 1:1=c 1:2=d 2x=e 3:y=f 11:1=g ELGETOPT_a=1 '#=h' '#:1=i' '!=j' $PROGRAM -P env",
        ),
        (
            "-o",
            "env -i 1:1=c ELGETOPT_a=1 ELGETOPT_a:1=2 ELGETOPT_b:12=3 ELGETOPT_=4 ELGETOPT=5 $PROGRAM -o env",
        ),
        ("-o and -P", "env -i 1:1=c ELGETOPT_a:1=2 A=1 $PROGRAM -o -P env"),
        ("-c and -P", "env -i 1:1=c ELGETOPT_a:1=2 A=1 $PROGRAM -cP env"),
        ("-p and -P", "env -i 1:1=c A=1 $PROGRAM -pP env"),
        ("an unknown option", "link -x echo ran"),
        ("two dashes", "link -- env"),
    ];
    let differences = [(
        "-c and what looks like one of execline",
        0,
        "",
        "what others call FDX or 1x is theirs, as for newer versions of execline",
    )];
    compare("emptyenv", "emptyenv", "-p", &[PROGRAM, cases], &[SKA, &differences]);
}

/// In the common part of execline's dialect and systemd's.
const ENVFILE: &[Case] = &[
    ("a line", "value 'K=v\\n'"),
    ("no newline", "value 'K=v'"),
    ("blanks", "value ' \\t K \\t= \\t v  w \\t\\n'"),
    ("twice", "value 'K=v\\nK=w\\n'"),
    ("a comment", "value '#K=v\\n\\n  # c\\nK=w\\n#K=x'"),
    ("a number sign in a value", "value 'K=v # c\\n'"),
    ("an equals sign in a value", "value 'K=a=b\\n'"),
    ("double quotes", "value 'K=\" a b \" \\n'"),
    ("a quote and a backslash in double quotes", "value 'K=\"\\\\\"\\\\\\\\\"\\n'"),
    ("text at once behind a quote", "value 'K=\"a\"b\\n'"),
    ("two lines joined", "value 'K=a \\\\\\n  b\\n'"),
    ("two lines joined before the value", "value 'K=\\\\\\n b\\n'"),
    ("two lines joined in quotes", "value 'K=\"a\\\\\\n b\"\\n'"),
    ("an escaped blank", "value 'K=a\\\\ \\n'"),
    ("the line ends of DOS", "value 'K=v\\r\\n\\r\\n'"),
    ("no equals sign", "value 'K=v\\nword\\n'"),
    ("export", "value 'K=v\\nexport L=w\\n'"),
    ("a quote that does not end", "value 'K=\"v\\n'"),
    ("a backslash at the end of the file", "value 'K=v\\\\'"),
    ("a line that goes on and ends as in DOS", "value 'K=v\\\\\\r\\nL=w\\r\\n'"),
    ("a byte order mark", "value '\\357\\273\\277K=v\\n'"),
    ("a NUL", "value 'K=v\\0w\\nL=x\\n'"),
];

const NO_STATUS_1: &str = "a file that cannot be used is 111, as everything that is not as a link needs it";
const ANOTHER: &str = "the variable would have another name or value than the file seems to say";

#[test]
fn envfile_and_execline() {
    needs!(peer("envfile"));
    let cases: &[Case] = &[
        ("quotes in the middle", "value 'K=a\" b \"c\\n'"),
        ("text behind a quote", "value 'K=\"a\" b\\n'"),
        ("single quotes", "value \"K='a b'\\n\""),
        ("escapes", r#"value 'K="\\a\\b\\f\\n\\r\\t\\v\\x41\\1012\\18\\8\\q\\?"\n' | od -c"#),
        ("an escaped NUL", r#"value 'K="\\0"\n'"#),
        ("an escape for more than a byte", r#"value 'K="\\400"\n'"#),
        ("an escape of one hexadecimal digit", r#"value 'K="\\x4"\n'"#),
        ("an escape outside of quotes", r"value 'K=a\\nb\n'"),
        ("a quote over two lines", "value 'K=\"a\\nb\"\\n'"),
        ("an odd name", "echo 9.x-y=v >f; link f sh -c 'env | grep ^9'"),
        ("a name with a quote", "value 'K=v\\n\"L\"=w\\n'"),
        ("no UTF-8", "value 'K=\\377\\n' | od -c"),
        ("a missing file", "link no echo ran"),
        ("a missing file with -i", "link -i no echo ran"),
        ("a missing file with -I", "link -I no echo ran"),
        ("a missing file with both", "link -I -i no echo ran; link -i -I no echo ran"),
        ("a file below a file", "link -I /etc/passwd/x echo ran"),
        ("a directory", "link . echo ran"),
        ("the standard input", "echo K=v | link - printenv K"),
        ("the standard input is left open", "echo K=v | link - sh -c '[ -e /proc/self/fd/0 ] && echo open'"),
        ("a pipe", "echo K=v | link /dev/stdin printenv K"),
        ("/dev/null", "link /dev/null echo ran"),
        ("an unknown option", "link -x /dev/null echo ran"),
    ];
    let no_line = |name| (name, 1, "", NO_STATUS_1);
    let differences = [
        no_line("no equals sign"),
        no_line("export"),
        no_line("a quote that does not end"),
        no_line("a backslash at the end of the file"),
        ("a line that goes on and ends as in DOS", 0, "v\r\n", ANOTHER),
        ("a byte order mark", 1, "", ANOTHER),
        ("a NUL", 0, "v\n", ANOTHER),
        ("an escaped NUL", 0, "\n", ANOTHER),
        ("an escape for more than a byte", 0, "\n", ANOTHER),
        no_line("an escape of one hexadecimal digit"),
        no_line("an escape outside of quotes"),
        no_line("a quote over two lines"),
        no_line("a name with a quote"),
        ("the standard input is left open", 1, "", "a link closes nothing that it did not open"),
        ("a pipe", 0, "v\n", "no open waits; - is there for what is no file"),
    ];
    compare("envfile", "envfile", "/dev/null", &[PROGRAM, ENVFILE, cases], &[SKA, &differences]);
}

/// systemd's reader of environment.d, which reads as `EnvironmentFile=` does, but expands what begins with a $, and
/// ignores what is empty.
#[test]
fn envfile_d_systemd_and_systemd() {
    needs!(peer("30-systemd-environment-d-generator"));
    let cases: &[Case] = &[
        ("a semicolon", "value ';K=v\\nK=w\\n'"),
        ("single quotes", "value \"K='a \\\\\\\\ b'\\n\""),
        ("two kinds of quotes", "value \"K=\\\"a\\\"'b'\\n\""),
        ("quotes in the middle", "value 'K=a\"b\"\\n'"),
        ("other escapes in double quotes", r#"value 'K="\\q\\`"\n'"#),
        ("an escape outside of quotes", r"value 'K=a\\qb\n'"),
        ("a quote over two lines", "value 'L=\"a\\nK=b\"\\nK=c\\n'"),
        ("a carriage return in a line", "value 'K=v\\rL=w\\n'"),
        ("a name with a dash", "value 'K=v\\nK-x=w\\n'"),
        ("text behind a quote", "value 'K=\"a\" # c\\n'"),
        ("no UTF-8", "value 'L=\\377\\n' >/dev/null || echo refused"),
        ("no UTF-8 in a comment", "value '# \\351\\nK=v\\n'"),
    ];
    let ignored = |name| (name, 0, "v\n", "what is ignored is missing when the program runs");
    let differences = [
        ignored("no equals sign"),
        ignored("export"),
        ("a quote that does not end", 0, "v\\n\n", "what has no end may be cut off"),
        ignored("a backslash at the end of the file"),
        ignored("a line that goes on and ends as in DOS"),
        ignored("a name with a dash"),
        ("a byte order mark", 1, "", NO_STATUS_1),
        ("a NUL", 1, "", NO_STATUS_1),
        ("text behind a quote", 0, "a# c\n", ANOTHER),
    ];
    let (ours, theirs) = ("envfile -d systemd", "30-systemd-environment-d-generator");
    compare(ours, theirs, "", &[ENVFILE, cases], &[&differences]);
}

// softlimit

const SOFTLIMIT: &[Case] = &[
    ("a number", "link -o 50 grep Max.open /proc/self/limits"),
    ("a number without a blank", "link -o50 grep Max.open /proc/self/limits"),
    ("the hard limit", "ulimit -n 60; link -o 60 grep Max.open /proc/self/limits"),
    ("above the hard limit", "ulimit -n 60; link -o 61 grep Max.open /proc/self/limits"),
    ("all bits", "ulimit -n 60; link -o 18446744073709551615 grep Max.open /proc/self/limits"),
    ("too many bits", "ulimit -n 60; link -o 18446744073709551670 grep Max.open /proc/self/limits"),
    ("an equals sign", "ulimit -n 60; ulimit -Sn 50; link -o = grep Max.open /proc/self/limits"),
    ("unlimited", "link -c unlimited grep Max.core /proc/self/limits"),
    ("nothing", "link -c '' sh -c 'ulimit -c'"),
    ("a plus", "link -o +50 echo x"),
    ("a minus", "link -o -50 echo x"),
    ("a dash", "link -o - echo x"),
    ("a letter at the end", "link -o 50k echo x"),
    ("a blank in front", "link -o ' 50' echo x"),
    ("a fraction", "link -o 50.5 echo x"),
    ("hexadecimal", "link -o 0x50 echo x"),
    ("a zero in front", "link -o 050 grep Max.open /proc/self/limits"),
    ("one limit twice", "link -o 50 -o 40 grep Max.open /proc/self/limits"),
    ("-c -d -f -p -t", "link -c 1000 -d 1000000000 -f 1000000 -p 5000 -t 1000 cat /proc/self/limits"),
    ("-m", "link -m 1000000000 cat /proc/self/limits"),
    ("-m and -d", "link -m 1000000000 -d 900000000 cat /proc/self/limits"),
    ("-d and -m", "link -d 900000000 -m 1000000000 cat /proc/self/limits"),
    ("-r", "link -r 1000000 cat /proc/self/limits"),
    ("no limit", "link cat /proc/self/limits"),
    ("no value", "link -o"),
    ("an unknown option", "link -X 1 echo x"),
    ("two dashes", "link -- echo x"),
];

/// Not for chpst, which has no such letters.
const SOFTLIMIT_MORE: &[Case] =
    &[("-a -l -s", "link -a 1000000000 -l 65536 -s 1000000 cat /proc/self/limits")];

/// Not for daemontools, which sets soft limits alone.
const HARD_LIMITS: &[Case] = &[
    ("-H", "link -H -o 50 grep Max.open /proc/self/limits"),
    ("-h", "ulimit -Sn 40; link -h -o 50 grep Max.open /proc/self/limits"),
    ("-H and an equals sign", "ulimit -n 60; ulimit -Sn 40; link -H -o = sh -c 'ulimit -Sn; ulimit -Hn'"),
    ("-h and an equals sign", "ulimit -n 60; ulimit -Sn 40; link -h -o = sh -c 'ulimit -Sn; ulimit -Hn'"),
    ("-h below the soft limit", "ulimit -n 60; link -h -o 50 sh -c 'ulimit -Sn; ulimit -Hn'"),
    ("-H behind a limit", "ulimit -n 60; link -o 50 -H -c 0 sh -c 'ulimit -Hn; ulimit -Hc'"),
    ("-H without the right to", r#"ulimit -n 60; without -sys_resource "$PROGRAM" -H -o 61 echo x"#),
];

const UNLIMITED: Difference = ("unlimited", 100, "", "a soft limit can be lifted too");

const DJB_LIMITS: &[Difference] = &[
    (
        "too many bits",
        0,
        "Max open files            54                   60                   files     \n",
        NO_NUMBER,
    ),
    ("nothing", 0, "0\n", "nothing is no number, and seldom means 0"),
    UNLIMITED,
];

#[test]
fn softlimit_and_daemontools() {
    needs!(peer("softlimit"));
    let cases = [PROGRAM, SOFTLIMIT, SOFTLIMIT_MORE];
    compare("softlimit", "softlimit", "-o 50", &cases, &[DJB, DJB_LIMITS]);
}

#[test]
fn softlimit_and_chpst() {
    needs!(peer("chpst"));
    let differences = [("an equals sign", 100, "", "chpst has none")];
    compare("softlimit", "chpst", "-o 50", &[PROGRAM, SOFTLIMIT], &[DJB, DJB_LIMITS, &differences]);
}

#[test]
fn softlimit_and_s6() {
    needs!(peer("s6-softlimit"));
    let hard = "the hard limit is as good a value for both";
    let differences = [
        UNLIMITED,
        ("an unknown option", 127, "", "s6 takes it for nothing, and its value for the program"),
        ("-H and an equals sign", 111, "", hard),
        ("-h and an equals sign", 111, "", hard),
        ("-h below the soft limit", 111, "", "s6 says that it lowers the soft limit too, but fails"),
    ];
    compare(
        "softlimit",
        "s6-softlimit",
        "-o 50",
        &[PROGRAM, SOFTLIMIT, SOFTLIMIT_MORE, HARD_LIMITS],
        &[SKA, &differences],
    );
}

// setlock

const LOCKS: &[Case] = &[
    ("a lock that is taken", r#"link f sh -c '"$PROGRAM" $TRY f echo x'"#),
    ("another lock", r#"link f sh -c '"$PROGRAM" $TRY g echo x'"#),
    ("a new file", "umask 0; link f stat -c '%a %s' f"),
    ("a file that is there", "echo content >f; chmod 640 f; link f cat f; stat -c %a f"),
    ("a file in no directory", "link no/f echo x"),
    ("a file below a file", ">g; link g/f echo x"),
    ("a directory", "link . echo x"),
    ("a symbolic link", ">g; ln -s g f; link f echo x"),
    ("a FIFO without a reader", "mkfifo f; link f echo x"),
    ("a device", "link /dev/null echo x"),
    (
        "the fd of the lock",
        "link f sh -c 'for n in 0 1 2 3 4; do [ /proc/$$/fd/$n -ef f ] && echo $n; done; :'",
    ),
    (
        "the fd of the lock where 0 is closed",
        "link f sh -c 'for n in 0 1 2 3 4; do [ /proc/$$/fd/$n -ef f ] && echo $n; done; :' <&-",
    ),
    ("a program that opens and closes the file", r#"link f sh -c ': <f; "$PROGRAM" $TRY f echo x'"#),
    ("two dashes", "link -- f echo x"),
];

/// Not for chpst, whose letters mean other things.
const LOCK_OPTIONS: &[Case] = &[
    ("-n and a free lock", "link -n f echo x"),
    ("-nN", "link -nN f echo x"),
    ("an unknown option", "link -q f echo x"),
];

/// Not for s6, which has no -x.
const LOCK_QUIET: &[Case] = &[
    ("-nx and a lock that is taken", r#"link f sh -c '"$PROGRAM" -nx f echo x'"#),
    ("-nxX and a lock that is taken", r#"link f sh -c '"$PROGRAM" -nxX f echo x'"#),
    ("-x and a file in no directory", "link -x no/f echo x"),
    ("-xX and a file in no directory", "link -xX no/f echo x"),
    ("-x and a program that is not there", "link -x f no-such-program"),
];

/// Only for s6.
const LOCK_SHARED: &[Case] = &[
    ("-r twice", r#"link -r f sh -c '"$PROGRAM" -r -n f echo x'"#),
    ("-r and then an exclusive one", r#"link -r f sh -c '"$PROGRAM" -n f echo x'"#),
    ("an exclusive one and then -r", r#"link f sh -c '"$PROGRAM" -r -n f echo x'"#),
    ("-r and no file", "link -r f stat -c %s f"),
    ("-t and a free lock", "link -t 99999 f echo x"),
    ("-t with a fraction", "link -t 0.1 f echo x"),
    ("-d", "link -d 9 f sh -c '[ /proc/$$/fd/9 -ef f ] && echo 9'"),
];

const SYMBOLIC_LINK: Difference =
    ("a symbolic link", 0, "x\n", "others could make us create a file anywhere");
const LOCK_ON_0: Difference =
    ("the fd of the lock where 0 is closed", 0, "0\n", "a program that replaces 0-2 would lose the lock");

#[test]
fn setlock_and_daemontools() {
    needs!(peer("setlock"));
    let differences = [SYMBOLIC_LINK, LOCK_ON_0, ("-x and a program that is not there", 111, "", ONE_STATUS)];
    let cases = [PROGRAM, LOCKS, LOCK_OPTIONS, LOCK_QUIET];
    compare("setlock", "setlock", "f", &cases, &[DJB, &differences]);
}

#[test]
fn setlock_and_chpst() {
    needs!(peer("chpst"));
    let dashes = ("two dashes", 111, "", "after -l chpst takes them for the file");
    for (ours, theirs) in [("setlock", "chpst -l"), ("setlock -n", "chpst -L")] {
        let differences = [SYMBOLIC_LINK, LOCK_ON_0, dashes];
        compare(ours, theirs, "f", &[PROGRAM, LOCKS], &[DJB, &differences]);
    }
}

#[test]
fn setlock_and_s6() {
    needs!(peer("s6-setlock"));
    let busy = "111, as in daemontools";
    let differences = [
        SYMBOLIC_LINK,
        LOCK_ON_0,
        ("a lock that is taken", 1, "", busy),
        ("-r and then an exclusive one", 1, "", busy),
        ("an exclusive one and then -r", 1, "", busy),
        ("a new file", 0, "666 0\n", "0600, as in daemontools: who can open a lock can hold it"),
        (
            "a program that opens and closes the file",
            0,
            "x\n",
            "its lock is lost where its holder closes the file",
        ),
        ("-t with a fraction", 100, "", "seconds: s6 counts milliseconds"),
        ("-d", 100, "", "later versions of s6 have it"),
    ];
    compare("setlock", "s6-setlock", "f", &[PROGRAM, LOCKS, LOCK_OPTIONS, LOCK_SHARED], &[SKA, &differences]);
}

// fdmove, fdclose and redirfd

const FDMOVE: &[Case] = &[
    ("a move", "link 9 1 sh -c 'echo x >&9; [ -e /proc/$$/fd/1 ] && echo open >&9; :'"),
    ("a copy", "link -c 9 1 sh -c 'echo x >&9; echo y'"),
    ("an open one", "link 9 1 sh -c 'echo x >&9' 9</dev/null"),
    ("from a closed one", "link 9 8 echo x"),
    ("one on itself", "link 1 1 echo x"),
    ("a closed one on itself", "link 8 8 echo x"),
    ("a copy of one on itself", "link -c 1 1 echo x"),
    ("a plus", "link +9 1 echo x"),
    ("a minus", "link -- -9 1 echo x"),
    ("a word", "link x 1 echo x"),
    ("nothing", "link '' 1 echo x"),
    ("2^32", "link 4294967296 1 echo x"),
    ("2^31", "link 2147483648 1 echo x"),
    ("one that cannot be", "link 99999999 1 echo x"),
    ("two dashes", "link -- 9 1 sh -c 'echo x >&9'"),
    ("two dashes behind", "link 9 1 -- echo x"),
    ("an unknown option", "link -q 9 1 echo x"),
];

const RANGE: &str = "no fd has that number";

#[test]
fn fdmove_and_execline() {
    needs!(peer("fdmove"));
    let differences = [
        ("a closed one on itself", 0, "x\n", "a fd that is not open cannot be moved anywhere"),
        ("a copy of one on itself", 111, "", "it is there already"),
        ("2^31", 111, "", RANGE),
    ];
    compare("fdmove", "fdmove", "2 2", &[PROGRAM, FDMOVE], &[SKA, &differences]);
}

const FDCLOSE: &[Case] = &[
    ("an open one", "link 0 sh -c '[ -e /proc/$$/fd/0 ] || echo closed'"),
    ("a closed one", "link 9 echo x"),
    ("a large number", "link 99999999 echo x"),
    ("stdout", "link 1 sh -c 'echo x 2>&-'"),
    ("a word", "link x echo x"),
    ("a plus", "link +9 echo x"),
    ("nothing", "link '' echo x"),
    ("2^32", "link 4294967296 echo x"),
    ("2^31", "link 2147483648 echo x"),
    ("two dashes", "link -- 9 echo x"),
];

#[test]
fn fdclose_and_execline() {
    needs!(peer("fdclose"));
    let differences = [("2^31", 0, "x\n", RANGE), ("two dashes", 100, "", "two dashes end the options")];
    compare("fdclose", "fdclose", "9", &[PROGRAM, FDCLOSE], &[SKA, &differences]);
}

const REDIRFD: &[Case] = &[
    ("-r", "echo x >f; link -r 0 f cat"),
    ("-r and no file", "link -r 0 f cat; echo $?; ls f"),
    ("-r and a directory", "link -r 0 . ls /proc/self/fd/0/"),
    ("-w and no file", "umask 27; link -w 1 f echo x; cat f; stat -c %a f"),
    ("-w and a file", "echo long >f; link -w 1 f echo x; cat f"),
    ("-w and a directory", "link -w 1 . echo x"),
    ("-u and a file", "echo long >f; link -u 1 f echo x; cat f"),
    ("-u and no file", "link -u 1 f echo x; echo $?; ls f"),
    ("-a and a file", "echo long >f; link -a 1 f echo x; cat f"),
    ("-a and no file", "umask 27; link -a 1 f echo x; cat f; stat -c %a f"),
    ("-x and no file", "umask 27; link -x 1 f echo x; cat f; stat -c %a f"),
    ("-x and a file", ">f; link -x 1 f echo x"),
    ("-x and a symbolic link", "ln -s g f; link -x 1 f echo x"),
    ("no mode", "link 1 f echo x"),
    ("several modes", "echo x >f; link -xwr 0 f cat"),
    ("no file and no program", "link -w 1"),
    ("a word for a fd", "link -w x f echo x"),
    ("a minus", "link -w -- -1 f echo x"),
    ("one that cannot be", "link -w 99999999 f echo x"),
    ("an unknown option", "link -q 1 f echo x"),
    ("two dashes", "link -w -- 1 f echo x; cat f"),
    ("the flags of -r", ">f; link -r 9 f grep flags /proc/self/fdinfo/9"),
    ("the flags of -w", "link -w 9 f grep flags /proc/self/fdinfo/9"),
    ("the flags of -u", ">f; link -u 9 f grep flags /proc/self/fdinfo/9"),
    ("the flags of -a", "link -a 9 f grep flags /proc/self/fdinfo/9"),
    ("the flags of -x", "link -x 9 f grep flags /proc/self/fdinfo/9"),
    ("the flags of -rn", ">f; link -rn 9 f grep flags /proc/self/fdinfo/9"),
    ("the flags of -wn", "link -wn 9 f grep flags /proc/self/fdinfo/9"),
    ("the flags of -rb", ">f; link -rb 9 f grep flags /proc/self/fdinfo/9"),
    ("the flags of -wb", "link -wb 9 f grep flags /proc/self/fdinfo/9"),
    ("the flags of -rnb", ">f; link -rnb 9 f grep flags /proc/self/fdinfo/9"),
    ("the flags of -wnb", "link -wnb 9 f grep flags /proc/self/fdinfo/9"),
    ("-wn and a FIFO", "mkfifo f; link -wn 9 f grep flags /proc/self/fdinfo/9"),
    ("-wnb and a FIFO", "mkfifo f; link -wnb 9 f grep flags /proc/self/fdinfo/9"),
    ("-an and a FIFO", "mkfifo f; link -an 9 f grep flags /proc/self/fdinfo/9"),
    ("-rn and a FIFO", "mkfifo f; link -rn 9 f grep flags /proc/self/fdinfo/9"),
    ("-rnb and a FIFO", "mkfifo f; link -rnb 9 f grep flags /proc/self/fdinfo/9"),
    ("-un and a FIFO", "mkfifo f; link -un 9 f grep flags /proc/self/fdinfo/9"),
    ("0 where it is closed", "echo x >f; link -r 0 f cat <&-"),
    ("1 where 0 is closed", "link -w 1 f sh -c 'echo x; [ -e /proc/$$/fd/0 ] && echo 0' <&-; cat f"),
    ("the next free number", "link -w 3 f sh -c 'echo x >&3'; cat f"),
];

#[test]
fn redirfd_and_execline() {
    needs!(peer("redirfd"));
    compare("redirfd", "redirfd", "-r 0 /dev/null", &[PROGRAM, REDIRFD], &[SKA]);
}

// nice

/// Each shows how much nicer the program is than who starts it. `by` is the same behind some words.
const NICE: &[Case] = &[
    ("5", "by link -n 5"),
    ("-5", "by link -n -5"),
    ("behind the letter", "by link -n5"),
    ("a negative one behind the letter", "by link -n-5"),
    ("0", "by link -n 0"),
    ("a plus", "by link -n +5"),
    ("zeros in front", "by link -n 005"),
    ("40", "by link -n 40"),
    ("-40", "by link -n -40"),
    ("2^31", "by link -n 2147483648"),
    ("2^32 + 1", "by link -n 4294967297"),
    ("many digits", "by link -n 99999999999999999999"),
    ("-n twice", "by link -n 1 -n 2"),
    ("twice", "by link -n 1 \"$PROGRAM\" $OPTIONS -n 2"),
    ("two dashes", "by link -n 5 --"),
    ("nothing", "by link -n ''"),
    ("a minus alone", "by link -n -"),
    ("a plus and a minus", "by link -n +-5"),
    ("a blank in front", "by link -n ' 5'"),
    ("a blank behind", "by link -n '5 '"),
    ("hexadecimal", "by link -n 0x5"),
    ("a fraction", "by link -n 1.5"),
    ("a unit", "by link -n 1k"),
    ("a word", "by link -n x"),
    ("no value", "link -n"),
    ("an unknown option", "by link -q 5"),
    ("no right to", r#"by without -sys_nice "$PROGRAM" $OPTIONS -n -1"#),
    ("no right and no need", r#"by without -sys_nice "$PROGRAM" $OPTIONS -n 0"#),
];

/// Not for chpst, which needs a number.
const NICE_ALONE: &[Case] = &[
    ("no option", "by link"),
    ("a digit for a letter", "by link -5"),
    ("a digit after two dashes", "by link --5"),
    ("the long option", "by link --adjustment=5"),
];

#[test]
fn nice_and_coreutils() {
    needs!(peer("nice"), lowered());
    let (usage, old) = ("a usage error is 100 everywhere", "options are letters, as in POSIX");
    let niceness: &str = format!("{}\n", own()).leak();
    let differences = [
        ("a program below a file", 126, "", ENOTDIR),
        ("a script without a first line", 0, "ran\n", "no shell is started that nobody asked for"),
        ("no program", 0, niceness, usage),
        ("nothing at all", 0, niceness, usage),
        ("nothing", 125, "", usage),
        ("a minus alone", 125, "", usage),
        ("a plus and a minus", 125, "", usage),
        ("a blank in front", 0, "5\n", "a blank is no part of a number"),
        ("a blank behind", 125, "", usage),
        ("hexadecimal", 125, "", usage),
        ("a fraction", 125, "", usage),
        ("a unit", 125, "", usage),
        ("a word", 125, "", usage),
        ("no value", 125, "", usage),
        ("an unknown option", 125, "", usage),
        ("no right to", 0, "0\n", "a link does what its line says, or executes nothing"),
        ("a digit for a letter", 0, "5\n", old),
        ("a digit after two dashes", 0, "-5\n", old),
        ("the long option", 0, "5\n", old),
    ];
    compare("nice", "nice", "", &[PROGRAM, NICE, NICE_ALONE], &[&differences]);
}

#[test]
fn nice_and_chpst() {
    needs!(peer("chpst"), lowered());
    let wraps = "a number that is too large is not another one";
    let least: &str = format!("{}\n", -20 - own()).leak();
    let differences = [
        ("2^31", 0, least, wraps),
        ("2^32 + 1", 0, "1\n", wraps),
        ("nothing", 0, "0\n", NO_NUMBER),
        ("a minus alone", 0, "0\n", NO_NUMBER),
    ];
    compare("nice", "chpst", "-n 1", &[PROGRAM, NICE], &[DJB, &differences]);
}

// choom, chrt, ionice, taskset and unshare

/// What util-linux does differently with every program.
const UTIL_LINUX: &[Difference] = &[
    ("a program below a file", 126, "", ENOTDIR),
    ("a script without a first line", 0, "ran\n", "no shell is started that nobody asked for"),
    ("no program", 1, "", "a usage error is 100 everywhere"),
    ("nothing at all", 1, "", "a usage error is 100 everywhere"),
];

const IONICE: &[Case] = &[
    ("no option", "link /usr/bin/ionice"),
    ("-c 0", "link -c 0 /usr/bin/ionice"),
    ("-c 1", "link -c 1 /usr/bin/ionice"),
    ("-c 2", "link -c 2 /usr/bin/ionice"),
    ("-c 3", "link -c 3 /usr/bin/ionice"),
    ("-c 02", "link -c 02 /usr/bin/ionice"),
    ("-c 4", "link -c 4 /usr/bin/ionice"),
    ("-c 9", "link -c 9 /usr/bin/ionice"),
    ("-c -1", "link -c -1 /usr/bin/ionice"),
    ("-c +2", "link -c +2 /usr/bin/ionice"),
    ("-c 2x", "link -c 2x /usr/bin/ionice"),
    ("-c and nothing", "link -c '' /usr/bin/ionice"),
    ("none", "link -c none /usr/bin/ionice"),
    ("realtime", "link -c realtime /usr/bin/ionice"),
    ("best-effort", "link -c best-effort /usr/bin/ionice"),
    ("idle", "link -c idle /usr/bin/ionice"),
    ("large letters", "link -c IDLE /usr/bin/ionice"),
    ("a part of a name", "link -c idl /usr/bin/ionice"),
    ("another name", "link -c rt /usr/bin/ionice"),
    ("-n 0", "link -n 0 /usr/bin/ionice"),
    ("-n 7", "link -c 2 -n 7 /usr/bin/ionice"),
    ("behind the letter", "link -c2 -n5 /usr/bin/ionice"),
    ("the priority first", "link -n 5 -c 1 /usr/bin/ionice"),
    ("-n -1", "link -n -1 /usr/bin/ionice"),
    ("-n and a blank", "link -n ' 3' /usr/bin/ionice"),
    ("-n x", "link -n x /usr/bin/ionice"),
    ("-n and nothing", "link -n '' /usr/bin/ionice"),
    ("a priority for idle", "link -c 3 -n 2 /usr/bin/ionice"),
    ("a priority for none", "link -c 0 -n 2 /usr/bin/ionice"),
    ("-c twice", "link -c 3 -c 1 /usr/bin/ionice"),
    ("twice", "link -c 3 \"$PROGRAM\" -n 6 /usr/bin/ionice"),
    ("two dashes", "link -c 3 -- /usr/bin/ionice"),
    ("an unknown option", "link -q /usr/bin/ionice"),
    ("-t and no right to", r#"without -sys_nice,-sys_admin "$PROGRAM" -t -c 1 echo ran"#),
    ("no right to", r#"without -sys_nice,-sys_admin "$PROGRAM" -c 1 echo ran"#),
    ("no right and no need", r#"without -sys_nice,-sys_admin "$PROGRAM" -c 3 /usr/bin/ionice"#),
];

#[test]
fn ionice_and_util_linux() {
    needs!(peer("ionice"), crate::ionice::realtime());
    let usage = "a usage error is 100 everywhere";
    let other = "what is no class is no other one";
    let differences = [
        ("nothing at all", 0, "none: prio 0\n", usage),
        ("-c 4", 1, "", usage),
        ("-c 9", 0, "realtime: prio 4\n", other),
        ("-c -1", 1, "", usage),
        ("-c +2", 1, "", usage),
        ("-c 2x", 1, "", usage),
        ("-c and nothing", 1, "", usage),
        ("a part of a name", 1, "", usage),
        ("another name", 1, "", usage),
        ("-n -1", 1, "", usage),
        ("-n and a blank", 0, "best-effort: prio 3\n", "a blank is no part of a number"),
        ("-n x", 1, "", usage),
        ("-n and nothing", 1, "", usage),
        ("an unknown option", 1, "", usage),
        ("-t and no right to", 0, "ran\n", "a link does what its line says, or executes nothing"),
        ("no right to", 1, "", "a system call that failed is 111"),
    ];
    let rest = UTIL_LINUX.iter().filter(|difference| difference.0 != "nothing at all");
    let rest: Vec<Difference> = rest.copied().collect();
    compare("ionice", "ionice", "-c 3", &[PROGRAM, IONICE], &[&rest, &differences]);
}

const CHRT: &[Case] = &[
    ("no policy", "policy link 5"),
    ("-f", "policy link -f 5"),
    ("-r", "policy link -r 99"),
    ("-o", "policy link -o 0"),
    ("-b", "policy link -b 0"),
    ("-i", "policy link -i 0"),
    ("-R", "policy link -R 5"),
    ("-R for one that is none of real time", "policy link -R -b 0"),
    ("letters in one", "policy link -fR 1"),
    ("-f -r", "policy link -f -r 5"),
    ("-r -o", "policy link -r -o 0"),
    ("two dashes", "policy link -f -- 5"),
    ("zeros in front", "policy link -f 005"),
    ("-f 0", "policy link -f 0"),
    ("-f 100", "policy link -f 100"),
    ("-o 1", "policy link -o 1"),
    ("-b 1", "policy link -b 1"),
    ("-i 1", "policy link -i 1"),
    ("a minus", "policy link -f -- -5"),
    ("a plus", "policy link -f +5"),
    ("a blank", "policy link -f ' 5'"),
    ("a word", "policy link -f x"),
    ("a unit", "policy link -f 5k"),
    ("nothing", "policy link -f ''"),
    ("an unknown option", "policy link -q 5"),
    ("twice", "policy link -f 5 \"$PROGRAM\" -o 0"),
    ("the niceness", "link -o 0 cut -d ' ' -f 19 /proc/self/stat"),
    ("no right to", r#"without -sys_nice "$PROGRAM" -f 1 echo ran"#),
    ("no right and no need", r#"without -sys_nice "$PROGRAM" -b 0 echo ran"#),
];

#[test]
fn chrt_and_util_linux() {
    needs!(peer("chrt"), crate::chrt::real_time());
    let usage = "a usage error is 100 everywhere";
    let sign = "neither a sign nor a blank is part of a number";
    let fifo = "SCHED_FIFO 5\n";
    let differences = [
        ("-f 0", 1, "", usage),
        ("-f 100", 1, "", usage),
        ("-o 1", 1, "", usage),
        ("-b 1", 1, "", usage),
        ("-i 1", 1, "", usage),
        ("a minus", 1, "", usage),
        ("a plus", 0, fifo, sign),
        ("a blank", 0, fifo, sign),
        ("a word", 1, "", usage),
        ("a unit", 1, "", usage),
        ("nothing", 1, "", usage),
        ("an unknown option", 1, "", usage),
        ("no right to", 1, "", "a system call that failed is 111"),
    ];
    compare("chrt", "chrt", "-b 0", &[PROGRAM, CHRT], &[UTIL_LINUX, &differences]);
}

const CHOOM: &[Case] = &[
    ("1000", "link -n 1000 cat /proc/self/oom_score_adj"),
    ("behind the letter", "link -n999 cat /proc/self/oom_score_adj"),
    ("a plus", "link -n +999 cat /proc/self/oom_score_adj"),
    ("zeros in front", "link -n 00999 cat /proc/self/oom_score_adj"),
    ("-n twice", "link -n 1000 -n 999 cat /proc/self/oom_score_adj"),
    ("two dashes", "link -n 999 -- cat /proc/self/oom_score_adj"),
    ("twice", "link -n 1000 -- \"$PROGRAM\" -n 999 -- cat /proc/self/oom_score_adj"),
    ("1001", "link -n 1001 echo ran"),
    ("-1001", "link -n -1001 echo ran"),
    ("a blank", "link -n ' 999' cat /proc/self/oom_score_adj"),
    ("hexadecimal", "link -n 0x5 echo ran"),
    ("a unit", "link -n 5k echo ran"),
    ("a word", "link -n x echo ran"),
    ("nothing", "link -n '' echo ran"),
    ("no value", "link -n"),
    ("no -n", "link echo ran"),
    ("an unknown option", "link -q -n 5 echo ran"),
    ("an option of the program", "link -n 999 cat -u /proc/self/oom_score_adj"),
    ("no right to", r#"without -sys_resource "$PROGRAM" -n -1000 echo ran"#),
];

#[test]
fn choom_and_util_linux() {
    needs!(peer("choom"));
    let usage = "a usage error is 100 everywhere";
    let differences = [
        ("1001", 1, "", usage),
        ("-1001", 1, "", usage),
        ("a blank", 0, "999\n", "a blank is no part of a number"),
        ("hexadecimal", 1, "", usage),
        ("a unit", 1, "", usage),
        ("a word", 1, "", usage),
        ("nothing", 1, "", usage),
        ("no value", 1, "", usage),
        ("no -n", 1, "", usage),
        ("an unknown option", 1, "", usage),
        ("an option of the program", 1, "", "options end where the program begins"),
        ("no right to", 1, "", "a system call that failed is 111"),
    ];
    compare("choom", "choom", "-n 1000 --", &[PROGRAM, CHOOM], &[UTIL_LINUX, &differences]);
}

/// Where there are CPUs 0 and 1, and no 7.
const TASKSET: &[Case] = &[
    ("-c 0", "cpus link -c 0"),
    ("-c 1", "cpus link -c 1"),
    ("-c 0,1", "cpus link -c 0,1"),
    ("-c 0-1", "cpus link -c 0-1"),
    ("-c 0-9999", "cpus link -c 0-9999"),
    ("-c 0-9:2", "cpus link -c 0-9:2"),
    ("-c 1-9:2", "cpus link -c 1-9:2"),
    ("-c 0-1:3", "cpus link -c 0-1:3"),
    ("-c 0,8191", "cpus link -c 0,8191"),
    ("zeros in front", "cpus link -c 001"),
    ("two dashes", "cpus link -c -- 1"),
    ("-c twice", "cpus link -c -c 1"),
    ("-c 2^32", "cpus link -c 4294967296"),
    ("-c 8191", "link -c 8191 echo ran"),
    ("-c 99999", "link -c 99999 echo ran"),
    ("-c 1-0", "cpus link -c 1-0"),
    ("-c 0-", "cpus link -c 0-"),
    ("-c 0,", "cpus link -c 0,"),
    ("-c 0,,1", "cpus link -c 0,,1"),
    ("-c 0:2", "cpus link -c 0:2"),
    ("-c 0-1:0", "cpus link -c 0-1:0"),
    ("-c 0-1:2:3", "cpus link -c 0-1:2:3"),
    ("-c x", "cpus link -c x"),
    ("-c 0x1", "cpus link -c 0x1"),
    ("-c +1", "cpus link -c +1"),
    ("-c and a blank", "cpus link -c ' 1'"),
    ("-c and nothing", "cpus link -c ''"),
    ("1", "cpus link 1"),
    ("2", "cpus link 2"),
    ("3", "cpus link 3"),
    ("0x3", "cpus link 0x3"),
    ("fF", "cpus link fF"),
    ("many digits", "cpus link 00000000000000000000000000000000000000000000000002"),
    ("many bits", "cpus link fffffffffffffffffffffffffffffffffffffffffffffffff"),
    ("groups", "cpus link 00000000,00000002"),
    ("0", "link 0 echo ran"),
    ("a bit of no CPU", "link 00000001,00000000,00000000 echo ran"),
    ("0X1", "cpus link 0X1"),
    ("0x", "cpus link 0x"),
    ("a list", "cpus link 0,3"),
    ("a comma behind", "cpus link 3,"),
    ("a range", "cpus link 0-1"),
    ("a word", "cpus link x"),
    ("a blank", "cpus link ' 1'"),
    ("nothing", "cpus link ''"),
    ("an unknown option", "cpus link -q 1"),
    ("twice", "cpus link -c 0 \"$PROGRAM\" 2"),
];

#[test]
fn taskset_and_util_linux() {
    needs!(peer("taskset"), crate::taskset::two());
    let usage = "a usage error is 100 everywhere";
    let (called, comma) =
        ("a system call that failed is 111", "a comma in a mask is between groups of eight digits");
    let differences = [
        ("-c 2^32", 0, "0\n", "a number that is too large is not another one"),
        ("-c 8191", 1, "", called),
        ("-c 99999", 1, "", called),
        ("-c 1-0", 1, "", usage),
        ("-c 0-", 1, "", usage),
        ("-c 0,", 1, "", usage),
        ("-c 0,,1", 1, "", usage),
        ("-c 0:2", 1, "", usage),
        ("-c 0-1:0", 1, "", usage),
        ("-c 0-1:2:3", 1, "", usage),
        ("-c x", 1, "", usage),
        ("-c 0x1", 1, "", usage),
        ("-c +1", 1, "", usage),
        ("-c and a blank", 1, "", usage),
        ("-c and nothing", 1, "", usage),
        ("0", 1, "", usage),
        ("a bit of no CPU", 1, "", called),
        ("0X1", 1, "", usage),
        ("0x", 1, "", usage),
        ("a list", 0, "0-1\n", comma),
        ("a comma behind", 0, "0-1\n", comma),
        ("a range", 1, "", usage),
        ("a word", 1, "", usage),
        ("a blank", 1, "", usage),
        ("nothing", 1, "", usage),
        ("an unknown option", 1, "", usage),
    ];
    compare("taskset", "taskset", "-c 0", &[PROGRAM, TASKSET], &[UTIL_LINUX, &differences]);
}

const UNSHARE: &[Case] = &[
    ("no option", "apart link"),
    ("-C", "apart link -C"),
    ("-i", "apart link -i"),
    ("-m", "apart link -m"),
    ("-n", "apart link -n"),
    ("-u", "apart link -u"),
    ("all of them", "apart link -Cimnu"),
    ("twice", "apart link -u \"$PROGRAM\" -i"),
    ("-u twice", "apart link -u -u"),
    ("two dashes", "apart link -u --"),
    ("the propagation of mounts", "shared link -m"),
    ("that of the old ones", "shared link -u"),
    ("an unknown option", "link -q echo ran"),
    ("no right to", r#"without -sys_admin "$PROGRAM" -u echo ran"#),
    ("no right and no need", r#"without -sys_admin "$PROGRAM" echo ran"#),
];

#[test]
fn unshare_and_util_linux() {
    needs!(peer("unshare"), crate::unshare::namespaces());
    let (usage, shell) = ("a usage error is 100 everywhere", "no shell is started that nobody asked for");
    let mut differences = vec![
        ("an unknown option", 1, "", usage),
        ("no right to", 1, "", "a system call that failed is 111"),
        ("no program", 0, "", shell),
        ("nothing at all", 0, "", shell),
    ];
    let not_here = |difference: &&Difference| !difference.3.starts_with("a usage error");
    differences.extend(UTIL_LINUX.iter().filter(not_here));
    compare("unshare", "unshare", "-u", &[PROGRAM, UNSHARE], &[&differences]);
}

// chpst

/// What has no namesake of its own; of the rest a few, since the links above have it.
const CHPST: &[Case] = &[
    ("-u and a number", "link -u 5001 echo x"),
    ("-u and nothing", "link -u '' echo x"),
    ("-u and a colon in front of a name", "link -u :_lprng echo x"),
    ("-u and a colon behind a name", "link -u root: echo x"),
    ("-u and two colons", "link -u :: echo x"),
    ("-u and a uid alone", "link -u :0 echo x"),
    ("-U and numbers", "link -U :5:6:7 sh -c 'echo $UID $GID'"),
    ("-U and an account", "link -U root sh -c 'echo $UID $GID'"),
    ("-U and an account that is not there", "link -U no-such-account echo x"),
    ("-U and -e", "echo 9 >d/UID; link -U :5:6 -e d sh -c 'echo $UID'"),
    ("-b", "link -b name sh -c 'echo $0'"),
    ("-b and nothing", r#"link -b '' sh -c 'echo "<$0>"'"#),
    ("-b twice", "link -b one -b two sh -c 'echo $0'"),
    ("-e", "echo v >d/A; X=pre link -e d sh -c 'echo $A'"),
    ("-e twice", r#"mkdir e; echo v >d/A; echo w >e/B; link -e d -e e sh -c 'echo "<$A><$B>"'"#),
    ("-e and a directory", "mkdir d/X; link -e d echo x"),
    ("-e and a link to nothing", "ln -s no d/X; link -e d echo x"),
    ("-e and a dir that is not there", "link -e no echo x"),
    ("-e and PATH", "echo /no >d/PATH; link -e d sh -c 'echo $PATH'"),
    ("-l and -L", "link -l f -L g echo x; echo $?; ls"),
    ("-l twice", "link -l f -l f echo x; echo $?; ls"),
    ("-L and a lock that is taken", r#"link -l f "$PROGRAM" -L f echo x"#),
    ("-P", r#"link -P sh -c 'cut -d " " -f 5,6 /proc/$$/stat | tr " " "\n" | sed "s/^$$\$/own/"'"#),
    ("-0", "link -0 sh -c '[ -e /proc/$$/fd/0 ] || echo closed'"),
    ("-0 and a closed one", "link -0 echo x <&-"),
    ("-1", "link -1 sh -c '[ -e /proc/$$/fd/1 ] || exit 7'"),
    ("-2", "link -2 sh -c '[ -e /proc/$$/fd/2 ] || echo closed'"),
    ("-o and -m", "link -o 50 -m 1000000000 cat /proc/self/limits"),
    (
        "-d -p -f -c -r -t",
        "link -d 1000000000 -p 5000 -f 1000000 -c 0 -r 1000000 -t 1000 cat /proc/self/limits",
    ),
    (
        "-o and too few for itself",
        "echo v >d/A; link -o 3 -e d -l f sh -c 'exit 9' 2>/dev/null; [ $? != 0 ]; ls f",
    ),
    ("-n and -o", "by link -n 2 -o 50"),
    ("letters in one word", "link -vP0bname sh -c 'echo $0'"),
    ("-V", "link -V"),
    ("-V and a program", "link -V echo x"),
    ("two dashes", "link -o 50 -- echo x"),
    ("an unknown option", "link -Z echo x"),
    ("no value", "link -u"),
    ("options behind the program", "link echo -u x"),
];

/// Those that need root.
const CHPST_ROOT: &[Case] = &[
    ("-u", "link -u :5001:5002:5003 sh -c 'id -u; id -G'"),
    ("-u and an account", "link -u nobody sh -c 'id -u; id -G'"),
    ("-u and groups", "link -u nobody:bin:daemon sh -c 'id -u; id -G'"),
    ("-u and a gid that is empty", "link -u :5001: sh -c 'id -G'"),
    ("-u and a large number", "link -u :99999999999:5 sh -c 'id -u'"),
    ("-u and -n", "by link -u :5001:5002 -n -1"),
    ("-u and -l", "chmod 777 .; link -u :5001:5002 -l f stat -c '%u %g %a' f"),
    ("-u and a lock that it may not open", ">f; chmod 600 f; chmod 755 .; link -l f -u :5001:5002 echo x"),
    ("-/", "link -/ / pwd"),
    ("-/ and a dir that is not there", "link -/ no echo x"),
    ("-/ and -e", "echo v >d/A; link -/ / -e d sh -c 'echo $A'"),
    (
        "-/ and -u by name",
        "mkdir -p r/etc; cp /bin/busybox r/; echo in:x:7001:7002::/:/x >r/etc/passwd; \
                           link -/ r -u in /busybox id -u",
    ),
];

#[test]
fn chpst_and_its_namesake() {
    needs!(peer("chpst"), root(), lowered());
    let empty = "an empty field is not 0";
    let differences = [
        ("-u and two colons", 0, "x\n", empty),
        ("-u and a gid that is empty", 0, "0\n", empty),
        ("-u and a large number", 0, "1215752191\n", "a number is not cut to 32 bits"),
        ("-e and a link to nothing", 0, "x\n", NO_FILE),
        ("-0 and a closed one", 111, "", "closed is what it shall be"),
        ("-V", 100, "", "it was asked for"),
        ("-V and a program", 100, "", "it was asked for"),
    ];
    compare("chpst", "chpst", "-o 50", &[PROGRAM, CHPST, CHPST_ROOT], &[DJB, &differences]);
}

// pgrphack

const PGRPHACK: &[Case] = &[
    ("a process", r#"link sh -c 'cut -d " " -f 5,6 /proc/$$/stat | tr " " "\n" | sed "s/^$$\$/own/"'"#),
    (
        "the leader of a session",
        r#"setsid -w "$PROGRAM" sh -c 'cut -d " " -f 5,6 /proc/$$/stat | tr " " "\n" | sed "s/^$$\$/own/"'"#,
    ),
    (
        "the leader of a process group",
        r#"perl -e 'setpgrp; exec @ARGV' "$PROGRAM" sh -c '
            [ $(cut -d " " -f 6 /proc/$$/stat) = $$ ] && echo own || echo another'"#,
    ),
    ("two dashes", "link -- echo x"),
    ("an unknown option", "link -x echo x"),
];

#[test]
fn pgrphack_and_daemontools() {
    needs!(peer("pgrphack"), tool("perl"), tool("setsid"));
    let differences = [
        ("the leader of a process group", 0, "another\n", "nothing runs without what the line asks for"),
        ("two dashes", 111, "", "two dashes end the options"),
        ("an unknown option", 111, "", "an option is no program"),
    ];
    compare("pgrphack", "pgrphack", "", &[PROGRAM, PGRPHACK], &[DJB, &differences]);
}

// umask

const OCTAL: &[Case] = &[
    ("027", "link 027 sh -c umask"),
    ("7", "link 7 sh -c umask"),
    ("0", "link 0 sh -c umask"),
    ("0777", "link 0777 sh -c umask"),
    ("7777", "link 7777 sh -c umask"),
    ("8", "link 8 sh -c umask"),
    ("028", "link 028 sh -c umask"),
    ("0o77", "link 0o77 sh -c umask"),
    ("+2", "link +2 sh -c umask"),
    ("nothing", "link '' sh -c umask"),
    ("too many digits", "link 77777777777777777777777 sh -c umask"),
];

#[test]
fn umask_and_execline() {
    needs!(peer("execline-umask"));
    let (cut, trailed) = ("a mask has nine bits", "what is trailed by anything is no number");
    let differences = [
        ("7777", 0, "0777\n", cut),
        ("too many digits", 0, "0777\n", cut),
        ("028", 0, "0002\n", trailed),
        ("0o77", 0, "0000\n", trailed),
    ];
    compare("umask", "execline-umask", "22", &[PROGRAM, OCTAL], &[SKA, &differences]);
}

const SYMBOLIC: &[Case] = &[
    ("octal", "link 027 sh -c umask"),
    ("u=rwx,g=rx,o=r", "umask 22; link u=rwx,g=rx,o=r sh -c umask"),
    ("u=rwx,go=", "umask 22; link u=rwx,go= sh -c umask"),
    ("g+w", "umask 22; link g+w sh -c umask"),
    ("go-rx", "umask 22; link go-rx sh -c umask"),
    ("a=", "umask 22; link a= sh -c umask"),
    ("+w", "umask 22; link +w sh -c umask"),
    ("=r", "umask 22; link =r sh -c umask"),
    ("o=g", "umask 27; link o=g sh -c umask"),
    ("u-w+x", "umask 22; link u-w+x sh -c umask"),
    ("g+X", "umask 77; link g+X sh -c umask"),
    ("g+s", "umask 22; link g+s sh -c umask"),
    ("x", "umask 22; link x sh -c umask"),
    ("8", "umask 22; link 8 sh -c umask"),
];

#[test]
fn umask_and_the_symbolic_one_of_execline() {
    needs!(peer("posix-umask"));
    let (empty, usage) = ("no permissions behind = means none, as in sh", "a usage error is 100");
    let differences = [
        ("u=rwx,go=", 0, "0022\n", empty),
        ("a=", 0, "0022\n", empty),
        ("x", 1, "", usage),
        ("8", 1, "", usage),
    ];
    compare("umask", "posix-umask", "22", &[SYMBOLIC], &[&differences]);
}

// no-new-privs, pdeathsig

/// What util-linux does differently with every program.
const LINUX: &[Difference] = &[
    ("a program below a file", 126, "", ENOTDIR),
    ("a script without a first line", 0, "ran\n", "no shell is started that nobody asked for"),
    ("no program", 1, "", USAGE),
    ("nothing at all", 1, "", USAGE),
];
const USAGE: &str = "a usage error is 100";

const NO_NEW_PRIVS: &[Case] = &[
    ("the program", "link grep NoNewPrivs /proc/self/status"),
    ("twice", r#"link "$PROGRAM" $OPTIONS grep NoNewPrivs /proc/self/status"#),
    ("two dashes", "link -- grep NoNewPrivs /proc/self/status"),
    ("an unknown option", "link -Z echo x"),
];

#[test]
fn no_new_privs_and_setpriv() {
    needs!(peer("setpriv"));
    let differences = [("an unknown option", 1, "", USAGE)];
    compare("no-new-privs", "setpriv --no-new-privs", "", &[PROGRAM, NO_NEW_PRIVS], &[LINUX, &differences]);
}

const PDEATHSIG: &[Case] = &[
    ("TERM", "link TERM setpriv -d | grep -i death"),
    ("SIGTERM", "link SIGTERM setpriv -d | grep -i death"),
    ("small letters", "link sigterm setpriv -d | grep -i death"),
    ("KILL", "link KILL setpriv -d | grep -i death"),
    ("CLD", "link CLD setpriv -d | grep -i death"),
    ("RTMIN+3", "link RTMIN+3 setpriv -d | grep -i death"),
    ("RTMAX-1", "link RTMAX-1 setpriv -d | grep -i death"),
    ("RTMIN", "link RTMIN setpriv -d | grep -i death"),
    ("a number", "link 15 setpriv -d | grep -i death"),
    ("clear", r#"link TERM "$PROGRAM" $OPTIONS clear setpriv -d | grep -i death"#),
    ("CLEAR", "link CLEAR setpriv -d | grep -i death"),
    ("keep", "link keep echo x"),
    ("0", "link 0 echo x"),
    ("65", "link 65 echo x"),
    ("a word", "link NONE echo x"),
    ("nothing", "link '' echo x"),
    ("a minus", "link -15 echo x"),
];

#[test]
fn pdeathsig_and_setpriv() {
    needs!(peer("setpriv"));
    let differences = [
        ("RTMIN", 1, "", "one that is counted from it is a signal, and so is the first"),
        ("a number", 1, "", "kill takes numbers, too"),
        ("CLEAR", 1, "", "capital or small letters are the same, as in the name of a signal"),
        ("keep", 0, "x\n", "it is kept by leaving the link out"),
        ("0", 1, "", USAGE),
        ("65", 1, "", USAGE),
        ("a word", 1, "", USAGE),
        ("nothing", 1, "", USAGE),
        ("a minus", 1, "", USAGE),
    ];
    compare("pdeathsig", "setpriv --pdeathsig", "TERM", &[PROGRAM, PDEATHSIG], &[LINUX, &differences]);
}

// Not compared here, and why:
// - chpst: chpst_beside_runit has many more lines, and looks at the whole state;
// - what is on stderr: every family has words of its own; ours are in the modules of the links;
// - duplicates of a variable, and entries that are none: no shell can make them (envdir has them);
// - a FIFO and /dev/zero among s6-envdir's files: it waits for ever, and makes a value of 4095 newlines;
// - envdir -p, softlimit -P: Debian's versions of the peers have no such option;
// - setuidgid -s and -e, an account in other groups: they would need accounts made for it (setuidgid);
// - docker --env-file: the client asks a daemon first (what is in a file is tested in bins/envfile/dialect/tests.rs);
// - waiting for a lock, also in s6's milliseconds: the tests of exclusion in setlock do it with each peer;
// - a FIFO that redirfd waits for: redirfd;
// - what a program gets from a link that it did not ask for, signals above all: transparency;
// - mkrundir: no peer is a link that does this; beside install -d of coreutils in its own module;
// - tai64n, tai64nlocal and utmpset, which are no links: beside their namesakes in their own modules;
// - nice of busybox, which Debian's lacks, and s6-nice, of which Debian has no package;
// - chdir: nosh's has no Debian package; execline's cd and env -C have other names for what they do not do;
// - cgroup: nosh's programs have no Debian package, dinit's is no program;
// - listen: beside systemd-socket-activate in its own module; nosh's have no Debian package;
// - pause: void-runit's has no Debian package;
// - fdown: no peer does this; sigclean: env of coreutils resets dispositions alone, and closes nothing;
// - caps: no peer has the name; beside setpriv and capsh in its own module;
// - landlock: setpriv of Debian's util-linux has no such options yet, and landrun is no package: its own module;
// - chroot: coreutils' takes other statuses throughout; setsid-free, pidlock: no peer does the same.
