//! tai64nlocal; see `tai64n` for what both do.

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::process::{Command, Stdio};

use common::fds::unread;

use crate::needs;
use crate::support::*;
use crate::tai64n::filtered;

/// What it makes of the input in this time zone.
fn local(zone: &str, input: &[u8]) -> String {
    let (status, output, messages) = filtered(link("tai64nlocal").env("TZ", zone), input);
    assert_eq!((status, &*messages), (0, ""));
    String::from_utf8(output).unwrap()
}

#[test]
fn a_stamp_becomes_local_time() {
    for (zone, stamp, shown) in [
        ("UTC", "4000000037c219bf2ef02e94", "1999-08-24 04:04:05.787492500"),
        ("America/Los_Angeles", "4000000037c219bf2ef02e94", "1999-08-23 21:04:05.787492500"),
        ("Europe/Berlin", "4000000037c219bf2ef02e94", "1999-08-24 06:04:05.787492500"),
        ("Europe/Berlin", "400000006b02c4333ade68b1", "2026-11-22 11:30:01.987654321"),
        ("Asia/Kathmandu", "400000006b02c4333ade68b1", "2026-11-22 16:15:01.987654321"),
        ("CET-1CEST,M3.5.0,M10.5.0/3", "4000000037c219bf00000001", "1999-08-24 06:04:05.000000001"),
        ("UTC", "400000000000000a00000000", "1970-01-01 00:00:00.000000000"),
        ("UTC", "400000000000000000000000", "1969-12-31 23:59:50.000000000"),
        ("UTC", "3ffffffff7c219bf2ef02e94", "1965-08-14 14:27:01.787492500"),
        ("UTC", "400000038b13ba8a00000000", "2452-03-30 21:30:40.000000000"),
    ] {
        for rest in ["\n", " text\n", " \n", "", " unended", "Z\n", " @4000000037c219bf2ef02e94\n"] {
            assert_eq!(local(zone, format!("@{stamp}{rest}").as_bytes()), format!("{shown}{rest}"), "{zone}");
        }
    }
}

/// Every second around a change of the offset, in the middle of the hour too, at the end of a day, and before 1900, when
/// offsets had seconds.
#[test]
fn around_a_change_of_the_offset_each_second_is_right() {
    for (zone, around) in [
        ("Europe/Berlin", 1_792_890_000i64),
        ("Europe/Berlin", 1_774_746_000),
        ("Australia/Lord_Howe", 1_775_314_800),
        ("XYZ-1:07:30XYW,M3.5.0/2:03:20,M10.5.0/3:01:07", 1_792_890_000),
        ("Africa/Monrovia", 63_593_070),
        ("America/New_York", -2_717_650_800),
        ("right/UTC", 1_483_228_826),
        ("UTC", 1_795_392_000),
    ] {
        let seconds: Vec<i64> =
            (around - 1000..around + 4000).step_by(7).chain(around - 9..around + 9).collect();
        let each = |line: fn(&i64) -> String| seconds.iter().map(line).collect::<Vec<_>>().concat();
        let stamps = each(|second| format!("@{:016x}00000000\n", (1i64 << 62) + 10 + second));
        let dates = each(|second| format!("@{second}\n"));
        if zone.starts_with("right/") && musl() {
            continue; // musl's zones have no leap seconds
        }
        let mut date = prepared("date");
        date.env("TZ", zone).args(["-f", "-", "+%Y-%m-%d %H:%M:%S.%N"]);
        let (status, expected, _) = filtered(&mut date, dates.as_bytes());
        assert_eq!(status, 0);
        assert!(local(zone, stamps.as_bytes()).as_bytes() == expected, "{zone}");
    }
}

#[test]
fn the_time_zone_is_that_of_the_system_without_tz() {
    let mut command = link("tai64nlocal");
    let (_, ours, _) = filtered(command.env_remove("TZ"), b"@400000006b02c4333ade68b1\n");
    let date =
        run(prepared("date").env_remove("TZ").args(["-d", "@1795343401", "+%Y-%m-%d %H:%M:%S.987654321"]));
    assert_eq!(String::from_utf8(ours).unwrap(), date.stdout);
}

#[test]
fn with_g_it_is_utc_in_every_zone() {
    let mut command = link("tai64nlocal");
    let output = filtered(command.arg("-g").env("TZ", "Asia/Kathmandu"), b"@4000000037c219bf2ef02e94 x\n");
    assert_eq!(output, (0, b"1999-08-24 04:04:05.787492500 x\n".to_vec(), String::new()));
}

#[test]
fn lines_without_a_stamp_pass_as_they_are() {
    let all: Vec<u8> = (0..=255u8).filter(|b| *b != b'@').collect();
    for line in [&b"\n"[..], b"text\n", b" @4000000037c219bf2ef02e94\n", b"x@4000000037c219bf2ef02e94", &all]
    {
        assert_eq!(filtered(&mut link("tai64nlocal"), line), (0, line.to_vec(), String::new()));
    }
}

