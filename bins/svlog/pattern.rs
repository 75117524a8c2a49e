//! Which lines a pattern stands for.

use common::text::up_to;

use super::config::Dialect;

/// Whether `text` is what `pattern` stands for. A plain byte stands for itself, `*` for everything up to the first
/// byte that is the one that follows, or for all the rest at the end. In runit's svlogd `+` stands for one or more
/// of the byte that follows; one that reaches the end of the text agrees with whatever follows in the pattern. In
/// daemontools' multilog it is a plain byte.
#[must_use]
pub fn matches(dialect: Dialect, mut pattern: &[u8], mut text: &[u8]) -> bool {
    let plus = dialect == Dialect::Svlogd;
    while let [first, rest @ ..] = pattern {
        match (first, rest) {
            (b'*', []) => return true,
            (b'*', [next, ..]) => {
                let passed = up_to(text, *next);
                if passed.last() != Some(next) {
                    return false;
                }
                text = &text[passed.len() - 1..];
                pattern = rest;
            }
            (b'+', [wanted, after @ ..]) if plus => {
                let run = text.iter().take_while(|byte| *byte == wanted).count();
                if run == 0 || run == text.len() {
                    return run > 0;
                }
                text = &text[run..];
                pattern = after;
            }
            (b'+', []) if plus => return false,
            (byte, _) => {
                if text.first() != Some(byte) {
                    return false;
                }
                text = &text[1..];
                pattern = rest;
            }
        }
    }
    text.is_empty()
}

/// Whether there is a text that `pattern` stands for. In svlogd there is none for a `+` at its end; nor for one behind a
/// `*`, which goes up to a `+` in the text. But one in front of these that reaches the end of the text agrees with them.
#[must_use]
pub fn can_match(dialect: Dialect, mut pattern: &[u8]) -> bool {
    if dialect == Dialect::Multilog {
        return true;
    }
    let mut behind_star = false;
    loop {
        match pattern {
            [] => return true,
            [b'+'] => return false,
            [b'+', wanted, ..] => return !behind_star || *wanted == b'+',
            [first, rest @ ..] => (behind_star, pattern) = (*first == b'*', rest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_that_cannot_match_matches_nothing_of_a_few_letters() {
        fn all(length: usize) -> Vec<Vec<u8>> {
            let shorter = if length == 0 { return vec![vec![]] } else { all(length - 1) };
            let longer = |text: &Vec<u8>| {
                let with = |byte: &u8| [&text[..], &[*byte]].concat();
                b"ab*+".iter().map(with).collect::<Vec<_>>()
            };
            let longest = shorter.iter().filter(|text| text.len() + 1 == length).flat_map(longer);
            let longest: Vec<_> = longest.collect();
            [shorter, longest].concat()
        }
        let texts = all(5);
        for pattern in all(4) {
            for dialect in [Dialect::Svlogd, Dialect::Multilog] {
                let matches = texts.iter().any(|text| matches(dialect, &pattern, text));
                assert_eq!(matches, can_match(dialect, &pattern), "{dialect:?} {}", pattern.escape_ascii());
            }
        }
    }

    #[test]
    fn a_pattern_stands_for_what_svlogd_takes_it_for() {
        let line = b"tcpsvd: info: pid 1977 from 10.4.1.14";
        for (pattern, text, expected) in [
            ("", &b""[..], true),
            ("", b"a", false),
            ("a", b"a", true),
            ("a", b"ab", false),
            ("ab", b"a", false),
            ("*", b"", true),
            ("*", b"anything", true),
            ("a*", b"abc", true),
            ("a*", b"ba", false),
            ("*b", b"aab", true),
            ("*b", b"aabb", false),
            ("*pid*", line, false),
            ("*: *: pid *", line, true),
            ("**", b"a*b", true),
            ("**", b"ab", false),
            ("*+", b"a+", false),
            ("+ab", b"aaab", true),
            ("+ab", b"b", false),
            ("+ab", b"aaa", true),
            ("+a", b"aaa", true),
            ("+a", b"aab", false),
            ("+a", b"", false),
            ("a+", b"a", false),
            ("a+", b"a+", false),
            ("++", b"++", true),
            ("+**", b"**x", true),
        ] {
            assert_eq!(
                matches(Dialect::Svlogd, pattern.as_bytes(), text),
                expected,
                "{pattern} {}",
                text.escape_ascii()
            );
        }
    }

    #[test]
    fn a_plus_is_a_plain_byte_to_multilog() {
        for (pattern, text, expected) in [
            ("+a", &b"+a"[..], true),
            ("+a", b"aa", false),
            ("+", b"+", true),
            ("*+", b"a+", true),
            ("*+*", b"a+b", true),
            ("**", b"a*b", true),
            ("*a", b"ba", true),
            ("*a", b"baa", false),
            ("", b"", true),
            ("", b"a", false),
        ] {
            let found = matches(Dialect::Multilog, pattern.as_bytes(), text);
            assert_eq!(found, expected, "{pattern} {}", text.escape_ascii());
        }
    }
}
