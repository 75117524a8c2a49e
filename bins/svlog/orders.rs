//! What signals have asked for.
//!
//! The rule of the loop: what is in the pipe when a signal is seen was there before it, and its whole lines are
//! written before the signal is obeyed; what comes later comes after it, or with the last of those lines. Of signals
//! that are seen together SIGHUP is obeyed first, then SIGALRM, then what ends us: none takes another one back.
//! Where nothing can be written all are obeyed at once, since what they ask for may be what helps.

/// Each order with how many bytes of the input are to be written before it.
#[derive(Debug, Default)]
pub(super) struct Orders {
    /// Config and files are to be looked at again.
    pub(super) configure: Option<usize>,
    /// Each `current` is to be rotated.
    pub(super) rotate: Option<usize>,
    /// We are to leave.
    pub(super) leave: Option<usize>,
}

impl Orders {
    /// So many bytes of the input were written.
    pub(super) fn written(&mut self, count: usize) {
        for before in [&mut self.configure, &mut self.rotate, &mut self.leave].into_iter().flatten() {
            *before = before.saturating_sub(count);
        }
    }

    /// Whether there is an order beside that to leave.
    pub(super) fn are_there(&self) -> bool {
        self.configure.is_some() || self.rotate.is_some()
    }

    /// There is no more to be written before them.
    pub(super) fn hurry(&mut self) {
        for before in [&mut self.configure, &mut self.rotate].into_iter().flatten() {
            *before = 0;
        }
    }
}
