//! The output of svctl: the table, JSON, and usage errors.

use super::harness::*;
use crate::needs;
use crate::support::*;

/// A house with a service in each state. No process has these pids.
fn full() -> (House, Vec<Fake>) {
    let house = House::new();
    let fakes = [
        ("down", 0, [0, b'd', 0, 0]),
        ("finish", 5_000_078, [0, b'u', 0, 2]),
        ("paused", 5_000_079, [1, b'u', 0, 1]),
        ("run", 5_000_080, [0, b'u', 0, 1]),
    ];
    let fakes = fakes.into_iter().map(|(name, pid, bytes)| {
        let fake = Fake::new(&house, name);
        fake.status(pid, bytes);
        fake
    });
    let fakes = fakes.collect();
    house.write("new/run", STAYS);
    house.write(".hidden/run", STAYS);
    house.write("file", "");
    let gave_up = said("down", 0, "down", false).replace("\"hold\":null", "\"hold\":\"gave up\"");
    Talker::new(&house, "up", |_, _| {
        Answer::Say(said("run", 5_000_007, "up", false).replace("\"ready\":null", "\"ready\":true"))
    });
    Talker::new(&house, "worn", move |_, _| Answer::Say(gave_up.clone()));
    (house, fakes)
}

#[test]
fn the_table_has_a_line_for_each_service() {
    let (house, _fakes) = full();
    // The numbers as they are would be different each time.
    let expected = "\
NAME    STATE          ENABLED  PID  COMMAND  FOR  RESTARTS  READY  CPU  MEM  LAST DEATH
down    down           -        -    -        N    -         -      -    -    -
finish  finish         -        N    -        N    -         -      -    -    -
new     no supervisor  yes      -    -        -    -         -      -    -    -
paused  run, paused    -        N    -        N    -         -      -    -    -
run     run            -        N    -        N    -         -      -    -    -
up      run            -        N    -        N    N         yes    -    -    SIGSEGV (core dumped), N ago
worn    gave up        -        -    -        N    N         -      -    -    SIGSEGV (core dumped), N ago
";
    let words = |text: &str| {
        let ages = |word: &str| {
            let word = without_numbers(word);
            if word.starts_with('N') { "N".to_owned() } else { word }
        };
        let lines = text.lines().map(|line| line.split_whitespace().map(ages).collect::<Vec<_>>().join(" "));
        lines.collect::<Vec<_>>()
    };
    for command in ["", "list"] {
        let outcome = house.svctl(command);
        assert_eq!((outcome.status, &*outcome.stderr), (0, ""));
        assert_eq!(words(&outcome.stdout), words(expected), "{}", outcome.stdout);
        assert!(outcome.stdout.is_ascii() && !outcome.stdout.contains('\u{1b}'));
    }
    let outcome = house.svctl("list run nothing new");
    assert_eq!(outcome.status, 1);
    assert!(
        words(&outcome.stdout).contains(&"new no supervisor yes - - - - - - - -".to_owned()),
        "{}",
        outcome.stdout
    );
    assert!(outcome.stdout.contains("fail: nothing: unable to change to service directory: No such file"));
    assert!(outcome.stdout.contains("\nrun "), "{}", outcome.stdout);
}

#[test]
fn colours_are_for_terminals_and_on_request() {
    needs!(tool("script"));
    let (house, _fakes) = full();
    let on_terminal = |variables: &str| {
        let script = format!("env {variables} script -qec svctl /dev/null </dev/null");
        run(sh(&script).env("SVDIR", house.at(".")).env("TERM", "xterm").env_remove("NO_COLOR")).stdout
    };
    let table = on_terminal("X=");
    assert!(
        table.contains("\u{1b}[32mrun\u{1b}[m") && table.contains("\u{1b}[31mgave up\u{1b}[m"),
        "{table}"
    );
    for variables in ["NO_COLOR=1", "TERM=dumb"] {
        assert!(!on_terminal(variables).contains('\u{1b}'), "{variables}");
    }
    assert!(on_terminal("NO_COLOR=").contains('\u{1b}'), "empty is not set");
}

