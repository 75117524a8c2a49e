//! Messages of long-lived programs, on stderr.

use nix::errno::Errno;

use crate::exit::Exit;
use crate::sys::poll;
use crate::text::Text;

/// The speaker, and the subject.
#[derive(Clone, Copy, Debug)]
pub struct Voice {
    /// The name that the program was called by.
    pub called: &'static [u8],
    /// The directory that the message is about, as it was given, if it is about one.
    pub directory: &'static [u8],
    /// What of it: nothing, or what follows its name.
    pub part: &'static [u8],
}

impl Voice {
    /// Something is not as it should be, and the program goes on.
    pub fn warning(self, parts: &[&[u8]]) {
        self.say(b"warning", parts, None, None);
    }

    /// The system refused something, and the program goes on; the parts follow "unable to".
    pub fn unable(self, parts: &[&[u8]], errno: Errno) {
        self.say(b"warning", parts, Some(errno), None);
    }

    /// As [`Voice::unable`], with what follows from it behind the reason.
    pub fn unable_so(self, parts: &[&[u8]], errno: Errno, consequence: &[u8]) {
        say(self.about(self.called, text(b"warning", parts, Some((errno, consequence))).bytes()).bytes());
    }

    /// As [`Voice::unable`], with a second line that says what is wrong, if that is known.
    pub fn unable_hint(self, parts: &[&[u8]], errno: Errno, hint: Option<&str>) {
        self.say(b"warning", parts, Some(errno), hint);
    }

    /// A file holds a value that cannot be read, for which the default is used: the one message for it.
    pub fn invalid(self, file: &[u8], value: &[u8], expected: &str) {
        let mut shown = Text::<80>::new();
        shown.quoted(value);
        self.warning(&[
            file,
            b": invalid value \"",
            shown.bytes(),
            b"\": expected ",
            expected.as_bytes(),
            b"; using the default",
        ]);
    }

    /// The system refused what nothing can go on without; or, without an errno, why else it is the end.
    pub fn fatal(self, parts: &[&[u8]], errno: impl Into<Option<Errno>>) {
        self.say(b"fatal", parts, errno.into(), None);
    }

    /// What a link would say as it gives up; this program goes on.
    pub fn refused(self, error: &Exit) {
        self.say(b"fatal", &[error.text().as_bytes()], None, error.second_line());
    }

    /// Something that was asked for with `-v`.
    pub fn info(self, parts: &[&[u8]]) {
        self.say(b"info", parts, None, None);
    }

    /// A line that was meant for another place, newline included: that of a log, which has its own beginning.
    pub fn line(self, line: &[u8]) {
        let mut text = Text::<TEXT>::of(": ");
        say(self.about(b"", text.add(line).bytes()).bytes());
    }

    fn say(self, kind: &[u8], parts: &[&[u8]], errno: Option<Errno>, hint: Option<&str>) {
        let mut text = text(kind, parts, errno.map(|errno| (errno, &b""[..])));
        say(self.about(self.called, text.bytes()).bytes());
        if let Some(hint) = hint {
            text.clear();
            text.add(": hint: ").add(hint);
            say(self.about(self.called, text.end_line().bytes()).bytes());
        }
    }

    /// The name and the directory, then `text` as it is. If there is no room for all, the beginning of the
    /// directory is cut: its end says more.
    fn about(self, called: &[u8], text: &[u8]) -> Text<LINE> {
        let mut line = Text::of(&called[..called.len().min(NAME)]);
        if self.directory.is_empty() {
            line.add(text);
            return line;
        }
        line.add(if called.is_empty() { "" } else { " " });
        let room = LINE.saturating_sub(line.bytes().len() + self.part.len() + text.len());
        let cut = self.directory.len().saturating_sub(room);
        if cut > 0 {
            line.add("...").add(self.directory.get(cut + 3..).unwrap_or(b""));
        } else {
            line.add(self.directory);
        }
        line.add(self.part).add(text);
        line
    }
}

/// What a message says, behind the name: for an errno "unable to", the action, the reason, and what follows from
/// it, if that is not empty.
fn text(kind: &[u8], parts: &[&[u8]], refused: Option<(Errno, &[u8])>) -> Text<TEXT> {
    let mut text = Text::of(": ");
    text.add(kind).add(": ");
    if refused.is_some() {
        text.add("unable to ");
    }
    for part in parts {
        text.add(part);
    }
    if let Some((errno, consequence)) = refused {
        text.add(": ").errno(errno);
        if !consequence.is_empty() {
            text.add("; ").add(consequence);
        }
    }
    text.end_line();
    text
}

/// How long a message is at most; what of it is the text; and what the name.
const LINE: usize = 512;
const TEXT: usize = 384;
const NAME: usize = 32;

/// Writes to stderr. Where that fails, or would have to wait, nobody is listening.
pub fn say(bytes: &[u8]) {
    let mut stderr = [poll::watch(2, poll::POLLOUT)];
    if poll::poll(&mut stderr, Some(0)).is_ok() && stderr[0].revents == 0 {
        return; // a pipe that is full, or a terminal that is stopped
    }
    let _ = nix::unistd::write(std::io::stderr(), bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_the_action_the_reason_and_the_consequence() {
        let text = |refused| text(b"warning", &[b"write to ", b"current"], refused).bytes().to_vec();
        let text = |refused| String::from_utf8(text(refused)).unwrap();
        assert_eq!(text(None), ": warning: write to current\n");
        let unable = ": warning: unable to write to current: No space left on device";
        assert_eq!(text(Some((Errno::ENOSPC, b""))), format!("{unable}\n"));
        assert_eq!(
            text(Some((Errno::ENOSPC, b"dropping new lines"))),
            format!("{unable}; dropping new lines\n")
        );
    }

    #[test]
    fn of_a_long_directory_the_end_is_shown_and_the_text_stays_whole() {
        let directory: &'static [u8] =
            Box::leak(format!("{}/the-end", "d/".repeat(400)).into_boxed_str()).as_bytes();
        let voice = Voice { called: b"svrun", directory, part: b"/log" };
        let line = voice.about(voice.called, b": warning: text\n");
        assert_eq!(line.bytes().len(), LINE);
        assert!(line.bytes().starts_with(b"svrun .../") || line.bytes().starts_with(b"svrun ...d/"));
        assert!(line.bytes().ends_with(b"/the-end/log: warning: text\n"));
        let short = Voice { directory: b"web", ..voice }.about(b"svrun", b": text\n");
        assert_eq!(short.bytes(), b"svrun web/log: text\n");
    }
}
