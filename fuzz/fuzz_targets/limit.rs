//! Limit values as softlimit reads them.
#![no_main]

use common::limits::Value;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let expected = match text {
        b"" => None,
        b"=" => Some(Value::Hard),
        b"unlimited" => Some(Value::Unlimited),
        digits => digits.iter().try_fold(0_u64, digit).map(Value::Number),
    };
    assert_eq!(Value::parse(text), expected);
});

fn digit(sum: u64, digit: &u8) -> Option<u64> {
    match digit {
        b'0'..=b'9' => sum.checked_mul(10)?.checked_add(u64::from(digit - b'0')),
        _ => None,
    }
}
