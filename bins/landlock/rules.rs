//! A file of rules, one a line: a word, blanks, and a path or a port.

use std::ffi::CString;

use common::Word;
use common::landlock::{Access, Deed, Rule, port};

/// Why a file cannot be used.
#[derive(Debug, PartialEq)]
pub struct Flaw {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: &'static str,
}

/// The rules of a file with this content. Lines that are empty, and those that begin with a `#`, mean nothing.
pub fn parse(content: &[u8]) -> Result<Vec<Rule>, Flaw> {
    let mut rules = Vec::new();
    for (i, line) in content.split(|b| *b == b'\n').enumerate() {
        let line = trimmed(line);
        if !matches!(line, [] | [b'#', ..]) {
            rules.push(rule(line).map_err(|problem| Flaw { line: i + 1, problem })?);
        }
    }
    Ok(rules)
}

fn rule(line: &[u8]) -> Result<Rule, &'static str> {
    if line.ends_with(b"\r") {
        return Err("a carriage return at its end"); // which would be one of the path
    }
    let end = line.iter().position(|b| is_blank(*b)).unwrap_or(line.len());
    let (word, value) = (&line[..end], trimmed(&line[end..]));
    let path = |access| {
        let path =
            CString::new(value).ok().filter(|path| !path.is_empty()).ok_or("no path behind its word")?;
        Ok(Rule::Path(access, Word(Box::leak(path.into_boxed_c_str())))) // as one of the command line
    };
    let tcp = |deed| {
        let port = port(value).ok_or("no port behind its word: a number up to 65535, or none")?;
        Ok(Rule::Port(deed, port))
    };
    match word {
        b"ro" => path(Access::Read),
        b"rx" => path(Access::Execute),
        b"rw" => path(Access::Write),
        b"rwx" => path(Access::All),
        b"bind" => tcp(Deed::Bind),
        b"connect" => tcp(Deed::Connect),
        _ => Err("its first word is none of ro, rx, rw, rwx, bind and connect"),
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn trimmed(text: &[u8]) -> &[u8] {
    let begin = text.iter().position(|b| !is_blank(*b)).unwrap_or(text.len());
    let end = text.iter().rposition(|b| !is_blank(*b)).map_or(begin, |last| last + 1);
    &text[begin..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_a_word_and_a_path_or_a_port() {
        let content = "# a service\n\nro /etc\n \trx\t /usr \nrw /srv/with a blank\n\t# more\nrwx #x\n\
                       bind 80\nconnect\tnone\nro relative";
        let path = |access, path| Rule::Path(access, Word(path));
        let rules = [
            path(Access::Read, c"/etc"),
            path(Access::Execute, c"/usr"),
            path(Access::Write, c"/srv/with a blank"),
            path(Access::All, c"#x"),
            Rule::Port(Deed::Bind, Some(80)),
            Rule::Port(Deed::Connect, None),
            path(Access::Read, c"relative"),
        ];
        assert_eq!(parse(content.as_bytes()), Ok(rules.to_vec()));
        for nothing in ["", "\n", " \n\t\n", "#", "#ro /\n # rw /"] {
            assert_eq!(parse(nothing.as_bytes()), Ok(vec![]), "{nothing:?}");
        }
    }

    #[test]
    fn a_line_that_is_no_rule_is_told_by_its_number() {
        for (line, problem) in [
            ("/usr", "its first word"),
            ("r /usr", "its first word"),
            ("RO /usr", "its first word"),
            ("ro/usr", "its first word"),
            ("ro:/usr", "its first word"),
            ("\u{feff}ro /usr", "its first word"),
            ("ro", "no path"),
            ("rwx \t", "no path"),
            ("rx /a\0b", "no path"),
            ("bind", "no port"),
            ("bind 65536", "no port"),
            ("bind 80 # http", "no port"),
            ("connect 80 81", "no port"),
            ("ro /usr\r", "a carriage return"),
            ("\r", "a carriage return"),
        ] {
            let Flaw { line: number, problem: found } =
                parse(format!("\nro /\n{line}\nrw").as_bytes()).unwrap_err();
            assert!(number == 3 && found.starts_with(problem), "{line:?}: {number} {found}");
        }
    }
}
