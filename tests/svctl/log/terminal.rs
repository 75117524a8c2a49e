//! What is shown on a terminal.

use std::io::Write;
use std::process::{Command, Stdio};

use super::super::harness::*;
use super::*;
use crate::needs;

/// A script on a terminal; its input and output are those of the terminal.
fn on_terminal(house: &House, script: &str) -> Command {
    let mut command = prepared("script");
    command.args(["-qefc", script, "/dev/null"]).env("SVDIR", house.at(".")).env("TERM", "xterm");
    command.env("TZ", "UTC0").env_remove("NO_COLOR").env("SHELL", "/bin/sh").stdin(Stdio::piped());
    command
}

/// What is shown on a terminal of so many columns.
fn shown(house: &House, columns: u32, variables: &str, words: &str) -> String {
    let script = format!("stty cols {columns}; exec env {variables} svctl-log {words}");
    run(&mut on_terminal(house, &script)).stdout.replace("\r\n", "\n")
}

fn house() -> House {
    let house = House::new();
    log(&house, "db", &[("current", &lines(0, &["error: disk", "ready \u{e9}"]))]);
    log(&house, "web", &[("current", &lines(1, &["warning: hot", "a\u{1b}[2Jb\tc", "debug: x"]))]);
    house
}

#[test]
fn levels_and_names_have_colours_and_a_terminal_obeys_no_line() {
    needs!(tool("script"));
    let house = house();
    let (red, yellow, faint, cyan, end) = ("\x1b[31m", "\x1b[33m", "\x1b[2m", "\x1b[36m", "\x1b[m");
    let time = |second| format!("2026-11-22 10:30:0{second}.000");
    let expected = format!(
        "{cyan}db{end}   {} {red}error: disk{end}\n\
         {cyan}db{end}   {} ready \u{e9}\n\
         {cyan}web{end}  {} {yellow}warning: hot{end}\n\
         {cyan}web{end}  {} a\\x1b[2Jb\tc\n\
         {cyan}web{end}  {} {faint}debug: x{end}\n",
        time(1),
        time(2),
        time(2),
        time(3),
        time(4),
    );
    for columns in [60, 80, 160] {
        assert_eq!(shown(&house, columns, "X=", ""), expected, "no line is cut, {columns}");
    }
    let plain = [red, yellow, faint, cyan, end].iter().fold(expected, |text, code| text.replace(code, ""));
    for variables in ["NO_COLOR=1", "TERM=dumb", "NO_COLOR=1 LANG=C"] {
        assert_eq!(shown(&house, 80, variables, ""), plain, "{variables}");
    }
    assert_eq!(shows(&house, &[]), plain.replace("\\x1b", "\x1b"));
}

#[test]
fn q_ends_it_and_leaves_the_terminal_as_it_was() {
    needs!(tool("script"));
    let house = house();
    for (keys, status) in [("q", 0), ("xyQ", 0), ("\x03", 130)] {
        let script =
            "trap : INT; stty -a >before; svctl-log -f web; echo status $?; stty -a >after; cat >/dev/null";
        let mut child =
            on_terminal(&house, script).current_dir(house.at(".")).stdout(Stdio::piped()).spawn().unwrap();
        // The program is the one whose own directory this is, and that waits.
        let waits = || {
            processes_of(&house.at(".").canonicalize().unwrap()).into_iter().any(|pid| {
                cmdline(pid).starts_with("svctl-log")
                    && call_of(pid).is_some_and(|call| LOOKING.contains(&call))
            })
        };
        until("it does not wait for lines", waits);
        let mut input = child.stdin.take().unwrap();
        input.write_all(keys.as_bytes()).unwrap();
        until("it does not end", || !house.text("after").is_empty());
        assert_eq!(house.text("before"), house.text("after"));
        input.write_all(b"\x04").unwrap(); // the end of cat
        let output = child.wait_with_output().unwrap();
        let shown = String::from_utf8_lossy(&output.stdout).replace('\r', "");
        assert!(shown.contains(&format!("status {status}\n")), "{keys:?}: {shown}");
        assert!(!shown.contains("xy"), "keys are not shown: {shown}");
        for file in ["before", "after"] {
            fs::remove_file(house.at(file)).unwrap();
        }
    }
}

#[test]
fn a_program_that_is_stopped_leaves_the_terminal_as_it_was_and_takes_it_again() {
    let house = house();
    let line = "set -m; stty -a >before; svctl-log -f web; stty -a >after; echo stopped; fg; stty -a >end";
    let mut terminal = Terminal::start(&house, 80, "TERM=dumb", line);
    // While it is stopped it waits for nothing.
    let waits = || {
        processes_of(&house.at(".").canonicalize().unwrap()).into_iter().any(|pid| {
            // One that is stopped is in a call, too.
            let asleep = cmdline(pid).starts_with("svctl-log") && state(pid) == Some('S');
            asleep && call_of(pid).is_some_and(|call| LOOKING.contains(&call))
        })
    };
    until("it does not wait for lines", waits);
    terminal.types("\x1a");
    terminal.until("it does not stop", |text| text.contains("stopped"));
    assert_eq!(house.text("before"), house.text("after"));
    // Its keys are not shown, as it has the terminal again; and q ends it.
    until("it does not go on", waits);
    terminal.types("q");
    let text = terminal.finish();
    assert!(!text.rsplit_once("stopped").unwrap().1.contains('q'), "{text}");
    assert_eq!(house.text("before"), house.text("end"));
}
