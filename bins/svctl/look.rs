//! The command `status`, and how a service is, over the socket or from its files.

use std::time::Duration;

use common::{Exit, shown};
use nix::errno::Errno;

use super::conn::Conn;
use super::failure::{Failure, Sign};
use super::files;
use super::names::Names;
use super::out::{Out, print};
use super::place::Place;
use super::services::Services;
use super::status::Status;
use super::style::Style;
use super::tree::Known;

/// How long a supervisor may take to answer. After that, its files do; of one that is reached by its tree alone there are
/// none, and a busy machine is no reason to say that it is not there.
pub(super) const LIMIT: Duration = Duration::from_secs(5);

/// The state that the socket gives.
pub(super) fn by_socket(place: &Place) -> Option<Status> {
    Status::from_json(&Conn::open(place)?.ask("status", LIMIT)?)
}

/// The state from the socket or else from the status bytes, `None` without a supervisor.
pub(super) fn status(place: &Place) -> Result<Option<Status>, Failure> {
    by_socket(place).map_or_else(|| files::status(place), |status| Ok(Some(status)))
}

/// The same, if it is not known already.
pub(super) fn status_of(place: &Place, known: &Known) -> Result<Option<Status>, Failure> {
    known.of(&place.name).map_or_else(|| status(place), |status| Ok(Some(status.clone())))
}

/// Prints the state of each service and its log.
pub(super) fn show(names: &Names, services: &Services, out: &mut Out) -> Result<Exit, Exit> {
    for name in &services.names {
        let place = match names.find(name) {
            Ok(place) => place,
            Err(failure) => {
                out.not_found(name, &failure)?;
                continue;
            }
        };
        let failure = match status_of(&place, &services.known) {
            Ok(Some(status)) => {
                show_one(&place, &status, &services.known, out)?;
                if out.style == Style::Script {
                    return Ok(Exit::answer(Out::script(&status), ""));
                }
                continue;
            }
            Ok(None) => Failure::gone(),
            Err(failure) => failure,
        };
        out.failure(&place, &failure)?;
        if out.style == Style::Script && failure.sign == Sign::Warning {
            return Ok(Exit::answer(4, ""));
        }
    }
    Ok(out.exit())
}

fn show_one(place: &Place, status: &Status, known: &Known, out: &mut Out) -> Result<(), Exit> {
    if out.json {
        return out.done("", place, status);
    }
    let mut line = out.line(&place.name, place, status);
    let log = match place.log() {
        Err(Errno::ENOENT) => Ok(()),
        Err(errno) => Err(Failure::warns("unable to change to log service directory").because(errno)),
        Ok(log) => match status_of(&log, known) {
            Ok(Some(status)) => {
                line.extend([b"; ", &out.line(b"log", &log, &status)[..]].concat());
                Ok(())
            }
            Ok(None) => Err(Failure::gone()),
            Err(failure) => Err(failure),
        },
    };
    if let Err(failure) = log {
        let reason = failure.reason(out.style.dialect());
        out.failed();
        line.extend(format!("; {}: {}/log: {reason}", failure.sign.word(), shown(&place.name)).bytes());
    }
    line.push(b'\n');
    print(&line)
}
