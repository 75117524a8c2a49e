//! The times that loggers write in front of lines.

use common::clock::{self, Local};
use common::local::{QUARTER, of_day};
use common::tai::Label;

/// A time since 1970, in seconds and nanoseconds.
pub(super) type Time = (i64, u32);

/// In which zone a date and time is meant.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Zone {
    /// As the machine has it.
    Ours,
    /// So many seconds before UTC.
    East(i64),
}

/// A date and time as it is written, of any zone.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Written {
    /// As if it were UTC.
    time: Time,
    zone: Zone,
    /// How many bytes it has.
    length: usize,
}

/// Reads times. Of one zone, many are of the same quarter of an hour.
#[derive(Debug)]
pub(super) struct Stamps {
    zone: fn(i64) -> Option<Local>,
    /// A quarter of an hour as it is written, and what it is east of UTC.
    known: Option<(i64, i64)>,
    /// How many seconds labels are ahead.
    ahead: i64,
    /// What the last date and time began with, and the last label: most stamps begin as that before them.
    minute: Option<(u128, i64)>,
    label: Option<(u128, Label)>,
}

/// How many seconds the labels of s6-log are ahead of those of daemontools, since 2017: it counts leap seconds.
pub(super) const LEAP: i64 = 27;

impl Stamps {
    /// `zone` is that of times which name none.
    pub(super) fn new(zone: fn(i64) -> Option<Local>) -> Self {
        Self { zone, known: None, ahead: 0, minute: None, label: None }
    }

    /// For labels that are so many seconds ahead.
    pub(super) fn ahead(self, ahead: i64) -> Self {
        Self { ahead, ..self }
    }

    /// The time of a label.
    pub(super) fn of_label(&self, label: Label) -> Time {
        let (seconds, nanoseconds) = label.since_1970();
        (seconds.saturating_sub(self.ahead), nanoseconds)
    }

    /// The time at the beginning of a line, and where its text begins: of one without a time, at once.
    pub(super) fn take(&mut self, line: &[u8]) -> (Option<Time>, usize) {
        match line.first() {
            Some(b'@') => match self.label(line).filter(|_| ends(line, 1 + Label::DIGITS)) {
                Some(label) => (Some(self.of_label(label)), behind(line, 1 + Label::DIGITS, 1)),
                None => (None, 0),
            },
            Some(b'0'..=b'9') => match self.written(line).filter(|written| ends(line, written.length)) {
                // s6-log has two blanks behind a local time.
                Some(written) => (Some(self.meant(written)), behind(line, written.length, 2)),
                None => (None, 0),
            },
            _ => (None, 0),
        }
    }

    /// A date with or without a time of the day, and nothing else.
    pub(super) fn date(&mut self, text: &[u8]) -> Option<Time> {
        if let Some(day) = day(text).filter(|_| text.len() == 10) {
            return Some(self.meant(Written { time: (day * DAY, 0), zone: Zone::Ours, length: 10 }));
        }
        self.written(text).filter(|written| written.length == text.len()).map(|written| self.meant(written))
    }

    /// The time of a day, counted from 1970, that is so many seconds old.
    pub(super) fn of_day(&mut self, day: i64, (second, nanoseconds): Time) -> Time {
        self.meant(Written { time: (day * DAY + second, nanoseconds), zone: Zone::Ours, length: 0 })
    }

    /// The day of a time.
    pub(super) fn day_of(&self, time: i64) -> i64 {
        (self.zone)(time).map_or(time, |local| civil(&local)).div_euclid(DAY)
    }

    /// The label behind the first byte of a line, if that is all of one.
    fn label(&mut self, line: &[u8]) -> Option<Label> {
        let head = u128::from_ne_bytes(*line.first_chunk()?);
        let begun = match self.label {
            Some((known, begun)) if known == head => begun,
            _ => {
                let (begun, digits) = Label::read(&line[1..HEAD]);
                if digits < HEAD - 1 {
                    return None;
                }
                self.label = Some((head, begun));
                begun
            }
        };
        let (rest, digits) = Label::read(&line[HEAD..]);
        (digits == REST).then_some(Label(begun.0 << (4 * REST) | rest.0))
    }

    /// A date and time of the shapes of svlogd, which are in UTC, of s6-log, which is local, and of ISO 8601.
    /// `2026/11/29` is a local date of many programs.
    fn written(&mut self, text: &[u8]) -> Option<Written> {
        let head = u128::from_ne_bytes(*text.first_chunk()?);
        let minute = match self.minute {
            Some((known, minute)) if known == head => minute,
            _ => {
                let minute = day(text)? * DAY + clock(&text[11..HEAD])?.0;
                self.minute = Some((head, minute));
                minute
            }
        };
        let (second, length) = second(&text[HEAD..])?;
        let (nanoseconds, fraction) = fraction(&text[HEAD + length..])?;
        let length = HEAD + length + fraction;
        let (zone, zoned) = zone(&text[length..])?;
        let zone = match (zone, text[10]) {
            (Some(east), b'T' | b' ') => Zone::East(east),
            (None, b'T' | b'_') => Zone::East(0),
            (None, b' ') => Zone::Ours,
            _ => return None,
        };
        Some(Written { time: (minute + second, nanoseconds), zone, length: length + zoned })
    }

