//! no-new-privs.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use crate::needs;
use crate::support::*;

const SHOW: [&str; 3] = ["grep", "NoNewPrivs", "/proc/self/status"];

#[test]
fn neither_the_program_nor_its_children_can_gain_privileges() {
    let set = prints("NoNewPrivs:\t1\n");
    assert_eq!(run(link("no-new-privs").args(SHOW)), set);
    assert_eq!(run(link("no-new-privs").arg("no-new-privs").args(SHOW)), set);
    assert_eq!(run(&mut sh("no-new-privs sh -c 'grep NoNewPrivs /proc/self/status; :'")), set);
}

/// A copy of a program of the system.
fn copy(directory: &Path, program: &str) -> String {
    let to = directory.join(program);
    install(Path::new(&peer(program).unwrap()), &to);
    to.display().to_string()
}

/// What a command prints as nobody.
fn nobody(words: &[&str]) -> Outcome {
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    run(prepared("setpriv").args(nobody).args(words))
}

#[test]
fn a_set_id_program_runs_as_whoever_executes_it() {
    needs!(root(), tool("setpriv"));
    let directory = open_directory();
    let (ours, id) = (directory.path().join("no-new-privs"), copy(directory.path(), "id"));
    install(&bin().join("no-new-privs"), &ours);
    chown(&id, Some(5001), Some(5002)).unwrap();
    fs::set_permissions(&id, Permissions::from_mode(0o6755)).unwrap();
    let ours = ours.to_str().unwrap();
    if nobody(&[&id, "-u"]) != prints("5001\n") {
        skip("a file system for temporary files that has set-id programs");
        return;
    }
    for (option, theirs) in [("-u", "5001\n"), ("-g", "5002\n")] {
        assert_eq!(nobody(&[&id, option]), prints(theirs));
        assert_eq!(nobody(&[ours, &id, option]), prints("65534\n"));
    }
}

#[test]
fn the_capabilities_of_a_file_do_not_count() {
    needs!(root(), tool("setpriv"), tool("setcap"));
    let directory = open_directory();
    let (ours, grep) = (directory.path().join("no-new-privs"), copy(directory.path(), "grep"));
    install(&bin().join("no-new-privs"), &ours);
    if run(prepared("setcap").args(["cap_net_bind_service+ep", &grep])).status != 0 {
        skip("a file system for temporary files that has capabilities");
        return;
    }
    let ours = ours.to_str().unwrap();
    let show = [&grep, "CapEff", "/proc/self/status"];
    assert_eq!(nobody(&show), prints("CapEff:\t0000000000000400\n"));
    assert_eq!(nobody(&[&[ours], &show[..]].concat()), prints("CapEff:\t0000000000000000\n"));
}

#[test]
fn root_loses_no_right_that_it_has() {
    needs!(root());
    let directory = open_directory();
    let ours = directory.path().join("setuidgid");
    install(&bin().join("setuidgid"), &ours);
    let show = ["sh", "-c", "id -u; grep NoNewPrivs /proc/self/status"];
    let both = prints("5001\nNoNewPrivs:\t1\n");
    assert_eq!(run(link("no-new-privs").arg(&ours).arg(":5001:5002").args(show)), both);
    assert_eq!(run(link("catena").args(["setuidgid", ":5001:5002", "no-new-privs"]).args(show)), both);
    let capabilities = ["grep", "CapEff", "/proc/self/status"];
    assert_eq!(run(link("no-new-privs").args(capabilities)), run(prepared("env").args(capabilities)));
}
