//! The command `check` for all services: which of them are well at a glance.

use std::ops::ControlFlow::Break;

use common::Exit;
use nix::errno::Errno;

use super::look;
use super::order::{Order, Step};
use super::out::Out;
use super::place::Place;
use super::run::Runs;
use super::tree::Known;

/// Whether a service needs no second look: its tree has said that it is as it is wanted, and there is no ./check to
/// agree; or it has no supervisor, and nobody wants one.
pub(super) fn is_well(place: &Place, order: &Order, known: &Known, out: &Out) -> Result<bool, Exit> {
    if let Some(status) = known.of(&place.name) {
        if place.has(c"check") != Ok(false) {
            return Ok(false);
        }
        let Break(Step::Done(status)) = Runs::default().judge(place, order, status.clone()) else {
            return Ok(false);
        };
        if out.json {
            out.done("", place, &status)?;
        }
        return Ok(true);
    }
    if is_wanted(place) || !is_unserved(place) {
        return Ok(false);
    }
    if out.json {
        out.gone(place)?;
    }
    Ok(true)
}

/// Whether a supervisor that came would start something. What cannot be known may be.
fn is_wanted(place: &Place) -> bool {
    let none = |file| place.has(file) == Ok(false);
    let nothing_to_run = none(c"run") && none(c"setup");
    !nothing_to_run && none(c"down")
}

/// Whether it has no supervisor.
fn is_unserved(place: &Place) -> bool {
    match look::status(place) {
        Ok(status) => status.is_none(),
        Err(failure) => failure.errno == Some(Errno::ENOENT),
    }
}
