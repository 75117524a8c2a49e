//! Law 2: what a link does not change reaches the program as it was received. Every link runs under every odd
//! state that `tests/programs/pose.rs` makes, and `tests/programs/state.rs` at its end prints what it prints in a
//! control run, in which the program is executed without the link.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::landlock::landlock;
use crate::needs;
use crate::support::*;

/// The privilege that a line needs to run, or a state to be made.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Caller {
    Anybody,
    Root,
    /// Who has a kernel with Landlock.
    Kernel,
}
use Caller::{Anybody, Kernel, Root};

/// A link with arguments, `@` being the test's directory and `%` the program, which follows once more; the items that
/// the link is there to change; and who can run it so.
pub(crate) type Line = (&'static str, &'static str, Caller);

const LINES: &[Line] = &[
    ("chpst", "", Anybody),
    ("chpst -b @/bin/state", "", Anybody),
    (
        "chpst -P -v -e @/env -C / -n 1 -c 0",
        "session, group, terminal, env VARIABLE=, cwd, directory, nice, priority, limit RLIMIT_CORE",
        Anybody,
    ),
    ("chpst -L @/lock", "fd 3, fd 4, lock 3, lock 4", Anybody),
    ("chpst -0 -U :5:6", "fd 0, env UID=, env GID=", Anybody),
    ("chpst -/ / -u :65534:65533", "ids, cwd, directory", Root),
    ("argv0 %", "", Anybody),
    ("caps -B none", CAPABILITIES, Anybody),
    ("caps -B setpcap,setuid", CAPABILITIES, Root),
    ("caps none", CAPABILITIES, Root),
    ("caps -i ^setpcap,setuid,!mknod", CAPABILITIES, Root),
    ("setuidgid :65534:65533 @/bin/caps setgid", "ids, CapBnd, bounding", Root),
    ("cgroup ./catena-tests", "cgroup", Root),
    ("cgroup -k cgroup.max.depth=7 /catena-tests", "cgroup", Root),
    ("chdir .", "", Anybody),
    ("chdir @/empty", "cwd, directory", Anybody),
    ("choom -n 1000", "oom_score_adj", Anybody),
    ("chrt -b 0", "policy", Anybody),
    ("chrt -R -o 0", "policy, reset-on-fork", Anybody),
    ("chroot /", "cwd, directory", Root),
    ("emptyenv", "env", Anybody),
    ("emptyenv -k VARIABLE", "env", Anybody),
    ("emptyenv -c", "", Anybody),
    ("emptyenv -oP", "", Anybody),
    ("envdir @/empty", "", Anybody),
    ("envdir -I @/none", "", Anybody),
    ("envdir -fn -p ADDED_ @/env", "env ADDED_", Anybody),
    ("envfile @/empty-file", "", Anybody),
    ("envfile -I @/none", "", Anybody),
    ("envfile @/variables", "env ADDED_", Anybody),
    ("envfile -d systemd @/variables", "env ADDED_", Anybody),
    ("envfile -d docker @/variables", "env ADDED_", Anybody),
    ("envuidgid :5:6", "env UID=, env GID=", Anybody),
    ("envuidgid -s :5:6:7", "env UID=, env GID=, env GIDLIST=", Anybody),
    ("export ADDED_1 value", "env ADDED_", Anybody),
    ("fdclose 300", "", Anybody),
    ("fdclose 61", "fd 61", Anybody),
    ("fdmove 77 77", "", Anybody),
    ("fdmove 60 61", "fd 60, fd 61", Anybody),
    ("fdmove -c 60 77", "fd 60", Anybody),
    ("fdown 77 :5:6", "fd 77, fd 1", Root),
    ("fghack", FORKED, Anybody),
    ("ionice", "io-priority", Anybody),
    ("ionice -c idle", "io-priority", Anybody),
    ("ionice -c none", "io-priority", Anybody),
    ("landlock -W /", "NoNewPrivs, no_new_privs", Kernel),
    ("landlock -b -i -W / -W @/none -B 80 -C none", "NoNewPrivs, no_new_privs", Kernel),
    ("listen tcp:0.0.0.0:0", "fd 3, env LISTEN_", Anybody),
    ("listen -b 5 -n name -m 600 -r unix:@/socket", "fd 3, env LISTEN_", Root),
    ("mkrundir -m 700 -o :0:0 @/made/below", "", Root),
    ("mkrundir @/empty", "", Root),
    ("nice -n 0", "", Anybody),
    ("nice", "nice, priority", Anybody),
    ("no-new-privs", "NoNewPrivs, no_new_privs", Anybody),
    ("pdeathsig TERM", "parent-death", Anybody),
    ("pdeathsig clear", "parent-death", Anybody),
    ("pgrphack", "session, group, terminal", Anybody),
    ("pidlock -d 60 @/pid", "fd 60, lock 60", Anybody),
    ("pidlock -n -d 60 @/pid", "fd 60, lock 60", Anybody),
    ("pidlock -t 99.5 -d 60 @/pid", "fd 60, lock 60", Anybody),
    ("redirfd -r 60 /dev/null", "fd 60", Anybody),
    ("redirfd -w 60 @/file", "fd 60", Anybody),
    ("redirfd -a 60 @/file", "fd 60", Anybody),
    ("redirfd -u 60 @/file", "fd 60", Anybody),
    ("redirfd -rn 60 @/fifo", "fd 60", Anybody),
    ("redirfd -wnb 60 @/fifo", "fd 60", Anybody),
    ("setlock -d 60 @/lock", "fd 60, lock 60", Anybody),
    ("setlock -n -d 60 @/lock", "fd 60, lock 60", Anybody),
    ("setlock -r -d 60 @/lock", "fd 60, lock 60", Anybody),
    ("setlock -t 99.5 -d 60 @/lock", "fd 60, lock 60", Anybody),
    ("setsid-free", "group, terminal", Anybody),
    ("setuidgid :0:0", "Groups, groups", Root),
    ("setuidgid :65534:65533", "ids", Root),
    ("setuidgid -s :65534:65533:5", "ids", Root),
    ("setuidgid -e :65534:65533", "ids, env HOME=, env SHELL=, env USER=, env LOGNAME=", Root),
    ("setuidgid :65534:65533 @/bin/chroot /", "ids, cwd, directory", Root),
    ("sigclean -k", "SigBlk, SigIgn", Anybody),
    ("sigclean --", "SigBlk, SigIgn, fd, lock", Anybody),
    ("softlimit", "", Anybody),
    ("softlimit -c 0 -H -c =", "limit RLIMIT_CORE", Anybody),
    ("taskset -c 0", "Cpus_allowed", Anybody),
    ("taskset 0xfffffffffffffffffffff", "Cpus_allowed", Anybody),
    ("umask u+", "", Anybody),
    ("umask 027", "umask", Anybody),
    ("unexport NO_VARIABLE", "", Anybody),
    ("unexport PATH", "env PATH=", Anybody),
    ("unshare", "", Anybody), // with an option: tests/unshare.rs
];

