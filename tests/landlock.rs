//! landlock.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use nix::errno::Errno;
use tempfile::TempDir;

use crate::all_or_nothing::injections;
use crate::needs;
use crate::support::*;

/// Whether the kernel can restrict all that the link can.
pub(crate) fn landlock() -> Result<(), String> {
    static THERE: OnceLock<bool> = OnceLock::new();
    let there = || run(link("landlock").args(["-W", "/", "-B", "none", "true"])).status == 0;
    if *THERE.get_or_init(there) { Ok(()) } else { Err("Landlock, as of Linux 6.10".into()) }
}

/// What a program of the system needs.
const SYSTEM: [&str; 11] = ["-i", "-x", "/usr", "-x", "/bin", "-x", "/lib", "-x", "/lib64", "-r", "/etc"];

/// Says what may be done in a directory, and with a device.
const FILES: &str = r#"
use Socket; use POSIX 'mkfifo';
my ($d) = @ARGV;
my @may;
sub may {
    my ($name, $done) = @_;
    push @may, $name if $done;
    print STDERR "$name: $!\n" unless $done || $! == 13 || $! == 18; # EACCES, EXDEV
}
may('read', open(my $read, '<', "$d/file"));
may('list', opendir(my $list, $d));
may('exec', system({ "$d/true" } 'true') == 0);
may('write', open(my $write, '+<', "$d/file"));
may('truncate', truncate("$d/file", 0));
may('create', open(my $new, '>>', "$d/new"));
may('remove', unlink("$d/old"));
may('mkdir', mkdir("$d/directory"));
may('rmdir', rmdir("$d/empty"));
may('symlink', symlink('file', "$d/symlink"));
may('fifo', mkfifo("$d/fifo", 0600));
socket(my $socket, PF_UNIX, SOCK_STREAM, 0) or die;
may('socket', bind($socket, sockaddr_un("$d/socket")));
may('move', rename("$d/one/x", "$d/two/x"));
may('link', link("$d/file", "$d/two/file"));
open(my $null, '<', '/dev/null') or die;
may('ioctl', ioctl($null, 0x5401, my $buffer = '') || $! == 25); # TCGETS, ENOTTY
my $node = system("mknod $d/node c 0 0 2>&-") == 0; # as a whiteout, which needs no right
$! = 13;
may('node', $node);
may('chdir', chdir($d));
may('stat', scalar(my @stat = stat("$d/file")));
may('chmod', chmod(0600, "$d/file"));
print "@may\n";
"#;

/// A directory with all that this asks for.
fn furnished() -> TempDir {
    let directory = TempDir::new().unwrap();
    let at = |name: &str| directory.path().join(name);
    for name in ["empty", "one", "two"] {
        fs::create_dir(at(name)).unwrap();
    }
    for name in ["file", "old", "one/x"] {
        fs::write(at(name), "content\n").unwrap();
    }
    install(Path::new(&peer("true").unwrap()), &at("true"));
    directory
}

/// The link with these words, `@` being the directory, and a program of the system at the end, which gets the directory.
fn trying(directory: &Path, words: &[&str], script: &str) -> Command {
    let mut command = link("landlock");
    command.args(at(directory, words)).args(["perl", "-e", script]).arg(directory);
    command
}

fn at(directory: &Path, words: &[&str]) -> Vec<String> {
    words.iter().map(|word| word.replace('@', directory.to_str().unwrap())).collect()
}

const EVERYTHING: &str = "read list exec write truncate create remove mkdir rmdir symlink fifo socket move link \
                          ioctl node chdir stat chmod\n";

/// What each option leaves, in the directory and with the device that it names.
const LEFT: [(&str, &str); 4] = [
    ("-r", "read list chdir stat chmod\n"),
    ("-x", "read list exec chdir stat chmod\n"),
    (
        "-w",
        "read list write truncate create remove mkdir rmdir symlink fifo socket move link ioctl chdir stat chmod\n",
    ),
    (
        "-W",
        "read list exec write truncate create remove mkdir rmdir symlink fifo socket move link ioctl \
         chdir stat chmod\n",
    ),
];

