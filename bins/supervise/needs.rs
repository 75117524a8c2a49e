//! The names of what the start of a service waits for.

use common::Text;

/// The names of what a start waits for, with blanks between; what does not fit is cut off.
pub(crate) type Names = Text<120>;

/// The names of what the start of a service waits for. Allocated at the first hold and kept for the next: so
/// memory stays bounded, and a service that never waits has none of it.
#[derive(Debug, Default)]
pub(super) struct Needs(Option<Box<Names>>);

impl Needs {
    /// These are the names from now on: whether they were others before.
    pub(super) fn set(&mut self, names: &[u8]) -> bool {
        let names = Text::of(names);
        let changed = self.bytes() != names.bytes();
        if changed {
            **self.0.get_or_insert_default() = names;
        }
        changed
    }

    /// The names.
    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_ref().map_or(b"", |names| names.bytes())
    }
}
