//! Text in a fixed buffer: what a program that lives on writes without allocating.

use std::io::BufRead;

use crate::sys::errno;

/// At most `N` bytes; what does not fit is left out.
#[derive(Clone, Debug)]
pub struct Text<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Default for Text<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Text<N> {
    /// No text.
    #[must_use]
    pub fn new() -> Self {
        Self { bytes: [0; N], length: 0 }
    }

    /// A text.
    #[must_use]
    pub fn of(text: impl AsRef<[u8]>) -> Self {
        let mut new = Self::new();
        new.add(text);
        new
    }

    /// Takes all of it away.
    pub fn clear(&mut self) {
        self.length = 0;
    }

    /// Adds `text`.
    pub fn add(&mut self, text: impl AsRef<[u8]>) -> &mut Self {
        self.append(text.as_ref());
        self
    }

    fn append(&mut self, text: &[u8]) {
        let fits = text.len().min(N - self.length);
        self.bytes[self.length..self.length + fits].copy_from_slice(&text[..fits]);
        self.length += fits;
    }

    /// Adds a number in decimal digits.
    pub fn number(&mut self, number: impl Into<u64>) -> &mut Self {
        self.digits(number.into(), 1);
        self
    }

    /// Adds a number in at least `width` decimal digits.
    pub fn padded(&mut self, number: impl Into<u64>, width: usize) -> &mut Self {
        self.digits(number.into(), width);
        self
    }

    fn digits(&mut self, mut number: u64, width: usize) {
        let mut digits = [b'0'; 20];
        let mut first = digits.len();
        while number > 0 {
            first -= 1;
            digits[first] = b'0' + u8::try_from(number % 10).unwrap_or(0);
            number /= 10;
        }
        self.append(&digits[first.min(digits.len().saturating_sub(width))..]);
    }

    /// Adds a time in milliseconds as seconds with three places.
    pub fn seconds(&mut self, milliseconds: u64) -> &mut Self {
        self.number(milliseconds / 1000).add(".").padded(milliseconds % 1000, 3)
    }

    /// Adds a time since 1970, in seconds and nanoseconds, as seconds with three places.
    pub fn instant(&mut self, (seconds, nanoseconds): (u64, u32)) -> &mut Self {
        self.number(seconds).add(".").padded(nanoseconds / 1_000_000, 3)
    }

    /// Adds a time since 1970 as `2026-11-22T10:00:00.123Z`.
    pub fn date(&mut self, seconds: u64, milliseconds: u32) -> &mut Self {
        self.date_time(seconds, "T").add(".").padded(milliseconds, 3).add("Z")
    }

    /// Adds seconds since 1970 as date and time in UTC, `2026-11-22T10:00:00` where `between` is T.
    pub fn date_time(&mut self, seconds: u64, between: &str) -> &mut Self {
        let (days, second) = (seconds / 86_400, seconds % 86_400);
        // The civil calendar from days since 1970, in eras of 400 years that begin on a 1 March.
        let shifted = days + 719_468;
        let (era, day) = (shifted / 146_097, shifted % 146_097);
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let year = era * 400 + year + u64::from(month <= 2);
        self.padded(year, 4).add("-").padded(month, 2).add("-").padded(day, 2).add(between);
        self.padded(second / 3600, 2).add(":").padded(second / 60 % 60, 2).add(":").padded(second % 60, 2)
    }

    /// Adds what an errno means, in the words of the C library.
    pub fn errno(&mut self, errno: nix::errno::Errno) -> &mut Self {
        self.add(errno::text(errno))
    }

    /// Adds `text` as the inside of a JSON string, see [`quote`].
    pub fn quoted(&mut self, text: &[u8]) -> &mut Self {
        quote(text, |part| self.append(part));
        self
    }

    /// Adds `text` for a message: all but printable characters of ASCII as `?`.
    pub fn printable(&mut self, text: &[u8]) -> &mut Self {
        for byte in text {
            self.append(&[if matches!(byte, b' '..=b'~') { *byte } else { b'?' }]);
        }
        self
    }

