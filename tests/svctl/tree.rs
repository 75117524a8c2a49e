//! svctl and a tree, which answers for all its services on one socket.

use super::harness::*;
use crate::support::*;

/// What the tree says of a service, and of its readiness.
fn of_tree(name: &str, status: &str) -> String {
    status.replacen('{', &format!("{{\"name\":\"{name}\","), 1)
}

/// A service that has run for long.
fn runs(pid: u32) -> String {
    said("run", pid, "up", false)
}

/// A service that waits for others.
fn waits(needs: &str) -> String {
    let hold = format!("\"hold\":\"waiting for\",\"needs\":\"{needs}\"");
    said("down", 0, "up", false)
        .replace("\"hold\":null", &hold)
        .replace("\"seconds\":12.345", "\"seconds\":3.5")
}

/// The answer to `list`.
fn list(services: &[(&str, String)]) -> String {
    let mut lines: Vec<String> = services.iter().map(|(name, status)| of_tree(name, status)).collect();
    lines.push(format!("{{\"ok\":true,\"services\":{}}}", services.len()));
    lines.join("\n")
}

/// A tree with these services, which are directories with `run`, but no sockets of their own.
fn tree(house: &House, services: &[(&str, String)]) -> Talker {
    for (name, _) in services {
        house.write(&format!("{name}/run"), STAYS);
    }
    let (all, services) = (
        list(services),
        services.iter().map(|(name, status)| ((*name).to_owned(), status.clone())).collect::<Vec<_>>(),
    );
    Talker::tree(house, move |_, line| match line.strip_prefix('@').and_then(|line| line.split_once(' ')) {
        None if line == "list" => Answer::Say(all.clone()),
        None if line == "list log" => Answer::Say("{\"ok\":true,\"services\":0}".into()),
        None if line == "rescan" => Answer::Say("{\"ok\":true,\"services\":7}".into()),
        Some((of, _)) => match services.iter().find(|(name, _)| name == of) {
            Some((name, status)) => Answer::Say(of_tree(name, status)),
            None => Answer::Say(format!("{{\"ok\":false,\"error\":\"no such service\",\"name\":\"{of}\"}}")),
        },
        None => Answer::Say("{\"ok\":false,\"error\":\"unknown command\"}".into()),
    })
}

#[test]
fn the_list_of_a_tree_is_one_request() {
    let house = House::new();
    let worn = said("down", 0, "down", false).replace("\"hold\":null", "\"hold\":\"gave up\"");
    let tree = tree(&house, &[("db", runs(5_000_007)), ("web", waits("db cache")), ("worn", worn)]);
    house.write("other/run", STAYS);
    let outcome = house.svctl("list");
    assert_eq!((outcome.status, &*outcome.stderr), (0, ""));
    let words = |line: &str| line.split_whitespace().take(6).collect::<Vec<_>>().join(" ");
    assert_eq!(
        outcome.stdout.lines().map(words).collect::<Vec<_>>(),
        [
            "NAME STATE ENABLED PID COMMAND FOR",
            "db run yes 5000007 - 12s",
            "other no supervisor yes - -",
            "web waiting for db cache yes",
            "worn gave up yes - -",
        ]
    );
    // What it does not host is asked itself, in vain here.
    assert_eq!(tree.heard(), ["list", "@other status"]);
    let objects = house.svctl("--json list").stdout;
    assert!(
        objects.starts_with("{\"service\":\"db\",\"ok\":true,\"state\":\"run\",\"pid\":5000007,"),
        "{objects}"
    );
    assert!(objects.contains("\"hold\":\"waiting for\",\"needs\":\"db cache\""), "{objects}");
    assert_eq!(objects.matches("\"name\"").count(), 0, "{objects}");
}

#[test]
fn the_status_of_all_services_of_a_tree_is_two_requests() {
    let house = House::new();
    let tree = tree(&house, &[("db", runs(7)), ("web", waits("db"))]);
    let expected = "run: db: (pid 7) 12s\ndown: web: 3s, normally up, want up, waiting for db\n";
    assert_eq!(house.svctl("status"), prints(expected));
    assert_eq!(tree.heard(), ["list", "list log"]);
    // Without one it is the same, service by service.
    let house = House::new();
    Talker::new(&house, "db", |_, _| Answer::Say(runs(7)));
    Talker::new(&house, "web", |_, _| Answer::Say(waits("db")));
    assert_eq!(house.svctl("status"), prints(expected));
}

