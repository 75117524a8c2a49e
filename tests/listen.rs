//! listen.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;

use nix::errno::Errno;
use tempfile::TempDir;

use crate::needs;
use crate::support::*;

/// Prints what a program makes of its sockets that asks as `sd_listen_fds_with_names(3)` does: for whom they are, how many
/// and which names; then of each its fd, type, whether it listens, its address, and whether it blocks.
const SHOW: &str = r#"
    use Socket qw(:DEFAULT inet_ntop unpack_sockaddr_in6); use Fcntl;
    my $whose = $ENV{LISTEN_PID} == $$ ? "own" : "another's";
    print "$whose $ENV{LISTEN_FDS} $ENV{LISTEN_FDNAMES}\n";
    for my $fd (3 .. 2 + $ENV{LISTEN_FDS}) {
        open my $socket, "+<&=", $fd or die "$fd: $!";
        my $name = getsockname $socket or die "$fd: $!";
        my $family = sockaddr_family $name;
        my $type = unpack "i", getsockopt $socket, SOL_SOCKET, SO_TYPE;
        my $listens = unpack "i", getsockopt $socket, SOL_SOCKET, SO_ACCEPTCONN;
        my $address = $family == AF_UNIX ? (unpack_sockaddr_un $name)[0]
            : $family == AF_INET ? inet_ntop AF_INET, (unpack_sockaddr_in $name)[1]
            : inet_ntop AF_INET6, (unpack_sockaddr_in6 $name)[1];
        $address =~ s/\0/@/;
        my $waits = fcntl($socket, F_GETFL, 0) & O_NONBLOCK ? "never waits" : "waits";
        print "$fd ", (qw(? stream datagram ? ? seqpacket))[$type], ($listens ? " listens" : ""),
            " $address $waits\n";
    }
"#;

/// Runs listen with these words, and then the program that shows its sockets.
fn show(directory: &TempDir, words: &str) -> Outcome {
    let at = |word: &str| word.replace('%', directory.path().to_str().unwrap());
    run(link("listen").args(words.split(' ').map(at)).args(["perl", "-e", SHOW]))
}

fn refused(address: &str, errno: Errno, hint: &str) -> Outcome {
    let hint = if hint.is_empty() { String::new() } else { format!("listen: hint: {hint}\n") };
    fails(111, format!("listen: fatal: unable to listen at {address}: {}\n{hint}", says(errno)))
}

/// What is in a directory.
fn names(directory: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<String> = fs::read_dir(directory).unwrap().map(name).collect();
    names.sort_unstable();
    names
}

/// A connection to a socket, as soon as one listens there.
fn connected(path: &Path) -> UnixStream {
    let mut stream = None;
    until("a connection", || {
        stream = UnixStream::connect(path).ok();
        stream.is_some()
    });
    stream.unwrap()
}

#[test]
fn each_address_gives_a_socket_on_fd_3() {
    needs!(tool("perl"));
    let scratch = TempDir::new().unwrap();
    let path = scratch.path().display();
    for (address, shown) in [
        ("tcp:127.0.0.1:0", "stream listens 127.0.0.1".to_owned()),
        ("tcp:0.0.0.0:0", "stream listens 0.0.0.0".to_owned()),
        ("udp:0.0.0.0:0", "datagram 0.0.0.0".to_owned()),
        ("unix:%/s", format!("stream listens {path}/s")),
        ("unix-dgram:%/d", format!("datagram {path}/d")),
        ("unix-seqpacket:%/p", format!("seqpacket listens {path}/p")),
        ("unix:@%/a", format!("stream listens @{path}/a")),
        ("unix-dgram:@%/a", format!("datagram @{path}/a")),
    ] {
        let expected = format!("own 1 unknown\n3 {shown} waits\n");
        assert_eq!(show(&scratch, address), prints(expected), "{address}");
    }
    assert_eq!(names(scratch.path()), ["d", "p", "s"]);
}

#[test]
fn an_address_may_be_one_of_ipv6() {
    needs!(tool("perl"), TcpListener::bind("[::]:0").map(drop).map_err(|_| "IPv6".to_owned()));
    let scratch = TempDir::new().unwrap();
    for (address, shown) in [("tcp:[::]:0", "stream listens ::"), ("udp:[::]:0", "datagram ::")] {
        let expected = format!("own 1 unknown\n3 {shown} waits\n");
        assert_eq!(show(&scratch, address), prints(expected), "{address}");
    }
}

