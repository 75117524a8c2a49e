//! Increments as nice reads them.
#![no_main]

use common::niceness::increment;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let result = increment(text);
    assert_eq!(result, read(text));
    // The standard library takes the same signs, but nothing that is too large.
    let number = std::str::from_utf8(text).ok().and_then(|text| text.parse::<i32>().ok());
    assert!(number.is_none_or(|number| result == Some(number.max(-i32::MAX))));
});

fn read(text: &[u8]) -> Option<i32> {
    let (mut sum, mut unit) = (0_i64, 1_i64);
    let mut rest = text;
    while let [before @ .., digit @ b'0'..=b'9'] = rest {
        sum = (sum + unit * i64::from(digit - b'0')).min(1 << 40);
        unit = (unit * 10).min(1 << 40);
        rest = before;
    }
    let most = i64::from(i32::MAX);
    let signed = match rest {
        b"" | b"+" => sum.min(most),
        b"-" => -sum.min(most),
        _ => return None,
    };
    i32::try_from(signed).ok().filter(|_| rest.len() < text.len())
}
