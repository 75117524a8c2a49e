//! Why a program stops: what it prints and the status with which it exits.

use std::borrow::Cow;
use std::fmt::Display;

use lexopt::Arg;
use nix::errno::Errno;

use crate::link::form;
use crate::sys::{errno, file};
use crate::word::shown;

/// The reason why a link executes nothing. A pointer, so that what may fail returns no more than a
/// register.
#[derive(Debug)]
pub struct Exit(Box<Reason>);

#[derive(Debug)]
struct Reason {
    kind: Kind,
    status: i32,
    text: String,
    hint: Option<Cow<'static, str>>,
    /// The name and the usage line of the program in whose name it speaks.
    link: Option<(&'static str, &'static str)>,
}

#[derive(Debug, PartialEq)]
enum Kind {
    Answer,
    Usage,
    Fatal,
}

impl Exit {
    #[cold]
    fn new(kind: Kind, status: i32, text: &dyn Display) -> Self {
        Self(Box::new(Reason { kind, status, text: text.to_string(), hint: None, link: None }))
    }

    /// No failure: the program was asked for `text`, which goes to stdout as it is.
    pub fn answer(status: i32, text: impl Display) -> Self {
        Self::new(Kind::Answer, status, &text)
    }

    /// A usage error, status 100: trying again cannot help.
    pub fn usage(problem: impl Display) -> Self {
        Self::new(Kind::Usage, 100, &problem)
    }

    /// An option that the program does not have.
    #[cold]
    #[inline(never)]
    #[must_use]
    pub fn unexpected(option: Arg) -> Self {
        option.unexpected().into()
    }

    /// A value of the command line cannot be what it is to be: `problem` says so, and the value follows it.
    #[must_use]
    pub fn value(problem: &str, value: &[u8]) -> Self {
        if value.is_empty() {
            return Self::usage(format_args!("{problem}: the value is empty"));
        }
        Self::usage(format_args!("{problem}: {}", shown(value)))
    }

    /// This error as one of status 111, for a program that calls fewer things a usage error than others do.
    #[must_use]
    pub fn into_fatal(mut self) -> Self {
        (self.0.kind, self.0.status) = (Kind::Fatal, 111);
        self
    }

    /// The system is not as the link needs it, status 111.
    pub fn fatal(problem: impl Display) -> Self {
        Self::new(Kind::Fatal, 111, &problem)
    }

    /// The system refused an action, status 111; `action` follows "unable to".
    pub fn system(action: impl Display, errno: Errno) -> Self {
        Self::refused(&action, errno)
    }

    #[cold]
    fn refused(action: &dyn Display, errno: Errno) -> Self {
        Self::fatal(format_args!("unable to {action}: {}", shown(errno::text(errno))))
    }

    /// The program was not executed: status 127 if it was not found, 126 if it was but cannot run. `root` is the
    /// new root directory in which it was searched, if there is one.
    #[must_use]
    pub fn exec(program: &[u8], root: Option<&[u8]>, errno: Errno) -> Self {
        let (inside, root) = root.map_or(("", &b""[..]), |root| (" inside ", root));
        let mut error = Self::refused(&format_args!("run {}{inside}{}", shown(program), shown(root)), errno);
        error.0.status = if errno == Errno::ENOENT { 127 } else { 126 };
        error
    }

    /// Adds a second line that says what to write instead.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// As [`Exit::hint`], if there is one.
    #[must_use]
    pub fn hint_if(self, hint: Option<impl Into<Cow<'static, str>>>) -> Self {
        match hint {
            Some(hint) => self.hint(hint),
            None => self,
        }
    }

    /// Exits with another status.
    #[must_use]
    pub fn with_status(mut self, status: i32) -> Self {
        self.0.status = status;
        self
    }

    /// Names the link that failed, unless one that it applied is named already.
    #[must_use]
    pub fn of(mut self, name: &'static str, usage: &'static str) -> Self {
        self.0.link.get_or_insert((name, usage));
        self
    }

    /// What it says, without the name of a program.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// Its second line, which says what to write instead.
    #[must_use]
    pub fn second_line(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The exit status.
    #[must_use]
    pub fn status(&self) -> i32 {
        self.0.status
    }

    /// Writes the message in one write, an answer to stdout and a complaint to stderr, and returns the exit
    /// status.
    #[cold]
    #[inline(never)] // its buffers are not part of the frame of a caller that runs for long
    pub(crate) fn report(&self) -> i32 {
        let Reason { ref kind, status, ref text, ref hint, link } = *self.0;
        let (name, usage) = link.unwrap_or_default(); // rt has named it
        let mut message = match kind {
            Kind::Answer => match file::write_last(libc::STDOUT_FILENO, text.as_bytes()) {
                Ok(()) => return status,
                Err(errno) => return Self::system("write", errno).of(name, usage).report(),
            },
            Kind::Usage => format!("{name}: {text}\n{name}: usage: {}\n", form(name, usage)),
            Kind::Fatal => format!("{name}: fatal: {text}\n"),
        };
        if let Some(hint) = hint {
            message.extend([name, ": hint: ", hint, "\n"]);
        }
        // Where stderr is closed the status alone has to do.
        let _ = file::write_last(libc::STDERR_FILENO, message.as_bytes());
        status
    }
}

impl From<lexopt::Error> for Exit {
    fn from(error: lexopt::Error) -> Self {
        // In lexopt's words, but without what its own texts need to quote any value.
        match error {
            lexopt::Error::UnexpectedOption(option) => {
                Self::usage(format_args!("invalid option '{}'", shown(&option)))
            }
            lexopt::Error::MissingValue { option: Some(option) } => {
                Self::usage(format_args!("missing argument for option '{option}'"))
            }
            _ => Self::usage("invalid command line"),
        }
    }
}

/// Names the action that failed.
pub trait OrFail<T> {
    /// Turns an errno into [`Exit::system`]; `action` follows "unable to".
    fn or_fail(self, action: impl Display) -> Result<T, Exit>;
}

impl<T> OrFail<T> for nix::Result<T> {
    fn or_fail(self, action: impl Display) -> Result<T, Exit> {
        self.map_err(|errno| Exit::system(action, errno))
    }
}

/// The C library's words for `errno`.
#[must_use]
pub fn reason(errno: Errno) -> impl Display {
    shown(errno::text(errno))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_tells_the_kind() {
        assert_eq!(Exit::usage("x").status(), 100);
        assert_eq!(Exit::system("x", Errno::EIO).status(), 111);
        assert_eq!(Exit::exec(b"x", None, Errno::ENOENT).status(), 127);
        assert_eq!(Exit::exec(b"x", None, Errno::EACCES).status(), 126);
        assert_eq!(Exit::answer(1, "x").status(), 1);
    }
}
