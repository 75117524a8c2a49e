//! The commands of a script: how it ends, and what its command lines name.

use std::ffi::CString;

use common::credentials::{Account, Groups};
use common::shown;

use super::chain::{Chain, Role};
use super::file::{Dir, Found};
use super::finding::{At, Findings};
use super::script::{Kind, last_part};
use super::sh::{self, Certainty, List, Simple, Word};
use super::tail::{self, Flaw};
use super::{Checker, logs};

/// Looks at the commands of a script that is executed in the directory `cwd`.
pub(super) fn look(checker: &Checker, cwd: &Dir, at: At, script: &List, kind: Kind, findings: &mut Findings) {
    if kind != Kind::Deed {
        for flaw in tail::flaws(script) {
            report(at, &flaw, findings);
        }
    }
    let mut commands =
        Commands { checker, cwd, at, kind, functions: sh::functions(script), before: Before::default() };
    sh::each(script, Certainty::Always, &mut |simple, certainty| {
        if certainty == Certainty::Always && !commands.before.ended {
            commands.look(simple, findings);
            commands.before.ended =
                simple.words.first().is_some_and(|word| word.plain && word.text == b"exit");
        }
        commands.before.add(simple);
    });
}

/// Reports how a script ends.
fn report(at: At, flaw: &Flaw, findings: &mut Findings) {
    match flaw {
        Flaw::NoExec(word) => {
            let program = shown(&word.text);
            let what = format!(
                "the shell waits for {program}, and gets the signals and the supervision in its place"
            );
            findings.warning(at.line(word.line), what, format!("write exec in front of {program}"));
        }
        Flaw::Background(line) => findings.error(
            at.line(*line),
            "the last command is in the background: the script ends at once, and is started again",
            "write exec in front of it, and no & behind it",
        ),
    }
}

/// What was seen of a script up to a command.
#[derive(Default)]
struct Before {
    /// All words of the commands before: what is named in them may be made or looked for there.
    words: Vec<Vec<u8>>,
    /// The working directory may be another one.
    moved: bool,
    /// PATH may be another one.
    path: bool,
    /// The script has ended.
    ended: bool,
}

impl Before {
    fn mentions(&self, word: &Word) -> bool {
        let text = &word.text[..];
        // `a:b` is an account with a group.
        let user = text.split(|byte| *byte == b':').next().unwrap_or_default();
        let is = |known: &Vec<u8>| known == text || known == user || last_part(known) == last_part(text);
        self.words.iter().any(is)
    }

    fn add(&mut self, simple: &Simple) {
        self.path |= sets_path(&simple.assignments);
        match simple.words.first().map(|first| &*first.text) {
            Some(b"." | b"source" | b"eval") => self.path = true,
            Some(b"export") => self.path |= sets_path(&simple.words),
            Some(b"cd" | b"pushd") => self.moved = true,
            _ => {}
        }
        let named = simple.words.iter().filter(|word| !word.text.is_empty());
        self.words.extend(named.map(|word| word.text.clone()));
    }
}

fn sets_path(words: &[Word]) -> bool {
    words.iter().any(|word| word.text.starts_with(b"PATH="))
}

/// The commands of a script.
struct Commands<'a> {
    checker: &'a Checker,
    cwd: &'a Dir,
    at: At<'a>,
    kind: Kind,
    functions: Vec<&'a [u8]>,
    before: Before,
}

impl Commands<'_> {
    fn look(&self, simple: &Simple, findings: &mut Findings) {
        let (words, execs) = match simple.words.split_first() {
            Some((first, rest)) if first.plain && first.text == b"exec" => (rest, true),
            _ => (&simple.words[..], false),
        };
        let Some(first) = words.first().filter(|word| word.literal && !word.text.starts_with(b"-")) else {
            return;
        };
        // Without exec it may be a command of the shell.
        if !execs && (tail::is_of_shell(&first.text) || self.functions.contains(&&*first.text)) {
            return;
        }
        let chain = Chain::read(words);
        let mut path = self.before.path || sets_path(&simple.assignments);
        for (role, word) in &chain.words {
            if self.before.mentions(word) {
                continue;
            }
            let at = self.at.line(word.line);
            match role {
                Role::Account => look_up(at, word, findings),
                Role::Variables => path |= self.may_set_path(at, word, findings),
                Role::Program if path && !word.text.contains(&b'/') => {}
                Role::Program => self.look_for(at, word, findings),
            }
        }
        if self.kind == Kind::Logger {
            let is_known = |word: &Word| self.before.mentions(word) || self.is_elsewhere(word);
            logs::look(self.cwd, self.at, &chain, &is_known, findings);
        }
    }

    /// Whether a path leads from another directory than the script was started in.
    fn is_elsewhere(&self, word: &Word) -> bool {
        self.before.moved && !word.text.starts_with(b"/")
    }

    /// Whether PATH may be among the variables of a directory, which has to be there.
    fn may_set_path(&self, at: At, word: &Word, findings: &mut Findings) -> bool {
        if self.is_elsewhere(word) {
            return true;
        }
        if let Ok(variables) = self.cwd.to(&word.text) {
            return variables.has(c"PATH");
        }
        let what = format!("there is no directory {}", shown(&word.text));
        findings.error(at, what, "make it, or leave out what reads it");
        false
    }

    /// Looks for a program.
    fn look_for(&self, at: At, word: &Word, findings: &mut Findings) {
        let program = shown(&word.text);
        if !word.text.contains(&b'/') {
            if self.checker.programs.find(&word.text).is_none() {
                let what = format!("there is no program {program} in PATH");
                findings.warning(at, what, "install it, or write its whole path");
            }
        } else if word.text.starts_with(b"/") {
            if self.checker.programs.find(&word.text).is_none() {
                findings.error(
                    at,
                    format!("there is no program {program}"),
                    "install it, or correct the path",
                );
            }
        } else if !self.before.moved {
            let name = CString::new(&*word.text).unwrap_or_default(); // no file has a name with a NUL
            if !matches!(self.cwd.look(&name), Found::Regular(_)) {
                let what = format!("there is no {program} in {}", shown(&self.cwd.path));
                findings.error(at, what, "make it, or write the path of another program");
            }
        }
    }
}

/// Looks an account up, as the link will.
fn look_up(at: At, word: &Word, findings: &mut Findings) {
    let name = CString::new(&*word.text).unwrap_or_default(); // no account has a name with a NUL
    if let Err(error) = Account::find(&name, Groups::Listed) {
        findings.error(
            at,
            error.text(),
            error.second_line().unwrap_or("make the account, or name another one"),
        );
    }
}
