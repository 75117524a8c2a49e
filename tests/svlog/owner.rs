//! A log directory whose owner wants a logger that runs as root to write, read or execute something else.

use std::fs;

use nix::errno::Errno;

use super::harness::*;
use crate::needs;
use crate::support::*;

/// A log directory of nobody's, and a file `secret` of root's beside it.
fn of_nobody(config: &str) -> Log {
    let log = Log::prepare(Svlog, config);
    assert_eq!(run_in(log.scratch.path(), "umask 077; echo secret >secret; chown -R nobody log"), prints(""));
    log
}

/// What nobody does in the directory.
fn attack(log: &Log, script: &str) {
    let mut command = prepared("setpriv");
    command.args(["--reuid", "nobody", "--regid", "65534", "--clear-groups", "sh", "-ec", script]);
    assert_eq!(run(command.current_dir(log.at(""))), prints(""), "{script}");
}

/// A second name of root's file, which the kernel lets nobody make only where `fs.protected_hardlinks` is 0.
fn second_name(log: &Log, name: &str) {
    fs::hard_link(log.path("secret"), log.at(name)).unwrap();
}

/// Lets the logger log a line, to its end. Returns its status.
fn logged(log: &mut Log) -> i32 {
    log.spawn(log.command());
    log.write("one\n");
    log.close();
    log.ended()
}

/// Asserts that root's file is what it was, and nothing of it was said.
#[track_caller]
fn assert_untouched(log: &Log) {
    let secret = log.path("secret");
    assert_eq!((text(&secret).as_str(), mode(&secret)), ("secret\n", 0o600), "{}", log.report());
    assert!(!log.stderr().contains("secret"), "{}", log.stderr());
}

/// Puts something into the place of a file: it is no file of the directory's any more.
const PLACES: [fn(&Log, &str); 4] = [
    |log, name| attack(log, &format!("rm -f {name}; ln -s ../secret {name}")),
    |log, name| attack(log, &format!("rm -f {name}; mkfifo {name}")),
    |log, name| attack(log, &format!("rm -f {name}; mkdir {name}")),
    second_name,
];

#[test]
fn current_is_a_file_of_the_directory_or_nothing_is_written() {
    needs!(root());
    for place in PLACES {
        let mut log = of_nobody("");
        place(&log, "current");
        assert_eq!(logged(&mut log), 111, "{}", log.report());
        assert_untouched(&log);
        let stderr = log.stderr();
        assert!(log.warns(stderr.lines().next().unwrap(), &["unable to open current"]), "{stderr}");
        assert!(stderr.ends_with("4 bytes could not be written; they are lost\n"), "{stderr}");
        assert!(log.archives().is_empty(), "{}", log.report());
    }
}

#[test]
fn current_is_not_followed_where_it_is_replaced_while_the_logger_runs() {
    needs!(root());
    for place in ["ln -s ../secret current", "mkfifo current"] {
        let mut log = of_nobody("");
        log.run();
        log.says("one\n", "one\n");
        attack(&log, &format!("rm -f current; {place}"));
        log.write("two\n");
        log.until_said("unable to write to current");
        attack(&log, "rm -f current");
        log.until_all("two\n");
        log.finish();
        assert_untouched(&log);
    }
}

#[test]
fn a_lock_that_is_no_file_of_the_directory_is_not_taken() {
    needs!(root());
    for place in PLACES {
        let mut log = of_nobody("");
        place(&log, "lock");
        log.spawn(log.command());
        assert_eq!(log.ended(), 111, "{}", log.report());
        assert_untouched(&log);
        assert!(log.stderr().contains("unable to lock the log directory"), "{}", log.stderr());
    }
}