#[test]
fn what_is_no_time_passes_as_it_is() {
    let digits = "0".repeat(5000);
    for stamp in [
        "",
        "4",
        "4000000037c219bf",
        "4000000037c219bf2ef02e9",
        "4000000037C219BF2ef02e94",
        "4000000037c219bf2ef02e94abc",
        "ffffffffffffffffffffffff",
        "000000000000000000000000",
        "3f80000037c219bf2ef02e94",
        "@4000000037c219bf2ef02e94",
        &format!("{digits}4000000037c219bf2ef02e94"),
    ] {
        for rest in ["\n", " text\n", "", " @4000000037c219bf2ef02e94"] {
            let line = format!("@{stamp}{rest}");
            assert_eq!(local("UTC", line.as_bytes()), line);
        }
    }
}

#[test]
fn the_pieces_in_which_a_line_comes_make_no_difference() {
    let mut random = Random::new(1);
    let lines =
        ["@4000000037c219bf2ef02e94 text\n", "text\n", "@\n", "@40 x\n", "\n", "@4000000037c219bf2ef02e94\n"];
    let text: String = (0..1000).map(|_| lines[random.below(lines.len())]).collect();
    let expected = local("UTC", text.as_bytes());
    let mut child =
        link("tai64nlocal").env("TZ", "UTC").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let writer = std::thread::spawn(move || {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            let piece = (1 + random.below(40)).min(rest.len());
            input.write_all(&rest[..piece]).unwrap();
            rest = &rest[piece..];
            until("it has read the piece", || unread(input.as_fd()) == Ok(0));
        }
    });
    let mut all = String::new();
    output.read_to_string(&mut all).unwrap();
    writer.join().unwrap();
    assert!(child.wait().unwrap().success());
    assert!(all == expected);
}

/// A line that begins with a stamp, or with something near it.
fn mutated(random: &mut Random) -> Vec<u8> {
    let seconds =
        [0x4000_0000_37c2_19bf, 0x4000_0000_6b02_c433, 0x3fff_ffff_f000_0000, 0x4000_0010_0000_0000u64];
    let second = seconds[random.below(4)] + u64::try_from(random.below(1 << 30)).unwrap();
    let mut line = format!("@{second:016x}{:08x} text\n", random.below(1 << 32)).into_bytes();
    for _ in 0..random.below(3) {
        let at = random.below(line.len() - 1);
        match random.below(4) {
            0 => drop(line.remove(at)),
            1 => line.insert(at, b"0123456789abcdef@gA \xff"[random.below(21)]),
            2 => line[at] = b"0123456789abcdef@gA \xff"[random.below(21)],
            _ => line.truncate(at),
        }
        if line.last() != Some(&b'\n') {
            line.push(b'\n');
        }
        if line.len() < 3 {
            break;
        }
    }
    line
}

/// What it dies of, we pass on as it is; and a year before 0, which it writes as a large one.
#[test]
fn whatever_it_is_given_it_says_what_daemontools_says() {
    needs!(peer("tai64nlocal"));
    let theirs = peer("tai64nlocal").unwrap();
    let mut random = Random::new(64);
    let (mut shown, mut crashed) = (0, 0);
    for zone in ["UTC", "Europe/Berlin", "America/St_Johns"] {
        for _ in 0..250 {
            let line = mutated(&mut random);
            let (status, expected, _) = filtered(Command::new(&theirs).env("TZ", zone), &line);
            let (ours, output, _) = filtered(link("tai64nlocal").env("TZ", zone), &line);
            let passed = status != 0 || expected.starts_with(b"184467440");
            // In years of more than six digits glibc and musl do not agree about daylight saving.
            if !passed && expected.iter().position(|b| *b == b'-').is_some_and(|digits| digits > 6) {
                continue;
            }
            let expected = if passed { &line } else { &expected };
            assert_eq!(ours, 0);
            assert!(output == *expected, "{zone}: {} became {}", line.escape_ascii(), output.escape_ascii());
            crashed += u32::from(status != 0);
            shown += u32::from(output != line);
        }
    }
    assert!(shown > 100 && crashed > 20, "{shown} were stamps, and it died of {crashed}");
}

#[test]
fn s6_counts_the_leap_seconds_as_the_page_says() {
    needs!(tool("s6-tai64n"), tool("s6-tai64nlocal"));
    let of = |program: &mut Command, input: &[u8]| String::from_utf8(filtered(program, input).1).unwrap();
    let s6 = |program: &str| Command::new(program);
    let input: &[u8] =
        b"@400000006b02c4333ade68b1 a\n@400000006B02C4333ADE68B1 b\n@400000006b02c4333ade68b1ab c\n";
    let shown = "2026-11-22 10:29:34.987654321";
    assert_eq!(of(s6("s6-tai64nlocal").arg("-g"), input), format!("{shown} a\n{shown} b\n{shown}ab c\n"));
    let cut = "@400000006b02c4333ade68b1";
    assert_eq!(of(&mut s6("s6-tai64nlocal"), cut.as_bytes()), cut);
    assert!(of(&mut s6("s6-tai64n"), b"x").ends_with(" x\n"));
    // One of its stamps between two of ours.
    let second = |program: &mut Command| u64::from_str_radix(&of(program, b"x\n")[1..17], 16).unwrap();
    let (before, theirs) = (second(&mut link("tai64n")), second(&mut s6("s6-tai64n")));
    let after = second(&mut link("tai64n"));
    assert!((before + 27..=after + 27).contains(&theirs), "{before} {theirs} {after}");
}
