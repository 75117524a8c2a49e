//! Files of rules as landlock reads them.
#![no_main]

use catena::landlock::rules::{Flaw, parse};
use common::landlock::{Access, Deed, Rule};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|content: &[u8]| {
    let found = parse(content);
    let lines = content.split(|b| *b == b'\n').zip(1..);
    let expected: Result<Vec<Plain>, usize> =
        lines.filter_map(|(line, number)| Some(read(line)?.ok_or(number))).collect();
    let found = found.map_err(|Flaw { line, .. }| line);
    assert_eq!(found.map(|rules| rules.iter().map(plain).collect()), expected);
});

type Plain = (&'static str, Vec<u8>);

fn plain(rule: &Rule) -> Plain {
    match rule {
        Rule::Path(access, path) => {
            let word = match access {
                Access::Read => "ro",
                Access::Execute => "rx",
                Access::Write => "rw",
                Access::All => "rwx",
            };
            (word, path.to_bytes().to_vec())
        }
        Rule::Port(deed, port) => {
            let word = match deed {
                Deed::Bind => "bind",
                Deed::Connect => "connect",
            };
            (word, port.map_or("none".into(), |port| port.to_string()).into_bytes())
        }
    }
}

/// What a line says, byte by byte from its end: nothing, a rule, or what is none.
fn read(line: &[u8]) -> Option<Option<Plain>> {
    let mut bytes = line.to_vec();
    while let Some(b' ' | b'\t') = bytes.last() {
        bytes.pop();
    }
    bytes.reverse();
    while let Some(b' ' | b'\t') = bytes.last() {
        bytes.pop();
    }
    if bytes.is_empty() || bytes.last() == Some(&b'#') {
        return None;
    }
    let mut word = Vec::new();
    while let Some(byte) = bytes.pop() {
        if byte == b' ' || byte == b'\t' {
            break;
        }
        word.push(byte);
    }
    while let Some(b' ' | b'\t') = bytes.last() {
        bytes.pop();
    }
    bytes.reverse();
    let word =
        ["ro", "rx", "rw", "rwx", "bind", "connect"].into_iter().find(|known| known.as_bytes() == word);
    Some(word.and_then(|word| {
        let good = if matches!(word, "bind" | "connect") {
            let digits = std::str::from_utf8(&bytes).ok().filter(|text| !text.starts_with('+'));
            let number = digits.and_then(|text| text.parse::<u16>().ok());
            bytes = if bytes == b"none" { bytes } else { number?.to_string().into_bytes() };
            true
        } else {
            !bytes.is_empty() && !bytes.contains(&0) && bytes.last() != Some(&b'\r')
        };
        good.then_some((word, bytes))
    }))
}