#[test]
fn several_in_a_row_add_up() {
    needs!(tool("perl"));
    let scratch = TempDir::new().unwrap();
    let three = "tcp:127.0.0.1:0 listen -n log -- unix-dgram:@%/b listen -n web_2 -b 7 unix:@%/c";
    for (line, names) in [
        (three.to_owned(), "unknown:log:web_2"),
        (format!("-n a {three}"), "a:log:web_2"),
        (format!("-n a -nb {}", three.replace("listen", "env listen")), "b:log:web_2"),
    ] {
        let path = scratch.path().display();
        let rest = format!("4 datagram @{path}/b waits\n5 stream listens @{path}/c waits\n");
        let expected = format!("own 3 {names}\n3 stream listens 127.0.0.1 waits\n{rest}");
        assert_eq!(show(&scratch, &line), prints(expected), "{line}");
    }
}

#[test]
fn what_another_process_was_given_counts_for_nothing() {
    needs!(tool("perl"));
    let scratch = TempDir::new().unwrap();
    for pid in ["1", "", "0", "x"] {
        let mut command = sh("exec listen unix:@$0/a perl -e \"$1\"; exit 1");
        command.arg(scratch.path()).arg(format!("print \"$ENV{{LISTEN_PIDFDID}}\";{SHOW}"));
        command.envs([("LISTEN_PID", pid), ("LISTEN_FDS", "2"), ("LISTEN_FDNAMES", "x:y")]);
        command.env("LISTEN_PIDFDID", "17");
        let address = scratch.path().display();
        let expected = format!("own 1 unknown\n3 stream listens @{address}/a waits\n");
        assert_eq!(run(&mut command), prints(expected), "{pid}");
    }
}

#[test]
fn what_this_process_was_given_has_to_be_there() {
    let with = |variables: &str, files: &str| {
        let chain = "exec listen tcp:127.0.0.1:0 sh -c 'echo $LISTEN_FDS $LISTEN_FDNAMES'";
        run(&mut sh(&format!("export LISTEN_PID=$$ {variables}; {chain} {files}")))
    };
    let no_number =
        |count: &str| fails(111, format!("listen: fatal: LISTEN_FDS is no number of open files: {count}\n"));
    assert_eq!(with("LISTEN_FDS=1", "3</dev/null 4<&-"), prints("2 unknown:unknown\n"));
    assert_eq!(
        with("LISTEN_FDS=2 LISTEN_FDNAMES=a:b", "3</dev/null 4</dev/null 5<&-"),
        prints("3 a:b:unknown\n")
    );
    assert_eq!(with("LISTEN_FDS=0", "3<&-"), prints("1 unknown\n"));
    assert_eq!(with("LISTEN_FDS=2", "3</dev/null 4<&-"), no_number("2"));
    assert_eq!(with("LISTEN_FDS=-1", "3<&-"), no_number("-1"));
    assert_eq!(with("LISTEN_FDS=2147483647", "3<&-"), no_number("2147483647"));
    assert_eq!(with("LISTEN_FDS=1x", "3</dev/null"), no_number("1x"));
    assert_eq!(
        with("LISTEN_FDS=1 LISTEN_FDNAMES=a:b", "3</dev/null 4<&-"),
        fails(111, "listen: fatal: LISTEN_FDNAMES has not 1 names: a:b\n")
    );
}

#[test]
fn a_file_that_is_open_where_the_socket_has_to_be_stays_and_is_an_error() {
    let with = |chain: &str| {
        run(&mut sh(&format!("exec 3</dev/null 4<&-; exec {chain} sh -c 'readlink /proc/$$/fd/4'")))
    };
    let taken = "listen: fatal: fd 3 is open already: the socket has to be there\n\
                 listen: hint: put fdmove before listen, to have it on another number, or fdclose 3\n";
    assert_eq!(with("listen tcp:127.0.0.1:0"), fails(111, taken));
    assert_eq!(with("fdmove 4 3 listen tcp:127.0.0.1:0"), prints("/dev/null\n"));
}

