//! The file `needs` of a service.

use std::os::fd::BorrowedFd;

use common::Voice;
use common::door::{self, Owner};
use nix::errno::Errno;

/// How much of it is read.
const SIZE: usize = 8192;

/// The file `needs` of a service; empty where there is none. One that cannot be read is reported.
pub(super) fn read(directory: BorrowedFd, voice: Voice) -> Vec<u8> {
    let mut buffer = [0; SIZE];
    match door::read_file(directory, c"needs", Owner::Any, &mut buffer) {
        Ok(text) => text.to_vec(),
        Err(Errno::ENOENT) => Vec::new(),
        Err(errno) => {
            voice.unable_so(&[b"read needs"], errno, b"starting without what it needs");
            Vec::new()
        }
    }
}

/// The names in it, one a line.
pub(super) fn names(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_name_and_blank_ones_are_none() {
        let list = |text| names(text).collect::<Vec<_>>();
        assert_eq!(list(b"db\n\n  cache \nlast"), [&b"db"[..], b"cache", b"last"]);
        assert!(list(b"\n \n").is_empty());
    }
}
