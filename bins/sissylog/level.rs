//! The facilities and severities of syslog, as they are written.

/// The facilities, each at the index that is its number.
const FACILITIES: [&str; 12] =
    ["kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp"];
const LOCAL: u8 = 16;

/// The names of the facilities, for messages.
pub const NAMES: &str = "kern user mail daemon auth syslog lpr news uucp cron authpriv ftp local0 to local7";

/// The number of a facility: by its name in any case, with `LOG_` before it or without.
#[must_use]
pub fn facility(name: &[u8]) -> Option<u8> {
    let name = match name.split_at_checked(4) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case(b"log_") => rest,
        _ => name,
    };
    let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
    if is("security") {
        return facility(b"auth");
    }
    if let Some(place) = FACILITIES.iter().position(|known| is(known)) {
        return u8::try_from(place).ok();
    }
    match name.split_last() {
        Some((digit @ b'0'..=b'7', local)) if local.eq_ignore_ascii_case(b"local") => {
            Some(LOCAL + digit - b'0')
        }
        _ => None,
    }
}

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

/// The level that a line names at its start, and the text that is logged: a word is part of it, `<N>` is not.
#[must_use]
pub fn level(line: &[u8]) -> (u8, &[u8]) {
    if let [b'<', digit @ b'0'..=b'7', b'>', text @ ..] = line {
        return (digit - b'0', text);
    }
    // As long as the longest word, and its colon.
    let Some(colon) = line.iter().take(10).position(|b| *b == b':') else { return (INFO, line) };
    let named =
        |words: &&[&str]| words.iter().any(|word| line[..colon].eq_ignore_ascii_case(word.as_bytes()));
    let level = WORDS.iter().position(named).and_then(|place| u8::try_from(place).ok());
    (level.unwrap_or(INFO), line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_facility_has_its_name_in_any_case_with_and_without_log() {
        let numbers = [
            ("kern", 0),
            ("user", 1),
            ("mail", 2),
            ("daemon", 3),
            ("auth", 4),
            ("security", 4),
            ("syslog", 5),
            ("lpr", 6),
            ("news", 7),
            ("uucp", 8),
            ("cron", 9),
            ("authpriv", 10),
            ("ftp", 11),
            ("local0", 16),
            ("local1", 17),
            ("local7", 23),
        ];
        for (name, number) in numbers {
            for name in [name.to_owned(), name.to_uppercase(), format!("LOG_{}", name.to_uppercase())] {
                assert_eq!(facility(name.as_bytes()), Some(number), "{name}");
            }
            assert_eq!(facility(format!("Log_{name}").as_bytes()), Some(number), "{name}");
            let listed = NAMES.split(' ').any(|listed| listed == name);
            assert!(listed || name == "security" || name == "local1", "{name}");
        }
        for name in ["", "log_", "log_log_daemon", "daemons", "local", "local8", "local00", "3", "daemon "] {
            assert_eq!(facility(name.as_bytes()), None, "{name}");
        }
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
