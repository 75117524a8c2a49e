//! Whom a supervisor serves besides root and the user that it runs as: the files `operators` and `readers`.
//!
//! A file has one group. So where two groups have to reach one, or everybody, it is open to all, and the socket asks the
//! kernel who is at its other end.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd};

use common::{Exit, Voice, door, socket};
use nix::errno::Errno;
use nix::sys::stat::{Mode, fchmod};
use nix::unistd::{Gid, fchown, read};

use super::service::open;

/// The answer to a client that may not do what it asks for.
pub(crate) const NOT_PERMITTED: &[u8] = b"not permitted";
/// What follows where a file names no group.
pub(super) const ROOT_ALONE: &[u8] = b"only root and this user may control the service";
pub(super) const NO_READERS: &[u8] = b"nobody else may see the state";
/// The number that stands for each id which has none here, and so for nobody: `user_namespaces(7)`.
const UNMAPPED: u32 = 65534;

/// What a client may do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rights {
    /// Everything.
    Control,
    /// See the state, and wait for it to change.
    Look,
}

/// The accounts that may see the state besides those that may control.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Readers {
    #[default]
    Nobody,
    Group(Gid),
    Everybody,
}

/// Whom it serves.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Access {
    operators: Option<Gid>,
    readers: Readers,
}

/// The mode that a file gets, and its group, if that is another than it has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Grant {
    mode: u32,
    group: Option<Gid>,
}

impl Access {
    /// Reads the files `operators` and `readers`, by these names.
    pub(crate) fn read(directory: BorrowedFd, [operators, readers]: [&CStr; 2], voice: Voice) -> Self {
        let mut buffer = [0; 64];
        let operators = contents(directory, operators, ROOT_ALONE, &mut buffer, voice)
            .and_then(|group| named(operators, group, ROOT_ALONE, voice));
        let readers = match contents(directory, readers, NO_READERS, &mut buffer, voice) {
            None => Readers::Nobody,
            Some(b"*") => Readers::Everybody,
            Some(group) => named(readers, group, NO_READERS, voice).map_or(Readers::Nobody, Readers::Group),
        };
        // One group that may do both.
        let same = operators.is_some_and(|group| readers == Readers::Group(group));
        Self { operators, readers: if same { Readers::Nobody } else { readers } }
    }

    /// What the state directory gets; none: it stays as it is.
    pub(super) fn directory(self) -> Option<Grant> {
        match (self.operators, self.readers) {
            (None, Readers::Nobody) => None,
            (Some(group), Readers::Nobody) => Some(Grant::to(0o710, group)),
            (None, Readers::Group(group)) => Some(Grant::to(0o750, group)),
            (Some(_), Readers::Group(group)) => Some(Grant::to(0o751, group)),
            (_, Readers::Everybody) => Some(Grant::of(0o755)),
        }
    }

    /// What the FIFO `control` gets.
    pub(super) fn control(self) -> Option<Grant> {
        match (self.operators, self.readers) {
            (None, Readers::Nobody) => None,
            (Some(group), _) => Some(Grant::to(0o620, group)),
            // Its group may be that of the readers, which were operators before.
            (None, _) => Some(Grant::of(0o600)),
        }
    }

    /// What the FIFO `ok` gets, which nothing is read from.
    pub(super) fn ok(self) -> Option<Grant> {
        match (self.operators, self.readers) {
            (None, Readers::Nobody) => None,
            (Some(group), Readers::Nobody) | (None, Readers::Group(group)) => Some(Grant::to(0o620, group)),
            (Some(_), Readers::Group(_)) | (_, Readers::Everybody) => Some(Grant::of(0o622)),
        }
    }

    /// What the files get that show the state.
    pub(super) fn shown(self) -> Option<Grant> {
        match (self.operators, self.readers) {
            (_, Readers::Nobody) => None,
            // Everybody gets into the directory.
            (Some(_), Readers::Group(group)) => Some(Grant::to(0o640, group)),
            (None, Readers::Group(_)) | (_, Readers::Everybody) => Some(Grant::of(0o644)),
        }
    }

    /// The mode of the socket, and its group.
    pub(crate) fn socket(self) -> (u32, Option<Gid>) {
        match (self.operators, self.readers) {
            (None, Readers::Nobody) => (0o600, None),
            (Some(group), Readers::Nobody) | (None, Readers::Group(group)) => (0o660, Some(group)),
            (Some(_), Readers::Group(_)) | (_, Readers::Everybody) => (0o666, None),
        }
    }

