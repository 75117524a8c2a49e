//! Which program is to be seen, and whose words it uses.

/// The name under which the program is called.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Style {
    Svctl,
    /// runit's sv.
    Sv,
    /// sv under a service's name, as an init script.
    Script,
}

/// Whose words the messages have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Dialect {
    Own,
    /// Those that scripts for runit or daemontools may look for.
    Runit,
}

impl Style {
    pub(super) fn dialect(self) -> Dialect {
        if self == Self::Svctl { Dialect::Own } else { Dialect::Runit }
    }
}
