//! The name of a service in a request to its tree: the word `@NAME`, in which what would end the word, or the line, is
//! written as `\xHH`.

/// The word behind the `@` for this name: a blank, a backslash, control characters and what is not UTF-8 are escaped.
#[must_use]
pub fn address(name: &[u8]) -> String {
    let mut word = String::new();
    let escape = |word: &mut String, byte: u8| {
        word.push_str("\\x");
        word.extend([byte >> 4, byte & 15].map(|half| char::from(b"0123456789abcdef"[usize::from(half)])));
    };
    for chunk in name.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\0'..=' ' | '\\' | '\x7f' => escape(&mut word, character as u8),
                other => word.push(other),
            }
        }
        chunk.invalid().iter().for_each(|byte| escape(&mut word, *byte));
    }
    word
}

/// The name that the word behind an `@` stands for; none where a backslash begins no `\xHH`.
#[must_use]
pub fn addressed(word: &[u8]) -> Option<Vec<u8>> {
    let mut name = Vec::new();
    let mut bytes = word.iter().copied();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            name.push(byte);
            continue;
        }
        bytes.next().filter(|letter| *letter == b'x')?;
        name.push(digit(bytes.next()?)? << 4 | digit(bytes.next()?)?);
    }
    Some(name)
}

fn digit(letter: u8) -> Option<u8> {
    u8::try_from(char::from(letter).to_digit(16)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_comes_back_whatever_its_bytes() {
        for (name, word) in [
            (&b"web"[..], "web"),
            (b"my web", "my\\x20web"),
            (b"a\\x20b", "a\\x5cx20b"),
            (b"line\nline\x7f", "line\\x0aline\\x7f"),
            ("gr\u{f6}\u{df}e".as_bytes(), "gr\u{f6}\u{df}e"),
            (b"latin \xe4", "latin\\x20\\xe4"),
        ] {
            assert_eq!(address(name), word);
            assert_eq!(addressed(word.as_bytes()).as_deref(), Some(name));
        }
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(addressed(address(&all).as_bytes()), Some(all));
        assert_eq!(addressed(b"\\x4A\\x4a").as_deref(), Some(&b"JJ"[..]));
    }

    #[test]
    fn a_backslash_that_begins_no_escape_is_no_name() {
        for word in ["\\", "a\\b", "\\x", "\\x2", "\\x2g", "\\\\"] {
            assert_eq!(addressed(word.as_bytes()), None, "{word}");
        }
    }
}