#[test]
fn each_option_allows_what_it_says_and_no_more() {
    needs!(landlock(), tool("perl"));
    for (option, left) in LEFT {
        let words = [&SYSTEM[..], &[option, "@", option, "/dev/null"]].concat();
        let directory = furnished();
        assert_eq!(run(&mut trying(directory.path(), &words, FILES)), prints(left), "{option}");
        // The same below a directory that is allowed, and where another rule allows a part of it.
        let words = [&SYSTEM[..], &[option, "@/..", "-r", "@", "-r", "@/file", option, "/dev"]].concat();
        let directory = furnished();
        assert_eq!(run(&mut trying(directory.path(), &words, FILES)), prints(left), "{option}");
    }
    // What no option names.
    let words = [&SYSTEM[..], &["-r", "/dev/null"]].concat();
    let directory = furnished();
    assert_eq!(run(&mut trying(directory.path(), &words, FILES)), prints("chdir stat chmod\n"));
    for words in [&["-B", "none"][..], &["-C", "80"], &["-B", "80", "-C", "none"]] {
        let directory = furnished();
        assert_eq!(run(&mut trying(directory.path(), words, FILES)), prints(EVERYTHING), "no path is named");
    }
}

#[test]
fn a_file_is_allowed_without_its_neighbours() {
    needs!(landlock());
    let script = "cd $1; for f in file old; do cat <$f >&3; echo more >>$f; done; : >new";
    for (option, seen, written) in [
        ("-r", "content\n", "content\n"),
        ("-w", "content\n", "content\nmore\n"),
        ("-x", "content\n", "content\n"),
    ] {
        let directory = furnished();
        let file = at(directory.path(), &["@/file"]);
        let mut command = link("landlock");
        command.args(SYSTEM).args([option, &file[0], "sh", "-c", &format!("exec 3>&1 2>&-; {script}"), "sh"]);
        assert_eq!(run(command.arg(directory.path())).stdout, seen, "{option}");
        assert_eq!(text(&directory.path().join("file")), written, "{option}");
        assert_eq!(text(&directory.path().join("old")), "content\n", "{option}");
        assert!(!directory.path().join("new").exists(), "{option}");
    }
}

#[test]
fn a_symbolic_link_stands_for_what_it_leads_to() {
    needs!(landlock(), tool("perl"));
    let directory = furnished();
    let beside = TempDir::new().unwrap();
    std::os::unix::fs::symlink(directory.path(), beside.path().join("link")).unwrap();
    let link = beside.path().join("link");
    let words = [&SYSTEM[..], &["-r", link.to_str().unwrap(), "-r", "/dev/null"]].concat();
    assert_eq!(run(&mut trying(directory.path(), &words, FILES)), prints(LEFT[0].1));
}

#[test]
fn two_in_a_chain_leave_what_both_allow() {
    needs!(landlock(), tool("perl"));
    for (one, other) in [("-w", "-r"), ("-r", "-w"), ("-W", "-r")] {
        let second = [&["landlock"], &SYSTEM[..], &[other, "@", other, "/dev/null"]].concat();
        let first = [&SYSTEM[..], &["-x", "/", one, "@", one, "/dev/null"]].concat();
        let directory = furnished();
        let words = [first, second].concat();
        assert_eq!(run(&mut trying(directory.path(), &words, FILES)), prints(LEFT[0].1), "{one} {other}");
    }
}

/// Says which of two ports may be used.
const PORTS: &str = r#"
use Socket;
my ($bind, $connect) = splice @ARGV, 1;
my @may;
sub may { push @may, $_[0] if $_[1] || $! != 13 }
for (['bind', SOCK_STREAM, $bind], ['udp', SOCK_DGRAM, $bind]) {
    socket(my $socket, PF_INET, $_->[1], 0) or die;
    may($_->[0], bind($socket, sockaddr_in($_->[2], INADDR_LOOPBACK)));
}
socket(my $socket, PF_INET, SOCK_STREAM, 0) or die;
may('connect', connect($socket, sockaddr_in($connect, INADDR_LOOPBACK)));
may('read', open(my $file, '<', '/etc/passwd'));
print "@may\n";
"#;

