//! What the shell has become before the chain, as far as that can be known.

use std::collections::BTreeMap;

use super::command::{Command, Piece, Pieces, Redirection, assignment, begins};
use super::{Act, How, Refusal, Script};

/// A variable: its value, or the line from which on nobody knows it; and whether it is in the environment.
#[derive(Clone)]
pub(super) struct Known {
    value: Result<Vec<u8>, usize>,
    exported: bool,
}

pub(super) struct Shell<'a> {
    pub(super) variable: &'a dyn Fn(&[u8]) -> Option<Vec<u8>>,
    pub(super) known: BTreeMap<Vec<u8>, Known>,
    /// The line from which on any variable may have any value, as of a file that is read.
    pub(super) tainted: Option<usize>,
    /// Whether every variable that is set from here on is exported: `set -a`.
    pub(super) exports: bool,
}

impl Shell<'_> {
    /// What a command does to the shell; one that is not known is left out.
    pub(super) fn run(&mut self, command: &Command, script: &mut Script) -> Result<(), Refusal> {
        let (line, sure) = (command.line, command.is_sure());
        self.expand(command, script);
        if command.words.is_empty() {
            for (name, value) in &command.assignments {
                let value = if sure { self.one(value, line).map_err(|_| line) } else { Err(line) };
                self.assign(name, value, line, script);
            }
            return Ok(());
        }
        let words: Option<Vec<Vec<u8>>> =
            command.words[1..].iter().map(|word| self.one(word, line).ok()).collect();
        match (command.name().unwrap_or_default(), words.as_deref()) {
            (b"exec", _) if sure && command.words.len() == 1 => {
                for redirection in &command.redirections {
                    script.acts.push(self.redirection(redirection, line)?);
                }
            }
            (b"set", Some(options)) if sure => {
                for option in options.iter().take_while(|option| *option != b"--") {
                    match &option[..] {
                        b"allexport" => self.exports = !options.contains(&b"+o".to_vec()),
                        [b'-', letters @ ..] if letters.contains(&b'a') => self.exports = true,
                        [b'+', letters @ ..] if letters.contains(&b'a') => self.exports = false,
                        _ => {}
                    }
                }
            }
            (b"set" | b":" | b"true" | b"echo" | b"printf" | b"exit" | b"test" | b"[" | b"sleep", _) => {}
            (b"cd", Some([directory])) if sure && !matches!(directory[..], [] | [b'-', ..]) => {
                script.acts.push(Act::Directory(directory.clone()));
            }
            (b"umask", Some([mask])) if sure && mask.iter().all(u8::is_ascii_digit) => {
                script.acts.push(Act::Mask(mask.clone()));
            }
            (b"readonly", Some([first, ..])) if sure && !first.starts_with(b"-") => {
                for (name, value) in command.words[1..].iter().filter_map(assignment) {
                    let value = self.one(&value, line).map_err(|_| line);
                    self.assign(&name, value, line, script);
                }
            }
            (b"export", words) if sure && !words.is_some_and(|words| words[0].starts_with(b"-")) => {
                for word in &command.words[1..] {
                    match (assignment(word), &word[..]) {
                        (Some((name, value)), _) => {
                            let value = self.one(&value, line).map_err(|_| line);
                            self.export(&name);
                            self.assign(&name, value, line, script);
                        }
                        (None, [Piece::Literal(name)]) => {
                            let is_set = self.known.contains_key(name) || (self.variable)(name).is_some();
                            self.export(name);
                            if let Some(value) = self.value(name).ok().filter(|_| is_set) {
                                script.acts.push(Act::Set(name.clone(), value));
                            }
                        }
                        _ => self.taint(line),
                    }
                }
            }
            (name, words) => {
                const CHANGING: [&[u8]; 16] = [
                    b"",
                    b".",
                    b"source",
                    b"eval",
                    b"read",
                    b"unset",
                    b"getopts",
                    b"export",
                    b"readonly",
                    b"declare",
                    b"typeset",
                    b"local",
                    b"let",
                    b"mapfile",
                    b"command",
                    b"builtin",
                ];
                let asks = matches!(words.and_then(<[_]>::first).map(|word| &word[..]), Some(b"-v" | b"-V"));
                if CHANGING.contains(&name) && !(name == b"command" && asks) {
                    self.taint(line);
                }
                script.left_out.push((line, begins(command)));
            }
        }
        Ok(())
    }

    /// Gives variables the values that the words of a command give them.
    pub(super) fn expand(&mut self, command: &Command, script: &mut Script) {
        let line = command.line;
        for piece in command.words.iter().chain(command.assignments.iter().map(|(_, value)| value)).flatten()
        {
            let Piece::Default { name, value } = piece else { continue };
            if self.value(name).as_ref().is_ok_and(|value| !value.is_empty()) {
                continue;
            }
            let value = value.clone().filter(|_| command.is_sure() && self.value(name).is_ok()).ok_or(line);
            self.assign(name, value, line, script);
        }
    }

    fn taint(&mut self, line: usize) {
        self.tainted = Some(line);
        self.known.clear();
    }

    fn export(&mut self, name: &[u8]) {
        let value = self.value(name).or(Err(0));
        let known = self.known.entry(name.to_vec()).or_insert(Known { value, exported: true });
        known.exported = true;
    }

    fn assign(&mut self, name: &[u8], value: Result<Vec<u8>, usize>, line: usize, script: &mut Script) {
        let before = self.known.get(name).map(|known| known.exported);
        let exported = self.exports || before.unwrap_or_else(|| (self.variable)(name).is_some());
        match &value {
            Ok(value) if exported => script.acts.push(Act::Set(name.to_vec(), value.clone())),
            Err(_) if exported => {
                script.left_out.push((line, [&String::from_utf8_lossy(name), "=..."].concat()));
            }
            _ => {}
        }
        self.known.insert(name.to_vec(), Known { value, exported });
    }

    /// The value of a variable, empty if it is not set; or the line from which on it is not known.
    fn value(&self, name: &[u8]) -> Result<Vec<u8>, usize> {
        match (self.known.get(name), self.tainted) {
            (Some(known), _) => known.value.clone(),
            (None, Some(line)) => Err(line),
            (None, None) => Ok((self.variable)(name).unwrap_or_default()),
        }
    }

    /// The words that a word becomes.
    pub(super) fn words(&self, word: &Pieces, line: usize) -> Result<Vec<Vec<u8>>, Refusal> {
        let mut words: Vec<Vec<u8>> = Vec::new();
        let mut goes_on = false;
        let mut add = |text: &[u8], goes_on: &mut bool| {
            if !std::mem::replace(goes_on, true) {
                words.push(Vec::new());
            }
            words.last_mut().into_iter().for_each(|word| word.extend(text));
        };
        for piece in word {
            let (text, splits) = self.text(piece, line)?;
            if !splits {
                add(&text, &mut goes_on);
                continue;
            }
            if text.iter().any(|byte| b"*?[".contains(byte)) {
                return Err((line, "a variable in it has a pattern of file names as its value".into()));
            }
            if self.known.contains_key(&b"IFS"[..]) {
                return Err((line, "a variable in it is split by the script's own IFS".into()));
            }
            for (place, part) in text.split(|byte| b" \t\n".contains(byte)).enumerate() {
                goes_on &= place == 0;
                if !part.is_empty() {
                    add(part, &mut goes_on);
                }
            }
        }
        Ok(words)
    }

    /// A word that is not split, as a value.
    pub(super) fn one(&self, word: &Pieces, line: usize) -> Result<Vec<u8>, Refusal> {
        let texts: Result<Vec<_>, _> =
            word.iter().map(|piece| self.text(piece, line).map(|(text, _)| text)).collect();
        texts.map(|texts| texts.concat())
    }

    fn text(&self, piece: &Piece, line: usize) -> Result<(Vec<u8>, bool), Refusal> {
        match piece {
            Piece::Literal(text) => Ok((text.clone(), false)),
            Piece::Default { name, .. } => {
                Ok((self.value(name).map_err(|from| unknown(name, line, from))?, true))
            }
            Piece::Unknown(what) => Err((line, ["it has ", what, ", which only the shell knows"].concat())),
            Piece::Variable { name, quoted, default } => match self.value(name) {
                Ok(value) if value.is_empty() => Ok((default.clone().unwrap_or_default(), !quoted)),
                Ok(value) => Ok((value, !quoted)),
                Err(from) => Err(unknown(name, line, from)),
            },
        }
    }

    pub(super) fn redirection(&self, redirection: &Redirection, line: usize) -> Result<Act, Refusal> {
        let target = self.one(&redirection.target, line)?;
        let number = || std::str::from_utf8(&target).ok().and_then(|text| text.parse::<i32>().ok());
        let at = |default| redirection.fd.unwrap_or(default);
        let open = |at, how| Ok(Act::Open { at, how, file: target.clone() });
        match &redirection.operator[..] {
            b"<" => open(at(0), How::Read),
            b">" | b">|" => open(at(1), How::Write),
            b">>" => open(at(1), How::Append),
            b"<>" => open(at(0), How::Both),
            operator @ (b"<&" | b">&") => {
                let to = at(i32::from(operator == b">&"));
                match (number(), &target[..]) {
                    (Some(from), _) => Ok(Act::Copy { to, from }),
                    (None, b"-") => Ok(Act::Close(to)),
                    _ => Err((line, "its redirection is not known".into())),
                }
            }
            _ => Err((line, "its redirection is not known".into())),
        }
    }
}

fn unknown(name: &[u8], line: usize, from: usize) -> Refusal {
    let name = String::from_utf8_lossy(name);
    (line, format!("it has ${name}, whose value is not known from line {from} on"))
}
