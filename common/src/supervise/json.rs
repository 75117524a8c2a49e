//! JSON, as far as the protocol needs it: one-line objects are read, and texts are written.
//!
//! Numbers stay text: nobody here calculates with a fraction.

use std::borrow::Cow;

use super::object::key;
use crate::quantity::number;
use crate::text::quote;

/// How deep objects may be in each other. The protocol has two levels.
const DEPTH: usize = 8;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// null
    Null,
    /// true or false
    Bool(bool),
    /// A number, in its digits.
    Number(String),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Value>),
    /// An object, in the order of its members. Keys that the protocol has are not copied.
    Object(Vec<(Cow<'static, str>, Value)>),
}

impl Value {
    /// The value of a whole line; `None` for what is no JSON.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let mut reader = Reader { line, at: 0, next: 0 };
        let value = reader.value(DEPTH)?;
        reader.peek().is_none().then_some(value)
    }

    /// Adds it to `text`, as JSON without blanks.
    pub fn write(&self, text: &mut String) {
        match self {
            Self::Null => text.push_str("null"),
            Self::Bool(truth) => text.push_str(if *truth { "true" } else { "false" }),
            Self::Number(digits) => text.push_str(digits),
            Self::Text(of) => text.push_str(&quoted(of.as_bytes())),
            Self::List(values) => {
                text.push('[');
                for (place, value) in values.iter().enumerate() {
                    text.push_str(if place == 0 { "" } else { "," });
                    value.write(text);
                }
                text.push(']');
            }
            Self::Object(members) => {
                text.push('{');
                for (place, (key, value)) in members.iter().enumerate() {
                    text.extend([if place == 0 { "" } else { "," }, &quoted(key.as_bytes()), ":"]);
                    value.write(text);
                }
                text.push('}');
            }
        }
    }

    /// What `key` is in this object, null if it is not there.
    #[must_use]
    pub fn get(&self, key: &str) -> &Self {
        let Self::Object(entries) = self else { return &Self::Null };
        entries.iter().find(|(name, _)| name == key).map_or(&Self::Null, |(_, value)| value)
    }

    /// A text, empty for all else.
    #[must_use]
    pub fn text(&self) -> &str {
        if let Self::Text(text) = self { text } else { "" }
    }

    /// Whether it is true.
    #[must_use]
    pub fn is_true(&self) -> bool {
        *self == Self::Bool(true)
    }

    /// The digits of a number, empty for all else.
    #[must_use]
    pub fn digits(&self) -> &str {
        if let Self::Number(digits) = self { digits } else { "" }
    }

    /// The whole part of a number, 0 for all else.
    #[must_use]
    pub fn whole<T: TryFrom<u64> + Default>(&self) -> T {
        let digits = self.digits().as_bytes();
        let whole = digits.iter().position(|byte| matches!(byte, b'.' | b'e' | b'E')).unwrap_or(digits.len());
        number(&digits[..whole]).unwrap_or_default()
    }
}

