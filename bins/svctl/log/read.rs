//! The lines of a log from its beginning, from a time, or its last ones, in their order.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::ops::ControlFlow::{Break, Continue};

use common::clock::Local;
use common::exit::reason;
use common::shown;
use common::tai::Label;
use memchr::memchr;
use nix::errno::Errno;

use super::blocks::{BLOCK, Forward, backward, last_end};
use super::directory::{Directory, Part, newest};
use super::filter::{Bounds, Filter, Found, Scanner};
use super::stamp::{Stamps, Time};
use super::unpack::{Unpacked, packer};
use crate::svctl::out::complain;

/// What was wrong with some of the lines: said once, on stderr.
#[derive(Debug, Default)]
pub(super) struct Notes {
    said: RefCell<BTreeSet<String>>,
}

impl Notes {
    /// How much is left out.
    pub(super) fn failed(&self) -> usize {
        self.said.borrow().len()
    }

    /// Something is left out.
    pub(super) fn say(&self, name: &[u8], problem: &str) {
        let line = format!("warning: {}: {problem}\n", shown(name));
        if self.said.borrow_mut().insert(line.clone()) {
            complain(line.as_bytes());
        }
    }

    /// The system refused something.
    pub(super) fn unable(&self, name: &[u8], action: &str, errno: Errno) {
        self.say(name, &format!("unable to {action}: {}", reason(errno)));
    }

    /// The rest of a file is left out: the system refused it, or it is a damaged archive.
    pub(super) fn unread(&self, name: &[u8], error: &io::Error) {
        match error.raw_os_error() {
            Some(errno) => self.unable(name, "read a file of its log", Errno::from_raw(errno)),
            None => self.say(name, "a compressed archive is damaged, so lines of it are left out"),
        }
    }
}

/// The errno of an error of std, which has one for each system call.
pub(super) fn errno(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}

/// What is to be read: to its present end, or to the end of the last line that is whole.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum End {
    Now,
    Whole,
}

/// A place in a log.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Place {
    part: usize,
    at: u64,
}

/// A log, as it was when it was looked at.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) name: Vec<u8>,
    pub(super) directory: Directory,
    parts: Vec<Part>,
    /// Parts in which there are places: a processor may make other files of them.
    held: Vec<(usize, File)>,
    bounds: Bounds,
    from: Place,
    /// How many of the lines from there on are left out.
    skip: u64,
    end: Place,
    zone: Zone,
}

/// How times without a zone are meant.
pub(super) type Zone = fn(i64) -> Option<Local>;

/// What of a log comes behind what was read.
pub(super) struct Rest {
    pub(super) name: Vec<u8>,
    pub(super) directory: Directory,
    /// The last file, and where reading it has ended.
    pub(super) current: Option<(File, u64)>,
    /// The newest archive.
    pub(super) newest: Option<Label>,
    /// How many files there are between the two, which are archives later.
    pub(super) unnamed: usize,
}

/// A part of a log, open.
struct Opened {
    file: File,
    size: u64,
    packer: Option<&'static str>,
}

impl Log {
    /// Looks at a log.
    pub(super) fn look(name: &[u8], directory: Directory, end: End, zone: Zone) -> nix::Result<Self> {
        let parts = directory.look()?;
        let end = match parts.last() {
            Some(Part::Processed(current) | Part::Open(current)) => {
                let size = size(current)?;
                match end {
                    End::Now => size,
                    End::Whole => last_end(current, 0, size).map_err(|error| errno(&error))?,
                }
            }
            _ => u64::MAX,
        };
        Ok(Self {
            name: name.to_owned(),
            directory,
            end: Place { part: parts.len().saturating_sub(1), at: end },
            parts,
            held: Vec::new(),
            bounds: Bounds::default(),
            from: Place::default(),
            skip: 0,
            zone,
        })
    }

    /// What comes behind it, to go on from there.
    pub(super) fn into_rest(mut self) -> Rest {
        let (newest, unnamed) = newest(&self.parts);
        let current = match self.parts.pop() {
            Some(Part::Processed(file) | Part::Open(file)) => Some((file, self.end.at)),
            Some(Part::Archive(_)) | None => None,
        };
        Rest { name: self.name, directory: self.directory, current, newest, unnamed }
    }

    fn stamps(&self) -> Stamps {
        Stamps::new(self.zone).ahead(self.directory.ahead)
    }

