//! The advice for a failure, which depends on the files of the service directory.

use common::shown;
use nix::unistd::{Gid, Group, Uid, User};

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
    let user = User::from_uid(Uid::from_raw(data.st_uid)).ok().flatten();
    let mut text = format!("permission: {file} is for ");
    text.push_str(&user.map_or_else(|| format!("uid {}", data.st_uid), |user| user.name));
    if data.st_mode & 0o020 != 0 {
        let group = Group::from_gid(Gid::from_raw(data.st_gid)).ok().flatten();
        text.push_str(" and group ");
        text.push_str(&group.map_or_else(|| data.st_gid.to_string(), |group| group.name));
    }
    text
}
