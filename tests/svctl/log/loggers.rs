//! The log of a running service, whatever logger writes it and wherever.

use super::super::harness::*;
use super::*;
use crate::needs;

/// A service that writes two lines, with this logger, which writes to the directory `elsewhere`.
fn service(logger: &str) -> House {
    let mut house = House::new();
    fs::create_dir(house.at("elsewhere")).unwrap();
    house.write("web/run", "#!/bin/sh\necho one\necho '<3>two'\nexec sleep 1000\n");
    let place = house.at("elsewhere");
    let script = format!("#!/bin/sh\nexec 2>/dev/null\n{}\n", logger.replace("DIR", place.to_str().unwrap()));
    house.write("web/log/run", &script);
    house.start(&svrun(), "web");
    until("no line comes", || text(&place.join("current")).contains("two"));
    house
}

/// Both lines are shown with the times at which they were written, by a logger that writes times, and found where the
/// logger has its files open.
fn is_shown(logger: &str, has_times: bool) {
    let before = now().as_secs();
    let house = service(logger);
    let shown = shows(&house, &["--json", "web"]);
    let objects: Vec<_> =
        shown.lines().map(|line| common::supervise::json::Value::parse(line).unwrap()).collect();
    let texts: Vec<_> = objects.iter().map(|object| object.get("text").text()).collect();
    assert_eq!(texts, ["one", "two"], "{logger}");
    assert_eq!(objects[1].get("level").text(), "err");
    for object in &objects {
        let time = object.get("time").text();
        assert_eq!(!time.is_empty(), has_times, "{logger}: {shown}");
        if has_times {
            let date = run(prepared("date").args(["-d", time, "+%s"])).stdout;
            let seconds: u64 = date.trim().parse().unwrap();
            assert!((before..=now().as_secs()).contains(&seconds), "{logger}: {time}");
        }
    }
    let lines = shows(&house, &["web"]);
    assert!(lines.ends_with("two\n") && !lines.contains('@') && !lines.contains('<'), "{lines}");
    // Nothing else is in a usual place.
    assert!(!house.at("web/log/current").exists() && !house.at("web/log/main").exists());
}

#[test]
fn svlog_writes_it() {
    for options in ["-t", "-tt", "-ttt"] {
        is_shown(&format!("exec svlog {options} DIR"), true);
    }
    is_shown("exec svlog DIR", false);
}

#[test]
fn svlogd_writes_it() {
    needs!(Svlogd.there());
    for options in ["-t", "-tt", "-ttt"] {
        is_shown(&format!("exec /usr/bin/svlogd {options} DIR"), true);
    }
}

#[test]
fn multilog_writes_it() {
    needs!(Multilog.there());
    is_shown("exec /usr/bin/multilog t DIR", true);
}

#[test]
fn s6_log_writes_it() {
    needs!(tool("s6-log"));
    is_shown("exec s6-log t DIR", true);
    // In local time.
    is_shown("TZ=UTC0 exec s6-log T DIR", true);
    is_shown("exec s6-log 1 DIR", false);
}

#[test]
fn a_script_has_the_logger_as_its_child() {
    is_shown("svlog -t DIR\ntrue", true);
}

#[test]
fn of_several_directories_it_is_one_that_gets_all_lines() {
    let house = House::new();
    house.write("web/log/some/config", "-one\n");
    fs::create_dir_all(house.at("web/log/all")).unwrap();
    all_lines_are_shown(house, "exec svlog -t ./some ./all");
}

#[test]
fn of_several_directories_of_multilog_it_is_one_that_gets_all_lines() {
    needs!(Multilog.there());
    all_lines_are_shown(House::new(), "exec /usr/bin/multilog t '-*one*' ./some '+*' ./all");
}

/// What is shown are the lines in the directory `all` of this logger.
fn all_lines_are_shown(mut house: House, logger: &str) {
    house.write("web/run", "#!/bin/sh\necho one\necho two\nexec sleep 1000\n");
    house.write("web/log/run", &format!("#!/bin/sh\n{logger}\n"));
    house.start(&svrun(), "web");
    until("no line comes", || house.text("web/log/all/current").contains("two"));
    let lines = shows(&house, &["web"]);
    let texts: Vec<_> = lines.lines().filter_map(|line| line.rsplit(' ').next()).collect();
    assert_eq!(texts, ["one", "two"], "{logger}");
}

#[test]
fn the_log_may_be_named_instead_of_its_service() {
    let house = service("exec svlog DIR");
    assert_eq!(shows(&house, &["web/log"]), "one\ntwo\n");
    assert_eq!(shows(&house, &["./web/log"]), "one\ntwo\n");
    assert_eq!(shows(&house, &[house.at("web").to_str().unwrap()]), "one\ntwo\n");
}

#[test]
fn in_a_tree_the_logger_of_those_that_have_none_writes_it() {
    let house = House::new();
    house.write("web/run", "#!/bin/sh\necho one\nexec sleep 1000\n");
    house.write("db/run", "#!/bin/sh\necho two\nexec sleep 1000\n");
    for name in ["web", "db"] {
        fs::create_dir_all(house.at(&format!("logs/{name}"))).unwrap();
    }
    let logs = house.at("logs").display().to_string();
    house.write(".tree/log/run", &format!("#!/bin/sh\nexec svlog {logs}/\"$1\"\n"));
    let mut tree = prepared("svtree").args(["-t", "10m"]).arg(house.at(".")).spawn().unwrap();
    until("no line comes", || {
        house.text("logs/web/current") == "one\n" && house.text("logs/db/current") == "two\n"
    });
    assert_eq!(shows(&house, &["web"]), "one\n");
    assert_eq!(shows(&house, &["db"]), "two\n");
    assert_eq!(shows(&house, &[]), "db   two\nweb  one\n");
    signal("TERM", tree.id());
    assert_eq!(status_of(&mut tree), Some(0));
}
