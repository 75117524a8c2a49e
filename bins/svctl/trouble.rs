//! What went wrong with one service, in the shape of sv's lines.

use common::error::reason;
use common::shown;
use nix::errno::Errno;
use nix::sys::stat::stat;
use nix::unistd::{Gid, Group, Uid, User};

use super::names::{Names, log_of};

/// What sv says where no supervisor serves a service.
const GONE: &str = "runsv not running";

/// Why a command does nothing for a service.
#[derive(Debug)]
pub(super) struct Trouble {
    /// What sv's line begins with.
    pub(super) sign: &'static str,
    /// What the matter is.
    pub(super) text: String,
    /// Why.
    pub(super) errno: Option<Errno>,
    /// What to do about it.
    pub(super) hint: Option<String>,
}

impl Trouble {
    /// It cannot be done.
    pub(super) fn fails(text: impl Into<String>, errno: Option<Errno>) -> Self {
        Self { sign: "fail", text: text.into(), errno, hint: None }
    }

    /// It cannot be known.
    pub(super) fn warns(text: &str, errno: Option<Errno>) -> Self {
        Self { sign: "warning", ..Self::fails(text, errno) }
    }

    pub(super) fn hint(mut self, hint: String) -> Self {
        self.hint = Some(hint);
        self
    }

    /// What the matter is and why, in the C library's words or in runit's.
    pub(super) fn reason(&self, runit: bool) -> String {
        // One word for it, whichever way it shows.
        if !runit && self.is_gone() {
            return "no supervisor".to_owned();
        }
        let Some(errno) = self.errno else { return self.text.clone() };
        format!("{}: {}", self.text, words(errno, runit))
    }
}

/// The C library's words for `errno`, or runit's.
pub(super) fn words(errno: Errno, runit: bool) -> String {
    let words = match errno {
        Errno::ENOENT => "file does not exist",
        Errno::EACCES => "access denied",
        Errno::EPERM => "permission denied",
        Errno::ENOTDIR => "not a directory",
        _ => "",
    };
    if runit && !words.is_empty() { words.to_owned() } else { reason(errno).to_string() }
}

impl Trouble {
    /// No supervisor serves the service.
    pub(super) fn gone() -> Self {
        Self::fails(GONE, None)
    }

    /// Whether nobody serves the service.
    pub(super) fn is_gone(&self) -> bool {
        self.is_absence() || self.text == GONE
    }

    /// Whether there is no supervisor, and was none.
    pub(super) fn is_absence(&self) -> bool {
        self.errno == Some(Errno::ENOENT) && self.text.starts_with("unable to open supervise/")
    }

    /// What to do about it, in a line. The current directory is that of the service, if it has one.
    pub(super) fn advice(&self, names: &Names, name: &[u8]) -> Option<String> {
        let opening = self.text.starts_with("unable to open supervise/");
        match self.errno {
            None if self.text == GONE => Some(start(names, name)),
            Some(Errno::ENOENT) if opening => Some(start(names, name)),
            Some(Errno::EACCES) if opening => Some(permission()),
            _ => self.hint.clone(),
        }
    }
}

fn start(names: &Names, name: &[u8]) -> String {
    if stat("run").is_err() {
        return "no service directory: there is no run in it".to_owned();
    }
    let path = names.path(log_of(name).unwrap_or(name));
    format!("no supervisor: start 'svrun {}'", shown(&path))
}

/// For whom the files are that a client needs.
fn permission() -> String {
    let files = ["supervise/socket", "supervise/ok", "supervise"];
    let found = files.iter().find_map(|file| Some((file, stat(*file).ok()?)));
    let Some((file, data)) = found else { return "permission: ask root".into() };
    let user = User::from_uid(Uid::from_raw(data.st_uid)).ok().flatten();
    let mut text = match *file {
        "supervise/socket" => "permission: the socket is for ".to_owned(),
        file => format!("permission: {file} is for "),
    };
    text.push_str(&user.map_or_else(|| format!("uid {}", data.st_uid), |user| user.name));
    if data.st_mode & 0o020 != 0 {
        let group = Group::from_gid(Gid::from_raw(data.st_gid)).ok().flatten();
        text.push_str(" and group ");
        text.push_str(&group.map_or_else(|| data.st_gid.to_string(), |group| group.name));
    }
    text
}
