//! The command line.

use crate::support::*;

fn wrong(words: &[&str]) -> Outcome {
    run(link("sissylog").args(words))
}

#[test]
fn usage_errors_are_reported() {
    let names = "kern user mail daemon auth syslog lpr news uucp cron authpriv ftp local0 to local7";
    let unknown = |name| misuse("sissylog", &format!("no such facility: {name}; there are {names}"));
    for name in ["local8", "LOG_", "3", "daemon "] {
        assert_eq!(wrong(&["web", name]), unknown(name));
    }
    assert_eq!(wrong(&["web", ""]), unknown(""));
    assert_eq!(wrong(&["web", "a\nb"]), unknown("a\\nb"));
    assert_eq!(wrong(&["-x"]), misuse("sissylog", "invalid option '-x'"));
    assert_eq!(wrong(&["web", "mail", "more"]), misuse("sissylog", "nothing may follow facility"));
    assert_eq!(wrong(&[""]), misuse("sissylog", "empty ident"));
    let long = misuse("sissylog", "ident is longer than 200 bytes");
    assert_eq!(wrong(&[&"x".repeat(201)]), long);
    assert_eq!(wrong(&[&"\u{1}".repeat(51)]), long);
}

#[test]
fn without_a_line_syslog_is_not_looked_for() {
    assert_eq!(run(link("sissylog").args(["x".repeat(200)])), prints(""));
    assert_eq!(run(&mut sh("exec sissylog <&- >&- 2>&-")), prints(""));
}
