//! Files of variables, as envfile reads them in each dialect: the first byte says in which.
#![no_main]

use catena::envfile::dialect::{Dialect, Flaw, Variable};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [which, content @ ..] = data else { return };
    let dialect = [Dialect::Execline, Dialect::Systemd, Dialect::Docker][usize::from(which % 3)];
    let found = dialect.variables(content);
    let expected = match dialect {
        _ if content.contains(&0) => None,
        Dialect::Docker => std::str::from_utf8(content).ok().and_then(lines),
        Dialect::Systemd if std::str::from_utf8(content).is_err() => None,
        _ if content.starts_with(b"\xef\xbb\xbf") => None,
        Dialect::Execline => automaton(content, false),
        Dialect::Systemd => automaton(content, true),
    };
    match &found {
        Ok(variables) => {
            let variables: Vec<_> = variables.iter().map(plain).collect();
            assert_eq!(Some(variables), expected);
        }
        Err(Flaw { line, .. }) => {
            assert_eq!(expected, None);
            assert!((1..=1 + content.iter().filter(|b| **b == b'\n').count()).contains(line), "{line}");
        }
    }
});

type Plain = (Vec<u8>, Option<Vec<u8>>);

fn plain(variable: &Variable) -> Plain {
    let name = variable.name.to_bytes();
    assert!(!name.is_empty() && !name.contains(&b'='));
    assert!(variable.value.as_ref().is_none_or(|value| !value.contains(&0)));
    (name.to_vec(), variable.value.clone())
}

/// docker's, on text.
fn lines(text: &str) -> Option<Vec<Plain>> {
    let mut variables = Vec::new();
    for line in text.strip_prefix('\u{feff}').unwrap_or(text).split('\n') {
        let line = line.strip_suffix('\r').unwrap_or(line).trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = line.split_once('=').map_or((line, None), |(name, value)| (name, Some(value)));
        if name.is_empty() || name.contains([' ', '\t']) || line.ends_with('\r') {
            return None;
        }
        variables.push((name.as_bytes().to_vec(), value.map(|value| value.as_bytes().to_vec())));
    }
    Some(variables)
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Start,
    Comment,
    Name,
    Lead,
    /// As `Lead`, but behind a quote; `true` when a blank has followed it.
    Behind(bool),
    Plain,
    Escape,
    Quote(u8),
    QuoteEscape,
    Hex(u8, u16),
    Octal(u8, u16),
}

