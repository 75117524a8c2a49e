//! The settings of a log directory: those of its file `config`, or those that multilog's script gives it.

use std::ffi::CStr;
use std::mem;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::ops::Range;

use common::quantity::{AGE, BYTES, COUNT};

/// Whose rules count where those of runit's svlogd and of daemontools' multilog differ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Dialect {
    /// A file `config` has the settings; patterns see the line, and know `+`.
    Svlogd,
    /// The command line has them; patterns see the line with its time stamp.
    Multilog,
}

/// The settings of a log directory: the defaults, but for those that a line of `config` names.
#[derive(Clone, Debug)]
pub struct Config {
    /// The text of `config`, each line with a NUL at its end: nothing is allocated to read it again.
    text: Vec<u8>,
    /// Whose rules count.
    pub dialect: Dialect,
    /// `sSIZE[K|M|G]`: the size in bytes at which `current` is rotated; 0: never.
    pub size: u64,
    /// `nNUM`: how many archives are kept; 0: all.
    pub keep: u64,
    /// `NMIN`: how many of them are kept although the disk is full.
    pub least: u64,
    /// `tAGE[s|m|h|d]`: the age in milliseconds at which `current` is rotated; 0: any.
    pub age: u64,
    /// `uADDRESS[:PORT]`: where each line is sent in addition.
    pub udp: Option<SocketAddrV4>,
    /// `U` in place of `u`: only there.
    pub udp_only: bool,
    /// `oPOLICY`: what happens when nothing can be written.
    pub on_full: OnFull,
    processor: Range<usize>,
    prefix: Range<usize>,
    rules: Vec<Rule>,
}

/// A line of `config` that selects lines of the log.
#[derive(Clone, Debug)]
struct Rule {
    /// `+`: to the log; `-`: not; `e`: to stderr; `E`: not.
    kind: u8,
    pattern: Range<usize>,
}

/// What happens when nothing can be written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum OnFull {
    /// Lines wait, and so does the service.
    Block,
    /// The oldest archive is removed, then the next, until there is room.
    RemoveOldest,
    /// New lines are dropped, and counted.
    DropNew,
}

/// The letters that a line of `config` with a setting begins with; all other lines mean nothing.
pub const LETTERS: &[u8] = b"snNt!uUp+-eEo";

impl Default for Config {
    fn default() -> Self {
        Self::of(Vec::new(), Vec::new())
    }
}

impl Config {
    fn of(text: Vec<u8>, rules: Vec<Rule>) -> Self {
        Self {
            text,
            dialect: Dialect::Svlogd,
            size: 1_000_000,
            keep: 10,
            least: 10,
            age: 0,
            udp: None,
            udp_only: false,
            on_full: OnFull::Block,
            processor: 0..0,
            prefix: 0..0,
            rules,
        }
    }

    /// The defaults of multilog. The disk may be as full as it is: no archive goes for that.
    #[must_use]
    pub fn of_multilog() -> Self {
        Self { dialect: Dialect::Multilog, size: 99_999, keep: 9, least: u64::MAX, ..Self::default() }
    }

    /// One more line, `!COMMAND`, `+PATTERN` or `-PATTERN`, which may have newlines.
    pub fn add(&mut self, line: &[u8]) {
        let start = self.text.len();
        self.text.extend_from_slice(line);
        self.text.push(0);
        // None of these has a value that can be wrong.
        let _ = self.set(start..start + line.len());
    }

