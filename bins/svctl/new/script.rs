//! The scripts of a new service directory.

/// The command line that a script ends in, as sh reads it.
#[derive(Debug)]
pub(super) struct Line(Vec<u8>);

impl Line {
    /// `exec`, and nothing behind it yet.
    pub(super) fn exec() -> Self {
        Self(b"exec".to_vec())
    }

    /// Adds a word, which the program gets as it is.
    pub(super) fn word(mut self, word: &[u8]) -> Self {
        self.0.push(b' ');
        quote(word, &mut self.0);
        self
    }

    /// Adds words.
    pub(super) fn words<'a>(self, words: impl IntoIterator<Item = &'a [u8]>) -> Self {
        words.into_iter().fold(self, Self::word)
    }

    /// A script of these lines, and this one at its end.
    pub(super) fn script(self, lines: &[&str]) -> Vec<u8> {
        let mut script = Vec::new();
        for line in lines {
            script.extend_from_slice(line.as_bytes());
            script.push(b'\n');
        }
        script.extend(self.0);
        script.push(b'\n');
        script
    }
}

/// Writes a word so that sh takes it as it is: plain if it has nothing that means something there, else between single
/// quotes.
fn quote(word: &[u8], to: &mut Vec<u8>) {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"%+,-./:@_".contains(byte);
    // An option may have a value behind a =; elsewhere that could be taken for an assignment.
    let is_plain = |byte: &u8| is_plain(byte) || *byte == b'=' && word.starts_with(b"-");
    if !word.is_empty() && word.iter().all(is_plain) {
        to.extend_from_slice(word);
        return;
    }
    to.push(b'\'');
    for byte in word {
        match byte {
            b'\'' => to.extend_from_slice(b"'\\''"),
            _ => to.push(*byte),
        }
    }
    to.push(b'\'');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_if_the_shell_would_make_something_else_of_it() {
        for (word, expected) in [
            ("nginx", "nginx"),
            ("--port=80", "--port=80"),
            ("A=1", "'A=1'"),
            ("/a/b-c_d.e:f@g,h%i+j", "/a/b-c_d.e:f@g,h%i+j"),
            ("daemon off;", "'daemon off;'"),
            ("it's", "'it'\\''s'"),
            ("", "''"),
            ("$x", "'$x'"),
            ("~", "'~'"),
            ("a\nb", "'a\nb'"),
            ("!", "'!'"),
            ("é", "'é'"),
        ] {
            let line = Line::exec().word(word.as_bytes()).script(&[]);
            assert_eq!(String::from_utf8(line).unwrap(), format!("exec {expected}\n"));
        }
    }

    #[test]
    fn a_script_ends_in_its_command_line() {
        let script = Line::exec().words([&b"a"[..], b"b c"]).script(&["#!/bin/sh", "exec 2>&1"]);
        assert_eq!(script, b"#!/bin/sh\nexec 2>&1\nexec a 'b c'\n");
    }
}