#[test]
fn ports_are_restricted_by_kind_and_only_where_one_is_named() {
    needs!(landlock(), tool("perl"));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap().port().to_string();
    let own = free_port().to_string();
    let (own, to) = (&*own, &*to);
    for (words, left) in [
        (&["-W", "/"][..], "bind udp connect read\n"),
        (&[&SYSTEM[..], &["-r", "/dev/null"]].concat(), "bind udp connect read\n"),
        (&["-B", own], "bind udp connect read\n"),
        (&["-B", to], "udp connect read\n"),
        (&["-B", "none"], "udp connect read\n"),
        (&["-B", "none", "-B", own], "bind udp connect read\n"),
        (&["-C", to], "bind udp connect read\n"),
        (&["-C", own], "bind udp read\n"),
        (&["-C", "none"], "bind udp read\n"),
        (&["-B", to, "-C", own], "udp read\n"),
        (&["-B", "1", "-B", own, "-C", "65535", "-C", to], "bind udp connect read\n"),
        (&["-W", "/", "-B", "none", "-C", "none"], "udp read\n"),
        (&["-W", "/usr", "-r", "/", "-x", "/", "-C", "none"], "bind udp read\n"),
    ] {
        let mut command = trying(Path::new("/"), words, PORTS);
        assert_eq!(run(command.args([own, to])), prints(left), "{words:?}");
    }
}

#[test]
fn a_file_of_rules_means_what_the_options_mean() {
    needs!(landlock(), tool("perl"));
    let words = ["ro", "rx", "rw", "rwx"];
    for (word, (_, left)) in words.iter().zip(LEFT) {
        let directory = furnished();
        let rules = "# the system\n\nrx /usr\n rx\t/bin\nrx /lib\nrx /lib64 \t\nro /etc\n";
        let here = directory.path().display();
        let file = TempDir::new().unwrap();
        let path = file.path().join("rules");
        fs::write(&path, format!("{rules}{word} {here}\n{word} /dev/null\nbind none\nconnect 1")).unwrap();
        let options = ["-i", "-f", path.to_str().unwrap()];
        assert_eq!(run(&mut trying(directory.path(), &options, FILES)), prints(left), "{word}");
        let mut command = trying(Path::new("/"), &options, PORTS);
        assert_eq!(run(command.args(["2", "2"])), prints("udp read\n"));
    }
    let directory = furnished();
    for (name, content) in [("one", "rx /usr\nrx /bin\nro /dev/null"), ("two", "rx /lib\nrx /lib64\n")] {
        fs::remove_dir_all(directory.path().join(name)).unwrap();
        fs::write(directory.path().join(name), content).unwrap();
    }
    let words = ["-i", "-f", "@/one", "-r", "@", "-f", "@/two", "perl", "-e", "print -s shift", "@/one"];
    assert_eq!(run(link("landlock").args(at(directory.path(), &words))), prints("28"), "they add up");
}

#[test]
fn a_file_of_rules_that_cannot_be_used_is_named_and_nothing_runs() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("rules");
    let name = path.to_str().unwrap();
    let refused = || run(link("landlock").args(["-W", "/", "-f", name, "echo", "ran"]));
    let unable = |problem: String| fails(111, format!("landlock: fatal: unable to {problem}\n"));
    assert_eq!(refused(), unable(format!("open {name}: {}", says(Errno::ENOENT))));
    fs::create_dir(&path).unwrap();
    assert_eq!(refused(), unable(format!("read {name}: {}", says(Errno::EISDIR))));
    fs::remove_dir(&path).unwrap();
    for (content, line, problem) in [
        ("ro /\nread /", 2, "its first word is none of ro, rx, rw, rwx, bind and connect"),
        ("\n#\nro", 3, "no path behind its word"),
        ("bind http", 1, "no port behind its word: a number up to 65535, or none"),
        ("ro /\r\n", 1, "a carriage return at its end"),
    ] {
        fs::write(&path, content).unwrap();
        assert_eq!(refused(), unable(format!("use {name}: line {line}: {problem}")), "{content:?}");
    }
    let nothing = "no rule: nothing would be restricted";
    for content in ["", "# ro /\n\n"] {
        fs::write(&path, content).unwrap();
        for words in [&["-f", name][..], &["-f", name, "-f", name, "-b", "-i"], &[], &["-f", "/dev/null"]] {
            let outcome = run(link("landlock").args(words).args(["echo", "ran"]));
            assert_eq!(outcome, misuse("landlock", nothing), "{words:?}");
        }
    }
}

