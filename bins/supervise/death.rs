//! How a process died: from its wait status, to finish, and in words.

use std::ffi::CStr;

use common::{Text, signals};
use nix::errno::Errno;

use super::machine::{Death, Machine, Phase, Rules, Want};
use super::now::Wall;

/// The words that the log gets when `script`, run or setup, has ended, with what follows. `hint`: what is wrong with a
/// file that could not be executed, if that is known.
pub(super) fn log_line(
    script: &str,
    death: Death,
    machine: &Machine,
    rules: &Rules,
    hint: Option<&str>,
) -> Text<320> {
    let mut line = Text::of(script);
    line.add(" ");
    let tenths = machine.ran_for / 100;
    let mut after = Text::<24>::of(" after ");
    after.number(tenths / 10).add(".").number(tenths % 10).add(" s");
    describe(&mut line, "exited ", death, after.bytes());
    if let Some(hint) = hint.filter(|_| matches!(death, Death::Exec(_))) {
        line.add(" (").add(hint).add(")");
    }
    if machine.want == Want::Up {
        match machine.delay(rules) {
            None => line.add(", gave up"),
            Some(0) => line.add(", starting again"),
            Some(delay) => {
                let again =
                    if delay > 1000 { ", backing off: starting again in " } else { ", starting again in " };
                line.add(again);
                line.number(delay / 1000);
                if delay % 1000 != 0 {
                    line.add(".").padded(delay % 1000, 3);
                }
                line.add(" s")
            }
        };
    }
    line.add("\n");
    line
}

/// The line for the file `deaths`: when which pid, of run or of setup, ended, how, and after what time (`ran`, in
/// milliseconds).
pub(super) fn entry(
    script: Phase,
    death: Death,
    ((seconds, nanoseconds), pid): (Wall, u32),
    ran: u64,
) -> Text<256> {
    let mut line = Text::new();
    line.date(seconds, nanoseconds / 1_000_000).add(" pid ").number(pid).add(" ");
    if script == Phase::Setup {
        line.add("setup ");
    }
    let mut after = Text::<24>::of(" after ");
    describe(&mut line, "exit ", death, after.seconds(ran).add(" s").bytes());
    line.add("\n");
    line
}

/// Adds how a process died, and after what time.
fn describe<const N: usize>(text: &mut Text<N>, exit: &str, death: Death, after: &[u8]) {
    match death {
        Death::Exit(code) => drop(text.add(exit).number(code).add(after)),
        Death::Signal(signal, core) => {
            add_signal(text.add("killed by "), signal);
            text.add(if core { " (core dumped)" } else { "" }).add(after);
        }
        Death::Exec(errno) => drop(text.add("could not be executed: ").errno(Errno::from_raw(errno))),
        Death::Unknown => drop(text.add("ended").add(after).add(" or less, status unknown")),
    }
}

/// Adds the name of a signal; its number, where it has none.
pub(super) fn add_signal<const N: usize>(text: &mut Text<N>, signal: u8) {
    match signals::name(signal.into()) {
        Some(name) => text.add("SIG").add(name),
        None => text.add("signal ").number(signal),
    };
}

/// How a wait status says that a process died.
pub(crate) fn from_wait_status(status: i32) -> Death {
    let low = |number: i32| u8::try_from(number & 0xff).unwrap_or(0);
    match status & 0x7f {
        0 => Death::Exit(low(status >> 8)),
        signal => Death::Signal(low(signal), status & 0x80 != 0),
    }
}

/// The exit status of a supervisor that leaves with its service: the exit code, or 128 and the signal; 111 where
/// nothing was executed, or nobody knows.
pub(crate) fn exit_status(death: Death) -> u8 {
    match death {
        Death::Exit(code) => code,
        Death::Signal(signal, _) => 128 | signal,
        Death::Exec(_) | Death::Unknown => 111,
    }
}

/// finish's arguments: the exit code, or -1; and the low byte of the wait status, the signal and 128 for a
/// core.
pub(super) fn finish_arguments(death: Option<Death>) -> (Word, Word) {
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
    fn finish_gets_the_arguments_that_runsv_gives_it() {
        let words = |death| {
            let (code, status) = finish_arguments(Some(death));
            (code.as_c_str().to_owned(), status.as_c_str().to_owned())
        };
        assert_eq!(words(Death::Exit(255)), (c"255".into(), c"0".into()));
        assert_eq!(words(Death::Signal(15, false)), (c"-1".into(), c"15".into()));
        assert_eq!(words(Death::Signal(11, true)), (c"-1".into(), c"139".into()));
        assert_eq!(words(Death::Exec(2)), (c"111".into(), c"0".into()));
        assert_eq!(words(Death::Unknown), (c"-1".into(), c"0".into()));
    }

    #[test]
    fn the_log_gets_how_run_died_and_what_follows() {
        let line = |death, hint, ran, want, max| {
            let mut machine = Machine::new(want);
            (machine.ran_for, machine.short_runs) = (ran, 1);
            let mut rules = Rules { max, ..Rules::default() };
            (rules.delays[0], rules.delay_count) = (1500, usize::from(max == 9));
            String::from_utf8(log_line("run", death, &machine, &rules, hint).bytes().to_vec()).unwrap()
        };
        let exit = Death::Exit(3);
        assert_eq!(line(exit, None, 60_250, Want::Up, 0), "run exited 3 after 60.2 s, starting again\n");
        assert_eq!(line(exit, None, 20, Want::Up, 0), "run exited 3 after 0.0 s, starting again in 1 s\n");
        assert_eq!(
            line(Death::Signal(11, true), None, 20, Want::Up, 9),
            "run killed by SIGSEGV (core dumped) after 0.0 s, backing off: starting again in 1.500 s\n"
        );
        assert_eq!(line(exit, None, 20, Want::Up, 1), "run exited 3 after 0.0 s, gave up\n");
        assert_eq!(
            line(Death::Unknown, None, 900, Want::Down, 0),
            "run ended after 0.9 s or less, status unknown\n"
        );
        assert!(line(Death::Exec(2), Some("why"), 0, Want::Down, 0).ends_with(" (why)\n"));
    }

    #[test]
    fn an_entry_of_deaths_has_date_pid_end_and_time() {
        let entry = |script| entry(script, Death::Exit(1), ((951_782_399, 7_000_000), 12), 1007);
        assert_eq!(entry(Phase::Run).bytes(), b"2000-02-28T23:59:59.007Z pid 12 exit 1 after 1.007 s\n");
        assert_eq!(
            entry(Phase::Setup).bytes(),
            b"2000-02-28T23:59:59.007Z pid 12 setup exit 1 after 1.007 s\n"
        );
    }

    #[test]
    fn a_wait_status_is_an_exit_or_a_signal() {
        assert_eq!(from_wait_status(0), Death::Exit(0));
        assert_eq!(from_wait_status(7 << 8), Death::Exit(7));
        assert_eq!(from_wait_status(9), Death::Signal(9, false));
        assert_eq!(from_wait_status(0x80 | 6), Death::Signal(6, true));
    }
}