#[test]
fn a_program_serves_with_the_socket() {
    needs!(tool("perl"));
    let scratch = TempDir::new().unwrap();
    let path = scratch.path().join("s");
    let serve = "open my $s, '+<&=', 3; accept my $c, $s; print $c scalar <$c>";
    let address = format!("unix:{}", path.display());
    let server = Background::start(link("listen").args([&address, "perl", "-e", serve]));
    let mut client = connected(&path);
    client.write_all(b"hello\n").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!((answer.as_str(), server.finish()), ("hello\n", prints("")));
}

#[test]
fn systemd_gives_the_same() {
    needs!(tool("perl"), tool("systemd-socket-activate"));
    let scratch = TempDir::new().unwrap();
    let path = scratch.path().join("s");
    let show = ["perl", "-e", SHOW];
    for name in [None, Some("web")] {
        let mut ours = link("listen");
        ours.args(name.iter().flat_map(|name| ["-n", name])).arg(format!("unix:{}", path.display()));
        let ours = run(ours.args(show));
        fs::remove_file(&path).unwrap();
        let mut theirs = prepared("systemd-socket-activate");
        theirs.args(name.iter().map(|name| format!("--fdname={name}"))).arg("-l").arg(&path).args(show);
        let theirs = Background::start(&mut theirs);
        let client = connected(&path); // until then it waits
        let theirs = theirs.finish();
        drop(client);
        fs::remove_file(&path).unwrap();
        assert_eq!(ours.status, 0);
        // What sd_listen_fds_with_names(3) makes of a missing variable is what ours says.
        let named =
            if name.is_none() { theirs.stdout.replacen("own 1 ", "own 1 unknown", 1) } else { theirs.stdout };
        assert_eq!(named, ours.stdout);
    }
}

#[test]
fn a_path_has_the_mode_that_was_asked_for_and_else_what_the_umask_leaves() {
    let scratch = TempDir::new().unwrap();
    for (options, umask, expected) in [
        ("", "022", 0o755),
        ("", "077", 0o700),
        ("-m 660", "022", 0o660),
        ("-m 0666", "777", 0o666),
        ("-m u=rw,g=rw", "0", 0o660),
        ("-m 600 -m 0", "022", 0),
    ] {
        for kind in ["unix", "unix-dgram"] {
            let path = scratch.path().join("s");
            let line = format!("umask {umask}; exec listen {options} {kind}:$0 sh -c umask");
            let outcome = run(sh(&line).arg(&path));
            assert_eq!(
                outcome,
                prints(format!("{:04o}\n", u32::from_str_radix(umask, 8).unwrap())),
                "{line}"
            );
            assert_eq!(mode(&path), expected, "{line}");
            fs::remove_file(&path).unwrap();
        }
    }
}

#[test]
fn a_path_is_given_to_an_account() {
    needs!(root());
    let scratch = open_directory();
    let path = scratch.path().join("s");
    for (account, owner) in [(":65534:65533", (65534, 65533)), (":0:5", (0, 5)), ("root", (0, 0))] {
        let line = run(link("listen")
            .args(["-o", account, "-m", "660"])
            .arg(format!("unix:{}", path.display()))
            .arg("true"));
        assert_eq!(line, prints(""));
        let found = fs::symlink_metadata(&path).unwrap();
        assert_eq!(((found.uid(), found.gid()), mode(&path)), (owner, 0o660), "{account}");
        fs::remove_file(&path).unwrap();
    }
    let outcome = run(link("listen").args(["-o", ":1:2:3", "unix:/x", "true"]));
    assert_eq!(outcome, misuse("listen", "a socket has one group: :1:2:3"));
}

