//! What is reported of the scan directory.

use std::ffi::CString;

use common::{Text, Voice};
use nix::errno::Errno;

/// What is reported once, and again when it was over in between.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Notice {
    /// The scan directory cannot be read.
    Lost(Errno),
    /// It can be read again.
    Found,
    /// Another directory has its path.
    Replaced,
    /// It cannot be watched.
    Unwatched(Errno),
    /// It lies where changes may not be reported.
    Remote,
    /// A directory is hosted by another name already.
    Twin {
        /// The name that is ignored.
        name: CString,
        /// That by which it is hosted.
        of: CString,
    },
    /// A service directory cannot be opened.
    Unreadable {
        /// Its name.
        name: CString,
        /// Why.
        errno: Errno,
    },
}

impl Notice {
    /// Reports it; the directory of the voice is the scan directory.
    pub(crate) fn report(&self, voice: Voice) {
        let shown = |name: &CString| {
            let mut text = Text::<256>::new();
            text.printable(name.to_bytes());
            text
        };
        match self {
            Self::Lost(errno) => {
                voice.unable_so(
                    &[b"read the scan directory"],
                    *errno,
                    b"its services go on; looking again every 5 s",
                );
            }
            Self::Found => voice.warning(&[b"the scan directory is back"]),
            Self::Replaced => voice.warning(&[b"the scan directory was replaced; looking at the new one"]),
            Self::Unwatched(errno) => {
                voice.unable_so(&[b"watch the scan directory"], *errno, b"looking every 5 s");
            }
            Self::Remote => voice.warning(&[
                b"the scan directory lies on a network or layered file system: looking every 5 s, too",
            ]),
            Self::Twin { name, of } => voice.warning(&[
                shown(name).bytes(),
                b": ignored: the same directory is hosted as ",
                shown(of).bytes(),
            ]),
            Self::Unreadable { name, errno } => {
                voice.unable_so(&[b"open ", shown(name).bytes()], *errno, b"trying again");
            }
        }
    }
}
