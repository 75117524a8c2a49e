//! How a line is shown: for people, or as an object.

use common::local::Shown;
use common::text::quote;
use common::{Exit, Text, level, shown};

use super::read::Zone;
use super::stamp::Time;
use crate::svctl::colour::{CYAN, FAINT, RED, YELLOW};
use crate::svctl::out::print;

/// How much is written at once.
const WRITTEN: usize = 64 << 10;

/// What a line looks like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Form {
    /// As it is.
    Plain,
    /// On a terminal, which is to obey none of its bytes.
    Escaped,
    /// The same, in the colours of the levels.
    Coloured,
    /// An object.
    Json,
}

/// Shows lines.
pub(super) struct Show {
    form: Form,
    local: Shown,
    utc: Shown,
    /// How wide the longest name of a service is; nothing where there is one service.
    names: Option<usize>,
    text: Vec<u8>,
}

impl Show {
    pub(super) fn new(form: Form, zone: Zone, names: Option<usize>) -> Self {
        let text = Vec::with_capacity(WRITTEN + 4096);
        Self { form, local: Shown::new(zone), utc: Shown::new(common::clock::utc), names, text }
    }

    /// Shows a line, now or with those behind it.
    pub(super) fn line(
        &mut self,
        name: &[u8],
        time: Option<Time>,
        level: u8,
        text: &[u8],
    ) -> Result<(), Exit> {
        if self.form == Form::Json {
            self.object(name, time, level, text);
        } else {
            self.for_people(name, time, level, text);
        }
        if self.text.len() < WRITTEN { Ok(()) } else { self.flush() }
    }

    /// Writes all that has been shown.
    pub(super) fn flush(&mut self) -> Result<(), Exit> {
        print(&self.text)?;
        self.text.clear();
        Ok(())
    }

    fn for_people(&mut self, name: &[u8], time: Option<Time>, level: u8, text: &[u8]) {
        if let Some(width) = self.names {
            let name = shown(name).to_string();
            let blanks = " ".repeat((width + 2).saturating_sub(name.chars().count()));
            self.coloured(CYAN, |line| line.extend(name.as_bytes()));
            self.text.extend(blanks.as_bytes());
        }
        if let Some(time) = time {
            self.time(time);
        }
        let colour = match level {
            0..=3 => RED,
            4 => YELLOW,
            7 => FAINT,
            _ => "",
        };
        match self.form {
            Form::Plain | Form::Json => self.text.extend_from_slice(text),
            Form::Escaped | Form::Coloured => self.coloured(colour, |line| escape(text, line)),
        }
        self.text.push(b'\n');
    }

    /// To the millisecond; nothing where there is no such time.
    fn time(&mut self, time: Time) {
        let (second, nanoseconds) = within(time);
        if let Some(shown) = self.local.second(second) {
            self.text.extend_from_slice(shown);
            let mut milliseconds = Text::<4>::new();
            milliseconds.padded(nanoseconds / 1_000_000, 3).add(" ");
            self.text.extend_from_slice(milliseconds.bytes());
        }
    }

    fn coloured(&mut self, colour: &str, write: impl FnOnce(&mut Vec<u8>)) {
        if self.form != Form::Coloured || colour.is_empty() {
            return write(&mut self.text);
        }
        for part in ["\x1b[", colour, "m"] {
            self.text.extend(part.as_bytes());
        }
        write(&mut self.text);
        self.text.extend(b"\x1b[m");
    }

    fn object(&mut self, name: &[u8], time: Option<Time>, level: u8, text: &[u8]) {
        self.text.extend(b"{\"service\":\"");
        quote(name, |part| self.text.extend_from_slice(part));
        self.text.extend(b"\",\"time\":");
        match time.and_then(|time| self.utc.time(within(time))) {
            Some(time) => {
                self.text.push(b'"');
                self.text.extend(time.iter().map(|byte| if *byte == b' ' { b'T' } else { *byte }));
                self.text.extend(b"Z\"");
            }
            None => self.text.extend(b"null"),
        }
        self.text.extend(b",\"level\":\"");
        self.text.extend(level::name(level).as_bytes());
        self.text.extend(b"\",\"text\":\"");
        quote(text, |part| self.text.extend_from_slice(part));
        self.text.extend(b"\"}\n");
    }
}

/// The time within its second: a label may write more than that has.
fn within((second, nanoseconds): Time) -> Time {
    (second, nanoseconds.min(999_999_999))
}

/// Writes a text of which a terminal obeys nothing but tabs.
fn escape(text: &[u8], to: &mut Vec<u8>) {
    for (place, part) in text.split(|byte| *byte == b'\t').enumerate() {
        if place > 0 {
            to.push(b'\t');
        }
        if part.iter().all(|byte| matches!(byte, b' '..=b'~')) {
            to.extend(part);
        } else {
            to.extend(shown(part).to_string().as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::clock::utc;

    fn line(form: Form, names: Option<usize>, time: Option<Time>, level: u8, text: &[u8]) -> String {
        let mut show = Show::new(form, utc, names);
        show.line(b"web", time, level, text).unwrap();
        String::from_utf8_lossy(&show.text).into_owned()
    }

    #[test]
    fn a_line_has_its_time_and_its_text() {
        let time = Some((1_795_343_401, 987_654_321));
        assert_eq!(line(Form::Plain, None, time, 6, b"a"), "2026-11-22 10:30:01.987 a\n");
        assert_eq!(line(Form::Plain, Some(5), time, 3, b"a"), "web    2026-11-22 10:30:01.987 a\n");
        assert_eq!(line(Form::Plain, None, None, 3, b"a\x1b[1m\tb"), "a\x1b[1m\tb\n");
        assert_eq!(
            line(Form::Escaped, None, None, 3, "a\x1b[1m\té\u{9b}".as_bytes()),
            "a\\x1b[1m\té\\xc2\\x9b\n"
        );
        assert_eq!(line(Form::Coloured, None, None, 3, b"\xff"), "\x1b[31m\\xff\x1b[m\n");
        assert_eq!(line(Form::Coloured, Some(3), None, 6, b"a"), "\x1b[36mweb\x1b[m  a\n");
    }

    #[test]
    fn an_object_has_all_of_it() {
        assert_eq!(
            line(Form::Json, Some(9), Some((1_795_343_401, 5)), 4, b"warning: \"a\"\x1b\xff"),
            "{\"service\":\"web\",\"time\":\"2026-11-22T10:30:01.000000005Z\",\"level\":\"warning\",\
             \"text\":\"warning: \\\"a\\\"\\u001b\u{fffd}\"}\n"
        );
        assert!(line(Form::Json, None, Some((0, u32::MAX)), 6, b"").contains("00:00:00.999999999Z"));
        assert_eq!(
            line(Form::Json, None, None, 6, b""),
            "{\"service\":\"web\",\"time\":null,\"level\":\"info\",\"text\":\"\"}\n"
        );
    }
}
