//! The order of events that come by several doors: the control FIFOs, each client of the socket, signals, and
//! deaths.
//!
//! Each door keeps its own order. Between two of them the kernel has none, so this is the rule:
//!
//! - A signal and a death are learnt of first and carried out last: in between all other doors are looked at.
//!   So whatever was written before a signal, or before a death, is handled before it.
//! - A stop overtakes all that lies unread in the other doors at the moment when it is heard: that may have been
//!   written before it or after, and a stop must not be lost. A command there for less of a stop ([`Ask`]) is
//!   passed over; all others are carried out.
//! - A command that is written after the stop was heard takes it back.
//!
//! A door is read for a limited number of bytes a round, so that a flood keeps nobody else waiting. A stop does not wait
//! for the rest of one, which it overtakes; a death waits for it, as long as a pipe has room for.

use common::supervise::Control;

use super::machine::Want;

/// What a command asks for, from the least stop to the greatest.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(super) enum Ask {
    /// To run, also `restart`.
    Up,
    /// To run, but not again.
    Once,
    /// To be down.
    Down,
    /// To be down for good.
    Exit,
}

impl Ask {
    /// What a command asks for; nothing where it is a signal or a reload.
    pub(super) fn of(control: Control) -> Option<Self> {
        match control {
            Control::Up | Control::Restart => Some(Self::Up),
            Control::Once => Some(Self::Once),
            Control::Down => Some(Self::Down),
            Control::Exit => Some(Self::Exit),
            Control::Signal(_) | Control::Reload => None,
        }
    }

    /// The command that asks for it.
    pub(super) fn control(self) -> Control {
        match self {
            Self::Up => Control::Up,
            Self::Once => Control::Once,
            Self::Down => Control::Down,
            Self::Exit => Control::Exit,
        }
    }
}

/// The part of a door's content that a stop from another one has overtaken.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Late {
    bytes: usize,
    stop: Option<Ask>,
}

impl Late {
    /// A stop has come by another door, while this many bytes of this one were not handled yet.
    pub(super) fn overtaken(&mut self, stop: Ask, unread: usize) {
        *self = Self { bytes: unread, stop: Some(stop).filter(|_| unread > 0) };
    }

    /// Takes bytes off: the stop that has overtaken them, also the last of them.
    pub(super) fn take(&mut self, count: usize) -> Option<Ask> {
        let stop = self.stop.filter(|_| count <= self.bytes);
        self.bytes = self.bytes.saturating_sub(count);
        if self.bytes == 0 {
            self.stop = None;
        }
        stop
    }
}

/// The command to carry out in place of one that `stop` has overtaken; `want` is what is wanted now.
pub(super) fn heard(control: Control, stop: Option<Ask>, want: Want) -> Option<Control> {
    let (Some(ask), Some(stop)) = (Ask::of(control), stop) else { return Some(control) };
    let wanted = match stop {
        Ask::Up => Want::Up,
        Ask::Once | Ask::Down => Want::Down,
        Ask::Exit => Want::Exit,
    };
    if ask >= stop || want < wanted {
        return Some(control); // no less of a stop, or that one was taken back
    }
    // It takes back an exit that its own door has asked for before, and no more than that.
    (want > wanted).then(|| stop.control())
}

#[cfg(test)]
mod tests {
    use super::*;

    use Control::{Down, Exit, Once, Reload, Restart, Signal, Up};

    #[test]
    fn what_a_stop_has_overtaken_does_not_take_it_back() {
        for (late, stop, want, expected) in [
            (Up, Ask::Exit, Want::Exit, None),
            (Restart, Ask::Exit, Want::Exit, None),
            (Once, Ask::Exit, Want::Exit, None),
            (Down, Ask::Exit, Want::Exit, None),
            (Exit, Ask::Exit, Want::Exit, Some(Exit)),
            (Up, Ask::Down, Want::Down, None),
            (Down, Ask::Down, Want::Down, Some(Down)),
            (Exit, Ask::Down, Want::Down, Some(Exit)),
            (Up, Ask::Once, Want::Down, None),
            // Its own door has asked for more, and takes that back.
            (Up, Ask::Down, Want::Exit, Some(Down)),
            // Somebody has taken the stop back since.
            (Up, Ask::Exit, Want::Up, Some(Up)),
            (Down, Ask::Exit, Want::Up, Some(Down)),
            // A signal competes with no stop, nor does a reload.
            (Signal(1), Ask::Exit, Want::Exit, Some(Signal(1))),
            (Reload, Ask::Exit, Want::Exit, Some(Reload)),
        ] {
            assert_eq!(heard(late, Some(stop), want), expected, "{late:?} {stop:?} {want:?}");
            assert_eq!(heard(late, None, want), Some(late));
        }
    }

    #[test]
    fn what_is_written_after_the_stop_is_not_overtaken() {
        let mut late = Late::default();
        assert_eq!(late.take(1), None);
        late.overtaken(Ask::Down, 3);
        assert_eq!((late.take(1), late.take(2), late.take(1)), (Some(Ask::Down), Some(Ask::Down), None));
        // A line counts where its end lies.
        late.overtaken(Ask::Down, 3);
        assert_eq!((late.take(4), late.take(1)), (None, None));
        // The last stop counts, for all that is unread by then.
        late.overtaken(Ask::Exit, 5);
        late.overtaken(Ask::Down, 2);
        assert_eq!((late.take(2), late.take(1)), (Some(Ask::Down), None));
        late.overtaken(Ask::Exit, 0);
        assert_eq!(late.take(1), None);
    }
}