struct Reader<'a> {
    line: &'a str,
    /// How much of it is read, which ends before a whole character.
    at: usize,
    /// The key of the protocol that is likely to be the next.
    next: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &[u8] {
        &self.line.as_bytes()[self.at..]
    }

    /// The next byte.
    fn byte(&self) -> Option<u8> {
        self.line.as_bytes().get(self.at).copied()
    }

    /// Reads blanks. The byte behind them, which is next.
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.byte()? {
                b' ' | b'\t' | b'\r' | b'\n' => self.at += 1,
                other => return Some(other),
            }
        }
    }

    /// Whether `token` is next; then it is read.
    fn takes(&mut self, token: &str) -> bool {
        let is_next = self.rest().starts_with(token.as_bytes());
        if is_next {
            self.at += token.len();
        }
        is_next
    }

    /// Whether `byte` is next; then it is read.
    fn takes_byte(&mut self, byte: u8) -> bool {
        let is_next = self.byte() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    /// Whether `byte` is next, behind blanks; then it is read.
    fn takes_behind_blanks(&mut self, byte: u8) -> bool {
        self.peek();
        self.takes_byte(byte)
    }

    /// Whether `end` is next, which ends an object or a list, or else a comma; that is read.
    fn ends(&mut self, end: u8) -> Option<bool> {
        let is_end = self.takes_behind_blanks(end);
        (is_end || self.takes_byte(b',')).then_some(is_end)
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        match self.peek()? {
            b'{' => self.object(depth.checked_sub(1)?),
            b'[' => self.list(depth.checked_sub(1)?),
            b'"' => self.text().map(Value::Text),
            b'n' => self.takes("null").then_some(Value::Null),
            b't' => self.takes("true").then_some(Value::Bool(true)),
            b'f' => self.takes("false").then_some(Value::Bool(false)),
            _ => self.number(),
        }
    }

    fn object(&mut self, depth: usize) -> Option<Value> {
        let mut entries = Vec::with_capacity(if depth + 1 == DEPTH { 24 } else { 8 });
        self.at += 1;
        if self.takes_behind_blanks(b'}') {
            return Some(Value::Object(entries));
        }
        loop {
            let key = self.key()?;
            self.takes_behind_blanks(b':').then_some(())?;
            entries.push((key, self.value(depth)?));
            if self.ends(b'}')? {
                return Some(Value::Object(entries));
            }
        }
    }

    fn list(&mut self, depth: usize) -> Option<Value> {
        let mut values = Vec::new();
        self.at += 1;
        if self.takes_behind_blanks(b']') {
            return Some(Value::List(values));
        }
        loop {
            values.push(self.value(depth)?);
            if self.ends(b']')? {
                return Some(Value::List(values));
            }
        }
    }

    /// A key. All that a supervisor sends have a copy in this program already.
    fn key(&mut self) -> Option<Cow<'static, str>> {
        self.peek().filter(|next| *next == b'"')?;
        let inside = &self.rest()[1..];
        let is_next = |key: &&str| inside.starts_with(key.as_bytes()) && inside.get(key.len()) == Some(&b'"');
        // They come in the order of the list, so that one look is enough as a rule.
        let (before, likely) = key::ALL.split_at(self.next);
        if let Some(at) = likely.iter().chain(before).position(is_next) {
            let at = (self.next + at) % key::ALL.len();
            self.at += key::ALL[at].len() + 2;
            self.next = at + 1;
            return Some(Cow::Borrowed(key::ALL[at]));
        }
        self.text().map(Cow::Owned)
    }

    /// A number as RFC 8259 has it: `-1.5e3`, but not `1.`; of `01` the 0, behind which nothing can follow.
    fn number(&mut self) -> Option<Value> {
        let start = self.at;
        self.takes_byte(b'-');
        let whole = self.takes_byte(b'0') || self.digits();
        let fraction = !self.takes_byte(b'.') || self.digits();
        let exponent = !(self.takes_byte(b'e') || self.takes_byte(b'E')) || {
            if !self.takes_byte(b'+') {
                self.takes_byte(b'-');
            }
            self.digits()
        };
        (whole && fraction && exponent).then(|| Value::Number(self.line[start..self.at].to_owned()))
    }

    /// Reads digits. Whether there are any.
    fn digits(&mut self) -> bool {
        let count = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        count > 0
    }

    fn text(&mut self) -> Option<String> {
        let mut text = String::new();
        let mut rest = self.line[self.at..].strip_prefix('"')?;
        loop {
            let end = rest.bytes().position(|byte| matches!(byte, b'"' | b'\\'))?;
            text.push_str(&rest[..end]);
            let mut characters = rest[end..].chars();
            if characters.next() == Some('"') {
                self.at = self.line.len() - characters.as_str().len();
                return Some(text);
            }
            text.push(match characters.next()? {
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'u' => {
                    // Half of a pair stands for nothing by itself.
                    let code = hex(&mut characters)?;
                    char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
                }
                other @ ('"' | '\\' | '/') => other,
                _ => return None,
            });
            rest = characters.as_str();
        }
    }
}

