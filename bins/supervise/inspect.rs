//! A look at a service directory without a supervisor: what one would report of its files.

use std::os::fd::{AsFd, OwnedFd};

use common::Voice;
use common::supervise::Part;

use super::access::Access;
use super::lookalikes::{self, Company};
use super::service::Settings;

/// Reports all that is wrong with the names and values in a service directory, or in that of its logger, which has no
/// values.
pub(crate) fn inspect(directory: &OwnedFd, part: Part, voice: Voice) {
    let fd = directory.as_fd();
    let mut settings = Settings::default();
    match part {
        Part::Service => {
            // Before a start all are looked for; what one of svtree's files means is known to svtree alone.
            settings.look(fd, 0, Company::Tree, voice);
            settings.for_all(fd, voice);
            // Whom it serves does not matter here.
            let _ = Access::read(fd, [c"operators", c"readers"], voice);
        }
        Part::Log => settings.look_at_names(fd, voice),
    }
}

/// The names of files that mean something in a service directory.
pub(crate) fn file_names() -> impl Iterator<Item = &'static [u8]> {
    lookalikes::OURS.into_iter()
}
