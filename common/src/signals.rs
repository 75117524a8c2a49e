//! Signals by name and number.

use nix::unistd::{Pid, getppid};

use crate::exit::{Exit, OrFail};
use crate::quantity::number;
use crate::sys::signal::set_parent_death_signal;

pub use crate::sys::signal::{
    as_fd, block, block_all, block_none, block_only, default_all, exchange_mask, ignore, ignored, mask_as_fd,
    mask_of, next, parent_death_signal, raise, reset_all, set_ignored, wait_for,
};

pub use libc::{
    SIGABRT as ABRT, SIGALRM as ALRM, SIGBUS as BUS, SIGCHLD as CHLD, SIGCONT as CONT, SIGFPE as FPE,
    SIGHUP as HUP, SIGILL as ILL, SIGINT as INT, SIGKILL as KILL, SIGPIPE as PIPE, SIGPWR as PWR,
    SIGQUIT as QUIT, SIGSEGV as SEGV, SIGSTOP as STOP, SIGSYS as SYS, SIGTERM as TERM, SIGTRAP as TRAP,
    SIGTSTP as TSTP, SIGTTIN as TTIN, SIGTTOU as TTOU, SIGUSR1 as USR1, SIGUSR2 as USR2, SIGWINCH as WINCH,
    SIGXCPU as XCPU, SIGXFSZ as XFSZ,
};

/// The first of the real-time signals, as glibc counts and so the shells of most systems. musl leaves one more
/// out; but `RTMIN+3` means what the manual of the receiver says, not what we were built with.
pub const RTMIN: i32 = 34;
/// `SIGRTMIN+3`, with which container engines stop an init that is systemd.
pub const RTMIN_3: i32 = RTMIN + 3;
/// The last of them, and of all signals of Linux.
const RTMAX: i32 = 64;

/// Those that have a name, without SIG, see signal(7).
const NAMES: [(&str, i32); 31] = [
    ("HUP", libc::SIGHUP),
    ("INT", libc::SIGINT),
    ("QUIT", libc::SIGQUIT),
    ("ILL", libc::SIGILL),
    ("TRAP", libc::SIGTRAP),
    ("ABRT", libc::SIGABRT),
    ("BUS", libc::SIGBUS),
    ("FPE", libc::SIGFPE),
    ("KILL", libc::SIGKILL),
    ("USR1", libc::SIGUSR1),
    ("SEGV", libc::SIGSEGV),
    ("USR2", libc::SIGUSR2),
    ("PIPE", libc::SIGPIPE),
    ("ALRM", libc::SIGALRM),
    ("TERM", libc::SIGTERM),
    ("STKFLT", libc::SIGSTKFLT),
    ("CHLD", libc::SIGCHLD),
    ("CONT", libc::SIGCONT),
    ("STOP", libc::SIGSTOP),
    ("TSTP", libc::SIGTSTP),
    ("TTIN", libc::SIGTTIN),
    ("TTOU", libc::SIGTTOU),
    ("URG", libc::SIGURG),
    ("XCPU", libc::SIGXCPU),
    ("XFSZ", libc::SIGXFSZ),
    ("VTALRM", libc::SIGVTALRM),
    ("PROF", libc::SIGPROF),
    ("WINCH", libc::SIGWINCH),
    ("IO", libc::SIGIO),
    ("PWR", libc::SIGPWR),
    ("SYS", libc::SIGSYS),
];

/// Other names of the same, which shells and signal(7) have.
const ALIASES: [(&str, i32); 4] =
    [("IOT", libc::SIGABRT), ("CLD", libc::SIGCHLD), ("POLL", libc::SIGIO), ("UNUSED", libc::SIGSYS)];

/// The name of a signal without SIG; `None` where it has none but its number.
#[must_use]
pub fn name(signal: i32) -> Option<&'static str> {
    NAMES.iter().find(|(_, number)| *number == signal).map(|(name, _)| *name)
}

/// The signal of this name, with or without SIG, in any case, or of this number. Every name is known that
/// `kill -l` of bash, dash, zsh and busybox prints.
#[must_use]
pub fn parse(text: &[u8]) -> Option<i32> {
    if let Some(signal) = number(text) {
        return Some(signal).filter(|signal| (1..=RTMAX).contains(signal));
    }
    let text = if text.len() > 3 && text[..3].eq_ignore_ascii_case(b"SIG") { &text[3..] } else { text };
    let named = |(name, _): &&(&str, i32)| name.as_bytes().eq_ignore_ascii_case(text);
    let found = NAMES.iter().find(named).or_else(|| ALIASES.iter().find(named));
    found.map(|(_, signal)| *signal).or_else(|| real_time(text))
}

/// Lets this process get a signal at the death of its parent, 0 for none; `verb` is for the message. Where the parent
/// is no longer `parent`, it died before anybody would send it: this process gets it at once.
pub fn arm_parent_death(signal: i32, parent: Pid, verb: &str) -> Result<(), Exit> {
    set_parent_death_signal(signal).or_fail(format_args!("{verb} the parent-death signal"))?;
    if signal != 0 && getppid() != parent {
        raise(signal).or_fail("send the parent-death signal")?;
    }
    Ok(())
}

/// `RTMIN`, `RTMIN+n`, `RTMAX` or `RTMAX-n`.
fn real_time(text: &[u8]) -> Option<i32> {
    let (base, offset) = text.split_at_checked(5)?;
    let offset = match offset {
        [] => Some(0),
        [b'+' | b'-', digits @ ..] => number::<i32>(digits),
        _ => None,
    };
    let signal = if base.eq_ignore_ascii_case(b"RTMIN") && text.get(5) != Some(&b'-') {
        RTMIN.checked_add(offset?)
    } else if base.eq_ignore_ascii_case(b"RTMAX") && text.get(5) != Some(&b'+') {
        RTMAX.checked_sub(offset?)
    } else {
        None
    };
    signal.filter(|signal| (RTMIN..=RTMAX).contains(signal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_has_a_name_or_a_number() {
        for text in ["TERM", "term", "SIGTERM", "sigterm", "15"] {
            assert_eq!(parse(text.as_bytes()), Some(15), "{text}");
        }
        assert_eq!(parse(b"64"), Some(64));
        for bad in ["", "0", "65", "-1", "SIG", "SIGSIGTERM", "TERM ", "1x"] {
            assert_eq!(parse(bad.as_bytes()), None, "{bad}");
        }
        for (text, signal) in [
            ("IOT", 6),
            ("CLD", 17),
            ("sigpoll", 29),
            ("RTMIN", 34),
            ("SIGRTMIN+3", 37),
            ("rtmin+30", 64),
            ("RTMAX", 64),
            ("RTMAX-14", 50),
        ] {
            assert_eq!(parse(text.as_bytes()), Some(signal), "{text}");
        }
        for bad in
            ["RTMIN+31", "RTMIN-1", "RTMAX+1", "RTMAX-31", "RTMIN+", "RTMIN3", "RTMIN+-3", "RTMI", "RT"]
        {
            assert_eq!(parse(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!((name(11), name(40)), (Some("SEGV"), None));
    }
}
