//! From the input to the text of the log: the lines that are selected, each with its head.

use common::tai::Label;
use common::text::{Text, first_line};

use super::config::{Config, Dialect};
use super::pattern::matches;

/// The form of the time stamp.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Stamp {
    None,
    /// `@`, and TAI64N in hexadecimal digits.
    Tai,
    /// UTC, with this between date and time.
    Utc(&'static str),
}

impl Stamp {
    /// The stamp of a time: seconds since 1970, and nanoseconds; 26 bytes, or none.
    pub(super) fn text(self, time: (u64, u32)) -> Text<32> {
        let (seconds, nanoseconds) = time;
        let mut text = Text::new();
        match self {
            Self::None => return text,
            Self::Tai => {
                text.add("@").add(Label::of(time).digits());
            }
            Self::Utc(between) => {
                text.date_time(seconds, between).add(".").padded(nanoseconds / 10_000, 5);
            }
        }
        text.add(" ");
        text
    }
}

/// How far the log has come in a line.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Place {
    /// The last line has not ended yet.
    pub(super) within: bool,
    /// It is one of those that are written.
    pub(super) selected: bool,
    /// How much of it there is, if it is longer than a batch.
    pub(super) length: u64,
}

/// How many bytes of a line with its stamp patterns of multilog see.
pub(super) const STAMPED: usize = 1000;

/// A maker of lines of the log.
#[derive(Debug)]
pub(super) struct Maker<'a> {
    pub(super) config: &'a Config,
    pub(super) stamp: &'a [u8],
    /// How many bytes of a line patterns see.
    pub(super) length: usize,
}

