//! Which lines are shown.

use std::ops::Range;

use common::level::level;
use memchr::memmem::Finder;
use memchr::{memchr, memchr_iter, memrchr};

use super::stamp::{Stamps, Time};

/// From when on, and until when: the second is not part of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bounds {
    pub(super) since: Option<Time>,
    pub(super) until: Option<Time>,
}

impl Bounds {
    /// Whether there is one.
    pub(super) fn is_set(&self) -> bool {
        self.since.is_some() || self.until.is_some()
    }

    /// Whether a line of this time is wanted. One without a time is as old as can be.
    fn have(&self, time: Option<Time>) -> bool {
        self.since.is_none_or(|since| time >= Some(since))
            && self.until.is_none_or(|until| time < Some(until))
    }
}

/// What a line has to have.
#[derive(Debug)]
pub(super) struct Filter {
    text: Option<Finder<'static>>,
    /// The number of the least important level.
    least: u8,
}

impl Filter {
    pub(super) fn new(text: Option<&[u8]>, least: u8) -> Self {
        Self { text: text.map(|text| Finder::new(text).into_owned()), least }
    }

    /// Whether every line has it.
    fn is_all(&self) -> bool {
        self.text.is_none() && self.least >= 7
    }
}

/// A line of a block.
#[derive(Debug, PartialEq)]
pub(super) struct Found {
    pub(super) time: Option<Time>,
    pub(super) level: u8,
    /// Its text, without the time and the number of the level.
    pub(super) text: Range<usize>,
}

/// Goes through the lines of blocks.
#[derive(Debug)]
pub(super) struct Scanner {
    stamps: Stamps,
    /// Where the file itself was not cut to it.
    pub(super) bounds: Option<Bounds>,
    /// The time of the last line that had one.
    last: Option<Time>,
}

impl Scanner {
    pub(super) fn new(stamps: Stamps) -> Self {
        Self { stamps, bounds: None, last: None }
    }

    /// The next wanted line from `at` on, which is behind it then.
    pub(super) fn next(&mut self, filter: &Filter, block: &[u8], at: &mut usize) -> Option<Found> {
        while *at < block.len() {
            // In most blocks most lines are not looked at, unless each has to be for its time.
            let jump = filter.text.as_ref().filter(|_| self.bounds.is_none());
            let mut seen = None;
            let line = match jump {
                Some(text) => {
                    let hit = text.find(&block[*at..]);
                    let Some(hit) = hit else {
                        *at = block.len();
                        return None;
                    };
                    let begin =
                        memrchr(b'\n', &block[*at..*at + hit]).map_or(*at, |newline| *at + newline + 1);
                    seen = Some(*at + hit);
                    line(block, begin, *at + hit)
                }
                None => line(block, *at, *at),
            };
            *at = line.end + 1;
            let found = self.read(block, line);
            if self.is_wanted(filter, block, &found, seen) {
                return Some(found);
            }
        }
        None
    }

    fn read(&mut self, block: &[u8], line: Range<usize>) -> Found {
        let bytes = &block[line.clone()];
        let (time, text) = self.stamps.take(bytes);
        let (level, text) = level(&bytes[text..]);
        Found { time, level, text: line.end - text.len()..line.end }
    }

    /// Whether a line is wanted; `seen` is where the text of the filter was found, maybe in front of that of the line.
    fn is_wanted(&mut self, filter: &Filter, block: &[u8], found: &Found, seen: Option<usize>) -> bool {
        if let Some(bounds) = self.bounds {
            self.last = found.time.or(self.last);
            if !bounds.have(self.last) {
                return false;
            }
        }
        let has = |text: &Finder| {
            seen.is_some_and(|seen| found.text.contains(&seen))
                || text.find(&block[found.text.clone()]).is_some()
        };
        found.level <= filter.least && filter.text.as_ref().is_none_or(has)
    }

