//! Whether a pid namespace lives, by a number that the kernel gives to each and to no other in this boot: what the
//! file handles of nsfs hold, Linux 6.18.

use std::ffi::{CStr, c_int, c_uint};
use std::os::fd::{FromRawFd, OwnedFd};

use nix::errno::Errno;

/// The inode number of the initial pid namespace, `PIDNS_INIT_INO` of linux/nsfs.h: it lives as long as the
/// machine runs.
pub const INITIAL: u64 = 0xEFFF_FFFC;

/// A struct `file_handle` with what nsfs puts into it, `struct nsfs_file_handle` of linux/nsfs.h.
#[repr(C)]
#[derive(Default)]
struct Handle {
    size: c_uint,
    kind: c_int,
    id: u64,
    namespace: u32,
    inode: u32,
}

/// The size of what nsfs puts into a handle, and its kind, `FILEID_NSFS`.
const SIZE: c_uint = 16;
const KIND: c_int = 0xf1;

/// The number of the namespace at `path`, as `/proc/self/ns/pid`, `name_to_handle_at(2)`. EOPNOTSUPP where the kernel
/// has none.
pub fn id(path: &CStr) -> nix::Result<u64> {
    let mut handle = Handle { size: SIZE, ..Handle::default() };
    let mut mount: c_int = 0;
    let (to, mount) = (&raw mut handle, &raw mut mount);
    let (at, follow) = (libc::AT_FDCWD, libc::AT_SYMLINK_FOLLOW);
    // SAFETY: a C string, a handle with room for `size` bytes, and an integer to write.
    Errno::result(unsafe {
        libc::syscall(libc::SYS_name_to_handle_at, at, path.as_ptr(), to, mount, follow)
    })?;
    if (handle.size, handle.kind) != (SIZE, KIND) {
        return Err(Errno::EOPNOTSUPP);
    }
    Ok(handle.id)
}

/// Whether the pid namespace of this number and inode number lives, `open_by_handle_at(2)`. EPERM where it lives and is
/// neither ours nor below us, and where nothing may be asked: then our own is refused too.
pub fn lives(id: u64, inode: u64) -> nix::Result<bool> {
    const ROOT: c_int = -10003; // FD_NSFS_ROOT
    let handle = Handle {
        size: SIZE,
        kind: KIND,
        id,
        namespace: u32::try_from(libc::CLONE_NEWPID).map_err(|_| Errno::EINVAL)?,
        inode: u32::try_from(inode).map_err(|_| Errno::EINVAL)?,
    };
    let flags = libc::O_RDONLY | libc::O_CLOEXEC;
    // SAFETY: a handle of `size` bytes; the new fd is nobody else's.
    match Errno::result(unsafe { libc::syscall(libc::SYS_open_by_handle_at, ROOT, &raw const handle, flags) })
    {
        Ok(fd) => {
            let fd = c_int::try_from(fd).map_err(|_| Errno::EBADF)?;
            // SAFETY: as above.
            drop(unsafe { OwnedFd::from_raw_fd(fd) });
            Ok(true)
        }
        Err(Errno::ESTALE) => Ok(false),
        Err(errno) => Err(errno),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_namespace_lives_and_one_that_was_never_there_does_not() {
        let Ok(own) = id(c"/proc/self/ns/pid") else { return }; // a kernel that has no such number
        let inode = nix::sys::stat::stat(c"/proc/self/ns/pid").unwrap().st_ino;
        assert_eq!((lives(own, inode), lives(u64::MAX, inode)), (Ok(true), Ok(false)));
        assert!(id(c"/proc/self/exe").is_err());
    }
}
