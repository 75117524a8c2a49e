//! Which lines are shown, in which order and how.

use super::super::harness::*;
use super::*;
use crate::needs;

/// A service with lines of all levels, in an archive and `current`.
fn levels() -> House {
    let house = House::new();
    let old = lines(0, &["<0>zero", "alert: one", "CRIT: two", "<3>three"]);
    let new = lines(4, &["warning: four", "notice: five", "six", "debug: seven"]);
    log(&house, "web", &[(&archive(3), &old), ("current", &new)]);
    house
}

#[test]
fn each_line_has_its_time_here_and_its_text() {
    let house = levels();
    let expected = "\
2026-11-22 10:30:01.000 zero
2026-11-22 10:30:02.000 alert: one
2026-11-22 10:30:03.000 CRIT: two
2026-11-22 10:30:04.000 three
2026-11-22 10:30:05.000 warning: four
2026-11-22 10:30:06.000 notice: five
2026-11-22 10:30:07.000 six
2026-11-22 10:30:08.000 debug: seven
";
    assert_eq!(shows(&house, &["web"]), expected);
    let east = expected.replace(" 10:", " 11:");
    assert_eq!(run(command(&house, &["web"]).env("TZ", "CET-1")), prints(east));
    assert_eq!(run(command(&house, &["--utc", "web"]).env("TZ", "CET-1")), prints(expected));
}

#[test]
fn p_chooses_levels_by_name_or_number() {
    let house = levels();
    let all = texts(&house, &["web"]);
    for (number, names) in
        [["emerg", "panic"], ["alert", "alert"], ["crit", "FATAL"], ["err", "error"], ["warning", "warn"]]
            .into_iter()
            .chain([["notice", "notice"], ["info", "info"], ["debug", "trace"]])
            .enumerate()
    {
        for word in [names[0], names[1], &number.to_string()] {
            assert_eq!(texts(&house, &["-p", word, "web"]), all[..=number], "{word}");
        }
    }
    let outcome = run(&mut command(&house, &["-p", "bad", "web"]));
    assert_eq!(outcome, misuse("svctl-log", "not a level: bad"));
}

#[test]
fn g_chooses_a_text_but_no_time() {
    let house = levels();
    assert_eq!(texts(&house, &["-g", "e", "-p", "3", "web"]), ["zero", "alert: one", "three"]);
    assert_eq!(texts(&house, &["-g", "t: ", "web"]), ["alert: one"], "no other case");
    assert_eq!(texts(&house, &["-g", ": two", "web"]), ["CRIT: two"]);
    for text in ["@4000", "<3>", "2026-11", "E", "nothing"] {
        assert!(texts(&house, &["-g", text, "-p", "err", "web"]).is_empty(), "{text}");
    }
}

#[test]
fn n_chooses_the_last_ones_of_those_that_are_chosen() {
    let house = levels();
    let all = texts(&house, &["web"]);
    for count in 0..=8 {
        assert_eq!(texts(&house, &["-n", &count.to_string(), "web"]), all[8 - count..]);
    }
    assert_eq!(texts(&house, &["-n99", "web"]), all);
    assert_eq!(texts(&house, &["-n", "2", "-p", "err", "web"]), ["CRIT: two", "three"]);
    assert_eq!(texts(&house, &["-n1", "-g", "r", "web"]), ["warning: four"]);
    let outcome = run(&mut command(&house, &["-n", "-1", "web"]));
    assert_eq!(outcome, misuse("svctl-log", "not a number of lines, or all: -1"));
}

#[test]
fn without_a_choice_there_are_100_lines() {
    let house = House::new();
    let many: Vec<_> = (0..2000).map(|number| number.to_string()).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    log(&house, "web", &[("current", &lines(0, &many))]);
    assert_eq!(texts(&house, &["web"]), many[1900..]);
    assert_eq!(texts(&house, &["-n", "all", "web"]), many);
    assert_eq!(
        texts(&house, &["-g", "9", "web"]).len(),
        many.iter().filter(|line| line.contains('9')).count()
    );
    assert_eq!(texts(&house, &["--since", "today", "web"]).len(), 0, "they are old");
    assert_eq!(texts(&house, &["--since", "2026-11-22", "web"]), many);
}

#[test]
fn since_and_until_choose_times() {
    let house = levels();
    let all = texts(&house, &["web"]);
    let chosen = |words: &[&str]| texts(&house, &[words, &["web"]].concat());
    for second in 0..=8 {
        let time = format!("2026-11-22 10:30:{:02}", second + 1);
        assert_eq!(chosen(&["--since", &time]), all[second..], "{time}");
        assert_eq!(chosen(&["--until", &time]), all[..second], "{time}");
        assert_eq!(chosen(&["-n", "2", "--until", &time]), all[second.saturating_sub(2)..second], "{time}");
    }
    assert_eq!(chosen(&["--since=2026-11-22 10:30:03", "--until=2026-11-22T10:30:06Z"]), all[2..5]);
    assert_eq!(chosen(&["--since", "2026-11-22 10:30:06", "--until", "2026-11-22 10:30:03"]), [""; 0]);
    assert_eq!(chosen(&["--since", &format!("@{}", BEGIN + 6)]), all[6..]);
    assert_eq!(chosen(&["--since", &label(7)]), all[7..]);
    let east = run(command(&house, &["--since", "2026-11-22 11:30:08", "web"]).env("TZ", "CET-1"));
    assert_eq!(east, prints("2026-11-22 11:30:08.000 debug: seven\n"));
    let outcome = run(&mut command(&house, &["--since", "soon", "web"]));
    assert_eq!(outcome.status, 100);
    assert!(outcome.stderr.contains("not a time: soon\n") && outcome.stderr.contains("hint: as '2026-"));
    assert_eq!(run(&mut command(&house, &["-f", "--until", "now", "web"])).status, 100);
}

