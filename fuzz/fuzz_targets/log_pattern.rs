//! Patterns as svlog matches them: what is in front of the first newline is the pattern, the rest the text.
#![no_main]

use std::time::{Duration, Instant};

use catena::svlog::config::Dialect;
use catena::svlog::pattern::matches;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    let (Some(pattern), Some(text)) = (parts.next(), parts.next()) else { return };
    for dialect in [Dialect::Svlogd, Dialect::Multilog] {
        let start = Instant::now();
        let result = matches(dialect, pattern, text);
        assert!(start.elapsed() < Duration::from_secs(1));
        assert_eq!(result, expected(dialect, pattern, text));
    }
});

/// The same, byte by byte, from the words of svlogd's manual: `*` goes on as long as the next byte of the text is
/// not the one behind it, `+` as long as it is; a text that ends in the run of a `+` matches. To multilog `+` is a
/// plain byte.
fn expected(dialect: Dialect, pattern: &[u8], text: &[u8]) -> bool {
    let plus = dialect == Dialect::Svlogd;
    match (pattern, text) {
        ([], _) => text.is_empty(),
        ([b'*'], _) => true,
        ([b'*', ..], []) => false,
        ([b'*', wanted, ..], [byte, after @ ..]) => {
            if wanted == byte {
                expected(dialect, &pattern[1..], text)
            } else {
                expected(dialect, pattern, after)
            }
        }
        ([b'+', wanted, rest @ ..], [byte, after @ ..]) if plus && wanted == byte => match after {
            [] => true,
            [next, ..] if next == wanted => expected(dialect, pattern, after),
            _ => expected(dialect, rest, after),
        },
        ([b'+', ..], _) if plus => false,
        (_, []) => false,
        ([wanted, rest @ ..], [byte, after @ ..]) => wanted == byte && expected(dialect, rest, after),
    }
}
