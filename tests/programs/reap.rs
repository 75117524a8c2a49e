//! reap: runs a program and reaps it and all that it leaves behind. `reap PROG...` ends when there is nothing
//! more to reap.

use std::env;
use std::io;
use std::process::Command;

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::wait::wait;

fn main() -> io::Result<()> {
    #[allow(clippy::disallowed_methods, reason = "a test program is no link: it has std's entry point")]
    let words: Vec<_> = env::args_os().skip(1).collect();
    let (program, rest) = words.split_first().ok_or_else(|| io::Error::other("usage: reap PROG..."))?;
    prctl::set_child_subreaper(true)?;
    Command::new(program).args(rest).spawn()?;
    while wait() != Err(Errno::ECHILD) {}
    Ok(())
}
