//! The syntaxes of a file of variables: bytes in, variables out. Nothing in the file is executed or expanded.
//!
//! ```text
//! execline  envfile(1)            NAME = value    "C escapes" anywhere in the value
//! systemd   EnvironmentFile=      NAME = value    'as is' and "shell escapes" where the value begins
//! docker    --env-file            NAME=value      as is; NAME alone is the variable as it was received
//! ```
//!
//! See the pages of execline, systemd.exec(5) and docker-run(1). What these accept silently though it is no variable,
//! or not the one that was meant, is a [`Flaw`] here.

use std::ffi::CString;

#[cfg(test)]
mod tests;

/// Whose syntax a file has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Dialect {
    /// That of execline's envfile.
    Execline,
    /// That of systemd's `EnvironmentFile=`, as of version 254.
    Systemd,
    /// That of docker's --env-file.
    Docker,
}

/// A variable of a file.
#[derive(Debug, PartialEq)]
pub struct Variable {
    /// Its name, which is not empty and has no `=`.
    pub name: CString,
    /// Its value, without a NUL; `None` for the one that was received, if there is one.
    pub value: Option<Vec<u8>>,
}

/// Why a file cannot be used.
#[derive(Debug, PartialEq)]
pub struct Flaw {
    /// Where, counting from 1: a line ends with a newline.
    pub line: usize,
    /// What is wrong there.
    pub problem: &'static str,
    /// What to write instead.
    pub hint: Option<&'static str>,
}

const CARRIAGE_RETURN: &str = "a carriage return would become part of the value";
const NO_CHARACTER: &str = "an escape that stands for a NUL, or for no byte at all";
const NOT_UTF8: &str = "not UTF-8";
const NO_NAME: &str = "not a variable name";

impl Dialect {
    /// The dialect called `word`.
    #[must_use]
    pub fn named(word: &[u8]) -> Option<Self> {
        match word {
            b"execline" => Some(Self::Execline),
            b"systemd" => Some(Self::Systemd),
            b"docker" => Some(Self::Docker),
            _ => None,
        }
    }

    /// The variables of a file with this content, in its order.
    pub fn variables(self, content: &[u8]) -> Result<Vec<Variable>, Flaw> {
        let at = |place: usize, problem| Flaw::new(1 + lines(&content[..place]), problem);
        if let Some(place) = content.iter().position(|b| *b == 0) {
            return Err(at(place, "a NUL, which no variable can have"));
        }
        match std::str::from_utf8(content) {
            // For systemd the values alone count: a comment may have any bytes.
            Err(error) if self == Self::Docker => return Err(at(error.valid_up_to(), NOT_UTF8)),
            _ => {}
        }
        match content.strip_prefix(b"\xef\xbb\xbf") {
            Some(rest) if self == Self::Docker => docker(rest),
            Some(_) => Err(at(0, "a byte order mark, which is not part of a name")),
            None if self == Self::Docker => docker(content),
            None => Quoting { systemd: self == Self::Systemd, rest: content, line: 1 }.variables(),
        }
    }
}

impl Variable {
    /// A file with a NUL has been refused.
    fn new(name: &[u8], value: Option<Vec<u8>>) -> Option<Self> {
        Some(Self { name: CString::new(name).ok()?, value })
    }
}

impl Flaw {
    fn new(line: usize, problem: &'static str) -> Self {
        Self { line, problem, hint: None }
    }

    /// For a line whose end is that of another system.
    fn carriage_return(line: usize) -> Self {
        let hint = Some("the lines end as those of DOS do: remove the carriage returns with tr -d '\\r'");
        Self { line, problem: CARRIAGE_RETURN, hint }
    }

    /// For what stands in the place of a name.
    fn name(line: usize, name: &[u8]) -> Self {
        let export = name.starts_with(b"export ") || name.starts_with(b"export\t");
        let hint = export.then_some("every variable is exported: leave out the word export");
        Self { line, problem: NO_NAME, hint }
    }
}

