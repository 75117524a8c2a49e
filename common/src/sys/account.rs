//! A user, and the databases of users and groups as libc looks them up.
//!
//! In a program that is linked with musl the functions are not there: see [`crate::accounts`].

use std::ffi::CString;

#[cfg(not(target_env = "musl"))]
pub(crate) use self::libc_databases::{group_by_name, groups_of, user_by_name, user_by_uid};

/// What the user database says of a user.
#[derive(Debug, PartialEq)]
pub struct User {
    /// The name.
    pub name: CString,
    /// The user id.
    pub uid: u32,
    /// The primary group.
    pub gid: u32,
    /// The home directory, which may be empty.
    pub home: CString,
    /// The shell, which may be empty.
    pub shell: CString,
}

#[cfg(not(target_env = "musl"))]
mod libc_databases {
    use std::ffi::{CStr, c_char, c_int};
    use std::{mem, ptr};

    use nix::errno::Errno;

    use super::User;

    /// `getpwnam_r(3)`: `None` where there is no such user.
    pub(crate) fn user_by_name(name: &CStr) -> nix::Result<Option<User>> {
        // SAFETY: a C string, and what `entry` passes.
        entry(
            |to, buffer, size, found| unsafe { libc::getpwnam_r(name.as_ptr(), to, buffer, size, found) },
            user,
        )
    }

    /// `getpwuid_r(3)`: `None` where there is no such user.
    pub(crate) fn user_by_uid(uid: u32) -> nix::Result<Option<User>> {
        // SAFETY: an integer, and what `entry` passes.
        entry(|to, buffer, size, found| unsafe { libc::getpwuid_r(uid, to, buffer, size, found) }, user)
    }

    /// `getgrnam_r(3)`: the gid, `None` where there is no such group.
    pub(crate) fn group_by_name(name: &CStr) -> nix::Result<Option<u32>> {
        // SAFETY: a C string, and what `entry` passes.
        let get =
            |to, buffer, size, found| unsafe { libc::getgrnam_r(name.as_ptr(), to, buffer, size, found) };
        entry(get, |group: &libc::group| group.gr_gid)
    }

    /// getgrouplist(3): `gid` and what the group database gives `user`, at most 65,536 groups.
    pub(crate) fn groups_of(user: &CStr, gid: u32) -> nix::Result<Vec<u32>> {
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
}