#[test]
fn a_tree_that_does_not_answer_is_not_waited_for() {
    let house = House::new();
    Talker::new(&house, "db", |_, _| Answer::Say(runs(7)));
    Talker::tree(&house, |_, _| Answer::Nothing);
    assert_eq!(house.svctl("status"), prints("run: db: (pid 7) 12s\n"));
}

#[test]
fn a_check_of_all_says_nothing_where_all_is_well() {
    let house = House::new();
    let ready = runs(7).replace("\"ready\":null", "\"ready\":true").replace("12.345", "0.001");
    let tree = tree(&house, &[("db", ready), ("off", said("down", 0, "down", false)), ("web", runs(9))]);
    assert_eq!(house.svctl("check"), prints(""));
    assert_eq!(tree.heard(), ["list"]);
    let objects = house.svctl("--json check");
    assert_eq!((objects.status, objects.stdout.lines().count()), (0, 3), "{}", objects.stdout);
    // Nobody wants these up: no supervisor is missing there.
    house.write("later/notes", "");
    house.write("never/run", STAYS);
    house.write("never/down", "");
    assert_eq!(house.svctl("check"), prints(""));
    // ./check has the last word.
    house.write("web/check", "#!/bin/sh\n[ -e works ]\n");
    let fails = "timeout: run: web: (pid 9) 12s, ./check fails\n";
    let outcome = house.late("check", |outcome| outcome.stdout.contains("./check"));
    assert_eq!(outcome, Outcome { status: 1, ..prints(fails) });
    house.write("web/works", "");
    assert_eq!(house.svctl("-w 60 check"), prints(""));
}

#[test]
fn a_check_of_all_has_a_line_for_each_service_that_is_not_well() {
    let house = House::new();
    let held =
        |words: &str| said("down", 0, "up", false).replace("\"hold\":null", &format!("\"hold\":\"{words}\""));
    let died = ", run ended after 3.214s: SIGSEGV (core dumped)";
    tree(
        &house,
        &[
            ("db", runs(7)),
            ("late", runs(8).replace("\"ready\":null", "\"ready\":false")),
            ("loops", runs(9).replace("\"short\":0", "\"short\":4")),
            ("off", said("down", 0, "down", false)),
            ("tired", held("backing off")),
            ("web", waits("late")),
            ("worn", held("gave up").replace("\"want\":\"up\"", "\"want\":\"down\"")),
        ],
    );
    house.write("lost/run", STAYS);
    let enough = |outcome: &Outcome| outcome.stdout.contains("fail: worn: ");
    let outcome = house.late("check", enough);
    let mut lines: Vec<_> = outcome.stdout.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "fail: lost: no supervisor",
            &format!("fail: worn: gave up{died}"),
            &format!("timeout: down: tired: 12s, normally up, want up, backing off{died}"),
            &format!("timeout: down: web: 3s, normally up, want up, waiting for late{died}"),
            "timeout: run: late: (pid 8) 12s, not ready",
            "timeout: run: loops: (pid 9) 12s, crash loop",
        ]
    );
    // As a container's health check knows it: not the number of them.
    assert_eq!(outcome.status, 1);
    let outcome = house.late("--json check", |outcome| outcome.stdout.contains("waiting for late"));
    assert_eq!((outcome.status, outcome.stdout.lines().count()), (1, 8));
    let web = format!("{{\"service\":\"web\",\"ok\":false,\"error\":\"timeout, waiting for late{died}\",");
    assert!(outcome.stdout.contains(&web), "{}", outcome.stdout);
}

#[test]
fn a_tree_looks_at_its_directory_at_once() {
    let house = House::new();
    let directory = house.at("").display().to_string();
    let directory = directory.trim_end_matches('/');
    let none = |hint: &str| {
        let outcome = house.svctl("rescan");
        let expected = (1, format!("fail: {directory}: no svtree\n"), format!("svctl: hint: {hint}\n"));
        assert_eq!((outcome.status, outcome.stdout, outcome.stderr), expected);
    };
    none(&format!("runsvdir looks every 5 seconds, unasked; else start 'svtree {directory}'"));
    std::fs::create_dir(house.at(".s6-svscan")).unwrap();
    none(&format!("this is s6-svscan's: 's6-svscanctl -a {directory}'"));
    let tree = tree(&house, &[]);
    assert_eq!(house.svctl("rescan"), prints(""));
    assert_eq!(house.svctl("-v rescan"), prints(format!("ok: {directory}: 7 services\n")));
    assert_eq!(tree.heard(), ["rescan", "rescan"]);
    let object = format!("{{\"service\":\"{directory}\",\"ok\":true,\"services\":7}}\n");
    assert_eq!(house.svctl("--json rescan"), prints(object));
    assert_eq!(house.svctl("rescan x").status, 100);
    assert_eq!(run(house.command("svctl", "rescan").env("SVDIR", "/no/such")).status, 111);
}

