//! Numbers with a unit, as files of ours hold them: times and sizes, and plain counts.
//!
//! One parser and one set of units, so that `5s` means the same in every file. What stands behind the unit is
//! an error, never passed over.

use std::time::Duration;

/// A kind of quantity: what a number counts, and which units may follow it.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Each unit and its size in what the kind counts. The empty one is that of a number without a unit.
    units: &'static [(&'static [u8], u64)],
    /// What a message says that it expected.
    pub expected: &'static str,
}

/// A number without a unit.
pub const COUNT: Kind = Kind { units: &[(b"", 1)], expected: "a number" };

/// A time in milliseconds, also where a unit is left out: `5000`, `5s`, `0.5m`.
pub const MILLISECONDS: Kind = Kind {
    units: &[(b"", 1), (b"ms", 1), (b"s", SECOND), (b"m", 60 * SECOND), (b"h", 3600 * SECOND)],
    expected: "milliseconds, or a time with its unit: 500ms, 5s, 2m, 1h",
};

/// A time in milliseconds; a number without a unit is seconds: `5`, `0.25`, `250ms`.
pub const SECONDS: Kind = Kind {
    units: &[(b"", SECOND), (b"ms", 1), (b"s", SECOND), (b"m", 60 * SECOND), (b"h", 3600 * SECOND)],
    expected: "seconds, or a time with its unit: 500ms, 5s, 2m, 1h",
};

/// An age in milliseconds; a number without a unit is seconds: `600`, `10m`, `1d`.
pub const AGE: Kind = Kind {
    units: &[
        (b"", SECOND),
        (b"s", SECOND),
        (b"m", 60 * SECOND),
        (b"h", 3600 * SECOND),
        (b"d", 86_400 * SECOND),
    ],
    expected: "seconds, or a time with its unit: 30s, 10m, 12h, 1d",
};

/// A size in bytes: `1000000`, `512k`, `10M`; a K has 1024 bytes, an M 1024 K, a G 1024 M.
pub const BYTES: Kind = Kind {
    units: &[
        (b"", 1),
        (b"k", 1 << 10),
        (b"K", 1 << 10),
        (b"m", 1 << 20),
        (b"M", 1 << 20),
        (b"g", 1 << 30),
        (b"G", 1 << 30),
    ],
    expected: "bytes, or a size with its unit: 512K, 10M, 1G",
};

const SECOND: u64 = 1000;

impl Kind {
    /// The number that `text` holds and nothing else, in what this kind counts: digits, then a point and up to
    /// nine more where the unit can be divided, then a unit. A remainder is cut off. `None` for everything else,
    /// also for what is too large.
    #[must_use]
    pub fn parse(&self, text: &[u8]) -> Option<u64> {
        let digits = text.iter().take_while(|b| b.is_ascii_digit() || **b == b'.').count();
        let (digits, unit) = text.split_at(digits);
        let (_, factor) = *self.units.iter().find(|(name, _)| *name == unit)?;
        let (whole, fraction) = match digits.iter().position(|b| *b == b'.') {
            None => return number::<u64>(digits)?.checked_mul(factor),
            Some(point) => (&digits[..point], &digits[point + 1..]),
        };
        let scale = 10u64.pow(u32::try_from(fraction.len()).ok().filter(|places| *places <= 9)?);
        let part = number::<u64>(fraction)?.checked_mul(factor)? / scale;
        // A fraction of what cannot be divided, as half a millisecond, is a mistake.
        if factor == 1 {
            return None;
        }
        number::<u64>(whole)?.checked_mul(factor)?.checked_add(part)
    }
}

/// A number in decimal digits and nothing else; `None` if it is empty, signed, trailed by anything or too
/// large for `T`.
#[must_use]
pub fn number<T: TryFrom<u64>>(digits: &[u8]) -> Option<T> {
    let append = |number: u64, digit: &u8| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    };
    let digits = Some(digits).filter(|digits| !digits.is_empty())?;
    digits.iter().try_fold(0, append)?.try_into().ok()
}

