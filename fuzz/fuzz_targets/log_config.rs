//! The file `config` of a log directory, as svlog reads it: what is in front of the first NUL is read before, the
//! rest after it, once and again.
#![no_main]

use std::net::SocketAddrV4;

use catena::svlog::config::{Config, OnFull};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(2, |byte| *byte == 0);
    let (before, text) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let mut config = Config::default();
    read(&mut config, before);
    let expected = expected(text);
    for _ in 0..2 {
        let bad = read(&mut config, text);
        assert_eq!((seen(&config), bad), expected);
    }
    config
        .read(
            |to| {
                to.extend_from_slice(before);
                Err(())
            },
            |_, _| panic!("reported a line that was not read"),
        )
        .unwrap_err();
    assert_eq!(seen(&config), Seen::default());
});

/// Reads it. Returns the lines that were reported as invalid.
fn read(config: &mut Config, text: &[u8]) -> Vec<Vec<u8>> {
    let mut bad = Vec::new();
    let fill = |to: &mut Vec<u8>| {
        to.extend_from_slice(text);
        Ok::<_, ()>(())
    };
    config.read(fill, |line, _| bad.push(line.to_owned())).unwrap();
    bad
}

/// What a `config` means.
#[derive(Debug, PartialEq)]
struct Seen {
    numbers: [u64; 4],
    udp: Option<SocketAddrV4>,
    udp_only: bool,
    full: OnFull,
    processor: Option<Vec<u8>>,
    prefix: Vec<u8>,
    rules: Vec<(u8, Vec<u8>)>,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            numbers: [1_000_000, 10, 10, 0],
            udp: None,
            udp_only: false,
            full: OnFull::Block,
            processor: None,
            prefix: Vec::new(),
            rules: Vec::new(),
        }
    }
}

fn seen(config: &Config) -> Seen {
    Seen {
        numbers: [config.size, config.keep, config.least, config.age],
        udp: config.udp,
        udp_only: config.udp_only,
        full: config.on_full,
        processor: config.processor().map(|command| command.to_bytes().to_owned()),
        prefix: config.prefix().to_owned(),
        rules: config.rules().map(|(kind, pattern)| (kind, pattern.to_owned())).collect(),
    }
}

/// The same, and the invalid lines. A NUL ends a line as a newline does.
fn expected(text: &[u8]) -> (Seen, Vec<Vec<u8>>) {
    let (mut seen, mut bad) = (Seen::default(), Vec::new());
    for line in text.split(|byte| matches!(byte, 0 | b'\n')).filter(|line| !line.is_empty()) {
        let (letter, value) = (line[0], &line[1..]);
        let number = |units: &[(&str, u64)]| number(value, units);
        let good = match letter {
            b's' => put(&mut seen.numbers[0], number(&SIZES)),
            b'n' => put(&mut seen.numbers[1], number(&[("", 1)])),
            b'N' => put(&mut seen.numbers[2], number(&[("", 1)])),
            b't' => put(&mut seen.numbers[3], number(&TIMES)),
            b'u' | b'U' => {
                let address = address(value);
                seen.udp_only |= letter == b'U' && address.is_some();
                seen.udp = address.or(seen.udp);
                address.is_some()
            }
            b'o' => put(&mut seen.full, full(value)),
            b'!' => put(&mut seen.processor, Some(Some(value.to_owned()).filter(|text| !text.is_empty()))),
            b'p' => put(&mut seen.prefix, Some(value.to_owned())),
            b'+' | b'-' | b'e' | b'E' => {
                seen.rules.insert(0, (letter, value.to_owned()));
                true
            }
            _ => true,
        };
        if !good {
            bad.push(line.to_owned());
        }
    }
    (seen, bad)
}

fn put<T>(to: &mut T, value: Option<T>) -> bool {
    value.map(|value| *to = value).is_some()
}

const SIZES: [(&str, u64); 7] =
    [("", 1), ("k", 1 << 10), ("K", 1 << 10), ("m", 1 << 20), ("M", 1 << 20), ("g", 1 << 30), ("G", 1 << 30)];

/// In milliseconds.
const TIMES: [(&str, u64); 5] =
    [("", 1000), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Digits, perhaps a point and up to nine digits more where there are parts of the unit, and the unit.
fn number(text: &[u8], units: &[(&str, u64)]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let by = units.iter().find(|(name, _)| *name == unit)?.1;
    let digits = &text[..text.len() - unit.len()];
    let whole = |digits: &str| -> Option<u128> {
        let sum = digits.bytes().fold(0_u128, |sum, digit| {
            sum.saturating_mul(10).saturating_add(u128::from(digit - b'0'))
        });
        (!digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit())).then_some(sum)
    };
    let all = match digits.split_once('.') {
        None => whole(digits)?.checked_mul(by.into())?,
        Some((_, part)) if by == 1 || part.len() > 9 || part.contains('.') => return None,
        Some((left, part)) => {
            let parts = whole(part)? * u128::from(by) / 10_u128.pow(u32::try_from(part.len()).ok()?);
            whole(left)?.checked_mul(by.into())?.checked_add(parts)?
        }
    };
    all.try_into().ok()
}

/// `A.B.C.D` or `A.B.C.D:PORT`; what stands behind another colon is passed over, and so is all from the first
/// byte on that no address can have.
fn address(text: &[u8]) -> Option<SocketAddrV4> {
    let mut fields = vec![Vec::new()];
    let mut marks = Vec::new();
    for byte in text.iter().take_while(|byte| matches!(byte, b'0'..=b'9' | b'.' | b':')) {
        if byte.is_ascii_digit() {
            fields.last_mut().unwrap().push(*byte);
        } else {
            marks.push(*byte);
            fields.push(Vec::new());
        }
    }
    let field = |at: usize| number(&fields[at], &[("", 1)]);
    let port = match marks[..] {
        [b'.', b'.', b'.'] => 514,
        [b'.', b'.', b'.', b':'] | [b'.', b'.', b'.', b':', b':', ..] => field(4)?.try_into().ok()?,
        _ => return None,
    };
    let byte = |at: usize| field(at)?.try_into().ok();
    let address: [u8; 4] = [byte(0)?, byte(1)?, byte(2)?, byte(3)?];
    (port > 0).then(|| SocketAddrV4::new(address.into(), port))
}

fn full(text: &[u8]) -> Option<OnFull> {
    let text: Vec<&[u8]> = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).collect();
    match text[..] {
        [b"block"] => Some(OnFull::Block),
        [b"oldest"] => Some(OnFull::RemoveOldest),
        [b"new"] => Some(OnFull::DropNew),
        _ => None,
    }
}
