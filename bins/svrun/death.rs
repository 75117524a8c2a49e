//! How a process died: from its wait status, to finish, and in words.

use std::ffi::CStr;

use common::{Text, signals};
use nix::errno::Errno;

use super::machine::Death;

/// Adds how a process died, and after what time.
pub(super) fn how<const N: usize>(text: &mut Text<N>, exit: &str, death: Death, after: &[u8]) {
    match death {
        Death::Exit(code) => drop(text.add(exit).number(code).add(after)),
        Death::Signal(signal, core) => {
            text.add("killed by ");
            match signals::name(signal.into()) {
                Some(name) => text.add("SIG").add(name),
                None => text.add("signal ").number(signal),
            };
            text.add(if core { " (core dumped)" } else { "" }).add(after);
        }
        Death::Exec(errno) => drop(text.add("could not be executed: ").errno(Errno::from_raw(errno))),
        Death::Unknown => drop(text.add("ended").add(after).add(" or less, status unknown")),
    }
}

/// How a wait status says that a process died.
pub(super) fn of(status: i32) -> Death {
    let low = |number: i32| u8::try_from(number & 0xff).unwrap_or(0);
    match status & 0x7f {
        0 => Death::Exit(low(status >> 8)),
        signal => Death::Signal(low(signal), status & 0x80 != 0),
    }
}

/// The exit status of a supervisor that leaves with its service: the exit code, or 128 and the signal; 111 where
/// nothing was executed, or nobody knows.
pub(super) fn status(death: Death) -> u8 {
    match death {
        Death::Exit(code) => code,
        Death::Signal(signal, _) => 128 | signal,
        Death::Exec(_) | Death::Unknown => 111,
    }
}

/// finish's arguments: the exit code, or -1; and the low byte of the wait status, the signal and 128 for a
/// core.
pub(super) fn arguments(death: Option<Death>) -> (Word, Word) {
    match death {
        Some(Death::Exit(code)) => (Word::of(b"", code), Word::of(b"", 0)),
        Some(Death::Signal(signal, core)) => {
            (Word::of(b"-", 1), Word::of(b"", signal | if core { 0x80 } else { 0 }))
        }
        Some(Death::Exec(_)) => (Word::of(b"", 111), Word::of(b"", 0)),
        Some(Death::Unknown) | None => (Word::of(b"-", 1), Word::of(b"", 0)),
    }
}

/// A number as a C string.
pub(super) struct Word(Text<8>);

impl Word {
    fn of(sign: &[u8], number: u8) -> Self {
        let mut text = Text::of(sign);
        text.number(number).add("\0");
        Self(text)
    }

    pub(super) fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_with_nul(self.0.bytes()).unwrap_or(c"0")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finish_is_told_how_run_died_as_runsv_tells() {
        let words = |death| {
            let (code, status) = arguments(Some(death));
            (code.as_c_str().to_owned(), status.as_c_str().to_owned())
        };
        assert_eq!(words(Death::Exit(255)), (c"255".into(), c"0".into()));
        assert_eq!(words(Death::Signal(15, false)), (c"-1".into(), c"15".into()));
        assert_eq!(words(Death::Signal(11, true)), (c"-1".into(), c"139".into()));
        assert_eq!(words(Death::Exec(2)), (c"111".into(), c"0".into()));
        assert_eq!(words(Death::Unknown), (c"-1".into(), c"0".into()));
    }

    #[test]
    fn a_wait_status_is_an_exit_or_a_signal() {
        assert_eq!(of(0), Death::Exit(0));
        assert_eq!(of(7 << 8), Death::Exit(7));
        assert_eq!(of(9), Death::Signal(9, false));
        assert_eq!(of(0x80 | 6), Death::Signal(6, true));
    }
}
