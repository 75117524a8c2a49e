//! Commands that are programs of their own: `svctl log` executes svctl-log, wherever the two are installed.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;

use super::harness::*;
use crate::needs;
use crate::support::*;

/// What stands for a program: it says who it is and what it gets.
const SAYS: &str = "#!/bin/sh\nfor word in \"${0##*/}\" \"$@\"; do printf '<%s>' \"$word\"; done\n";

/// A copy of svctl, with no other program of ours in PATH.
struct Copy {
    house: House,
    svctl: PathBuf,
}

impl Copy {
    /// By this name, in bin.
    fn new(name: &str) -> Self {
        let house = House::new();
        let svctl = house.at("usr/bin").join(name);
        fs::create_dir_all(svctl.parent().unwrap()).unwrap();
        install(&bin().join("svctl"), &svctl);
        Self { house, svctl }
    }

    fn run(&self, words: &str) -> Outcome {
        run(self.house.command(&self.svctl, words).env("PATH", self.path()))
    }

    fn path(&self) -> String {
        format!("{}:/usr/bin:/bin", self.house.at("path").display())
    }
}

#[test]
fn a_command_is_found_where_the_kernel_cannot_be_asked_for_the_effective_ids() {
    needs!(tool("strace"));
    let copy = Copy::new("svctl");
    copy.house.write("usr/bin/svctl-log", SAYS);
    let strace = format!("-o /dev/null -e inject=faccessat2:error=ENOSYS {} log web", copy.svctl.display());
    let mut command = copy.house.command("strace", &strace);
    assert_eq!(run(command.env("PATH", copy.path())), prints("<svctl-log><web>"));
}

#[test]
fn a_command_is_a_program_beside_svctl_or_in_libexec_or_in_path() {
    let copy = Copy::new("svctl");
    let missing = |word: &str| {
        let stderr = format!(
            "svctl: fatal: '{word}' needs svctl-{word}, which is not beside svctl, in ../libexec/catena or in PATH; \
             nothing was done\nsvctl: hint: install it as svctl was: 'make install', or the package of catena\n"
        );
        fails(127, stderr)
    };
    for word in ["log", "show", "enable", "disable", "events", "new", "lint"] {
        assert_eq!(copy.run(&format!("{word} web")), missing(word));
    }
    // The later of these are found first.
    for (place, says) in [("path", "path"), ("usr/libexec/catena", "libexec"), ("usr/bin", "beside")] {
        copy.house.write(&format!("{place}/svctl-log"), &format!("#!/bin/sh\necho {says} \"$@\"\n"));
        assert_eq!(copy.run("log -f web"), prints(format!("{says} -f web\n")), "{place}");
    }
    // A file that cannot be executed is passed over.
    fs::write(copy.house.at("usr/bin/svctl-show"), "").unwrap();
    copy.house.write("usr/libexec/catena/svctl-show", SAYS);
    assert_eq!(copy.run("show web"), prints("<svctl-show><web>"));
}

#[test]
fn the_program_gets_the_options_in_front_of_its_command_and_all_that_follows() {
    let copy = Copy::new("svctl");
    copy.house.write("usr/bin/svctl-log", SAYS);
    for (words, gets) in [
        ("log", ""),
        ("log -f -n 5 web db", "<-f><-n><5><web><db>"),
        ("-v --json log -v web", "<-v><--json><-v><web>"),
        ("-w 3 log web", "<-w><3><web>"),
        ("-vw0.5 log -- -f", "<-vw0.5><--><-f>"),
        ("-v -- log -f", "<-v><--><-f>"),
        ("log log --help", "<log><--help>"),
        ("log web -h", "<web><-h>"),
        ("help log", "<--help>"),
    ] {
        assert_eq!(copy.run(words), prints(format!("<svctl-log>{gets}")), "{words}");
    }
    assert_eq!(copy.run("-x log web"), misuse("svctl", "invalid option '-x'"));
}

#[test]
fn the_program_has_the_name_of_svctls_file_in_front() {
    let copy = Copy::new("x-svctl");
    copy.house.write("usr/libexec/catena/x-svctl-log", SAYS);
    copy.house.write("usr/libexec/catena/svctl-log", SAYS);
    assert_eq!(copy.run("log web"), prints("<x-svctl-log><web>"));
    // Whatever leads to it.
    std::os::unix::fs::symlink(&copy.svctl, copy.house.at("control")).unwrap();
    let outcome = run(&mut copy.house.command(copy.house.at("control"), "log web"));
    assert_eq!(outcome, prints("<x-svctl-log><web>"));
    // As sv it knows its own commands alone.
    let as_sv = run(&mut copy.house.command(copy.house.called("sv"), "log web"));
    assert_eq!((as_sv.status, &*as_sv.stdout), (100, ""), "{}", as_sv.stderr);
}

