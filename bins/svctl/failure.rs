//! Why a command fails for one service, in the shape of sv's lines.

use common::exit::reason;
use nix::errno::Errno;

use super::style::Dialect;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Sign {
    /// It cannot be done.
    Fail,
    /// It cannot be known.
    Warning,
}

impl Sign {
    /// The word that begins sv's line.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Warning => "warning",
        }
    }
}

/// The kinds that have an advice of their own.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// No supervisor serves the service.
    Gone,
    /// A file of the state directory cannot be opened.
    State,
    Other,
}

/// Why a command does nothing for a service.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) sign: Sign,
    kind: Kind,
    text: String,
    pub(super) errno: Option<Errno>,
    /// The remedy.
    pub(super) hint: Option<String>,
}

impl Failure {
    /// It cannot be done.
    pub(super) fn fails(text: impl Into<String>) -> Self {
        Self { sign: Sign::Fail, kind: Kind::Other, text: text.into(), errno: None, hint: None }
    }

    /// It cannot be known.
    pub(super) fn warns(text: impl Into<String>) -> Self {
        Self { sign: Sign::Warning, ..Self::fails(text) }
    }

    /// No supervisor serves the service.
    pub(super) fn gone() -> Self {
        Self { kind: Kind::Gone, ..Self::fails("runsv not running") }
    }

    /// The action of opening a file of the state directory has failed.
    pub(super) fn state(action: &str, errno: Errno) -> Self {
        Self { kind: Kind::State, ..Self::warns(format!("unable to {action}")).because(errno) }
    }

    pub(super) fn because(self, errno: Errno) -> Self {
        Self { errno: Some(errno), ..self }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// The matter and its cause, in the C library's words or in runit's.
    pub(super) fn reason(&self, dialect: Dialect) -> String {
        // One word for it, whichever way it shows.
        if dialect == Dialect::Own && self.is_gone() {
            return "no supervisor".to_owned();
        }
        let Some(errno) = self.errno else { return self.text.clone() };
        format!("{}: {}", self.text, words(errno, dialect))
    }

    /// The cause alone, for a message that names the file; all of it where the file is not what cannot be opened.
    pub(super) fn cause(&self, dialect: Dialect) -> String {
        match self.errno {
            Some(errno) if self.kind == Kind::State => words(errno, dialect),
            _ => self.reason(dialect),
        }
    }

    /// Whether no supervisor serves the service.
    pub(super) fn is_gone(&self) -> bool {
        self.kind == Kind::Gone || self.is_absence()
    }

    /// Whether there is no supervisor, and was none.
    pub(super) fn is_absence(&self) -> bool {
        self.kind == Kind::State && self.errno == Some(Errno::ENOENT)
    }

    /// Whether the state directory is not for us.
    pub(super) fn is_permission(&self) -> bool {
        self.kind == Kind::State && self.errno == Some(Errno::EACCES)
    }
}

/// The C library's words for `errno`, or runit's and daemontools'.
pub(super) fn words(errno: Errno, dialect: Dialect) -> String {
    let words = match errno {
        Errno::ENOENT => "file does not exist",
        Errno::EACCES => "access denied",
        Errno::EPERM => "permission denied",
        Errno::ENOTDIR => "not a directory",
        _ => "",
    };
    if dialect == Dialect::Runit && !words.is_empty() { words.to_owned() } else { reason(errno).to_string() }
}
