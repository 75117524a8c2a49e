//! What a supervisor would report of a service directory: the engine reads names and values here as it does there, and
//! what it says is taken from the standard error before anybody sees it.

use std::os::fd::{AsFd, AsRawFd};

use common::supervise::Part;
use common::{Exit, OrFail, Voice, fds};
use nix::fcntl::OFlag;
use nix::unistd::pipe2;

use super::file::Dir;
use super::finding::{At, Findings, Severity};
use crate::supervise::inspect;
use crate::svtree::timeout;

/// The standard error.
const STDERR: i32 = 2;

/// Adds what a supervisor would report of a service directory.
///
/// # Errors
/// Where the standard error cannot be replaced for a moment.
pub(super) fn look(directory: &Dir, part: Part, findings: &mut Findings) -> Result<(), Exit> {
    hear(directory, findings, |voice| inspect(&directory.fd, part, voice))
}

/// Adds what svtree would report of the files of a tree.
///
/// # Errors
/// As [`look`].
pub(super) fn look_at_tree(directory: &Dir, findings: &mut Findings) -> Result<(), Exit> {
    hear(directory, findings, |voice| {
        // What the limit is does not matter here.
        let _ = timeout(directory.fd.as_fd(), voice);
    })
}

fn hear(directory: &Dir, findings: &mut Findings, act: impl FnOnce(Voice)) -> Result<(), Exit> {
    let voice = Voice { called: b"", directory: b"", part: b"" };
    let said = overhear(|| act(voice)).or_fail("read what is reported")?;
    for line in said.split(|byte| *byte == b'\n') {
        let line = String::from_utf8_lossy(line);
        if let Some(text) = line.strip_prefix(": warning: ") {
            report(directory, text, findings);
        }
    }
    Ok(())
}

/// What is written to the standard error meanwhile, as far as a pipe holds it.
fn overhear(act: impl FnOnce()) -> nix::Result<Vec<u8>> {
    let before = fds::copy_from(std::io::stderr().as_fd(), STDERR + 1)?;
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
    fds::copy_to(writer.as_raw_fd(), STDERR)?;
    drop(writer);
    act();
    fds::copy_to(before.as_raw_fd(), STDERR)?;
    fds::read_up_to(&reader, usize::MAX)
}

/// Makes a finding of a message: of which file, what, and what to write.
fn report(directory: &Dir, text: &str, findings: &mut Findings) {
    let (file, severity, what, instead) = parts(text);
    let path = directory.at(file.as_bytes());
    findings.add(At::file(&path), severity, what, instead);
}

fn parts(text: &str) -> (&str, Severity, String, String) {
    if let Some((file, why)) = text.strip_prefix("ignoring ").and_then(|text| text.split_once(": ")) {
        return (file, Severity::Warning, "this file has no meaning".into(), why.into());
    }
    if let Some((file, errno)) = text.strip_prefix("unable to read ").and_then(|text| text.split_once(": ")) {
        return (file, Severity::Error, format!("unable to read it: {errno}"), String::new());
    }
    let (file, rest) = text.split_once(": ").unwrap_or(("", text));
    match rest.strip_suffix("; using the default").unwrap_or(rest).rsplit_once(": expected ") {
        Some((value, expected)) => (file, Severity::Error, value.into(), format!("write {expected}")),
        None => match rest.split_once("; ") {
            Some((what, instead)) if instead.starts_with("write ") => {
                (file, Severity::Warning, what.into(), instead.into())
            }
            _ => (file, Severity::Error, rest.into(), String::new()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_the_file_what_is_wrong_and_what_to_write() {
        use Severity::{Error, Warning};
        for (text, expected) in [
            (
                "restart-max: invalid value \"x\": expected a number; using the default",
                ("restart-max", Error, "invalid value \"x\"", "write a number"),
            ),
            (
                "ignoring timeout_kill: the file is called timeout-kill",
                ("timeout_kill", Warning, "this file has no meaning", "the file is called timeout-kill"),
            ),
            (
                "timeout-kill: 5 milliseconds leave no time to stop in; write 5s if seconds are meant",
                (
                    "timeout-kill",
                    Warning,
                    "5 milliseconds leave no time to stop in",
                    "write 5s if seconds are meant",
                ),
            ),
            (
                "unable to read operators: Is a directory; only root",
                ("operators", Error, "unable to read it: Is a directory; only root", ""),
            ),
            (
                "operators: unable to find group x: no such group; only root may",
                ("operators", Error, "unable to find group x: no such group; only root may", ""),
            ),
        ] {
            let (file, severity, what, instead) = parts(text);
            assert_eq!((file, severity, &*what, &*instead), expected);
        }
    }
}