    /// Adds blanks up to `length` bytes.
    pub fn fill(&mut self, length: usize) -> &mut Self {
        if let Some(rest) = self.bytes.get_mut(self.length..length.min(N)) {
            rest.fill(b' ');
            self.length += rest.len();
        }
        self
    }

    /// Ends the line: where there is no room for a newline the last byte makes way for it.
    pub fn end_line(&mut self) -> &mut Self {
        self.length = self.length.min(N - 1);
        self.add("\n")
    }

    /// The text.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// Gives the parts of `text` as the inside of a JSON string, with a backslash or as `\u00XX` what would end it or a
/// terminal obeys, what is not UTF-8 as U+FFFD.
pub fn quote(text: &[u8], mut add: impl FnMut(&[u8])) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for chunk in text.utf8_chunks() {
        let (valid, mut done) = (chunk.valid(), 0);
        for (at, character) in valid.char_indices() {
            let code = character as usize;
            let control;
            let escape = match character {
                '"' => b"\\\"",
                '\\' => b"\\\\",
                _ if character.is_control() => {
                    // All of them are below U+0100.
                    control = [b'\\', b'u', b'0', b'0', DIGITS[code >> 4 & 15], DIGITS[code & 15]];
                    &control[..]
                }
                _ => continue,
            };
            add(&valid.as_bytes()[done..at]);
            add(escape);
            done = at + character.len_utf8();
        }
        add(&valid.as_bytes()[done..]);
        if !chunk.invalid().is_empty() {
            add("\u{fffd}".as_bytes());
        }
    }
}

/// The first line, with its newline if it has one.
#[must_use]
pub fn first_line(bytes: &[u8]) -> &[u8] {
    up_to(bytes, b'\n')
}

/// The bytes up to the first `last`, with it, or all of them.
#[must_use]
pub fn up_to(bytes: &[u8], last: u8) -> &[u8] {
    let mut rest = bytes;
    &bytes[..rest.skip_until(last).unwrap_or(0)] // which cannot fail
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_what_was_added_as_far_as_it_fits() {
        let mut text = Text::<64>::new();
        text.add("a ")
            .number(0u32)
            .add(" ")
            .number(u64::MAX)
            .add(" ")
            .padded(7u32, 3)
            .add(" ")
            .seconds(61_007);
        assert_eq!(text.bytes(), b"a 0 18446744073709551615 007 61.007");
        assert_eq!(Text::<4>::of("abcdef").bytes(), b"abcd");
        assert_eq!(Text::<16>::new().quoted(b"a\"\\\n\xff").bytes(), "a\\\"\\\\\\u000a\u{fffd}".as_bytes());
        assert_eq!(
            Text::<32>::new().quoted("é\u{1}\u{7f}\u{9b}".as_bytes()).bytes(),
            "é\\u0001\\u007f\\u009b".as_bytes()
        );
        assert_eq!(Text::<16>::new().printable("a \x1b[é\n".as_bytes()).bytes(), b"a ?[???");
        assert_eq!(Text::<4>::of("a").fill(3).bytes(), b"a  ");
        assert_eq!(Text::<4>::of("ab").end_line().bytes(), b"ab\n");
        assert_eq!(Text::<4>::of("abcdef").end_line().bytes(), b"abc\n");
    }

    #[test]
    fn a_date_is_the_date_and_time_in_utc() {
        let at = |seconds| String::from_utf8(Text::<32>::new().date(seconds, 7).bytes().to_owned()).unwrap();
        assert_eq!(at(0), "1970-01-01T00:00:00.007Z");
        assert_eq!(at(951_782_399), "2000-02-28T23:59:59.007Z");
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00.007Z");
        assert_eq!(at(1_795_343_401), "2026-11-22T10:30:01.007Z");
        assert_eq!(at(4_107_542_400), "2100-03-01T00:00:00.007Z");
    }
}