/// What is another thing for a child: who leads its process group and session is its parent; and the fds on which the
/// pipe of fghack is, of which the second is the highest under the state `limits`.
pub(crate) const FORKED: &str = "fd 1023, fd 89, group, session";

/// What caps changes.
pub(crate) const CAPABILITIES: &str =
    "CapInh, CapPrm, CapEff, CapAmb, inheritable, permitted, effective, ambient, CapBnd, bounding";

/// What a change of ids changes.
const IDS: &str = "Uid, Gid, Groups, uids, gids, groups, CapInh, CapPrm, CapEff, CapAmb, \
                   inheritable, permitted, effective, ambient";

/// The states, one of pose or several, and who can make them.
const STATES: [(&str, Caller); 50] = [
    ("pipe-ignored", Anybody),
    ("hup-ignored", Anybody),
    ("all-ignored", Anybody),
    ("all-blocked", Anybody),
    ("pending", Anybody),
    ("all-ignored all-blocked", Anybody),
    ("timers", Anybody),
    ("death", Anybody),
    ("real-time-death", Anybody),
    ("closed=0", Anybody),
    ("closed=1", Anybody),
    ("closed=2", Anybody),
    ("closed=01", Anybody),
    ("closed=02", Anybody),
    ("closed=12", Anybody),
    ("closed=012", Anybody),
    ("open=9", Anybody),
    ("closed=012 open=0", Anybody),
    ("closed=012 open=3", Anybody),
    ("umask=000", Anybody),
    ("umask=777", Anybody),
    ("umask=012", Anybody),
    ("limits", Anybody),
    ("nice", Anybody),
    ("batch", Anybody),
    ("one-processor", Anybody),
    ("personality", Anybody),
    ("words=odd", Anybody),
    ("words=many", Anybody),
    ("words=long", Anybody),
    ("env=none", Anybody),
    ("env=odd", Anybody),
    ("env=many", Anybody),
    ("words=many env=many", Anybody),
    ("group", Anybody),
    ("leader", Anybody),
    ("gone", Anybody),
    ("oom", Anybody),
    ("core-filter", Anybody),
    ("timerslack", Anybody),
    ("subreaper", Anybody),
    ("no-new-privs", Anybody),
    ("thp", Anybody),
    ("ambient", Root),
    ("bounding", Root),
    ("securebits=+no_setuid_fixup,+no_setuid_fixup_locked", Root),
    ("securebits=+keep_caps_locked", Root),
    ("no-root", Root),
    ("account", Root),
    ("account no-new-privs all-blocked pipe-ignored closed=012 umask=077", Root),
];

