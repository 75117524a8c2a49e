//! A table of scripts and a table of inputs, each with each, and generated ones: both programs leave the same.

use super::harness::*;
use crate::needs;
use crate::support::*;

/// Scripts without a rotation.
const SCRIPTS: &[&[&str]] = &[
    // Directories.
    &["./log"],
    &["."],
    &["./"],
    &["$D/log"],
    &["./a", "./a/../b"],
    &["./a", "./b", "./c"],
    &["", "./log", ""],
    &["s16777215", "n100", "./log"],
    &["s99999999", "n0", "./a", "s16777215", "./b"],
    &["!cat", "./log"],
    &["./a", "!false", "n3", "s9999"],
    // Stamps.
    &["t", "./log"],
    &["t", "./a", "./b", "e"],
    &["t", "=st"],
    // Patterns, in their order.
    &["-*", "./log"],
    &["+*", "./log"],
    &["-*", "+*", "./log"],
    &["-*", "+a*", "./log"],
    &["-*", "+*b*", "./log"],
    &["-a*", "./log"],
    &["-*a*", "+*b*", "./log"],
    &["+a", "-b", "./log"],
    &["-a", "+a", "-b", "+c", "./log"],
    &["-", "./log"],
    &["+", "./log"],
    &["-*", "+", "./log"],
    &["-**", "./log"],
    &["-*", "+*\n", "./log"],
    &["-*", "+a\nb", "./log"],
    &["-*", "+one*: three", "./log"],
    &["-*", "+one*t*three", "./log"],
    &["-*", "+*x", "./log"],
    &["-*", "+\u{e4}*", "./log"],
    &["-*", "+++", "./log"],
    &["--help", "./log"],
    &["./log", "--version"],
    &["--", "./log"],
    &["-t", "./log"],
    &["./a", "-*", "./b", "+a*", "./c", "-*", "./d"],
    &["-*", "./a", "+*", "./b"],
    // They see the stamp.
    &["t", "-*", "+@* *", "./log"],
    &["t", "-a*", "./log"],
    &["t", "-@* a*", "./log"],
    &["t", "-*", "+* *b", "./log"],
    &["t", "-*", "+* one*: three", "./log"],
    &["t", "-*", "+*x", "=st", "e", "./log"],
    // stderr.
    &["e"],
    &["e", "e", "./log"],
    &["t", "e"],
    &["-*", "e"],
    &["e", "-*", "+b*", "e", "./log"],
    &["./log", "e", "-*"],
    &["-*b", "e", "./log"],
    &["t", "+*", "e", "=st", "./log"],
    // Files.
    &["=st"],
    &["=st1", "-*", "=st2", "+a*", "=st3"],
    &["-*", "+*: *", "=st", "./log"],
    &["./log", "-*b*", "=$D/st", "e"],
    &["=st", "=st"],
    &["=st", "./log", "+*", "-*:*"],
    &["-*: *", "=st1", "./log", "=st2"],
    &["t", "-*", "+* a*", "=st", "-*", "+* *b", "./b", "e"],
];

fn inputs() -> Vec<Vec<u8>> {
    let x = |count: usize| "x".repeat(count);
    let mut all: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"\n".to_vec(),
        b"a".to_vec(),
        b"a\nb\nc\n".to_vec(),
        b"a\nb".to_vec(),
        b"\n\na\n\n".to_vec(),
        b"one: two: three\none: three\none two: three\n+\n++\n-help\n".to_vec(),
        b"a\0b\n\0\n\xff\xfe\xc3\xa4\nab\r\n".to_vec(),
        (0..=255).collect(),
        "\u{e4}b\n\u{e4}\nb\u{e4}".as_bytes().to_vec(),
    ];
    // About the lengths at which something begins or ends: those of stderr, of a pattern, of both with a stamp, of
    // what is read at once.
    for at in [173, 174, 175, 199, 200, 201, 972, 973, 974, 975, 998, 999, 1000, 1001, 1024, 3000] {
        all.push(format!("{}\n", x(at)).into());
        all.push(format!("a{}b\n{}b", x(at - 2), x(at - 1)).into());
    }
    all.push(format!("a\n{}\nb\n", x(40_000)).into());
    all.push(format!("a\n{}", x(70_000)).into());
    let many = |n: usize| format!("{} {}\n", ["a", "b", "one: three"][n % 3], n * n % 1013);
    all.push((0..1000).map(many).collect::<String>().into());
    all
}

#[test]
fn every_script_makes_the_same_of_every_input() {
    needs!(Multilog.there());
    let inputs = inputs();
    let scripts: Vec<_> = share(SCRIPTS.iter().enumerate()).collect();
    for (i, script) in &scripts {
        // In one process of each for all, as far as that can be: the inputs as they are, and all in one.
        let all: Vec<u8> = inputs.iter().flat_map(|input| [&input[..], b"\n"].concat()).collect();
        if all.len() < 90_000 {
            same(script, &all);
        }
        // Each of the first ones, and of the others every fourth: the next script gets the next.
        for (n, input) in inputs.iter().enumerate() {
            if n < 10 || (n + i) % 4 == 0 {
                same(script, input);
            }
        }
    }
    tell(&format!(
        "multilog: {} of {} scripts, {} inputs, all the same",
        scripts.len(),
        SCRIPTS.len(),
        inputs.len()
    ));
}

/// A text of these letters.
fn generated(random: &mut Random, letters: &str, most: usize) -> String {
    (0..random.below(most + 1)).map(|_| char::from(letters.as_bytes()[random.below(letters.len())])).collect()
}