    /// How many lines of a block are wanted.
    pub(super) fn count(&mut self, filter: &Filter, block: &[u8]) -> u64 {
        if filter.is_all() && self.bounds.is_none() {
            let unended = usize::from(block.last().is_some_and(|last| *last != b'\n'));
            return u64::try_from(memchr_iter(b'\n', block).count() + unended).unwrap_or(0);
        }
        let (mut count, mut at) = (0, 0);
        while self.next(filter, block, &mut at).is_some() {
            count += 1;
        }
        count
    }

    /// The first line from `at` on with a time that is right: its place, its time, and the place behind it.
    pub(super) fn stamped(
        &mut self,
        block: &[u8],
        mut at: usize,
        is_right: impl Fn(Time) -> bool,
    ) -> Option<(usize, Time, usize)> {
        while at < block.len() {
            let line = line(block, at, at);
            match self.stamps.take(&block[line.clone()]) {
                (Some(time), _) if is_right(time) => return Some((at, time, block.len().min(line.end + 1))),
                _ => at = line.end + 1,
            }
        }
        None
    }
}

/// The line that begins at `begin`, and does not end before `within`.
fn line(block: &[u8], begin: usize, within: usize) -> Range<usize> {
    begin..memchr(b'\n', &block[within..]).map_or(block.len(), |newline| within + newline)
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::clock::utc;

    const BLOCK: &[u8] = b"@400000006b02c43300000000 one\n\
        error: two of one\n\
        @400000006b02c43400000000 <4>three one\n\
        \n\
        @400000006b02c43500000000 warning: four";

    fn lines(filter: &Filter, bounds: Option<Bounds>) -> Vec<&'static str> {
        let mut scanner = Scanner { bounds, ..Scanner::new(Stamps::new(utc)) };
        let (mut at, mut lines) = (0, Vec::new());
        while let Some(found) = scanner.next(filter, BLOCK, &mut at) {
            lines.push(std::str::from_utf8(&BLOCK[found.text]).unwrap());
        }
        let mut scanner = Scanner { bounds, ..Scanner::new(Stamps::new(utc)) };
        assert_eq!(scanner.count(filter, BLOCK), u64::try_from(lines.len()).unwrap());
        lines
    }

    #[test]
    fn lines_are_those_with_the_text_and_the_level() {
        let all = ["one", "error: two of one", "three one", "", "warning: four"];
        assert_eq!(lines(&Filter::new(None, 7), None), all);
        assert_eq!(lines(&Filter::new(Some(b"one"), 7), None), all[..3]);
        assert_eq!(lines(&Filter::new(Some(b"one"), 4), None), all[1..3]);
        assert_eq!(lines(&Filter::new(None, 4), None), [all[1], all[2], all[4]]);
        assert_eq!(lines(&Filter::new(None, 3), None), [all[1]]);
        for text in ["c433", "<4>", "x"] {
            assert!(
                lines(&Filter::new(Some(text.as_bytes()), 7), None).is_empty(),
                "{text} is no text of a line"
            );
        }
        assert_eq!(lines(&Filter::new(Some(b""), 7), None), all);
    }

    #[test]
    fn a_line_without_a_time_belongs_to_that_before_it() {
        let all = Filter::new(None, 7);
        let second = 1_795_343_401;
        let bounds = |since: Option<i64>, until: Option<i64>| {
            Some(Bounds { since: since.map(|at| (at, 0)), until: until.map(|at| (at, 0)) })
        };
        assert_eq!(lines(&all, bounds(Some(second), None)).len(), 5);
        assert_eq!(lines(&all, bounds(Some(second + 1), None)), ["three one", "", "warning: four"]);
        assert_eq!(
            lines(&all, bounds(None, Some(second + 2))),
            ["one", "error: two of one", "three one", ""]
        );
        assert_eq!(lines(&all, bounds(Some(second), Some(second + 1))), ["one", "error: two of one"]);
        let one = Filter::new(Some(b"one"), 7);
        assert_eq!(lines(&one, bounds(Some(second + 1), None)), ["three one"]);
    }
}