#[test]
fn a_line_without_a_time_is_shown_without_one_and_stays_with_that_before_it() {
    let house = House::new();
    let text = lines(0, &["one"]) + "  of one\n\n" + &lines(1, &["two"]) + "  of two";
    log(&house, "web", &[("current", &text)]);
    log(&house, "db", &[("current", &lines(0, &["three", "four"]))]);
    let expected = "\
web  2026-11-22 10:30:01.000 one
web    of one
web  
db   2026-11-22 10:30:01.000 three
web  2026-11-22 10:30:02.000 two
web    of two
db   2026-11-22 10:30:02.000 four
";
    assert_eq!(shows(&house, &["web", "db"]), expected);
    assert_eq!(texts(&house, &["--since", "2026-11-22 10:30:02", "web"]), ["two", "  of two"]);
}

#[test]
fn several_services_are_merged_in_the_order_of_their_times() {
    let house = House::new();
    log(&house, "a", &[("current", &lines(0, &["0", "1", "2"]))]);
    log(&house, "web", &[(&archive(2), &lines(1, &["3", "4"])), ("current", &lines(3, &["5"]))]);
    log(&house, "quiet", &[("current", "")]);
    house.write("none/run", "");
    let order = |words: &[&str]| {
        let shown = shows(&house, words);
        shown.lines().map(|line| line.rsplit(' ').next().unwrap().to_owned()).collect::<Vec<_>>().concat()
    };
    assert_eq!(order(&[]), "013245", "equal times in the order of the services");
    assert_eq!(order(&["web", "a"]), "031425");
    assert_eq!(order(&["-n", "4"]), "3245");
    assert_eq!(order(&["-n", "1", "a", "web"]), "5");
    assert_eq!(order(&["-n", "0"]), "");
    assert_eq!(shows(&house, &["-n1", "a", "web"]), "web  2026-11-22 10:30:04.000 5\n");
    assert_eq!(shows(&house, &["-n1", "web"]), "2026-11-22 10:30:04.000 5\n", "one has no name in front");
}

#[test]
fn json_is_an_object_a_line() {
    let house = House::new();
    let text = lines(0, &["<4>a \"quoted\"\t\u{1b}[31m text"]) + "none\n";
    log(&house, "web", &[("current", &text)]);
    assert_eq!(
        shows(&house, &["--json", "web"]),
        "{\"service\":\"web\",\"time\":\"2026-11-22T10:30:01.000000000Z\",\"level\":\"warning\",\
         \"text\":\"a \\\"quoted\\\"\\u0009\\u001b[31m text\"}\n\
         {\"service\":\"web\",\"time\":null,\"level\":\"info\",\"text\":\"none\"}\n"
    );
    let outcome = run(&mut command(&house, &["--json", "nothing"]));
    assert_eq!(outcome.status, 1);
    assert!(
        outcome.stdout.starts_with("{\"service\":\"nothing\",\"ok\":false,\"error\":"),
        "{}",
        outcome.stdout
    );
}

#[test]
fn bytes_go_into_a_pipe_as_they_are() {
    let house = House::new();
    fs::create_dir_all(house.at("web/log")).unwrap();
    fs::write(house.at("web/log/current"), b"a\x1b[31m\xff\x00b\r\nc").unwrap();
    let output = command(&house, &["web"]).output().unwrap();
    assert_eq!(output.stdout, b"a\x1b[31m\xff\x00b\r\nc\n");
}

#[test]
fn where_no_line_has_a_time_files_are_chosen_and_it_says_so() {
    let house = House::new();
    log(&house, "web", &[(&archive(3), "old\n"), ("current", "new\n")]);
    let outcome = run(&mut command(&house, &["--since", "2026-11-22 10:30:05", "web"]));
    assert_eq!((outcome.status, &*outcome.stdout), (1, "new\n"));
    assert_eq!(outcome.stderr, "warning: web: lines without a time: --since and --until take whole files\n");
}

#[test]
fn a_reader_that_has_enough_ends_it_without_a_message() {
    let house = House::new();
    let many = "a line of some length\n".repeat(100_000);
    log(&house, "web", &[("current", &many)]);
    let script = "{ svctl-log -n all web; echo $? >&2; } | head -n 1";
    let outcome = run(sh(script).env("SVDIR", house.at(".")));
    assert_eq!((&*outcome.stdout, &*outcome.stderr), ("a line of some length\n", "111\n"));
}

#[test]
fn jq_reads_it() {
    needs!(tool("jq"));
    let house = levels();
    let script = "svctl-log --json web | jq -r 'select(.level == \"crit\") | .service + .text'";
    assert_eq!(run(sh(script).env("SVDIR", house.at("."))), prints("webCRIT: two\n"));
}