#[test]
fn a_service_with_needs_is_started_by_its_tree() {
    let house = House::new();
    let tree = tree(&house, &[("web", runs(9)), ("db", runs(7))]);
    house.write("web/needs", "db\n");
    let own = Talker::new(&house, "web", |_, _| Answer::Say(runs(9)));
    for (words, request) in [
        ("up web", "@web up"),
        ("start web", "@web up"),
        ("start ./web", "@web up"),
        ("start web/", "@web up"),
        ("up -o web", "@web up alone"),
        ("start web -o", "@web up alone"),
    ] {
        let heard = tree.heard().len();
        assert_eq!(house.svctl(words).status, 0, "{words}");
        assert_eq!(tree.heard()[heard..], [request], "{words}");
    }
    assert_eq!(own.heard(), [""; 0]);
    assert_eq!(house.svctl("restart -o web").status, 100);
    // All else is the supervisor's own matter, where it can be asked.
    let (heard, before) = (tree.heard().len(), own.heard().len());
    assert_eq!(house.svctl("down web").status, 0);
    assert_eq!(house.svctl("status web").status, 0);
    assert_eq!(
        (tree.heard().len(), &own.heard()[before..]),
        (heard, &["down".to_owned(), "status".into()][..])
    );
    // It cannot: there is no socket.
    assert_eq!(house.svctl("-v down db").status, 0);
    assert_eq!(tree.heard()[heard], "@db down");
    // A name with a blank is one word.
    let heard = tree.heard().len();
    house.write("my web/needs", "db\n");
    assert_eq!(run(house.command("svctl", "up").arg("my web")).status, 1);
    assert_eq!(tree.heard()[heard..], ["@my\\x20web up"]);
    // In the directory itself the name is that of the directory.
    let heard = tree.heard().len();
    assert_eq!(run(house.command("svctl", "up .").current_dir(house.at("web"))).status, 0);
    assert_eq!(tree.heard()[heard..], ["@web up"]);
    // This one waits for another process, in vain: it is the last, since it asks again and again.
    let heard = tree.heard().len();
    let restart = Background::start(&mut house.command("svctl", "-w 600 restart web"));
    until("it is not asked", || tree.heard().len() > heard + 1);
    assert_eq!(tree.heard()[heard..heard + 2], ["@web status", "@web restart"]);
    signal("KILL", restart.pid());
    restart.finish();
}

#[test]
fn a_service_that_its_tree_does_not_host_is_started_by_its_own_supervisor() {
    let house = House::new();
    let tree = tree(&house, &[]);
    house.write("web/needs", "db\n");
    let own = Talker::new(&house, "web", |_, _| Answer::Say(runs(9)));
    for words in ["up web", "start -o web"] {
        assert_eq!(house.svctl(words).status, 0);
    }
    assert_eq!(tree.heard(), ["@web up", "@web up alone"]);
    assert_eq!(own.heard(), ["up", "up"]);
    // Without a tree -o asks for nothing else.
    let house = House::new();
    let own = Talker::new(&house, "web", |_, _| Answer::Say(runs(9)));
    assert_eq!(house.svctl("start -o web").status, 0);
    assert_eq!(own.heard(), ["up"]);
}

#[test]
fn a_start_whose_time_is_up_says_what_it_waits_for() {
    let house = House::new();
    tree(&house, &[("web", waits("db cache"))]);
    house.write("web/needs", "db cache\n");
    Talker::new(&house, "web", |_, _| Answer::Say(waits("db cache")));
    let late = "timeout: down: web: 3s, normally up, want up, waiting for db cache, \
                run ended after 3.214s: SIGSEGV (core dumped)\n";
    let outcome = house.late("start web", |outcome| outcome.stdout.contains("waiting for"));
    assert_eq!(outcome, Outcome { status: 1, ..prints(late) });
}

