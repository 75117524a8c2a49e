//! pause.

use nix::libc::SYS_rt_sigtimedwait;
use nix::sys::signal::Signal;

use crate::needs;
use crate::support::*;

/// A process that waits.
fn waiting(script: &str) -> Background {
    let program = Background::start(&mut sh(script));
    program.wait_until_in(&[SYS_rt_sigtimedwait]);
    program
}

#[test]
fn a_stop_signal_ends_it_with_status_0() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        for script in [
            "exec pause",
            "trap '' TERM INT; exec pause",
            "exec env --block-signal=TERM,INT pause",
            "exec pause <&- >&- 2>&-",
        ] {
            let program = waiting(script);
            send_signal(program.pid(), signal);
            assert_eq!(program.finish(), prints(""), "{script} {signal}");
        }
    }
}

#[test]
fn a_stop_signal_that_came_before_it_ends_it_too() {
    let script = "exec env --block-signal=TERM sh -c 'kill $$; exec pause'";
    assert_eq!(run(&mut sh(script)), prints(""));
}

#[test]
fn other_signals_do_what_they_do_to_any_program() {
    for signal in [Signal::SIGQUIT, Signal::SIGALRM, Signal::SIGUSR1, Signal::SIGUSR2, Signal::SIGKILL] {
        let program = waiting("ulimit -c 0; exec pause");
        send_signal(program.pid(), signal);
        assert_eq!(program.finish(), fails(128 + signal as i32, ""), "{signal}");
    }
    let program = waiting("trap '' USR1; exec pause");
    for signal in [Signal::SIGUSR1, Signal::SIGCHLD, Signal::SIGWINCH] {
        send_signal(program.pid(), signal);
    }
    program.wait_until_in(&[SYS_rt_sigtimedwait]);
    send_signal(program.pid(), Signal::SIGTERM);
    assert_eq!(program.finish(), prints(""), "what is ignored is ignored");
}

#[test]
fn a_hangup_is_ignored_and_a_stop_is_over_with_its_continuation() {
    let program = waiting("exec pause");
    send_signal(program.pid(), Signal::SIGHUP);
    send_signal(program.pid(), Signal::SIGSTOP);
    until("stopped", || state(program.pid()) == Some('T'));
    send_signal(program.pid(), Signal::SIGCONT);
    program.wait_until_in(&[SYS_rt_sigtimedwait]);
    send_signal(program.pid(), Signal::SIGTERM);
    assert_eq!(program.finish(), prints(""));
}

#[test]
fn its_words_are_for_ps_to_show() {
    let program = waiting("exec pause eth0 'x y'");
    assert!(cmdline(program.pid()).ends_with("pause eth0 x y"));
    send_signal(program.pid(), Signal::SIGTERM);
    assert_eq!(program.finish(), prints(""));
}

#[test]
fn it_works_under_every_name() {
    needs!(tool("chpst"));
    for before in ["chpst -b web", "argv0 pause ''"] {
        let line = if before.starts_with("chpst") { format!("{before} pause") } else { before.into() };
        let program = waiting(&format!("exec {line}"));
        send_signal(program.pid(), Signal::SIGTERM);
        assert_eq!(program.finish(), prints(""), "{before}");
    }
    let outcome = run(sh("exec chpst -b web pause -x").arg("sh"));
    assert_eq!(outcome, misuse("pause", "invalid option '-x'"));
}

#[test]
fn it_answers_and_knows_no_options() {
    assert_eq!(
        run(link("pause").arg("--help")),
        prints("usage: pause [word...]\nwait until SIGTERM or SIGINT\n")
    );
    let version = format!("pause (catena) {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(run(link("pause").arg("--version")), prints(version));
    assert_eq!(run(link("pause").arg("-x")), misuse("pause", "invalid option '-x'"));
}

/// The pids of the children of a process, dead or alive.
fn children(pid: u32) -> String {
    text(std::path::Path::new(&format!("/proc/{pid}/task/{pid}/children")))
}

#[test]
fn no_child_stays_a_zombie() {
    needs!(tool("perl"));
    // One has ended before it begins, one ends while it waits.
    let script = r#"
        my $first = fork // die; exit unless $first;
        1 until do { open my $f, '<', "/proc/$first/stat" or die; <$f> =~ /\) Z/ };
        my $second = fork // die; unless ($second) { sleep 600; exit }
        exec 'pause'"#;
    let program = Background::start(prepared("perl").args(["-e", script]));
    program.wait_until_in(&[SYS_rt_sigtimedwait]);
    until("the first is reaped", || children(program.pid()).split_whitespace().count() == 1);
    send_signal(children(program.pid()).trim().parse().unwrap(), Signal::SIGKILL);
    until("the second is reaped", || children(program.pid()).is_empty());
    program.wait_until_in(&[SYS_rt_sigtimedwait]);
    send_signal(program.pid(), Signal::SIGTERM);
    assert_eq!(program.finish().status, 0);
}

#[test]
fn as_process_1_it_ends_on_a_stop_signal_and_reaps_orphans() {
    needs!(root(), tool("unshare"));
    let program = Background::start(&mut sh("exec /usr/bin/unshare --pid --fork --kill-child pause"));
    let mut first = None;
    until("it has begun", || {
        first = children(program.pid()).split_whitespace().next().and_then(|pid| pid.parse::<u32>().ok());
        first.is_some_and(|pid| call_of(pid) == Some(SYS_rt_sigtimedwait))
    });
    let first = first.unwrap();
    // An orphan of its pid namespace becomes its child.
    let enter = format!("exec nsenter --target {first} --pid sh -c '(sleep 0 &) ; :'");
    assert_eq!(run(&mut sh(&enter)), prints(""));
    until("the orphan is reaped", || children(first).is_empty());
    send_signal(first, Signal::SIGTERM);
    assert_eq!(program.finish(), prints(""));
}

#[test]
fn it_uses_no_time_and_little_memory() {
    let program = waiting("exec env -i \"$(command -v pause)\"");
    let maps = text(std::path::Path::new(&format!("/proc/{}/smaps_rollup", program.pid())));
    // Not the private pages: those of a program file that is not on the disk yet would count.
    let own = maps.lines().find_map(|line| line.strip_prefix("Anonymous:")?.strip_suffix("kB"));
    let own: u64 = own.unwrap().trim().parse().unwrap();
    tell(&format!("pause: {own} kB of memory of its own"));
    assert!(own <= if musl() { 16 } else { 200 }, "{maps}");
    send_signal(program.pid(), Signal::SIGTERM);
    assert_eq!(program.finish(), prints(""));
}
