//! The finish script.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::harness::*;
use crate::support::*;

both!(svrun;
    finish_gets_the_status_of_run_in_two_words,
    a_core_dump_adds_128_to_the_second_word,
    a_finish_that_cannot_be_executed_is_done,
    a_run_that_cannot_be_executed_is_111_for_finish,
    a_finish_that_may_not_be_read_is_none,
    d_during_finish_keeps_the_service_down,
    u_during_finish_starts_it_again,
    x_during_finish_waits_for_it,
    finish_has_the_surroundings_of_the_service,
);

fn finish_gets_the_status_of_run_in_two_words(of: Program) {
    let service = Service::start(of, &[("run", PUPPET), ("finish", FINISH), ("down", "")]);
    let ends = [
        ("exit 0", "0 0"),
        ("exit 1", "1 0"),
        ("exit 111", "111 0"),
        ("exit 255", "255 0"),
        ("kill -9 $$", "-1 9"),
        ("trap - TERM; kill $$", "-1 15"),
        ("ulimit -c 0; kill -SEGV $$", "-1 11"),
        ("ulimit -c 0; kill -ABRT $$", "-1 6"),
        ("kill -40 $$", "-1 40"),
    ];
    for (index, (words, expected)) in ends.iter().enumerate() {
        service.send("o");
        service.started(index + 1);
        service.tell(words);
        assert_eq!(service.nth(index + 1, "finish "), *expected, "{words}");
        service.until_flags((0, 'd', 0, 0));
    }
}

fn a_core_dump_adds_128_to_the_second_word(of: Program) {
    let service = Service::start(of, &[("run", PUPPET), ("finish", FINISH), ("down", "")]);
    for (index, (signal, expected)) in [("SEGV", "-1 139"), ("ABRT", "-1 134")].iter().enumerate() {
        service.send("o");
        service.started(index + 1);
        service.tell(&format!("ulimit -c unlimited; kill -{signal} $$"));
        assert_eq!(service.nth(index + 1, "finish "), *expected);
        service.until_flags((0, 'd', 0, 0));
    }
}

fn a_run_that_cannot_be_executed_is_111_for_finish(of: Program) {
    let directory = |service: &Service| assert_eq!(run_in(service.at(""), "rm run; mkdir run"), prints(""));
    let mode = |service: &Service| {
        fs::set_permissions(service.at("run"), fs::Permissions::from_mode(0o644)).unwrap();
    };
    let remove = |service: &Service| fs::remove_file(service.at("run")).unwrap();
    let spoil: [&dyn Fn(&Service); 5] = [
        &remove,
        &mode,
        &directory,
        &|service| script(&service.at("run"), "#!/no/interpreter\n"),
        &|service| script(&service.at("run"), "echo start 1 >>$D/lines\n"), // not for a shell
    ];
    for spoil in spoil {
        let mut service = Service::prepare(of, &[("run", PUPPET), ("finish", FINISH)]);
        spoil(&service);
        service.supervise();
        service.until("finish", || service.count("finish ") > 0);
        assert_eq!(service.lines()[0], "finish 111 0");
        service.until("a message", || service.stderr().contains("run: "));
        assert_eq!(service.count("start "), 0);
        service.send("d");
        service.until_flags((0, 'd', 0, 0));
        service.exit();
    }
}

fn a_finish_that_cannot_be_executed_is_done(of: Program) {
    let mut service = Service::prepare(of, &[("run", PUPPET), ("finish", FINISH)]);
    fs::set_permissions(service.at("finish"), fs::Permissions::from_mode(0o644)).unwrap();
    service.supervise();
    service.started(1);
    service.send("t");
    service.started(2);
    service.until("a message", || service.stderr().contains("finish: "));
    service.exit();
    assert_eq!(service.count("finish "), 0);
}

fn a_finish_that_may_not_be_read_is_none(of: Program) {
    // A dangling link, which nobody may read.
    let service = Service::prepare(of, &[("run", PUPPET)]);
    std::os::unix::fs::symlink("no", service.at("finish")).unwrap();
    let mut service = service;
    service.supervise();
    service.started(1);
    service.send("d");
    service.until_flags((0, 'd', 0, 0));
    service.exit();
    assert_eq!(service.stderr(), "");
}

fn d_during_finish_keeps_the_service_down(of: Program) {
    let mut service = Service::start(of, &[("run", PUPPET), ("finish", SLOW_FINISH)]);
    service.started(1);
    service.tell("exit 0");
    service.nth(1, "finish waits ");
    service.until_flags((0, 'u', 0, 2));
    service.send("d");
    service.until_flags((0, 'd', 0, 2));
    service.tell_finish("exit 0");
    service.until_flags((0, 'd', 0, 0));
    service.exit();
    assert_eq!(service.count("start "), 1);
    assert_eq!(service.count("finish got"), 0);
}

fn u_during_finish_starts_it_again(of: Program) {
    let mut service = Service::start(of, &[("run", PUPPET), ("finish", SLOW_FINISH)]);
    service.started(1);
    service.send("d");
    service.nth(1, "finish waits ");
    service.until_flags((0, 'd', 0, 2));
    service.send("u");
    service.until_flags((0, 'u', 0, 2));
    assert_eq!(service.count("start "), 1);
    service.tell_finish("exit 0");
    service.started(2);
    service.tell("exit 0");
    service.nth(2, "finish waits ");
    service.tell_finish("exit 0");
    service.started(3);
    service.send("x");
    service.nth(3, "finish waits ");
    service.tell_finish("exit 0");
    assert_eq!(service.ended(), 0);
}

fn x_during_finish_waits_for_it(of: Program) {
    let mut service = Service::start(of, &[("run", PUPPET), ("finish", SLOW_FINISH)]);
    service.started(1);
    service.tell("exit 0");
    service.nth(1, "finish waits ");
    service.send("x");
    service.until_stat("finish, want exit");
    service.assert_supervised();
    service.tell_finish("exit 0");
    assert_eq!(service.ended(), 0);
    assert_eq!(service.count("finish waits"), 1);
    assert_eq!(service.count("finish got"), 0);
}

fn finish_has_the_surroundings_of_the_service(of: Program) {
    let finish = "#!/bin/sh\npwd -P\necho $0 \"$SEEN\"\necho to stderr >&2\n";
    let mut service = Service::prepare(of, &[("run", PUPPET), ("finish", finish), ("log/run", LOGGER)]);
    let mut command = service.command();
    command.env("SEEN", "so");
    service.supervise_by(command);
    service.started(1);
    service.exit();
    let cwd = fs::canonicalize(service.at("")).unwrap();
    assert_eq!(service.text("logged"), format!("{}\n./finish so\n", cwd.display()));
    assert_eq!(service.stderr(), "to stderr\n");
}
