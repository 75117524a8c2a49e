//! utmpset: mark a terminal line as free in the records of who is logged in.

mod record;

use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use common::file::write_at;
use common::{Cli, Exit, Link, OrFail, Outcome, Short, Voice, clock, fds, lock, options, shown};
use nix::fcntl::{AT_FDCWD, OFlag};
use nix::sys::stat::{Mode, fstat};
use nix::unistd::{ftruncate, read};

use record::{LINE, Layout, OURS};

/// utmpset: mark a terminal line as free in the records of who is logged in.
pub const PROGRAM: Link = Link {
    name: "utmpset",
    usage: "[-w] line",
    summary: "mark a terminal line as free in the records of who is logged in",
    options: options![("-w", "record that in wtmp too")],
    opens: false,
    lent: None,
    run,
};

/// Who is logged in, and the history of that: utmp(5).
const UTMP: &CStr = c"/var/run/utmp";
const WTMP: &CStr = c"/var/log/wtmp";

/// How long another may hold the lock, which everybody can who may read the file: as long as glibc waits.
const PATIENCE: Duration = Duration::from_secs(10);

fn run(cli: &mut Cli) -> Outcome<'_> {
    let mut history = false;
    while let Some(option) = cli.option()? {
        match option {
            Short('w') => history = true,
            other => return Err(Exit::unexpected(other)),
        }
    }
    let line = cli.operand("line")?.0.to_bytes();
    cli.no_operands()?;
    if line.is_empty() || line.len() > LINE {
        return Err(Exit::value("invalid line", line));
    }
    let now = clock::wall();
    let utmp = open(UTMP, OFlag::O_RDWR)?;
    if !mark(&utmp, line, now, &OURS).or_fail(about(line, "utmp"))? {
        let voice = Voice { called: cli.called(), directory: b"", part: b"" };
        voice.warning(&[b"unable to logout line ", line, b" in utmp: no such entry"]);
        return Err(Exit::answer(111, ""));
    }
    drop(utmp); // and the lock
    if history {
        let wtmp = open(WTMP, OFlag::O_RDWR | OFlag::O_CREAT)?;
        append(&wtmp, &record::free(line, now, &OURS)).or_fail(about(line, "wtmp"))?;
    }
    Err(Exit::answer(0, ""))
}

/// What could not be done, in runit's words.
fn about(line: &[u8], file: &str) -> String {
    format!("logout line {} in {file}", shown(line))
}

/// Opens a file of records, and takes the locks that glibc and runit take.
fn open(path: &CStr, access: OFlag) -> Result<OwnedFd, Exit> {
    let name = shown(path.to_bytes());
    let flags = access | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
    let file = fds::open(AT_FDCWD, path, flags, Mode::from_bits_truncate(0o644))
        .or_fail(format_args!("open {name}"))?;
    if lock::within(&file, PATIENCE).or_fail(format_args!("lock {name}"))? {
        return Ok(file);
    }
    let seconds = PATIENCE.as_secs();
    Err(Exit::fatal(format_args!("unable to lock {name}: it has been locked for {seconds} seconds")))
}

/// Marks every record of the line. Returns whether there was one.
fn mark(utmp: &OwnedFd, line: &[u8], now: (u64, u32), layout: &Layout) -> nix::Result<bool> {
    let mut found = false;
    let (mut record, mut offset) = (vec![0; layout.size], 0);
    while read(utmp, &mut record)? == layout.size {
        if record::is_of(&record, line) {
            layout.set_free(&mut record, now);
            write_at(utmp.as_fd(), &record, offset)?;
            found = true;
        }
        offset += layout.size as u64;
    }
    Ok(found)
}

/// Adds a record behind the whole ones that there are, or leaves the file as it was.
fn append(wtmp: &OwnedFd, record: &[u8]) -> nix::Result<()> {
    let before = fstat(wtmp)?.st_size;
    let size = u64::try_from(before).unwrap_or(0);
    write_at(wtmp.as_fd(), record, size - size % record.len() as u64).inspect_err(|_| {
        // It has failed already, and a part of a record is overwritten by the next one.
        let _ = ftruncate(wtmp, before);
    })
}
