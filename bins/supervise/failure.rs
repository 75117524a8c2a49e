//! Why a script was not started: reported once, and again when the reason or the file has changed.

use std::ffi::CStr;
use std::os::fd::BorrowedFd;

use common::{Voice, flaw};
use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::stat::fstatat;

use super::service::Stamp;

/// The action of the message that a script could not be started.
pub(super) const START: &str = "start";

/// What was reported last of a script that could not be started. Allocated at the first failure and kept for the next:
/// so memory stays bounded, and most services have none of it.
#[derive(Debug, Default)]
pub(super) struct Failures(Option<Box<Option<Failure>>>);

#[derive(Debug, PartialEq)]
struct Failure {
    what: u8,
    errno: Errno,
    /// The file at that time, if there was one.
    file: Option<Stamp>,
    hint: Option<&'static str>,
}

impl Failures {
    /// Reports why `path` in `directory` could not be started, unless it was reported before. `what` is a number for
    /// what could not be done.
    pub(super) fn report(
        &mut self,
        voice: Voice,
        (what, action): (u8, &str),
        (directory, path): (BorrowedFd, &CStr),
        errno: Errno,
    ) {
        let file = fstatat(directory, path, AtFlags::empty()).map(|stat| Stamp::of(&stat)).ok(); // none, then
        if self.last().is_some_and(|last| (last.what, last.errno, last.file) == (what, errno, file)) {
            return;
        }
        let hint = flaw::of(directory, path, errno);
        voice.unable_hint(&[action.as_bytes(), b" ", path.to_bytes()], errno, hint);
        **self.0.get_or_insert_default() = Some(Failure { what, errno, file, hint });
    }

    fn last(&self) -> Option<&Failure> {
        self.0.as_ref()?.as_ref().as_ref()
    }

    /// It was started: whatever comes next is new.
    pub(super) fn clear(&mut self) {
        if let Some(last) = &mut self.0 {
            **last = None;
        }
    }

    /// What is wrong with the file, if that is known.
    pub(super) fn hint(&self) -> Option<&'static str> {
        self.last()?.hint
    }
}
