//! The commands `enable` and `disable`: the link in SVDIR to a service directory that is kept elsewhere. With it, a
//! service is started at boot, and at once by the program that watches SVDIR.

use std::ffi::OsStr;
use std::fs::{canonicalize, read_link};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use common::identity::same;
use common::supervise::Control::{Down, Exit as Leave, Up};
use common::{Exit, fds, shown};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::sys::stat::{SFlag, fstat, fstatat};
use nix::unistd::{UnlinkatFlags, symlinkat, unlinkat};

use super::command::{Command, Goal, Patience};
use super::conn::Conn;
use super::failure::Failure;
use super::look::{self, LIMIT};
use super::names::{Names, is_path, split};
use super::options::Enough;
use super::order::{Order, Report};
use super::out::Out;
use super::place::{self, Place};
use super::services::Services;
use super::{Request, jobs, tree};

/// A service directory that is kept somewhere, and the name that it has, or would have, in SVDIR.
struct Source {
    name: Vec<u8>,
    /// From the root.
    path: Vec<u8>,
    directory: OwnedFd,
}

/// Since when a service is enabled.
enum Linked {
    Now,
    Before,
}

/// Makes the links, and waits until the services have come up if that was asked for.
pub(super) fn enable(request: &Request, words: &[&[u8]], now: bool, out: &mut Out) -> Result<Exit, Exit> {
    let waits = now || request.verbose;
    let mut coming = Vec::new();
    for word in words {
        let linked = Source::of(word, request.svsrc)
            .and_then(|source| source.link(&request.names).map(|linked| (source, linked)));
        let (source, linked) = match linked {
            Ok(linked) => linked,
            Err(failure) => {
                out.not_found(word, &failure)?;
                continue;
            }
        };
        let is_down = fstatat(&source.directory, c"down", AtFlags::empty()).is_ok();
        if is_down && !now {
            let name = shown(&source.name);
            out.hint(Some(format!(
                "{name}: its file down keeps it down: 'svctl start {name}', or remove that file"
            )));
        }
        let comes = waits && (now || !is_down);
        match linked {
            Linked::Before if request.verbose && !out.json => out.turned(&source.name, "enabled already")?,
            _ if !comes && (request.verbose || out.json) => out.turned(&source.name, "enabled")?,
            _ => {}
        }
        if comes {
            coming.push(source.name);
        }
    }
    tree::look_now(&request.names);
    if coming.is_empty() {
        return Ok(out.exit());
    }
    let command = if now { Command::send(&[Up], Goal::Up, Patience::Waits) } else { Command::ready() };
    let order = Order { patient: true, ..request.order(&command, Report::All, out) };
    jobs::carry_out(&order, &Services::of(coming), Enough::All, out)?;
    Ok(out.exit())
}

/// Stops the services, removes the links, and lets the supervisors leave.
///
/// In this order: nothing is removed of a service that does not stop; and as long as there is the link, the program that
/// watches SVDIR starts another supervisor in place of one that leaves, and with it the service.
pub(super) fn disable(request: &Request, words: &[&[u8]], out: &mut Out) -> Result<Exit, Exit> {
    let names = &request.names;
    let (mut idle, mut served) = (Vec::new(), Vec::new());
    for word in &Services::named(names, words).names {
        match look_at(word, request) {
            Ok(Link::None) => disabled(request, word, out)?,
            Ok(Link::Idle(name)) => idle.push(name),
            Ok(Link::Served(place)) => served.push(place),
            Err(failure) => out.not_found(word, &failure)?,
        }
    }
    let down = Command::send(&[Down], Goal::Down, Patience::Waits);
    let stopped = jobs::carry_out_at(&request.order(&down, Report::Failures, out), served, out)?;
    let remove = |name: &[u8]| {
        let refused = |errno| {
            Failure::fails(format!("unable to remove {}", shown(&names.path(false, name)))).because(errno)
        };
        let svdir = names.open_svdir().map_err(refused)?;
        match unlinkat(svdir, name, UnlinkatFlags::NoRemoveDir) {
            // Named twice, or another has done the same.
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(refused(errno)),
        }
    };
    for name in idle {
        match remove(&name) {
            Ok(()) => disabled(request, &name, out)?,
            Err(failure) => out.not_found(&name, &failure)?,
        }
    }
    let (mut hosted, mut others) = (Vec::new(), Vec::new());
    for place in stopped {
        match remove(&place.name) {
            Ok(()) if is_hosted(&place) => hosted.push(place),
            Ok(()) => others.push(place),
            Err(failure) => out.not_found(&place.name, &failure)?,
        }
    }
    tree::look_now(names);
    // A tree lets go of what has vanished, without being asked.
    for (controls, places) in [(&[][..], hosted), (&[Leave][..], others)] {
        let leave = Command::send(controls, Goal::Gone, Patience::Waits);
        // Where the state directory is gone too, there is no supervisor any more.
        let order = Order { patient: true, ..request.order(&leave, Report::Failures, out) };
        for place in jobs::carry_out_at(&order, places, out)? {
            disabled(request, &place.name, out)?;
        }
    }
    Ok(out.exit())
}

