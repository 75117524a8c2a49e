//! argv0.

use nix::errno::Errno;

use crate::support::*;

/// A program that prints its words as it got them, the first one included.
const WORDS: [&str; 2] = ["-c", "tr '\\0' '|' </proc/$$/cmdline"];

fn argv0(words: &[&str]) -> Outcome {
    run(link("argv0").args(words))
}

#[test]
fn the_program_gets_the_name_and_the_arguments() {
    for name in ["other", "-sh", "--help", "a b", "/bin/false", "caf\u{e9}\n", ""] {
        assert_eq!(argv0(&["sh", name, "-c", "echo \"<$0>\""]), prints(format!("<{name}>\n")), "{name:?}");
        let words = format!("{name}|{}|{}|one||", WORDS[0], WORDS[1]);
        assert_eq!(argv0(&["sh", name, WORDS[0], WORDS[1], "one", ""]), prints(words), "{name:?}");
    }
    assert_eq!(argv0(&["echo", "x"]), prints("\n"), "no argument is needed");
}

#[test]
fn a_shell_whose_name_begins_with_a_dash_is_a_login_shell() {
    let directory = open_directory();
    std::fs::write(directory.path().join(".profile"), "echo profile\n").unwrap();
    let mut command = link("argv0");
    command.args(["sh", "-sh"]).env("HOME", directory.path());
    assert!(run(&mut command).stdout.contains("profile\n"));
}

#[test]
fn the_program_is_searched_by_its_file_and_not_by_its_name() {
    let directory = open_directory();
    script(&directory.path().join("real"), "#!/bin/sh\necho real\n");
    script(&directory.path().join("name"), "#!/bin/sh\necho name\n");
    let path = format!("{}:/bin", directory.path().display());
    assert_eq!(run(link("argv0").args(["real", "name"]).env("PATH", path)), prints("real\n"));
    let mut command = link("argv0");
    assert_eq!(run(command.args(["./real", "./name"]).current_dir(&directory)), prints("real\n"));
}

#[test]
fn a_message_names_the_file_that_is_not_there_and_not_its_name() {
    let message = format!("argv0: fatal: unable to run no-such-program: {}\n", says(Errno::ENOENT));
    assert_eq!(argv0(&["no-such-program", "sh"]), fails(127, message));
    let message = format!("argv0: fatal: unable to run : {}\n", says(Errno::ENOENT));
    assert_eq!(argv0(&["", "sh"]), fails(127, message));
}

#[test]
fn both_words_are_needed() {
    for (words, missing) in [
        (&[][..], "realprog"),
        (&["--"], "realprog"),
        (&["sh"], "name"),
        (&["--", "sh"], "name"),
        (&["no-such-program"], "name"),
    ] {
        assert_eq!(argv0(words), misuse("argv0", &format!("missing {missing}")), "{words:?}");
    }
}

#[test]
fn the_words_behind_it_are_the_programs_and_no_links() {
    let line =
        |program: &str| run(link(program).args(["umask", "027", "argv0", "echo", "umask", "777", "x"]));
    assert_eq!(line("catena"), prints("777 x\n"));
    assert_eq!(run(link("argv0").args(["echo", "umask", "777", "x"])), prints("777 x\n"));
    assert_eq!(
        run(link("catena").args(["argv0", "umask", "umask", "027", "sh", "-c", "umask"])),
        prints("0027\n")
    );
    // chroot is the next word, and no link that setuidgid might apply.
    let own = format!(":{}:{}", nix::unistd::getuid(), nix::unistd::getgid());
    if root().is_ok() {
        let mut command = link("catena");
        command.args(["setuidgid", &own, "argv0", "echo", "chroot", "/", "x"]);
        assert_eq!(run(&mut command), prints("/ x\n"));
    }
}
