//! The chain at the end of a simple run script: the last `exec` line, with what the lines before it do to the shell that
//! can be known without running them.

use std::collections::BTreeMap;

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

/// A piece of a word.
#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Literal(Vec<u8>),
    Variable {
        name: Vec<u8>,
        quoted: bool,
        default: Option<Vec<u8>>,
    },
    /// A variable that gets a value unless it has one; `None` if that is not a plain one.
    Default {
        name: Vec<u8>,
        value: Option<Vec<u8>>,
    },
    /// What only a shell can know.
    Unknown(&'static str),
}

type Pieces = Vec<Piece>;

#[derive(Clone, Debug, PartialEq)]
struct Redirection {
    fd: Option<i32>,
    operator: Vec<u8>,
    target: Pieces,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Command {
    line: usize,
    assignments: Vec<(Vec<u8>, Pieces)>,
    words: Vec<Pieces>,
    redirections: Vec<Redirection>,
    /// How many compound commands are around it.
    depth: usize,
    /// Whether it is run only if the command before it says so.
    depends: bool,
    piped: bool,
}

impl Command {
    fn name(&self) -> Option<&[u8]> {
        match self.words.first().map(Vec::as_slice) {
            Some([Piece::Literal(name)]) => Some(name),
            _ => None,
        }
    }

    /// Whether it is run in any case, and by the shell itself.
    fn is_sure(&self) -> bool {
        self.depth == 0 && !self.depends && !self.piped
    }

