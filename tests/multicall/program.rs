//! `catena` itself: what it answers, and its names.

use catena::LINKS;
use common::Link;
use nix::errno::Errno;
use std::fs;
use std::os::unix::fs::symlink;

use super::harness::*;
use crate::needs;
use crate::support::*;

#[test]
fn alone_it_lists_its_links() {
    assert_eq!(run(&mut link("catena")), prints(list()));
    assert_eq!(run(link("catena").arg("--help")), prints(list()));
}

#[test]
fn the_help_of_a_link_is_that_of_its_program() {
    let house = House::new();
    for Link { name, .. } in LINKS {
        let help = run(link(name).arg("--help"));
        assert_eq!(help.status, 0);
        assert_eq!(run(link("catena").args(["--help", name])), help);
        assert_eq!(run(link("catena").args([name, "--help"])), help);
        for way in LINKED {
            assert_eq!(house.run(way, &format!("{name} --help")), (help.clone(), vec![]));
        }
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    let version = |name| prints(format!("{name} (catena) {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(run(link("catena").arg("--version")), version("catena"));
    assert_eq!(run(link("catena").args(["umask", "--version"])), version("umask"));
}

#[test]
fn an_unknown_link_is_a_usage_error() {
    for (word, shown) in [
        ("frob", "frob"),
        ("-x", "-x"),
        ("--Help", "--Help"),
        ("--help=umask", "--help=umask"),
        ("", ""),
        ("catena", "catena"),
        ("x-umask", "x-umask"),
        ("/bin/umask", "/bin/umask"),
        ("./umask", "./umask"),
        ("umask\n", "umask\\n"),
    ] {
        let message = format!("catena: no link is called {shown}\ncatena: {}\n", usage());
        assert_eq!(run(link("catena").args([word, "022", "echo", "ran"])), fails(100, message));
    }
}

#[test]
fn there_is_no_help_for_what_is_no_link() {
    for word in ["frob", "x-umask"] {
        let message = format!("catena: no link is called {word}\ncatena: {}\n", usage());
        assert_eq!(run(link("catena").args(["--help", word])), fails(100, message));
    }
}

#[test]
fn an_answer_that_cannot_be_written_is_a_failure() {
    for words in ["", "--help", "--version", "--help umask"] {
        let says = says(Errno::ENOSPC);
        let outcome = run(&mut sh(&format!("exec catena {words} >/dev/full")));
        assert_eq!(outcome, fails(111, format!("catena: fatal: unable to write: {says}\n")));
    }
}

#[test]
fn the_links_may_have_a_prefix() {
    needs!(root());
    let house = House::new();
    fs::create_dir(house.at("x")).unwrap();
    install(&bin().join("catena"), &house.at("x/x-catena"));
    for name in ["envdir", "setuidgid", "chroot"] {
        symlink("x-catena", house.at("x").join(format!("x-{name}"))).unwrap();
    }
    house.write("env/NAME", "value");
    let house = house.searching("@/x:/usr/bin:/bin");
    let mut catena = link("catena");
    assert_eq!(run(prepared(house.at("x/x-catena")).args([""; 0])), run(&mut catena));
    assert_eq!(run(prepared(house.at("x/x-envdir")).arg("--help")), run(link("envdir").arg("--help")));
    let line = |name: &str| format!("{name} @/env {} :65534:65533 {} / @/state", "x-setuidgid", "x-chroot");
    let control = house.run(Separate, "envdir @/env @/bin/setuidgid :65534:65533 @/bin/chroot / @/state");
    assert_eq!(control.0.status, 0, "{control:?}");
    // The directory of the prefixed ones is the way in use.
    let command = |words: &str| {
        let mut command = prepared(example("trace"));
        command.arg(house.at("log")).arg("programs");
        command.args(words.split(' ').map(|word| house.text(word)));
        run(command.current_dir(&house.directory).env("PATH", house.text(&house.path)))
    };
    let outcome = command(&line("@/x/x-envdir"));
    assert_eq!(outcome, control.0);
    assert_eq!(fs::read_to_string(house.at("log")).unwrap().lines().count(), 2);
    // By name the names have none.
    let outcome = command("@/x/x-catena envdir @/env setuidgid :65534:65533 chroot / @/state");
    assert_eq!(outcome, control.0);
    assert_eq!(fs::read_to_string(house.at("log")).unwrap().lines().count(), 2);
}