    /// Leaves out what is older or newer. Archives are not opened for it: their names are the times of their last lines.
    pub(super) fn cut(&mut self, bounds: Bounds, notes: &Notes) {
        self.bounds = bounds;
        if let Some(since) = bounds.since {
            self.from = self.place_of(since, 0, notes);
        }
        if let Some(until) = bounds.until {
            let end = self.place_of(until, u64::MAX, notes);
            if (end.part, end.at) < (self.end.part, self.end.at) {
                self.end = end;
            }
        }
    }

    /// Where the first line of this time or a later one is. In a file that cannot be searched it is `whole`: the lines
    /// of a compressed one are looked at one by one, and where none has a time there is no other way.
    fn place_of(&mut self, time: Time, whole: u64, notes: &Notes) -> Place {
        let stamps = self.stamps();
        let older = |part: &&Part| part.label().is_some_and(|label| stamps.of_label(label) < time);
        let part = self.parts.iter().take_while(older).count();
        let at = match self.open(part, notes) {
            Some(Opened { file, size, packer: None }) => {
                let found = bisect(&file, size, time, &mut Scanner::new(self.stamps()));
                self.held.push((part, file));
                match found {
                    Ok(Some(at)) => at,
                    Ok(None) if size == 0 => whole,
                    Ok(None) => {
                        notes.say(&self.name, "lines without a time: --since and --until take whole files");
                        whole
                    }
                    Err(error) => {
                        notes.unable(&self.name, "read its log", errno(&error));
                        whole
                    }
                }
            }
            _ => whole,
        };
        Place { part, at }
    }

    /// Opens a part; none where it is not there any more, or not for us.
    fn open(&self, part: usize, notes: &Notes) -> Option<Opened> {
        let again = |file: &File| file.try_clone().map_err(|error| errno(&error));
        let open = || {
            let held = self.held.iter().find(|(held, _)| *held == part);
            let file = match self.parts.get(part) {
                Some(_) if held.is_some() => held.map(|(_, file)| again(file)).transpose()?,
                Some(Part::Archive(archive)) => self.directory.open(archive)?,
                Some(Part::Processed(file) | Part::Open(file)) => Some(again(file)?),
                None => None,
            };
            file.map(|file| Ok((size(&file)?, file))).transpose()
        };
        match open() {
            Ok(Some((size, file))) => Some(Opened { packer: packer(&file), file, size }),
            Ok(None) => None,
            Err(errno) => {
                notes.unable(&self.name, "open a file of its log", errno);
                None
            }
        }
    }

    /// The blocks of a part from here on.
    fn blocks(&self, opened: Opened, from: u64, end: u64, notes: &Notes) -> Option<Forward> {
        let Some(packer) = opened.packer else {
            return Some(Forward::of(opened.file, from, end.min(opened.size)));
        };
        match Unpacked::new(opened.file, packer) {
            Ok(unpacked) => Some(Forward::of_unpacked(unpacked)),
            Err(error) => {
                let action = format!("execute {packer}, so archives are left out");
                notes.unable(&self.name, &action, errno(&error));
                None
            }
        }
    }

    /// A scanner for the lines of a part.
    fn scanner(&self, packer: Option<&'static str>) -> Scanner {
        let mut scanner = Scanner::new(self.stamps());
        scanner.bounds = packer.filter(|_| self.bounds.is_set()).map(|_| self.bounds);
        scanner
    }

    /// The places of a part that are to be read.
    fn range(&self, part: usize) -> (u64, u64) {
        let from = if part == self.from.part { self.from.at } else { 0 };
        let end = if part == self.end.part { self.end.at } else { u64::MAX };
        (from, end)
    }

