//! svtree: run the services of a directory in one process, also as the init of a container.
//!
//! What a service is and does is in `crate::supervise`, which this program holds once for each. Here is what is about all
//! of them: `tree` is the loop; `scan` finds the services, `slots` and `hosted` hold them, `events` and `queue` say whose
//! turn it is; `order` knows who needs whom; `clients` are those of the tree's own socket; `own` and `program` are what
//! the tree itself runs.

mod clients;
mod events;
mod hosted;
mod needs;
mod queue;
mod slots;
mod stop;
mod tree;

use std::ffi::CStr;
use std::os::fd::OwnedFd;

use common::{Cli, Exit, Link, OrFail, Outcome, Short, Voice, Words, fds, shown, signals};
use nix::fcntl::AT_FDCWD;

use crate::supervise::{Now, PidSpace};
use tree::{Template, Tree};

/// svtree: run the services of a directory in one process.
pub const PROGRAM: Link = Link {
    name: "svtree",
    usage: "[-1npu] [-s statedir] [-t milliseconds] [dir] [-- prog...]",
    summary: "run the services of a directory in one process, also as the init of a container",
    options: &[
        ("-1", "be as process 1 is: every stop signal counts, and nothing is left at the end"),
        ("-n", "name the services, their order and what is wrong with it, and start nothing"),
        ("-p", "put the name of the service in front of each line of one without a logger"),
        ("-s statedir", "keep all state in statedir, so that dir can be read-only"),
        ("-t milliseconds", "the time for the whole stop (9000, or what .tree/timeout says)"),
        ("-u", "dir is that of this user: ~/.config/service"),
    ],
    opens: true,
    run,
};
