//! One service directory.

use std::ffi::CString;

use common::supervise::Part;
use common::{Exit, OrFail, fds, shown};
use nix::sys::stat::fstat;

use super::file::{Dir, Found};
use super::finding::{At, Findings};
use super::script::{self, Kind};
use super::{Checker, engine};
use crate::supervise::file_names;
use crate::svctl::help::distance;

/// The files that are executed.
const SCRIPTS: [(&[u8], Kind); 5] = [
    (b"run", Kind::Run),
    (b"setup", Kind::Deed),
    (b"finish", Kind::Deed),
    (b"check", Kind::Deed),
    (b"reload", Kind::Deed),
];
/// Those that count if they are there, whatever they are.
const SWITCHES: [&[u8]; 3] = [b"down", b"sd-notify", b"essential"];
/// The commands that have a control script.
const CONTROLS: &[u8] = b"tkpchaiq12dxu";

/// Looks at all that a supervisor would use of a service directory.
///
/// # Errors
/// Where this process cannot do its work.
pub(super) fn look(checker: &Checker, dir: &Dir, findings: &mut Findings) -> Result<(), Exit> {
    let here = At::file(&dir.path);
    if !is_service(dir) {
        let instead = "write run, an executable script that ends in exec and the program";
        findings.error(here, "there is neither run nor setup", instead);
    }
    look_at_mode(dir, findings)?;
    for (name, kind) in SCRIPTS {
        script::look(checker, dir, &c_string(name), dir, kind, findings);
    }
    look_at_control(checker, dir, findings);
    if values_may_be_read(dir, findings) {
        engine::look(dir, Part::Service, findings)?;
    }
    look_at_meanings(dir, findings);
    look_at_names(dir, findings);
    look_at_log(checker, dir, findings)
}

/// Whether there is something to run in a directory.
pub(super) fn is_service(dir: &Dir) -> bool {
    dir.has(c"run") || dir.has(c"setup")
}

/// A name of a directory, or of ours, none of which has a NUL.
pub(super) fn c_string(name: &[u8]) -> CString {
    CString::new(name).unwrap_or_default()
}

fn look_at_mode(dir: &Dir, findings: &mut Findings) -> Result<(), Exit> {
    let mode = fstat(&dir.fd).or_fail(format_args!("look at {}", shown(&dir.path)))?.st_mode;
    if mode & 0o002 != 0 {
        let instead = format!("chmod o-w {}", shown(&dir.path));
        findings.error(At::file(&dir.path), "everybody may put another run here", instead);
    }
    Ok(())
}

fn look_at_control(checker: &Checker, dir: &Dir, findings: &mut Findings) {
    let path = dir.at(b"control");
    let control = match dir.look(c"control") {
        Found::Missing => return,
        Found::Regular(_) => {
            return findings.error(At::file(&path), "it is a file", "make it a directory with the scripts");
        }
        Found::Other(_) => dir.enter(c"control"),
    };
    let Ok(control) = control else {
        return findings.error(At::file(&path), "it cannot be opened as a directory", "make it one");
    };
    for name in names(&control) {
        let path = control.at(&name);
        match name[..] {
            [letter] if CONTROLS.contains(&letter) => {
                script::look(checker, &control, &c_string(&name), dir, Kind::Deed, findings);
            }
            _ => {
                let instead = "it may be t, k, p, c, h, a, i, q, 1, 2, d, x or u";
                findings.warning(At::file(&path), "no command has a control script of this name", instead);
            }
        }
    }
}

/// The names in a directory, in their order; none where it cannot be read, as with mode 0311.
pub(super) fn names(dir: &Dir) -> Vec<Vec<u8>> {
    let mut names = Vec::new();
    let read =
        fds::each_name(std::os::fd::AsFd::as_fd(&dir.fd), |name| names.push(name.to_bytes().to_owned()));
    if read.is_err() {
        names.clear();
    }
    names.sort();
    names
}

/// Whether all files with a value are such that a supervisor's way to read them may be tried; what is not, is reported.
fn values_may_be_read(dir: &Dir, findings: &mut Findings) -> bool {
    let mut all = true;
    let is_value = |name: &&[u8]| {
        !SCRIPTS.iter().any(|(script, _)| script == name) && !SWITCHES.contains(name) && *name != b"control"
    };
    for name in file_names().filter(is_value) {
        let path = dir.at(name);
        match dir.look(&c_string(name)) {
            Found::Missing => continue,
            Found::Regular(file) if dir.may_be_read(&file) => continue,
            Found::Regular(_) => {
                let what = "it leads to a file of another owner, which not everybody may read";
                findings.error(At::file(&path), what, "write a file with the value");
            }
            Found::Other(what) => {
                findings.error(At::file(&path), format!("it is {what}"), "write a file with the value");
            }
        }
        all = false;
    }
    all
}

/// Files that have no meaning without another one.
fn look_at_meanings(dir: &Dir, findings: &mut Findings) {
    let (fd, socket) = (dir.has(c"notification-fd"), dir.has(c"sd-notify"));
    for (name, counts, needs) in [
        (&b"timeout-ready"[..], fd || socket, "notification-fd or sd-notify"),
        (b"watchdog", socket, "sd-notify"),
        (b"timeout-setup", dir.has(c"setup"), "setup"),
    ] {
        if !counts && dir.has(&c_string(name)) {
            let path = dir.at(name);
            findings.warning(At::file(&path), "this file has no meaning here", format!("it needs {needs}"));
        }
    }
}

/// Names that are nearly those of files with a meaning; the engine knows those that differ in case and in what parts the
/// words.
fn look_at_names(dir: &Dir, findings: &mut Findings) {
    for name in names(dir) {
        let is_word = |byte: &u8| byte.is_ascii_alphabetic() || b"-_".contains(byte);
        let Some(text) = std::str::from_utf8(&name).ok().filter(|_| name.iter().all(is_word)) else {
            continue;
        };
        if file_names().any(|known| known == name) {
            continue;
        }
        let letters = |text: &str| text.replace(['-', '_'], "").to_lowercase();
        let is_near = |known: &&str| {
            known.len() >= 5
                && known.as_bytes().first() == name.first()
                && letters(known) != letters(text)
                && distance(text, known) == 1
        };
        let mut known = file_names().filter_map(|known| std::str::from_utf8(known).ok());
        if let Some(near) = known.find(is_near) {
            let path = dir.at(&name);
            findings.warning(At::file(&path), "this file has no meaning", format!("did you mean {near}?"));
        }
    }
}

fn look_at_log(checker: &Checker, dir: &Dir, findings: &mut Findings) -> Result<(), Exit> {
    let path = dir.at(b"log");
    let log = match dir.look(c"log") {
        Found::Missing => return Ok(()),
        Found::Regular(_) => None,
        Found::Other(_) => dir.enter(c"log").ok(), // what it is else, is said below
    };
    let Some(log) = log else {
        findings.error(At::file(&path), "it is no directory", "make it the directory of the logger");
        return Ok(());
    };
    look_at_mode(&log, findings)?;
    if !log.has(c"run") {
        let path = log.at(b"run");
        let instead = "write run of the logger, or remove the directory log";
        findings.error(At::file(&path), "it is missing, so that nothing reads the log", instead);
    }
    script::look(checker, &log, c"run", &log, Kind::Logger, findings);
    engine::look(&log, Part::Log, findings)
}
