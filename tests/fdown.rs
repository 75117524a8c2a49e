//! fdown.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::unistd::{getgid, getuid};

use crate::needs;
use crate::support::*;

fn owner(file: &Path) -> (u32, u32) {
    let file = file.symlink_metadata().unwrap();
    (file.uid(), file.gid())
}

/// The words with which fd 9 is a file, which is made, and then fdown's own and a program.
fn nine<'a>(file: &'a Path, words: &[&'a str]) -> Vec<&'a str> {
    [&["redirfd", "-w", "9", file.to_str().unwrap(), "fdown"], words, &["echo", "ran"]].concat()
}

#[test]
fn the_file_has_the_ids_of_the_account() {
    needs!(root(), mounts());
    let accounts = Accounts::new();
    let directory = open_directory();
    let file = directory.path().join("file");
    for (account, owned) in [
        ("alice", (5001, 5001)),
        ("alice:staff", (5001, 5100)),
        ("1234", (5003, 5003)), // a name
        (":1234:4294967294", (1234, 4_294_967_294)),
        ("root", (0, 0)),
    ] {
        assert_eq!(accounts.run(nine(&file, &["9", account])), prints("ran\n"), "{account}");
        assert_eq!(owner(&file), owned, "{account}");
    }
    for (account, message) in [
        ("alice:staff:audio", "a file has one group: alice:staff:audio"),
        (":1:2:3", "a file has one group: :1:2:3"),
        ("alice:", "invalid account alice:: an empty field"),
        (":5001", "invalid account :5001: the numeric form is :uid:gid[:gid...]"),
    ] {
        assert_eq!(accounts.run(nine(&file, &["9", account])), misuse("fdown", message), "{account}");
    }
    let unknown = "fdown: fatal: unable to find account 5001: no such user\n\
                   fdown: hint: a bare number is taken for a name: for numbers write :uid:gid\n";
    assert_eq!(accounts.run(nine(&file, &["9", "5001"])), fails(111, unknown));
    assert_eq!(owner(&file), (0, 0));
}

#[test]
fn an_account_can_open_its_stdout_again() {
    needs!(root());
    let directory = open_directory();
    for name in ["setuidgid", "fdown"] {
        install(&bin().join(name), &directory.path().join(name));
    }
    let again = |words: &str| {
        run_in(
            &directory,
            &format!("{words} ./setuidgid :5001:5002 sh -c 'echo again >/dev/stdout' 2>/dev/null"),
        )
    };
    assert_ne!(again("").status, 0, "a pipe is its maker's");
    assert_eq!(again("./fdown 1 :5001:5002"), prints("again\n"));
    // A file that is its own already.
    assert_eq!(again("./fdown 1 :5001:5002 ./setuidgid :5001:5002 ./fdown 1 :5001:5002"), prints("again\n"));
}

#[test]
fn what_is_no_open_fd_is_an_error() {
    let closed = |fd: &str, own: &str| {
        let ids = own.replacen(':', "uid ", 1).replace(':', ", gid ");
        let message = format!("unable to give fd {fd} to {ids}: {}", says(Errno::EBADF));
        fails(111, format!("fdown: fatal: {message}\n"))
    };
    let own = format!(":{}:{}", getuid(), getgid());
    for fd in ["9", "1023", "1024", "99999", "2147483647"] {
        assert_eq!(run(link("fdown").args([fd, &own, "echo", "ran"])), closed(fd, &own), "{fd}");
    }
    for fd in ["2147483648", "18446744073709551617", "-1", "+1", " 1", "1x", "stdout"] {
        let outcome = run(link("fdown").args(["--", fd, &own, "echo", "ran"]));
        assert_eq!(outcome, misuse("fdown", &format!("not a file descriptor: {fd}")), "{fd}");
    }
}

#[test]
fn who_may_not_is_told_where_to_put_it() {
    needs!(root(), tool("setpriv"));
    let directory = open_directory();
    let file = directory.path().join("file");
    install(&bin().join("fdown"), &directory.path().join("fdown"));
    let ours = directory.path().join("fdown").display().to_string();
    let refused = |hint: &str| {
        let message = format!("unable to give fd 9 to uid 5001, gid 5002: {}", says(Errno::EPERM));
        fails(111, format!("fdown: fatal: {message}\nfdown: hint: {hint}\n"))
    };
    for (words, hint) in [
        (
            &["--reuid=5001", "--regid=5002", "--clear-groups"][..],
            "only root may: put fdown before setuidgid",
        ),
        (&["--bounding-set=-chown"], "root has no CAP_CHOWN here, or none that counts for this file"),
    ] {
        let mut command = link("redirfd");
        command.arg("-w").arg("9").arg(&file).arg("setpriv").args(words);
        let outcome = run(command.args([&ours, "9", ":5001:5002", "echo", "ran"]));
        assert_eq!(outcome, refused(hint));
        assert_eq!(owner(&file), (0, 0));
    }
}

#[test]
fn the_kernel_takes_set_id_bits_away() {
    needs!(root());
    let directory = open_directory();
    let file = directory.path().join("file");
    File::create(&file).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o6755)).unwrap();
    let open = ["-a", "9", file.to_str().unwrap(), "fdown", "9", ":5001:5002", "true"];
    assert_eq!(run(link("redirfd").args(open)), prints(""));
    assert_eq!((owner(&file), mode(&file)), ((5001, 5002), 0o755));
}

#[test]
fn the_name_of_a_socket_is_no_file_of_its_fd() {
    needs!(root(), tool("perl"));
    let directory = open_directory();
    let script = "use Socket; socket(S, PF_UNIX, SOCK_STREAM, 0); bind(S, sockaddr_un('name')) or die;
        require POSIX; POSIX::dup2(fileno(S), 9); exec @ARGV";
    let mut command = prepared("perl");
    command.args(["-e", script, "fdown", "9", ":5001:5002", "stat", "-L", "-c", "%u:%g", "/proc/self/fd/9"]);
    assert_eq!(run(command.current_dir(&directory)), prints("5001:5002\n"));
    assert_eq!(owner(&directory.path().join("name")), (0, 0));
}

#[test]
fn a_change_that_was_not_made_is_noticed() {
    needs!(root(), tool("strace"));
    let mut command = prepared("strace");
    let inject = "inject=/^fchown(32)?$:retval=0";
    command.args([
        "-qqq",
        "-o",
        "/dev/null",
        "-e",
        "trace=/^fchown(32)?$",
        "-e",
        "signal=none",
        "-e",
        inject,
    ]);
    let outcome = run(command.args(["fdown", "1", ":5001:5002", "echo", "ran"]));
    assert_eq!(outcome, fails(111, "fdown: fatal: fd 1 has not the owner that was set\n"));
}
