//! Reads a script up to its commands, as a shell does, and runs nothing.

use super::Refusal;
use super::command::{Command, Piece, Pieces, Redirection, assignment};

pub(super) struct Lexer<'a> {
    pub(super) text: &'a [u8],
    pub(super) at: usize,
    pub(super) line: usize,
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

    pub(super) fn commands(mut self) -> Result<Vec<Command>, Refusal> {
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
