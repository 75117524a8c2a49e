//! Why a service cannot be supervised, as a value until somebody reports it.

use common::Voice;
use nix::errno::Errno;

use super::lock::NotOurs;
use common::supervise::Part;

/// What could not be done for a part of a service, and the errno; without an errno, what is wrong.
#[derive(Debug)]
pub(crate) struct Refusal {
    part: Part,
    what: &'static str,
    errno: Option<Errno>,
}

impl Refusal {
    /// The system refused it.
    pub(crate) fn unable(part: Part, what: &'static str, errno: Errno) -> Self {
        Self { part, what, errno: Some(errno) }
    }

    /// The state directory is not ours.
    pub(super) fn state(part: Part, not_ours: &NotOurs) -> Self {
        match *not_ours {
            // In the words of runsv.
            NotOurs::Locked => Self::unable(part, "lock supervise/lock", Errno::EAGAIN),
            NotOurs::Unusable(what, errno) => Self::unable(part, what, errno),
        }
    }

    /// It cannot be determined from the record whether a process is alive.
    pub(super) fn recorded(part: Part, errno: Errno) -> Self {
        let what = match errno {
            Errno::EXDEV => "the recorded process may be running in another pid namespace; starting nothing",
            Errno::EPERM => {
                "the recorded process is running, but others may write the record; starting nothing"
            }
            errno => {
                return Self::unable(part, "determine whether the recorded process is still running", errno);
            }
        };
        Self { part, what, errno: None }
    }

    /// What it is about, to know it again.
    pub(crate) fn cause(&self) -> (&'static str, Option<Errno>) {
        (self.what, self.errno)
    }

    /// Reports it as the end of the program.
    pub(crate) fn fatal(&self, voice: Voice) {
        Voice { part: self.part.suffix(), ..voice }.fatal(&[self.what.as_bytes()], self.errno);
    }

    /// Reports it as something that the service goes on without.
    pub(crate) fn warning(&self, voice: Voice) {
        let voice = Voice { part: self.part.suffix(), ..voice };
        match self.errno {
            Some(errno) => voice.unable(&[self.what.as_bytes()], errno),
            None => voice.warning(&[self.what.as_bytes()]),
        }
    }
}