#[test]
fn the_events_of_a_tree_are_one_stream() {
    let house = House::new();
    house.write("db/run", STAYS);
    let tree = Talker::tree(&house, |_, _| {
        Answer::Then(
            of_tree("db", &runs(7)),
            "{\"name\":\"new\",\"event\":\"start\",\"time\":1.5,\"pid\":8}\n\
             {\"name\":\"new\",\"event\":\"hold\",\"time\":2,\"hold\":\"waiting for\",\"needs\":\"db\",\"next\":null}"
                .into(),
        )
    });
    let lines = |words: &str| {
        let script = format!("svctl {words} | head -n 3");
        run(sh(&script).env("SVDIR", house.at("."))).stdout
    };
    assert_eq!(
        lines("events"),
        "run: db: (pid 7) 12s\n\
         1970-01-01T00:00:01.500Z new: run started (pid 8)\n\
         1970-01-01T00:00:02.000Z new: waiting for db\n"
    );
    assert_eq!(tree.heard(), ["events"]);
    let object = "{\"service\":\"new\",\"event\":\"start\",\"time\":1.5,\"pid\":8}\n";
    assert!(lines("--json events").contains(object));
}

#[test]
fn a_supervisor_that_is_reached_by_its_tree_alone_is_asked_again_and_again() {
    let house = House::new();
    house.write("web/run", STAYS);
    let tree = Talker::tree(&house, |number, _| {
        Answer::Say(of_tree("web", &if number < 4 { waits("db") } else { runs(9) }))
    });
    assert_eq!(house.svctl("-w 600 start web"), prints("ok: run: web: (pid 9) 12s\n"));
    assert_eq!(tree.heard(), ["@web up", "@web status", "@web status", "@web status"]);
}

#[test]
fn without_a_tree_events_are_those_of_all_services() {
    let house = House::new();
    let start = "{\"event\":\"start\",\"time\":1.5,\"pid\":8}".to_owned();
    Talker::new(&house, "a", move |_, _| Answer::Then(runs(7), start.clone()));
    let script = "svctl events | head -n 2";
    let expected = "run: a: (pid 7) 12s\n1970-01-01T00:00:01.500Z a: run started (pid 8)\n";
    assert_eq!(run(sh(script).env("SVDIR", house.at("."))).stdout, expected);
}

#[test]
fn with_w_a_directory_is_waited_for_that_is_not_there_yet() {
    let mut house = House::new();
    for command in ["start", "check", "wait up"] {
        let name = command.replace(' ', "-");
        let waits = Background::start(&mut house.command("svctl", &format!("-w 600 {command} {name}")));
        waits.wait_until_in(LOOKING);
        house.serve(&svrun(), &name);
        assert_eq!(without_numbers(&waits.finish().stdout), format!("ok: run: {name}: (pid N) Ns\n"));
    }
    let fail = "fail: no: unable to change to service directory: No such file or directory\n";
    for words in ["-w 0.2 start no", "start no", "-w 600 stop no", "-w 600 status no"] {
        assert_eq!(house.svctl(words).stdout, fail, "{words}");
    }
}

#[test]
fn what_a_tree_says_is_shown_as_what_a_supervisor_says() {
    let house = House::new();
    let evil = runs(7)
        .replace("\"state\":\"run\"", "\"state\":\"\u{1b}[2J\"")
        .replace("\"hold\":null", "\"hold\":\"\u{1b}[2J\",\"needs\":\"\u{9b}1m\"");
    tree(&house, &[("db", evil)]);
    for words in ["list", "status", "check -w 0.1", "--json list", "--json check -w 0.1"] {
        let outcome = house.svctl(words);
        let text = outcome.stdout + &outcome.stderr;
        assert!(!text.is_empty() && text.chars().all(|c| c == '\n' || !c.is_control()), "{words}: {text:?}");
    }
    // It has no end: the time does.
    let house = House::new();
    Talker::tree(&house, |_, _| Answer::Endless);
    Talker::new(&house, "db", |_, _| Answer::Say(runs(7)));
    assert_eq!(house.svctl("status"), prints("run: db: (pid 7) 12s\n"));
}

#[test]
fn sv_takes_no_notice_of_a_tree() {
    let house = House::new();
    let tree = tree(&house, &[("web", runs(9))]);
    house.write("web/needs", "db\n");
    let own = Talker::new(&house, "web", |_, _| Answer::Say(runs(9)));
    let sv = |words: &str| run(&mut house.command(house.called("sv"), words));
    assert_eq!(sv("up web"), prints(""));
    assert_eq!((tree.heard(), own.heard()), (Vec::<String>::new(), vec!["up".to_owned()]));
    for words in ["status", "check", "up -o web"] {
        assert_ne!(sv(words).status, 0, "{words}");
    }
}
