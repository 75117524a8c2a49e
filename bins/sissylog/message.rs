//! The messages that a line becomes, as syslog(3) writes them: `<PRI>Mmm dd hh:mm:ss ident: text`.

use common::Text;
use common::clock::{Local, local_time};

/// The longest text of a message, in bytes.
pub const LIMIT: usize = 800;

/// The bytes that [`push`] needs for any character.
pub const LEAST: usize = 8;

/// The longest ident, in bytes as they are sent.
pub const IDENT: usize = 200;

/// `<191>`, the time and its blank, `ident[4294967295]: `, the text, and a NUL.
const SIZE: usize = 5 + 16 + IDENT + 14 + LIMIT + 1;

/// A message.
pub type Message = Text<SIZE>;

/// Adds `text` to a message, as much of it as fits into `room` bytes; returns how much that is. Control
/// characters but tab, and what is not UTF-8, are added as `\xNN` for each byte.
pub fn push<const N: usize>(to: &mut Text<N>, text: &[u8], room: usize) -> usize {
    // Each byte takes one at least. Where this cuts a character, less room is left than an escape takes.
    let text = &text[..text.len().min(room)];
    let (mut read, mut left) = (0, room);
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            let bytes = &text[read..read + character.len_utf8()];
            let plain = character == '\t' || !character.is_control();
            match left.checked_sub(if plain { bytes.len() } else { 4 * bytes.len() }) {
                Some(rest) => left = rest,
                None => return read,
            }
            if plain {
                to.add(bytes);
            } else {
                for byte in bytes {
                    escape(to, *byte);
                }
            }
            read += bytes.len();
        }
        for byte in chunk.invalid() {
            match left.checked_sub(4) {
                Some(rest) => left = rest,
                None => return read,
            }
            escape(to, *byte);
            read += 1;
        }
    }
    read
}

fn escape<const N: usize>(to: &mut Text<N>, byte: u8) {
    let digit = |half: u8| b"0123456789abcdef"[usize::from(half)];
    to.add([b'\\', b'x', digit(byte >> 4), digit(byte & 15)]);
}

/// The length of `text` without an incomplete character at its end: more of it is still to come.
#[must_use]
pub fn whole(text: &[u8]) -> usize {
    let begins = |length: &usize| {
        let Some(start) = text.len().checked_sub(*length) else { return false };
        let rest = std::str::from_utf8(&text[start..]);
        rest.is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
    };
    text.len() - (1..=3).find(begins).unwrap_or(0)
}

/// The time of a message, written once a second.
#[derive(Debug, Default)]
pub struct Stamp {
    second: Option<u64>,
    text: Text<16>,
}

impl Stamp {
    /// The time `second` since 1970, and a blank.
    pub fn at(&mut self, second: u64) -> &[u8] {
        if self.second != Some(second) {
            self.second = Some(second);
            self.text = written(i64::try_from(second).ok().and_then(local_time).unwrap_or_default());
        }
        self.text.bytes()
    }
}

