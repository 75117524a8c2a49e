//! The file `status`, in bytes.

use super::{State, Want};
use crate::clock::TAI64;

/// What the bytes say. daemontools' supervise writes the first 18, runit's runsv all 20:
///
/// | bytes | what | how |
/// |---|---|---|
/// | 0-7 | since when it is so, seconds | TAI64, big endian |
/// | 8-11 | nanoseconds | big endian |
/// | 12-15 | the pid, 0 for none | little endian |
/// | 16 | whether it is paused | 0, else 1 |
/// | 17 | what is wanted | `u`, `d`; 0 after daemontools' `o` |
/// | 18 | whether the stop signal was sent | 0, else 1 |
/// | 19 | what runs | 0 down, 1 run, 2 finish |
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Status {
    /// Seconds since 1970, and nanoseconds.
    pub since: (u64, u32),
    /// 0: none.
    pub pid: u32,
    /// It was stopped by a signal of ours, and not continued.
    pub paused: bool,
    /// None where neither up nor down is. The exit looks as down.
    pub want: Option<Want>,
    /// The stop signal was sent.
    pub term: bool,
    /// What runs.
    pub state: State,
}

impl Status {
    /// How many bytes there are.
    pub const SIZE: usize = 20;
    /// How many of them daemontools has.
    pub const DAEMONTOOLS: usize = 18;

    /// The time as the first twelve bytes have it: a TAI64N label.
    #[must_use]
    pub fn label((seconds, nanoseconds): (u64, u32)) -> [u8; 12] {
        let mut label = [0; 12];
        label[..8].copy_from_slice(&seconds.saturating_add(TAI64).to_be_bytes());
        label[8..].copy_from_slice(&nanoseconds.to_be_bytes());
        label
    }

    /// The bytes, in runit's layout.
    #[must_use]
    pub fn pack(&self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        bytes[..12].copy_from_slice(&Self::label(self.since));
        bytes[12..16].copy_from_slice(&self.pid.to_le_bytes());
        bytes[16] = u8::from(self.paused);
        bytes[17] = match self.want {
            Some(Want::Up) => b'u',
            Some(Want::Down | Want::Exit) => b'd',
            None => 0,
        };
        bytes[18] = u8::from(self.term);
        bytes[19] = self.state.byte();
        bytes
    }

    /// Reads 20 bytes, or 18; `None` for another number of bytes, which is that of another supervisor. A label
    /// that is no time is the nearest one.
    #[must_use]
    pub fn unpack(bytes: &[u8]) -> Option<Self> {
        if ![Self::SIZE, Self::DAEMONTOOLS].contains(&bytes.len()) {
            return None;
        }
        let seconds = u64::from_be_bytes(*bytes.first_chunk()?);
        let nanoseconds = u32::from_be_bytes(*bytes.get(8..)?.first_chunk()?);
        let pid = u32::from_le_bytes(*bytes.get(12..)?.first_chunk()?);
        let state = match bytes.get(19) {
            Some(byte) => State::KNOWN.get(usize::from(*byte)).copied().unwrap_or(State::Unknown),
            None if pid == 0 => State::Down,
            None => State::Run,
        };
        Some(Self {
            since: (seconds.saturating_sub(TAI64), nanoseconds.min(999_999_999)),
            pid,
            paused: bytes[16] != 0,
            want: match bytes[17] {
                b'u' => Some(Want::Up),
                b'd' => Some(Want::Down),
                _ => None,
            },
            term: bytes.get(18).is_some_and(|byte| *byte != 0),
            state,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What runsv wrote for a service that had run for a while.
    const RUNIT: [u8; 20] =
        [0x40, 0, 0, 0, 0x6b, 0x02, 0x81, 0x55, 0x0a, 0xdc, 0x53, 0xac, 0x0e, 0x32, 0, 0, 0, b'u', 0, 1];

    #[test]
    fn what_runsv_wrote_is_understood_and_written_alike() {
        let status = Status::unpack(&RUNIT).unwrap();
        let expected = Status {
            since: (1_795_326_283, 182_211_500),
            pid: 12814,
            paused: false,
            want: Some(Want::Up),
            term: false,
            state: State::Run,
        };
        assert_eq!((status, status.pack()), (expected, RUNIT));
        // As supervise would have written it.
        assert_eq!(Status::unpack(&RUNIT[..18]), Some(expected));
    }

    #[test]
    fn what_is_packed_is_unpacked() {
        for state in State::KNOWN {
            for want in [Some(Want::Up), Some(Want::Down), None] {
                for (paused, term) in [(false, true), (true, false)] {
                    let status = Status { since: (7, 999_999_999), pid: u32::MAX, paused, want, term, state };
                    assert_eq!(Status::unpack(&status.pack()), Some(status));
                }
            }
        }
        let exit = Status { want: Some(Want::Exit), ..Status::unpack(&RUNIT).unwrap() };
        assert_eq!(exit.pack()[17], b'd');
    }

    #[test]
    fn bytes_that_no_supervisor_of_the_family_writes_are_no_state() {
        for size in [0, 12, 16, 17, 19, 35, 40, 43] {
            assert_eq!(Status::unpack(&vec![0; size]), None, "{size}");
        }
        let mut bytes = [0xff; 20];
        assert_eq!(Status::unpack(&bytes).unwrap().state, State::Unknown);
        assert_eq!(Status::unpack(&bytes).unwrap().since.1, 999_999_999);
        bytes[..12].fill(0);
        assert_eq!(Status::unpack(&bytes).unwrap().since, (0, 0));
    }
}
