//! The two processes that make up a service.

/// Which process of a service.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Part {
    /// The daemon.
    Service,
    /// Its logger, in the directory `log`.
    Log,
}

impl Part {
    /// Both, in the order in which they are handled.
    pub(super) const BOTH: [Self; 2] = [Self::Service, Self::Log];

    /// What follows the name of the service directory in a message about it.
    pub(super) fn suffix(self) -> &'static [u8] {
        match self {
            Self::Service => b"",
            Self::Log => b"/log",
        }
    }
}
