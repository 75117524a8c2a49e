//! The loop: one thread, and one wait for everything that can happen to any of the services.
//!
//! A service has its turn when one of its files is ready, its time has come, or one of its children has died. A turn costs
//! the same however many services there are.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use common::{Voice, memory, process, signals};
use nix::errno::Errno;

use super::events::{Events, Token};
use super::hosted::{Hosted, Turn};
use super::queue::Queue;
use crate::supervise::{Ending, Now};

/// How long it has to be quiet before what is not needed for the wait is given back, in milliseconds.
const QUIET: u64 = 1000;
/// How many deaths are learnt of in a round: there may be any number.
const DEATHS: u32 = 64;
