//! What lies in a service directory, and on which file system a directory lies.

use std::ffi::CStr;
use std::os::fd::BorrowedFd;

use common::fds;
use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::stat::{FileStat, SFlag, fstatat};
use nix::sys::statfs::{FsType, fstatfs};
use nix::sys::time::TimeSpec;

/// When a name in a directory was changed last, in ticks of the kernel's clock: shorter than the pause between two looks.
pub(super) fn changed(directory: &FileStat) -> TimeSpec {
    TimeSpec::new(directory.st_mtime, directory.st_mtime_nsec)
}

/// How far a service directory is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Growth {
    /// There is nothing to run.
    Nothing,
    /// What there is to run is empty, or not executable.
    Growing,
    /// There is something to run.
    Complete,
}

impl Growth {
    /// That of a service directory.
    pub(super) fn of(directory: BorrowedFd) -> Self {
        match Self::of_script(directory, c"run") {
            Self::Nothing => Self::of_script(directory, c"setup"),
            run => run,
        }
    }

    fn of_script(directory: BorrowedFd, name: &CStr) -> Self {
        const EXECUTABLE: u32 = 0o111;
        match fstatat(directory, name, AtFlags::empty()) {
            Err(Errno::ENOENT) => Self::Nothing,
            Ok(FileStat { st_size: 0, .. }) => Self::Growing,
            Ok(file) if fds::is(&file, SFlag::S_IFREG) && file.st_mode & EXECUTABLE == 0 => Self::Growing,
            // Whatever it is: to execute it says more.
            Ok(_) | Err(_) => Self::Complete,
        }
    }
}

/// Whether a directory lies where things change by other ways than through this kernel, or where it does not report all
/// changes: network file systems, FUSE, and those in layers.
pub(super) fn is_remote(directory: BorrowedFd) -> nix::Result<bool> {
    // linux/magic.h, and statfs(2) for those that are not there.
    const AFS: u32 = 0x5346_414f;
    const AUFS: u32 = 0x6175_6673;
    const CEPH: u32 = 0x00c3_6400;
    const CIFS: u32 = 0xff53_4d42;
    const CODA: u32 = 0x7375_7245;
    const FUSE: u32 = 0x6573_5546;
    const GFS2: u32 = 0x0116_1970;
    const LUSTRE: u32 = 0x0bd0_0bd0;
    const NFS: u32 = 0x6969;
    const OCFS2: u32 = 0x7461_636f;
    const OVERLAY: u32 = 0x794c_7630;
    const PLAN9: u32 = 0x0102_1997;
    const SMB: u32 = 0x517b;
    const SMB2: u32 = 0xfe53_4d42;
    const VBOX: u32 = 0x786f_4256;
    const REMOTE: [u32; 15] =
        [AFS, AUFS, CEPH, CIFS, CODA, FUSE, GFS2, LUSTRE, NFS, OCFS2, OVERLAY, PLAN9, SMB, SMB2, VBOX];
    let FsType(system) = fstatfs(directory)?.filesystem_type();
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::unnecessary_cast,
        reason = "they have 32 bits"
    )]
    Ok(REMOTE.contains(&(system as u32)))
}