/// Where a link rightly executes nothing: the parts of a state and of a line.
const REFUSED: [(&str, &str); 11] = [
    // Root has no rights of its own.
    ("no-root", "fdown"),
    // What is pending ends the process.
    ("pending", "sigclean"),
    // There is nothing left that the program could print to.
    ("closed=01", "sigclean --"),
    ("closed=1", "sigclean --"),
    // The socket has to be on that fd.
    ("open=3", "listen"),
    ("leader", "setsid-free"),
    // The link may not keep the capabilities that it lends across the change of ids.
    ("keep_caps_locked", ":65533 @/bin/chroot"),
    ("keep_caps_locked", ":65533 chroot"),
    // Root without the capability for it.
    ("no-root", "unshare -"),
    ("keep_caps_locked", ":65533 @/bin/caps"),
    ("keep_caps_locked", ":65533 caps"),
];

/// Where the kernel gives a child nothing to compare: what has arrived and what a timer will send waits for its parent,
/// which hands it on, see tests/fghack.rs.
const OF_NO_CHILD: [(&str, &str); 2] = [("timers", "fghack"), ("pending", "fghack")];

#[test]
fn every_link_hands_on_every_state() {
    for link in catena::LINKS {
        let has = LINES.iter().any(|(line, ..)| line.split(' ').next() == Some(link.name));
        assert!(
            has,
            "tests/transparency.rs: add a line of {} to LINES, with the items of tests/programs/state.rs that it changes",
            link.name
        );
    }
    let verdicts = under_every_state(LINES, furnished);
    let pairs = verdicts.len();
    tell(&format!("transparency: {pairs} pairs of a link and a state"));
    let differences: Vec<String> = verdicts.into_iter().filter_map(Result::err).collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(of_all(pairs) >= 1100, "{pairs}");
    needs!(root());
    assert!(of_all(pairs) >= 1600, "{pairs}");
}

/// Runs every line under every state, each in a directory made so.
pub(crate) fn under_every_state(
    lines: &[Line],
    furnished: impl Fn() -> tempfile::TempDir + Sync,
) -> Vec<Result<(), String>> {
    let states = Mutex::new(STATES.iter().enumerate());
    let work = || {
        let directory = furnished(); // its own: nobody else has the locks
        let plain = look(directory.path(), "", "");
        let mut verdicts = Vec::new();
        loop {
            let Some((turn, (state, caller))) = states.lock().unwrap().next() else { return verdicts };
            if *caller == Anybody || root().is_ok() {
                verdicts.extend(compare(directory.path(), state, turn, lines, &plain));
            }
        }
    };
    thread::scope(|scope| {
        let workers = [scope.spawn(work), scope.spawn(work)]; // there is little else to do meanwhile
        workers.map(|worker| worker.join().unwrap()).into_iter().flatten().collect()
    })
}

