//! shellcheck, if it is installed: it reads a script on its standard input, and no file of the directory.

use std::ffi::{CStr, OsStr};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::poll::{POLLIN, poll, watch};

use super::finding::{At, Findings, Severity};

/// How long it may take for a script.
const LIMIT: Duration = Duration::from_secs(20);

/// How many bytes of what it says are read.
const MOST: usize = 1 << 20;

/// Adds its errors and warnings, not what it has to say on style. `shell` is the dialect that the script is in.
pub(super) fn run(program: &CStr, at: At, shell: &str, text: &[u8], findings: &mut Findings) {
    // What dash knows is no mistake in a script for sh, which nearly everywhere knows it too.
    let shell = if shell == "sh" { "dash" } else { shell };
    let mut command = Command::new(OsStr::from_bytes(program.to_bytes()));
    // No settings of a directory that may be another's.
    // Nor what it says of files that a script reads, which it is not to look for.
    command.args(["--norc", "-f", "gcc", "-S", "warning", "-e", "SC1090,SC1091", "-s", shell, "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let said = command.spawn().and_then(|child| talk(child, text));
    match said {
        Ok(said) => said.lines().filter_map(read).for_each(|(line, severity, what)| {
            findings.add(at.line(line), severity, format!("{what} (shellcheck)"), String::new());
        }),
        Err(error) => findings.warning(at, format!("unable to run shellcheck: {error}"), ""),
    }
}

/// What it says of a text.
fn talk(mut child: Child, text: &[u8]) -> std::io::Result<String> {
    let (input, output) = (child.stdin.take(), child.stdout.take());
    let text = text.to_vec();
    // Beside the reading: neither waits for the other. It ends with the child, if not before.
    let writer = std::thread::spawn(move || input.map(|mut input| input.write_all(&text)));
    let said = output.map_or(Ok(Vec::new()), |output| read_until(output, Instant::now() + LIMIT));
    if said.is_err() {
        child.kill()?;
    }
    child.wait()?;
    // It may have read less: then it has said why.
    let _ = writer.join();
    Ok(String::from_utf8_lossy(&said?).into_owned())
}

fn read_until(mut output: std::process::ChildStdout, end: Instant) -> std::io::Result<Vec<u8>> {
    let (mut said, mut buffer) = (Vec::new(), [0; 4096]);
    while said.len() < MOST {
        let left = end.checked_duration_since(Instant::now()).ok_or(std::io::ErrorKind::TimedOut)?;
        let milliseconds = u64::try_from(left.as_millis()).unwrap_or(u64::MAX); // it is 20,000 at most
        let mut fds = [watch(std::os::fd::AsRawFd::as_raw_fd(&output), POLLIN)];
        poll(&mut fds, Some(milliseconds))?;
        if fds[0].revents == 0 {
            continue;
        }
        match output.read(&mut buffer)? {
            0 => break,
            count => said.extend_from_slice(&buffer[..count]),
        }
    }
    Ok(said)
}

/// A line of its, as `-:3:5: warning: text [SC2000]`.
fn read(line: &str) -> Option<(usize, Severity, &str)> {
    let (number, rest) = line.strip_prefix("-:")?.split_once(':')?;
    let (severity, what) = rest.split_once(": ")?.1.split_once(": ")?;
    let severity = match severity {
        "error" => Severity::Error,
        "warning" => Severity::Warning,
        _ => return None,
    };
    Some((number.parse().ok()?, severity, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_a_number_a_severity_and_a_text() {
        let line = "-:3:5: warning: Use cd ... || exit: or else. [SC2164]";
        assert_eq!(read(line), Some((3, Severity::Warning, "Use cd ... || exit: or else. [SC2164]")));
        assert_eq!(read("-:1:1: error: x [SC1000]"), Some((1, Severity::Error, "x [SC1000]")));
        assert_eq!(read("-:1:1: note: x [SC1000]"), None);
        assert_eq!(read("shellcheck: x"), None);
    }
}
