//! The requests of signals.
//!
//! The rule of the loop: bytes that are in the pipe when a signal is seen were there before it, and their whole
//! lines are written before the request is carried out; later ones are written after it, or with the last of
//! those lines. Of signals that are seen together SIGHUP comes first, then SIGALRM, then the end: none takes
//! another one back. Where nothing can be written all are carried out at once, since they may be what helps.

/// Each request, with the number of bytes of the input that are to be written before it.
#[derive(Debug, Default)]
pub(super) struct Requests {
    /// To look at config and files again.
    pub(super) reload: Option<usize>,
    /// To rotate each `current`.
    pub(super) rotate: Option<usize>,
    /// To leave.
    pub(super) leave: Option<usize>,
}

impl Requests {
    /// `count` bytes of the input were written.
    pub(super) fn written(&mut self, count: usize) {
        for before in [&mut self.reload, &mut self.rotate, &mut self.leave].into_iter().flatten() {
            *before = before.saturating_sub(count);
        }
    }

    /// Whether there is one beside that to leave.
    pub(super) fn are_there(&self) -> bool {
        self.reload.is_some() || self.rotate.is_some()
    }

    /// There is no more to be written before those.
    pub(super) fn hurry(&mut self) {
        for before in [&mut self.reload, &mut self.rotate].into_iter().flatten() {
            *before = 0;
        }
    }
}