/// Seconds in decimal digits, with a fraction after a point if there is one; below a nanosecond is cut.
#[must_use]
pub fn seconds(text: &[u8]) -> Option<Duration> {
    let (whole, fraction) = match text.iter().position(|b| *b == b'.') {
        Some(point) => (&text[..point], &text[point + 1..]),
        None => (text, &b"0"[..]),
    };
    if fraction.is_empty() || !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let nanos = fraction.iter().chain(b"000000000").take(9).fold(0, |sum, b| sum * 10 + u32::from(b - b'0'));
    // A time that is longer than a timer takes is as good as for ever.
    Some(Duration::new(number::<u64>(whole)?.min(i32::MAX as u64), nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantity_is_a_number_and_its_unit_and_nothing_else() {
        for (kind, text, value) in [
            (COUNT, "0", 0),
            (COUNT, "18446744073709551615", u64::MAX),
            (MILLISECONDS, "5000", 5000),
            (MILLISECONDS, "5000ms", 5000),
            (MILLISECONDS, "5s", 5000),
            (MILLISECONDS, "0.25s", 250),
            (MILLISECONDS, "1.5m", 90_000),
            (MILLISECONDS, "2h", 7_200_000),
            (SECONDS, "5", 5000),
            (SECONDS, "0.25", 250),
            (SECONDS, "0.0009", 0),
            (SECONDS, "250ms", 250),
            (AGE, "600", 600_000),
            (AGE, "30s", 30_000),
            (AGE, "1d", 86_400_000),
            (BYTES, "1000000", 1_000_000),
            (BYTES, "10k", 10_240),
            (BYTES, "10M", 10 << 20),
            (BYTES, "1.5G", 3 << 29),
        ] {
            assert_eq!(kind.parse(text.as_bytes()), Some(value), "{text}");
        }
        for (kind, text) in [
            (COUNT, ""),
            (COUNT, "5x"),
            (COUNT, "1.0"),
            (COUNT, " 5"),
            (COUNT, "-5"),
            (MILLISECONDS, "s"),
            (MILLISECONDS, "5 s"),
            (MILLISECONDS, "5sec"),
            (MILLISECONDS, "5S"),
            (MILLISECONDS, "0.5"),
            (MILLISECONDS, "0.5ms"),
            (SECONDS, "1."),
            (SECONDS, ".5"),
            (SECONDS, "1.5.5"),
            (SECONDS, "0.0000000001"),
            (SECONDS, "18446744073709551615"),
            (AGE, "1w"),
            (AGE, "500ms"),
            (BYTES, "10q"),
            (BYTES, "10kk"),
            (BYTES, "18446744073709551615k"),
        ] {
            assert_eq!(kind.parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_number_is_digits_and_nothing_else() {
        assert_eq!(number::<u64>(b"0"), Some(0));
        assert_eq!(number::<u64>(b"010"), Some(10));
        assert_eq!(number::<u64>(b"18446744073709551615"), Some(u64::MAX));
        for bad in ["", "-1", "+1", " 1", "1 ", "1k", "0x1", "1.0", "18446744073709551616", "\u{661}"] {
            assert_eq!(number::<u64>(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(number::<i32>(b"2147483647"), Some(i32::MAX));
        assert_eq!(number::<i32>(b"2147483648"), None);
    }

    #[test]
    fn seconds_take_a_fraction() {
        assert_eq!(seconds(b"2"), Some(Duration::from_secs(2)));
        assert_eq!(seconds(b"0.25"), Some(Duration::from_millis(250)));
        assert_eq!(seconds(b"1.0000000019"), Some(Duration::new(1, 1)));
        for bad in ["", ".", "1.", ".5", "-1", "1.5s", "1e3", "1.5.5"] {
            assert_eq!(seconds(bad.as_bytes()), None, "{bad}");
        }
    }
}
