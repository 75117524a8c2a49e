//! svctl-list: the table on terminals of each width and elsewhere, its choices, and as it changes.

use std::fs;
use std::process::Command;
use std::sync::{Mutex, mpsc};

use nix::libc::SYS_read;

use super::harness::*;
use super::terminal::Terminal;
use crate::needs;
use crate::support::*;
use crate::svtree::harness::field;

/// A pid that no process has: more than the kernel ever gives.
const NOBODY: u32 = 5_000_000;

const UTF8: &str = "TERM=xterm LANG=en_US.UTF-8";

/// A tree with a service of each kind, whose times do not change while a test looks.
fn tree(house: &House) -> Talker {
    let old = |status: String| status.replace("\"seconds\":12.345", "\"seconds\":90000.5");
    let alive = |status: &str| {
        let (before, rest) = status.split_once("\"death\":{").unwrap();
        format!("{before}\"death\":null{}", rest.split_once('}').unwrap().1)
    };
    let run = |pid| alive(&old(said("run", pid, "up", false)));
    let held = |hold: &str| old(said("down", 0, "up", false)).replace("\"hold\":null", hold);
    let services = [
        ("café", run(NOBODY)),
        (
            "crash",
            held("\"hold\":\"backing off\"")
                .replace("\"next\":null", "\"next\":90060.5")
                .replace("1764000000.1,", "99999999999.1,"),
        ),
        ("off", alive(&old(said("down", 0, "down", false)))),
        ("setup", alive(&old(said("done", 0, "up", false)))),
        ("waits", alive(&held("\"hold\":\"waiting for\",\"needs\":\"db\""))),
        ("web", run(NOBODY + 1).replace("\"ready\":null", "\"ready\":true")),
        ("worn", held("\"hold\":\"gave up\"").replace("1764000000.1,", "99999999999.1,")),
    ];
    let mut lines = String::new();
    for (name, status) in services {
        house.write(&format!("{name}/run"), STAYS);
        lines += &status.replacen('{', &format!("{{\"name\":\"{name}\","), 1);
        lines.push('\n');
    }
    house.write("off/down", "");
    lines += "{\"ok\":true,\"services\":7}";
    Talker::tree(house, move |_, line| {
        let name = line.strip_prefix('@').and_then(|line| line.split(' ').next());
        let Some(name) = name else { return Answer::Say(lines.clone()) };
        let own = lines.lines().find(|line| line.starts_with(&format!("{{\"name\":\"{name}\",")));
        Answer::Say(own.unwrap_or("{\"ok\":false,\"error\":\"no such service\"}").to_owned())
    })
}

const WHOLE: &str = "\
NAME   STATE               ENABLED      PID  COMMAND     FOR  RESTARTS  READY  CPU  MEM  LAST DEATH
café   run                 yes      5000000  -        1d01h         3  -        -    -  -
crash  backing off 1d01h   yes            -  -        1d01h         3  -        -    -  SIGSEGV (core dumped), 0s ago
off    down                no             -  -        1d01h         3  -        -    -  -
setup  done                yes            -  -        1d01h         3  -        -    -  -
waits  waiting for db      yes            -  -        1d01h         3  -        -    -  -
web    run                 yes      5000001  -        1d01h         3  yes      -    -  -
worn   gave up             yes            -  -        1d01h         3  -        -    -  SIGSEGV (core dumped), 0s ago
";