/// Says that a service is disabled, if that was asked for.
fn disabled(request: &Request, name: &[u8], out: &Out) -> Result<(), Exit> {
    if request.verbose || out.json { out.turned(name, "disabled") } else { Ok(()) }
}

/// What there is in SVDIR of a service that is to be disabled.
enum Link {
    /// Nothing: it is disabled.
    None,
    /// A link of this name, and no supervisor.
    Idle(Vec<u8>),
    /// A link, and a supervisor.
    Served(Place),
}

fn look_at(word: &[u8], request: &Request) -> Result<Link, Failure> {
    let names = &request.names;
    let source = Source::of(word, request.svsrc);
    let name = match &source {
        Ok(source) if is_path(word) => source.name.clone(),
        Err(failure) if is_path(word) => return Err(failure.clone()),
        _ => word.to_owned(),
    };
    if name.contains(&b'/') {
        return Err(not_a_name()); // the last part of it is in a service directory, as a link `log` is
    }
    let path = names.path(false, &name);
    let svdir = names.open_svdir().map_err(|errno| unable_to_open(names.svdir(), errno))?;
    match fstatat(svdir, &name[..], AtFlags::AT_SYMLINK_NOFOLLOW) {
        // That there is no such service at all is a failure.
        Err(Errno::ENOENT) => return source.map(|_| Link::None),
        Err(errno) => {
            return Err(Failure::fails(format!("unable to look at {}", shown(&path))).because(errno));
        }
        Ok(found) if !fds::is(&found, SFlag::S_IFLNK) => {
            let path = shown(&path).to_string();
            return Err(Failure::fails(format!("{path} is no link: it is kept there, and stays"))
                .hint(format!("'touch {path}/down' keeps it down after a boot, 'svctl stop' until then")));
        }
        Ok(_) => {}
    }
    if let Ok(source) = source.as_ref() {
        if is_path(word) && !source.is_at(names) {
            return Err(source.elsewhere(names));
        }
    }
    let place = match names.find(&name) {
        Ok(place) => place,
        // It leads nowhere.
        Err(Failure { errno: Some(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP), .. }) => {
            return Ok(Link::Idle(name));
        }
        Err(failure) => return Err(failure),
    };
    match look::status(&place) {
        Ok(Some(_)) => Ok(Link::Served(place)),
        Ok(None) => Ok(Link::Idle(name)),
        Err(failure) if failure.is_gone() => Ok(Link::Idle(name)),
        Err(failure) => Err(failure),
    }
}

/// Whether a tree hosts it.
fn is_hosted(place: &Place) -> bool {
    let answer = Conn::to_host(place).and_then(|mut conn| conn.ask("status", LIMIT));
    answer.is_some_and(|line| super::status::Status::from_json(&line).is_some())
}

