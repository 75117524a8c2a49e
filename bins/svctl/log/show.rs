//! How a line is shown: for people, or as an object.

use common::local::Shown;
use common::text::quote;
use common::{Exit, level, shown};

use super::piece::Piece;
use super::read::Zone;
use super::stamp::Time;
use crate::svctl::colour::{CYAN, FAINT, RED, YELLOW};
use crate::svctl::out::print;

/// How much is written at once.
const WRITTEN: usize = 64 << 10;

/// The milliseconds of a time, and the blank behind it.
static MILLISECONDS: [[u8; 4]; 1000] = {
    let mut texts = [*b"000 "; 1000];
    let mut number = 1;
    while number < texts.len() {
        texts[number] = texts[number - 1];
        let mut place = 2;
        while texts[number][place] == b'9' {
            texts[number][place] = b'0';
            place -= 1;
        }
        texts[number][place] += 1;
        number += 1;
    }
    texts
};

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
    text: Piece,
}

impl Show {
    pub(super) fn new(form: Form, zone: Zone, names: Option<usize>) -> Self {
        let text = Piece::new(WRITTEN + 4096);
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
        if self.text.bytes().len() < WRITTEN { Ok(()) } else { self.flush() }
    }

    /// Writes all that has been shown.
    pub(super) fn flush(&mut self) -> Result<(), Exit> {
        print(self.text.bytes())?;
        self.text.clear();
        Ok(())
    }

    fn for_people(&mut self, name: &[u8], time: Option<Time>, level: u8, text: &[u8]) {
        if let Some(width) = self.names {
            let name = shown(name).to_string();
            let blanks = " ".repeat((width + 2).saturating_sub(name.chars().count()));
            self.coloured(CYAN, |line| line.add(name.as_bytes()));
            self.text.add(blanks.as_bytes());
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
            Form::Plain | Form::Json => self.text.add(text),
            Form::Escaped | Form::Coloured => self.coloured(colour, |line| escape(text, line)),
        }
        self.text.add(b"\n");
    }

    /// To the millisecond; nothing where there is no such time.
    fn time(&mut self, time: Time) {
        let (second, nanoseconds) = within(time);
        if let Some(shown) = self.local.second(second) {
            self.text.add(shown);
            self.text.add(&MILLISECONDS[(nanoseconds / 1_000_000) as usize]);
        }
    }

    fn coloured(&mut self, colour: &str, write: impl FnOnce(&mut Piece)) {
        if self.form != Form::Coloured || colour.is_empty() {
            return write(&mut self.text);
        }
        for part in ["\x1b[", colour, "m"] {
            self.text.add(part.as_bytes());
        }
        write(&mut self.text);
        self.text.add(b"\x1b[m");
    }

    fn object(&mut self, name: &[u8], time: Option<Time>, level: u8, text: &[u8]) {
        self.text.add(b"{\"service\":\"");
        quote(name, |part| self.text.add(part));
        self.text.add(b"\",\"time\":");
        match time.and_then(|time| self.utc.time(within(time))) {
            Some(time) => {
                self.text.add(b"\"");
                let (date, clock) = time.split_at(time.iter().position(|byte| *byte == b' ').unwrap_or(0));
                for part in [date, b"T", &clock[1..]] {
                    self.text.add(part);
                }
                self.text.add(b"Z\"");
            }
            None => self.text.add(b"null"),
        }
        self.text.add(b",\"level\":\"");
        self.text.add(level::name(level).as_bytes());
        self.text.add(b"\",\"text\":\"");
        quote(text, |part| self.text.add(part));
        self.text.add(b"\"}\n");
    }
}

/// The time within its second: a label may write more than that has.
fn within((second, nanoseconds): Time) -> Time {
    (second, nanoseconds.min(999_999_999))
}

/// Writes a text of which a terminal obeys nothing but tabs.
fn escape(text: &[u8], to: &mut Piece) {
    for (place, part) in text.split(|byte| *byte == b'\t').enumerate() {
        if place > 0 {
            to.add(b"\t");
        }
        if part.iter().all(|byte| matches!(byte, b' '..=b'~')) {
            to.add(part);
        } else {
            to.add(shown(part).to_string().as_bytes());
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
        String::from_utf8_lossy(show.text.bytes()).into_owned()
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
