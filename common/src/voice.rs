//! What a program that lives on says on stderr, to whom it was started by.

use nix::errno::Errno;

use crate::{Text, socket};

/// Who speaks, and of what.
#[derive(Clone, Copy, Debug)]
pub struct Voice {
    /// The name that the program was called by.
    pub called: &'static [u8],
    /// The folder that it is about as it was given, if it is about one.
    pub folder: &'static [u8],
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

    /// Something that was asked for with `-v`.
    pub fn info(self, parts: &[&[u8]]) {
        self.say(b"info", parts, None, None);
    }

    fn say(self, kind: &[u8], parts: &[&[u8]], errno: Option<Errno>, hint: Option<&str>) {
        let mut text = Text::<512>::new();
        self.name(&mut text);
        text.add(": ").add(kind).add(": ");
        if errno.is_some() {
            text.add("unable to ");
        }
        for part in parts {
            text.add(part);
        }
        if let Some(errno) = errno {
            text.add(": ").errno(errno);
        }
        text.add("\n");
        if let Some(hint) = hint {
            self.name(&mut text);
            text.add(": hint: ").add(hint).add("\n");
        }
        say(text.bytes());
    }

    fn name<const N: usize>(self, text: &mut Text<N>) {
        text.add(self.called);
        if !self.folder.is_empty() {
            text.add(" ").add(self.folder).add(self.part);
        }
    }
}

/// Writes to stderr. Where that fails, or would have to wait, there is nobody to tell.
pub fn say(bytes: &[u8]) {
    let mut stderr = [socket::watch(2, socket::POLLOUT)];
    if socket::poll(&mut stderr, Some(0)).is_ok() && stderr[0].revents == 0 {
        return; // a pipe that is full, or a terminal that is stopped
    }
    let _ = nix::unistd::write(std::io::stderr(), bytes);
}
