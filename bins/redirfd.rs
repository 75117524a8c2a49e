//! redirfd: run a program with a file opened on a file descriptor.

use std::ffi::CStr;
use std::os::fd::{IntoRawFd, OwnedFd};

use common::{Cli, Exit, Link, OrFail, Outcome, Short, fds, options};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag};
use nix::sys::stat::Mode;

/// The link.
pub const LINK: Link = Link {
    name: "redirfd",
    usage: "-r|-w|-u|-a|-x [-n] [-b] fd file prog...",
    summary: "run a program with a file opened on a file descriptor",
    options: options![
        ("-r", "open for reading"),
        ("-w", "open for writing: create or truncate"),
        ("-u", "open for reading and writing"),
        ("-a", "open for appending: create if missing"),
        ("-x", "create for writing: fail if it exists"),
        ("-n", "open without waiting, in non-blocking mode"),
        ("-b", "change the blocking mode after opening"),
    ],
    opens: true,
    lent: None,
    run,
};

fn run(cli: &mut Cli) -> Outcome<'_> {
    let (mut mode, mut nonblocking, mut change) = (None, false, false);
    while let Some(option) = cli.option()? {
        match option {
            Short('r') => mode = Some(OFlag::O_RDONLY),
            Short('w') => mode = Some(OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC),
            Short('u') => mode = Some(OFlag::O_RDWR),
            Short('a') => mode = Some(OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_APPEND),
            Short('x') => mode = Some(OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL),
            Short('n') => nonblocking = true,
            Short('b') => change = true,
            other => return Err(Exit::unexpected(other)),
        }
    }
    let mode = mode.ok_or_else(|| Exit::usage("missing one of -r -w -u -a -x"))?;
    let to = cli.fd("fd")?;
    let file = cli.operand("file")?;
    let chain = cli.rest()?;
    // A fd out of range would be noticed only when the file is there, and empty.
    fds::check(to).or_fail(format_args!("move {file} to fd {to}"))?;
    let opened =
        if nonblocking { open_nonblocking(&file, mode | OFlag::O_NONBLOCK) } else { open(&file, mode) };
    let from = opened.or_fail(format_args!("open {file}"))?.into_raw_fd();
    fds::move_to(from, to).or_fail(format_args!("move {file} to fd {to}"))?;
    if change {
        fds::set_nonblocking(to, !nonblocking).or_fail(format_args!("change the mode of fd {to}"))?;
    }
    Ok(chain)
}

/// `O_NOCTTY`: acquiring a controlling terminal would be a second change.
fn open(file: &CStr, mode: OFlag) -> nix::Result<OwnedFd> {
    let flags = mode | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
    fds::open(AT_FDCWD, file, flags, Mode::from_bits_truncate(0o666))
}

/// A FIFO without a reader cannot be opened for writing alone without waiting: be its reader meanwhile.
fn open_nonblocking(file: &CStr, mode: OFlag) -> nix::Result<OwnedFd> {
    match open(file, mode) {
        Err(Errno::ENXIO) => {
            let _reader = open(file, OFlag::O_RDONLY | OFlag::O_NONBLOCK)?;
            open(file, mode)
        }
        other => other,
    }
}