#[test]
fn what_cannot_be_given_away_is_removed_again() {
    needs!(root());
    let scratch = open_directory();
    let (bin, theirs) = (scratch.path().join("listen"), scratch.path().join("theirs"));
    install(&program("listen"), &bin);
    fs::create_dir(&theirs).unwrap();
    std::os::unix::fs::chown(&theirs, Some(65534), Some(65533)).unwrap();
    let address = format!("unix:{}/s", theirs.display());
    let mut command = prepared("setpriv");
    command.args(["--reuid=65534", "--regid=65533", "--clear-groups"]).arg(&bin);
    let outcome = run(command.args(["-o", ":0:0", &address, "echo", "ran"]));
    let message =
        format!("listen: fatal: unable to give {address} to uid 0, gid 0: {}\n", says(Errno::EPERM));
    assert_eq!(outcome, fails(111, message + "listen: hint: only root may: put listen before setuidgid\n"));
    assert_eq!(names(&theirs), [""; 0]);
}

#[test]
fn a_name_that_is_taken_is_an_error_and_stays() {
    let scratch = TempDir::new().unwrap();
    let path = scratch.path().join("s");
    let address = format!("unix:{}", path.display());
    let listen = |options: &[&str]| run(link("listen").args(options).args([&address, "echo", "ran"]));
    let left = "there is a socket of that name: -r removes one that nobody listens on";
    let no_socket = "there is a file of that name, and it is no socket";
    leave_a_socket(&path);
    assert_eq!(listen(&[]), refused(&address, Errno::EADDRINUSE, left));
    let before = fs::symlink_metadata(&path).unwrap().ino();
    assert_eq!(fs::symlink_metadata(&path).unwrap().ino(), before);
    fs::rename(&path, scratch.path().join("old")).unwrap();
    for make in [
        |path: &Path| fs::write(path, "text").unwrap(),
        |path: &Path| fs::create_dir(path).unwrap(),
        |path: &Path| symlink("old", path).unwrap(),
        |path: &Path| symlink("none", path).unwrap(),
    ] {
        make(&path);
        for options in [&[][..], &["-r"]] {
            assert_eq!(listen(options), refused(&address, Errno::EADDRINUSE, no_socket), "{options:?}");
        }
        assert!(fs::remove_file(&path).or_else(|_| fs::remove_dir(&path)).is_ok());
    }
    assert!(scratch.path().join("old").exists());
}