/// The other two as an automaton that reads one byte after the other, and a newline at the end of what has none. Each
/// byte of a value has a mark: whether it may be trimmed.
fn automaton(content: &[u8], systemd: bool) -> Option<Vec<Plain>> {
    use State::{Behind, Comment, Escape, Hex, Lead, Name, Octal, Quote, QuoteEscape, Start};
    let blank = |b: u8| b" \t".contains(&b) || !systemd && b"\r\x0c".contains(&b);
    let newline = |b: u8| b == b'\n' || systemd && b == b'\r';
    let mut variables = Vec::new();
    let mut state = Start;
    let (mut name, mut value): (Vec<u8>, Vec<(u8, bool)>) = Default::default();
    let mut bytes = content.iter().copied().chain([b'\n']).enumerate().peekable();
    let mut again = None;
    while let Some((place, byte)) = again.take().or_else(|| bytes.next()) {
        let at_end = place == content.len();
        let before_newline = bytes.peek().is_some_and(|(place, b)| *b == b'\n' && *place < content.len());
        state = match (state, byte) {
            (Start | Comment, b) if newline(b) => Start,
            (Comment, _) => Comment,
            (Start, b) if blank(b) => Start,
            (Start, b'#') => Comment,
            (Start, b';') if systemd => Comment,
            (Start | Name, b'=') => {
                while name.last().is_some_and(|b| blank(*b)) {
                    name.pop();
                }
                let good = if systemd {
                    let text = std::str::from_utf8(&name).ok()?;
                    let word = |c: char| c == '_' || c.is_ascii_alphanumeric();
                    text.chars().all(word) && !text.starts_with(|c: char| c.is_ascii_digit())
                } else {
                    name.iter().all(|b| !b" \t\r\x0c\"'?\\".contains(b))
                };
                if name.is_empty() || !good {
                    return None;
                }
                Lead
            }
            (Name, b) if newline(b) => return None,
            (Start | Name, b) => {
                name.push(b);
                Name
            }
            (Lead | Behind(_) | State::Plain, b) if newline(b) => {
                while value.last().is_some_and(|(b, trim)| *trim && blank(*b)) {
                    value.pop();
                }
                let value = std::mem::take(&mut value).into_iter().map(|(b, _)| b).collect();
                variables.push((std::mem::take(&mut name), Some(value)));
                Start
            }
            (Lead, b) if blank(b) => Lead,
            (Behind(_), b) if blank(b) => Behind(true),
            (Behind(true), _) => return None,
            (Lead | Behind(_), b'\'' | b'"') if systemd => Quote(byte),
            (_, b'"') if !systemd && matches!(state, Lead | State::Plain) => Quote(byte),
            (Lead | Behind(_) | State::Plain, b'\\') => {
                value.iter_mut().for_each(|(_, trim)| *trim = false);
                Escape
            }
            (Lead | Behind(_) | State::Plain, b) => {
                value.push((b, true));
                State::Plain
            }
            (Escape, _) if at_end => return None,
            (Escape, b'\n') => State::Plain,
            (Escape, b'\r') => return None,
            (Escape, b) if systemd || blank(b) || b == b'\\' || b == b'"' => {
                value.push((b, false));
                State::Plain
            }
            (Escape, _) => return None,
            (Quote(_) | QuoteEscape, _) if at_end => return None,
            (Quote(_) | QuoteEscape, b'\r') if before_newline => return None,
            (Quote(_), b'\n') if !systemd => return None,
            (Quote(b'"'), b'\\') => QuoteEscape,
            (Quote(quote), b) if b == quote => {
                value.iter_mut().for_each(|(_, trim)| *trim = false);
                if systemd { Behind(false) } else { State::Plain }
            }
            (Quote(quote), b) => {
                value.push((b, false));
                Quote(quote)
            }
            (QuoteEscape, b'\n') => Quote(b'"'),
            (QuoteEscape, b) if systemd => {
                if !b"\"\\`$".contains(&b) {
                    value.push((b'\\', false));
                }
                value.push((b, false));
                Quote(b'"')
            }
            (QuoteEscape, b'x') => Hex(0, 0),
            (QuoteEscape, b @ b'0'..=b'7') => Octal(1, u16::from(b - b'0')),
            (QuoteEscape, b) => {
                let letters = b"abtnvfr";
                let letter = letters.iter().position(|letter| *letter == b);
                value.push((letter.map_or(b, |letter| letter as u8 + 7), false));
                Quote(b'"')
            }
            (Hex(count, number), b) => {
                let digit = match b {
                    b'0'..=b'9' => b - b'0',
                    b'a'..=b'f' => b - b'a' + 10,
                    b'A'..=b'F' => b - b'A' + 10,
                    _ => return None,
                };
                let number = number * 16 + u16::from(digit);
                if count == 0 {
                    Hex(1, number)
                } else if number == 0 {
                    return None;
                } else {
                    value.push((number as u8, false));
                    Quote(b'"')
                }
            }
            (Octal(count @ 0..=2, number), b @ b'0'..=b'7') => {
                Octal(count + 1, number * 8 + u16::from(b - b'0'))
            }
            (Octal(_, number), _) => {
                if number == 0 || number > 255 {
                    return None;
                }
                value.push((number as u8, false));
                again = Some((place, byte)); // it stands behind the escape
                Quote(b'"')
            }
        };
    }
    (state == Start || state == Comment).then_some(variables)
}
