//! mkrundir: run a program with a directory made for it.

mod way;

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;

use common::credentials::{Account, Groups};
use common::{Cli, Exit, Link, OrFail, Outcome, Short, Word, mode};
use nix::errno::Errno;
use nix::sys::stat::{FileStat, Mode, fchmod, fstat};
use nix::unistd::{Gid, Uid, fchown, getresgid, getresuid};

/// The link.
pub const LINK: Link = Link {
    name: "mkrundir",
    usage: "[-m mode] [-o account] dir prog...",
    summary: "run a program with a directory made for it",
    options: &[
        ("-m mode", "the permissions of the directory (755)"),
        ("-o account", "whose it is (that of the caller)"),
    ],
    opens: true,
    run,
};

/// What a directory is to be.
struct Target {
    uid: u32,
    gid: u32,
    /// Permissions, 12 bits.
    mode: u32,
}

impl Target {
    fn is(&self, stat: &FileStat) -> bool {
        (stat.st_uid, stat.st_gid, stat.st_mode & 0o7777) == (self.uid, self.gid, self.mode)
    }
}

fn run(cli: &mut Cli) -> Outcome {
    let (mut mode, mut account) = (0o755, None);
    while let Some(option) = cli.option()? {
        match option {
            Short('m') => {
                let text = cli.value()?;
                let value = mode::permissions(text.as_bytes(), 0o755);
                mode = value.ok_or_else(|| Exit::value("invalid mode", text.as_bytes()))?;
            }
            Short('o') => account = Some(cli.value()?),
            other => return Err(other.unexpected().into()),
        }
    }
    let dir = cli.operand("dir")?;
    let chain = cli.rest()?;
    let caller = getresuid().or_fail("read the uids")?.effective.as_raw();
    let (uid, gid) = match account {
        Some(text) => {
            // A word of the command line has no NUL.
            let account = Account::find(&CString::new(text.as_bytes()).unwrap_or_default(), Groups::Listed)?;
            if account.groups.len() > 1 {
                return Err(Exit::value("a directory has one group", text.as_bytes()));
            }
            (account.uid, account.gid)
        }
        None => (caller, getresgid().or_fail("read the gids")?.effective.as_raw()),
    };
    make(dir, caller, &Target { uid, gid, mode })?;
    Ok(chain)
}

/// Makes the directory, or makes it right.
fn make(dir: Word, caller: u32, target: &Target) -> Result<(), Exit> {
    let place = way::find(dir, caller)?;
    let made = place.make()?;
    let right = place.open(target.uid).and_then(|directory| set(dir, &directory, target));
    if right.is_err() && made {
        // So that nobody takes it for one that can be used. Where it cannot be removed either, the message is still
        // that of what failed first.
        let _ = place.remove();
    }
    right
}

/// Gives an open directory its mode and its owner: whatever has its name by now, this is the one that was looked at.
fn set(dir: Word, directory: &OwnedFd, target: &Target) -> Result<(), Exit> {
    let look = || fstat(directory).or_fail(format_args!("look at {dir}"));
    let before = look()?;
    if target.is(&before) {
        return Ok(());
    }
    // The mode first: once it is another's, the right to change that is needed too, which root may lack in a container.
    if before.st_mode & 0o7777 != target.mode {
        let mode = Mode::from_bits_truncate(target.mode);
        fchmod(directory, mode).or_fail(format_args!("change the mode of {dir} to {:o}", target.mode))?;
    }
    if (before.st_uid, before.st_gid) != (target.uid, target.gid) {
        let (uid, gid) = (Uid::from_raw(target.uid), Gid::from_raw(target.gid));
        fchown(directory, Some(uid), Some(gid)).map_err(|errno| {
            let action = format_args!("give {dir} to uid {uid}, gid {gid}");
            let error = Exit::system(action, errno);
            match errno {
                Errno::EPERM => error.hint("only root may: put mkrundir before setuidgid"),
                _ => error,
            }
        })?;
    }
    // Some file systems, and the kernel for a set-group-id bit, do less than asked for, and say nothing.
    if target.is(&look()?) {
        return Ok(());
    }
    Err(Exit::fatal(format_args!("{dir} has not the owner and the mode that were set")))
}