#[test]
fn the_table_has_loggers_too_with_v() {
    let mut house = House::new();
    house.write("a/log/run", STAYS);
    house.serve(&svrun(), "a");
    let names = |words: &str| {
        let table = house.svctl(words).stdout;
        table.lines().map(|line| line.split(' ').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("list"), ["NAME", "a"]);
    assert_eq!(names("-v list"), ["NAME", "a", "a/log"]);
    assert_eq!(names("-v"), ["NAME", "a", "a/log"]);
}

#[test]
fn json_is_an_object_a_line_for_each_service() {
    let (house, _fakes) = full();
    let objects = |words: &str| {
        let outcome = house.svctl(words);
        assert_eq!(outcome.stderr, "", "{words}");
        (outcome.status, outcome.stdout.lines().map(without_numbers).collect::<Vec<_>>())
    };
    let ours = "\"ok\":true,\"state\":\"run\",\"pid\":N,\"want\":\"up\",\"since\":N.N,\"seconds\":N.N,";
    let (status, lines) = objects("--json status up");
    assert_eq!((status, lines.len()), (0, 1));
    assert!(lines[0].starts_with(&format!("{{\"service\":\"up\",{ours}")), "{}", lines[0]);
    let bytes = "{\"service\":\"run\",\"ok\":true,\"state\":\"run\",\"pid\":N,\"want\":\"up\",\"since\":N.N,\
                 \"seconds\":N.N,\"paused\":false,\"term\":false,\"hold\":null,\"reason\":null,\"needs\":null,\"next\":null,\"ready\":null,\
                 \"status\":null,\
                 \"restarts\":null,\"short\":null,\"death\":null,\"control\":null,\"log\":null,\"supervisor\":null}";
    assert_eq!(objects("--json status run"), (0, vec![bytes.to_owned()]));
    assert_eq!(objects("--json up run"), (0, vec![bytes.to_owned()]));
    let (status, lines) = objects("--json list");
    assert_eq!((status, lines.len()), (0, 7));
    let new = "{\"service\":\"new\",\"ok\":false,\"error\":\"no supervisor\",\"hint\":null,\"enabled\":true,\
               \"command\":null,\"processes\":null,\"cpu\":null,\"memory\":null,\"cgroup\":null}";
    assert_eq!(lines[2], new);
    let new = format!(
        "{{\"service\":\"new\",\"ok\":false,\
         \"error\":\"no supervisor\",\
         \"hint\":\"no supervisor: start 'svrun {}'\"}}",
        house.at("new").display()
    );
    assert_eq!(house.svctl("--json up new"), Outcome { status: 1, ..prints(new + "\n") });
    let late = "{\"service\":\"down\",\"ok\":false,\"error\":\"timeout\",\"hint\":null}\n";
    assert_eq!(house.svctl("--json -w 0 start down"), Outcome { status: 1, ..prints(late) });
    assert_eq!(objects("--json status no\"body").1[0].find("\"service\":\"no\\\"body\""), Some(1));
}

#[test]
fn a_hint_comes_once_below_the_error() {
    let house = House::new();
    house.write("new/run", STAYS);
    let fail = |name: &str| {
        format!("fail: {name}: unable to change to service directory: No such file or directory\n")
    };
    let outcome = house.svctl("status no nothing");
    assert_eq!(outcome.stdout, fail("no") + &fail("nothing"));
    let directory = house.at("").display().to_string();
    let directory = directory.trim_end_matches('/');
    let hint = format!("svctl: hint: services are in {directory} or where SVDIR says, or write a path\n");
    assert_eq!(outcome.stderr, hint);
    assert_eq!(house.svctl("status ./no").stderr, "svctl: hint: no such service directory\n");
    for (name, path) in [
        ("new", format!("{directory}/new")),
        ("./new", "./new".into()),
        ("new/log", format!("{directory}/new")),
    ] {
        house.write("new/log/run", STAYS);
        let hint = format!("svctl: hint: no supervisor: start 'svrun {path}'\n");
        assert_eq!(house.svctl(&format!("up {name}")).stderr, hint);
    }
    let fake = Fake::new(&house, "s6");
    fake.bytes(&[0; 35]);
    let outcome = house.svctl("status s6");
    assert_eq!(outcome.stdout, "warning: s6: unable to read supervise/status: bad format\n");
    assert!(
        outcome.stderr.starts_with("svctl: hint: neither runit's nor daemontools' format"),
        "{}",
        outcome.stderr
    );
    let outcome = run(house.command("svctl", "").env("SVDIR", "/no/such"));
    let text = "svctl-list: fatal: unable to read /no/such: No such file or directory\n\
                svctl-list: hint: services are where SVDIR says, or name them\n";
    assert_eq!(outcome, fails(111, text));
}

#[test]
fn a_usage_error_names_the_problem() {
    let house = House::new();
    for (words, problem) in [
        ("up", "missing service"),
        ("stop", "missing service"),
        ("-w x up a", "not a number of seconds: x"),
        ("-w", "missing argument for option '-w'"),
        ("-q up a", "invalid option '-q'"),
        ("--jsonx up a", "invalid option '--jsonx'"),
        ("signal", "missing signal"),
        ("signal NONE a", "not a signal: NONE"),
        ("signal TERM", "missing service"),
        ("wait", "missing condition"),
        ("wait -o", "missing condition"),
        ("wait for a", "not up, down, ready or finished: for"),
        ("wait up", "missing service"),
    ] {
        assert_eq!(house.svctl(words), misuse("svctl", problem), "{words}");
    }
}

#[test]
fn an_unknown_command_gets_the_nearest_one_suggested() {
    let house = House::new();
    for (word, hint) in [
        ("event", "did you mean 'events'?"),
        ("strat", "did you mean 'start'?"),
        ("restrat", "did you mean 'restart'?"),
        ("tyr-restart", "did you mean 'try-restart'?"),
        ("reload!", "did you mean 'reload'?"),
        ("lgo", "did you mean 'log'?"),
        ("hlep", "did you mean 'help'?"),
        ("lits", "did you mean 'list'?"),
        ("STATUS", "'svctl --help' lists the commands"),
        ("frobnicate", "'svctl --help' lists the commands"),
        ("\u{e9}", "'svctl --help' lists the commands"),
    ] {
        let outcome = house.svctl(&format!("{word} web"));
        let problem = misuse("svctl", &format!("unknown command: {word}")).stderr;
        let stderr = format!("{problem}svctl: hint: {hint}\n");
        assert_eq!(outcome, Outcome { status: 100, stdout: String::new(), stderr }, "{word}");
    }
}

#[test]
fn help_lists_every_command_with_a_line() {
    let help = House::new().svctl("--help");
    assert_eq!((help.status, &*help.stderr), (0, ""));
    let (_, commands) = help.stdout.split_once("\ncommands:\n").unwrap();
    // In groups, each with a heading.
    let rows = commands.lines().filter(|line| line.starts_with(' '));
    let words: Vec<&str> = rows.map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(words[..7], ["start", "stop", "restart", "reload", "list", "show", "log"], "{commands}");
    for word in
        ["up", "once", "2", "exit", "restart", "force-shutdown", "status", "wait", "signal", "upgrade"]
    {
        assert!(words.contains(&word), "{word}: {commands}");
    }
    // As the page has them, and the completions.
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/man/svctl.1")).unwrap();
    let bash =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/completions/svctl.bash")).unwrap();
    for word in words {
        let word = |text: &str| text.split([' ', '\n', '\t', '\'']).any(|other| other == word);
        assert!(word(&page) && word(&bash), "{commands}");
    }
}

#[test]
fn help_is_asked_for_as_an_option_or_as_a_command() {
    let house = House::new();
    let help = house.svctl("--help");
    for words in ["-h", "help", "status -h", "-v help"] {
        assert_eq!(house.svctl(words), help, "{words}");
    }
    let line = |word: &str| {
        help.stdout.lines().find_map(|line| line.trim().strip_prefix(word)?.strip_prefix("  ")).unwrap()
    };
    for (word, words) in [("start", "start"), ("d", "down, d"), ("status", "status, s")] {
        let help = line(words.split(',').next().unwrap()).trim_start();
        assert_eq!(house.svctl(&format!("help {word}")), prints(format!("{words}: {help}\n")));
    }
    let unknown = misuse("svctl", "unknown command: strat").stderr + "svctl: hint: did you mean 'start'?\n";
    assert_eq!(house.svctl("help strat"), fails(100, unknown));
    // To sv it is a letter that means nothing, or a service.
    let as_sv = run(&mut house.command(house.called("sv"), "-h a"));
    assert_eq!((as_sv.status, &*as_sv.stdout), (100, ""), "{}", as_sv.stderr);
    let of_sv = run(&mut house.command(house.called("sv"), "--help")).stdout;
    assert!(of_sv.contains("\n  once ") && !of_sv.contains("\n  list "), "{of_sv}");
}

#[test]
fn options_may_follow_the_command_and_its_services() {
    let house = House::new();
    let fake = Fake::new(&house, "a");
    fake.status(0, [0, b'd', 0, 0]);
    let late = |words: &str| {
        let outcome = house.svctl(words);
        assert_eq!((outcome.status, &*outcome.stderr), (1, ""), "{words}: {}", outcome.stdout);
        outcome.stdout
    };
    for words in ["start -w 0 a", "start a -w0", "start a -v -w 0", "wait -o up a -w 0", "wait -w 0 up -a a"]
    {
        assert_eq!(without_numbers(&late(words)), "timeout: down: a: Ns, normally up\n", "{words}");
    }
    let object = "{\"service\":\"a\",\"ok\":false,\"error\":\"timeout\",\"hint\":null}\n";
    assert_eq!(late("start a --json -w 0"), object);
    assert_eq!(house.svctl("status a -x"), misuse("svctl", "invalid option '-x'"));
    assert_eq!(house.svctl("status -o a"), misuse("svctl", "invalid option '-o'"));
    // Behind -- there are none.
    let outcome = house.svctl("status -v -- -v");
    assert!(outcome.stdout.starts_with("fail: -v: unable to change"), "{}", outcome.stdout);
    // To sv they are services.
    let as_sv = run(&mut house.command(house.called("sv"), "status a -v"));
    assert!(as_sv.stdout.contains("fail: -v: unable to change"), "{}", as_sv.stdout);
}

#[test]
fn hints_fit_what_was_written() {
    let house = House::new();
    house.write("sv/web/run", STAYS);
    house.write("empty/notes", "");
    let hint = |words: &str| {
        let outcome = run(house.command("svctl", words).env("SVDIR", house.at("empty")));
        assert_eq!(outcome.status, 1, "{words}");
        outcome.stderr
    };
    assert_eq!(hint("status sv/web"), "svctl: hint: a path begins with a dot or a slash: ./sv/web\n");
    assert_eq!(hint("status sv/web/"), "svctl: hint: no supervisor: start 'svrun sv/web/'\n");
    assert_eq!(hint("status ./empty"), "svctl: hint: no service directory: there is no run in it\n");
    let file = "svctl: hint: a service is a directory with a script run in it\n";
    assert_eq!(hint("status ./empty/notes"), file);
    assert_eq!(hint("status notes"), file);
}

#[test]
fn only_the_name_of_a_service_makes_an_init_script() {
    let mut house = House::new();
    house.serve(&bin().join("svrun").display().to_string(), "a");
    let called = |name: &str, words: &str| {
        let outcome = run(&mut house.command(house.called(name), words));
        (outcome.status, without_numbers(&outcome.stdout))
    };
    for name in ["svctl-0.1", "svctl.real", "my-sv-control"] {
        assert_eq!(called(name, "status a"), (0, "run: a: (pid N) Ns\n".into()), "{name}");
        assert!(called(name, "list").1.starts_with("NAME "), "{name}");
    }
    assert_eq!(called("svctl-0.1", "status"), (0, "run: a: (pid N) Ns\n".into()));
    assert_eq!(called("a", "status"), (0, "run: a: (pid N) Ns\n".into()));
    // An init script whose service is gone says so, as sv does.
    assert_eq!(called("gone", "status").0, 1);
    house.write("svctl-1/run", STAYS);
    assert_eq!(called("svctl-1", "status").0, 4);
}

#[test]
fn text_of_a_service_is_escaped() {
    let house = House::new();
    let evil = r#""\u001b]0;x\u0007\u009b1m""#;
    let answer = said("down", 0, "up", false)
        .replace("\"hold\":null", &format!("\"hold\":{evil}"))
        .replace("\"status\":null", &format!("\"status\":{evil}"))
        .replace("\"SEGV\"", evil);
    // A raw one is no JSON; but whoever speaks here may be anybody.
    let raw = answer.replace("\\u001b", "\u{1b}").replace("\\u009b", "\u{9b}").replace("\\u0007", "\u{7}");
    let event = format!("{{\"event\":{evil},\"time\":1,\"pid\":1}}");
    for (name, answer) in [("a", answer), ("b", raw)] {
        let event = event.clone();
        Talker::new(&house, name, move |number, line| match line {
            "events" => Answer::Then(answer.clone(), event.clone()),
            "down" => Answer::Say(format!("{{\"ok\":false,\"error\":{}}}", "\"\u{1b}[2J\"")),
            _ if number > 50 => Answer::Close,
            _ => Answer::Say(answer.clone()),
        });
        for words in
            ["status", "list", "--json status", "-w 0.1 start", "--json -w 0.1 start", "down", "--json down"]
        {
            let outcome = house.svctl(&format!("{words} {name}"));
            let text = outcome.stdout + &outcome.stderr;
            assert!(
                !text.is_empty() && text.chars().all(|c| c == '\n' || !c.is_control()),
                "{words}: {text:?}"
            );
        }
        for options in ["", "--json"] {
            let script = format!("svctl {options} events {name} | head -n 2");
            let outcome = run(sh(&script).env("SVDIR", house.at(".")));
            assert_eq!(outcome.stdout.lines().count(), 2);
            assert!(outcome.stdout.chars().all(|c| c == '\n' || !c.is_control()), "{:?}", outcome.stdout);
        }
    }
    // And a name, as a pattern of the shell may find it.
    std::fs::create_dir(house.at("c\u{1b}[2J")).unwrap();
    let outcome = run(house.command("svctl", "").args(["status", "c\u{1b}[2J"]));
    assert_eq!(outcome.stdout, "fail: c\\x1b[2J: no supervisor\n");
}

#[test]
fn readers_that_compare_the_line_of_stat_know_run_and_down() {
    // As vsv does: what is more than one of the three words is no state to it.
    let compare = |stat: &str| match stat.trim() {
        "run" => "run",
        "down" => "down",
        "finish" => "finish",
        _ => "n/a",
    };
    let mut house = House::new();
    house.write("a/restart-max", "1\n");
    house.write("a/run", "#!/bin/sh\nexec sleep 1000\n");
    house.serve(&bin().join("svrun").display().to_string(), "a");
    assert_eq!(house.svctl("start a").status, 0);
    assert_eq!(compare(&house.text("a/supervise/stat")), "run");
    assert_eq!(house.svctl("stop a").status, 0);
    assert_eq!(compare(&house.text("a/supervise/stat")), "down");
    house.write("a/run", "#!/bin/sh\nexit 1\n");
    assert_eq!(house.svctl("start a").status, 1);
    house.wait_until("a", "down, gave up");
    assert_eq!(compare(&house.text("a/supervise/stat")), "n/a", "the page says so");
}

#[test]
fn a_dead_or_full_stdout_is_an_error_and_no_panic() {
    needs!(tool("perl"));
    let (house, _fakes) = full();
    let ends = |script: &str| run(sh(script).env("SVDIR", house.at(".")));
    let dead = "perl -e 'pipe R, W; close R; open STDOUT, \">&W\"; exec @ARGV'";
    assert_eq!(ends(&format!("{dead} svctl list")), fails(111, ""));
    assert_eq!(ends(&format!("{dead} svctl status run")), fails(111, ""));
    let full = format!("svctl: fatal: unable to write: {}\n", says(nix::errno::Errno::ENOSPC));
    assert_eq!(ends("svctl status run >/dev/full"), fails(111, full));
    assert_eq!(ends("svctl status run >&-"), prints(""));
    assert_eq!(ends("svctl status run <&- >&- 2>&-"), prints(""));
    assert_eq!(ends("svctl status nothing 2>&-").status, 1);
}

#[test]
fn services_are_named_behind_two_dashes_too() {
    let house = House::new();
    for name in ["a", "b"] {
        house.write(&format!("{name}/run"), STAYS);
    }
    let expected = house.svctl("list a");
    assert_eq!(expected.stdout.lines().count(), 2, "{expected:?}");
    for words in ["-- list a", "list -- a"] {
        assert_eq!(house.svctl(words), expected, "{words}");
    }
}
