//! Work that is done beside this process, by a child on another processor: threads would need locks for all that is shared.

use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::wait::WaitStatus;
use nix::unistd::pipe2;

use crate::fds;
use crate::sys::memory::Turns;
use crate::sys::process;

/// A child at work. It is ended where nobody waits for that.
#[derive(Debug)]
pub struct Beside {
    /// To where it is asked for more, until it has been.
    question: Option<OwnedFd>,
    answer: OwnedFd,
    turns: Turns,
    /// None once it has been waited for.
    child: Option<u32>,
}

/// What a child may be asked for once it has begun.
#[derive(Debug)]
pub struct Question {
    text: OwnedFd,
    turns: Turns,
}

impl Question {
    /// Waits for the text of [`Beside::ask`], which is empty where nothing more is wanted, and gives the numbers of
    /// [`Beside::turns`].
    ///
    /// # Errors
    /// read(2)'s.
    pub fn wait(self) -> nix::Result<(Vec<u8>, Turns)> {
        Ok((fds::read_up_to(self.text, usize::MAX)?, self.turns))
    }
}

impl Beside {
    /// Begins work that makes a text: nothing else of it is seen here. It is begun early, while there is little memory to
    /// copy, and waits for its question when it has done what it can without.
    ///
    /// # Errors
    /// pipe2(2)'s and fork(2)'s.
    pub fn begin(work: impl FnOnce(Question) -> Vec<u8>) -> nix::Result<Self> {
        let (asked, question) = pipe2(OFlag::O_CLOEXEC)?;
        let (answer, end) = pipe2(OFlag::O_CLOEXEC)?;
        let turns = Turns::new()?;
        if let Some(child) = process::fork()? {
            return Ok(Self { question: Some(question), answer, turns, child: Some(child) });
        }
        // Or it would wait for itself.
        drop((question, answer));
        let written = fds::write_all(end.as_raw_fd(), &work(Question { text: asked, turns }));
        process::exit(written.is_err().into())
    }

    /// Asks for more, once.
    ///
    /// # Errors
    /// EPIPE where the child has ended, if SIGPIPE does not end this process.
    pub fn ask(&mut self, text: &[u8]) -> nix::Result<()> {
        self.question.take().map_or(Ok(()), |question| fds::write_all(question.as_raw_fd(), text))
    }

    /// The places in what was asked for that nobody has taken yet: both processes take one after the other.
    #[must_use]
    pub fn turns(&self) -> &Turns {
        &self.turns
    }

    /// Waits for the text.
    ///
    /// # Errors
    /// That it is not whole: ECHILD, where the child was killed too.
    pub fn end(mut self) -> nix::Result<Vec<u8>> {
        self.question = None;
        let text = fds::read_up_to(&self.answer, usize::MAX)?;
        match self.child.take().map(process::wait_for) {
            Some(Ok(WaitStatus::Exited(_, 0))) => Ok(text),
            _ => Err(Errno::ECHILD),
        }
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let Some(child) = self.child.take() else { return };
        // It may have ended, which is as well.
        let _ = process::kill_child(child, libc::SIGKILL);
        let _ = process::wait_for(child);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn the_text_comes_whole_or_is_an_error() {
        let text = vec![b'x'; 1 << 20];
        assert_eq!(Beside::begin(|_| text.clone()).unwrap().end(), Ok(text));
        let killed = Beside::begin(|_| {
            let _ = process::kill_child(std::process::id(), libc::SIGKILL);
            Vec::new()
        });
        assert_eq!(killed.unwrap().end(), Err(Errno::ECHILD));
    }

    #[test]
    fn a_child_is_asked_once_or_not_at_all() {
        let begin = || Beside::begin(|question| [b"so: ", &question.wait().unwrap().0[..]].concat()).unwrap();
        let mut asked = begin();
        asked.ask(b"what").unwrap();
        asked.ask(b"ever").unwrap();
        assert_eq!((asked.end().unwrap(), begin().end().unwrap()), (b"so: what".to_vec(), b"so: ".to_vec()));
    }

    #[test]
    fn each_piece_is_taken_once() {
        const PIECES: usize = 1000;
        let mut beside = Beside::begin(|question| {
            let (text, turns) = question.wait().unwrap();
            let mut taken = text.clone();
            while let Some(piece) = taken.get_mut(turns.next()) {
                *piece = b'c';
            }
            taken
        })
        .unwrap();
        let mut taken = vec![b'-'; PIECES];
        beside.ask(&taken).unwrap();
        while let Some(piece) = taken.get_mut(beside.turns().next()) {
            *piece = b'p';
        }
        let others = beside.end().unwrap();
        assert_eq!(others.len(), PIECES);
        for (own, others) in taken.iter().zip(others) {
            assert!(matches!([*own, others], [b'p', b'-'] | [b'-', b'c']));
        }
    }

    #[test]
    fn a_child_for_which_nobody_waits_is_ended() {
        let start = Instant::now();
        drop(Beside::begin(|_| {
            std::thread::sleep(Duration::from_secs(600));
            Vec::new()
        }));
        assert!(start.elapsed() < Duration::from_secs(300));
    }
}