    /// What a client of the socket may do; none: nothing. Without readers each that gets through may do all, whatever mode
    /// the administrator has given the socket.
    pub(crate) fn rights(self, client: BorrowedFd) -> Option<Rights> {
        if self.readers == Readers::Nobody {
            return Some(Rights::Control);
        }
        let (user, group) = socket::peer(client).ok()?; // an unknown peer has no rights
        let is_ours = user == 0 || user == door::us() && user != UNMAPPED;
        let is_in = |gid: Gid| {
            let gid = gid.as_raw();
            // Where its groups cannot be known it is in none.
            gid != UNMAPPED && (gid == group || socket::peer_has_group(client, gid) == Ok(true))
        };
        match self.readers {
            _ if is_ours || self.operators.is_some_and(is_in) => Some(Rights::Control),
            Readers::Everybody => Some(Rights::Look),
            Readers::Group(readers) => is_in(readers).then_some(Rights::Look),
            Readers::Nobody => None,
        }
    }
}

impl Grant {
    fn to(mode: u32, group: Gid) -> Self {
        Self { mode, group: Some(group) }
    }

    fn of(mode: u32) -> Self {
        Self { mode, group: None }
    }

    /// Gives it to an open file. The group comes first, so that no other gets what it is to have.
    pub(super) fn give(self, file: impl AsFd) -> nix::Result<()> {
        if self.group.is_some() {
            fchown(&file, None, self.group)?;
        }
        fchmod(file, Mode::from_bits_truncate(self.mode))
    }
}

impl Rights {
    /// Whether they allow this request to a service.
    pub(crate) fn allow(self, request: &[u8]) -> bool {
        let request = request.strip_prefix(b"log ").unwrap_or(request);
        let word = request.split(|byte| *byte == b' ').find(|word| !word.is_empty());
        self == Self::Control || matches!(word, Some(b"status" | b"events" | b"wait"))
    }
}

/// What is in a file; none where it is not there, or cannot be read.
pub(super) fn contents<'a>(
    directory: BorrowedFd,
    name: &CStr,
    consequence: &[u8],
    buffer: &'a mut [u8; 64],
    voice: Voice,
) -> Option<&'a [u8]> {
    match open(directory, name).and_then(|file| read(file, buffer)) {
        Err(Errno::ENOENT) => None,
        Ok(count) if count < buffer.len() => Some(buffer[..count].trim_ascii()),
        Ok(_) => {
            // What was read may name another group.
            voice.warning(&[name.to_bytes(), b": it is too long; ", consequence]);
            None
        }
        Err(errno) => {
            voice.unable_so(&[b"read ", name.to_bytes()], errno, consequence);
            None
        }
    }
}

/// The group of this name or number.
pub(super) fn named(file: &CStr, group: &[u8], consequence: &[u8], voice: Voice) -> Option<Gid> {
    let report = |error: Exit| {
        voice.warning(&[file.to_bytes(), b": ", error.text().as_bytes(), b"; ", consequence]);
    };
    common::credentials::group_of(group).map(Gid::from_raw).map_err(report).ok() // which has been reported
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_get_to_what_shows_the_state_and_operators_to_what_controls() {
        let gid = Gid::from_raw;
        let to = |mode, group| Some(Grant::to(mode, gid(group)));
        let of = |mode| Some(Grant::of(mode));
        let (nobody, everybody, group) = (Readers::Nobody, Readers::Everybody, Readers::Group(gid(2)));
        for (operators, readers, directory, control, ok, shown, socket) in [
            (None, nobody, None, None, None, None, (0o600, None)),
            (Some(gid(1)), nobody, to(0o710, 1), to(0o620, 1), to(0o620, 1), None, (0o660, Some(gid(1)))),
            (None, group, to(0o750, 2), of(0o600), to(0o620, 2), of(0o644), (0o660, Some(gid(2)))),
            (Some(gid(1)), group, to(0o751, 2), to(0o620, 1), of(0o622), to(0o640, 2), (0o666, None)),
            (None, everybody, of(0o755), of(0o600), of(0o622), of(0o644), (0o666, None)),
            (Some(gid(1)), everybody, of(0o755), to(0o620, 1), of(0o622), of(0o644), (0o666, None)),
        ] {
            let access = Access { operators, readers };
            assert_eq!(access.directory(), directory, "{access:?}");
            assert_eq!(access.control(), control, "{access:?}");
            assert_eq!(access.ok(), ok, "{access:?}");
            assert_eq!(access.shown(), shown, "{access:?}");
            assert_eq!(access.socket(), socket, "{access:?}");
        }
    }

    #[test]
    fn who_may_look_may_ask_and_wait_and_nothing_else() {
        for request in ["status", "log status", "events", "wait up", "wait ready 5", " status", "log events"]
        {
            assert!(Rights::Look.allow(request.as_bytes()), "{request}");
        }
        for request in [
            "up",
            "down",
            "once",
            "exit",
            "restart",
            "reload",
            "pause",
            "continue",
            "signal HUP",
            "upgrade",
            "log up",
            "log signal TERM",
            "",
            "log",
            "statusx",
            "x status",
            "log log status",
            "up alone",
        ] {
            assert!(!Rights::Look.allow(request.as_bytes()), "{request}");
            assert!(Rights::Control.allow(request.as_bytes()), "{request}");
        }
    }
}
