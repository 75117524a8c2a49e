//! TAI64N labels, the times of daemontools' logs: seconds and nanoseconds, as 24 hexadecimal digits behind a `@`.

use crate::clock::TAI64;

/// What each byte is worth as a digit. A table, since no processor can guess which of the digits are letters.
static VALUES: [u8; 256] = {
    let mut values = [NONE; 256];
    let mut value = 0;
    while value < 16 {
        values[DIGITS[value as usize] as usize] = value;
        value += 1;
    }
    values
};
const NONE: u8 = u8::MAX;
const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// A label as one number: 64 bits of seconds, 32 of nanoseconds. Labels sort as their times do.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Label(pub u128);

impl Label {
    /// How many digits a label has.
    pub const DIGITS: usize = 24;

    /// The label of a time: seconds since 1970, and nanoseconds.
    #[must_use]
    pub fn of((seconds, nanoseconds): (u64, u32)) -> Self {
        Self(u128::from(TAI64 + seconds) << 32 | u128::from(nanoseconds))
    }

    /// The number that the digits of `text` write, up to the first byte that is none, and how many these are. Digits
    /// are those of [`Label::digits`], and of more than 24 the last ones count, as in daemontools.
    #[must_use]
    pub fn read(text: &[u8]) -> (Self, usize) {
        let (mut number, mut length) = (0u128, 0);
        for byte in text {
            let value = VALUES[usize::from(*byte)];
            if value == NONE {
                break;
            }
            number = number << 4 | u128::from(value);
            length += 1;
        }
        (Self(number & ((1 << 96) - 1)), length)
    }

    /// Its hexadecimal digits.
    #[must_use]
    pub fn digits(self) -> [u8; Self::DIGITS] {
        std::array::from_fn(|i| DIGITS[(self.0 >> (92 - 4 * i) & 15) as usize])
    }

    /// The time: seconds since 1970, which may be negative, and nanoseconds, which may be more than a second has.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "64 bits, and then 32")]
    pub fn since_1970(self) -> (i64, u32) {
        (((self.0 >> 32) as u64).wrapping_sub(TAI64) as i64, self.0 as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_read_as_it_is_written() {
        let label = Label::of((935_467_445, 787_492_500));
        assert_eq!(&label.digits(), b"4000000037c219bf2ef02e94");
        assert_eq!(Label::read(b"4000000037c219bf2ef02e94 text"), (label, 24));
        assert_eq!(Label::read(b"4000000037c219bf2ef02e94"), (label, 24));
        assert_eq!(label.since_1970(), (935_467_445, 787_492_500));
        assert_eq!(Label::read(b"3ffffffff7c219bf2ef02e94").0.since_1970().0, -138_274_379);
    }

    #[test]
    fn digits_are_small_letters_and_the_last_ones_count() {
        assert_eq!(Label::read(b""), (Label(0), 0));
        assert_eq!(Label::read(b"40 "), (Label(0x40), 2));
        assert_eq!(Label::read(b"4A"), (Label(4), 1));
        assert_eq!(Label::read(b"4g"), (Label(4), 1));
        let (long, length) = Label::read(b"abc4000000037c219bf2ef02e94 ");
        assert_eq!((&long.digits(), length), (b"4000000037c219bf2ef02e94", 27));
    }
}
