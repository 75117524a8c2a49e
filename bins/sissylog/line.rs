//! A line on its way, piece by piece.

use super::header::Header;
use super::message::{Message, push};

/// A line, or the part of it that has been seen; places are in the bytes of the input.
pub(super) struct Line {
    level: u8,
    /// Whether a piece of it has been sent.
    continued: bool,
    /// Where the next piece begins.
    next: usize,
    /// Where the one after it begins, once the next is in the message.
    after: usize,
    /// Where its text ends.
    end: usize,
    /// How much is taken from the input once it is sent.
    size: usize,
}

impl Line {
    /// A line of `size` bytes of the input, with its text at `next..end`.
    pub(super) fn new(level: u8, continued: bool, next: usize, end: usize, size: usize) -> Self {
        Self { level, continued, next, after: next, end, size }
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Writes the next piece, with a text of `limit` bytes at most, unless `message` has it already. False if
    /// there is none.
    pub(super) fn write_piece(
        &mut self,
        message: &mut Message,
        header: &mut Header,
        input: &[u8],
        limit: usize,
    ) -> bool {
        if self.next == self.end {
            return false;
        }
        if message.bytes().is_empty() {
            header.write(message, self.level);
            if self.continued {
                message.add("+");
            }
            let room = limit - usize::from(self.continued);
            self.after = self.next + push(message, &input[self.next..self.end], room);
            message.add("\0");
        }
        true
    }

    /// The piece in the message was sent.
    pub(super) fn piece_sent(&mut self) {
        (self.next, self.continued) = (self.after, true);
    }
}
