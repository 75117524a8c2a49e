//! Processes that a run leaves behind, and the file `leftovers`.

use std::time::{Duration, Instant};

use super::harness::*;
use crate::support::*;

/// A service that leaves a process behind: `sleep 1000001`.
const LEAVES: &str = "#!/bin/sh\nsleep 1000001 >/dev/null &\necho start $$ >>$D/lines\nexec sleep 1000000\n";

/// A service whose child stays until a line comes, or a signal.
const HELPED: &str = r#"#!/bin/sh
help() {
    trap : TERM
    exec 3<>$D/tell-finish >/dev/null
    read -r pid rest </proc/self/stat # a child that said it would be counted, too
    echo helper $pid >>$D/lines
    until read -r word <&3 && [ "$word" ]; do :; done
    echo cleaned >>$D/lines
}
trap 'help & exit 0' TERM
echo start $$ >>$D/lines
exec 4<>$D/tell
while :; do read -r words <&4 && eval "$words"; done
"#;

/// How many processes of the service have this command line.
fn copies(service: &Service, words: &str) -> usize {
    service.processes().iter().filter(|pid| cmdline(**pid) == words).count()
}

/// The lines of the supervisor about what is left.
fn said(service: &Service) -> Vec<String> {
    let text = service.text("logged");
    let ours = text.lines().filter(|line| line.contains(" left ") || line.contains(" still there"));
    ours.map(str::to_owned).collect()
}

#[test]
fn leftovers_that_is_written_after_the_start_counts_at_the_next_death() {
    let mut service = Service::start(Svrun, &[("run", LEAVES), ("log/run", LOGGER)]);
    service.started(1);
    service.until("its child", || copies(&service, "sleep 1000001") == 1);
    service.write(&[("leftovers", "term\n")]);
    let left = service.processes().into_iter().find(|pid| cmdline(*pid) == "sleep 1000001").unwrap();
    service.send("k");
    service.started(2);
    service.until("what was left is gone", || !lives(left));
    service.until("a line", || !said(&service).is_empty());
    let line = format!("warning: svrun: run left 1 process behind: {left} (sleep); sent TERM");
    assert_eq!(said(&service), [line]);
    service.until("its child", || copies(&service, "sleep 1000001") == 1);
    // The run that was started with the file leads a process group, and so all of it is reached.
    service.exit();
}

#[test]
fn the_log_says_what_was_done_about_each_leftover() {
    const ROUNDS: usize = 100;
    let mut service = Service::start(
        Svrun,
        &[("run", LEAVES), ("log/run", LOGGER), ("restart-delay", "0"), ("leftovers", "kill")],
    );
    for count in 1..=ROUNDS {
        let pid = service.started(count);
        service.until("its child", || copies(&service, "sleep 1000001") == 1);
        send_signal(pid, nix::sys::signal::Signal::SIGKILL);
    }
    service.started(ROUNDS + 1);
    service.until("the lines", || said(&service).len() >= ROUNDS);
    // Also where the kernel is faster than we are: they are counted before they are killed.
    for line in said(&service) {
        assert!(
            line.contains("run left 1 process behind: ") && line.ends_with(" (sleep); sent KILL"),
            "{line}"
        );
    }
    service.until("its child", || copies(&service, "sleep 1000001") == 1);
    service.exit();
}

#[test]
fn a_time_before_the_signal_lets_a_helper_end_its_work_and_finish_comes_after_it() {
    let files = [("run", HELPED), ("log/run", LOGGER), ("leftovers", "10m kill\n"), ("finish", FINISH)];
    let mut service = Service::start(Svrun, &files);
    service.started(1);
    service.send("d");
    service.nth(1, "helper ");
    service.until("a line", || !said(&service).is_empty());
    assert!(said(&service)[0].ends_with("(run); waiting 600000 ms"), "{:?}", said(&service));
    // Nobody waits for it but finish and the next start.
    service.until_stat("finish, want down");
    assert_eq!(field(&service.ask("status"), "state"), "\"finish\"");
    service.send("u");
    service.until_stat("finish");
    assert_eq!((service.count("finish "), service.count("start ")), (0, 1));
    service.tell_finish("done");
    // At once, and not after ten minutes.
    service.started(2);
    let order: Vec<String> =
        service.lines().iter().filter_map(|line| line.split(' ').next().map(str::to_owned)).collect();
    let order: Vec<&str> = order.iter().map(String::as_str).filter(|word| *word != "log").collect();
    assert_eq!(order, ["start", "helper", "cleaned", "finish", "start"]);
    service.send("x");
    service.nth(2, "helper ");
    service.tell_finish("done");
    assert_eq!(service.ended(), 0);
    service.assert_nothing_left();
}

#[test]
fn a_process_that_ignores_a_signal_gets_the_next_one_after_a_pause() {
    let stubborn = HELPED.replace("trap 'help & exit 0' TERM", "trap 'exit 0' TERM; help &");
    let files =
        [("run", &*stubborn), ("log/run", LOGGER), ("leftovers", "term 200ms kill\n"), ("finish", FINISH)];
    let mut service = Service::start(Svrun, &files);
    service.started(1);
    let helper: u32 = service.nth(1, "helper ").parse().unwrap();
    let asked = Instant::now();
    service.send("d");
    service.until_flags((0, 'd', 0, 0));
    assert!(asked.elapsed() >= Duration::from_millis(200));
    assert!(!lives(helper), "finish and what follows it come after the last signal");
    assert_eq!((service.count("cleaned"), service.count("finish ")), (0, 1));
    service.until("the lines", || said(&service).len() == 2);
    let left =
        format!("warning: svrun: run left 1 process behind: {helper} (run); sent TERM; waiting 200 ms");
    let still = format!("warning: svrun: 1 process is still there: {helper} (run); sent KILL");
    assert_eq!(said(&service), [left, still]);
    service.exit();
}

#[test]
fn the_children_of_what_is_left_are_ended_too_where_run_leads_no_group() {
    let run = "#!/bin/sh\n(sleep 1000001 >/dev/null & sleep 1000002 >/dev/null; wait) >/dev/null &\n\
        echo start $$ >>$D/lines\nexec sleep 1000000\n";
    let mut service = Service::start(Svrun, &[("run", run)]);
    service.started(1);
    let left = || copies(&service, "sleep 1000001") + copies(&service, "sleep 1000002");
    service.until("its children", || left() == 2);
    service.write(&[("leftovers", "kill\n")]);
    service.send("d");
    service.until_flags((0, 'd', 0, 0));
    assert_eq!(left(), 0);
    service.exit();
}

#[test]
fn a_supervisor_that_is_killed_while_leftovers_have_their_time_leaves_finish_to_the_next_one() {
    let files = [("run", HELPED), ("leftovers", "10m kill\n"), ("finish", FINISH)];
    let mut service = Service::start(Svrun, &files);
    service.started(1);
    service.send("d");
    service.nth(1, "helper ");
    service.until_stat("finish, want down");
    service.until("the record", || service.status().flags() == (0, 'd', 0, 2));
    service.kill_supervisor();
    assert_eq!(service.count("finish "), 0);
    service.supervise();
    service.nth(1, "finish ");
    service.until_flags((0, 'd', 0, 0));
    service.tell_finish("done");
    service.exit();
}