#[test]
fn a_record_that_is_no_file_of_the_directory_is_not_used() {
    needs!(root());
    for place in PLACES {
        let mut log = of_nobody("");
        place(&log, "batch");
        assert_eq!(logged(&mut log), 0, "{}", log.report());
        assert_untouched(&log);
        assert_eq!(log.current(), "one\n");
        assert!(log.stderr().contains("unable to make batch"), "{}", log.stderr());
    }
    // Nor is one in another directory removed, or waited for.
    let mut log = of_nobody("");
    log.add("first", "");
    log.set_directories(&["first", "log"]);
    attack(&log, "mkfifo batch");
    assert_eq!(logged(&mut log), 0, "{}", log.report());
    assert_eq!((log.current().as_str(), log.stderr().as_str()), ("one\n", ""));
}

/// It would say where the files of all directories are cut; and cutting it ends each process that has it mapped.
#[test]
fn a_record_of_another_owner_is_not_used() {
    needs!(root());
    let mut log = of_nobody("");
    attack(&log, "umask 077; : >batch");
    assert_eq!(logged(&mut log), 0, "{}", log.report());
    assert_eq!(log.current(), "one\n");
    assert!(log.stderr().contains("unable to make batch"), "{}", log.stderr());
    assert_eq!(text(&log.at("batch")), "");
}

#[test]
fn a_config_that_is_no_file_of_the_directory_is_not_read() {
    needs!(root());
    for place in PLACES {
        let mut log = of_nobody("pP\n");
        fs::remove_file(log.at("config")).unwrap();
        fs::write(log.path("secret"), "secret\n").unwrap();
        place(&log, "config");
        assert_eq!(logged(&mut log), 0, "{}", log.report());
        assert_untouched(&log);
        assert_eq!(log.current(), "one\n");
        assert!(log.stderr().contains("unable to read config"), "{}", log.stderr());
    }
}

#[test]
fn a_config_without_end_is_not_read_to_its_end() {
    needs!(root());
    let mut log = of_nobody("");
    attack(&log, "truncate -s 1T config");
    assert_eq!(logged(&mut log), 0, "{}", log.report());
    let expected = format!("unable to read config: {}; using the defaults", says(Errno::EFBIG));
    assert!(log.warns(&log.stderr(), &[&expected]), "{}", log.stderr());
    assert_eq!(log.current(), "one\n");
}

#[test]
fn root_executes_no_command_of_another_account() {
    needs!(root());
    let config = "s2000\npP \n!id >>\"$D/executed\"; cat\n";
    let others: [fn(&Log); 4] = [
        |log| attack(log, "true"), // the directory is nobody's
        |log| {
            // What root has written is moved to where it is a command.
            assert_eq!(run_in(log.at(""), "chown root config"), prints(""));
        },
        |log| assert_eq!(run_in(log.at(""), "chown root . config; chmod 777 ."), prints("")),
        |log| assert_eq!(run_in(log.at(""), "chown root ."), prints("")), // the config is nobody's
    ];
    for own in others {
        let mut log = of_nobody(config);
        own(&log);
        log.spawn(log.command());
        log.write(lines(1, 300));
        log.finish();
        assert!(!log.path("executed").exists(), "{}", log.report());
        assert!(log.warns(&log.stderr(), &["config: ignoring the processor"]), "{}", log.stderr());
        assert_eq!(log.stderr().lines().count(), 1);
        // All else in the config counts, and all is logged.
        assert!(log.archives().len() > 1 && log.archives().iter().all(|name| kind(name) == 's'));
        assert_eq!(log.all().lines().count(), 300);
        assert!(log.all().lines().all(|line| line.starts_with("P line")), "{}", log.report());
    }
}

#[test]
fn another_account_than_root_has_its_processor_where_it_logs() {
    needs!(root());
    let mut log = of_nobody("!cat; id -u\n");
    attack(&log, "echo left >@400000000000000000000000.u");
    fs::create_dir(log.path("bin")).unwrap();
    install(std::path::Path::new(link("svlog").get_program()), &log.path("bin/svlog"));
    let as_nobody = "exec setpriv --reuid nobody --regid 65534 --clear-groups ./bin/svlog log";
    let command = log.command_behind(as_nobody);
    log.run_by(command);
    log.until_processed(1);
    log.finish();
    assert_eq!(log.all(), "left\n65534\n");
}