    fn is_empty(&self) -> bool {
        self.words.is_empty() && self.assignments.is_empty() && self.redirections.is_empty()
    }
}

struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    line: usize,
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }

    fn bump(&mut self) -> Option<u8> {
        let byte = self.peek(0)?;
        self.at += 1;
        self.line += usize::from(byte == b'\n');
        Some(byte)
    }

    /// Skips blanks, comments and line ends that are escaped.
    fn skip(&mut self) {
        loop {
            match (self.peek(0), self.peek(1)) {
                (Some(b' ' | b'\t'), _) => self.at += 1,
                (Some(b'\\'), Some(b'\n')) => {
                    self.at += 2;
                    self.line += 1;
                }
                (Some(b'#'), _) => {
                    while self.peek(0).is_some_and(|byte| byte != b'\n') {
                        self.at += 1;
                    }
                }
                _ => return,
            }
        }
    }

    fn commands(mut self) -> Result<Vec<Command>, Refusal> {
        const OPENING: [&[u8]; 6] = [b"if", b"for", b"while", b"until", b"case", b"{"];
        const CLOSING: [&[u8]; 4] = [b"fi", b"done", b"esac", b"}"];
        const BETWEEN: [&[u8]; 7] = [b"then", b"else", b"elif", b"do", b"!", b"time", b"in"];
        let (mut commands, mut depth, mut parens, mut depends) = (Vec::new(), 0usize, 0usize, false);
        let mut command = Command::default();
        loop {
            self.skip();
            if command.is_empty() {
                (command.line, command.depth, command.depends) = (self.line, depth + parens, depends);
            }
            let operator = match (self.peek(0), self.peek(1)) {
                (None, _) => "",
                (Some(b'\n'), _) => "\n",
                (Some(b';'), Some(b';')) => ";;",
                (Some(b';'), _) => ";",
                (Some(b'&'), Some(b'&')) => "&&",
                (Some(b'|'), Some(b'|')) => "||",
                (Some(b'|'), _) => "|",
                (Some(b'&'), next) if next != Some(b'>') => "&",
                (Some(b'('), _) => "(",
                (Some(b')'), _) => ")",
                _ => {
                    if let Some(redirection) = self.redirection()? {
                        command.redirections.push(redirection);
                        continue;
                    }
                    let word = self.word()?;
                    let plain = match &word[..] {
                        [Piece::Literal(text)] if command.is_empty() => &text[..],
                        _ => b"",
                    };
                    if OPENING.contains(&plain) {
                        depth += 1;
                        if plain == b"for" {
                            self.skip();
                            if let [Piece::Literal(name)] = &self.word()?[..] {
                                let value = vec![Piece::Unknown("the variable of a loop")];
                                command.assignments.push((name.clone(), value));
                            }
                        }
                    } else if CLOSING.contains(&plain) {
                        depth = depth.saturating_sub(1);
                    } else if plain == b"function" {
                        self.skip();
                        self.word()?; // its name: what follows begins a command
                    } else if !BETWEEN.contains(&plain) {
                        match assignment(&word).filter(|_| command.words.is_empty()) {
                            Some(assignment) => command.assignments.push(assignment),
                            None => command.words.push(word),
                        }
                    }
                    continue;
                }
            };
            for _ in operator.bytes() {
                self.bump();
            }
            let first = !command.is_empty();
            command.piped = matches!(operator, "|" | "&");
            if first {
                commands.push(std::mem::take(&mut command));
            }
            match operator {
                "" => return Ok(commands),
                "(" => parens += 1,
                ")" => parens = parens.saturating_sub(1), // the one of a case opens none
                _ => {}
            }
            depends = match operator {
                "&&" | "||" | "|" => true,
                "\n" if depends && !first => true, // an operator may end a line
                _ => false,
            };
        }
    }

    fn redirection(&mut self) -> Result<Option<Redirection>, Refusal> {
        let digits = self.text[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let begins =
            matches!(self.peek(digits), Some(b'<' | b'>')) || digits == 0 && self.peek(0) == Some(b'&');
        if !begins {
            return Ok(None);
        }
        let fd = std::str::from_utf8(&self.text[self.at..self.at + digits])
            .ok()
            .and_then(|text| text.parse().ok());
        self.at += digits;
        let start = self.at;
        while matches!(self.peek(0), Some(b'<' | b'>' | b'&' | b'|')) && self.at - start < 3 {
            self.at += 1;
        }
        let operator = self.text[start..self.at].to_vec();
        if operator.starts_with(b"<<") {
            return Err((self.line, "a here-document is not known".into()));
        }
        if self.peek(0) == Some(b'(') {
            return Err((self.line, "a process substitution is not known".into()));
        }
        self.skip();
        let target = self.word()?;
        Ok(Some(Redirection { fd, operator, target }))
    }

    fn word(&mut self) -> Result<Pieces, Refusal> {
        let mut pieces: Pieces = Vec::new();
        let start = self.at;
        let mut quoted_empty = false;
        while let Some(byte) = self.peek(0) {
            match byte {
                b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')' => break,
                b'\\' => {
                    self.bump();
                    match self.bump() {
                        Some(b'\n') | None => {}
                        Some(escaped) => push(&mut pieces, &[escaped]),
                    }
                }
                b'\'' => {
                    self.bump();
                    quoted_empty = true;
                    let line = self.line;
                    loop {
                        match self.bump() {
                            Some(b'\'') => break,
                            Some(byte) => push(&mut pieces, &[byte]),
                            None => return Err((line, "a quote has no end".into())),
                        }
                    }
                }
                b'"' => {
                    self.bump();
                    quoted_empty = true;
                    self.double(&mut pieces)?;
                }
                b'$' | b'`' => pieces.push(self.expansion(false)),
                b'*' | b'?' | b'[' if !(byte == b'[' && self.at == start) => {
                    self.bump();
                    pieces.push(Piece::Unknown("a pattern of file names"));
                }
                b'{' if self.is_list() => {
                    self.bump();
                    pieces.push(Piece::Unknown("a list in braces"));
                }
                b'~' if self.at == start || matches!(self.text[self.at - 1], b'=' | b':') => {
                    self.bump();
                    pieces.push(Piece::Unknown("a home directory"));
                }
                byte => {
                    self.bump();
                    push(&mut pieces, &[byte]);
                }
            }
        }
        if pieces.is_empty() && quoted_empty {
            pieces.push(Piece::Literal(Vec::new()));
        }
        if self.at == start {
            self.bump(); // never stands still
        }
        Ok(pieces)
    }

    /// Up to the quote that ends it.
    fn double(&mut self, pieces: &mut Pieces) -> Result<(), Refusal> {
        let line = self.line;
        loop {
            match self.peek(0) {
                None => return Err((line, "a quote has no end".into())),
                Some(b'"') => {
                    self.bump();
                    return Ok(());
                }
                Some(b'$' | b'`') => pieces.push(self.expansion(true)),
                Some(b'\\') => {
                    self.bump();
                    match self.bump() {
                        Some(b'\n') | None => {}
                        Some(byte @ (b'$' | b'`' | b'"' | b'\\')) => push(pieces, &[byte]),
                        Some(byte) => push(pieces, &[b'\\', byte]),
                    }
                }
                Some(byte) => {
                    self.bump();
                    push(pieces, &[byte]);
                }
            }
        }
    }

    /// Whether the brace here begins a list, as bash has it: `{a,b}`, `{1..9}`.
    fn is_list(&self) -> bool {
        let rest = &self.text[self.at..];
        let end = rest.iter().position(|byte| b"} \t\n".contains(byte)).filter(|end| rest[*end] == b'}');
        let inside = end.map_or(&rest[..0], |end| &rest[..end]);
        inside.contains(&b',') || inside.windows(2).any(|pair| pair == b"..")
    }

    /// Up to the byte behind this one, which no backslash precedes.
    fn pass(&mut self, end: u8) {
        while let Some(byte) = self.bump().filter(|byte| *byte != end) {
            if byte == b'\\' {
                self.bump();
            }
        }
    }

    /// Up to behind the bracket that closes what is open, with `depth` of them open already.
    fn pass_nested(&mut self, open: u8, close: u8, mut depth: i32) {
        while let Some(byte) = self.bump() {
            match byte {
                b'\\' => drop(self.bump()),
                b'\'' => while self.bump().is_some_and(|byte| byte != b'\'') {},
                b'"' => self.pass(b'"'),
                _ => depth += i32::from(byte == open) - i32::from(byte == close),
            }
            if depth == 0 {
                break;
            }
        }
    }

    fn expansion(&mut self, quoted: bool) -> Piece {
        if self.bump() == Some(b'`') {
            self.pass(b'`');
            return Piece::Unknown("the output of a command");
        }
        match self.peek(0) {
            Some(b'(') => {
                self.pass_nested(b'(', b')', 0);
                Piece::Unknown("the output of a command")
            }
            Some(quote @ (b'\'' | b'"')) if !quoted => {
                self.bump();
                self.pass(quote);
                Piece::Unknown("a quote of bash")
            }
            Some(b'{') => {
                self.bump();
                let name = self.name();
                let start = self.at;
                self.pass_nested(b'{', b'}', 1);
                let rest = &self.text[start..self.at.saturating_sub(1).max(start)];
                let plain = |text: &[u8]| !text.iter().any(|byte| b"$`\\\"'*?[~ ".contains(byte));
                match rest {
                    b"" if !name.is_empty() => Piece::Variable { name, quoted, default: None },
                    [b':', b'-', default @ ..] if !name.is_empty() && plain(default) => {
                        Piece::Variable { name, quoted, default: Some(default.to_vec()) }
                    }
                    [b':', b'=', value @ ..] | [b'=', value @ ..] if !name.is_empty() => {
                        Piece::Default { name, value: Some(value.to_vec()).filter(|value| plain(value)) }
                    }
                    _ => Piece::Unknown("an expansion"),
                }
            }
            Some(byte) if byte.is_ascii_alphabetic() || byte == b'_' => {
                Piece::Variable { name: self.name(), quoted, default: None }
            }
            Some(b'$' | b'?' | b'!' | b'#' | b'@' | b'*' | b'-' | b'0'..=b'9') => {
                self.bump();
                Piece::Unknown("a parameter of the shell")
            }
            _ => Piece::Literal(b"$".to_vec()),
        }
    }

    fn name(&mut self) -> Vec<u8> {
        let start = self.at;
        while self.peek(0).is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            self.at += 1;
        }
        self.text[start..self.at].to_vec()
    }
}

