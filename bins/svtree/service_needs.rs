//! The file `needs` of a service.

use std::os::fd::BorrowedFd;

use common::Voice;
use common::door::{self, Owner};
use nix::errno::Errno;

/// How long it is as a rule, and how long it may be.
const USUAL: usize = 1 << 10;
const MOST: usize = 1 << 20;

/// The file `needs` of a service; empty where there is none. One that cannot be read is reported.
pub(crate) fn read(directory: BorrowedFd, voice: Voice) -> Vec<u8> {
    let read = |buffer: &mut [u8]| door::read_file(directory, c"needs", Owner::Any, buffer).map(<[u8]>::len);
    let mut usual = [0; USUAL]; // most services have none: nothing is allocated for them
    let mut long = Vec::new();
    let mut buffer = &mut usual[..];
    loop {
        match read(buffer) {
            Ok(length) if length < buffer.len() => return buffer[..length].to_vec(),
            Ok(_) if buffer.len() < MOST => {
                long.resize(MOST, 0);
                buffer = &mut long;
            }
            Ok(_) => {
                voice.unable_so(&[b"read needs"], Errno::EFBIG, b"the rest is not waited for");
                // The last may not be whole.
                let whole = buffer.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
                return buffer[..whole].to_vec();
            }
            Err(Errno::ENOENT) => return Vec::new(),
            Err(errno) => {
                voice.unable_so(&[b"read needs"], errno, b"starting without what it needs");
                return Vec::new();
            }
        }
    }
}

/// The names in it, one a line.
pub(crate) fn names(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn a_file_is_read_to_its_end_and_of_one_without_end_the_whole_lines() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = std::fs::File::open(scratch.path()).unwrap();
        let voice = Voice { called: b"svtree", directory: b"", part: b"" };
        let found = |count: usize| {
            let text: Vec<String> = (0..count).map(|i| format!("name{i:08}")).collect();
            std::fs::write(scratch.path().join("needs"), text.join("\n")).unwrap();
            let text = super::read(directory.as_fd(), voice);
            assert!(names(&text).all(|name| name.len() == 12));
            names(&text).count()
        };
        assert_eq!([0, 1, 1000, 10_000].map(found), [0, 1, 1000, 10_000]);
        assert_eq!(found(1_000_000), (1 << 20) / 13);
    }

    #[test]
    fn a_line_is_a_name_and_blank_ones_are_none() {
        let list = |text| names(text).collect::<Vec<_>>();
        assert_eq!(list(b"db\n\n  cache \nlast"), [&b"db"[..], b"cache", b"last"]);
        assert!(list(b"\n \n").is_empty());
    }
}
