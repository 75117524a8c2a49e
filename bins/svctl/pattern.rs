//! Patterns of names, as the shell has them for files: fnmatch(3), byte by byte and without classes.

/// Whether a word can be a pattern.
pub(super) fn is_one(word: &[u8]) -> bool {
    word.iter().any(|byte| b"*?[".contains(byte))
}

/// Whether a name matches: `*` any number of bytes, `?` one, `[a-z]` one of these and `[!a-z]` one that is not. After a
/// backslash a byte means itself, as does `[` without its `]`.
pub(super) fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut seen) = (0, 0);
    // Behind the last star, and up to where it reaches.
    let mut star = None;
    loop {
        match pattern.get(at) {
            Some(b'*') => {
                at += 1;
                star = Some((at, seen));
                continue;
            }
            None if seen == name.len() => return true,
            _ => {}
        }
        let width = name.get(seen).and_then(|byte| one(&pattern[at..], *byte));
        (at, seen) = match (width, star) {
            (Some(width), _) => (at + width, seen + 1),
            (None, Some((behind, reached))) if reached < name.len() => {
                star = Some((behind, reached + 1));
                (behind, reached + 1)
            }
            _ => return false,
        };
    }
}

/// How much of the pattern stands for this byte, if its beginning does.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [b'?', ..] => Some(1),
        [b'\\', quoted, ..] => (*quoted == byte).then_some(2),
        [b'[', rest @ ..] => match set(rest, byte) {
            Some((holds, width)) => holds.then_some(width + 1),
            None => (byte == b'[').then_some(1),
        },
        [literal, ..] => (*literal == byte).then_some(1),
        [] => None,
    }
}

/// Whether a set holds this byte, and how long it is with its `]`; `None` where that is missing.
fn set(pattern: &[u8], byte: u8) -> Option<(bool, usize)> {
    let negated = matches!(pattern.first(), Some(b'!' | b'^'));
    let begin = usize::from(negated);
    let mut at = begin;
    let mut found = false;
    loop {
        let (low, width) = match pattern.get(at..)? {
            [b']', ..] if at > begin => return Some((found != negated, at + 1)),
            [b'\\', quoted, ..] => (*quoted, 2),
            [low, ..] => (*low, 1),
            [] => return None,
        };
        at += width;
        let high = match pattern.get(at..)? {
            [b'-', high, ..] if *high != b']' => {
                at += 2;
                *high
            }
            _ => low,
        };
        found |= (low..=high).contains(&byte);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_whole_names() {
        for (pattern, names, others) in [
            ("web*", "web web1 webweb", "aweb we"),
            ("*", "a ab", ""),
            ("*b*c", "bc abxc bbcc abcbc", "abcb b c"),
            ("a?c", "abc a?c", "ac abbc"),
            ("[ab]x", "ax bx", "cx x abx"),
            ("[a-c1]", "a b c 1", "d - 2"),
            ("[!a-c]", "d !", "a b c"),
            ("[^a]", "b ^", "a"),
            ("[]a]", "] a", "b"),
            ("[!]a]", "b", "] a"),
            ("[a-]", "a -", "b"),
            ("[\\]a]", "] a", "\\"),
            ("\\*", "*", "\\* a"),
            ("[a", "[a", "a"),
            ("a[", "a[", "a"),
            ("\\", "\\", ""),
            ("getty-tty[1-3]", "getty-tty1 getty-tty3", "getty-tty4 getty-tty"),
        ] {
            for name in names.split(' ') {
                assert!(matches(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}");
            }
            for name in others.split_terminator(' ') {
                assert!(!matches(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}");
            }
        }
        assert!(!matches(b"a*a*a*a*a*a*a*a*b", &[b'a'; 200]));
    }

    #[test]
    fn most_words_are_no_patterns() {
        assert!(is_one(b"a*") && is_one(b"?") && is_one(b"[a]") && !is_one(b"web-1@x.y"));
    }
}
