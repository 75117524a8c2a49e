//! What a fork or the work of a parent changes, and the program is to have as it was received.

use common::{Exit, OrFail, signals};
use nix::sys::prctl::{get_child_subreaper, set_child_subreaper};
use nix::unistd::{Pid, getpid};

/// The state as it was received.
pub(super) struct Received {
    /// The blocked signals, as a mask.
    pub(super) blocked: u64,
    /// Whether SIGCHLD was ignored.
    child_ignored: bool,
    /// The parent-death signal, 0 for none.
    death: i32,
    /// Whether orphans below this process become its children.
    subreaper: bool,
    /// The pid of the parent that is to be.
    parent: Pid,
}

impl Received {
    /// Reads it, and prepares the parent: all signals are blocked, and a child's end can be waited for.
    pub(super) fn take() -> Result<Self, Exit> {
        Ok(Self {
            blocked: signals::exchange_mask(u64::MAX).or_fail("block signals")?,
            // Where it is ignored, the kernel throws a child's status away.
            child_ignored: signals::set_ignored(signals::CHLD, false).or_fail("stop ignoring SIGCHLD")?,
            death: signals::parent_death_signal().or_fail("read the parent-death signal")?,
            subreaper: get_child_subreaper().or_fail("ask whether this is a subreaper")?,
            parent: getpid(),
        })
    }

    /// Gives it to the child.
    pub(super) fn give(&self) -> Result<(), Exit> {
        if self.child_ignored {
            signals::set_ignored(signals::CHLD, true).or_fail("ignore SIGCHLD")?;
        }
        if self.subreaper {
            set_child_subreaper(true).or_fail("become a subreaper")?;
        }
        if self.death != 0 {
            signals::arm_parent_death(self.death, self.parent, "keep")?;
        }
        // The last step: a signal that arrives finds all of it done.
        signals::exchange_mask(self.blocked).or_fail("unblock signals")?;
        Ok(())
    }
}
