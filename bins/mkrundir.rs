//! mkrundir: run a program with a directory made for it.

mod way;

use std::mem;
use std::os::fd::OwnedFd;

use common::credentials::Account;
use common::{Cli, Exit, Link, OrFail, Outcome, Short, Word, mode, options};
use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::stat::{FchmodatFlags, FileStat, Mode, fchmod, fchmodat, fstat};
use nix::unistd::{Gid, Uid, fchownat, getresgid, getresuid};

/// The link.
pub const LINK: Link = Link {
    name: "mkrundir",
    usage: "[-m mode] [-o account] dir prog...",
    summary: "run a program with a directory made for it",
    options: options![
        ("-m mode", "the permissions of the directory (755)"),
        ("-o account", "whose it is (that of the caller)"),
    ],
    opens: true,
    lent: None,
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

fn run(cli: &mut Cli) -> Outcome<'_> {
    let (mut mode, mut account) = (0o755, None);
    while let Some(option) = cli.option()? {
        match option {
            Short('m') => {
                let text = cli.value()?;
                let value = mode::permissions(text, 0o755);
                mode = value.ok_or_else(|| Exit::value("invalid mode", text))?;
            }
            Short('o') => account = Some(cli.word()?.0),
            other => return Err(Exit::unexpected(other)),
        }
    }
    let dir = cli.operand("dir")?;
    let chain = cli.rest()?;
    let caller = getresuid().or_fail("read the uids")?.effective.as_raw();
    let (uid, gid) = match account {
        Some(text) => {
            let account = Account::find_owner(text, "a directory has one group")?;
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

/// Gives an open directory its owner and its mode: whatever has its name by now, this is the one that was looked at.
///
/// At no moment, and not after a failure, may a group or others do more than before or than they shall: what they lose
/// goes before the group changes, what they get comes after it. The owner comes last: once it is another's, the right
/// to change the mode is needed too, which root may lack in a container.
fn set(dir: Word, directory: &OwnedFd, target: &Target) -> Result<(), Exit> {
    let look = || fstat(directory).or_fail(format_args!("look at {dir}"));
    let before = look()?;
    let mut mode = before.st_mode & 0o7777;
    if before.st_gid != target.gid {
        let common = mode & (target.mode | !0o077);
        change_mode(dir, directory, &mut mode, common)?;
        give(dir, directory, target, None, Some(Gid::from_raw(target.gid)))?;
    }
    change_mode(dir, directory, &mut mode, target.mode)?;
    if before.st_uid != target.uid {
        give(dir, directory, target, Some(Uid::from_raw(target.uid)), None)?;
    }
    // Some file systems, and the kernel for a set-group-id bit, do less than asked for, and say nothing.
    if target.is(&look()?) {
        return Ok(());
    }
    Err(Exit::fatal(format_args!("{dir} has not the owner and the mode that were set")))
}

/// Changes the mode from `before`, which becomes `to`.
fn change_mode(dir: Word, directory: &OwnedFd, before: &mut u32, to: u32) -> Result<(), Exit> {
    if mem::replace(before, to) == to {
        return Ok(());
    }
    let mode = Mode::from_bits_truncate(to);
    match fchmod(directory, mode) {
        // Opened by O_PATH: by its own name for itself, which its owner may use who cannot read it.
        Err(Errno::EBADF) => fchmodat(directory, c".", mode, FchmodatFlags::FollowSymlink),
        changed => changed,
    }
    .or_fail(format_args!("change the mode of {dir} to {to:o}"))
}

/// Changes the owner or the group to those of `target`.
fn give(
    dir: Word,
    directory: &OwnedFd,
    target: &Target,
    uid: Option<Uid>,
    gid: Option<Gid>,
) -> Result<(), Exit> {
    fchownat(directory, c"", uid, gid, AtFlags::AT_EMPTY_PATH).map_err(|errno| {
        let action = format_args!("give {dir} to uid {}, gid {}", target.uid, target.gid);
        let error = Exit::system(action, errno);
        match errno {
            Errno::EPERM => error.hint("only root may: put mkrundir before setuidgid"),
            _ => error,
        }
    })
}
