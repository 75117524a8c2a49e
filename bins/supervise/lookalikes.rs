//! Files that mean nothing here, but have nearly the name of one that does, or that of another supervisor's
//! file for the same thing.

use std::os::fd::BorrowedFd;

use common::{Voice, fds};

use common::supervise::Part;

/// The files of a service directory of which a logger has none; the others, `run` and `down`, come after.
pub(super) const OURS: [&[u8]; 21] = [
    b"finish",
    b"restart-delay",
    b"restart-reset",
    b"restart-max",
    b"down-signal",
    b"timeout-kill",
    b"timeout-finish",
    b"notification-fd",
    b"sd-notify",
    b"leftovers",
    b"operators",
    b"setup",
    b"timeout-setup",
    b"timeout-ready",
    b"watchdog",
    b"needs",
    b"essential",
    b"check",
    b"control",
    b"run",
    b"down",
];
/// How many of them a logger has none of. Its `check` and `control` are what other supervisors make of it.
const NOT_THE_LOGGERS: usize = 17;
/// Those which mean something in a tree of services alone.
const THE_TREES: [&[u8]; 2] = [b"needs", b"essential"];

/// What others call it, and what it is here.
const OTHERS: [(&[u8], &[u8]); 18] = [
    (b"max-death-tally", b"restart-max"), // s6
    (b"rc.main", b"run and finish"),      // perp
    (b"rc.log", b"log/run"),              // perp
    (b"max-restarts", b"restart-max"),
    (b"restart-limit", b"restart-max"),
    (b"restart-sec", b"restart-delay"), // systemd, and so are the next ones
    (b"kill-signal", b"down-signal"),
    (b"timeout-stop", b"timeout-kill"),
    (b"timeout-stop-sec", b"timeout-kill"),
    (b"stop-signal", b"down-signal"),
    (b"stop-timeout", b"timeout-kill"),
    (b"notify-fd", b"notification-fd"),
    (b"watchdog-sec", b"watchdog"), // systemd
    (b"depends-on", b"needs"),      // dinit
    (b"depends-on.d", b"needs"),
    (b"dependencies", b"needs"), // s6-rc, and so are the next ones
    (b"dependencies.d", b"needs"),
    (b"timeout-up", b"timeout-setup and timeout-ready"),
];

/// Which of them were reported, each a bit.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reported(u64);

/// The company of a service.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Company {
    /// It is the only one of its supervisor.
    Alone,
    /// It is one of a tree.
    Tree,
}

impl Reported {
    /// Looks at the names in `directory`, gives them to `see`, and reports those that were not reported. Whether all that
    /// are there were seen.
    pub(super) fn look(
        &mut self,
        directory: BorrowedFd,
        part: Part,
        company: Company,
        voice: Voice,
        mut see: impl FnMut(&[u8]),
    ) -> bool {
        let mut there = 0_u64;
        let reported = self.0;
        let mut report = |bit: usize, parts: &[&[u8]]| {
            if reported & 1 << bit == 0 && there & 1 << bit == 0 {
                voice.warning(parts);
            }
            there |= 1 << bit;
        };
        let all = fds::each_name_at_once(directory, |name| {
            let name = name.to_bytes();
            see(name);
            if let Some(place) = OURS.iter().position(|ours| *ours == name) {
                if part == Part::Log && place < NOT_THE_LOGGERS {
                    report(place, &[b"ignoring ", name, b": a logger has none"]);
                } else if company == Company::Alone && THE_TREES.contains(&name) {
                    report(place, &[b"ignoring ", name, b": it is known to svtree alone"]);
                }
            } else if let Some(place) = OURS.iter().position(|ours| alike(ours, name)) {
                report(place, &[b"ignoring ", name, b": the file is called ", OURS[place]]);
            } else if let Some(place) = OTHERS.iter().position(|(others, _)| alike(others, name)) {
                let ours = OTHERS[place].1;
                report(OURS.len() + place, &[b"ignoring ", name, b": the nearest is ", ours]);
            }
        });
        // A directory that cannot be read, as one with mode 0311, has names that cannot be known.
        if all.is_ok() {
            self.0 = there;
        }
        all == Ok(true)
    }
}

/// Whether two names have the same letters, whatever parts the words, in small letters or capitals.
fn alike(a: &[u8], b: &[u8]) -> bool {
    fn letters(name: &[u8]) -> impl Iterator<Item = u8> + '_ {
        name.iter().filter(|byte| !b"-_.".contains(byte)).map(u8::to_ascii_lowercase)
    }
    letters(a).eq(letters(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_alike_whatever_parts_their_words() {
        for name in ["timeout_kill", "timeoutkill", "Timeout-Kill", "timeout.kill", "TimeoutKill"] {
            assert!(alike(b"timeout-kill", name.as_bytes()), "{name}");
        }
        for name in ["timeout-kill.new", "timeout-kill~", "timeout", "kill-timeout"] {
            assert!(!alike(b"timeout-kill", name.as_bytes()), "{name}");
        }
    }
}
