//! The advice for a failure, which depends on the files of the service directory.

use std::ffi::CStr;

use common::quantity::number;
use common::{fds, shown};
use nix::fcntl::{AT_FDCWD, OFlag};
use nix::sys::stat::Mode;
use nix::unistd::read;

use super::failure::Failure;
use super::place::Place;

/// The remedy for a failure, in a line.
pub(super) fn advice(failure: &Failure, place: &Place) -> Option<String> {
    if failure.is_gone() {
        Some(start(place))
    } else if failure.is_permission() {
        Some(permission(place))
    } else {
        failure.hint.clone()
    }
}

fn start(place: &Place) -> String {
    if place.stat(c"run").is_err() && place.stat(c"setup").is_err() {
        return "no service directory: there is no run in it".to_owned();
    }
    format!("no supervisor: start 'svrun {}'", shown(&place.path))
}

/// Whose the files are that a client needs.
fn permission(place: &Place) -> String {
    let files =
        [(c"supervise/socket", "the socket"), (c"supervise/ok", "supervise/ok"), (c"supervise", "supervise")];
    let found = files.into_iter().find_map(|(file, words)| Some((words, place.stat(file).ok()?)));
    let Some((file, data)) = found else { return "permission: ask root".into() };
    // A user or group without a name has its number.
    let mut text = format!("permission: {file} is for ");
    text.push_str(&name(c"/etc/passwd", data.st_uid).unwrap_or_else(|| format!("uid {}", data.st_uid)));
    if data.st_mode & 0o020 != 0 {
        text.push_str(" and group ");
        text.push_str(&name(c"/etc/group", data.st_gid).unwrap_or_else(|| data.st_gid.to_string()));
    }
    text
}

/// The name of an id in a file as passwd(5) or group(5); `None` where it has none there, or the file cannot be read. For a
/// hint that is enough: the C library would bring a tenth of this program to look it up.
fn name(file: &CStr, id: u32) -> Option<String> {
    let file = fds::open(AT_FDCWD, file, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty()).ok()?;
    let (mut text, mut part) = (Vec::new(), [0; 4096]);
    loop {
        match read(&file, &mut part) {
            Ok(0) => break,
            Ok(count) => text.extend(&part[..count]),
            Err(_) => return None,
        }
    }
    let mut lines = text.split(|byte| *byte == b'\n');
    lines.find_map(|line| {
        let mut fields = line.split(|byte| *byte == b':');
        let name = fields.next()?;
        (number(fields.nth(1)?) == Some(id)).then(|| shown(name).to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_the_name_of_its_line() {
        assert_eq!(name(c"/etc/passwd", 0).as_deref(), Some("root"));
        assert_eq!(name(c"/etc/group", 0).as_deref(), Some("root"));
        assert_eq!(name(c"/etc/passwd", 4_000_000_000), None);
        assert_eq!(name(c"/etc/no such file", 0), None);
    }
}
