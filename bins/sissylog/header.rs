//! The beginning of a message: priority, time, and ident.

use common::Text;
use common::clock::wall;

use super::message::{IDENT, Message, Stamp};

/// `<PRI>Mmm dd hh:mm:ss ident: `, or `ident[pid]: `.
pub(super) struct Header {
    facility: u8,
    ident: Text<IDENT>,
    /// The ident with what follows it.
    tag: Text<{ IDENT + 14 }>,
    stamp: Stamp,
}

impl Header {
    pub(super) fn new(facility: u8, ident: Text<IDENT>) -> Self {
        let mut header = Self { facility, ident, tag: Text::new(), stamp: Stamp::default() };
        header.set_pid(None);
        header
    }

    /// From now on the ident has this pid.
    pub(super) fn set_pid(&mut self, pid: Option<u32>) {
        self.tag.clear();
        self.tag.add(self.ident.bytes());
        if let Some(pid) = pid {
            self.tag.add("[").number(pid).add("]");
        }
        self.tag.add(": ");
    }

    /// Writes the beginning of a message, with the present time.
    pub(super) fn write(&mut self, message: &mut Message, level: u8) {
        message.add("<").number(self.facility << 3 | level).add(">");
        message.add(self.stamp.at(wall().0)).add(self.tag.bytes());
    }
}