fn hex(characters: &mut std::str::Chars) -> Option<u32> {
    (0..4).try_fold(0, |code, _| Some(code * 16 + characters.next()?.to_digit(16)?))
}

/// `text` as a JSON string, as [`crate::Text::quoted`] writes one.
#[must_use]
pub fn quoted(text: &[u8]) -> String {
    let mut quoted = String::from("\"");
    quote(text, |part| quoted.push_str(&String::from_utf8_lossy(part)));
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read() {
        let value = Value::parse(
            r#"{"ok":true, "pid":812,"since":1764000000.123,"status":"a \"b\"\n\u00e9",
                "death":{"code":null,"signal":"SEGV"},"next":-1.5e3}"#,
        )
        .unwrap();
        assert!(value.get("ok").is_true());
        assert_eq!(value.get("pid").whole::<u32>(), 812);
        assert_eq!(value.get("since").whole::<u64>(), 1_764_000_000);
        assert_eq!(value.get("status").text(), "a \"b\"\né");
        assert_eq!(value.get("death").get("signal").text(), "SEGV");
        assert_eq!(value.get("next").digits(), "-1.5e3");
        assert_eq!(value.get("nothing"), &Value::Null);
    }

    #[test]
    fn a_key_is_a_whole_word() {
        let line = r#" { "names" : 1 , "nam":2E5,"na\u006de":3,"oké":4,"needs":[ ],"next":{ } } "#;
        let value = Value::parse(line).unwrap();
        let Value::Object(members) = &value else { panic!("{value:?}") };
        let keys: Vec<&str> = members.iter().map(|(key, _)| &**key).collect();
        assert_eq!(keys, ["names", "nam", "name", "oké", "needs", "next"]);
        assert_eq!((value.get("nam").digits(), value.get("name").digits()), ("2E5", "3"));
    }

    #[test]
    fn what_is_no_json_is_nothing() {
        for bad in [
            "",
            "{",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{a:1}",
            "nul",
            "\"\\x\"",
            "\"",
            "1 2",
            "[1",
            "01",
            "-",
            "1.",
            ".5",
            "1e",
            "--1",
            "1..2",
            "1e5.5",
        ] {
            assert_eq!(Value::parse(bad), None, "{bad}");
        }
        assert_eq!(Value::parse(&"[".repeat(100_000)), None);
        let lists = Value::List(vec![Value::List(vec![]), Value::Null]);
        assert_eq!(Value::parse(" [ [] , null ] "), Some(lists));
        assert_eq!(Value::parse("{}"), Some(Value::Object(vec![])));
    }

    #[test]
    fn no_line_ends_the_program() {
        let line = r#"{"ok":true,"death":{"code":null,"core":[false,-1.5e3]},"s":"a\"\u00e9\\é","n":[]}"#;
        let mut random = 0x9e37_79b9_u32;
        for _ in 0..20_000 {
            let mut bytes = line.as_bytes().to_vec();
            for _ in 0..3 {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let [from, place, to, kind] = random.to_be_bytes();
                let place = usize::from(place) % bytes.len();
                match kind % 3 {
                    0 => bytes[place] = line.as_bytes()[usize::from(from) % line.len()],
                    1 => bytes[place] = to,
                    _ => bytes.truncate(place.max(1)),
                }
            }
            if let Some(value) = Value::parse(&String::from_utf8_lossy(&bytes)) {
                let _ = (value.get("n").whole::<u32>(), value.get("s").text().len());
            }
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let text = "a\"b\\c\n\u{1}\u{9b}é";
        assert_eq!(Value::parse(&quoted(text.as_bytes())), Some(Value::Text(text.to_owned())));
        let line = r#"{"ok":true,"a":[],"b":[null,-1.5e+3,0],"c":{},"d\"":{"e":"\u009b","f":false}}"#;
        let mut written = String::new();
        Value::parse(line).unwrap().write(&mut written);
        assert_eq!(written, line);
    }
}
