//! One file that is executed.

use std::ffi::{CStr, CString};

use super::file::{Dir, Found, Text};
use super::finding::{At, Findings};
use super::{Checker, commands, sh, shellcheck};

/// Which script it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// One that becomes the service.
    Run,
    /// One that becomes the logger.
    Logger,
    /// One that does something and ends.
    Deed,
}

/// How long a first line may be: `BINPRM_BUF_SIZE` of Linux, less its end.
const FIRST_LINE: usize = 255;

/// Looks at a file that is executed by this name, if it is there; `cwd` is where it is executed.
pub(super) fn look(
    checker: &Checker,
    dir: &Dir,
    name: &CStr,
    cwd: &Dir,
    kind: Kind,
    findings: &mut Findings,
) {
    let path = dir.at(name.to_bytes());
    let at = At::file(&path);
    let file = match dir.look(name) {
        Found::Missing => return,
        Found::Other(what) => {
            return findings.error(at, format!("it is {what}"), "write an executable file here");
        }
        Found::Regular(file) => file,
    };
    if file.st_mode & 0o111 == 0 {
        findings.error(at, "it is not executable", format!("chmod +x {}", common::shown(&path)));
    }
    if file.st_mode & 0o002 != 0 {
        findings.error(
            at,
            "everybody may change what is executed",
            format!("chmod o-w {}", common::shown(&path)),
        );
    }
    let (text, whole) = match dir.text(name) {
        Text::Whole(text) => (text, true),
        Text::Beginning(text) => (text, false),
        Text::Unread(why) => return findings.warning(at, format!("it was not looked at: {why}"), ""),
    };
    let Some(shell) = interpreter(checker, at, &text, findings) else { return };
    if let Some(line) = text.split(|byte| *byte == b'\n').position(|line| line.ends_with(b"\r")) {
        // All that follows would be about commands with a carriage return.
        return findings.error(
            at.line(line + 1),
            "the line ends in a carriage return, which becomes part of its last word",
            "remove the line ends of DOS: sed -i 's/\\r$//'",
        );
    }
    // What stands behind the part that was read may be the end of a quote.
    if !whole {
        return;
    }
    if let Some(script) = sh::parse(&text) {
        commands::look(checker, cwd, at, &script, kind, findings);
    }
    if let Some(shellcheck) = &checker.shellcheck {
        shellcheck::run(shellcheck, at, shell, &text, findings);
    }
}

/// Looks at the first line; returns the shell that is to be known of the rest, if it is a script for one.
fn interpreter(checker: &Checker, at: At, text: &[u8], findings: &mut Findings) -> Option<&'static str> {
    if text.starts_with(b"\x7fELF") {
        return None;
    }
    let at = at.line(1);
    let Some(rest) = text.strip_prefix(b"#!") else {
        let what = match text {
            [] => "it is empty",
            [0xef, 0xbb, 0xbf, b'#', b'!', ..] => "a byte order mark stands in front of its first line",
            _ => "it has no first line that names an interpreter",
        };
        findings.error(at, what, "begin with #!/bin/sh");
        return None;
    };
    let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let carriage_return = line.ends_with(b"\r");
    if carriage_return {
        let what = "the line ends in a carriage return, which becomes part of the interpreter's name";
        findings.error(at, what, "remove the line ends of DOS: sed -i 's/\\r$//'");
        return None;
    }
    if line.len() + 2 > FIRST_LINE {
        let what = format!("the line is longer than {FIRST_LINE} bytes, of which the kernel reads no more");
        findings.error(at, what, "name a short path, and do the rest in the script");
        return None;
    }
    let mut words = line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty());
    let Some(interpreter) = words.next() else {
        findings.error(at, "it names no interpreter", "begin with #!/bin/sh");
        return None;
    };
    let arguments: Vec<&[u8]> = words.collect();
    let shown = common::shown(interpreter);
    if !interpreter.starts_with(b"/") {
        let what = format!("the interpreter {shown} is no absolute path, and searched nowhere");
        findings.error(at, what, "write its whole path, as #!/bin/sh");
        return None;
    }
    if checker.programs.find(interpreter).is_none() {
        let there = CString::new(interpreter).is_ok_and(|path| nix::sys::stat::stat(&*path).is_ok());
        let what = if there { "cannot be executed" } else { "does not exist" };
        findings.error(at, format!("the interpreter {shown} {what}"), "name one that is installed");
        return None;
    }
    let mut name = last_part(interpreter);
    if name == b"env" {
        // The last of several words is not what env gets: it gets all of them as one.
        let ([program] | [b"-S", program, ..]) = arguments[..] else { return None };
        if !program.contains(&b'=') && !program.starts_with(b"-") && checker.programs.find(program).is_none()
        {
            let what = format!("env will not find the interpreter {}", common::shown(program));
            findings.error(at, what, "name one that is installed");
            return None;
        }
        name = last_part(program);
    } else if name == b"busybox" && arguments == [b"sh"] {
        name = b"sh";
    } else if arguments.len() > 1 && shell(name).is_some() {
        let what = "the kernel gives all that follows the interpreter to it as one argument";
        findings.error(at, what, "write one word there, and the other options with set in the next line");
    }
    shell(name)
}

/// What follows the last slash.
pub(super) fn last_part(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

/// The dialect of a shell, as shellcheck calls it.
fn shell(name: &[u8]) -> Option<&'static str> {
    ["sh", "bash", "dash", "ksh"].into_iter().find(|shell| shell.as_bytes() == name).or(match name {
        b"ash" => Some("dash"),
        b"mksh" => Some("ksh"),
        _ => None,
    })
}