#[test]
fn the_files_of_a_processor_are_files_of_the_directory() {
    needs!(root());
    // `state` is handed to it, the others are new.
    for (name, starts) in [("state", false), ("newstate", true), ("@400000000000000000000000.t", true)] {
        for place in [PLACES[0], PLACES[1], PLACES[3]] {
            let mut log = of_nobody("!cat; cat <&4 >&5; echo done\n");
            attack(&log, "echo left >@400000000000000000000000.u");
            place(&log, name);
            assert_eq!(run_in(log.at(""), "chown root . config"), prints(""));
            assert_eq!(logged(&mut log), 0, "{}", log.report());
            assert_untouched(&log);
            assert_eq!(
                log.all(),
                if starts { "left\ndone\none\n" } else { "left\none\n" },
                "{}",
                log.report()
            );
            assert_eq!(log.stderr().contains("unable to run the processor"), !starts, "{}", log.stderr());
        }
    }
    // Nor is an archive of another kind given to it.
    for place in PLACES {
        let mut log = of_nobody("!cat\n");
        place(&log, "@400000000000000000000000.u");
        assert_eq!(run_in(log.at(""), "chown root . config"), prints(""));
        assert_eq!(logged(&mut log), 0, "{}", log.report());
        assert_untouched(&log);
        assert_eq!(log.current(), "one\n");
    }
}

#[test]
fn a_link_in_the_place_of_the_output_of_a_processor_is_not_followed() {
    needs!(root());
    let mut log = Log::prepare(Svlog, "!cat; rm -f @*.t; ln -s ../secret @400000000000000000000000.t\n");
    assert_eq!(run_in(log.scratch.path(), "umask 077; echo secret >secret"), prints(""));
    log.plant("@400000000000000000000000.u", "left\n", 0o644);
    assert_eq!(logged(&mut log), 0, "{}", log.report());
    assert_untouched(&log);
    assert_eq!(log.all(), "left\none\n");
    assert!(log.stderr().contains("unable to put the output of the processor"), "{}", log.stderr());
}

#[test]
fn files_without_the_name_of_an_archive_are_neither_counted_nor_removed_nor_shown() {
    let mut log = Log::prepare(Svlog, "s2000\nn2\n");
    let strange = [
        "@\u{1b}]0;title\u{7}aaaaaaaaaaaaaa.s",
        "@zzzzzzzzzzzzzzzzzzzzzzzz.s",
        "@40000000000000000000000000",
    ];
    for name in strange {
        assert_eq!(name.len(), 27);
        log.plant(name, "kept", 0o644);
    }
    log.set_options(&["-v"]);
    log.spawn(log.command());
    log.write(lines(1, 2000));
    log.finish();
    let left = log.archives().into_iter().filter(|name| !strange.contains(&name.as_str())).count();
    assert_eq!((left, log.archives().len()), (2, 5), "{}", log.report());
    assert!(!log.stderr().contains('\u{1b}'), "{}", log.stderr());
}

#[test]
fn a_quoted_line_of_config_is_one_line_without_control_characters() {
    let log = fed(Svlog, &[], "s\u{1b}[2J\u{9b}5n\n", "one\n");
    let stderr = log.stderr();
    assert!(!stderr.contains(['\u{1b}', '\u{9b}']) && stderr.lines().count() == 1, "{stderr:?}");
}

#[test]
fn a_file_that_was_moved_to_the_place_of_current_is_read_by_nobody_else_than_before() {
    needs!(root());
    let mut log = of_nobody("");
    // A file of root's in another directory of nobody's, which looks as if a logger had left it in order.
    let script = "chmod 700 secret; mkdir own; mv secret own; chown nobody own";
    assert_eq!(run_in(log.scratch.path(), script), prints(""));
    attack(&log, "mv ../own/secret current");
    assert_eq!(logged(&mut log), 0, "{}", log.report());
    assert_eq!((mode(&log.at("current")), log.current().as_str()), (0o700, "secret\none\n"));
}