#[test]
fn what_is_no_path_or_port_is_a_usage_error() {
    for option in ["-r", "-x", "-w", "-W"] {
        let outcome = run(link("landlock").args([option, "", "echo", "ran"]));
        assert_eq!(outcome, misuse("landlock", "invalid path: the value is empty"), "{option}");
    }
    for option in ["-B", "-C"] {
        for bad in ["", "65536", "-1", "+1", " 1", "http", "80,81", "80-90", "None", "1\n"] {
            let outcome = run(link("landlock").args([option, bad, "echo", "ran"]));
            assert_eq!(
                outcome,
                misuse("landlock", &format!("invalid port: {}", given(bad))),
                "{option} {bad}"
            );
        }
    }
    assert_eq!(
        run(link("landlock").args(["-f", ""])),
        misuse("landlock", "invalid file: the value is empty")
    );
}

#[test]
fn a_path_that_is_not_there_is_an_error_unless_it_is_to_be_ignored() {
    needs!(landlock());
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("file"), "").unwrap();
    for (path, errno) in [("@/none", Errno::ENOENT), ("@/file/none", Errno::ENOTDIR)] {
        for option in ["-r", "-W"] {
            let words = at(directory.path(), &["-W", "/", option, path, "echo", "ran"]);
            let message = format!("landlock: fatal: unable to open {}: {}\n", words[3], says(errno));
            assert_eq!(run(link("landlock").args(&words)), fails(111, message));
            assert_eq!(run(link("landlock").arg("-i").args(&words)), prints("ran\n"));
            assert_eq!(run(link("landlock").args(&words[..4]).arg("-i").args(&words[4..])), prints("ran\n"));
            let alone = run(link("landlock").arg("-i").args(&words[2..]));
            assert_eq!((alone.status, &*alone.stdout), (126, ""), "all the others are forbidden still");
        }
    }
}

const HINT: &str = "landlock does not let it be executed, or its interpreter or loader: \
                    allow them too, as by -x /usr -x /lib -x /lib64";

