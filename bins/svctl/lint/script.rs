//! One file that is executed.

use std::ffi::{CStr, CString};

use common::Exit;
use common::credentials::{Account, Groups};

use super::chain::{Chain, Role};
use super::file::{Dir, Found, Text};
use super::finding::{At, Findings};
use super::logs;
use super::sh::{self, Certainty, List, Simple, Word};
use super::tail::{self, Flaw};
use super::{Checker, shellcheck};

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

/// Looks at a file that is executed by this name, if it is there.
pub(super) fn look(checker: &Checker, dir: &Dir, name: &CStr, kind: Kind, findings: &mut Findings) {
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
        look_at_commands(checker, dir, at, &script, kind, findings);
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
        let program = match arguments[..] {
            [program] => program,
            [b"-S", program, ..] => program,
            _ => return None,
        };
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

fn last_part(path: &[u8]) -> &[u8] {
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

/// What was seen of a script up to a command.
#[derive(Default)]
struct Before {
    /// All literal words of the commands before: what is named in them may be made or looked for there.
    words: Vec<Vec<u8>>,
    /// The working directory may be another one.
    moved: bool,
    /// PATH may be another one.
    path: bool,
}

impl Before {
    fn mentions(&self, word: &Word) -> bool {
        let name = last_part(&word.text);
        let text = &word.text[..];
        // `a:b` is an account with a group.
        let user = text.split(|byte| *byte == b':').next().unwrap_or_default();
        let is = |known: &Vec<u8>| known == text || known == user || last_part(known) == name;
        self.words.iter().any(is)
    }

    fn add(&mut self, simple: &Simple) {
        self.path |= simple.assignments.iter().any(|word| word.text.starts_with(b"PATH="));
        let mut words = simple.words.iter();
        if let Some(first) = words.clone().next() {
            match &*first.text {
                b"." | b"source" | b"eval" => self.path = true,
                b"export" => self.path |= words.any(|word| word.text.starts_with(b"PATH=")),
                b"cd" | b"pushd" => self.moved = true,
                _ => {}
            }
        }
        self.words
            .extend(simple.words.iter().filter(|word| !word.text.is_empty()).map(|word| word.text.clone()));
    }
}

fn look_at_commands(
    checker: &Checker,
    dir: &Dir,
    at: At,
    script: &List,
    kind: Kind,
    findings: &mut Findings,
) {
    if kind != Kind::Deed {
        for flaw in tail::flaws(script) {
            match flaw {
                Flaw::NoExec(word) => {
                    let program = common::shown(&word.text);
                    let what = format!(
                        "the shell waits for {program}, and gets the signals and the supervision in its place"
                    );
                    findings.warning(at.line(word.line), what, format!("write exec in front of {program}"));
                }
                Flaw::Background(line) => findings.error(
                    at.line(line),
                    "the last command is in the background: the script ends at once, and is started again",
                    "write exec in front of it, and no & behind it",
                ),
            }
        }
    }
    let functions = sh::functions(script);
    let mut before = Before::default();
    sh::each(script, Certainty::Always, &mut |simple, certainty| {
        if certainty == Certainty::Always {
            look_at_command(checker, dir, at, simple, &before, &functions, kind, findings);
        }
        before.add(simple);
    });
}

#[allow(clippy::too_many_arguments, reason = "what is looked at, and what is known of it")]
fn look_at_command(
    checker: &Checker,
    dir: &Dir,
    at: At,
    simple: &Simple,
    before: &Before,
    functions: &[&[u8]],
    kind: Kind,
    findings: &mut Findings,
) {
    let (words, execs) = match simple.words.split_first() {
        Some((first, rest)) if first.plain && first.text == b"exec" => (rest, true),
        Some(_) => (&simple.words[..], false),
        None => return,
    };
    let first = match words.first() {
        Some(first) if first.literal && !first.text.starts_with(b"-") => first,
        _ => return,
    };
    // Without exec it may be a command of the shell, and one that is not there may be meant so.
    if !execs && (tail::is_of_shell(&first.text) || functions.contains(&&*first.text)) {
        return;
    }
    let chain = Chain::read(words);
    let mut path = before.path || simple.assignments.iter().any(|word| word.text.starts_with(b"PATH="));
    for (role, word) in &chain.words {
        let shown = common::shown(&word.text);
        let at = at.line(word.line);
        let relative = !word.text.starts_with(b"/");
        if before.mentions(word) {
            continue;
        }
        match role {
            Role::Account => account(at, word, findings),
            Role::Variables if relative && before.moved => path = true,
            Role::Variables => match dir.to(&word.text) {
                Ok(variables) => path |= variables.has(c"PATH"),
                Err(_) => {
                    let what = format!("there is no directory {shown}");
                    findings.error(at, what, "make it, or leave out what reads it");
                }
            },
            Role::Program if !word.text.contains(&b'/') => {
                if !path && checker.programs.find(&word.text).is_none() {
                    let what = format!("there is no program {shown} in PATH");
                    findings.warning(at, what, "install it, or write its whole path");
                }
            }
            Role::Program if relative => {
                let name = CString::new(&*word.text).unwrap_or_default(); // a word of a file with a NUL is nowhere
                if !before.moved && !matches!(dir.look(&name), Found::Regular(_)) {
                    let what = format!("there is no {shown} in the service directory");
                    findings.error(at, what, "make it, or write the path of another program");
                }
            }
            Role::Program => {
                if checker.programs.find(&word.text).is_none() {
                    findings.error(
                        at,
                        format!("there is no program {shown}"),
                        "install it, or correct the path",
                    );
                }
            }
        }
    }
    if kind == Kind::Logger {
        let is_known = |word: &Word| before.mentions(word) || before.moved && !word.text.starts_with(b"/");
        logs::look(dir, at, &chain, &is_known, findings);
    }
}

/// Looks an account up, as the link will.
fn account(at: At, word: &Word, findings: &mut Findings) {
    let Ok(name) = CString::new(&*word.text) else { return }; // no word of a shell has a NUL
    if let Err(error) = Account::find(&name, Groups::Listed) {
        findings.error(at, error.text(), hint(&error));
    }
}

fn hint(error: &Exit) -> String {
    let hint = error.second_line().unwrap_or("make the account, or name another one");
    hint.to_owned()
}