impl Source {
    /// The service directory of this name where they are kept, or the one at this path.
    fn of(word: &[u8], svsrc: &[u8]) -> Result<Self, Failure> {
        let kept = |name: &[u8]| [svsrc, b"/", name].concat();
        if is_path(word) {
            let path = absolute(word).map_err(|errno| unable_to_open(word, errno))?;
            let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default().to_owned();
            return Self::at(name, &path);
        }
        if word.is_empty() || word.contains(&b'/') {
            return Err(not_a_name());
        }
        let found = Self::at(word.to_owned(), &kept(word));
        match word.iter().position(|byte| *byte == b'@') {
            // An instance is a link to the directory of all.
            Some(end) if matches!(&found, Err(failure) if failure.errno == Some(Errno::ENOENT)) => {
                Self::at(word.to_owned(), &kept(&word[..=end])).or(found)
            }
            _ => found,
        }
        .map_err(|failure| {
            failure.hint(format!(
                "service directories are in {} or where SVSRC says, or write a path",
                shown(svsrc)
            ))
        })
    }

    fn at(name: Vec<u8>, path: &[u8]) -> Result<Self, Failure> {
        let refused = |errno| unable_to_open(path, errno);
        let path = absolute(path).map_err(refused)?;
        let directory = place::directory(AT_FDCWD, &path).map_err(refused)?;
        if name.starts_with(b".") || name.is_empty() {
            return Err(Failure::fails("no service has a name that begins with a dot"));
        }
        if [c"run", c"setup"].iter().all(|file| fstatat(&directory, *file, AtFlags::empty()).is_err()) {
            return Err(Failure::fails(format!("there is no run in {}", shown(&path))));
        }
        Ok(Self { name, path, directory })
    }

    /// Makes the link in SVDIR, unless there is one to this directory.
    fn link(&self, names: &Names) -> Result<Linked, Failure> {
        let svdir = names.open_svdir().map_err(|errno| unable_to_open(names.svdir(), errno))?;
        match symlinkat(&self.path[..], svdir, &self.name[..]) {
            Ok(()) => Ok(Linked::Now),
            Err(Errno::EEXIST) if self.is_at(names) => Ok(Linked::Before),
            Err(Errno::EEXIST) => Err(self.elsewhere(names)),
            Err(errno) => {
                let path = names.path(false, &self.name);
                Err(Failure::fails(format!("unable to make the link {}", shown(&path))).because(errno))
            }
        }
    }

    /// Whether what is in SVDIR by its name is this directory.
    fn is_at(&self, names: &Names) -> bool {
        let own = fstat(&self.directory);
        let there = names.open_svdir().and_then(|svdir| fstatat(svdir, &self.name[..], AtFlags::empty()));
        own.is_ok_and(|own| there.is_ok_and(|there| same(&own, &there)))
    }

    /// There is something else by its name.
    fn elsewhere(&self, names: &Names) -> Failure {
        let path = names.path(false, &self.name);
        let shown_path = shown(&path).to_string();
        match read_link(OsStr::from_bytes(&path)) {
            Ok(to) => Failure::fails(format!("{shown_path} leads to {}", shown(to.as_os_str().as_bytes())))
                .hint(format!("'svctl disable {}' removes that link", shown(&self.name))),
            Err(_) => Failure::fails(format!("there is another {shown_path}, which is no link")),
        }
    }
}

/// A path from the root. Where it was not, what leads to its last part is without links; that part is the name that was
/// written.
fn absolute(path: &[u8]) -> nix::Result<Vec<u8>> {
    let found = |path: &[u8]| {
        let found = canonicalize(OsStr::from_bytes(path));
        found
            .map(|path| path.into_os_string().into_vec())
            // There is an errno but for a NUL, which no word has.
            .map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(0)))
    };
    let (parent, last) = split(path);
    match last {
        b"." | b".." | b"" => found(&[parent, last].concat()),
        _ if path.starts_with(b"/") => Ok([parent, last].concat()),
        _ => Ok([&found(if parent.is_empty() { b"." } else { parent })?, &b"/"[..], last].concat()),
    }
}

fn not_a_name() -> Failure {
    Failure::fails("not a name").hint("a path begins with a dot or a slash")
}

fn unable_to_open(path: &[u8], errno: Errno) -> Failure {
    Failure::fails(format!("unable to open {}", shown(path))).because(errno)
}