#[test]
fn a_socket_on_which_nobody_listens_is_removed_where_that_is_asked_for() {
    let scratch = TempDir::new().unwrap();
    let path = scratch.path().join("s");
    for kind in ["unix", "unix-dgram", "unix-seqpacket"] {
        let address = format!("{kind}:{}", path.display());
        let listen = || run(link("listen").args(["-r", &address, "echo", "ran"]));
        assert_eq!(listen(), prints("ran\n"), "there is none");
        assert_eq!(listen(), prints("ran\n"), "of its own kind");
        fs::remove_file(&path).unwrap();
        leave_a_socket(&path);
        assert_eq!(listen(), prints("ran\n"));
        fs::remove_file(&path).unwrap();
        let in_use = refused(&address, Errno::EADDRINUSE, "another process listens there");
        let listener = UnixListener::bind(&path).unwrap();
        listener.set_nonblocking(true).unwrap();
        assert_eq!(listen(), in_use);
        assert!(listener.accept().is_err(), "it has heard nothing of it");
        fs::remove_file(&path).unwrap();
        let receiver = UnixDatagram::bind(&path).unwrap();
        assert_eq!(listen(), in_use);
        drop(receiver);
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn where_the_system_refuses_nothing_runs_and_the_trap_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = |address: &str| run(link("listen").args([address, "echo", "ran"]));
    let address = format!("tcp:{}", taken.local_addr().unwrap());
    let hint = "another socket has the port; one of [::] has it for IPv4 too";
    assert_eq!(listen(&address), refused(&address, Errno::EADDRINUSE, hint));
    let hint = "no interface of this machine has that address now";
    assert_eq!(listen("udp:192.0.2.1:0"), refused("udp:192.0.2.1:0", Errno::EADDRNOTAVAIL, hint));
    let none = "unix:/none/such/s";
    assert_eq!(listen(none), refused(none, Errno::ENOENT, ""));
    let abstract_name = format!("unix:@catena-{}", std::process::id());
    let twice = [&*abstract_name, "listen", &*abstract_name, "echo", "ran"];
    let name = refused(&abstract_name, Errno::EADDRINUSE, "another socket has the name");
    assert_eq!(run(link("listen").args(twice)), name);
}

#[test]
fn a_port_that_was_in_use_a_moment_ago_can_be_used_again() {
    needs!(tool("perl"));
    // The side that closes first keeps the port for a while.
    let serve = "use IO::Socket::INET; open my $s, '+<&=', 3; my $p = (unpack_sockaddr_in(getsockname $s))[0]; \
                 my $c = IO::Socket::INET->new(PeerAddr => \"127.0.0.1:$p\"); accept my $a, $s; close $a; print $p";
    let served = run(link("listen").args(["tcp:127.0.0.1:0", "perl", "-MSocket", "-e", serve]));
    assert_eq!((served.status, &*served.stderr), (0, ""));
    let again = format!("tcp:127.0.0.1:{}", served.stdout);
    assert_eq!(run(link("listen").args([&again, "echo", "ran"])), prints("ran\n"));
}

#[test]
fn what_is_no_address_or_not_for_it_is_a_usage_error() {
    let port = "an IP address and a port have to follow, as in tcp:0.0.0.0:80 or tcp:[::]:80";
    let schemes = "it has to begin with tcp:, udp:, unix:, unix-dgram: or unix-seqpacket:";
    let path = "a path that begins with / has to follow, or @ and a name";
    let long = format!("unix:/{}", "x".repeat(107));
    for (words, problem) in [
        ("80", format!("invalid address 80: {schemes}")),
        ("tcp:80", format!("invalid address tcp:80: {port}")),
        ("tcp:*:80", format!("invalid address tcp:*:80: {port}")),
        ("tcp:localhost:80", format!("invalid address tcp:localhost:80: {port}")),
        ("udp:[::]:65536", format!("invalid address udp:[::]:65536: {port}")),
        ("unix:run/x", format!("invalid address unix:run/x: {path}")),
        ("unix:/run/", "invalid address unix:/run/: the path has no name at its end".into()),
        ("unix:@", "invalid address unix:@: the name is empty".into()),
        (&long, format!("invalid address {long}: it is longer than 107 bytes")),
        ("-b x unix:@x", "invalid backlog: x".into()),
        ("-b -1 unix:@x", "invalid backlog: -1".into()),
        ("-b 2147483648 unix:@x", "invalid backlog: 2147483648".into()),
        ("-m 1777 unix:/x", "invalid mode: 1777".into()),
        ("-n a:b unix:@x", "invalid name: a:b".into()),
        ("-n \u{e9} unix:@x", "invalid name: \u{e9}".into()),
        ("-b 5 udp:0.0.0.0:0", "-b is for connections, which udp:0.0.0.0:0 has not".into()),
        ("-m 600 tcp:0.0.0.0:0", "-m is for a path alone, which tcp:0.0.0.0:0 is not".into()),
        ("-r unix:@x", "-r is for a path alone, which unix:@x is not".into()),
        ("-o root unix:@x", "-o is for a path alone, which unix:@x is not".into()),
    ] {
        let outcome = run(link("listen").args(words.split(' ')).args(["echo", "ran"]));
        assert_eq!(outcome, misuse("listen", &problem), "{words}");
    }
}

/// A directory where every account finds listen and setuidgid, in front in PATH.
fn for_every_account() -> TempDir {
    let directory = open_directory();
    for name in ["listen", "setuidgid", "nice"] {
        install(&program(name), &directory.path().join(name));
    }
    install(&example("state"), &directory.path().join("state"));
    directory
}

/// Runs a chain from there in a network of its own, in which each port is free.
fn alone(directory: &TempDir, before: &str, chain: &str) -> Outcome {
    let script = format!("PATH=$0:$PATH; exec {before} {chain}");
    run(sh(&script).arg(directory.path()))
}

#[test]
fn a_low_port_is_lent_to_an_account_right_behind_setuidgid() {
    needs!(root(), namespaces());
    let directory = for_every_account();
    let (account, address) = ("setuidgid :65534:65533", "tcp:0.0.0.0:80");
    let first = alone(&directory, "unshare -n", &format!("listen {address} {account} state"));
    assert_eq!((first.status, &*first.stderr), (0, ""));
    let namespace = |state: &str| {
        state.split_inclusive('\n').filter(|item| !item.starts_with("namespace net:")).collect::<String>()
    };
    assert!(first.stdout.contains("\neffective 0000000000000000\n"), "{}", first.stdout);
    for line in [
        format!("{account} listen {address} state"),
        format!("{account} listen -b5 -n unknown -- {address} state"),
        format!("{account} nice -n 0 listen {address} state"),
    ] {
        let seen = alone(&directory, "unshare -n", &line);
        assert_eq!((seen.status, &*seen.stderr), (0, ""), "{line}");
        // Whose deed it is shows in nothing but this.
        let expected = first.stdout.replace(" 0:0 socket ", " 65534:65533 socket ");
        assert_eq!(namespace(&seen.stdout), namespace(&expected), "{line}");
    }
    // A program between them is executed by the account.
    let hint = "only root may use a port below 1024: put listen before setuidgid, or right behind it";
    let seen = alone(&directory, "unshare -n", &format!("{account} env listen {address} state"));
    assert_eq!(seen, refused(address, Errno::EACCES, hint));
}

#[test]
fn in_a_user_namespace_a_low_port_is_lent_too() {
    needs!(root(), namespaces());
    let directory = for_every_account();
    // Ids 0 to 9999, under the same numbers outside.
    let start = "cd \"$1\" && mkfifo up go && shift
        BASE_UNSHARE --user --net sh -c 'echo $$ >up; read go <go; exec \"$@\"' sh \"$@\" &
        read pid <up
        echo 0 0 10000 >/proc/$pid/uid_map && echo 0 0 10000 >/proc/$pid/gid_map && echo >go
        wait $!";
    let chain = ["setuidgid", ":5001:5002", "listen", "tcp:0.0.0.0:80", "state"];
    let scratch = TempDir::new().unwrap();
    let seen = run(sh(&format!("PATH=$0:$PATH; {start}").replace("BASE_UNSHARE", BASE_UNSHARE))
        .arg(directory.path())
        .arg(scratch.path())
        .args(chain));
    assert_eq!((seen.status, &*seen.stderr), (0, ""));
    for item in
        ["uids 5001 5001 5001", "permitted 0000000000000000", "env LISTEN_PID=self", "env LISTEN_FDS=1"]
    {
        assert!(seen.stdout.lines().any(|line| line == item), "{item}: {}", seen.stdout);
    }
}

#[test]
fn root_without_the_capability_is_told_so() {
    needs!(root(), namespaces(), tool("setpriv"));
    let directory = for_every_account();
    let before = "unshare -n setpriv --bounding-set=-net_bind_service";
    let hint = "root has no CAP_NET_BIND_SERVICE here, as in a container that was started without it";
    for line in ["listen udp:0.0.0.0:1 state", "listen udp:0.0.0.0:1023 state"] {
        let address = line.split(' ').nth(1).unwrap();
        assert_eq!(alone(&directory, before, line), refused(address, Errno::EACCES, hint));
    }
    assert_eq!(alone(&directory, before, "listen udp:0.0.0.0:1024 true"), prints(""));
}

#[test]
fn behind_setuidgid_a_path_is_made_and_looked_at_as_the_account() {
    needs!(root());
    let directory = for_every_account();
    let (theirs, ours) = (directory.path().join("theirs"), directory.path().join("ours"));
    for made in [&theirs, &ours] {
        fs::create_dir(made).unwrap();
    }
    std::os::unix::fs::chown(&theirs, Some(65534), Some(65533)).unwrap();
    leave_a_socket(ours.join("s"));
    let listen = |path: &Path| {
        let address = format!("unix:{}/s", path.display());
        let line = format!("setuidgid :65534:65533 listen -r {address} echo ran");
        (alone(&directory, "", &line), address)
    };
    for _ in 0..2 {
        assert_eq!(listen(&theirs).0, prints("ran\n"));
        let found = fs::symlink_metadata(theirs.join("s")).unwrap();
        assert_eq!((found.uid(), found.gid()), (65534, 65533));
    }
    let (outcome, address) = listen(&ours);
    let denied = says(Errno::EACCES);
    let message = format!("listen: fatal: unable to see whether anybody listens at {address}: {denied}\n");
    assert_eq!(outcome, fails(111, message));
    assert!(ours.join("s").exists());
}
