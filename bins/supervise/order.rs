//! What comes first, of what comes by several doors: the control FIFOs, each client of the socket, signals,
//! and deaths.
//!
//! Each door keeps its own order. Between two of them the kernel tells none, so this is the rule:
//!
//! - A signal and a death are learnt of first and carried out last: in between all other doors are looked at.
//!   So whatever was written before a signal, or before a death, is handled before it.
//! - A stop overtakes what lies unread in the other doors at the moment when it is heard: nobody knows
//!   whether that was written before it or after, and a stop must not be lost. What asks for less of a stop
//!   ([`Ask`]) is passed over there; all else is carried out.
//! - What is written after the stop was heard takes it back.
//!
//! A door is read for so many bytes a round, so that a flood keeps nobody else waiting. A stop does not wait
//! for the rest of one, which it overtakes; a death waits for it, as long as a pipe has room for.

use super::machine::{Event, Want};

/// What is asked for, from that which stops least to that which stops most.
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
    /// What an event asks for, if that is one of these.
    pub(super) fn of(event: Event) -> Option<Self> {
        match event {
            Event::Byte(b'u') | Event::Restart => Some(Self::Up),
            Event::Byte(b'o') => Some(Self::Once),
            Event::Byte(b'd') => Some(Self::Down),
            Event::Byte(b'x') => Some(Self::Exit),
            _ => None,
        }
    }

    /// The event that asks for it.
    pub(super) fn event(self) -> Event {
        Event::Byte(match self {
            Self::Up => b'u',
            Self::Once => b'o',
            Self::Down => b'd',
            Self::Exit => b'x',
        })
    }
}

/// What a door holds that a stop from another one has overtaken.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Late {
    bytes: usize,
    stop: Option<Ask>,
}

impl Late {
    /// A stop has come by another door, while so many bytes of this one were not handled yet.
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

/// What is carried out in place of an event that `stop` has overtaken; `want` is what is wanted now.
pub(super) fn heard(event: Event, stop: Option<Ask>, want: Want) -> Option<Event> {
    let (Some(ask), Some(stop)) = (Ask::of(event), stop) else { return Some(event) };
    let wanted = match stop {
        Ask::Up => Want::Up,
        Ask::Once | Ask::Down => Want::Down,
        Ask::Exit => Want::Exit,
    };
    if ask >= stop || want < wanted {
        return Some(event); // no less of a stop, or that one was taken back
    }
    // It takes back an exit that its own door has asked for before, and no more than that.
    (want > wanted).then(|| stop.event())
}

#[cfg(test)]
mod tests {
    use super::*;

    const UP: Event = Event::Byte(b'u');

    #[test]
    fn what_a_stop_has_overtaken_does_not_take_it_back() {
        for (late, stop, want, expected) in [
            (UP, Ask::Exit, Want::Exit, None),
            (Event::Restart, Ask::Exit, Want::Exit, None),
            (Event::Byte(b'o'), Ask::Exit, Want::Exit, None),
            (Event::Byte(b'd'), Ask::Exit, Want::Exit, None),
            (Event::Byte(b'x'), Ask::Exit, Want::Exit, Some(Event::Byte(b'x'))),
            (UP, Ask::Down, Want::Down, None),
            (Event::Byte(b'd'), Ask::Down, Want::Down, Some(Event::Byte(b'd'))),
            (Event::Byte(b'x'), Ask::Down, Want::Down, Some(Event::Byte(b'x'))),
            (UP, Ask::Once, Want::Down, None),
            // Its own door has asked for more, and takes that back.
            (UP, Ask::Down, Want::Exit, Some(Event::Byte(b'd'))),
            // Somebody has taken the stop back since.
            (UP, Ask::Exit, Want::Up, Some(UP)),
            (Event::Byte(b'd'), Ask::Exit, Want::Up, Some(Event::Byte(b'd'))),
            // What asks for nothing of the kind is nobody's rival.
            (Event::Byte(b'h'), Ask::Exit, Want::Exit, Some(Event::Byte(b'h'))),
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
