//! What svrun says: to whom it was started by, on stderr.

use common::{Text, socket};
use nix::errno::Errno;

/// Who speaks, and of which service.
#[derive(Clone, Copy, Debug)]
pub(super) struct Voice {
    /// The name that the program was called by.
    pub(super) called: &'static [u8],
    /// The service directory as it was given.
    pub(super) folder: &'static [u8],
    /// What of it: nothing, or `/log`.
    pub(super) part: &'static [u8],
}

impl Voice {
    /// Something is not as it should be, and the service goes on.
    pub(super) fn warning(self, parts: &[&[u8]]) {
        self.say(b"warning", parts, None);
    }

    /// The system refused something, and the service goes on; the parts follow "unable to".
    pub(super) fn unable(self, parts: &[&[u8]], errno: Errno) {
        self.say(b"warning", parts, Some(errno));
    }

    /// The system refused what nothing can go on without.
    pub(super) fn fatal(self, parts: &[&[u8]], errno: Errno) {
        self.say(b"fatal", parts, Some(errno));
    }

    fn say(self, kind: &[u8], parts: &[&[u8]], errno: Option<Errno>) {
        let mut text = Text::<512>::of(self.called);
        text.add(" ").add(self.folder).add(self.part).add(": ").add(kind).add(": ");
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
        say(text.bytes());
    }
}

/// Writes to stderr. Where that fails, or would have to wait, there is nobody to tell.
pub(super) fn say(bytes: &[u8]) {
    let mut stderr = [socket::watch(2, socket::POLLOUT)];
    if socket::poll(&mut stderr, Some(0)).is_ok() && stderr[0].revents == 0 {
        return; // a pipe that is full, or a terminal that is stopped
    }
    let _ = nix::unistd::write(std::io::stderr(), bytes);
}
