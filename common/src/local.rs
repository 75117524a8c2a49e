//! Times as they are where this machine is: one after the other, as the lines of a log have them.

use crate::sys::clock::Local;
use crate::text::Text;

/// How many seconds are looked at together: the least that offsets of time zones differ by, so that no day begins within.
pub const QUARTER: i64 = 15 * 60;

/// How time goes on in a quarter of an hour.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Pace {
    /// Not looked at: the time of its first line is all that is needed where each line is of another quarter.
    Unknown,
    /// Second by second, from this time on.
    Even(Local),
    Uneven,
}

/// The last time that was shown: in a log many lines are of the same second, and nearly all of the same quarter of an
/// hour.
#[derive(Debug)]
pub struct Shown {
    zone: fn(i64) -> Option<Local>,
    /// Where the quarter begins.
    quarter: Option<i64>,
    pace: Pace,
    second: Option<i64>,
    /// The date, behind which the rest is written anew.
    text: Vec<u8>,
    date: Option<(i64, u32, u32)>,
    /// How long the date is, and all up to the point; 0 if there is no such time.
    lengths: (usize, usize),
}

impl Shown {
    /// Nothing has been shown yet; `zone` is [`clock::local_time`](crate::clock::local_time) or [`clock::utc`](crate::clock::utc).
    #[must_use]
    pub fn new(zone: fn(i64) -> Option<Local>) -> Self {
        let text = Vec::with_capacity(64);
        Self { zone, quarter: None, pace: Pace::Unknown, second: None, text, date: None, lengths: (0, 0) }
    }

    /// A time since 1970, in seconds and nanoseconds, as `2026-11-22 10:30:01.987654321`; none if there is no such time.
    pub fn time(&mut self, (second, mut nanoseconds): (i64, u32)) -> Option<&[u8]> {
        let length = self.second(second)?.len();
        self.text.truncate(length);
        if nanoseconds >= 1_000_000_000 {
            // As daemontools, all the digits of a number that is no part of a second.
            self.text.push(digit(nanoseconds / 1_000_000_000));
            nanoseconds %= 1_000_000_000;
        }
        let mut digits = [0; 9];
        for place in digits.iter_mut().rev() {
            *place = digit(nanoseconds);
            nanoseconds /= 10;
        }
        self.text.extend_from_slice(&digits);
        Some(&self.text)
    }

    /// A second since 1970, up to its point: `2026-11-22 10:30:01.`; none if there is no such time.
    pub fn second(&mut self, second: i64) -> Option<&[u8]> {
        if self.second != Some(second) {
            self.second = Some(second);
            self.lengths.1 = match self.local(second) {
                Some(time) => self.write(&time),
                None => 0,
            };
        }
        self.text.get(..self.lengths.1).filter(|text| !text.is_empty())
    }

    /// Writes date and time up to the point. Returns how long that is: nothing before the year 0.
    fn write(&mut self, time: &Local) -> usize {
        let Local { year, month, day, hour, minute, second } = *time;
        if self.date != Some((year, month, day)) {
            self.date = None;
            let Ok(number) = u64::try_from(year) else { return 0 };
            let mut date = Text::<32>::new();
            date.number(number).add("-").padded(month + 1, 2).add("-").padded(day, 2).add(" ");
            self.text.clear();
            self.text.extend_from_slice(date.bytes());
            (self.date, self.lengths.0) = (Some((year, month, day)), date.bytes().len());
        }
        let tens = |number: u32| digit(number / 10);
        let (hours, minutes) = ([tens(hour), digit(hour)], [tens(minute), digit(minute)]);
        let clock =
            [hours[0], hours[1], b':', minutes[0], minutes[1], b':', tens(second), digit(second), b'.'];
        self.text.resize(self.lengths.0 + clock.len(), 0);
        if let Some(end) = self.text.last_chunk_mut() {
            *end = clock;
        }
        self.text.len()
    }

    fn local(&mut self, second: i64) -> Option<Local> {
        let begin = second.saturating_sub(second.rem_euclid(QUARTER));
        if self.quarter != Some(begin) {
            (self.quarter, self.pace) = (Some(begin), Pace::Unknown);
            return (self.zone)(second);
        }
        if self.pace == Pace::Unknown {
            // With the same offset at both ends, there has been no change of it in between, and no leap second.
            let ends = (self.zone)(begin).zip((self.zone)(begin.saturating_add(QUARTER - 1)));
            let even = ends.filter(|(first, last)| of_day(last) - of_day(first) == QUARTER - 1);
            self.pace = even.map_or(Pace::Uneven, |(first, _)| Pace::Even(first));
        }
        let Pace::Even(first) = self.pace else { return (self.zone)(second) };
        let since = u32::try_from(of_day(&first) + second - begin).ok()?;
        Some(Local { hour: since / 3600, minute: since / 60 % 60, second: since % 60, ..first })
    }
}

/// The second of the day.
#[must_use]
pub fn of_day(time: &Local) -> i64 {
    i64::from(time.hour * 3600 + time.minute * 60 + time.second)
}

#[allow(clippy::cast_possible_truncation, reason = "it is below 10")]
fn digit(number: u32) -> u8 {
    b'0' + (number % 10) as u8
}
