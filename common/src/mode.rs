//! The file mode creation mask, as sh's umask reads it, and permissions, as chmod(1) does.

use crate::exit::{Exit, OrFail};
use crate::sys::file;

/// Sets the mask, umask(2). Returns what it was.
pub fn set(mask: u32) -> Result<u32, Exit> {
    file::umask(mask).or_fail("set the mask")
}

/// The mask that `text` asks for where it is `mask` now: octal digits up to 777, or symbolic as in
/// chmod(1), which names what files may get. `None` if it is neither. `s` and `t` stand for nothing that a
/// mask has.
#[must_use]
pub fn parse(text: &[u8], mask: u32) -> Option<u32> {
    if text.first().is_some_and(u8::is_ascii_digit) {
        return octal(text, 0o777);
    }
    Some(!symbolic(text, !mask & 0o777)? & 0o777)
}

/// The permissions that `text` writes: octal digits up to 7777, or symbolic as in chmod(1), which starts from `from`.
/// `None` if it is neither. `s` and `t`, which a chmod of a directory ignores here and there, are for numbers alone.
#[must_use]
pub fn permissions(text: &[u8], from: u32) -> Option<u32> {
    if text.first().is_some_and(u8::is_ascii_digit) {
        return octal(text, 0o7777);
    }
    if text.contains(&b's') || text.contains(&b't') { None } else { symbolic(text, from) }
}

fn octal(text: &[u8], most: u32) -> Option<u32> {
    let more =
        |number, digit: &u8| (b'0'..=b'7').contains(digit).then(|| number * 8 + u32::from(digit - b'0'));
    text.iter().try_fold(0, |number, digit| more(number, digit).filter(|number| *number <= most))
}

/// Applies all clauses, as `u=rwx,go-w`, to the permissions `from`.
fn symbolic(text: &[u8], from: u32) -> Option<u32> {
    text.split(|b| *b == b',').try_fold(from, clause)
}

/// Applies one clause, as `ug+r-w`, to the permissions that files may get.
fn clause(mut allowed: u32, text: &[u8]) -> Option<u32> {
    let start = text.iter().position(|b| !b"ugoa".contains(b))?;
    let who = match &text[..start] {
        b"" => 0o777,
        who => who.iter().fold(0, |bits, b| bits | class(*b)),
    };
    let mut rest = &text[start..];
    while let Some((operator, actions)) = rest.split_first() {
        let end = actions.iter().position(|b| b"+-=".contains(b)).unwrap_or(actions.len());
        let bits = named(&actions[..end], allowed)? & who;
        allowed = match operator {
            b'+' => allowed | bits,
            b'-' => allowed & !bits,
            b'=' => allowed & !who | bits,
            _ => return None,
        };
        rest = &actions[end..];
    }
    Some(allowed)
}

fn class(who: u8) -> u32 {
    match who {
        b'u' => 0o700,
        b'g' => 0o070,
        b'o' => 0o007,
        _ => 0o777,
    }
}

/// The permissions named, for all three classes: letters, or one class whose present ones are meant.
fn named(text: &[u8], allowed: u32) -> Option<u32> {
    if let [who @ (b'u' | b'g' | b'o')] = text {
        let bits = allowed & class(*who);
        return Some((bits | bits >> 3 | bits >> 6) % 8 * 0o111);
    }
    text.iter().try_fold(0, |bits, letter| match letter {
        b'r' => Some(bits | 0o444),
        b'w' => Some(bits | 0o222),
        b'x' => Some(bits | 0o111),
        b'X' if allowed & 0o111 != 0 => Some(bits | 0o111),
        b'X' | b's' | b't' => Some(bits),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_022(text: &str) -> Option<u32> {
        parse(text.as_bytes(), 0o022)
    }

    #[test]
    fn octal() {
        assert_eq!(from_022("0"), Some(0));
        assert_eq!(from_022("077"), Some(0o077));
        assert_eq!(from_022("0000777"), Some(0o777));
        for bad in ["8", "078", "0o77", "1000", "7777", "07 ", "77777777777777777777777", "-1"] {
            assert_eq!(from_022(bad), None, "{bad}");
        }
    }

    #[test]
    fn symbolic_names_what_is_allowed() {
        assert_eq!(from_022("u=rwx,g=rx,o="), Some(0o027));
        assert_eq!(from_022("u=rwx,go="), Some(0o077));
        assert_eq!(from_022("g+w"), Some(0o002));
        assert_eq!(from_022("a-rwx"), Some(0o777));
        assert_eq!(from_022("+w"), Some(0));
        assert_eq!(from_022("="), Some(0o777));
        assert_eq!(from_022("ug+w-x=r"), Some(0o332));
        assert_eq!(from_022("o=g"), Some(0o022));
        assert_eq!(from_022("u=g"), Some(0o222));
        assert_eq!(from_022("g+X"), Some(0o022));
        assert_eq!(parse(b"a+X", 0o777), Some(0o777));
        assert_eq!(from_022("g+s,+t"), Some(0o022));
    }

    #[test]
    fn permissions_are_twelve_bits_or_nine_letters() {
        let from_755 = |text: &str| permissions(text.as_bytes(), 0o755);
        assert_eq!(from_755("2775"), Some(0o2775));
        assert_eq!(from_755("07777"), Some(0o7777));
        assert_eq!(from_755("0"), Some(0));
        assert_eq!(from_755("u=rwx,g=rx,o="), Some(0o750));
        assert_eq!(from_755("g+w"), Some(0o775));
        assert_eq!(from_755("o="), Some(0o750));
        for bad in ["", "8", "10000", "0o755", "-1", "rwx", "g+s", "+t", "755 ", "u=rwx;o="] {
            assert_eq!(from_755(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_neither_is_refused() {
        for bad in ["", "u", "ug", "rwx", "u=rwx,", ",u=r", "u+q", "u=ug", "u=gr", "a=rw x", "u:r", "é"] {
            assert_eq!(from_022(bad), None, "{bad}");
        }
    }
}
