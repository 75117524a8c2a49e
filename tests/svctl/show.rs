//! svctl-show: all that is known of a service.

use super::harness::*;
use super::terminal::Terminal;
use crate::needs;
use crate::support::*;

/// A service with something of each kind, which runs.
fn full() -> House {
    let mut house = House::new();
    house.write("db/run", STAYS);
    house.write("db/down", "");
    house.write("web/run", "#!/bin/sh\n[ -e ended ] || { >ended; exit 3; }\nexec sleep 1000\n");
    house.write("web/needs", "db\nnowhere\n");
    house.write("web/timeout-kill", "5s\n");
    house.write("web/restart-max", "many\n");
    house.write("web/restart-delay", "0\n");
    house.write("proxy/run", STAYS);
    house.write("proxy/needs", "web\n");
    house.serve(&svrun(), "web");
    until("it does not stay", || cmdline(house.pid("web")) == "sleep 1000");
    house
}

/// The lines of a section.
fn section(text: &str, label: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for line in text.lines() {
        let (head, rest) = line.split_at_checked(11).unwrap_or((line, ""));
        let head = head.trim().trim_end_matches(':');
        if head == label || head.is_empty() && !lines.is_empty() {
            lines.push(rest.trim().to_owned());
        } else if !lines.is_empty() {
            break;
        }
    }
    lines
}

#[test]
fn all_that_is_known_of_a_service_is_shown() {
    let house = full();
    let pid = house.pid("web");
    let outcome = run(&mut house.command("svctl-show", "web"));
    assert_eq!(outcome.status, 0);
    let text = &outcome.stdout;
    assert!(
        outcome.stderr.contains("restart-max: invalid value \"many\": expected a number; using the default"),
        "{}",
        outcome.stderr
    );
    let head = without_numbers(text.lines().next().unwrap());
    assert_eq!(head, "web: run since N-N-N N:N:N, for Ns", "{text}");
    let one = |label: &str, expected: &str| assert_eq!(section(text, label), [expected], "{label}: {text}");
    one("directory", &house.at("web").display().to_string());
    one("enabled", "yes");
    one("wanted", "up");
    one("restarts", "1");
    one("processes", &format!("{pid} sleep 1000"));
    one("needed by", "proxy");
    assert!(section(text, "supervisor")[0].ends_with("svrun web"), "{text}");
    assert_eq!(section(text, "needs"), ["db (no supervisor)", "nowhere (no directory)"], "{text}");
    let rules = section(text, "rules");
    for rule in [
        "restart-delay    0s  (file)",
        "restart-max      never give up  (default)",
        "timeout-kill     5s  (file)",
        "reload-signal    SIGHUP  (default)",
        "timeout-reload   30s  (default)",
        "operators        root and the supervisor's user  (default)",
        "readers          nobody else  (default)",
    ] {
        assert!(rules.iter().any(|line| line == rule), "{rule}: {text}");
    }
    let deaths = section(text, "deaths");
    assert_eq!(deaths.len(), 1, "{text}");
    assert!(without_numbers(&deaths[0]).contains("pid N exit N after "), "{text}");
    assert!(section(text, "listens").is_empty(), "{text}");
    // The same as a command of svctl.
    let again = house.svctl("show web").stdout;
    assert_eq!(section(&again, "rules"), rules);
}

#[test]
fn a_service_that_does_not_run_is_shown_too() {
    let house = full();
    let outcome = run(&mut house.command("svctl-show", "db nowhere"));
    assert_eq!(outcome.status, 1);
    let text = outcome.stdout;
    assert!(text.starts_with("db: no supervisor\n"), "{text}");
    assert_eq!(section(&text, "enabled"), ["no, there is a file down"]);
    assert_eq!(section(&text, "needed by"), ["web"]);
    assert!(section(&text, "processes").is_empty() && section(&text, "wanted").is_empty(), "{text}");
    assert!(text.contains("fail: nowhere: unable to change to service directory"), "{text}");
}

#[test]
fn what_needs_a_service_of_the_same_name_elsewhere_does_not_need_this_one() {
    let house = House::new();
    let other = House::new();
    house.write("db/run", STAYS);
    house.write("web/run", STAYS);
    house.write("web/needs", "db\n");
    other.write("db/run", STAYS);
    let needed_by = |path: &std::path::Path| {
        let text = run(house.command("svctl-show", "").arg(path)).stdout;
        section(&text, "needed by").join(" ")
    };
    assert_eq!(needed_by(&house.at("db")), "web");
    assert_eq!(needed_by(&other.at("db")), "");
}

