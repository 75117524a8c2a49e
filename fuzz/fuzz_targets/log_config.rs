//! The file `config` of a log directory, as svlog reads it: what is in front of the first NUL is read before, the
//! rest after it, once and again.
#![no_main]

use std::net::SocketAddrV4;

use catena::svlog::config::{Config, Full};
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
            |_| panic!("told of what was not read"),
        )
        .unwrap_err();
    assert_eq!(seen(&config), Seen::default());
});

/// Reads it. Returns the lines that it was told mean nothing.
fn read(config: &mut Config, text: &[u8]) -> Vec<Vec<u8>> {
    let mut bad = Vec::new();
    let fill = |to: &mut Vec<u8>| {
        to.extend_from_slice(text);
        Ok::<_, ()>(())
    };
    config.read(fill, |line| bad.push(line.to_owned())).unwrap();
    bad
}

/// What a `config` means.
#[derive(Debug, PartialEq)]
struct Seen {
    numbers: [u64; 4],
    udp: Option<SocketAddrV4>,
    udp_only: bool,
    full: Full,
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
            full: Full::Block,
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
        full: config.full,
        processor: config.processor().map(|command| command.to_bytes().to_owned()),
        prefix: config.prefix().to_owned(),
        rules: config.rules().map(|(kind, pattern)| (kind, pattern.to_owned())).collect(),
    }
}

/// The same, and the lines that mean nothing. A NUL ends a line as a newline does.
fn expected(text: &[u8]) -> (Seen, Vec<Vec<u8>>) {
    let (mut seen, mut bad) = (Seen::default(), Vec::new());
    for line in text.split(|byte| matches!(byte, 0 | b'\n')).filter(|line| !line.is_empty()) {
        let (letter, value) = (line[0], &line[1..]);
        let number = |factors: &[(u8, u64)]| number(value, factors);
        let good = match letter {
            b's' => put(&mut seen.numbers[0], number(&[(b'k', 1024), (b'm', 1024 * 1024)])),
            b'n' => put(&mut seen.numbers[1], number(&[])),
            b'N' => put(&mut seen.numbers[2], number(&[])),
            b't' => put(&mut seen.numbers[3], number(&[(b'm', 60), (b'h', 60 * 60), (b'd', 24 * 60 * 60)])),
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

/// Digits, and what the letter behind them makes of them; anything may follow.
fn number(text: &[u8], factors: &[(u8, u64)]) -> Option<u64> {
    let (mut sum, mut rest) = (None, text);
    while let [digit @ b'0'..=b'9', after @ ..] = rest {
        sum = Some(sum.unwrap_or(0_u128).saturating_mul(10).saturating_add(u128::from(digit - b'0')));
        rest = after;
    }
    let factor = factors.iter().find(|(letter, _)| rest.starts_with(&[*letter])).map_or(1, |(_, by)| *by);
    sum?.saturating_mul(factor.into()).try_into().ok()
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
    let field = |at: usize| number(&fields[at], &[]);
    let port = match marks[..] {
        [b'.', b'.', b'.'] => 514,
        [b'.', b'.', b'.', b':'] | [b'.', b'.', b'.', b':', b':', ..] => field(4)?.try_into().ok()?,
        _ => return None,
    };
    let byte = |at: usize| field(at)?.try_into().ok();
    let address: [u8; 4] = [byte(0)?, byte(1)?, byte(2)?, byte(3)?];
    (port > 0).then(|| SocketAddrV4::new(address.into(), port))
}

fn full(text: &[u8]) -> Option<Full> {
    let text: Vec<&[u8]> = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).collect();
    match text[..] {
        [b"block"] => Some(Full::Block),
        [b"oldest"] => Some(Full::Oldest),
        [b"new"] => Some(Full::New),
        _ => None,
    }
}
