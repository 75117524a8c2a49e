//! What libc's name service switch says of accounts, checked against what can be.

use std::ffi::{CStr, c_char, c_int};
use std::{mem, ptr};

use nix::errno::Errno;

use crate::accounts::{Files, Trouble, User};

/// The databases that nsswitch.conf(5) names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Switch;

#[allow(clippy::unused_self, reason = "called as those of Files")]
impl Switch {
    /// `getpwnam_r(3)`: `None` where there is no such user.
    pub(crate) fn user_by_name(self, name: &CStr) -> Result<Option<User>, Trouble> {
        // SAFETY: a C string, and what `entry` passes.
        let get =
            |to, buffer, size, found| unsafe { libc::getpwnam_r(name.as_ptr(), to, buffer, size, found) };
        // Not whether the name is the one that was asked for: directories that take upper and lower case for the same
        // answer with their own spelling.
        checked(entry(get, user)?, |user| !user.name.is_empty() && is_id(user.uid) && is_id(user.gid))
    }

    /// `getpwuid_r(3)`: `None` where there is no such user.
    pub(crate) fn user_by_uid(self, uid: u32) -> Result<Option<User>, Trouble> {
        // SAFETY: an integer, and what `entry` passes.
        let get = |to, buffer, size, found| unsafe { libc::getpwuid_r(uid, to, buffer, size, found) };
        let found = twice(|| entry(get, user))?;
        checked(found, |user| !user.name.is_empty() && user.uid == uid && is_id(user.gid))
    }

    /// `getgrnam_r(3)`: the gid, `None` where there is no such group.
    pub(crate) fn group_by_name(self, name: &CStr) -> Result<Option<u32>, Trouble> {
        // SAFETY: a C string, and what `entry` passes.
        let get =
            |to, buffer, size, found| unsafe { libc::getgrnam_r(name.as_ptr(), to, buffer, size, found) };
        checked(entry(get, |group: &libc::group| group.gr_gid)?, |gid| is_id(*gid))
    }

    /// getgrouplist(3): `gid` and what the group database gives `user`, at most 65,536 groups.
    pub(crate) fn groups_of(self, user: &CStr, gid: u32) -> Result<Vec<u32>, Trouble> {
        // Of glibc's `files` some lines that are not well formed give group 0.
        Files::SYSTEM.groups_of(user, gid)?;
        let groups = twice(|| getgrouplist(user, gid))?;
        if groups.iter().all(|gid| is_id(*gid)) { Ok(groups) } else { Err(Trouble::Answer(WRONG)) }
    }
}

const WRONG: &str = "the database's answer cannot be right";

fn checked<T>(found: Option<T>, can_be: impl Fn(&T) -> bool) -> Result<Option<T>, Trouble> {
    if found.as_ref().is_none_or(can_be) { Ok(found) } else { Err(Trouble::Answer(WRONG)) }
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

fn getgrouplist(user: &CStr, gid: u32) -> nix::Result<Vec<u32>> {
    let mut groups = vec![0; 64];
    loop {
        let mut count = c_int::try_from(groups.len()).unwrap_or(c_int::MAX);
        // SAFETY: a C string, and at most `count` groups are written to the buffer, which has that many
        // places.
        let fits =
            unsafe { libc::getgrouplist(user.as_ptr(), gid, groups.as_mut_ptr(), &raw mut count) } >= 0;
        let count = usize::try_from(count).unwrap_or(0);
        if fits && count <= groups.len() {
            groups.truncate(count);
            return Ok(groups);
        }
        if groups.len() >= 65_536 {
            return Err(Errno::EINVAL);
        }
        groups.resize(groups.len() * 4, 0);
    }
}

/// Calls one of the functions that put an entry of a database of type `E` and its strings into the caller's
/// memory: with more until it is enough.
fn entry<E, T>(
    get: impl Fn(*mut E, *mut c_char, usize, *mut *mut E) -> c_int,
    take: impl Fn(&E) -> T,
) -> nix::Result<Option<T>> {
    let mut buffer: Vec<c_char> = vec![0; 1024];
    loop {
        let (mut place, mut found) = (mem::MaybeUninit::uninit(), ptr::null_mut());
        match get(place.as_mut_ptr(), buffer.as_mut_ptr(), buffer.len(), &raw mut found) {
            // SAFETY: where one is found it is in `place`, and its strings are in the buffer.
            0 => return Ok(unsafe { found.as_ref() }.map(&take)),
            libc::ERANGE if buffer.len() < 1 << 24 => buffer.resize(buffer.len() * 4, 0),
            errno => return Err(Errno::from_raw(errno)),
        }
    }
}

fn user(entry: &libc::passwd) -> User {
    // SAFETY: the strings of an entry that was found are C strings.
    let copy = |string: *const c_char| unsafe { CStr::from_ptr(string) }.to_owned();
    User {
        name: copy(entry.pw_name),
        uid: entry.pw_uid,
        gid: entry.pw_gid,
        home: copy(entry.pw_dir),
        shell: copy(entry.pw_shell),
    }
}
