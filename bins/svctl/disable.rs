//! svctl-disable: stop services, and remove the links in SVDIR by which they are started.

use common::supervise::Control::{Down, Exit as Leave};
use common::{Cli, Exit, Link, Outcome, fds, options, shown};
use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::stat::{SFlag, fstatat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::command::{Command, Goal, Patience};
use super::conn::Conn;
use super::failure::Failure;
use super::look::{self, LIMIT};
use super::names::is_path;
use super::order::{Order, Report};
use super::out::Out;
use super::place::Place;
use super::services::Services;
use super::source::{Source, not_a_name, unable_to_open};
use super::status::Status;
use super::{Request, jobs, tree};

/// svctl-disable: stop services, and remove their links in SVDIR.
pub const PROGRAM: Link = Link {
    name: "svctl-disable",
    usage: "[-v] [-w seconds] [--now] [--json] service...",
    summary: "stop services, and start them no more at boot",
    options: options![
        ("-v", "print what was done"),
        ("-w seconds", "wait at most this long (default: SVWAIT, else 7); implies -v"),
        ("--now", "as without: they are stopped in any case"),
        ("--json", "print a JSON object for each service, one per line"),
    ],
    opens: true,
    lent: None,
    run,
};

fn run(cli: &mut Cli) -> Outcome<'_> {
    Err(start(cli).unwrap_or_else(|error| error))
}

/// Stops the services, removes the links, and lets the supervisors leave.
///
/// In this order: nothing is removed of a service that does not stop; and as long as there is the link, the program that
/// watches SVDIR starts another supervisor in place of one that leaves, and with it the service.
fn start(cli: &mut Cli) -> Result<Exit, Exit> {
    let (request, services, mut out) = Request::of_command_line(cli, "disable")?;
    if services.is_empty() {
        return Err(Exit::usage("missing service"));
    }
    let (request, names, out) = (&request, &request.names, &mut out);
    let (mut idle, mut served) = (Vec::new(), Vec::new());
    for word in &Services::named(names, &services).names {
        match look_at(word, request) {
            Ok(Found::None) => disabled(request, word, out)?,
            Ok(Found::Idle(name)) => idle.push(name),
            Ok(Found::Served(place)) => served.push(place),
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
enum Found {
    /// Nothing: it is disabled.
    None,
    /// A link of this name, and no supervisor.
    Idle(Vec<u8>),
    /// A link, and a supervisor.
    Served(Place),
}

fn look_at(word: &[u8], request: &Request) -> Result<Found, Failure> {
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
        Err(Errno::ENOENT) => return source.map(|_| Found::None),
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
            return Ok(Found::Idle(name));
        }
        Err(failure) => return Err(failure),
    };
    match look::status(&place) {
        Ok(Some(_)) => Ok(Found::Served(place)),
        Ok(None) => Ok(Found::Idle(name)),
        Err(failure) if failure.is_gone() => Ok(Found::Idle(name)),
        Err(failure) => Err(failure),
    }
}

/// Whether a tree hosts it.
fn is_hosted(place: &Place) -> bool {
    let answer = Conn::to_host(place).and_then(|mut conn| conn.ask("status", LIMIT));
    answer.is_some_and(|line| Status::from_json(&line).is_some())
}