/// Lines as they are. Each is text in UTF-8.
fn docker(content: &[u8]) -> Result<Vec<Variable>, Flaw> {
    let mut variables = Vec::new();
    for (number, line) in content.split(|b| *b == b'\n').enumerate() {
        let number = number + 1;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = std::str::from_utf8(line).map_or(line, |line| line.trim_start().as_bytes());
        if matches!(line, [] | [b'#', ..]) {
            continue;
        }
        let end = line.iter().position(|b| *b == b'=').unwrap_or(line.len());
        let (name, value) = (&line[..end], line.get(end + 1..).map(<[u8]>::to_vec));
        if name.is_empty() || name.iter().any(|b| matches!(b, b' ' | b'\t')) {
            return Err(Flaw::name(number, name));
        }
        if line.ends_with(b"\r") {
            return Err(Flaw::carriage_return(number));
        }
        variables.extend(Variable::new(name, value));
    }
    Ok(variables)
}

/// A file with quotes and backslashes, from where it is read next. The two dialects differ in few things, each of which
/// asks for `systemd` where it happens.
struct Quoting<'a> {
    systemd: bool,
    rest: &'a [u8],
    line: usize,
}

impl<'a> Quoting<'a> {
    fn variables(mut self) -> Result<Vec<Variable>, Flaw> {
        let mut variables = Vec::new();
        loop {
            match self.rest.first() {
                None => return Ok(variables),
                Some(b'#') => self.comment(),
                Some(b';') if self.systemd => self.comment(),
                Some(b) if self.is_blank(*b) || self.ends_line(*b) => drop(self.next()),
                Some(_) => {
                    let name = self.name()?;
                    let value = self.value()?;
                    variables.extend(Variable::new(name, Some(value)));
                }
            }
        }
    }

    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        self.line += usize::from(*first == b'\n');
        Some(*first)
    }

    /// systemd takes a carriage return for the end of a line, so that two bytes end a line and an empty one.
    fn ends_line(&self, byte: u8) -> bool {
        byte == b'\n' || self.systemd && byte == b'\r'
    }

    fn is_blank(&self, byte: u8) -> bool {
        matches!(byte, b' ' | b'\t') || !self.systemd && matches!(byte, b'\r' | b'\x0c')
    }

    /// Skips a comment, up to the end of its line.
    fn comment(&mut self) {
        let end = self.rest.iter().position(|b| self.ends_line(*b)).unwrap_or(self.rest.len());
        self.rest = &self.rest[end..];
    }

    /// Takes a name and the `=` behind it.
    fn name(&mut self) -> Result<&'a [u8], Flaw> {
        let rest = self.rest;
        let end = rest.iter().position(|b| *b == b'=' || self.ends_line(*b)).unwrap_or(rest.len());
        if rest.get(end) != Some(&b'=') {
            return Err(Flaw::new(self.line, "no = in it"));
        }
        self.rest = &rest[end + 1..];
        let length = rest[..end].iter().rposition(|b| !self.is_blank(*b)).map_or(0, |last| last + 1);
        let name = &rest[..length];
        let good = if self.systemd {
            name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_')
                && name.first().is_some_and(|b| !b.is_ascii_digit())
        } else {
            !name.is_empty()
                && !name.iter().any(|b| self.is_blank(*b) || matches!(b, b'"' | b'\'' | b'?' | b'\\'))
        };
        if good { Ok(name) } else { Err(Flaw::name(self.line, name)) }
    }

    /// Takes a value and the end of its line.
    fn value(&mut self) -> Result<Vec<u8>, Flaw> {
        let mut value = Vec::new();
        let (content, line) = (self.rest, self.line);
        let mut kept = 0; // so much of it is quoted or escaped, and no blank there is a trailing one
        let (mut at_start, mut after_quote, mut gap) = (true, false, false);
        while let Some(byte) = self.next() {
            if self.ends_line(byte) {
                break;
            }
            if at_start && self.is_blank(byte) {
                gap = after_quote;
                continue;
            }
            if gap {
                return Err(Flaw::new(self.line, "text behind a quoted value"));
            }
            match byte {
                b'\\' => {
                    at_start = false;
                    self.escape(&mut value)?;
                    kept = value.len();
                }
                b'"' | b'\'' if self.systemd && at_start => {
                    self.quoted(byte, &mut value)?;
                    (after_quote, kept) = (true, value.len());
                }
                b'"' if !self.systemd => {
                    at_start = false;
                    self.quoted(byte, &mut value)?;
                    kept = value.len();
                }
                byte => {
                    at_start = false;
                    value.push(byte);
                }
            }
        }
        while value.len() > kept && value.last().is_some_and(|b| self.is_blank(*b)) {
            value.pop();
        }
        let content = &content[..content.len() - self.rest.len()];
        match std::str::from_utf8(content) {
            Err(error) if self.systemd => {
                Err(Flaw::new(line + lines(&content[..error.valid_up_to()]), NOT_UTF8))
            }
            _ => Ok(value),
        }
    }

    /// What follows a backslash outside of quotes.
    fn escape(&mut self, value: &mut Vec<u8>) -> Result<(), Flaw> {
        let line = self.line;
        match self.next() {
            Some(b'\n') => {}
            Some(b'\r') => return Err(Flaw::carriage_return(line)),
            Some(byte @ (b'\\' | b'"')) => value.push(byte),
            Some(byte) if self.systemd || self.is_blank(byte) => value.push(byte),
            _ => return Err(Flaw::new(line, "a backslash outside of quotes that escapes nothing")),
        }
        Ok(())
    }

    /// What follows a quote, up to the one that ends it.
    fn quoted(&mut self, quote: u8, value: &mut Vec<u8>) -> Result<(), Flaw> {
        let line = self.line;
        while let Some(byte) = self.next() {
            match byte {
                b'\n' if !self.systemd => break,
                b'\r' if self.rest.first() == Some(&b'\n') => return Err(Flaw::carriage_return(self.line)),
                b'\\' if quote == b'"' => self.quoted_escape(value)?,
                byte if byte == quote => return Ok(()),
                byte => value.push(byte),
            }
        }
        Err(Flaw::new(line, "a quote that does not end"))
    }

    /// What follows a backslash between double quotes.
    fn quoted_escape(&mut self, value: &mut Vec<u8>) -> Result<(), Flaw> {
        let line = self.line;
        let byte = match self.next() {
            Some(b'\n') | None => return Ok(()), // the quote does not end, which is found next
            Some(b'\r') if self.rest.first() == Some(&b'\n') => return Err(Flaw::carriage_return(line)),
            Some(byte) if self.systemd => {
                if !matches!(byte, b'"' | b'\\' | b'`' | b'$') {
                    value.push(b'\\');
                }
                byte
            }
            Some(byte @ (b'a' | b'b')) => byte - b'a' + 7,
            Some(b't') => b'\t',
            Some(b'n') => b'\n',
            Some(b'v') => 11,
            Some(b'f') => 12,
            Some(b'r') => b'\r',
            Some(b'x') => match self.digits(0, 16) {
                (2, number) => character(number).ok_or(Flaw::new(line, NO_CHARACTER))?,
                _ => return Err(Flaw::new(line, "not two hexadecimal digits behind \\x")),
            },
            Some(digit @ b'0'..=b'7') => {
                let (_, number) = self.digits(u32::from(digit - b'0'), 8);
                character(number).ok_or(Flaw::new(line, NO_CHARACTER))?
            }
            Some(byte) => byte,
        };
        value.push(byte);
        Ok(())
    }

    /// Takes up to two digits behind those that give `number`: says how many, and the number with them.
    fn digits(&mut self, mut number: u32, radix: u32) -> (usize, u32) {
        let digit = |b: &u8| char::from(*b).to_digit(radix);
        let digits = self.rest.iter().map_while(digit).take(2);
        let count = digits.clone().count();
        number = digits.fold(number, |number, digit| number * radix + digit);
        self.rest = &self.rest[count..];
        (count, number)
    }
}

/// How many lines end in `content`.
fn lines(content: &[u8]) -> usize {
    content.split(|b| *b == b'\n').count() - 1
}

fn character(number: u32) -> Option<u8> {
    u8::try_from(number).ok().filter(|byte| *byte != 0)
}
