//! The bytes of a file in blocks of whole lines, from a place in it on, or from its end.

use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;

use memchr::{memchr, memrchr};

use super::unpack::Unpacked;

/// How long a block is at most. A longer line comes in pieces.
pub(super) const BLOCK: usize = 256 << 10;
/// How much is read first from the end.
const FIRST: usize = 32 << 10;

/// Where bytes come from.
#[derive(Debug)]
enum Input {
    /// From a place of a file up to another.
    File {
        file: File,
        at: u64,
        end: u64,
    },
    Unpacked(Unpacked),
}

impl Input {
    /// How much there is to read at most.
    fn rest(&self) -> usize {
        match self {
            Self::File { at, end, .. } => usize::try_from(*end - *at).unwrap_or(usize::MAX),
            Self::Unpacked(_) => usize::MAX,
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = self.rest().min(buffer.len());
        match self {
            Self::File { file, at, .. } => {
                let count = file.read_at(&mut buffer[..most], *at)?;
                *at += u64::try_from(count).unwrap_or(0);
                Ok(count)
            }
            Self::Unpacked(unpacked) => unpacked.read(buffer),
        }
    }
}

/// Blocks from the beginning to the end.
#[derive(Debug)]
pub(super) struct Forward {
    input: Input,
    buffer: Vec<u8>,
    filled: usize,
    /// The end of the block.
    given: usize,
}

impl Forward {
    /// Of a part of a file, as far as it is there.
    pub(super) fn of(file: File, from: u64, end: u64) -> Self {
        Self::new(Input::File { file, at: from.min(end), end })
    }

    /// Of what a program unpacks.
    pub(super) fn of_unpacked(unpacked: Unpacked) -> Self {
        Self::new(Input::Unpacked(unpacked))
    }

    fn new(input: Input) -> Self {
        Self { input, buffer: Vec::new(), filled: 0, given: 0 }
    }

