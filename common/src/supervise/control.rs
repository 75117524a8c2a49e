//! The commands: each as a letter, as a word on the socket, and as a value.

use crate::signals;

/// What a client can ask a supervisor to do with a process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Control {
    /// Start it, and again whenever it ends.
    Up,
    /// Stop it.
    Down,
    /// Start it, and not again.
    Once,
    /// Stop it, and let the supervisor leave.
    Exit,
    /// Stop it and start it again.
    Restart,
    /// Send a signal.
    Signal(i32),
    /// Make it read its configuration again, in its own way.
    Reload,
}

use Control::{Down, Exit, Once, Reload, Restart, Signal, Up};

/// The letters for it, the command, and its word on the socket; a signal without one is `signal NAME` there. The letters
/// are daemontools' and runit's, see runsv(8), but that these have no single one for a restart, and none for a reload but the
/// signal that most daemons take for one.
const TABLE: [(&str, Control, &str); 16] = [
    ("u", Up, "up"),
    ("d", Down, "down"),
    ("o", Once, "once"),
    ("x", Exit, "exit"),
    ("tcu", Restart, "restart"),
    ("p", Signal(signals::STOP), "pause"),
    ("c", Signal(signals::CONT), "continue"),
    ("t", Signal(signals::TERM), ""),
    ("k", Signal(signals::KILL), ""),
    ("h", Signal(signals::HUP), ""),
    ("a", Signal(signals::ALRM), ""),
    ("i", Signal(signals::INT), ""),
    ("q", Signal(signals::QUIT), ""),
    ("1", Signal(signals::USR1), ""),
    ("2", Signal(signals::USR2), ""),
    ("h", Reload, "reload"),
];

impl Control {
    /// The command of a letter; `None` if it has no meaning.
    #[must_use]
    pub fn from_letter(letter: u8) -> Option<Self> {
        TABLE.iter().find(|row| row.0.as_bytes() == [letter]).map(|row| row.1)
    }

    /// What a word of the socket asks for that stands alone.
    #[must_use]
    pub fn from_word(word: &[u8]) -> Option<Self> {
        TABLE.iter().find(|row| row.2.as_bytes() == word && !word.is_empty()).map(|row| row.1)
    }

    /// The letters that ask for it; none for a signal that has no letter.
    #[must_use]
    pub fn letters(self) -> Option<&'static str> {
        TABLE.iter().find(|row| row.1 == self).map(|row| row.0)
    }

    /// Its letter, if that is a single one and means this alone: also the name of its control script.
    #[must_use]
    pub fn letter(self) -> Option<u8> {
        match self.letters()?.as_bytes() {
            [letter] if self != Reload => Some(*letter),
            _ => None,
        }
    }

    /// The line that asks for it on the socket.
    #[must_use]
    pub fn request(self) -> String {
        match (TABLE.iter().find(|row| row.1 == self), self) {
            (None | Some((_, _, "")), Signal(signal)) => match signals::name(signal) {
                Some(name) => format!("signal {name}"),
                None => format!("signal {signal}"),
            },
            (row, _) => row.map_or("", |row| row.2).to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_asks_for_one_thing_and_no_other_byte_for_anything() {
        let letters: Vec<u8> = (0..=255).filter(|byte| Control::from_letter(*byte).is_some()).collect();
        let mut known = *b"udoxtkpchaiq12";
        known.sort_unstable();
        assert_eq!(letters, known);
        for letter in letters {
            assert_eq!(Control::from_letter(letter).unwrap().letter(), Some(letter));
        }
        assert_eq!((Restart.letter(), Restart.letters()), (None, Some("tcu")));
        assert_eq!((Reload.letter(), Reload.letters()), (None, Some("h")));
        assert_eq!((Signal(28).letter(), Signal(28).letters()), (None, None));
    }

    #[test]
    fn every_request_is_read_as_what_it_asks_for() {
        let read = |line: &str| match line.split_once(' ') {
            Some(("signal", name)) => signals::parse(name.as_bytes()).map(Signal),
            _ => Control::from_word(line.as_bytes()),
        };
        for (_, control, _) in TABLE.into_iter().chain([("", Signal(28), ""), ("", Signal(40), "")]) {
            assert_eq!(read(&control.request()), Some(control));
        }
        assert_eq!(Signal(signals::STOP).request(), "pause");
        assert_eq!(Signal(signals::HUP).request(), "signal HUP");
        assert_eq!(Signal(40).request(), "signal 40");
        for word in ["", "u", "signal", "upp", "UP"] {
            assert_eq!(Control::from_word(word.as_bytes()), None, "{word}");
        }
    }
}