#[test]
fn a_program_that_the_rules_forbid_is_said_to_be_so() {
    needs!(landlock());
    let directory = furnished();
    let at = |name: &str| directory.path().join(name).display().to_string();
    script(&directory.path().join("script"), "#!/bin/sh\necho ran\n");
    install(&directory.path().join("true"), &directory.path().join("plain"));
    fs::set_permissions(at("plain"), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let refused = |link: &str, program: &str, hint: &str| {
        let message = format!("{link}: fatal: unable to run {program}: {}\n", says(Errno::EACCES));
        fails(126, format!("{message}{link}: hint: {hint}\n"))
    };
    for (words, program) in [
        (&["-r", "/"][..], "true"),     // may be read alone
        (&["-x", &at("one")], "true"),  // may not be executed
        (&["-x", &at("")], "true"),     // its loader may not
        (&["-x", &at("true")], "true"), // likewise
        (&["-W", &at("")], "script"),   // its interpreter may not
        (&["-x", &at("script")], "script"),
    ] {
        let outcome = run(link("landlock").args(words).arg(at(program)));
        assert_eq!(outcome, refused("landlock", &at(program), HINT), "{words:?}");
    }
    let outcome = run(link("catena").args(["landlock", "-r", "/", "umask", "022", &at("true")]));
    assert_eq!(outcome, refused("umask", &at("true"), HINT), "also behind another link of this process");
    let outcome = run(link("landlock").args(["-r", "/", &at("plain")]));
    assert_eq!(outcome, refused("landlock", &at("plain"), "it is not executable: chmod +x"));
    let outcome = run(link("landlock").args(["-r", "/", &at("none")]));
    let message = format!("landlock: fatal: unable to run {}: {}\n", at("none"), says(Errno::ENOENT));
    assert_eq!(outcome, fails(127, message), "what is not there is looked for all the same");
    assert_eq!(run(link("landlock").args(SYSTEM).args(["-x", &at("true"), &at("true")])), prints(""));
    assert_eq!(
        run(link("landlock").args(SYSTEM).args(["-x", &at("script"), &at("script")])),
        prints("ran\n")
    );
}

#[test]
fn no_new_privileges_are_to_be_had_and_no_file_is_left_open() {
    needs!(landlock());
    let show = ["grep", "^NoNewPrivs", "/proc/self/status"];
    for words in [&["-W", "/"][..], &["-B", "none"], &["-b", "-r", "/", "-x", "/"]] {
        assert_eq!(run(link("landlock").args(words).args(show)), prints("NoNewPrivs:\t1\n"), "{words:?}");
    }
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("rules"), "rwx /\n").unwrap();
    let chain = "landlock -f rules -W / -B 80";
    assert_eq!(descriptors(&directory, chain, ""), ["0 null", "1 null", "2 null"]);
    assert_eq!(descriptors(&directory, chain, "0<&- 2>&-"), ["1 null"]);
}

#[test]
fn an_open_file_stays_as_it_is() {
    needs!(landlock());
    let directory = furnished();
    let script =
        "exec landlock -i -x /usr -x /bin -x /lib -x /lib64 sh -c 'cat <&3; echo more >&4' 3<file 4>>old";
    assert_eq!(run_in(&directory, script), prints("content\n"));
    assert_eq!(text(&directory.path().join("old")), "content\nmore\n");
}

#[test]
fn an_account_without_rights_may_restrict_itself() {
    needs!(landlock(), root());
    let line = "setuidgid :65534:65533 landlock -i -x /usr -x /bin -x /lib -x /lib64 -r /etc";
    let show = ["sh", "-c", "id -u; cat /proc/self/status 2>&- || echo no"];
    assert_eq!(run(link("catena").args(line.split(' ')).args(show)), prints("65534\nno\n"));
}

#[test]
fn a_process_is_restricted_as_often_as_the_kernel_allows() {
    needs!(landlock());
    let line =
        |times: usize| run(link("catena").args(["landlock", "-W", "/"].repeat(times)).args(["echo", "ran"]));
    assert_eq!(line(2), prints("ran\n"));
    let message = format!("landlock: fatal: unable to apply the rules: {}\n", says(Errno::E2BIG));
    assert_eq!(line(65), fails(111, message));
}

/// What `landlock` with these words does where the kernel answers the question for its version so.
fn answered(answer: i32, directory: &Path, words: &[&str], script: &str) -> Outcome {
    let log = TempDir::new().unwrap();
    let log = log.path().join("log");
    let traced = |task: &str, script: &str| {
        let mut command = prepared(example("trace"));
        command.arg(&log).arg(task).arg(bin().join("landlock")).args(at(directory, words));
        run(command.args(["perl", "-e", script]).arg(directory))
    };
    traced("calls", "1");
    let calls = text(&log);
    let asks = |line: &str| Call::parse(line).name == "landlock_create_ruleset";
    let place = calls.lines().position(asks).unwrap();
    traced(&format!("{place}={answer}"), script)
}

const LATER: [&str; 4] = [
    "to allow files to be moved between directories (Linux 5.19)",
    "to restrict truncation (Linux 6.2)",
    "to restrict TCP ports (Linux 6.7)",
    "to restrict ioctls of devices (Linux 6.10)",
];