    /// Reads it again with `fill`, which appends the text of a `config`; `complain` gets each line that is
    /// invalid, for which the default is used, and what was expected. Lines that begin with another letter are
    /// ignored, as svlogd ignores ours.
    ///
    /// # Errors
    /// That of `fill`: then the defaults are used.
    pub fn read<E>(
        &mut self,
        fill: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
        mut complain: impl FnMut(&[u8], &'static str),
    ) -> Result<(), E> {
        let (mut text, mut rules) = (mem::take(&mut self.text), mem::take(&mut self.rules));
        text.clear();
        rules.clear();
        let filled = fill(&mut text);
        text.push(b'\n');
        text.iter_mut().filter(|byte| **byte == b'\n').for_each(|byte| *byte = 0);
        *self = Self::of(text, rules);
        filled?;
        let mut start = 0;
        while let Some(length) = self.text[start..].iter().position(|byte| *byte == 0) {
            if length > 0 {
                if let Err(expected) = self.set(start..start + length) {
                    complain(&self.text[start..start + length], expected);
                }
            }
            start += length + 1;
        }
        Ok(())
    }

    /// Applies a line. The error is what was expected.
    fn set(&mut self, line: Range<usize>) -> Result<(), &'static str> {
        let (letter, rest) = (self.text[line.start], line.start + 1..line.end);
        let value = &self.text[rest.clone()];
        match letter {
            b's' => self.size = BYTES.parse(value).ok_or(BYTES.expected)?,
            b'n' => self.keep = COUNT.parse(value).ok_or(COUNT.expected)?,
            b'N' => self.least = COUNT.parse(value).ok_or(COUNT.expected)?,
            b't' => self.age = AGE.parse(value).ok_or(AGE.expected)?,
            b'!' => self.processor = rest,
            b'u' | b'U' => {
                self.udp = Some(address(value).ok_or("an IPv4 address, and a port: 192.0.2.1:514")?);
                self.udp_only |= letter == b'U';
            }
            b'p' => self.prefix = rest,
            b'+' | b'-' | b'e' | b'E' => self.rules.push(Rule { kind: letter, pattern: rest }),
            b'o' => {
                self.on_full = match value.trim_ascii() {
                    b"block" => OnFull::Block,
                    b"oldest" => OnFull::RemoveOldest,
                    b"new" => OnFull::DropNew,
                    _ => return Err("block, oldest or new"),
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// How many archives stay although the disk is full; `None`: all.
    #[must_use]
    pub fn kept_on_full(&self) -> Option<u64> {
        match self.on_full {
            OnFull::RemoveOldest => Some(0),
            _ => Some(self.least).filter(|least| *least < self.keep),
        }
    }

    /// Leaves out `!COMMAND`.
    pub fn without_processor(&mut self) {
        self.processor = 0..0;
    }

    /// `!COMMAND`: the processor, which each archive is given to.
    #[must_use]
    pub fn processor(&self) -> Option<&CStr> {
        let command = CStr::from_bytes_until_nul(self.text.get(self.processor.start..)?).ok()?;
        (!self.processor.is_empty()).then_some(command)
    }

    /// `pPREFIX`: the beginning of each line.
    #[must_use]
    pub fn prefix(&self) -> &[u8] {
        &self.text[self.prefix.clone()]
    }

    /// `+PATTERN`, `-PATTERN`, `ePATTERN`, `EPATTERN`: the letters and the patterns, the last one first.
    pub fn rules(&self) -> impl Iterator<Item = (u8, &[u8])> {
        self.rules.iter().rev().map(|rule| (rule.kind, &self.text[rule.pattern.clone()]))
    }
}

/// Anything after it is ignored, as by svlogd.
fn address(text: &[u8]) -> Option<SocketAddrV4> {
    let end = text.iter().position(|byte| !byte.is_ascii_digit() && !b".:".contains(byte));
    let mut parts = text[..end.unwrap_or(text.len())].split(|byte| *byte == b':');
    let mut bytes = parts.next()?.split(|byte| *byte == b'.');
    let mut next = || common::quantity::number::<u8>(bytes.next()?);
    let address = Ipv4Addr::new(next()?, next()?, next()?, next()?);
    if bytes.next().is_some() {
        return None;
    }
    let port = parts.next().map_or(Some(514), common::quantity::number::<u16>)?;
    (port != 0).then(|| SocketAddrV4::new(address, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (Config, Vec<String>) {
        let (mut config, mut bad) = (Config::default(), Vec::new());
        let fill = |to: &mut Vec<u8>| {
            to.extend_from_slice(text.as_bytes());
            Ok::<_, ()>(())
        };
        config.read(fill, |line, _| bad.push(String::from_utf8(line.to_owned()).unwrap())).unwrap();
        (config, bad)
    }

    #[test]
    fn each_letter_sets_what_it_stands_for() {
        let text = "# a comment\n\ns10k\nn3\nN2\nt2m\n!gzip -9\nu1.2.3.4:99\npfoo: \n-*\n+a b*\nex\nEy\no oldest\nzzz";
        let (config, bad) = parsed(text);
        assert_eq!(bad, [""; 0]);
        assert_eq!((config.size, config.keep, config.least, config.age), (10_240, 3, 2, 120_000));
        assert_eq!(
            (config.processor(), config.prefix(), config.on_full),
            (Some(c"gzip -9"), &b"foo: "[..], OnFull::RemoveOldest)
        );
        assert_eq!(
            (config.udp, config.udp_only),
            (Some(SocketAddrV4::new(Ipv4Addr::new(1, 2, 3, 4), 99)), false)
        );
        let rules: Vec<(u8, &[u8])> = config.rules().collect();
        assert_eq!(rules, [(b'E', &b"y"[..]), (b'e', b"x"), (b'+', b"a b*"), (b'-', b"*")]);
    }

    #[test]
    fn a_line_with_another_letter_sets_nothing() {
        for letter in 1..=u8::MAX {
            let line = [letter, b'x', b'\n'];
            let (mut config, mut bad) = (Config::default(), 0);
            let fill = |to: &mut Vec<u8>| {
                to.extend_from_slice(&line);
                Ok::<_, ()>(())
            };
            config.read(fill, |_, _| bad += 1).unwrap();
            let set = bad > 0
                || config.processor().is_some()
                || !config.prefix().is_empty()
                || config.rules().count() > 0;
            assert_eq!(set, LETTERS.contains(&letter), "{letter}");
        }
    }

    #[test]
    fn the_last_of_a_kind_wins_and_what_is_bad_leaves_the_default() {
        let (config, bad) =
            parsed("s1m\ns5\ns7 bytes\nnx\nn5x\nN\nt1w\nU1.2.3\nU1.2.3.4.5\nU1.2.3.4:0\nofoo\nonew\n!\n");
        assert_eq!((config.size, config.keep, config.least, config.age), (5, 10, 10, 0));
        assert_eq!((config.udp, config.on_full, config.processor()), (None, OnFull::DropNew, None));
        let expected = ["s7 bytes", "nx", "n5x", "N", "t1w", "U1.2.3", "U1.2.3.4.5", "U1.2.3.4:0", "ofoo"];
        assert_eq!(bad, expected);
        let (config, bad) = parsed("s99999999999999999999\ns18446744073709551615m\nU127.0.0.1");
        assert_eq!((config.size, bad.len(), config.udp_only), (1_000_000, 2, true));
        assert_eq!(config.udp.map(|address| address.port()), Some(514));
        assert_eq!(parsed("").0.prefix(), b"");
    }

    #[test]
    fn a_full_disk_takes_archives_where_the_policy_or_the_least_number_says_so() {
        for (text, kept) in
            [("", None), ("n5\nN2", Some(2)), ("n2\nN2", None), ("n0\nN2", None), ("ooldest", Some(0))]
        {
            assert_eq!(parsed(text).0.kept_on_full(), kept, "{text}");
        }
    }

    #[test]
    fn a_size_and_an_age_have_units() {
        let sized = |text| parsed(text).0.size;
        assert_eq!(
            (sized("s10K"), sized("s10M"), sized("s1G"), sized("s1g")),
            (10_240, 10 << 20, 1 << 30, 1 << 30)
        );
        let aged = |text| parsed(text).0.age;
        assert_eq!((aged("t90"), aged("t2h"), aged("t1d")), (90_000, 7_200_000, 86_400_000));
    }

    #[test]
    fn what_is_read_again_begins_with_the_defaults() {
        let (mut config, _) = parsed("s5\npfoo\n-*");
        assert_eq!(config.read(|_| Err(7), |_, _| {}), Err(7));
        assert_eq!((config.size, config.prefix(), config.rules().count()), (1_000_000, &b""[..], 0));
    }
}