    /// Leaves out all but the last lines that are wanted. Returns how many there are.
    pub(super) fn cut_to_last(&mut self, count: u64, filter: &Filter, notes: &Notes) -> u64 {
        let mut missing = count;
        let mut start = Place { part: self.end.part, at: self.end.at };
        let mut skip = 0;
        let mut held = None;
        for part in (self.from.part..=self.end.part).rev() {
            if missing == 0 {
                break;
            }
            let Some(opened) = self.open(part, notes) else { continue };
            let (from, end) = self.range(part);
            let mut scanner = self.scanner(opened.packer);
            let mut take = |at: u64, found: u64| {
                start = Place { part, at };
                skip = found.saturating_sub(missing);
                missing -= found.min(missing);
                if missing == 0 { Break(()) } else { Continue(()) }
            };
            let read = if opened.packer.is_none() {
                let end = end.min(opened.size);
                let read = backward(&opened.file, from.min(end), end, |at, block| {
                    take(at, scanner.count(filter, block))
                });
                held = Some((part, opened.file));
                read
            } else if let Some(mut blocks) = self.blocks(opened, from, end, notes) {
                let mut found = 0;
                let read = count_all(&mut blocks, &mut scanner, filter, &mut found);
                let _ = take(0, found); // the loop sees whether that is enough
                read
            } else {
                Ok(())
            };
            if let Err(error) = read {
                notes.unread(&self.name, &error);
            }
        }
        (self.from, self.skip) = (start, skip);
        self.held.extend(held);
        count - missing
    }
}

/// Counts the lines of blocks that are wanted, as far as they can be read.
fn count_all(
    blocks: &mut Forward,
    scanner: &mut Scanner,
    filter: &Filter,
    found: &mut u64,
) -> io::Result<()> {
    while blocks.advance()? {
        *found += scanner.count(filter, blocks.block());
    }
    Ok(())
}

fn size(file: &File) -> nix::Result<u64> {
    file.metadata().map(|found| found.len()).map_err(|error| errno(&error))
}

/// How much of a file is read line by line where a time is searched.
const PIECE: u64 = 16 << 10;

/// Where the first line of this time or a later one begins in a file, whose times rise; none where no line has a time.
fn bisect(file: &File, size: u64, time: Time, scanner: &mut Scanner) -> io::Result<Option<u64>> {
    let (mut low, mut high, mut found) = (0, size, size);
    if stamped(file, 0, size.min(BLOCK as u64), scanner, |_| true)?.is_none() {
        return Ok(None);
    }
    while high - low > PIECE {
        let middle = low + (high - low) / 2;
        match stamped(file, middle, high, scanner, |_| true)? {
            Some((_, earlier, behind)) if earlier < time => low = behind.min(high),
            Some((at, _, _)) => (high, found) = (middle, at),
            None => high = middle,
        }
    }
    let last = stamped(file, low, high, scanner, |found| found >= time)?;
    Ok(Some(last.map_or(found, |(at, _, _)| at)))
}

/// The first line with a time that is right of those that begin in this part of a file, at its beginning or behind a
/// newline: its place, its time, and the place behind it.
fn stamped(
    file: &File,
    from: u64,
    end: u64,
    scanner: &mut Scanner,
    is_right: impl Fn(Time) -> bool,
) -> io::Result<Option<(u64, Time, u64)>> {
    // The line that begins at `from` begins behind the byte before it.
    let mut place = from.saturating_sub(1);
    let mut within = from > 0;
    let mut forward = Forward::of(file.try_clone()?, place, u64::MAX);
    while place < end && forward.advance()? {
        let block = forward.block();
        let begin = match memchr(b'\n', block) {
            Some(newline) if within => newline + 1,
            None if within => block.len(),
            _ => 0,
        };
        within = !block.ends_with(b"\n");
        if let Some((at, time, behind)) = scanner.stamped(block, begin, &is_right) {
            let at = place + at as u64;
            return Ok((at < end).then_some((at, time, place + behind as u64)));
        }
        place += block.len() as u64;
    }
    Ok(None)
}

