//! The levels of lines, as programs write them and syslog numbers them: 0 is an emergency, 7 for debugging.

/// The level of a notice.
pub const NOTICE: u8 = 5;

/// The level of a line that names none.
pub const INFO: u8 = 6;

/// The words for each level, at the index that is its number. Syslog has nothing below debug.
const WORDS: [&[&str]; 8] = [
    &["emergency", "emerg", "panic"],
    &["alert"],
    &["critical", "crit", "fatal"],
    &["error", "err"],
    &["warning", "warn"],
    &["notice"],
    &["info"],
    &["debug", "trace"],
];

/// The level of this name in any case, or of this number.
#[must_use]
pub fn named(name: &[u8]) -> Option<u8> {
    if let [digit @ b'0'..=b'7'] = name {
        return Some(digit - b'0');
    }
    let is = |word: &&str| name.eq_ignore_ascii_case(word.as_bytes());
    WORDS.iter().position(|words| words.iter().any(is)).and_then(|place| u8::try_from(place).ok())
}

/// The name of a level, that of syslog.conf; nothing above 7.
#[must_use]
pub fn name(level: u8) -> &'static str {
    ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"]
        .get(usize::from(level))
        .copied()
        .unwrap_or_default()
}

/// The level that a line names at its start, and the text that is logged: a word is part of it, `<N>` is not.
#[must_use]
pub fn level(line: &[u8]) -> (u8, &[u8]) {
    if let [b'<', digit @ b'0'..=b'7', b'>', text @ ..] = line {
        return (digit - b'0', text);
    }
    // As long as the longest word, and its colon.
    // Of letters alone, so that most lines are not looked at any further.
    let end = line.iter().take(10).position(|byte| !byte.is_ascii_alphabetic());
    let word = end.filter(|end| line[*end] == b':').map(|end| &line[..end]);
    (word.and_then(named).unwrap_or(INFO), line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_and_each_number_is_a_level() {
        for number in 0..8 {
            assert_eq!(named(name(number).as_bytes()), Some(number));
            assert_eq!(named(number.to_string().as_bytes()), Some(number));
        }
        assert_eq!(named(b"WARN"), Some(4));
        for word in ["", "8", "10", "warn ", "errors"] {
            assert_eq!(named(word.as_bytes()), None, "{word}");
        }
        assert_eq!(level(b"3: x"), (INFO, &b"3: x"[..]));
    }

    #[test]
    fn a_word_with_a_colon_at_the_start_is_the_level_and_stays() {
        let words = [
            ("emergency", 0),
            ("emerg", 0),
            ("panic", 0),
            ("alert", 1),
            ("critical", 2),
            ("crit", 2),
            ("fatal", 2),
            ("error", 3),
            ("err", 3),
            ("warning", 4),
            ("warn", 4),
            ("notice", 5),
            ("info", 6),
            ("debug", 7),
            ("trace", 7),
        ];
        for (word, number) in words {
            for line in [format!("{word}: x"), format!("{}:", word.to_uppercase()), format!("{word}:x")] {
                assert_eq!(level(line.as_bytes()), (number, line.as_bytes()));
            }
            for line in [format!("{word} : x"), format!(" {word}: x"), word.to_owned(), format!("x{word}: x")]
            {
                assert_eq!(level(line.as_bytes()), (INFO, line.as_bytes()));
            }
        }
        for line in ["", ":", "a line", "errors: x", "12:30 error: x"] {
            assert_eq!(level(line.as_bytes()), (INFO, line.as_bytes()));
        }
    }

    #[test]
    fn a_number_in_brackets_is_the_level_and_goes() {
        for number in 0..8 {
            assert_eq!(level(format!("<{number}>a: x").as_bytes()), (number, &b"a: x"[..]));
        }
        assert_eq!(level(b"<3>"), (3, &b""[..]));
        assert_eq!(level(b"<4>error: x"), (4, &b"error: x"[..]));
        for line in ["<8>x", "<10>x", "<>x", "<3 >x", " <3>x", "<3"] {
            assert_eq!(level(line.as_bytes()), (INFO, line.as_bytes()));
        }
    }
}
