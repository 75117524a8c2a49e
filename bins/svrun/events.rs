//! The stream of changes that clients of the socket can follow, one JSON object a line.

use common::supervise::{Object, key};

use super::machine::{Event, Machine, Phase, Timer};
use super::process::Process;
use super::world::World;

/// Publishes what `event` has changed, if anybody listens, and answers who waits for it.
pub(super) fn after(process: &Process, before: &Machine, event: Event, world: &mut World) {
    world.clients.changed(process);
    if !world.clients.anybody_listens(process.logger) {
        return;
    }
    let (now, time, world_now) = (&process.machine, world.wall(), world.now());
    let mut publish = |mut object: Object| world.clients.publish(process.logger, object.line());
    match event {
        Event::Started(pid) => {
            let mut start = Object::event(if now.phase == Phase::Run { "start" } else { "finish" }, time);
            start.number(key::PID, Some(pid));
            publish(start);
        }
        Event::Died(how) if before.phase == Phase::Finish => {
            let mut finished = Object::event("finished", time);
            finished.death(how);
            publish(finished);
        }
        Event::Died(how) => {
            let mut death = Object::event("death", time);
            death.number(key::PID, Some(before.pid)).death(how).seconds(key::LIVED, Some(now.ran_for));
            publish(death);
        }
        _ => {}
    }
    if now.want != before.want {
        let mut want = Object::event("want", time);
        want.text(key::WANT, now.want.word());
        publish(want);
    }
    if now.paused != before.paused {
        let mut paused = Object::event("paused", time);
        paused.truth(key::PAUSED, Some(now.paused));
        publish(paused);
    }
    if now.hold != before.hold {
        let mut hold = Object::event("hold", time);
        let next = now.timers.get(Timer::Start).map(|due| due.saturating_sub(world_now));
        hold.text(key::HOLD, now.hold.words()).seconds(key::NEXT, next);
        publish(hold);
    }
}

/// Publishes that the service is ready, or is not any more.
pub(super) fn ready(process: &Process, world: &mut World) {
    world.clients.changed(process);
    if world.clients.anybody_listens(process.logger) {
        let name = if process.notify.ready { "ready" } else { "stopping" };
        let mut ready = Object::event(name, world.wall());
        world.clients.publish(process.logger, ready.number(key::PID, Some(process.machine.pid)).line());
    }
}

/// Publishes what the service says of itself.
#[inline(never)] // its buffer would be part of the frame that waits
pub(super) fn says(process: &Process, world: &mut World) {
    if world.clients.anybody_listens(process.logger) {
        let mut says = Object::event("status", world.wall());
        says.number(key::PID, Some(process.machine.pid)).text(key::STATUS, process.notify.words.bytes());
        world.clients.publish(process.logger, says.line());
    }
}