#[test]
fn sockets_are_those_of_all_its_processes() {
    needs!(tool("perl"));
    let mut house = House::new();
    let listen = "use Socket; socket(my $t, PF_INET, SOCK_STREAM, 0); bind($t, sockaddr_in(0, INADDR_LOOPBACK)); \
                  listen($t, 1); socket(my $u, PF_UNIX, SOCK_STREAM, 0); bind($u, sockaddr_un(\"$ARGV[0]\")); \
                  listen($u, 1); open(my $f, \">\", \"port\"); print $f (unpack_sockaddr_in(getsockname($t)))[0]; \
                  close $f; sleep 1000";
    house.write("web/run", &format!("#!/bin/sh\nperl -e '{listen}' ./a.socket &\nexec sleep 1000\n"));
    house.serve(&svrun(), "web");
    until("it does not listen", || !house.text("web/port").is_empty());
    let text = run(&mut house.command("svctl-show", "web")).stdout;
    let pid = text.lines().find_map(|line| line.split_once("└─ ")?.1.split(' ').next()).unwrap().to_owned();
    let port = house.text("web/port");
    assert_eq!(
        section(&text, "listens"),
        [format!("tcp 127.0.0.1:{port} (pid {pid})"), format!("unix ./a.socket (pid {pid})")],
        "{text}"
    );
}

#[test]
fn the_object_has_all_of_it() {
    needs!(tool("jq"));
    let house = full();
    let pid = house.pid("web");
    let asked = |filter: &str| {
        let script = format!("svctl-show --json web 2>/dev/null | jq -c '{filter}'");
        let outcome = run(house.command("sh", "-c").arg(script));
        assert_eq!((outcome.status, &*outcome.stderr), (0, ""), "{filter}");
        outcome.stdout.trim_end().to_owned()
    };
    assert_eq!(asked("[.service, .ok, .state, .enabled, .restarts]"), "[\"web\",true,\"run\",true,1]");
    assert_eq!(asked(".tree | map([.pid, .depth, .command])"), format!("[[{pid},0,[\"sleep\",\"1000\"]]]"));
    assert_eq!(asked("[.all_needs, .needed_by, .listens]"), "[[\"db\",\"nowhere\"],[\"proxy\"],[]]");
    let file = house.at("web/timeout-kill").display().to_string();
    assert_eq!(
        asked(".rules[] | select(.rule == \"timeout-kill\") | [.value, .file]"),
        format!("[\"5s\",\"{file}\"]")
    );
    assert_eq!(asked(".rules[] | select(.rule == \"restart-max\") | .file"), "null");
    assert_eq!(asked(".deaths | length"), "1");
    assert_eq!(asked(".directory"), format!("\"{}\"", house.at("web").display()));
}

#[test]
fn a_page_fits_the_terminal() {
    let house = full();
    for columns in [60, 80, 160] {
        let text = Terminal::show(&house, columns, "TERM=xterm LANG=C.UTF-8", "svctl-show web 2>/dev/null");
        assert!(text.starts_with("web: \x1b[32mrun\x1b[m since "), "{text}");
        for line in text.lines().skip(1).filter(|line| !line.starts_with(" directory: ")) {
            assert!(line.chars().count() <= columns.into(), "{columns}: {line}");
        }
        // What does not fit goes on in the next line.
        let rules = section(&text, "rules").join(" ");
        assert!(rules.contains("leftovers        named in the log, and left alone  (default)"), "{rules}");
    }
    let plain = Terminal::show(&house, 80, "TERM=dumb LANG=C", "svctl-show web 2>/dev/null");
    assert!(plain.starts_with("web: run since ") && plain.is_ascii(), "{plain}");
}

#[test]
fn show_needs_a_service() {
    let house = House::new();
    let outcome = run(&mut house.command("svctl-show", ""));
    let hint = "svctl-show: hint: 'svctl list' lists them\n";
    assert_eq!(
        outcome,
        Outcome { stderr: misuse("svctl-show", "missing service").stderr + hint, ..fails(100, "") }
    );
    assert_eq!(run(&mut house.command("svctl-show", "-v")), misuse("svctl-show", "invalid option '-v'"));
}

#[test]
fn the_log_is_that_of_the_service_alone() {
    let house = House::new();
    for name in ["db", "web"] {
        house.write(&format!("{name}/run"), STAYS);
        house.write(&format!("{name}/log/run"), "#!/bin/sh\nexec svlog ./main\n");
        house.write(&format!("{name}/log/main/current"), &format!("of {name}\n"));
    }
    let text = run(&mut house.command("svctl-show", "web")).stdout;
    assert_eq!(section(&text, "log"), ["of web"], "{text}");
}
