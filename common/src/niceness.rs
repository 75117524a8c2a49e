//! The niceness, getpriority(2): how far a process stands back where others want the CPU too.

use nix::errno::Errno;

use crate::caps;
use crate::exit::{Exit, OrFail};
use crate::quantity::number;
use crate::sys::process;

/// What `text` asks to add: a decimal number, which may have a sign. One that is too large for any niceness counts as
/// the largest. `None` for anything else.
#[must_use]
pub fn increment(text: &[u8]) -> Option<i32> {
    let (sign, digits) = match text {
        [b'-', digits @ ..] => (-1, digits),
        [b'+', digits @ ..] | digits => (1, digits),
    };
    let whole = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    whole.then(|| sign * number::<i32>(digits).unwrap_or(i32::MAX))
}

/// As [`increment`], of a word of the command line: what is none is a usage error.
pub fn increment_in(word: &[u8]) -> Result<i32, Exit> {
    increment(word).ok_or_else(|| Exit::value("invalid increment", word))
}

/// Adds to the niceness, as far as the kernel has one: from -20, which is served first, to 19. `hint` says what to do
/// where the right to it is missing.
pub fn add(increment: i32, hint: &'static str) -> Result<(), Exit> {
    let before = process::niceness().or_fail("read the niceness")?;
    let niceness = before.saturating_add(increment).clamp(-20, 19);
    process::set_niceness(niceness).map_err(|errno| {
        let error = Exit::system(format_args!("change the niceness from {before} to {niceness}"), errno);
        if errno != Errno::EACCES {
            return error;
        }
        error.hint(caps::hint("CAP_SYS_NICE", hint))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_increment_is_a_number_with_or_without_a_sign() {
        for (text, value) in [
            ("0", 0),
            ("-0", 0),
            ("5", 5),
            ("+5", 5),
            ("-5", -5),
            ("010", 10),
            ("2147483647", i32::MAX),
            ("2147483648", i32::MAX),
            ("-2147483648", -i32::MAX),
            ("99999999999999999999999", i32::MAX),
            ("-99999999999999999999999", -i32::MAX),
        ] {
            assert_eq!(increment(text.as_bytes()), Some(value), "{text}");
        }
        for bad in ["", "-", "+", "--5", "+-5", "-+5", " 5", "5 ", "5x", "0x5", "1.0", "1k", "\u{661}", "5\n"]
        {
            assert_eq!(increment(bad.as_bytes()), None, "{bad}");
        }
    }
}