fn push(pieces: &mut Pieces, bytes: &[u8]) {
    match pieces.last_mut() {
        Some(Piece::Literal(text)) => text.extend_from_slice(bytes),
        _ => pieces.push(Piece::Literal(bytes.to_vec())),
    }
}

/// `NAME=value`.
fn assignment(word: &Pieces) -> Option<(Vec<u8>, Pieces)> {
    let (Piece::Literal(first), rest) = word.split_first()? else { return None };
    let equals = first.iter().position(|byte| *byte == b'=')?;
    let (name, value) = (&first[..equals], &first[equals + 1..]);
    let is_name = name.first().is_some_and(|byte| !byte.is_ascii_digit())
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    is_name.then(|| (name.to_vec(), [vec![Piece::Literal(value.to_vec())], rest.to_vec()].concat()))
}

/// A variable: its value, or the line from which on nobody knows it; and whether it is in the environment.
#[derive(Clone)]
struct Known {
    value: Result<Vec<u8>, usize>,
    exported: bool,
}

struct Shell<'a> {
    variable: &'a dyn Fn(&[u8]) -> Option<Vec<u8>>,
    known: BTreeMap<Vec<u8>, Known>,
    /// The line from which on any variable may have any value, as of a file that is read.
    tainted: Option<usize>,
    /// Whether every variable that is set from here on is exported: `set -a`.
    exports: bool,
}

impl Shell<'_> {
    /// What a command does to the shell; one that is not known is left out.
    fn run(&mut self, command: &Command, script: &mut Script) -> Result<(), Refusal> {
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
    fn expand(&mut self, command: &Command, script: &mut Script) {
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
    fn words(&self, word: &Pieces, line: usize) -> Result<Vec<Vec<u8>>, Refusal> {
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
    fn one(&self, word: &Pieces, line: usize) -> Result<Vec<u8>, Refusal> {
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

    fn redirection(&self, redirection: &Redirection, line: usize) -> Result<Act, Refusal> {
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

/// How a command begins, for a message.
fn begins(command: &Command) -> String {
    let text = |piece: &Piece| match piece {
        Piece::Literal(text) => String::from_utf8_lossy(text).into_owned(),
        Piece::Variable { name, .. } | Piece::Default { name, .. } => {
            ["$", &String::from_utf8_lossy(name)].concat()
        }
        Piece::Unknown(_) => "...".into(),
    };
    let words = command.words.iter().take(2).map(|word| word.iter().map(text).collect::<String>());
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
