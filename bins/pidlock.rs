//! pidlock: run a program with a lock on a file that holds its pid.

use std::os::fd::OwnedFd;

use common::lock::{self, Flag, Kind, Request};
use common::quantity::number;
use common::{Cli, Exit, Link, OrFail, Outcome, fds, lock_options, process};
use nix::errno::Errno;
use nix::sys::stat::{SFlag, fstat};
use nix::sys::uio::pwrite;
use nix::unistd::{ftruncate, read};

/// The link.
pub const LINK: Link = Link {
    name: "pidlock",
    usage: "[-nNxX] [-t seconds] [-d fd] file prog... | -c file",
    summary: "run a program with a lock on a file that holds its pid",
    options: lock_options!(
        [],
        [("-c", "print the pid of the lock's holder and exit 1, or exit 0 if the lock is free")]
    ),
    opens: true,
    lent: None,
    run,
};

fn run(cli: &mut Cli) -> Outcome<'_> {
    let (request, check) = Request::parse(cli, Flag::Check)?;
    if check {
        let nothing = cli.rest_or_nothing().words.first().is_none();
        return Err(if nothing { holder(&request)? } else { Exit::usage("-c takes no prog") });
    }
    let chain = cli.rest()?;
    request.take(Kind::Exclusive, write_pid)?;
    Ok(chain)
}

/// Puts the pid, which is the program's too, into the file: written over what was there, then cut, so that
/// no reader finds the file empty.
fn write_pid(fd: &OwnedFd) -> nix::Result<()> {
    if !fds::is(&fstat(fd)?, SFlag::S_IFREG) {
        return Err(Errno::EINVAL); // a device would take the pid as data
    }
    let line = format!("{}\n", process::id()?);
    let length = nix::libc::off_t::try_from(line.len()).map_err(|_| Errno::EOVERFLOW)?;
    match pwrite(fd, line.as_bytes(), 0)? {
        count if count == line.len() => ftruncate(fd, length),
        _ => Err(Errno::ENOSPC),
    }
}

/// The holder of the lock: the kernel knows the pid of a process lock, as perp's; for one of ours the file has
/// it.
fn holder(request: &Request) -> Result<Exit, Exit> {
    let Some((fd, pid)) = lock::holder(request.file())? else { return Ok(Exit::answer(0, "")) };
    if pid > 0 {
        return Ok(Exit::answer(1, format_args!("{pid}\n")));
    }
    let mut content = [0; 32];
    let count = read(&fd, &mut content).or_fail(format_args!("read {}", request.file()))?;
    let line = content[..count].split(|b| *b == b'\n').next().unwrap_or_default();
    // A holder that wrote no pid is a holder all the same.
    Ok(Exit::answer(1, number::<u32>(line).map_or_else(String::new, |pid| format!("{pid}\n"))))
}
