//! Words and operators of a script.

use super::Word;

/// What a script consists of.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Word(Word),
    Operator(&'static str),
    Newline,
    End,
}

/// The longer ones first.
const OPERATORS: [&str; 23] = [
    "<<<", "<<-", "&>>", ";;&", "&>", "<<", ">>", "<&", ">&", "<>", ">|", "&&", "||", "|&", ";;", ";&", ";",
    "&", "|", "(", ")", "<", ">",
];

/// Reads a script from its beginning.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    /// From 1 up.
    pub(super) line: usize,
    /// The ends of the here-documents that begin on the next line, and whether tabs may stand in front of them.
    here: Vec<(Vec<u8>, bool)>,
    /// How many expansions are open, one in the other.
    depth: usize,
}

/// How many may be.
const DEPTH: usize = 64;

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, line: 1, here: Vec::new(), depth: 0 }
    }

    /// A here-document begins on the next line.
    pub(super) fn expect_here(&mut self, end: Vec<u8>, tabs: bool) {
        self.here.push((end, tabs));
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// The next byte, which is passed.
    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        self.line += usize::from(byte == b'\n');
        Some(byte)
    }

    /// Passes everything up to this byte, and it.
    fn pass(&mut self, end: u8) -> Option<()> {
        while self.next()? != end {}
        Some(())
    }

    /// The next token; `None` where it is not understood.
    pub(super) fn token(&mut self) -> Option<Token> {
        loop {
            match self.peek() {
                Some(b' ' | b'\t') => self.at += 1,
                Some(b'\\') if self.text.get(self.at + 1) == Some(&b'\n') => {
                    self.at += 2;
                    self.line += 1;
                }
                Some(b'#') => self.at += up_to_newline(&self.text[self.at..]),
                _ => break,
            }
        }
        let Some(byte) = self.peek() else { return self.here.is_empty().then_some(Token::End) };
        if byte == b'\n' {
            self.next();
            self.pass_here_documents()?;
            return Some(Token::Newline);
        }
        let is_next = |operator: &&&str| self.text[self.at..].starts_with(operator.as_bytes());
        if let Some(operator) = OPERATORS.iter().find(is_next) {
            self.at += operator.len();
            return Some(Token::Operator(operator));
        }
        self.word()
    }

    fn pass_here_documents(&mut self) -> Option<()> {
        for (end, tabs) in std::mem::take(&mut self.here) {
            loop {
                self.peek()?;
                let line = &self.text[self.at..];
                let line = &line[..up_to_newline(line)];
                self.at = (self.at + line.len() + 1).min(self.text.len());
                self.line += 1;
                let begin = if tabs { line.iter().take_while(|byte| **byte == b'\t').count() } else { 0 };
                if line[begin..] == end {
                    break;
                }
            }
        }
        Some(())
    }

    fn word(&mut self) -> Option<Token> {
        let mut word = Word { text: Vec::new(), literal: true, plain: true, assigns: false, line: self.line };
        let begin = self.at;
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')' => break,
                b'\\' => {
                    self.at += 1;
                    word.plain = false;
                    match self.next() {
                        Some(b'\n') => {}
                        Some(byte) => word.text.push(byte),
                        None => word.text.push(b'\\'),
                    }
                }
                b'\'' => {
                    self.at += 1;
                    word.plain = false;
                    let from = self.at;
                    self.pass(b'\'')?;
                    word.text.extend_from_slice(&self.text[from..self.at - 1]);
                }
                b'"' => {
                    self.at += 1;
                    word.plain = false;
                    self.double_quotes(&mut word)?;
                }
                b'$' | b'`' => {
                    (word.literal, word.plain) = (false, false);
                    self.expansion()?;
                }
                // What the shell may make other words of.
                b'*' | b'?' | b'~' => {
                    (word.literal, word.plain) = (false, false);
                    self.at += 1;
                    word.text.push(byte);
                }
                _ => {
                    self.at += 1;
                    word.assigns |= byte == b'=' && word.plain && is_name(&word.text);
                    word.text.push(byte);
                }
            }
        }
        // A list between braces, and a set of bytes between brackets.
        let holds = |bytes: &[u8]| word.text.len() > 1 && word.text.iter().any(|byte| bytes.contains(byte));
        if word.plain && !matches!(&*word.text, b"[[" | b"]]") && (holds(b"[") || holds(b"{") && holds(b","))
        {
            (word.literal, word.plain) = (false, false);
        }
        // The number of a descriptor belongs to the redirection behind it.
        if matches!(self.peek(), Some(b'<' | b'>'))
            && self.text[begin..self.at].iter().all(u8::is_ascii_digit)
        {
            return self.token();
        }
        Some(Token::Word(word))
    }

    /// Up to the end of what a double quote has begun.
    fn double_quotes(&mut self, word: &mut Word) -> Option<()> {
        loop {
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Some(());
                }
                b'\\' => {
                    self.at += 1;
                    match self.next()? {
                        b'\n' => {}
                        byte @ (b'$' | b'`' | b'"' | b'\\') => word.text.push(byte),
                        byte => word.text.extend([b'\\', byte]),
                    }
                }
                b'$' | b'`' => {
                    word.literal = false;
                    self.expansion()?;
                }
                _ => word.text.extend(self.next()),
            }
        }
    }

    /// Passes what a `$` or a backquote begins.
    fn expansion(&mut self) -> Option<()> {
        if self.next()? == b'`' {
            loop {
                match self.next()? {
                    b'`' => return Some(()),
                    b'\\' => drop(self.next()?),
                    _ => {}
                }
            }
        }
        match self.peek() {
            Some(b'(') => self.nested(b'(', b')'),
            Some(b'{') => self.nested(b'{', b'}'),
            Some(byte) if byte.is_ascii_alphabetic() || byte == b'_' => {
                while self.peek().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                    self.at += 1;
                }
                Some(())
            }
            Some(b'0'..=b'9' | b'@' | b'*' | b'#' | b'?' | b'-' | b'$' | b'!') => self.next().map(drop),
            _ => Some(()),
        }
    }

    /// Passes what is between two of these, others of them in between.
    fn nested(&mut self, open: u8, close: u8) -> Option<()> {
        self.depth += 1;
        (self.depth <= DEPTH).then_some(())?;
        let (mut depth, mut blank) = (0, false);
        loop {
            let byte = self.peek()?;
            match byte {
                b'\\' => {
                    self.at += 1;
                    self.next()?;
                }
                b'\'' => {
                    self.at += 1;
                    self.pass(b'\'')?;
                }
                b'"' => {
                    self.at += 1;
                    let mut inside = Word {
                        text: Vec::new(),
                        literal: true,
                        plain: true,
                        assigns: false,
                        line: self.line,
                    };
                    self.double_quotes(&mut inside)?;
                }
                b'`' => self.expansion()?,
                b'$' => {
                    self.at += 1;
                    if self.peek() == Some(b'{') {
                        self.nested(b'{', b'}')?;
                    }
                }
                b'#' if blank && open == b'(' => self.at += up_to_newline(&self.text[self.at..]),
                _ => {
                    self.next();
                    depth += i32::from(byte == open);
                    depth -= i32::from(byte == close);
                    if depth == 0 {
                        self.depth -= 1;
                        return Some(());
                    }
                }
            }
            blank = byte.is_ascii_whitespace();
        }
    }
}

/// How many bytes are in front of the next end of line.
fn up_to_newline(text: &[u8]) -> usize {
    text.iter().position(|byte| *byte == b'\n').unwrap_or(text.len())
}

fn is_name(text: &[u8]) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_';
    text.first().is_some_and(is_letter) && text.iter().all(|byte| is_letter(byte) || byte.is_ascii_digit())
}
