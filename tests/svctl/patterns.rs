//! Services by patterns of their names.

use super::harness::*;
use crate::support::*;

/// Services that are down, under a supervisor that does nothing.
fn services(names: &[&str]) -> (House, Vec<Fake>) {
    let house = House::new();
    let fakes = names.iter().map(|name| {
        let fake = Fake::new(&house, name);
        fake.status(0, [0, b'd', 0, 0]);
        fake
    });
    let fakes = fakes.collect();
    (house, fakes)
}

/// The names in the lines of status.
fn seen(house: &House, words: &str) -> String {
    let outcome = house.svctl(words);
    assert_eq!((outcome.status, &*outcome.stderr), (0, ""), "{words}: {}", outcome.stdout);
    let names = outcome.stdout.lines().map(|line| line.split(": ").nth(1).unwrap().to_owned());
    names.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_pattern_stands_for_the_services_that_it_matches() {
    let (house, _fakes) = services(&["db", "web1", "web2", "web2/log", "web10", ".hidden"]);
    for (words, names) in [
        ("web*", "web1 web10 web2"),
        ("web?", "web1 web2"),
        ("web[!1]", "web2"),
        ("*", "db web1 web10 web2"),
        ("db web*", "db web1 web10 web2"),
        // None comes twice.
        ("*2 web? web1*", "web2 web1 web10"),
        ("*/log", "web2/log"),
    ] {
        assert_eq!(seen(&house, &format!("status {words}")), names, "{words}");
    }
}

#[test]
fn a_command_goes_to_all_that_a_pattern_matches_and_to_no_other() {
    let (house, mut fakes) = services(&["db", "web1", "web2"]);
    assert_eq!(house.svctl("hup web*"), prints(""));
    let commands: Vec<_> = fakes.iter_mut().map(Fake::commands).collect();
    assert_eq!(commands, ["", "h", "h"]);
}

#[test]
fn a_pattern_that_matches_nothing_is_a_failure_by_its_name() {
    let (house, mut fakes) = services(&["db"]);
    let hint = format!(
        "svctl: hint: services are in {}\n",
        house.at("").display().to_string().trim_end_matches('/')
    );
    // Nothing more may come, so that there is nothing to wait for.
    for words in ["status", "hup", "-w 100 start"] {
        let outcome = house.svctl(&format!("{words} web* x[a"));
        let stdout = "fail: web*: no service matches\nfail: x[a: no service matches\n".to_owned();
        assert_eq!(outcome, Outcome { status: 2, stdout, stderr: hint.clone() }, "{words}");
    }
    let outcome = house.svctl("hup web* db");
    assert_eq!((outcome.status, fakes[0].commands()), (1, "h".to_owned()));
    let json = house.svctl("--json status web*").stdout;
    assert!(
        json.starts_with("{\"service\":\"web*\",\"ok\":false,\"error\":\"no service matches\","),
        "{json}"
    );
}

#[test]
fn a_service_that_is_called_like_a_pattern_is_meant_by_its_name() {
    let (house, mut fakes) = services(&["w[1]", "w1", "*"]);
    assert_eq!(seen(&house, "status w[1]"), "w[1]");
    assert_eq!(seen(&house, "status w\\[*"), "w[1]");
    assert_eq!(house.svctl("hup *"), prints(""));
    let commands: Vec<_> = fakes.iter_mut().map(Fake::commands).collect();
    assert_eq!(commands, ["", "", "h"]);
}

#[test]
fn a_path_is_no_pattern_and_neither_sv_nor_svstat_knows_any() {
    let (house, _fakes) = services(&["web1"]);
    let outcome = house.svctl("status ./web*");
    assert!(
        outcome.stdout.starts_with("fail: ./web*: unable to change to service directory: "),
        "{outcome:?}"
    );
    let as_sv = run(&mut house.command(house.called("sv"), "status web*"));
    assert_eq!(as_sv.stdout, "fail: web*: unable to change to service directory: file does not exist\n");
    let as_svstat = run(&mut house.command(house.called("svstat"), "web*"));
    assert_eq!(as_svstat.stdout, "web*: unable to chdir: file does not exist\n");
}
