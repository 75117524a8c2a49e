//! TAI64N labels as tai64nlocal reads them.
#![no_main]

use common::tai::Label;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let (label, length) = Label::read(text);
    let digits: Vec<u8> =
        text.iter().copied().take_while(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase()).collect();
    assert_eq!(length, digits.len());
    // The last 24, with zeros in front, as a number of the standard library's.
    let last = &digits[digits.len().saturating_sub(24)..];
    let padded = format!("{:0>24}", std::str::from_utf8(last).unwrap());
    assert_eq!(label.digits(), padded.as_bytes());
    let seconds = u64::from_str_radix(&padded[..16], 16).unwrap();
    let nanoseconds = u32::from_str_radix(&padded[16..], 16).unwrap();
    let (since, rest) = label.since_1970();
    assert_eq!((i128::from(since) + (1 << 62) + 10) & i128::from(u64::MAX), i128::from(seconds));
    assert_eq!(rest, nanoseconds);
});
