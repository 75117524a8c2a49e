//! The records of utmp and wtmp, byte for byte as glibc has them, which is what login, who and last read and write:
//! musl's own functions for them do nothing.
//!
//! ```text
//! offset  bytes  field
//!      0      2  ut_type
//!      4      4  ut_pid
//!      8     32  ut_line
//!     40      4  ut_id
//!     44     32  ut_user
//!     76    256  ut_host
//!    332      4  ut_exit
//!    336         ut_session and ut_tv, of 4 bytes each number, or of 8: see Layout
//! ```

/// The longest name of a line. One as long as that has no NUL behind it.
pub(super) const LINE: usize = 32;

const KIND: usize = 0;
const LINE_AT: usize = 8;
const USER_AT: usize = 44;
const USER: usize = 32;
const HOST_AT: usize = 76;
const HOST: usize = 256;

/// `INIT_PROCESS`, and with it `LOGIN_PROCESS` and `USER_PROCESS`, up to `DEAD_PROCESS`.
const PROCESSES: std::ops::RangeInclusive<u16> = 5..=DEAD;
const DEAD: u16 = 8;

/// Where the time of a record is, by the architecture.
pub(super) struct Layout {
    /// Of a record.
    pub(super) size: usize,
    time: usize,
    /// Of each of the two numbers of a time: seconds and microseconds.
    bytes: usize,
}

/// Records of 384 bytes: those of 32-bit systems, and of 64-bit ones whose glibc shares them with those.
const NARROW: Layout = Layout { size: 384, time: 340, bytes: 4 };

/// Records of 400 bytes, with 64-bit times.
const WIDE: Layout = Layout { size: 400, time: 344, bytes: 8 };

/// This machine's. glibc has the narrow ones where `__WORDSIZE_TIME64_COMPAT32` is set in its bits/wordsize.h.
pub(super) const OURS: Layout =
    if cfg!(any(target_arch = "aarch64", target_arch = "s390x", target_arch = "loongarch64")) {
        WIDE
    } else {
        NARROW
    };

/// Whether a record is that of a process on this line, and not free: runit takes one without a user for free.
pub(super) fn is_of(record: &[u8], line: &[u8]) -> bool {
    let kind = u16::from_ne_bytes([record[KIND], record[KIND + 1]]);
    let name = &record[LINE_AT..LINE_AT + LINE];
    let name = name.split(|b| *b == 0).next().unwrap_or_default();
    PROCESSES.contains(&kind) && record[USER_AT] != 0 && name == line
}

impl Layout {
    /// Makes a record that of a free line, since `now`: seconds since 1970, and nanoseconds.
    pub(super) fn set_free(&self, record: &mut [u8], (seconds, nanoseconds): (u64, u32)) {
        record[KIND..KIND + 2].copy_from_slice(&DEAD.to_ne_bytes());
        record[USER_AT..USER_AT + USER].fill(0);
        record[HOST_AT..HOST_AT + HOST].fill(0);
        for (i, number) in [seconds, u64::from(nanoseconds / 1000)].into_iter().enumerate() {
            let at = self.time + i * self.bytes;
            let place = &mut record[at..at + self.bytes];
            match self.bytes {
                8 => place.copy_from_slice(&number.to_ne_bytes()),
                // Seconds as an unsigned number are good until 2106.
                _ => place.copy_from_slice(&u32::try_from(number).unwrap_or(u32::MAX).to_ne_bytes()),
            }
        }
    }
}

/// The record that a line is free since `now`.
pub(super) fn free(line: &[u8], now: (u64, u32), layout: &Layout) -> Vec<u8> {
    let mut record = vec![0; layout.size];
    record[LINE_AT..LINE_AT + line.len()].copy_from_slice(line);
    layout.set_free(&mut record, now);
    record
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: (u64, u32) = (1_795_343_401, 987_654_321);

    /// A record with no byte that is 0 but those that say so.
    fn taken(layout: &Layout, kind: u16, line: &[u8]) -> Vec<u8> {
        let mut record = vec![b'x'; layout.size];
        record[..2].copy_from_slice(&kind.to_ne_bytes());
        record[8..40].fill(0);
        record[8..8 + line.len()].copy_from_slice(line);
        record
    }

    #[test]
    fn a_free_record_has_neither_user_nor_host_and_the_rest_stays() {
        let mut record = taken(&NARROW, 7, b"tty5");
        NARROW.set_free(&mut record, NOW);
        let mut expected = taken(&NARROW, 8, b"tty5");
        expected[44..332].fill(0);
        expected[340..344].copy_from_slice(&1_795_343_401u32.to_ne_bytes());
        expected[344..348].copy_from_slice(&987_654u32.to_ne_bytes());
        assert!(record == expected);
    }

    #[test]
    fn with_64_bit_times_they_have_8_bytes_each() {
        let mut record = taken(&WIDE, 7, b"tty5");
        WIDE.set_free(&mut record, NOW);
        let mut expected = taken(&WIDE, 8, b"tty5");
        expected[44..332].fill(0);
        expected[344..352].copy_from_slice(&1_795_343_401u64.to_ne_bytes());
        expected[352..360].copy_from_slice(&987_654u64.to_ne_bytes());
        assert!(record == expected);
    }

    #[test]
    fn a_record_is_of_a_line_if_a_process_has_it() {
        for layout in [&NARROW, &WIDE] {
            for kind in 0..=9 {
                assert_eq!(is_of(&taken(layout, kind, b"tty5"), b"tty5"), (5..=8).contains(&kind));
            }
            for other in [&b"tty"[..], b"tty50", b"tty6", b"TTY5", b""] {
                assert!(!is_of(&taken(layout, 7, b"tty5"), other));
            }
            let long = [b'l'; LINE];
            assert!(is_of(&taken(layout, 7, &long), &long));
            let mut free = taken(layout, 7, b"tty5");
            free[USER_AT] = 0;
            assert!(!is_of(&free, b"tty5"));
        }
    }

    #[test]
    fn the_record_of_a_free_line_is_whole() {
        let record = free(b"tty5", NOW, &NARROW);
        assert_eq!(record.len(), 384);
        assert_eq!((&record[8..13], &record[..2]), (&b"tty5\0"[..], &DEAD.to_ne_bytes()[..]));
    }
}
