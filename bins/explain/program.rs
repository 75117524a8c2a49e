//! Whether the program at the end of a chain would be executed, without doing so.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};

use common::exec::{directories, file_in};
use common::{Chain, Exit, fds, file, flaw, shown};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag};
use nix::sys::stat::{Mode, SFlag, fstat, stat};

use super::told::Found;

/// How much of a file is looked at: what a linker puts in front, with the mark of Go behind it.
const HEAD: usize = 1 << 16;

/// How many interpreters the kernel follows.
const DEPTH: usize = 4;

/// Looks for the program of `chain` as exec does, with the ids and the root that this process has now.
pub(super) fn look(chain: &Chain) -> Found {
    let words = chain.words.clone().map(|word| word.to_bytes().to_vec()).collect();
    let program = chain.file.or(chain.words.first()).unwrap_or_default();
    let mut room = Vec::new();
    let mut errno = Errno::ENOENT;
    let mut at = None;
    for directory in directories(program, chain.path()) {
        let candidate = file_in(directory, program, &mut room);
        match kind_of(candidate) {
            Ok(()) => {
                let mut found = Found { words, file: candidate.to_bytes().to_vec(), ..Found::default() };
                inspect(&mut found, candidate, 0);
                if found.status != 0 {
                    found.seen = complaint(chain, program, candidate, errno_of(found.status), &found.seen);
                }
                return found;
            }
            Err(Errno::EACCES) => (errno, at) = (Errno::EACCES, Some(candidate.to_owned())),
            Err(_) => {}
        }
    }
    let error = Exit::exec(program.to_bytes(), chain.root.map(CStr::to_bytes), errno);
    let hint = at.and_then(|file| flaw::of(AT_FDCWD, &file, errno));
    let seen = [error.text(), hint.map_or("", |_| ": "), hint.unwrap_or_default()].concat();
    Found { status: error.status(), words, seen, ..Found::default() }
}

fn errno_of(status: i32) -> Errno {
    if status == 127 { Errno::ENOENT } else { Errno::ENOEXEC }
}

fn complaint(chain: &Chain, program: &CStr, file: &CStr, errno: Errno, seen: &str) -> String {
    let error = Exit::exec(program.to_bytes(), chain.root.map(CStr::to_bytes), errno);
    let hint = flaw::of(AT_FDCWD, file, errno).unwrap_or(seen);
    [error.text(), ": ", hint].concat()
}

/// Whether exec would take this file: EACCES where it is there and may not be executed.
fn kind_of(path: &CStr) -> nix::Result<()> {
    let found = stat(path)?;
    if fds::is(&found, SFlag::S_IFREG) { file::may_be_executed(path) } else { Err(Errno::EACCES) }
}

/// Looks at what the file is, and at what the kernel needs for it.
fn inspect(found: &mut Found, path: &CStr, depth: usize) {
    found.runs = path.to_bytes().to_vec();
    let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let opened = fds::open(AT_FDCWD, path, flags, Mode::empty());
    let Ok(open) = opened else {
        say(found, "may be executed but not read, so that what it needs is not known");
        return;
    };
    if depth == 0 {
        found.gives_rights =
            fstat(&open).is_ok_and(|stat| stat.st_mode & 0o6000 != 0) || has_capabilities(&open);
    }
    let head = fds::read_up_to(open.as_fd(), HEAD).unwrap_or_default();
    if let Some(line) = head.strip_prefix(b"#!") {
        return script(found, line, depth);
    }
    if !head.starts_with(b"\x7fELF") {
        found.status = 126;
        return say(found, "no program that the kernel knows");
    }
    found.is_go = head.windows(13).any(|window| window == b"Go build ID: ");
    match loader(&head) {
        None => say(found, "a static program"),
        Some(loader) => {
            let there = kind_of(&loader).is_ok();
            let path = shown(loader.to_bytes()).to_string();
            if !there {
                found.status = 127;
            }
            say(found, &["its loader ", &path, if there { " is there" } else { " is not there" }].concat());
        }
    }
}

fn say(found: &mut Found, text: &str) {
    let between = if found.seen.is_empty() { "" } else { ", " };
    found.seen.extend([between, text]);
}

fn script(found: &mut Found, line: &[u8], depth: usize) {
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let word =
        line.split(|byte| matches!(byte, b' ' | b'\t')).find(|word| !word.is_empty()).unwrap_or_default();
    if word.is_empty() || depth >= DEPTH {
        found.status = 126;
        return say(found, "its first line names no interpreter");
    }
    let name = shown(word).to_string();
    let Ok(path) = CString::new(word) else { return };
    match kind_of(&path) {
        Ok(()) => {
            say(found, &["its interpreter ", &name, " is there"].concat());
            inspect(found, &path, depth + 1);
        }
        Err(errno) => {
            found.status = if errno == Errno::EACCES { 126 } else { 127 };
            say(found, &["its interpreter ", &name, " is not there"].concat());
        }
    }
}

fn has_capabilities(open: &OwnedFd) -> bool {
    common::identity::gives_rights_away(open).unwrap_or(false)
}

/// The loader that an ELF file names, by its program headers.
fn loader(head: &[u8]) -> Option<CString> {
    const INTERPRETER: u64 = 3;
    let (wide, little) = (head.get(4)? == &2, head.get(5)? == &1);
    let number = |at: usize, size: usize| {
        let bytes = head.get(at..at.checked_add(size)?)?;
        let fold = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        let value = if little { bytes.iter().rev().fold(0, fold) } else { bytes.iter().fold(0, fold) };
        usize::try_from(value).ok()
    };
    let (word, table, size, count) = if wide { (8, 32, 54, 56) } else { (4, 28, 42, 44) };
    let (table, size, count) = (number(table, word)?, number(size, 2)?, number(count, 2)?);
    let entry = |at: usize| table.checked_add(at.checked_mul(size)?);
    let is_interpreter = |at: &usize| number(*at, 4).is_some_and(|kind| kind as u64 == INTERPRETER);
    let entry = (0..count).filter_map(entry).find(is_interpreter)?;
    let (offset, length) = if wide { (8, 32) } else { (4, 16) };
    let (offset, length) = (number(entry + offset, word)?, number(entry + length, word)?);
    let path = head.get(offset..offset.checked_add(length)?)?;
    CString::new(path.split(|byte| *byte == 0).next()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loader_of_this_program_is_found() {
        let head = std::fs::read("/proc/self/exe").unwrap();
        let found = loader(&head[..HEAD.min(head.len())]);
        if cfg!(target_env = "gnu") {
            assert!(found.unwrap().to_str().unwrap().contains("ld-linux"));
        }
        for length in 0..200 {
            let _ = loader(&head[..length]);
        }
        let mut broken = head[..4096].to_vec();
        for at in 0..broken.len().min(600) {
            let before = std::mem::replace(&mut broken[at], 0xff);
            let _ = loader(&broken);
            broken[at] = before;
        }
    }
}
