//! The keys of a terminal while lines come: q ends, and so do the signals that usually do.

use std::io::{IsTerminal, stdin, stdout};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use common::{process, signals};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use nix::unistd::{getpgrp, read, tcgetpgrp};

/// The signals that end the program, and those between which the terminal is somebody else's.
const SIGNALS: [i32; 6] =
    [signals::HUP, signals::INT, signals::QUIT, signals::TERM, signals::TSTP, signals::CONT];

/// What was pressed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Pressed {
    Nothing,
    Quit,
}

/// The keys, if there is a terminal on both sides, and we are in its foreground. Dropped, it is as before.
pub(super) struct Keys(Option<Terminal>);

struct Terminal {
    before: Termios,
    /// The signals, which are blocked.
    signals: OwnedFd,
}

impl Keys {
    /// Has each key come at once, unseen. Where the terminal refuses that, ^C still ends the program.
    pub(super) fn new() -> Self {
        let terminal = || {
            let before = tcgetattr(stdin()).ok()?;
            signals::block(&SIGNALS).ok()?;
            let terminal = Terminal { before, signals: signals::as_fd(&SIGNALS).ok()? };
            terminal.take();
            Some(terminal)
        };
        let ours = stdin().is_terminal() && stdout().is_terminal() && is_in_front();
        Self(if ours { terminal() } else { None })
    }

    /// The fd to wait for keys at; below 0 if there is none.
    pub(super) fn input(&self) -> RawFd {
        self.0.as_ref().filter(|_| is_in_front()).map_or(-1, |_| stdin().as_raw_fd())
    }

    /// The same for signals.
    pub(super) fn signals(&self) -> RawFd {
        self.0.as_ref().map_or(-1, |terminal| terminal.signals.as_raw_fd())
    }

    /// Reads what has come.
    pub(super) fn read(&mut self) -> Pressed {
        let Some(terminal) = &self.0 else { return Pressed::Nothing };
        let arrived: Vec<i32> = signals::next(terminal.signals.as_fd()).collect();
        for signal in arrived {
            if signal == signals::TSTP {
                terminal.give_back();
                // A shell need not restore what it finds. Where we cannot be stopped we go on.
                let _ = process::id().and_then(|own| process::kill_child(own, signals::STOP));
            }
            if [signals::TSTP, signals::CONT].contains(&signal) {
                terminal.take();
                continue;
            }
            // As it would have ended us, but with the terminal as it was.
            self.0 = None;
            // It is blocked, so that it ends us where it is let through. Where that fails we end all the same.
            let _ = signals::raise(signal);
            let _ = signals::block_only(signals::PIPE);
            return Pressed::Quit;
        }
        let mut keys = [0; 64];
        let mut fds = [common::poll::watch(self.input(), common::poll::POLLIN)];
        // Where there is none, or it cannot be read, nobody presses it.
        let ready = common::poll::poll(&mut fds, Some(0)).is_ok() && fds[0].revents != 0;
        match if ready { read(stdin(), &mut keys) } else { return Pressed::Nothing } {
            Ok(count) if count > 0 && !keys[..count].iter().any(|key| matches!(key, b'q' | b'Q')) => {
                Pressed::Nothing
            }
            _ => Pressed::Quit, // also where the terminal is gone
        }
    }
}

impl Terminal {
    /// Has the terminal give each key at once, and not show it.
    fn take(&self) {
        let mut now = self.before.clone();
        now.local_flags &= !(LocalFlags::ICANON | LocalFlags::ECHO);
        // In the background it is not ours; and a terminal that does not do it has lines, with q and a newline.
        if is_in_front() {
            let _ = tcsetattr(stdin(), SetArg::TCSADRAIN, &now);
        }
    }

    /// Has it as it was.
    fn give_back(&self) {
        // A terminal that is gone needs nothing.
        if is_in_front() {
            let _ = tcsetattr(stdin(), SetArg::TCSADRAIN, &self.before);
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// Whether we are in the foreground of the terminal: from the background to change it would stop us.
fn is_in_front() -> bool {
    tcgetpgrp(stdin()).is_ok_and(|group| group == getpgrp())
}