impl Maker<'_> {
    /// Adds to `out` the text that `input` becomes, until there is no room for `room` bytes more, or `enough`
    /// holds for the length and the place reached. Returns how much of the input that was, and where the log is
    /// then. At least one line is taken.
    pub(super) fn make(
        &self,
        mut place: Place,
        input: &[u8],
        room: usize,
        enough: impl Fn(usize, Place) -> bool,
        out: &mut Vec<u8>,
    ) -> (usize, Place) {
        let all = out.len() + room;
        let mut used = 0;
        while used < input.len() {
            let rest = &input[used..];
            let line = first_line(rest);
            let ends = line.last() == Some(&b'\n');
            let heads: [&[u8]; 2] =
                if place.within { [b"", b""] } else { [self.stamp, self.config.prefix()] };
            if !place.within {
                place.selected = !self.config.udp_only && self.selects(line);
            }
            if place.selected {
                if used > 0 && out.len() + heads[0].len() + heads[1].len() + line.len() > all {
                    break;
                }
                out.extend_from_slice(heads[0]);
                out.extend_from_slice(heads[1]);
                out.extend_from_slice(line);
            }
            place.within = !ends;
            place.length = if ends { 0 } else { place.length + line.len() as u64 };
            used += line.len();
            if place.selected && enough(out.len(), place) {
                break;
            }
        }
        (used, place)
    }

    /// The part of a line that patterns see.
    pub(super) fn seen<'a>(&self, line: &'a [u8]) -> &'a [u8] {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        &line[..line.len().min(self.length)]
    }

    /// Whether a line goes to the log.
    pub(super) fn selects(&self, line: &[u8]) -> bool {
        self.last_match(line, [b'+', b'-']) != Some(b'-')
    }

    /// Whether a line goes to stderr.
    fn shouts(&self, line: &[u8]) -> bool {
        self.last_match(line, [b'e', b'E']) == Some(b'e')
    }

    fn last_match(&self, line: &[u8], kinds: [u8; 2]) -> Option<u8> {
        let dialect = self.config.dialect;
        let mut rules = self.config.rules().filter(|(kind, _)| kinds.contains(kind)).peekable();
        rules.peek()?;
        let mut stamped = Text::<STAMPED>::new();
        let seen = match dialect {
            Dialect::Svlogd => self.seen(line),
            Dialect::Multilog => stamped.add(self.stamp).add(self.seen(line)).bytes(),
        };
        rules.find(|(_, pattern)| matches(dialect, pattern, seen)).map(|(kind, _)| kind)
    }

    /// Whether lines go elsewhere than to the log.
    pub(super) fn alerts(&self) -> bool {
        self.config.udp.is_some() || self.config.rules().any(|(kind, _)| kind == b'e')
    }

    /// Passes the lines that go there to `stderr` and `udp`, cut to the part that patterns see; `text` is room
    /// to make them in.
    pub(super) fn alert(
        &self,
        mut within: bool,
        input: &[u8],
        text: &mut Vec<u8>,
        mut stderr: impl FnMut(&[u8]),
        mut udp: impl FnMut(&[u8]),
    ) {
        let mut used = 0;
        while used < input.len() {
            let rest = &input[used..];
            let line = first_line(rest);
            let (loud, sent) = (self.shouts(line), self.config.udp.is_some() && self.selects(line));
            if !within && (loud || sent) {
                let seen = self.seen(line);
                let cut: &[u8] = if seen.len() == self.length { b"..." } else { b"" };
                text.clear();
                for part in [self.stamp, self.config.prefix(), seen, cut, b"\n"] {
                    text.extend_from_slice(part);
                }
                if loud {
                    stderr(text);
                }
                if sent {
                    udp(text);
                }
            }
            within = !line.ends_with(b"\n");
            used += line.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        let mut config = Config::default();
        let fill = |to: &mut Vec<u8>| {
            to.extend_from_slice(text.as_bytes());
            Ok::<_, ()>(())
        };
        config.read(fill, |line, _| panic!("{}", line.escape_ascii())).unwrap();
        config
    }

    #[test]
    fn a_stamp_is_a_time_in_26_bytes() {
        let at = (1_795_343_401, 987_654_321);
        let text = |stamp: Stamp| String::from_utf8(stamp.text(at).bytes().to_owned()).unwrap();
        assert_eq!(text(Stamp::None), "");
        assert_eq!(text(Stamp::Tai), "@400000006b02c4333ade68b1 ");
        assert_eq!(text(Stamp::Utc("_")), "2026-11-22_10:30:01.98765 ");
        assert_eq!(text(Stamp::Utc("T")), "2026-11-22T10:30:01.98765 ");
    }

    #[test]
    fn selected_lines_get_their_head() {
        let config = config("pP: \n-*\n+a*");
        let maker = Maker { config: &config, stamp: b"S ", length: 1000 };
        let mut out = Vec::new();
        let done = maker.make(Place::default(), b"a1\nb2\na3\nx\n", 100, |_, _| false, &mut out);
        assert_eq!(out, b"S P: a1\nS P: a3\n");
        assert_eq!(done, (11, Place { within: false, selected: false, length: 0 }));
    }

    #[test]
    fn a_line_in_pieces_is_one_line() {
        let config = config("pP\n-b*");
        let maker = Maker { config: &config, stamp: b"", length: 1000 };
        let mut out = Vec::new();
        let never = |_, _| false;
        let (_, place) = maker.make(Place::default(), b"abc", 100, never, &mut out);
        assert_eq!(place, Place { within: true, selected: true, length: 3 });
        let (_, place) = maker.make(place, b"bde\nbf", 100, never, &mut out);
        assert_eq!(place, Place { within: true, selected: false, length: 2 });
        let (used, place) = maker.make(place, b"abc\nabc\n", 100, never, &mut out);
        assert_eq!((used, place), (8, Place { within: false, selected: true, length: 0 }));
        assert_eq!(out, b"Pabcbde\nPabc\n");
    }

    #[test]
    fn a_batch_ends_where_there_is_no_room_or_a_rotation_is_due() {
        let config = config("");
        let maker = Maker { config: &config, stamp: b"", length: 1000 };
        let make = |room, enough: usize| {
            let mut out = Vec::new();
            let end = maker.make(Place::default(), b"aa\nbb\ncc\n", room, |len, _| len >= enough, &mut out).0;
            assert_eq!(out.len(), end);
            end
        };
        assert_eq!(make(100, 100), 9);
        assert_eq!(make(8, 100), 6);
        assert_eq!(make(1, 100), 3, "one line is always taken");
        assert_eq!(make(100, 4), 6);
        assert_eq!(make(100, 1), 3);
    }

    #[test]
    fn lines_that_go_elsewhere_are_cut() {
        let config = config("pP\n-*x\neab*\nu127.0.0.1");
        let maker = Maker { config: &config, stamp: b"", length: 4 };
        assert!(maker.alerts());
        let (mut stderr, mut udp) = (Vec::new(), Vec::new());
        maker.alert(
            true,
            b"abcdef\nab\nabcdef\ny\nabx",
            &mut Vec::new(),
            |t| stderr.push(t.to_owned()),
            |t| udp.push(t.to_owned()),
        );
        assert_eq!(stderr, [&b"Pab\n"[..], b"Pabcd...\n", b"Pabx\n"]);
        assert_eq!(udp, [&b"Pab\n"[..], b"Pabcd...\n", b"Py\n"]);
    }
}
