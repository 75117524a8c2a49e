//! What is reported once, and again when it was over in between.

/// What is reported once, until it is over.
#[derive(Clone, Copy, Debug)]
pub(super) enum Notice {
    /// What was due could not be started.
    NotStarted,
    /// The record cannot be written.
    NoRecord,
    /// The state directory is gone.
    StateGone,
    /// The cgroup of what run leaves behind cannot be killed.
    NoGroup,
}

/// What was reported already, each a bit.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Notices(u8);

impl Notices {
    /// Whether this was not reported yet; now it is.
    pub(super) fn is_new(&mut self, what: Notice) -> bool {
        let bit = 1 << what as u8;
        let new = self.0 & bit == 0;
        self.0 |= bit;
        new
    }

    /// It is over, and news the next time.
    pub(super) fn forget(&mut self, what: Notice) {
        self.0 &= !(1 << what as u8);
    }
}