    fn meant(&mut self, written: Written) -> Time {
        let (seconds, nanoseconds) = written.time;
        let east = match written.zone {
            Zone::East(east) => east,
            Zone::Ours => self.east(seconds),
        };
        (seconds - east, nanoseconds)
    }

    /// How far east of UTC this zone is where its clocks show `civil`. An hour that comes twice is taken for the one
    /// or the other, and one that is left out for that before it.
    fn east(&mut self, civil: i64) -> i64 {
        let quarter = civil.div_euclid(QUARTER);
        match self.known {
            Some((known, east)) if known == quarter => east,
            _ => {
                let begin = quarter * QUARTER;
                let at = |time: i64| (self.zone)(time).map_or(0, |local| self::civil(&local) - time);
                // What it is at a time that is wrong by as much, and then at a time that is right.
                let east = at(begin - at(begin));
                self.known = Some((quarter, east));
                east
            }
        }
    }
}

const DAY: i64 = 86_400;

/// How much of a stamp is the same in many of them: a date and time as far as its minute, `@` and a label but for its
/// last digits.
const HEAD: usize = 16;
const REST: usize = 1 + Label::DIGITS - HEAD;

/// Whether a blank or the end of the line is there.
fn ends(line: &[u8], at: usize) -> bool {
    line.get(at).is_none_or(|byte| *byte == b' ')
}

/// The place behind at most so many blanks.
fn behind(line: &[u8], at: usize, blanks: usize) -> usize {
    at + line[at..].iter().take(blanks).take_while(|byte| **byte == b' ').count()
}

/// The part of a second that the text begins with, as `.98765`, in nanoseconds, and how many bytes it has: none
/// where there is none. None for a point alone.
fn fraction(text: &[u8]) -> Option<(u32, usize)> {
    let [b'.' | b',', rest @ ..] = text else { return Some((0, 0)) };
    let (mut number, mut count) = (0, 0);
    while let Some(digit @ b'0'..=b'9') = rest.get(count) {
        if count < 9 {
            number = number * 10 + u32::from(digit - b'0');
        }
        count += 1;
    }
    let missing = 9 - count.min(9);
    (count > 0).then(|| (number * POWERS[missing], 1 + count))
}

/// The powers of ten: to divide by each would take longer.
const POWERS: [u32; 10] =
    [1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000];

/// How far east of UTC a zone is that is written here, if one is, and how many bytes it has. None for half of one.
fn zone(text: &[u8]) -> Option<(Option<i64>, usize)> {
    match text {
        [b'Z', ..] => Some((Some(0), 1)),
        [sign @ (b'+' | b'-'), rest @ ..] => {
            let hours = two(rest)?;
            let colon = usize::from(rest.get(2) == Some(&b':'));
            let minutes = two(rest.get(2 + colon..)?)?;
            let seconds = (hours * 60 + minutes) * 60;
            Some((Some(if *sign == b'-' { -seconds } else { seconds }), 5 + colon))
        }
        _ => Some((None, 0)),
    }
}

/// The days since 1970 of the date that the text begins with.
fn day(text: &[u8]) -> Option<i64> {
    let date = text.get(..10)?;
    if !matches!((date[4], date[7]), (b'-', b'-') | (b'/', b'/')) {
        return None;
    }
    let year = two(date)? * 100 + two(&date[2..])?;
    let (month, day) = (two(&date[5..])?, two(&date[8..])?);
    ((1..=12).contains(&month) && (1..=31).contains(&day)).then(|| days(year, month, day))
}

/// The second of the day that the text begins with, as `10:30:01` or `10:30`, and how many bytes it has.
pub(super) fn clock(text: &[u8]) -> Option<(i64, usize)> {
    let (hour, minute) = (two(text)?, two(text.get(3..)?)?);
    let (second, length) = second(&text[5..])?;
    let right = text[2] == b':' && hour < 24 && minute < 60;
    right.then_some(((hour * 60 + minute) * 60 + second, 5 + length))
}

/// The second behind a minute, as `:01` or nothing, and how many bytes it has.
fn second(text: &[u8]) -> Option<(i64, usize)> {
    match text {
        // 60 is a leap second.
        [b':', rest @ ..] => two(rest).filter(|second| *second <= 60).map(|second| (second, 3)),
        _ => Some((0, 0)),
    }
}

/// A number of two digits.
fn two(text: &[u8]) -> Option<i64> {
    match text {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9', ..] => Some(i64::from((tens - b'0') * 10 + ones - b'0')),
        _ => None,
    }
}

/// Days since 1970: the civil calendar, in eras of 400 years that begin on a 1 March.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// A date and time as if it were UTC.
fn civil(local: &Local) -> i64 {
    let day = days(local.year, i64::from(local.month) + 1, i64::from(local.day));
    day * DAY + of_day(local)
}