    /// Reads the next block. False at the end.
    pub(super) fn advance(&mut self) -> io::Result<bool> {
        self.buffer.copy_within(self.given..self.filled, 0);
        self.filled -= self.given;
        self.given = 0;
        // Hundreds of logs may be read at once, of which only the ends are of interest.
        let size = self.filled.saturating_add(self.input.rest()).min(BLOCK);
        self.buffer.resize(size.max(self.buffer.len()), 0);
        loop {
            let count = match self.input.read(&mut self.buffer[self.filled..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            };
            let new = self.filled..self.filled + count;
            self.filled = new.end;
            match memrchr(b'\n', &self.buffer[new.clone()]) {
                Some(newline) => self.given = new.start + newline + 1,
                None if count > 0 && self.filled < self.buffer.len() => continue,
                None => self.given = self.filled,
            }
            return Ok(self.given > 0);
        }
    }

    /// The block.
    pub(super) fn block(&self) -> &[u8] {
        &self.buffer[..self.given]
    }
}

/// Reports the blocks of a part of a file from its end, each with its place, until that is enough.
pub(super) fn backward(
    file: &File,
    from: u64,
    end: u64,
    mut report: impl FnMut(u64, &[u8]) -> ControlFlow<()>,
) -> io::Result<()> {
    let mut buffer = vec![0; FIRST];
    let mut end = end;
    while end > from {
        let size = usize::try_from(end - from).unwrap_or(usize::MAX).min(buffer.len());
        let begin = end - u64::try_from(size).unwrap_or(0);
        let count = read(file, &mut buffer[..size], begin)?;
        let bytes = &buffer[..count];
        // The first line may have begun before.
        let first = match memchr(b'\n', bytes) {
            Some(newline) if begin > from && newline + 1 < count => newline + 1,
            _ => 0,
        };
        end = begin + u64::try_from(first).unwrap_or(0);
        if report(end, &bytes[first..]).is_break() {
            break;
        }
        buffer.resize(BLOCK, 0);
    }
    Ok(())
}

/// Where the last line ends in a part of a file: behind its newline. A line that fills a block counts without one.
pub(super) fn last_end(file: &File, from: u64, end: u64) -> io::Result<u64> {
    let mut buffer = vec![0; 4 << 10];
    let mut at = end;
    while at > from {
        let size = usize::try_from(at - from).unwrap_or(usize::MAX).min(buffer.len());
        let begin = at - u64::try_from(size).unwrap_or(0);
        let count = read(file, &mut buffer[..size], begin)?;
        if let Some(newline) = memrchr(b'\n', &buffer[..count]) {
            return Ok(begin + u64::try_from(newline).unwrap_or(0) + 1);
        }
        at = begin;
        if end - at >= u64::try_from(BLOCK).unwrap_or(0) {
            return Ok(end);
        }
    }
    Ok(from)
}

/// Fills the buffer from a place of a file, or as far as the file goes: it may have been truncated.
pub(super) fn read(file: &File, buffer: &mut [u8], from: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], from + u64::try_from(filled).unwrap_or(0)) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn file(text: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text).unwrap();
        file
    }

    /// Lines of all lengths, more than a few blocks, and a last one without a newline.
    fn text() -> Vec<u8> {
        let mut text = Vec::new();
        let mut number = 1u64;
        while text.len() < 3 * BLOCK {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            text.extend(vec![
                b'a' + u8::try_from(number >> 60).unwrap();
                usize::try_from(number >> 54).unwrap()
            ]);
            text.push(b'\n');
        }
        text.extend(b"the last");
        text
    }

    #[test]
    fn blocks_are_whole_lines_in_their_order_and_all_of_them() {
        let text = text();
        let mut forward = Forward::of(file(&text), 0, u64::MAX);
        let mut found = Vec::new();
        while forward.advance().unwrap() {
            found.extend(forward.block());
            assert!(found.len() == text.len() || found.ends_with(b"\n"));
        }
        assert!(found == text);
    }

    #[test]
    fn the_end_of_a_file_takes_no_more_memory_than_it_has() {
        let text = b"one\ntwo\nthree";
        let mut forward = Forward::of(file(text), 4, u64::try_from(text.len()).unwrap());
        assert!(forward.advance().unwrap() && forward.block() == b"two\n");
        assert!(forward.advance().unwrap() && forward.block() == b"three");
        assert!(!forward.advance().unwrap());
        assert_eq!(forward.buffer.len(), text.len() - 4);
    }

    #[test]
    fn blocks_from_the_end_are_the_same_lines() {
        let text = text();
        let mut blocks = Vec::new();
        let length = u64::try_from(text.len()).unwrap();
        backward(&file(&text), 0, length, |at, block| {
            let at = usize::try_from(at).unwrap();
            assert!(at == 0 || text[at - 1] == b'\n');
            assert!(&text[at..at + block.len()] == block);
            blocks.push(block.to_vec());
            ControlFlow::Continue(())
        })
        .unwrap();
        blocks.reverse();
        assert!(blocks.len() > 3 && blocks.concat() == text);
    }

    #[test]
    fn a_line_that_is_longer_than_a_block_comes_in_pieces() {
        let text = [&vec![b'x'; 2 * BLOCK + 7][..], b"\ny\n"].concat();
        let mut forward = Forward::of(file(&text), 0, u64::MAX);
        let mut sizes = Vec::new();
        while forward.advance().unwrap() {
            sizes.push(forward.block().len());
        }
        assert_eq!(sizes, [BLOCK, BLOCK, 10]);
        let mut found = 0;
        backward(&file(&text), 0, u64::try_from(text.len()).unwrap(), |_, block| {
            found += block.len();
            ControlFlow::Continue(())
        })
        .unwrap();
        assert_eq!(found, text.len());
    }

    #[test]
    fn the_last_line_ends_behind_its_newline() {
        let end =
            |text: &[u8], from| last_end(&file(text), from, u64::try_from(text.len()).unwrap()).unwrap();
        assert_eq!(end(b"", 0), 0);
        assert_eq!(end(b"a", 0), 0);
        assert_eq!(end(b"a\nb", 0), 2);
        assert_eq!(end(b"a\nb", 2), 2);
        assert_eq!(end(b"a\nb\n", 2), 4);
        let long = [&b"a\n"[..], &vec![b'x'; 2 * BLOCK]].concat();
        assert_eq!(end(&long, 0), u64::try_from(long.len()).unwrap());
    }
}
