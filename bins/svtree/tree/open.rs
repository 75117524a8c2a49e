//! The start of a tree.

use std::collections::VecDeque;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use common::lock::{TRIES, flock_within};
use common::{Cli, Env, Exit, OrFail, Voice, door, fds, shown, signals};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag};
use nix::unistd::{fchdir, getcwd};

use super::course::Course;
use super::{Template, Tree};
use crate::supervise::{PidSpace, make_directory};
use crate::svtree::clients::Clients;
use crate::svtree::command_line::{CommandLine, Place};
use crate::svtree::events::{Events, Token};
use crate::svtree::needs::Graph;
use crate::svtree::own::{self, Script, Which};
use crate::svtree::program::{self, Program, Received};
use crate::svtree::queue::Queue;
use crate::svtree::scan::Scan;
use crate::svtree::slots::{PROGRAM, Slots};

/// Below the scan directory, or the state directory: what is the tree's own.
const OWN: &std::ffi::CStr = c".tree";

/// The signals that the tree acts on itself.
const HEARD: [i32; 7] = [
    signals::CHLD,
    signals::TERM,
    signals::INT,
    signals::HUP,
    signals::QUIT,
    signals::PWR,
    signals::RTMIN_3,
];

impl Tree {
    /// Opens a tree, and starts its setup.
    pub(in crate::svtree) fn open(cli: &Cli, line: CommandLine, received: Received) -> Result<Self, Exit> {
        let CommandLine { init, check: _, prefix: _, state, limit, place, chain, line } = line;
        todo!()
    }
}