/// The words of each line: where they stand is for people, and tested beside the code.
fn words(text: &str) -> Vec<String> {
    text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn what_is_no_terminal_gets_all_columns() {
    let house = House::new();
    let _tree = tree(&house);
    for words_of in ["", "NO_COLOR=1", "TERM=dumb", "LANG=C", "LC_ALL=C LANG=C.UTF-8"] {
        let mut command = house.command("svctl-list", "");
        for variable in words_of.split_whitespace() {
            let (name, value) = variable.split_once('=').unwrap();
            command.env(name, value);
        }
        let outcome = run(&mut command);
        assert_eq!((outcome.status, &*outcome.stderr), (0, ""));
        assert_eq!(words(&outcome.stdout), words(WHOLE), "{words_of}: {}", outcome.stdout);
    }
    // The same as a command of svctl.
    assert_eq!(words(&house.svctl("list").stdout), words(WHOLE));
    assert_eq!(words(&house.svctl("").stdout), words(WHOLE));
}

#[test]
fn where_there_is_the_state_of_services_alone_nobody_knows_which_are_enabled() {
    let house = House::new();
    let mut lines = String::new();
    for name in ["a", "b", "c"] {
        house.write(&format!("{name}/supervise/lock"), "");
        lines += &said("run", NOBODY, "up", false).replacen('{', &format!("{{\"name\":\"{name}\","), 1);
        lines.push('\n');
    }
    lines += "{\"ok\":true,\"services\":3}";
    let _tree = Talker::tree(&house, move |_, _| Answer::Say(lines.clone()));
    let enabled = || {
        let text = run(&mut house.command("svctl-list", "")).stdout;
        text.lines()
            .skip(1)
            .map(|line| line.split_whitespace().nth(2).unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(enabled(), ["-", "-", "-"]);
    // That one has its files there says nothing of one that its administrator has disabled.
    house.write("a/run", STAYS);
    house.write("b/down", "");
    assert_eq!(enabled()[..2], ["yes", "no"]);
}

#[test]
fn a_wide_terminal_loses_nothing_and_a_narrow_one_columns_in_order() {
    let house = House::new();
    let _tree = tree(&house);
    let screen = |columns| Terminal::show(&house, columns, &format!("{UTF8} NO_COLOR=1"), "svctl-list");
    assert_eq!(words(&screen(160)), words(WHOLE));
    assert_eq!(
        screen(80),
        "\
NAME   STATE                  PID  COMMAND    FOR  CPU  MEM
café   run                5000000  -        1d01h    -    -
crash  backing off 1d01h        -  -        1d01h    -    -
off    down                     -  -        1d01h    -    -
setup  done                     -  -        1d01h    -    -
waits  waiting for db           -  -        1d01h    -    -
web    run                5000001  -        1d01h    -    -
worn   gave up                  -  -        1d01h    -    -
"
    );
    assert_eq!(
        screen(50),
        "\
NAME   STATE                  PID    FOR  MEM
café   run                5000000  1d01h    -
crash  backing off 1d01h        -  1d01h    -
off    down                     -  1d01h    -
setup  done                     -  1d01h    -
waits  waiting for db           -  1d01h    -
web    run                5000001  1d01h    -
worn   gave up                  -  1d01h    -
"
    );
    for columns in [20, 40, 60, 70, 80, 100, 120] {
        let text = screen(columns);
        let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= columns.into(), "{columns}: {text}");
    }
}

#[test]
fn a_terminal_gets_its_colours_and_letters() {
    let house = House::new();
    let _tree = tree(&house);
    let screen = |variables: &str| Terminal::show(&house, 160, variables, "svctl-list");
    let text = screen(UTF8);
    for (state, colour) in
        [("run", 32), ("gave up", 31), ("backing off 1d01h", 33), ("waiting for db", 33), ("done", 32)]
    {
        assert!(text.contains(&format!("\x1b[{colour}m{state}\x1b[m")), "{state}: {text}");
    }
    assert!(text.contains("\noff    down  ") && text.contains("\ncafé   "), "{text}");
    for variables in ["TERM=xterm NO_COLOR=1 LANG=C.utf8", "TERM=dumb LC_CTYPE=C.UTF-8 LANG=C"] {
        let text = screen(variables);
        assert!(!text.contains('\x1b') && text.contains("\ncafé   "), "{variables}: {text}");
    }
    for variables in ["TERM=xterm", "TERM=xterm LANG=C", "TERM=xterm LC_ALL=POSIX LANG=C.UTF-8"] {
        let text = screen(variables);
        assert!(text.is_ascii() && text.contains("\ncaf\\xc3\\xa9  "), "{variables}: {text}");
    }
}

#[test]
fn those_that_have_failed_or_are_down_are_listed_alone() {
    let house = House::new();
    let _tree = tree(&house);
    // Nobody wants the second one up.
    house.write("lost/run", STAYS);
    house.write("unused/run", STAYS);
    house.write("unused/down", "");
    let names = |line: &str| {
        let outcome = run(&mut house.command("svctl-list", line));
        assert_eq!((outcome.status, &*outcome.stderr), (0, ""), "{line}");
        let name = |line: &str| line.split(' ').next().unwrap().to_owned();
        outcome.stdout.lines().skip(1).map(name).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names("--failed"), "crash lost worn");
    assert_eq!(names("--down"), "crash lost off unused waits worn");
    assert_eq!(names("--down --failed"), names("--down"));
    assert_eq!(names("--failed off worn"), "worn");
    assert_eq!(names("web --failed"), "");
}

#[test]
fn the_command_and_what_its_processes_use_are_shown() {
    let mut house = House::new();
    house.write("web/run", "#!/bin/sh\nsleep 1001 &\nexec sleep 1000\n");
    house.serve(&svrun(), "web");
    let list = |line: &str| run(&mut house.command("svctl-list", line)).stdout;
    until("they are not what they are to be yet", || {
        let text = list("-t");
        text.contains(" sleep 1001\n") && text.contains(" sleep 1000\n")
    });
    let pid = house.pid("web");
    let text = list("-t");
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("NAME  STATE  ENABLED"), "{text}");
    assert!(lines[1].starts_with("web   run    yes") && lines[1].contains(" sleep 1000  "), "{text}");
    let cells: Vec<&str> = lines[1].split_whitespace().collect();
    assert!(cells[9].ends_with('s'), "CPU: {text}");
    assert!(cells[10].ends_with(['K', 'M']), "MEM: {text}");
    assert_eq!(lines[2], format!("  {pid} sleep 1000"), "{text}");
    let child = lines[3].strip_prefix("  └─ ").and_then(|line| line.strip_suffix(" sleep 1001"));
    let child = child.unwrap_or_else(|| panic!("{text}"));
    assert_eq!(parent(child.parse().unwrap()), pid);
    // In ASCII on a terminal that has nothing else.
    let text = Terminal::show(&house, 30, "TERM=xterm LANG=C", "svctl-list -t");
    assert!(text.contains(&format!("\n  `- {child} sleep 1001\n")), "{text}");
}

#[test]
fn a_service_that_starts_after_the_processes_were_read_has_its_columns_too() {
    let house = House::new();
    house.write("new/run", STAYS);
    let (tell, told) = mpsc::channel();
    let (give, given) = mpsc::channel();
    let told = Mutex::new(told);
    let _tree = Talker::tree(&house, move |_, _| {
        let reader = child(told.lock().unwrap().recv().unwrap());
        // It waits to be asked for more.
        wait_until_in(reader, &[SYS_read]);
        let new = Command::new("sleep").arg("1000").spawn().unwrap();
        assert_eq!(cmdline(new.id()), "sleep 1000");
        let said = said("run", new.id(), "up", false).replacen('{', "{\"name\":\"new\",", 1);
        give.send(new).unwrap();
        Answer::Say(format!("{said}\n{{\"ok\":true,\"services\":1}}"))
    });
    let list = Background::start(&mut house.command("svctl-list", ""));
    tell.send(list.pid()).unwrap();
    let outcome = list.finish();
    let mut new = given.try_recv().unwrap();
    new.kill().unwrap();
    new.wait().unwrap();
    let row = outcome.stdout.lines().nth(1).unwrap();
    let cells: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(cells[..6], ["new", "run", "yes", &new.id().to_string(), "sleep", "1000"], "{row}");
    assert!(cells[9].ends_with("ms") && cells[10].ends_with(['K', 'M']), "{row}");
}

#[test]
fn whether_it_is_enabled_does_not_depend_on_the_services_before_it() {
    let house = House::new();
    for name in ["a", "b"] {
        house.write(&format!("{name}/run"), STAYS);
    }
    let _tree = Talker::tree(&house, |_, _| {
        let said =
            |name: &str| said("run", 1, "up", false).replacen('{', &format!("{{\"name\":\"{name}\","), 1);
        Answer::Say(format!("{}\n{}\n{{\"ok\":true,\"services\":2}}", said("a"), said("b")))
    });
    let enabled = |words: &str| {
        let lines = run(&mut house.command("svctl-list", words)).stdout;
        lines.lines().map(|line| field(line, "enabled").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(enabled("--json"), ["true", "true"]);
    fs::remove_file(house.at("b/run")).unwrap();
    assert_eq!(enabled("--json"), ["true", "null"]);
    assert_eq!(enabled("--json b"), ["null"]);
}

#[test]
fn a_list_that_gets_no_child_reads_the_processes_itself() {
    needs!(tool("strace"));
    let mut house = House::new();
    house.serve(&svrun(), "web");
    let pid = house.pid("web");
    until("it is no sleep yet", || cmdline(pid) == "sleep 1000");
    let list = format!("{} --json", program("svctl-list").display());
    for calls in ["clone,?clone3,?fork,?vfork", "pipe2"] {
        let inject = format!("-qq -o calls -e trace={calls} -e inject={calls}:error=EMFILE {list}");
        let outcome = run(&mut house.command("strace", &inject));
        assert_eq!((outcome.status, &*outcome.stderr), (0, ""), "{calls}");
        assert!(outcome.stdout.contains("\"command\":[\"sleep\",\"1000\"],\"processes\":1,"), "{outcome:?}");
        assert_eq!(house.text("calls").matches("(INJECTED)").count(), 1, "{calls}");
    }
}

#[test]
fn a_service_under_runsv_or_supervise_has_its_row_too() {
    for (supervisor, package) in [("runsv", "runsv"), ("supervise", "supervise")] {
        needs!(tool(package));
        let mut house = House::new();
        house.serve(supervisor, "a");
        let pid = house.pid("a");
        until("it is no sleep yet", || cmdline(pid) == "sleep 1000");
        let text = run(&mut house.command("svctl-list", "a")).stdout;
        let row = text.lines().nth(1).unwrap();
        let pid = pid.to_string();
        let cells: Vec<&str> = row.split_whitespace().take(6).collect();
        assert_eq!(cells, ["a", "run", "yes", &pid, "sleep", "1000"], "{supervisor}: {text}");
    }
}

#[test]
fn json_has_what_the_table_has() {
    needs!(tool("jq"));
    let mut house = House::new();
    house.write("web/run", "#!/bin/sh\nexec sleep '1000.5'\n");
    house.serve(&svrun(), "web");
    house.write("lost/run", STAYS);
    let pid = house.pid("web");
    until("it is no sleep yet", || cmdline(pid) == "sleep 1000.5");
    let asked = |line: &str, filter: &str| {
        let script = format!("svctl-list {line} | jq -c '{filter}'");
        let outcome = run(house.command("sh", "-c").arg(script));
        assert_eq!((outcome.status, &*outcome.stderr), (0, ""), "{line}");
        outcome.stdout
    };
    let filter = "[.service, .ok, .state, .pid, .enabled, .command, .processes, .cgroup]";
    assert_eq!(
        asked("--json", filter),
        format!(
            "[\"lost\",false,null,null,true,null,null,null]\n\
             [\"web\",true,\"run\",{pid},true,[\"sleep\",\"1000.5\"],1,null]\n"
        )
    );
    assert_eq!(asked("--json lost", ".error"), "\"no supervisor\"\n");
    assert_eq!(asked("--json web", ".memory > 4096 and .cpu >= 0 and .cpu < 60"), "true\n");
    assert_eq!(asked("--json web", "has(\"tree\")"), "false\n");
    assert_eq!(
        asked("-t --json", ".tree | if . then map([.pid, .depth, .command]) else . end"),
        format!("null\n[[{pid},0,[\"sleep\",\"1000.5\"]]]\n")
    );
    // As on the page: those alone that run have any memory.
    let most = "svctl-list --json | jq -rs 'map(select(.memory)) | sort_by(-.memory)[:5][] | .service'";
    assert_eq!(run(house.command("sh", "-c").arg(most)), prints("web\n"));
}

#[test]
fn the_live_table_is_drawn_again_when_something_happens() {
    let mut house = House::new();
    house.serve(&svrun(), "web");
    let mut terminal = Terminal::start(&house, 80, UTF8, "stty -g; svctl-list -w; stty -g");
    terminal.until("no table", |text| text.contains("NAME ") && text.contains("\x1b[32mrun\x1b[m"));
    assert!(terminal.seen.contains("\x1b[?1049h\x1b[?25l\x1b[HNAME "), "{:?}", terminal.seen);
    // By an event of the supervisor, and by each tick.
    assert_eq!(house.svctl("-w 60 down web").status, 0);
    terminal.until("it is not down", |text| text.contains("\nweb   down "));
    terminal.until("no tick", |text| text.matches("\nweb   down ").count() > 3);
    assert_eq!(house.svctl("up web").status, 0);
    terminal.forget();
    terminal.until("it is not up again", |text| text.contains("\x1b[32mrun\x1b[m"));
    terminal.types("xq");
    let text = terminal.finish();
    let (_, end) = text.rsplit_once("\x1b[J").unwrap();
    assert!(end.starts_with("\x1b[?25h\x1b[?1049l"), "{end:?}");
}

#[test]
fn the_terminal_is_as_it_was_whatever_ends_the_live_table() {
    let mut house = House::new();
    house.serve(&svrun(), "web");
    for end in ["q", "Q", "\x03", "\x1c"] {
        let mut terminal =
            Terminal::start(&house, 80, UTF8, "trap : INT QUIT; stty -g; svctl-list -w; stty -g");
        terminal.until("no table", |text| text.contains("NAME ") && text.contains("\x1b[J"));
        terminal.types(end);
        let text = terminal.finish();
        let before = text.lines().next().unwrap().split('\x1b').next().unwrap();
        assert!(text.trim_end().ends_with(&format!("\x1b[?25h\x1b[?1049l{before}")), "{end:?}: {text:?}");
    }
    // After its time, and when the terminal is resized meanwhile.
    let line = "svctl-list -w 1.5 & stty cols 40; wait $!";
    let text = Terminal::show(&house, 80, UTF8, line);
    assert!(text.ends_with("\x1b[?25h\x1b[?1049l"), "{text:?}");
}

#[test]
fn what_is_no_terminal_gets_a_new_table_when_a_state_changes() {
    let mut house = House::new();
    house.serve(&svrun(), "web");
    for (variables, line) in [("", "-w"), ("TERM=dumb", "-w web")] {
        let mut terminal =
            Terminal::start(&house, 80, "TERM=dumb", &format!("{variables} svctl-list {line} | cat"));
        terminal.until("no table", |text| text.contains("\nweb   run "));
        assert_eq!(house.svctl("-w 60 down web").status, 0);
        terminal.until("no second table", |text| {
            text.contains("\r\n\r\nNAME ") && text.contains("\nweb   down ")
        });
        assert_eq!(house.svctl("-w 60 up web").status, 0);
        terminal.until("no third table", |text| text.matches("\nweb   run ").count() > 1);
        assert!(!terminal.seen.contains('\x1b'), "{:?}", terminal.seen);
        terminal.types("\x03");
    }
}

#[test]
fn a_terminal_that_was_resized_while_the_table_was_stopped_is_measured_again() {
    let mut house = House::new();
    house.serve(&svrun(), "web");
    let line = "set -m; svctl-list -w; stty cols 30; echo stopped; fg";
    let mut terminal = Terminal::start(&house, 80, &format!("{UTF8} NO_COLOR=1"), line);
    terminal.until("no table", |text| text.contains("COMMAND") && text.contains("\x1b[J"));
    terminal.types("\x1a");
    terminal
        .until("it does not stop", |text| text.contains("\x1b[?25h\x1b[?1049l") && text.contains("stopped"));
    terminal.until("no table again", |text| {
        text.rsplit_once("stopped").is_some_and(|(_, again)| again.contains("\x1b[J"))
    });
    terminal.types("q");
    let text = terminal.finish();
    let (_, again) = text.rsplit_once("stopped").unwrap();
    assert!(again.contains("NAME") && !again.contains("COMMAND"), "{again:?}");
}

#[test]
fn what_is_not_drawn_on_the_terminal_is_stopped_as_any_other_program() {
    let mut house = House::new();
    house.serve(&svrun(), "web");
    for (variables, line) in [(UTF8, "svctl-list -w --json"), ("TERM=dumb", "svctl-list -w")] {
        let line = format!("set -m; {line}; echo status $?; kill -KILL %1");
        let mut terminal = Terminal::start(&house, 80, variables, &line);
        terminal.until("nothing is printed", |text| text.contains("web"));
        terminal.types("\x1a");
        let stopped = format!("status {}", 128 + nix::libc::SIGTSTP);
        terminal.until("it does not end", |text| text.contains("status "));
        terminal.until("it has ended", |text| text.contains(&stopped));
    }
}

#[test]
fn a_table_of_nothing_is_printed_once() {
    let mut house = House::new();
    house.serve(&svrun(), "web");
    let outcome = run(&mut house.command("svctl-list", "-w 2.5 --failed"));
    assert_eq!((outcome.status, outcome.stdout.lines().count()), (0, 1), "{}", outcome.stdout);
}

#[test]
fn a_reload_is_a_part_of_the_state() {
    let mut house = House::new();
    house.write("web/reload", "#!/bin/sh\nuntil [ -e go ]; do sleep 0.1; done\n");
    house.serve(&svrun(), "web");
    let list = Background::start(house.command("sh", "-c").arg("exec svctl-list -w >out"));
    until("nothing is printed", || house.text("out").contains("web   run  "));
    let reload = Background::start(&mut house.command("svctl", "-w 60 reload web"));
    until("no reload", || house.text("out").contains("web   run, reloading  "));
    let shown = run(&mut house.command("svctl-show", "web")).stdout;
    assert!(shown.starts_with("web: run, reloading since "), "{shown}");
    house.write("web/go", "");
    assert_eq!(reload.finish().status, 0);
    until("no end of the reload", || house.text("out").matches("web   run  ").count() > 1);
    signal("TERM", list.pid());
    assert_eq!(list.finish(), prints(""));
}

#[test]
fn objects_are_printed_again_of_those_alone_that_have_changed() {
    let mut house = House::new();
    house.serve(&svrun(), "db");
    house.serve(&svrun(), "web");
    for name in ["db", "web"] {
        house.wait_until(name, "run");
    }
    let list = Background::start(house.command("sh", "-c").arg("exec svctl-list -w --json >out"));
    until("nothing is printed", || house.text("out").lines().count() == 2);
    assert_eq!(house.svctl("-w 60 down web").status, 0);
    let last = || house.text("out").lines().last().unwrap().to_owned();
    until("it is not down", || last().contains("\"service\":\"web\",\"ok\":true,\"state\":\"down\""));
    signal("TERM", list.pid());
    assert_eq!(list.finish(), prints(""));
    let text = house.text("out");
    let names: Vec<_> = text.lines().map(|line| line.split('"').nth(3).unwrap()).collect();
    assert!(names[..2] == ["db", "web"] && names[2..].iter().all(|name| *name == "web"), "{text}");
}

#[test]
fn a_number_behind_w_is_a_time_and_other_words_are_services() {
    let mut house = House::new();
    house.serve(&svrun(), "7");
    house.serve(&svrun(), "web");
    let names = |line: &str| {
        let outcome = house.svctl(line);
        assert_eq!((outcome.status, &*outcome.stderr), (0, ""), "{line}");
        let name = |line: &str| line.split(' ').next().unwrap().to_owned();
        outcome.stdout.lines().map(name).collect::<Vec<_>>().join(" ")
    };
    // However short the time is, what there is is shown once.
    assert_eq!(names("list -w 0"), "NAME 7 web");
    assert_eq!(names("-w 0 list"), "NAME 7 web");
    assert_eq!(names("list web -w 0"), "NAME web");
    assert_eq!(names("list -tw 0 7"), names("list -t 7"));
    house.wait_until("7", "run"); // what changes is shown again
    let list = Background::start(house.command("sh", "-c").arg("exec svctl-list -w -- 7 >out"));
    // It waits for the answer of the supervisor too, before it shows anything.
    until("nothing is printed", || house.text("out").lines().count() == 2);
    signal("INT", list.pid());
    list.finish();
    assert!(house.text("out").lines().nth(1).unwrap().starts_with("7  "));
}

#[test]
fn wrong_command_lines_of_the_list_are_usage_errors() {
    let house = House::new();
    let of = |line: &str| run(&mut house.command("svctl-list", line));
    assert_eq!(of("-x"), misuse("svctl-list", "invalid option '-x'"));
    assert_eq!(of("--wide"), misuse("svctl-list", "invalid option '--wide'"));
    let outcome = of("nothing");
    assert_eq!(outcome.status, 1);
    assert!(outcome.stdout.starts_with("fail: nothing: unable to change to service directory: "));
}
