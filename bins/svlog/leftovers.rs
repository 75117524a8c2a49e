//! What a multilog of daemontools leaves that was killed in a rotation: `previous`, which was `current`, and
//! `processed` and `newstate`, which its processor made of it.
//!
//! It makes an archive of a file by link(2) and unlink(2), so that a file may have the name of an archive already.
//! `previous` was synced before it got that name. `processed` gets the bit of its owner to execute it once it is
//! whole and synced; then `newstate` goes with it.

use std::ffi::CStr;
use std::os::fd::AsFd;

use common::door::{self, Owner};
use common::{fds, identity};
use nix::errno::Errno;
use nix::fcntl::renameat;
use nix::sys::stat::{FileStat, Mode, SFlag};
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::archive::Kind;
use super::config::Config;
use super::shelf::Shelf;
use super::site::{Site, beside};

/// Makes archives of these files, and of the state that which belongs to them, as the next multilog would. Each
/// step leaves what the next start of any logger finishes.
pub(super) fn put_away(site: &Site, shelf: Shelf, config: &Config) -> nix::Result<()> {
    let put = |file: &CStr, kind, left: &Left| {
        if left.archived {
            return remove(site, file);
        }
        shelf.put_file(file, kind, u64::try_from(left.stat.st_size).unwrap_or(0), config)
    };
    match Left::find(site, c"processed")? {
        Some(processed) if processed.is_whole() => {
            match renameat(site.fd(), c"newstate", site.fd(), c"state") {
                Ok(()) | Err(Errno::ENOENT) => {}
                Err(errno) => return Err(errno),
            }
            remove(site, c"previous")?;
            put(c"processed", Kind::Safe, &processed)?;
        }
        Some(_) => remove(site, c"processed")?,
        None => {}
    }
    if let Some(previous) = Left::find(site, c"previous")? {
        put(c"previous", Kind::Unprocessed, &previous)?;
    }
    match door::entry(site.fd(), c"current")? {
        Some(stat) if has_archive_name(site, &stat)? => remove(site, c"current"),
        _ => Ok(()),
    }
}

/// A file that multilog has left.
#[derive(Debug)]
struct Left {
    stat: FileStat,
    /// It has the name of an archive too.
    archived: bool,
}

impl Left {
    /// The file of that name. One that multilog does not make stays where it is, which is said.
    fn find(site: &Site, file: &CStr) -> nix::Result<Option<Self>> {
        let Some(stat) = door::entry(site.fd(), file)? else { return Ok(None) };
        let archived = has_archive_name(site, &stat)?;
        match door::look(&stat, SFlag::S_IFREG, Owner::Any) {
            Err(errno) if !archived => {
                let action: [&[u8]; 2] = [b"make an archive of ", file.to_bytes()];
                site.voice().unable_so(&action, errno, beside(errno, b"leaving it"));
                Ok(None)
            }
            _ => Ok(Some(Self { stat, archived })),
        }
    }

    fn is_whole(&self) -> bool {
        self.stat.st_mode & Mode::S_IXUSR.bits() != 0
    }
}

fn remove(site: &Site, file: &CStr) -> nix::Result<()> {
    match unlinkat(site.fd(), file, UnlinkatFlags::NoRemoveDir) {
        Err(Errno::ENOENT) => Ok(()),
        other => other,
    }
}

/// Whether this is a regular file whose second name is that of an archive here.
fn has_archive_name(site: &Site, stat: &FileStat) -> nix::Result<bool> {
    let mut found = false;
    if stat.st_nlink == 2 && fds::is(stat, SFlag::S_IFREG) {
        fds::each_name(site.fd().as_fd(), |name| {
            let same = |other: Option<FileStat>| other.is_some_and(|other| identity::same(&other, stat));
            found |= name.to_bytes().starts_with(b"@") && door::entry(site.fd(), name).is_ok_and(same);
        })?;
    }
    Ok(found)
}