#[test]
fn an_older_kernel_is_refused_or_does_what_it_can() {
    needs!(landlock(), injections(), tool("perl"));
    let base = ["-b", "-i", "-x", "/usr", "-x", "/bin", "-x", "/lib", "-x", "/lib64", "-r", "/etc"];
    let [refer, truncate, ports, ioctl] = LATER;
    let read = [&base[..], &["-r", "@", "-r", "/dev/null"]].concat();
    let write = [&base[..], &["-w", "@", "-w", "/dev/null"]].concat();
    let with_port = [&read[..], &["-B", "none"]].concat();
    for (words, version, missing, left) in [
        (&read, 1, &[truncate, ioctl][..], "read list truncate ioctl chdir stat chmod\n".to_owned()),
        (&read, 2, &[truncate, ioctl], "read list truncate ioctl chdir stat chmod\n".to_owned()),
        (&read, 3, &[ioctl], "read list ioctl chdir stat chmod\n".to_owned()),
        (&with_port, 3, &[ports, ioctl], "read list ioctl chdir stat chmod\n".to_owned()),
        (&with_port, 4, &[ioctl], "read list ioctl chdir stat chmod\n".to_owned()),
        (&with_port, 5, &[], LEFT[0].1.to_owned()),
        (&read, 99, &[], LEFT[0].1.to_owned()),
        (&write, 1, &[refer, truncate, ioctl], LEFT[2].1.replace("move link ", "")),
        (&write, 2, &[truncate, ioctl], LEFT[2].1.to_owned()),
        (&write, 5, &[], LEFT[2].1.to_owned()),
    ] {
        let problem = format!("this kernel is too old {}", missing.join(", "));
        let best = answered(version, furnished().path(), words, FILES);
        let warning = if missing.is_empty() {
            ""
        } else {
            &*format!("landlock: warning: {problem}; going on without\n")
        };
        assert_eq!(best, Outcome { stderr: warning.into(), ..prints(left.clone()) }, "{version} {words:?}");
        let all = answered(version, furnished().path(), &words[1..], FILES);
        let error = format!("landlock: fatal: {problem}\nlandlock: hint: -b goes on without\n");
        assert_eq!(
            all,
            if missing.is_empty() { prints(left) } else { fails(111, error) },
            "{version} {words:?}"
        );
    }
    let ports = answered(3, Path::new("/"), &["-b", "-C", "none"], "print 'ran'");
    let warning = format!("landlock: warning: this kernel is too old {}; going on without\n", LATER[2]);
    assert_eq!(ports, Outcome { stderr: warning, ..prints("ran") });
}

#[test]
fn a_kernel_without_it_is_refused_or_said_to_be_one() {
    needs!(landlock(), injections(), tool("perl"));
    let status = "open F, '/proc/self/status'; print grep /NoNew/, <F>";
    for (errno, hint) in [
        (Errno::ENOSYS, "the kernel has none, as before Linux 5.13: -b goes on without"),
        (
            Errno::EOPNOTSUPP,
            "it is switched off: name landlock in lsm= on the kernel's command line; -b goes on without",
        ),
    ] {
        let unable = format!("unable to use Landlock: {}", says(errno));
        let all = answered(-(errno as i32), Path::new("/"), &["-r", "/usr"], status);
        assert_eq!(all, fails(111, format!("landlock: fatal: {unable}\nlandlock: hint: {hint}\n")));
        let best = answered(-(errno as i32), Path::new("/"), &["-b", "-r", "/usr"], status);
        let warning = format!("landlock: warning: {unable}; going on without\n");
        assert_eq!(best, Outcome { stderr: warning, ..prints("NoNewPrivs:\t1\n") });
    }
    for errno in [Errno::EPERM, Errno::EIO] {
        for words in [&["-r", "/usr"][..], &["-b", "-r", "/usr"]] {
            let outcome = answered(-(errno as i32), Path::new("/"), words, status);
            assert_eq!(
                outcome,
                fails(111, format!("landlock: fatal: unable to use Landlock: {}\n", says(errno)))
            );
        }
    }
}
