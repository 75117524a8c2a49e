//! From a line to messages.

use std::fs;

use super::harness::*;
use crate::needs;
use crate::support::*;

both_kinds!(
    a_line_is_a_message_as_syslog3_sends_it,
    a_long_line_is_split_and_each_piece_has_its_level,
    all_facilities_and_all_levels_arrive,
    control_bytes_and_what_is_not_utf8_are_escaped,
    the_input_may_be_a_file,
    lines_beyond_one_read_are_read_next,
);

const WORDS: [(&str, u8); 15] = [
    ("emergency", 0),
    ("emerg", 0),
    ("panic", 0),
    ("alert", 1),
    ("critical", 2),
    ("crit", 2),
    ("fatal", 2),
    ("error", 3),
    ("err", 3),
    ("warning", 4),
    ("warn", 4),
    ("notice", 5),
    ("info", 6),
    ("debug", 7),
    ("trace", 7),
];

/// `date` in this zone, as a message has it.
fn date(zone: &str) -> String {
    run(prepared("date").arg("+%b %e %T").env("TZ", zone).env("LC_ALL", "C")).stdout.trim_end().to_owned()
}

fn a_line_is_a_message_as_syslog3_sends_it(kind: Kind) {
    let world = World::new();
    let mut syslogd = world.syslogd(kind);
    assert_eq!(world.run(&[], "hello  there \n\n\tyou\n"), prints(""));
    let expected = |message: &Message, text: &str| Message {
        facility: 3,
        level: 6,
        time: message.time.clone(),
        ident: "sissylog: ".into(),
        text: text.into(),
    };
    let messages = syslogd.rest();
    assert_eq!(messages, [expected(&messages[0], "hello  there "), expected(&messages[1], "\tyou")]);

    // Local time, and the ident as it is given.
    for zone in ["UTC0", "XXX-9:30", "YYY+11:45"] {
        let (mut command, before) = (world.command(r#"echo x | "$B/sissylog" "a b""#, &[]), date(zone));
        assert_eq!(run(command.env("TZ", zone)), prints(""));
        let (message, after) = (syslogd.next(), date(zone));
        assert_eq!(message.ident, "a b: ");
        // The day and the hour may have changed meanwhile, but not to any other.
        let minute = |time: &str| time[..12].to_owned();
        let time = minute(&message.time);
        assert!(
            [minute(&before), minute(&after)].contains(&time),
            "{zone}: {before} {} {after}",
            message.time
        );
    }
}

fn all_facilities_and_all_levels_arrive(kind: Kind) {
    let world = World::new();
    let mut syslogd = world.syslogd(kind);
    let names = [
        "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
    ];
    let mut facilities: Vec<(String, u8)> = names.iter().map(ToString::to_string).zip(0..).collect();
    facilities.extend((0..8).map(|local| (format!("local{local}"), 16 + local)));
    facilities.push(("security".into(), 4));
    facilities.push(("LOG_LOCAL3".into(), 19));
    facilities.push(("Log_authpriv".into(), 10));
    let mut lines: Vec<(String, u8, String)> = Vec::new();
    for (word, level) in WORDS {
        for line in [format!("{word}: that"), format!("{}:that", word.to_uppercase())] {
            lines.push((line.clone(), level, line));
        }
    }
    for level in 0..8 {
        lines.push((format!("<{level}>error: that"), level, "error: that".into()));
    }
    for line in ["that", "errors: that", " error: that", "error that", "<8>that", "2026 error: that"] {
        lines.push((line.into(), 6, line.into()));
    }
    let input = lines.iter().fold(String::new(), |input, (line, ..)| input + line + "\n");
    fs::write(world.path("input"), input).unwrap();
    for (name, facility) in facilities {
        let mut running = world.start_as(r#"cat input | "$B/sissylog" "$@""#, &["web", &name]);
        for (_, level, text) in &lines {
            let message = syslogd.next();
            let found = (message.facility, message.level, &*message.ident, &message.text);
            assert_eq!(found, (facility, *level, "web: ", text), "{name}");
        }
        assert_eq!(running.ended(), 0);
    }
    assert_eq!(syslogd.rest(), []);
}

fn control_bytes_and_what_is_not_utf8_are_escaped(kind: Kind) {
    let world = World::new();
    let mut syslogd = world.syslogd(kind);
    let input = b"tab\t, bell \x07, del \x7f, \x1b[31mred, nul \0, cr \r\n\
        h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80, latin1 \xe9, csi \xc2\x9b\n<3>\n\xff\xfe\n";
    assert_eq!(world.run(&["w\u{e9}b\n"], input), prints(""));
    let messages = syslogd.rest();
    let expected = [
        "tab\t, bell \\x07, del \\x7f, \\x1b[31mred, nul \\x00, cr \\x0d",
        "hé € 😀, latin1 \\xe9, csi \\xc2\\x9b",
        "\\xff\\xfe",
    ];
    assert_eq!(texts(&messages), expected);
    assert_eq!(messages[0].ident, "wéb\\x0a: ");
}

/// Puts the pieces of a line together.
fn joined(pieces: &[Message], level: u8) -> String {
    let mut line = String::new();
    for (i, piece) in pieces.iter().enumerate() {
        assert!(piece.level == level && piece.text.len() <= 800, "{piece:?}");
        let text = if i == 0 { Some(&*piece.text) } else { piece.text.strip_prefix('+') };
        line += text.unwrap_or_else(|| panic!("{piece:?}"));
    }
    line
}

fn a_long_line_is_split_and_each_piece_has_its_level(kind: Kind) {
    let world = World::new();
    let mut syslogd = world.syslogd(kind);
    // 800 bytes are one piece, one more makes a second; no character is split.
    let exact = "x".repeat(800);
    let more = format!("{}é{}z", "y".repeat(799), "€".repeat(266));
    // More than is looked at at once, in characters of each length, with escapes among them.
    let huge = format!("warning: {}", "aé€😀\\x01".repeat(8000));
    let input = format!("<1>{exact}\nerr: {more}\n{}\nend\n", huge.replace("\\x01", "\x01"));
    let (mut running, mut writer) = world.start_alone(&[]);
    let thread = std::thread::spawn(move || std::io::Write::write_all(&mut writer, input.as_bytes()));
    assert_eq!(syslogd.next().text, exact);
    assert_eq!(joined(&syslogd.take(3), 3), format!("err: {more}"));
    let mut pieces = vec![];
    loop {
        match syslogd.next() {
            message if message.text == "end" => break,
            message => pieces.push(message),
        }
    }
    assert_eq!(joined(&pieces, 4), huge);
    // None is short for no reason: but for the last, and where a look had seen no more.
    let short = pieces.iter().filter(|piece| piece.text.len() < 790).count();
    assert!(short <= 1 + huge.len() / (16 << 10), "{short}");
    thread.join().unwrap().unwrap();
    assert_eq!(running.ended(), 0);
    assert_eq!(syslogd.rest(), []);
}

fn the_input_may_be_a_file(kind: Kind) {
    let world = World::new();
    let mut syslogd = world.syslogd(kind);
    let lines = numbered(0..3000);
    fs::write(world.path("input"), lines.join("\n")).unwrap();
    let mut running = world.start_as(r#"exec "$B/sissylog" <input"#, &[]);
    assert_eq!(texts(&syslogd.take(3000)), lines);
    assert_eq!(running.ended(), 0);
    assert_eq!(syslogd.rest(), []);
}

fn lines_beyond_one_read_are_read_next(kind: Kind) {
    let world = World::new();
    let mut syslogd = world.syslogd(kind);
    let (_running, mut writer) = world.start_alone(&[]);
    // A look ends with a line, and no writer tells of what is behind it.
    let lines: Vec<String> = (0..2100).map(|number| format!("{number:015}")).collect();
    std::io::Write::write_all(&mut writer, (lines.join("\n") + "\n").as_bytes()).unwrap();
    assert_eq!(texts(&syslogd.take(2100)), lines);
}

#[test]
fn a_message_too_long_for_the_socket_is_split_further() {
    needs!(mounts(), tool("strace"));
    let world = World::new();
    let mut syslogd = world.syslogd(Kind::Datagrams);
    let line = "x".repeat(900);
    fs::write(world.path("input"), format!("debug: {line}\nshort\n")).unwrap();
    let refuse = "inject=sendto:error=EMSGSIZE:when=";
    let mut trace = |when: &str| {
        let words = ["-qq", "-e", "trace=sendto", "-e", &format!("{refuse}{when}"), "-o", "trace"];
        let mut running = world.start_as(r#"exec strace "$@" "$B/sissylog" <input"#, &words);
        let mut pieces = vec![];
        loop {
            match syslogd.next() {
                message if message.text == "short" => break,
                message => pieces.push(message),
            }
        }
        assert_eq!(running.ended(), 0);
        assert_eq!(joined(&pieces, 7), format!("debug: {line}"));
        pieces.iter().map(|piece| piece.text.len()).collect::<Vec<_>>()
    };
    assert_eq!(trace("1..2"), [200, 200, 200, 200, 111]);
    assert_eq!(trace("2..3"), [800, 108]);
    // One that takes nothing at all is as one that is not there.
    assert_eq!(trace("1..7"), [800, 108]);
    let trouble = "sissylog: warning: unable to reach /dev/log: Message too long\n";
    assert_eq!(world.stderr().replace("Message too large", "Message too long"), trouble);
}

#[test]
fn it_takes_no_more_memory_with_time() {
    needs!(mounts());
    let world = World::new();
    let mut syslogd = world.syslogd(Kind::Datagrams);
    let (running, mut writer) = world.start_alone(&["-p"]);
    let mut send = |line: &str, count: usize| {
        let lines = format!("{line}\n").repeat(count);
        std::io::Write::write_all(&mut writer, lines.as_bytes()).unwrap();
        syslogd.take(count);
        running.wait_until_it_waits();
        let status = fs::read_to_string(format!("/proc/{}/status", running.pid())).unwrap();
        status.lines().find(|line| line.starts_with("VmData:")).unwrap().to_owned()
    };
    let first = send("warning: a line", 1);
    for _ in 0..20 {
        assert_eq!(send("warning: a line \x01 é", 1000), first);
    }
}