#[test]
fn generated_patterns_match_the_same_lines() {
    needs!(Multilog.there());
    let mut random = Random::new(7);
    let mut total = 0;
    for stamp in [false, true] {
        let lines: String = (0..600).map(|_| generated(&mut random, "ab*+ ", 7) + "\n").collect();
        let mut script: Vec<String> = if stamp { vec!["t".into()] } else { vec![] };
        for n in 0..120 {
            // What is in a stamp differs.
            let begin = if stamp { "@* " } else { "" };
            let pattern = generated(&mut random, "ab**+ ", 7);
            script.extend(["-*".into(), format!("+{begin}{pattern}"), format!("./{n}")]);
        }
        let script: Vec<&str> = script.iter().map(String::as_str).collect();
        let left = same(&script, lines.as_bytes());
        assert_eq!(left.logs.len(), 120);
        total += left.logs.values().map(|log| log.text.lines().count()).sum::<usize>();
    }
    assert!(total > 1000, "{total} lines are too few");
}

#[test]
fn generated_scripts_make_the_same_of_generated_lines() {
    needs!(Multilog.there());
    let mut random = Random::new(11);
    for _ in 0..100 {
        let mut script: Vec<String> = Vec::new();
        let mut next = 0;
        for at in 0..=random.below(12) {
            next += 1;
            script.push(match random.below(9) {
                0 if at == 0 => "t".into(),
                1 | 2 => format!("-{}", generated(&mut random, "xy* ", 4)),
                3 | 4 => format!("+{}", generated(&mut random, "xy*@ ", 4)),
                5 => "e".into(),
                6 => format!("=st{next}"),
                7 => format!("s{}", random.below(200_000) + 50_000),
                _ => format!("./{next}"),
            });
        }
        script.push("./last".into());
        let script: Vec<&str> = script.iter().map(String::as_str).collect();
        let mut lines: String = (0..60).map(|_| generated(&mut random, "xy* ", 5) + "\n").collect();
        lines.truncate(lines.len() - random.below(3));
        same(&script, lines.as_bytes());
    }
}

/// Sizes and numbers: the same lines in the same order, and the same number of archives where all but the size of
/// what is written at once is the same.
#[test]
fn rotations_keep_the_same_lines_in_as_many_archives() {
    needs!(Multilog.there());
    let lines = |count: usize, length: usize| -> String {
        let line = |n: usize| format!("{n:08} {}\n", "x".repeat(n * 7919 % length));
        (0..count).map(line).collect()
    };
    for (script, count, length) in [
        (&["s4096", "n1000"][..], 3000, 50),
        (&["s1", "n1000"], 3000, 50),
        (&["s99999999", "n1000"], 3000, 50),
        (&["s5000", "n1000"], 2000, 300),
        (&["s100000", "n1000"], 9000, 100),
        (&["n1000"], 9000, 100),
        (&["s4096", "n1000", "!cat"], 300, 100),
        (&["s4096", "n1000", "-*5*"], 3000, 50),
    ] {
        let script = [script, &["./log"]].concat();
        let input = lines(count, length);
        let [theirs, ours] = [Multilog, OurMultilog].map(|of| {
            let left = Place::new(of).run(&script, input.as_bytes());
            assert_eq!((left.status, left.stderr.as_str()), (0, ""), "{of:?} {script:?}");
            left.logs["/log"].clone()
        });
        assert!(theirs.text == ours.text, "{script:?}");
        let size = script
            .iter()
            .find_map(|action| action.strip_prefix('s')?.parse().ok())
            .unwrap_or(99_999)
            .clamp(4096, 16_777_215);
        for log in [&theirs, &ours] {
            assert!(log.kinds.bytes().all(|kind| kind == b's') && log.mode == 0o744, "{script:?} {log:?}");
            // Full 2000 bytes before the size, at the end of the next line, or of what is written at once.
            let full = log.sizes.iter().take(log.kinds.len());
            let right = |bytes: &usize| (size - 2000..size - 2000 + 512 + length).contains(bytes);
            assert!(full.clone().all(right), "{script:?} {:?}", log.sizes);
        }
        let (many, less) =
            (theirs.kinds.len().max(ours.kinds.len()), theirs.kinds.len().min(ours.kinds.len()));
        assert!(
            many * (size - 2000) <= less * (size - 2000 + 512 + length),
            "{script:?} {theirs:?} {ours:?}"
        );
    }
}

#[test]
fn as_many_files_are_kept_as_the_number_says_and_they_are_the_newest() {
    needs!(Multilog.there());
    let line = |n: usize| format!("line {n:08}\n");
    let lines: String = (0..4000).map(line).collect();
    for (number, kept) in [("n0", 1), ("n2", 1), ("n3", 2), ("n7", 6), ("n10", 9)] {
        for of in [Multilog, OurMultilog] {
            for processor in ["", "!cat"] {
                let left = Place::new(of).run(&["s4096", number, processor, "./log"], lines.as_bytes());
                let log = &left.logs["/log"];
                // An empty action is none; those of the processor are all there once it has finished.
                assert_eq!(log.kinds, "s".repeat(kept), "{of:?} {number} {processor}");
                assert!(lines.ends_with(&log.text), "{of:?} {number} {processor}");
            }
        }
    }
    // A smaller number than before takes effect at the next rotation, whatever is there.
    for of in [Multilog, OurMultilog] {
        let place = Place::new(of);
        let before = place.run(&["s4096", "n15", "./log"], lines.as_bytes());
        assert_eq!(before.logs["/log"].kinds.len(), 14, "{of:?}");
        let after = place.run(&["s4096", "n4", "./log"], &lines.as_bytes()[..4200]);
        assert_eq!(after.logs["/log"].kinds, "sss", "{of:?}");
    }
}
