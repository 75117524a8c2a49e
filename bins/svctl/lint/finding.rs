//! What is found, and how it is printed.

use common::shown;
use common::supervise::json::Value;

/// Whether the service works as it is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Severity {
    /// It does not.
    Error,
    /// It may, but not as most likely was meant.
    Warning,
}

/// Something that should be written otherwise.
#[derive(Debug, PartialEq)]
pub(super) struct Finding {
    /// The path of the file.
    pub(super) file: Vec<u8>,
    /// The line, from 1 up, if it is about one.
    pub(super) line: Option<usize>,
    pub(super) severity: Severity,
    /// What is wrong.
    pub(super) what: String,
    /// What to write or to do instead.
    pub(super) instead: Option<String>,
}

/// All that was found.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Finding>);

/// Where something was found.
#[derive(Clone, Copy, Debug)]
pub(super) struct At<'a> {
    pub(super) file: &'a [u8],
    pub(super) line: Option<usize>,
}

impl<'a> At<'a> {
    /// In a file as a whole.
    pub(super) fn file(file: &'a [u8]) -> Self {
        Self { file, line: None }
    }

    /// In this line of it.
    pub(super) fn line(self, line: usize) -> Self {
        Self { line: Some(line), ..self }
    }
}

impl Findings {
    /// The service does not work so. `instead` is what to write or to do.
    pub(super) fn error(&mut self, at: At, what: impl Into<String>, instead: impl Into<String>) {
        self.add(at, Severity::Error, what.into(), instead.into());
    }

    /// Most likely it is not meant so.
    pub(super) fn warning(&mut self, at: At, what: impl Into<String>, instead: impl Into<String>) {
        self.add(at, Severity::Warning, what.into(), instead.into());
    }

    /// As the other two; an empty `instead` is none.
    pub(super) fn add(&mut self, at: At, severity: Severity, what: String, instead: String) {
        let instead = Some(instead).filter(|instead| !instead.is_empty());
        let finding = Finding { file: at.file.to_owned(), line: at.line, severity, what, instead };
        if !self.0.contains(&finding) {
            self.0.push(finding);
        }
    }

    /// Takes those of another, in the order of files and lines.
    pub(super) fn append(&mut self, mut other: Self) {
        other.0.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        self.0.append(&mut other.0);
    }

    /// Whether there are any that count: errors, and with `strict` warnings too.
    pub(super) fn count(&self, strict: bool) -> bool {
        self.0.iter().any(|finding| strict || finding.severity == Severity::Error)
    }

    /// A line each.
    pub(super) fn lines(&self) -> String {
        let mut text = String::new();
        for Finding { file, line, severity, what, instead } in &self.0 {
            let line = line.map_or(String::new(), |line| format!(":{line}"));
            let instead = instead.as_ref().map_or(String::new(), |instead| format!("; {instead}"));
            let said = format!("{}{line}: {}: {what}{instead}", shown(file), severity.word());
            text.extend([&shown(&said).to_string(), "\n"]);
        }
        text
    }

    /// An object each.
    pub(super) fn objects(&self) -> String {
        let mut text = String::new();
        let of_text = |text: &str| Value::Text(text.to_owned());
        for Finding { file, line, severity, what, instead } in &self.0 {
            let members = [
                ("file", Value::Text(String::from_utf8_lossy(file).into_owned())),
                ("line", line.map_or(Value::Null, |line| Value::Number(line.to_string()))),
                ("severity", of_text(severity.word())),
                ("what", of_text(what)),
                ("instead", instead.as_deref().map_or(Value::Null, of_text)),
            ];
            Value::Object(members.map(|(key, value)| (key.into(), value)).into()).write(&mut text);
            text.push('\n');
        }
        text
    }
}

impl Severity {
    fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_a_line_or_an_object_and_counts_once() {
        let mut findings = Findings::default();
        let at = At::file(b"web/run");
        findings.warning(at.line(3), "odd \"x\"\u{1b}[", "write y");
        findings.warning(at.line(3), "odd \"x\"\u{1b}[", "write y");
        assert_eq!([false, true].map(|strict| findings.count(strict)), [false, true]);
        findings.error(at, "bad", "");
        assert!(findings.count(false));
        let mut all = Findings::default();
        all.append(findings);
        let lines = "web/run: error: bad\nweb/run:3: warning: odd \"x\"\\x1b[; write y\n";
        assert_eq!(all.lines(), lines);
        let first = r#"{"file":"web/run","line":null,"severity":"error","what":"bad","instead":null}"#;
        assert_eq!(all.objects().lines().next(), Some(first));
        assert_eq!(all.objects().lines().count(), 2);
    }
}
