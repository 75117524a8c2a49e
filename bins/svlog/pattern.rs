//! Which lines a pattern stands for.

/// Whether `text` is what `pattern` stands for, as runit's svlogd has it. A plain byte stands for itself, `+`
/// for one or more of the byte that follows, `*` for everything up to the first byte that is the one that
/// follows, or for all the rest at the end. A `+` that reaches the end of the text agrees with whatever
/// follows in the pattern.
#[must_use]
pub fn matches(mut pattern: &[u8], mut text: &[u8]) -> bool {
    while let [first, rest @ ..] = pattern {
        match (first, rest) {
            (b'*', []) => return true,
            (b'*', [next, ..]) => {
                let Some(at) = text.iter().position(|byte| byte == next) else { return false };
                text = &text[at..];
                pattern = rest;
            }
            (b'+', [wanted, after @ ..]) => {
                let run = text.iter().take_while(|byte| *byte == wanted).count();
                if run == 0 || run == text.len() {
                    return run > 0;
                }
                text = &text[run..];
                pattern = after;
            }
            (b'+', []) => return false,
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

#[cfg(test)]
mod tests {
    use super::matches;

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
            assert_eq!(matches(pattern.as_bytes(), text), expected, "{pattern} {}", text.escape_ascii());
        }
    }
}
