//! A filter: standard input to standard output, in large pieces. What has been read is written before the next
//! read, which may have to wait: a reader of the output gets each line as soon as it has come.

use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::unistd::{read, write};

use crate::exit::{Exit, OrFail};
use crate::fds::{stdin, stdout};
use crate::sys::poll;

/// How much is read and written at once.
const SIZE: usize = 64 << 10;

/// How many bytes of its input a filter may leave for the next call, at most.
pub const LEFT: usize = 4 << 10;

/// What follows the input that a filter is given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum After {
    /// There may be more.
    More,
    /// Nothing.
    End,
}

/// What a filter writes.
#[derive(Debug)]
pub struct Output {
    waiting: Vec<u8>,
}

impl Output {
    /// Adds bytes. They are written at the latest before the next input is read.
    pub fn add(&mut self, bytes: &[u8]) -> Result<(), Exit> {
        if self.waiting.len() + bytes.len() > SIZE {
            self.flush()?;
        }
        if bytes.len() > SIZE {
            return write_all(bytes);
        }
        self.waiting.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Exit> {
        write_all(&self.waiting)?;
        self.waiting.clear();
        Ok(())
    }
}

/// Gives all the input to `take`, piece by piece, which adds to the output what becomes of it. It returns how many
/// bytes it has taken: those that it leaves, at most [`LEFT`], it gets again, with what follows them. At the end it
/// must take all.
pub fn run(mut take: impl FnMut(&[u8], After, &mut Output) -> Result<usize, Exit>) -> Result<(), Exit> {
    let mut input = vec![0; SIZE];
    let mut output = Output { waiting: Vec::with_capacity(SIZE) };
    let mut left = 0;
    loop {
        let count = read_some(&mut input[left..])?;
        let after = if count == 0 { After::End } else { After::More };
        let taken = take(&input[..left + count], after, &mut output)?;
        output.flush()?;
        if after == After::End {
            return Ok(());
        }
        input.copy_within(taken..left + count, 0);
        left = left + count - taken;
    }
}

/// Reads what there is, and waits for it. Nothing at the end.
fn read_some(buffer: &mut [u8]) -> Result<usize, Exit> {
    loop {
        match read(stdin(), buffer) {
            Err(errno) => again(errno, stdin(), poll::POLLIN).or_fail("read the standard input")?,
            Ok(count) => return Ok(count),
        }
    }
}

/// Writes to the standard output, all of it: waits for its reader, as long as it takes.
pub fn write_all(mut bytes: &[u8]) -> Result<(), Exit> {
    while !bytes.is_empty() {
        match write(stdout(), bytes) {
            Err(errno) => again(errno, stdout(), poll::POLLOUT).or_fail("write to the standard output")?,
            Ok(count) => bytes = &bytes[count..],
        }
    }
    Ok(())
}

/// Whether a call that failed so is to be made again: after a signal, and, where others have made the file
/// non-blocking, once it is ready.
fn again(errno: Errno, fd: BorrowedFd, events: i16) -> nix::Result<()> {
    match errno {
        Errno::EINTR => Ok(()),
        Errno::EAGAIN => poll::poll(&mut [poll::watch(fd.as_raw_fd(), events)], None).map(drop),
        errno => Err(errno),
    }
}
