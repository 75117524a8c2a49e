//! What svctl shows: the table, JSON, and what it says of misuse.

use super::house::*;
use crate::needs;
use crate::support::*;

fn svrun() -> String {
    bin().join("svrun").display().to_string()
}

/// A house with a service in each state.
fn full() -> (House, Vec<Fake>) {
    let house = House::new();
    let fakes = [
        ("down", 0, [0, b'd', 0, 0]),
        ("finish", 78, [0, b'u', 0, 2]),
        ("paused", 79, [1, b'u', 0, 1]),
        ("run", 80, [0, b'u', 0, 1]),
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
        Answer::Say(said("run", 7, "up", false).replace("\"ready\":null", "\"ready\":true"))
    });
    Talker::new(&house, "worn", move |_, _| Answer::Say(gave_up.clone()));
    (house, fakes)
}

#[test]
fn the_table_has_a_line_for_each_service() {
    let (house, _fakes) = full();
    // The numbers as they are would be different each time.
    let expected = "\
NAME    STATE          PID  SINCE  RESTARTS  READY  LAST DEATH
down    down           -    N      -         -      -
finish  finish         N    N      -         -      -
new     no supervisor  -    -      -         -      -
paused  run, paused    N    N      -         -      -
run     run            N    N      -         -      -
up      run            N    N      N         yes    SIGSEGV (core dumped), N ago
worn    down, gave up  -    N      N         -      SIGSEGV (core dumped), N ago
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
    assert_eq!(outcome.status, 2);
    assert!(outcome.stdout.contains("fail: nothing: unable to change to service directory: No such file"));
    assert!(outcome.stdout.contains("\nrun "), "{}", outcome.stdout);
}

#[test]
fn colours_are_for_terminals_and_for_who_wants_them() {
    needs!(tool("script"));
    let (house, _fakes) = full();
    let on_terminal = |variables: &str| {
        let script = format!("env {variables} script -qec svctl /dev/null </dev/null");
        run(sh(&script).env("SVDIR", house.at(".")).env("TERM", "xterm").env_remove("NO_COLOR")).stdout
    };
    let table = on_terminal("X=");
    assert!(
        table.contains("\u{1b}[32mrun\u{1b}[m") && table.contains("\u{1b}[31mdown, gave up\u{1b}[m"),
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
                 \"seconds\":N,\"paused\":false,\"term\":false,\"hold\":null,\"next\":null,\"ready\":null,\
                 \"status\":null,\
                 \"restarts\":null,\"short\":null,\"death\":null,\"log\":null,\"supervisor\":null}";
    assert_eq!(objects("--json status run"), (0, vec![bytes.to_owned()]));
    assert_eq!(objects("--json up run"), (0, vec![bytes.to_owned()]));
    let (status, lines) = objects("--json list");
    assert_eq!((status, lines.len()), (0, 7));
    assert_eq!(lines[2], "{\"service\":\"new\",\"ok\":false,\"error\":\"no supervisor\",\"hint\":null}");
    let new = format!(
        "{{\"service\":\"new\",\"ok\":false,\
         \"error\":\"unable to open supervise/ok: No such file or directory\",\
         \"hint\":\"no supervisor: start 'svrun {}'\"}}",
        house.at("new").display()
    );
    assert_eq!(house.svctl("--json up new"), Outcome { status: 1, ..prints(new + "\n") });
    let late = "{\"service\":\"down\",\"ok\":false,\"error\":\"timeout\",\"hint\":null}\n";
    assert_eq!(house.svctl("--json -w 0 start down"), Outcome { status: 1, ..prints(late) });
    assert_eq!(objects("--json status no\"body").1[0].find("\"service\":\"no\\\"body\""), Some(1));
}

#[test]
fn what_helps_is_said_once_below_what_is_wrong() {
    let house = House::new();
    house.write("new/run", STAYS);
    let fail = |name: &str| {
        format!("fail: {name}: unable to change to service directory: No such file or directory\n")
    };
    let outcome = house.svctl("status no nothing");
    assert_eq!(outcome.stdout, fail("no") + &fail("nothing"));
    let folder = house.at("").display().to_string();
    let folder = folder.trim_end_matches('/');
    let hint = format!("svctl: hint: services are in {folder} or where SVDIR says, or write a path\n");
    assert_eq!(outcome.stderr, hint);
    assert_eq!(house.svctl("status ./no").stderr, "svctl: hint: no such service directory\n");
    for (name, path) in
        [("new", format!("{folder}/new")), ("./new", "./new".into()), ("new/log", format!("{folder}/new"))]
    {
        std::fs::create_dir_all(house.at("new/log")).unwrap();
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
    let text = "svctl: fatal: unable to read /no/such: No such file or directory\n\
                svctl: hint: services are where SVDIR says, or name them\n";
    assert_eq!(outcome, fails(111, text));
}

#[test]
fn misuse_names_what_is_wrong() {
    let house = House::new();
    for (words, problem) in [
        ("up", "missing service"),
        ("status", "missing service"),
        ("events", "missing service"),
        ("event a", "unknown command: event"),
        ("strat a", "unknown command: strat"),
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
    let outcome = house.svctl("status --json a");
    let hint = "svctl: hint: options are in front of the command; a path may begin with ./\n";
    assert_eq!(outcome.stderr, misuse("svctl", "not a service: --json").stderr + hint);
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
