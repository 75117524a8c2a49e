//! A log that goes to the standard output: whole lines, each with its head. No files, no lock and no state: what has not been
//! written yet is in the pipe, as for a log directory.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use common::input::{Due, Input, More};
use common::signals::{self, INT, PIPE, QUIT, TERM};
use common::text::first_line;
use common::{Exit, OrFail, Voice, clock, filter, poll};

use super::options::Options;

/// How much is written at once, but for longer lines: `PIPE_BUF`, so much goes into a pipe in one piece, and lines of several
/// loggers do not mix.
const PIECE: usize = 4096;

/// What is between the input and the standard output.
struct Copy {
    options: Options,
    /// What each line begins with, behind its stamp.
    name: Vec<u8>,
    input: Input,
    signals: OwnedFd,
    /// Lines that are to be written.
    text: Vec<u8>,
    /// The last line has not ended yet.
    within: bool,
    /// A signal has asked to leave: how many bytes of the input are written before.
    leave: Option<usize>,
}

/// Copies the input to the standard output, until a signal or the end of the input.
pub(super) fn copy(mut options: Options, called: &'static [u8]) -> Result<(), Exit> {
    // All but PIPE, which ends a filter without a reader as it was given to it.
    signals::exchange_mask(!signals::mask_of(&[PIPE])).or_fail("block signals")?;
    let signals = signals::as_fd(&[TERM, INT, QUIT]).or_fail("watch for signals")?;
    let input = Input::new(options.batch).or_fail("look at the input")?;
    let name = options.stdout.take().unwrap_or_default();
    let text = Vec::with_capacity(PIECE);
    let mut copy = Copy { options, name, input, signals, text, within: false, leave: None };
    copy.run(Voice { called, directory: b"", part: b"" })
}

impl Copy {
    fn run(&mut self, voice: Voice) -> Result<(), Exit> {
        while self.leave != Some(0) {
            let more = if self.leave.is_some() { More::NotAwaited } else { More::Awaited };
            match self.input.due(more).or_fail("read the standard input")? {
                Due::Lines(count) => self.write(count, voice)?,
                Due::Unended(count) => {
                    self.write(count, voice)?;
                    break;
                }
                Due::Nothing => self.wait(),
                Due::Over => break,
            }
            self.look_for_signals(voice);
        }
        // What is behind it may be another's.
        if self.within { filter::write_all(b"\n") } else { Ok(()) }
    }

    /// Waits for input or a signal.
    fn wait(&mut self) {
        let time = self.input.patience();
        let (signals, input) = (self.signals.as_raw_fd(), self.input.watched());
        // If the kernel has no memory for it, nothing was waited for, and all is checked again.
        let _ =
            poll::poll_for(&mut [poll::watch(signals, poll::POLLIN), poll::watch(input, poll::POLLIN)], time);
    }

    fn look_for_signals(&mut self, voice: Voice) {
        if signals::next(self.signals.as_fd()).count() > 0 && self.leave.is_none() {
            if self.options.verbose {
                voice.info(&[b"exiting on a signal"]);
            }
            let is_pipe = self.input.is_pipe();
            self.leave = Some(if is_pipe { self.input.unread() } else { self.input.bytes().len() });
        }
    }

    /// Writes the first `count` bytes of what was seen, piece by piece, and takes each piece out of the pipe when it is
    /// written.
    fn write(&mut self, count: usize, voice: Voice) -> Result<(), Exit> {
        let stamp = self.options.stamp.text(clock::wall());
        self.options.replace(&mut self.input.bytes()[..count]);
        let mut rest = count;
        while rest > 0 {
            let taken = self.make_piece(rest, stamp.bytes());
            filter::write_all(&self.text)?;
            if let Err(errno) = self.input.consume(taken, None) {
                let consequence = b"another process reads from it";
                voice.unable_so(&[b"remove lines from the pipe"], errno, consequence);
            }
            self.leave = self.leave.map(|before| before.saturating_sub(taken));
            rest -= taken;
        }
        Ok(())
    }

    /// Makes the text of the first lines of `count` bytes, one at least. Returns how many bytes that are.
    fn make_piece(&mut self, count: usize, stamp: &[u8]) -> usize {
        let Self { input, text, name, within, .. } = self;
        let bytes = &input.bytes()[..count];
        text.clear();
        let mut used = 0;
        while used < count {
            let line = first_line(&bytes[used..]);
            let head: [&[u8]; 2] = if *within { [b"", b""] } else { [stamp, name] };
            if used > 0 && text.len() + head[0].len() + head[1].len() + line.len() > PIECE {
                break;
            }
            for part in [head[0], head[1], line] {
                text.extend_from_slice(part);
            }
            *within = !line.ends_with(b"\n");
            used += line.len();
        }
        used
    }
}
