//! The chain at the end of a simple run script: the last `exec` line, with what the lines before it do to the shell that
//! can be known without running them.

mod command;
mod lexer;
mod shell;

use std::collections::BTreeMap;

use command::Command;
use lexer::Lexer;
use shell::Shell;

/// What the shell does to itself before the chain.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Act {
    /// A fd becomes a copy of another.
    Copy { to: i32, from: i32 },
    /// A file is opened at a fd.
    Open { at: i32, how: How, file: Vec<u8> },
    /// A fd is closed.
    Close(i32),
    /// The working directory.
    Directory(Vec<u8>),
    /// The mask, in octal digits.
    Mask(Vec<u8>),
    /// A variable of the environment.
    Set(Vec<u8>, Vec<u8>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum How {
    Read,
    Write,
    Append,
    Both,
}

/// What is known of a script.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Script {
    pub(super) acts: Vec<Act>,
    /// The lines that are not run, as they begin, with their numbers.
    pub(super) left_out: Vec<(usize, String)>,
    /// The line of the chain, and its words.
    pub(super) line: usize,
    pub(super) words: Vec<Vec<u8>>,
    /// Whether the line is executed only under a condition.
    pub(super) conditional: bool,
}

/// Why there is no chain: the line, and what is wrong with it.
pub(super) type Refusal = (usize, String);

/// Reads a script; `variable` says what there is in the environment.
pub(super) fn read(text: &[u8], variable: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Result<Script, Refusal> {
    let mut commands = Lexer { text, at: 0, line: 1 }.commands()?;
    let is_exit = |command: &Command| command.name() == Some(b"exit") && command.is_sure();
    let end = commands.iter().position(is_exit).unwrap_or(commands.len());
    commands.truncate(end);
    let is_chain = |command: &Command| command.name() == Some(b"exec") && command.words.len() > 1;
    // Behind one that is executed in any case comes nothing.
    let first = commands.iter().position(|command| is_chain(command) && command.is_sure());
    let Some(last) = first.or_else(|| commands.iter().rposition(is_chain)) else {
        return Err((0, "there is no line that begins with exec and a program".into()));
    };
    let mut shell = Shell { variable: &variable, known: BTreeMap::new(), tainted: None, exports: false };
    let mut script = Script::default();
    for command in &commands[..last] {
        shell.run(command, &mut script)?;
    }
    let chain = &commands[last];
    if chain.piped {
        return Err((chain.line, "it is part of a pipeline, or runs in the background".into()));
    }
    script.line = chain.line;
    script.conditional = !chain.is_sure();
    shell.expand(chain, &mut script);
    for redirection in &chain.redirections {
        script.acts.push(shell.redirection(redirection, chain.line)?);
    }
    for (name, value) in &chain.assignments {
        script.acts.push(Act::Set(name.clone(), shell.one(value, chain.line)?));
    }
    for word in &chain.words[1..] {
        script.words.extend(shell.words(word, chain.line)?);
    }
    match script.words.first() {
        None => Err((chain.line, "exec has no words once its variables are known".into())),
        Some(first) if first.starts_with(b"-") => Err((chain.line, "options of exec are not known".into())),
        Some(_) => Ok(script),
    }
}

#[cfg(test)]
mod tests;
