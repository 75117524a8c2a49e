//! Bytes from outside in a message, and the words of the command line, which are nothing else.

use std::ffi::CStr;
use std::fmt::{self, Display, Write};
use std::ops::Deref;

/// A word of the command line. A message can hold it as it is: it is shown on one line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Word(pub &'static CStr);

impl Deref for Word {
    type Target = CStr;

    fn deref(&self) -> &CStr {
        self.0
    }
}

impl Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Shown(self.0.to_bytes()).fmt(f)
    }
}

/// `bytes` for a message: one line whatever they are, control characters and what is not UTF-8 escaped.
pub fn shown<B: AsRef<[u8]> + ?Sized>(bytes: &B) -> impl Display {
    Shown(bytes.as_ref())
}

struct Shown<'a>(&'a [u8]);

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                match character {
                    '\n' => f.write_str("\\n")?,
                    control if control.is_control() => hex(f, control.encode_utf8(&mut [0; 4]).as_bytes())?,
                    printable => f.write_char(printable)?,
                }
            }
            hex(f, chunk.invalid())?;
        }
        Ok(())
    }
}

fn hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| {
        let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or('?');
        f.write_str("\\x")?;
        f.write_char(digit(byte >> 4))?;
        f.write_char(digit(byte & 15))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_on_one_line() {
        assert_eq!(shown("a b=é").to_string(), "a b=é");
        assert_eq!(shown("a\nb\x1b[1m\0").to_string(), "a\\nb\\x1b[1m\\x00");
        assert_eq!(shown(b"caf\xe9!").to_string(), "caf\\xe9!");
    }

    #[test]
    fn a_word_is_shown_on_one_line_too() {
        assert_eq!(Word(c"a\nb").to_string(), "a\\nb");
    }
}
