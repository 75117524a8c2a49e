//! The I/O priority, `ioprio_set(2)`: whose requests a disk serves first.

use nix::errno::Errno;

use crate::caps;
use crate::exit::Exit;
use crate::quantity::number;
use crate::sys::process;

/// A class of priorities.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Class {
    /// That of a process which has not asked for any.
    None,
    /// Before all others.
    Realtime,
    /// What the priority of most is among.
    BestEffort,
    /// When nobody else wants the disk.
    Idle,
}

impl Class {
    /// Each at the place that is its number.
    const ALL: [(&str, Self); 4] = [
        ("none", Self::None),
        ("realtime", Self::Realtime),
        ("best-effort", Self::BestEffort),
        ("idle", Self::Idle),
    ];

    /// By its number or its name, whose letters may be large; `None` if there is no such class.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let place = number(text)
            .or_else(|| Self::ALL.iter().position(|(name, _)| name.as_bytes().eq_ignore_ascii_case(text)))?;
        Self::ALL.get(place).map(|(_, class)| *class)
    }

    fn name(self) -> &'static str {
        Self::ALL[self as usize].0
    }
}

/// A priority within a class, from 0, the first, to 7; `None` for anything else. A larger number is none of them: from
/// Linux 6.5 on its bits are hints to the disk.
#[must_use]
pub fn level(text: &[u8]) -> Option<u8> {
    number(text).filter(|level| *level <= LAST)
}

const LAST: u8 = 7;

/// Sets class and level. `hint` says what to do where the right to it is missing.
pub fn set(class: Class, level: u8, hint: &'static str) -> Result<(), Exit> {
    let level = match class {
        Class::None => 0,
        Class::Idle => LAST,
        Class::Realtime | Class::BestEffort => level,
    };
    process::set_io_priority(class as u8, level).map_err(|errno| {
        let error = Exit::system(format_args!("set priority {} {level}", class.name()), errno);
        if errno == Errno::EPERM { error.hint(caps::hint("CAP_SYS_NICE", hint)) } else { error }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_has_a_number_and_a_name() {
        for (text, class) in [
            ("0", Class::None),
            ("01", Class::Realtime),
            ("2", Class::BestEffort),
            ("3", Class::Idle),
            ("none", Class::None),
            ("RealTime", Class::Realtime),
            ("best-effort", Class::BestEffort),
            ("IDLE", Class::Idle),
        ] {
            assert_eq!(Class::parse(text.as_bytes()), Some(class), "{text}");
        }
        for bad in
            ["", "4", "9", "-1", "+2", "2x", "rt", "idl", "idle ", "best effort", "18446744073709551616"]
        {
            assert_eq!(Class::parse(bad.as_bytes()), None, "{bad}");
        }
        for (place, (name, class)) in Class::ALL.iter().enumerate() {
            assert_eq!((*class as usize, class.name()), (place, *name));
        }
    }

    #[test]
    fn a_level_is_a_number_from_0_to_7() {
        assert_eq!(level(b"0"), Some(0));
        assert_eq!(level(b"07"), Some(7));
        for bad in ["", "8", "-1", "+1", "7x", "263"] {
            assert_eq!(level(bad.as_bytes()), None, "{bad}");
        }
    }
}