/// Goes through the wanted lines of a log.
pub(super) struct Cursor<'a> {
    pub(super) log: &'a Log,
    filter: &'a Filter,
    notes: &'a Notes,
    part: usize,
    blocks: Option<(Forward, Scanner)>,
    at: usize,
    skip: u64,
    found: Option<Found>,
    /// The time of the line, or of that before it.
    pub(super) time: Option<Time>,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(log: &'a Log, filter: &'a Filter, notes: &'a Notes) -> Self {
        let (part, skip) = (log.from.part, log.skip);
        Self { log, filter, notes, part, blocks: None, at: 0, skip, found: None, time: None }
    }

    /// Goes to the next line. False at the end.
    pub(super) fn advance(&mut self) -> bool {
        loop {
            if let Some((forward, scanner)) = &mut self.blocks {
                if let Some(found) = scanner.next(self.filter, forward.block(), &mut self.at) {
                    if self.skip > 0 {
                        self.skip -= 1;
                        continue;
                    }
                    self.time = found.time.or(self.time);
                    self.found = Some(found);
                    return true;
                }
                self.at = 0;
                match forward.advance() {
                    Ok(true) => continue,
                    Ok(false) => {}
                    Err(error) => {
                        self.notes.unread(&self.log.name, &error);
                    }
                }
                self.blocks = None;
                self.part += 1;
            }
            if self.part > self.log.end.part {
                return false;
            }
            let (from, end) = self.log.range(self.part);
            let opened = self.log.open(self.part, self.notes);
            let scanner = self.log.scanner(opened.as_ref().and_then(|opened| opened.packer));
            let blocks = opened.and_then(|opened| self.log.blocks(opened, from, end, self.notes));
            match blocks {
                Some(blocks) => self.blocks = Some((blocks, scanner)),
                None => self.part += 1,
            }
        }
    }

    /// The line, and its text.
    pub(super) fn line(&self) -> Option<(&Found, &[u8])> {
        let (found, (forward, _)) = (self.found.as_ref()?, self.blocks.as_ref()?);
        Some((found, &forward.block()[found.text.clone()]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::clock::utc;
    use common::tai::Label;
    use std::io::Write;

    /// The texts that are shown of a log.
    fn texts(log: &Log, notes: &Notes) -> Vec<String> {
        let filter = Filter::new(None, 7);
        let mut cursor = Cursor::new(log, &filter, notes);
        let mut texts = Vec::new();
        while cursor.advance() {
            texts.extend(cursor.line().map(|(_, text)| String::from_utf8_lossy(text).into_owned()));
        }
        texts
    }

    #[test]
    fn a_place_in_a_file_is_one_in_the_same_file_after_a_processor_has_replaced_it() {
        let directory = tempfile::tempdir().unwrap();
        let label = |second: u64| Label::of((second, 0)).digits();
        let line = |second, text| [b"@", &label(second)[..], b" ", text, b"\n"].concat();
        let archive = directory.path().join(format!("@{}.s", String::from_utf8_lossy(&label(9))));
        let open = || Directory::new(File::open(directory.path()).unwrap().into()).unwrap();
        let notes = Notes::default();
        let since = Bounds { since: Some((2, 0)), until: None };
        for choose in [
            |log: &mut Log, _: Bounds, notes: &Notes| {
                assert_eq!(log.cut_to_last(2, &Filter::new(None, 7), notes), 2);
            },
            |log: &mut Log, since: Bounds, notes: &Notes| log.cut(since, notes),
        ] {
            let whole = [line(1, b"first"), line(2, b"second"), line(3, b"third")].concat();
            std::fs::write(&archive, whole).unwrap();
            let mut log = Log::look(b"web", open(), End::Now, utc).unwrap();
            choose(&mut log, since, &notes);
            std::fs::remove_file(&archive).unwrap();
            std::fs::write(&archive, line(1, b"another")).unwrap();
            assert_eq!(texts(&log, &notes), ["second", "third"]);
        }
    }

    #[test]
    fn a_time_is_found_at_each_place_of_a_file() {
        let mut file = tempfile::tempfile().unwrap();
        let mut places = Vec::new();
        let mut place = 0;
        for second in 0..3000u64 {
            let stamp = Label::of((second, 0)).digits();
            let stamp = std::str::from_utf8(&stamp).unwrap();
            let more = "without one\n".repeat(usize::try_from(second % 7).unwrap());
            let long = "x".repeat(usize::try_from(second % 97).unwrap());
            let text = format!("@{stamp} {long}\n{more}");
            file.write_all(text.as_bytes()).unwrap();
            places.push(place);
            place += text.len() as u64;
        }
        places.push(place);
        let mut scanner = Scanner::new(Stamps::new(utc));
        for (second, at) in places.iter().enumerate().step_by(41) {
            let time = (i64::try_from(second).unwrap(), 0);
            assert_eq!(bisect(&file, place, time, &mut scanner).unwrap(), Some(*at), "{second}");
        }
        assert_eq!(bisect(&file, place, (-1, 0), &mut scanner).unwrap(), Some(0));
        assert_eq!(bisect(&file, place, (1500, 1), &mut scanner).unwrap(), Some(places[1501]));
        let mut unstamped = tempfile::tempfile().unwrap();
        unstamped.write_all(b"a\nb\n").unwrap();
        assert_eq!(bisect(&unstamped, 4, (0, 0), &mut scanner).unwrap(), None);
    }
}