fn written(time: Local) -> Text<16> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let Local { month, day, hour, minute, second, .. } = time;
    let mut text = Text::of(MONTHS[month as usize % MONTHS.len()]);
    text.add(if day < 10 { "  " } else { " " }).number(day).add(" ");
    text.padded(hour, 2).add(":").padded(minute, 2).add(":").padded(second, 2).add(" ");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pushed(text: &[u8], room: usize) -> (String, usize) {
        let mut to = Message::new();
        let read = push(&mut to, text, room);
        (String::from_utf8(to.bytes().to_owned()).unwrap(), read)
    }

    #[test]
    fn control_characters_and_what_is_not_utf8_are_escaped() {
        let shown = |text: &[u8]| {
            let (shown, read) = pushed(text, LIMIT);
            assert_eq!(read, text.len());
            shown
        };
        assert_eq!(shown("a\tb \\x é € 😀~".as_bytes()), "a\tb \\x é € 😀~");
        assert_eq!(shown(b"\0\x01\n\r\x1b[1m\x1f\x7f "), "\\x00\\x01\\x0a\\x0d\\x1b[1m\\x1f\\x7f ");
        assert_eq!(shown("\u{80}\u{9b}\u{a0}".as_bytes()), "\\xc2\\x80\\xc2\\x9b\u{a0}");
        assert_eq!(shown(b"caf\xe9 \xff\xfe"), "caf\\xe9 \\xff\\xfe");
        assert_eq!(shown(b"\xf0\x9f\x98"), "\\xf0\\x9f\\x98");
        assert_eq!(shown(b"\xed\xa0\x80\xc0\xaf"), "\\xed\\xa0\\x80\\xc0\\xaf"); // a surrogate, and a long slash
    }

    #[test]
    fn a_text_is_cut_before_a_character_that_does_not_fit() {
        let of = |text: &str, room| pushed(text.as_bytes(), room);
        assert_eq!(of("abc", 3), ("abc".into(), 3));
        assert_eq!(of("abcd", 3), ("abc".into(), 3));
        assert_eq!(of("ab€", 4), ("ab".into(), 2));
        assert_eq!(of("ab€", 5), ("ab€".into(), 5));
        assert_eq!(of("ab😀", 3), ("ab".into(), 2));
        assert_eq!(of("a\u{1}b", 4), ("a".into(), 1));
        assert_eq!(of("a\u{1}b", 5), ("a\\x01".into(), 2));
        assert_eq!(of("\u{9b}", 7), (String::new(), 0));
        assert_eq!(of("\u{9b}", LEAST), ("\\xc2\\x9b".into(), 2));
        assert_eq!(pushed(b"a\xffb", 4), ("a".into(), 1));
        assert_eq!(pushed(b"\xf0\x9f\x98b", 9), ("\\xf0\\x9f".into(), 2));
    }

    #[test]
    fn a_text_is_cut_at_every_room_between_two_characters() {
        let text = "aé€😀\u{9b}\u{1}z".as_bytes();
        let all = pushed(text, LIMIT).0;
        for room in LEAST..all.len() + 4 {
            let (mut joined, mut from) = (String::new(), 0);
            while from < text.len() {
                let (piece, read) = pushed(&text[from..], room);
                assert!(piece.len() <= room && read > 0, "{room}");
                joined += &piece;
                from += read;
            }
            assert_eq!(joined, all, "{room}");
        }
    }

    #[test]
    fn a_character_that_is_not_whole_is_left_for_later() {
        for (text, length) in [
            (&b""[..], 0),
            (b"ab", 2),
            ("aé".as_bytes(), 3),
            (b"a\xc3", 1),
            (b"a\xe2\x82", 1),
            (b"a\xf0\x9f\x98", 1),
            ("a😀".as_bytes(), 5),
            (b"\xf0", 0),
            (b"a\xff", 2),     // begins nothing
            (b"a\x82\x82", 3), // nor does this
            (b"\xe2\x82a", 3), // is none
            (b"\xed\xa0", 2),  // no character begins so
        ] {
            assert_eq!(whole(text), length, "{text:?}");
        }
    }

    #[test]
    fn a_time_is_written_as_syslog_writes_it() {
        let time = Local { year: 2026, month: 10, day: 2, hour: 3, minute: 4, second: 5 };
        assert_eq!(written(time).bytes(), b"Nov  2 03:04:05 ");
        let time = Local { year: 2026, month: 0, day: 31, hour: 23, minute: 59, second: 60 };
        assert_eq!(written(time).bytes(), b"Jan 31 23:59:60 ");
    }

    #[test]
    fn a_stamp_is_that_of_its_second() {
        let mut stamp = Stamp::default();
        for seconds in [1_795_343_401, 1_795_343_401, 1_795_343_402, 0u32] {
            let expected = written(local_time(seconds.into()).unwrap());
            assert_eq!(stamp.at(seconds.into()), expected.bytes());
        }
    }

    #[test]
    fn the_longest_message_fits() {
        let mut message = Message::of("<191>");
        message.add(Stamp::default().at(1_795_343_401)).add([b'i'; IDENT]);
        message.add("[").number(u32::MAX).add("]: ");
        assert_eq!(push(&mut message, &[b'x'; 1000], LIMIT), LIMIT);
        assert!(message.add("\0").bytes().ends_with(b"xxx\0"));
        assert!(message.bytes().len() <= SIZE);
        assert_eq!(message.add("y").bytes().last(), Some(&0)); // and nothing is left
    }
}