/// The present time.
pub(super) fn now() -> Time {
    let (seconds, nanoseconds) = clock::wall();
    (i64::try_from(seconds).unwrap_or(i64::MAX), nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two hours east, and one from the Sunday in October 2026 on.
    fn zone(time: i64) -> Option<Local> {
        clock::utc(time + if time < 1_792_890_000 { 7200 } else { 3600 })
    }

    fn take(line: &str) -> (Option<Time>, &str) {
        let (time, text) = Stamps::new(zone).take(line.as_bytes());
        (time, &line[text..])
    }

    #[test]
    fn the_stamps_of_all_loggers_are_times() {
        let time = |nanoseconds| Some((1_795_343_401, nanoseconds));
        for (line, nanoseconds) in [
            ("@400000006b02c4333ade68b1 a text", 987_654_321),
            ("2026-11-22_10:30:01.98765 a text", 987_650_000),
            ("2026-11-22T10:30:01.98765 a text", 987_650_000),
            ("2026-11-22 11:30:01.987654321  a text", 987_654_321),
            ("2026-11-22T10:30:01Z a text", 0),
            ("2026-11-22T10:30:01.5Z a text", 500_000_000),
            ("2026-11-22T12:30:01,5+02:00 a text", 500_000_000),
            ("2026-11-22T05:00:01-0530 a text", 0),
            ("2026/11/22 11:30:01 a text", 0),
        ] {
            assert_eq!(take(line), (time(nanoseconds), "a text"), "{line}");
        }
        assert_eq!(take("2026-07-01 12:00:00  x"), (Some((1_782_900_000, 0)), "x"), "in summer");
        assert_eq!(take("@400000006b02c4333ade68b1"), (time(987_654_321), ""));
        let ahead = Stamps::new(zone).ahead(LEAP).take(b"@400000006b02c44e3ade68b1 a text");
        assert_eq!(ahead, (time(987_654_321), 26), "of s6-log");
        assert_eq!(take("@400000006b02c4333ade68b1   x"), (time(987_654_321), "  x"));
    }

    #[test]
    fn all_else_is_text() {
        for line in [
            "",
            "text",
            "@",
            "@400000006b02c4333ade68b",
            "@400000006b02c4333ade68b1a text",
            "@400000006b02c4333ade68b1x text",
            "2026-11-22",
            "2026-11-22 text",
            "2026-13-22 10:30:01 text",
            "2026-11-22 25:30:01 text",
            "2026-11-22x10:30:01 text",
            "2026-11-22_10:30:01Z text",
            "2026-11-22 10:30:01. text",
            "2026-11-22 10:30:01text",
            "2026-11-22 10:30:01+2 text",
            "2026-11/22 10:30:01 text",
        ] {
            assert_eq!(take(line), (None, line));
        }
    }

    #[test]
    fn a_stamp_is_read_as_it_is_behind_each_other() {
        let lines = [
            "@400000006b02c4333ade68b1 a",
            "@400000006b02c43400000000 a",
            "@400000006b02c5333ade68b1",
            "@400000006b02c4333ade68b a",
            "@400000006b02c4",
            "2026-11-22_10:30:01.98765 a",
            "2026-11-22_10:30:60 a",
            "2026-11-22_10:30:61 a",
            "2026-11-22_10:30:1 a",
            "2026-11-22_10:30:01.0000000012 a",
            "2026-11-22_10:31:01.5 a",
            "2026-11-22 10:30 a",
            "2026-11-22T10:30:01.5+02:00 a",
            "2026-11-22_10:60:01 a",
            "a",
        ];
        for first in lines {
            for second in lines {
                let mut stamps = Stamps::new(zone);
                stamps.take(first.as_bytes());
                let (time, text) = stamps.take(second.as_bytes());
                assert_eq!((time, &second[text..]), take(second), "behind {first}");
            }
        }
        assert_eq!(take("2026-11-22_10:30:01.0000000012 a"), (Some((1_795_343_401, 1)), "a"));
        assert_eq!(take("2026-11-22_10:30:60 a").0, Some((1_795_343_460, 0)));
        assert_eq!(take("2026-11-22_10:30:61 a").0, None);
        assert_eq!(take("2026-11-22T10:30Z a").0, Some((1_795_343_400, 0)));
    }

    #[test]
    fn a_time_of_this_machine_is_found_on_both_sides_of_a_change_of_its_clocks() {
        let mut stamps = Stamps::new(zone);
        for time in (1_792_800_000..1_793_000_000).step_by(450) {
            let local = civil(&zone(time).unwrap());
            let found = stamps.meant(Written { time: (local, 0), zone: Zone::Ours, length: 0 }).0;
            // The hour that comes twice.
            assert!(
                found == time
                    || (found - time).abs() == 3600 && (1_792_886_400..1_792_893_600).contains(&time)
            );
        }
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        for time in [0, -1, 951_782_400, 1_795_343_401, 4_107_542_400, -62_135_596_800] {
            assert_eq!(civil(&clock::utc(time).unwrap()), time);
        }
    }
}