/// A directory that has what the lines name, and where every account may execute the links.
pub(crate) fn furnished() -> tempfile::TempDir {
    let directory = open_directory();
    let at = |name: &str| directory.path().join(name);
    for name in ["bin", "empty", "env"] {
        fs::create_dir(at(name)).unwrap();
    }
    fs::write(at("env/VARIABLE"), "value").unwrap();
    fs::write(at("empty-file"), "").unwrap();
    fs::write(at("variables"), "ADDED_VARIABLE=value\n").unwrap();
    for file in ["pid", "file", "lock"] {
        fs::write(at(file), "").unwrap();
        fs::set_permissions(at(file), PermissionsExt::from_mode(0o666)).unwrap();
    }
    mkfifo(&at("fifo"), Mode::S_IRUSR).unwrap();
    fs::set_permissions(at("fifo"), PermissionsExt::from_mode(0o666)).unwrap();
    for link in catena::LINKS {
        install(&bin().join(link.name), &at("bin").join(link.name));
    }
    for name in ["pose", "state"] {
        install(&example(name), &at("bin").join(name));
    }
    directory
}

/// Runs every line under `state`.
fn compare(
    directory: &Path,
    state: &str,
    turn: usize,
    lines: &[Line],
    plain: &Outcome,
) -> Vec<Result<(), String>> {
    let control = look(directory, state, "");
    assert_eq!((control.status, &*control.stderr), (0, ""), "{state}");
    assert_ne!(&control, plain, "{state} is no other state");
    let refused = |line: &str| {
        REFUSED.iter().chain(&OF_NO_CHILD).any(|(part, other)| state.contains(part) && line.contains(other))
    };
    let possible = |caller| match caller {
        Anybody => true,
        Root => root().is_ok() && !state.contains("account"),
        Kernel => landlock().is_ok(),
    };
    let all_possible = |line: &str| line.split([' ', '/']).all(is_possible);
    let lines =
        lines.iter().filter(|(line, _, caller)| !refused(line) && possible(*caller) && all_possible(line));
    let verdict = |(line, changes, _): &Line| {
        let seen = look(directory, state, line);
        // The current directory of which no name is left is another one in each run.
        let changes = changes.replace("ids", IDS) + if state == "gone" { ", directory" } else { "" };
        let (expected, found) = (unchanged(&control.stdout, &changes), unchanged(&seen.stdout, &changes));
        if (seen.status, &*seen.stderr) == (0, "") && expected == found {
            return Ok(());
        }
        let differences = if seen.stdout.is_empty() { String::new() } else { differences(&expected, &found) };
        Err(format!("{state}: {line}: {} {}{differences}", seen.status, seen.stderr))
    };
    // Of each state others, so that each line is seen under some.
    lines.zip(turn..).filter(|(_, case)| is_of_share(*case)).map(|(line, _)| verdict(line)).collect()
}

/// What the program at the end of the line prints under the state.
fn look(directory: &Path, state: &str, line: &str) -> Outcome {
    const TIMERS: &str = "print join ' ', 'timers', map { getitimer($_) > 0 ? 'yes' : 'no' } 0..2";
    let here = |name: &str| directory.join("bin").join(name);
    let program = if state == "timers" {
        ["perl", "-MTime::HiRes=getitimer", "-e", TIMERS].map(PathBuf::from).to_vec()
    } else {
        vec![here("state")]
    };
    let mut command = prepared(here("pose"));
    command.current_dir(directory).arg("out=61");
    for state in state.split(' ').filter(|state| !state.is_empty()) {
        command.arg(here("pose")).arg(state);
    }
    if let Some((link, words)) =
        line.split(' ').collect::<Vec<_>>().split_first().filter(|_| !line.is_empty())
    {
        let word = |word: &&str| {
            with_group(word)
                .replace('@', directory.to_str().unwrap())
                .replace('%', program[0].to_str().unwrap())
        };
        command.arg(here(link)).args(words.iter().map(word));
    }
    command.args(program);
    run(&mut command)
}

/// The items but those that a link changes.
fn unchanged(items: &str, changes: &str) -> String {
    let changed = |item: &str| {
        changes.split(", ").filter(|name| !name.is_empty()).any(|name| {
            let rest = item.strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with(' ') || name.ends_with(['=', '_']))
        })
    };
    items.split_inclusive('\n').filter(|item| !changed(item)).collect()
}