#[test]
fn help_and_what_is_no_command_are_left_to_a_program() {
    let copy = Copy::new("svctl");
    // Without it that much is said.
    assert_eq!(copy.run("strat web"), misuse("svctl", "unknown command: strat"));
    let outcome = copy.run("--help");
    assert!(outcome.status == 127 && outcome.stderr.contains("'help' needs svctl-help, "), "{outcome:?}");
    copy.house.write("usr/libexec/catena/svctl-help", SAYS);
    for (words, gets) in [
        ("--help", "<-->"),
        ("-v status web -h", "<-->"),
        ("help", "<-->"),
        ("-v help start", "<--><start>"),
        ("help start web", "<--><start><web>"),
        ("strat web", "<--><strat>"),
        ("-- -x", "<--><-x>"),
    ] {
        assert_eq!(copy.run(words), prints(format!("<svctl-help>{gets}")), "{words}");
    }
    assert_eq!(copy.run("--help=x"), misuse("svctl", "invalid option '--help=x'"));
    std::os::unix::fs::symlink(&copy.svctl, copy.house.at("sv")).unwrap();
    let as_sv = |words: &str| run(&mut copy.house.command(copy.house.at("sv"), words));
    assert_eq!(as_sv("--help"), prints("<svctl-help><--sv>"));
    assert_eq!(as_sv("zzz web").status, 100);
}

#[test]
fn under_the_name_of_another_package_svctl_is_the_program_that_has_it() {
    let copy = Copy::new("svctl");
    let call = |file: &str, words: &str| {
        run(copy.house.command(copy.house.at(file), words).env("PATH", copy.path()))
    };
    std::os::unix::fs::symlink(&copy.svctl, copy.house.at("svok")).unwrap();
    let missing = "svctl: fatal: 'svok' needs svctl-svc, which is not beside svctl, in ../libexec/catena or in PATH; \
                   nothing was done\nsvctl: hint: install it as svctl was: 'make install', or the package of catena\n";
    assert_eq!(call("svok", "a"), fails(127, missing));
    let libexec = copy.house.at("usr/libexec/catena");
    fs::create_dir_all(&libexec).unwrap();
    install(&program("svctl-svc"), &libexec.join("svctl-svc"));
    for name in ["svc", "svok", "svstat", "svwaitup"] {
        // A link, and a file with that name.
        if name != "svok" {
            std::os::unix::fs::symlink(&copy.svctl, copy.house.at(name)).unwrap();
        }
        install(&copy.svctl, &copy.house.at("usr/bin").join(name));
        for words in ["--help", "--version", "-x", "none", "-s 1 none", ""] {
            let ours = run(&mut copy.house.command(copy.house.called(name), words));
            assert_eq!(call(name, words), ours, "{name} {words}");
            assert_eq!(call(&format!("usr/bin/{name}"), words), ours, "{name} {words}");
        }
    }
}

#[test]
fn the_program_is_found_while_svctl_is_replaced() {
    let copy = Copy::new("svctl");
    copy.house.write("usr/bin/svctl-log", SAYS);
    // It is executed, and what was executed has no name by then.
    let script = "exec 9<svctl && rm svctl && exec /proc/self/fd/9 log web";
    let mut command = copy.house.command("sh", "");
    command.args(["-c", script]).current_dir(copy.house.at("usr/bin")).env("PATH", copy.path());
    assert_eq!(run(&mut command), prints("<svctl-log><web>"));
}

#[test]
fn each_program_explains_itself() {
    let house = House::new();
    for word in ["list", "show", "log", "enable", "disable", "events", "new", "lint"] {
        let outcome = run(&mut house.command("svctl", &format!("{word} -h")));
        assert_eq!((outcome.status, &*outcome.stderr), (0, ""), "{word}");
        assert_eq!(outcome, run(&mut house.command("svctl", &format!("{word} --help"))), "{word}");
    }
}

#[test]
fn options_that_a_program_lacks_are_refused_in_front_of_its_command_too() {
    let house = House::new();
    for word in ["show", "log"] {
        for option in ["-w 1", "-v"] {
            let outcome = house.svctl(&format!("{option} {word} web"));
            let problem = format!("invalid option '{}'", &option[..2]);
            assert_eq!(outcome, misuse(&format!("svctl-{word}"), &problem));
        }
    }
}

#[test]
fn the_program_starts_as_if_svctl_had_not_been_there() {
    let copy = Copy::new("svctl");
    let log = copy.house.at("usr/bin/svctl-log");
    install(&example("state"), &log);
    let alone = run(copy.house.command(&log, "web").env("PATH", copy.path()).arg0("svctl-log"));
    assert_eq!((alone.status, &*alone.stderr), (0, ""));
    assert_eq!(copy.run("log web"), alone);
}
