//! What sissylog makes of a line: two bytes for the limit of a piece and for where a line too long for one look
//! is cut, then the line.
#![no_main]

use common::level::level;
use catena::sissylog::message::{LEAST, LIMIT, Message, push, whole};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [limit, cut, line @ ..] = data else { return };
    let limit = if *limit == 0 { LIMIT } else { LEAST + usize::from(*limit) };

    let (found, text) = level(line);
    let (expected, removed) = naive_level(line);
    assert_eq!((found, text), (expected, &line[removed..]));

    let expected = escaped(text);
    assert_eq!(sent(text, limit), expected);

    // As two parts of a line that is looked at twice.
    let seen = &text[..text.len().min(usize::from(*cut))];
    let first = whole(seen);
    assert!(first <= seen.len() && seen.len() - first < 4);
    assert_eq!(sent(&text[..first], limit) + &sent(&text[first..], limit), expected);
});

/// The pieces of a text, put together.
fn sent(text: &[u8], limit: usize) -> String {
    let (mut all, mut from) = (String::new(), 0);
    while from < text.len() {
        let mut message = Message::new();
        let read = push(&mut message, &text[from..], limit);
        assert!(read > 0, "no end");
        from += read;
        let piece = std::str::from_utf8(message.bytes()).expect("UTF-8");
        assert!(piece.len() <= limit && !piece.chars().any(|c| c.is_control() && c != '\t'));
        // Nothing is left for the next piece that had place in this one.
        assert!(from == text.len() || piece.len() + LEAST > limit);
        all += piece;
    }
    all
}

/// The longest beginning that is one character, or one byte, after the other.
fn escaped(mut text: &[u8]) -> String {
    let mut all = String::new();
    while !text.is_empty() {
        let one = (1..=text.len().min(4)).find_map(|length| std::str::from_utf8(&text[..length]).ok());
        let plain = one
            .filter(|one| *one == "\t" || !matches!(one.chars().next(), Some('\0'..' ' | '\x7f'..'\u{a0}')));
        let length = one.map_or(1, str::len);
        match plain {
            Some(one) => all += one,
            None => text[..length].iter().for_each(|byte| all += &format!("\\x{byte:02x}")),
        }
        text = &text[length..];
    }
    all
}

fn naive_level(line: &[u8]) -> (u8, usize) {
    if line.len() > 2 && (line[0], line[2]) == (b'<', b'>') && (b'0'..b'8').contains(&line[1]) {
        return (line[1] - b'0', 3);
    }
    let lower = line.to_ascii_lowercase();
    let words: [(&[u8], u8); 15] = [
        (b"emergency:", 0),
        (b"emerg:", 0),
        (b"panic:", 0),
        (b"alert:", 1),
        (b"critical:", 2),
        (b"crit:", 2),
        (b"fatal:", 2),
        (b"error:", 3),
        (b"err:", 3),
        (b"warning:", 4),
        (b"warn:", 4),
        (b"notice:", 5),
        (b"info:", 6),
        (b"debug:", 7),
        (b"trace:", 7),
    ];
    (words.iter().find(|(word, _)| lower.starts_with(word)).map_or(6, |(_, level)| *level), 0)
}
