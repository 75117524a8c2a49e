//! Accounts as libc's name service switch has them, nsswitch.conf(5), checked against what can be.

use std::ffi::CStr;

use nix::errno::Errno;

use crate::accounts::{Files, LookupError, User};
use crate::sys::account;

/// The databases that nsswitch.conf(5) names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Switch;

#[allow(clippy::unused_self, reason = "called as those of Files")]
impl Switch {
    /// The user of this name.
    pub(crate) fn user_by_name(self, name: &CStr) -> Result<Option<User>, LookupError> {
        // Not whether the name is the one that was asked for: directories that take upper and lower case for the
        // same answer with their own spelling.
        checked(account::user_by_name(name)?, |user| {
            !user.name.is_empty() && is_id(user.uid) && is_id(user.gid)
        })
    }

    /// The user with this id.
    pub(crate) fn user_by_uid(self, uid: u32) -> Result<Option<User>, LookupError> {
        let found = twice(|| account::user_by_uid(uid))?;
        checked(found, |user| !user.name.is_empty() && user.uid == uid && is_id(user.gid))
    }

    /// The id of the group of this name.
    pub(crate) fn group_by_name(self, name: &CStr) -> Result<Option<u32>, LookupError> {
        checked(account::group_by_name(name)?, |gid| is_id(*gid))
    }

    /// `gid` and the groups of `user`, at most 65,536.
    pub(crate) fn groups_of(self, user: &CStr, gid: u32) -> Result<Vec<u32>, LookupError> {
        // Of glibc's `files` some lines that are not well formed give group 0.
        Files::SYSTEM.groups_of(user, gid)?;
        let groups = twice(|| account::groups_of(user, gid))?;
        if groups.iter().all(|gid| is_id(*gid)) { Ok(groups) } else { Err(LookupError::Answer(WRONG)) }
    }
}

const WRONG: &str = "the database's answer cannot be right";

fn checked<T>(found: Option<T>, can_be: impl Fn(&T) -> bool) -> Result<Option<T>, LookupError> {
    if found.as_ref().is_none_or(can_be) { Ok(found) } else { Err(LookupError::Answer(WRONG)) }
}

/// To the kernel the greatest number means "leave as it is".
fn is_id(id: u32) -> bool {
    id != u32::MAX
}

/// Asks a database whose answer may be too short: where libc cannot read one source of it, it goes on to
/// the next and does not say so. A passing fault shows in a second answer that is another.
fn twice<T: PartialEq>(ask: impl Fn() -> nix::Result<T>) -> nix::Result<T> {
    let answer = ask()?;
    if ask()? == answer { Ok(answer) } else { Err(Errno::EAGAIN) }
}
