//! The stream of changes that clients of the socket can follow, one JSON object a line.

use common::Text;

use super::death;
use super::machine::{Event, Hold, Machine, Phase, Want};
use super::process::Process;
use super::world::World;

type Line = Text<256>;

/// Publishes what `event` has changed, if anybody listens, and answers who waits for it.
pub(super) fn after(process: &Process, before: &Machine, event: Event, world: &mut World) {
    world.clients.changed(process);
    if !world.clients.anybody_listens(process.logger) {
        return;
    }
    let (now, time, world_now) = (&process.machine, world.wall(), world.now());
    let line = |name| -> Line { line(name, time) };
    let mut publish = |mut line: Line| world.clients.publish(process.logger, line.add("}\n").bytes());
    match event {
        Event::Started(pid) => {
            let mut line = line(if now.phase == Phase::Run { "start" } else { "finish" });
            line.add(",\"pid\":").number(pid);
            publish(line);
        }
        Event::Died(how) => {
            let finish = before.phase == Phase::Finish;
            let mut line = line(if finish { "finished" } else { "death" });
            if !finish {
                line.add(",\"pid\":").number(before.pid);
            }
            death::members(&mut line, how);
            if !finish {
                line.add(",\"lived\":").seconds(now.lived);
            }
            publish(line);
        }
        _ => {}
    }
    if now.want != before.want {
        let mut line = line("want");
        line.add(",\"want\":\"").add(want(now.want)).add("\"");
        publish(line);
    }
    if now.paused != before.paused {
        let mut line = line("paused");
        line.add(",\"paused\":").add(truth(now.paused));
        publish(line);
    }
    if now.hold != before.hold {
        let mut line = line("hold");
        line.add(",\"hold\":").add(hold(now.hold)).add(",\"next\":");
        match now.due {
            Some(due) => line.seconds(due.saturating_sub(world_now)),
            None => line.add("null"),
        };
        publish(line);
    }
}

/// Publishes that the service is ready, or is not any more.
pub(super) fn ready(process: &Process, world: &mut World) {
    world.clients.changed(process);
    if world.clients.anybody_listens(process.logger) {
        let mut line: Line = line(if process.notify.ready { "ready" } else { "stopping" }, world.wall());
        line.add(",\"pid\":").number(process.machine.pid).add("}\n");
        world.clients.publish(process.logger, line.bytes());
    }
}

/// Publishes what the service says of itself.
#[inline(never)] // its buffer would be part of the frame that waits
pub(super) fn says(process: &Process, world: &mut World) {
    if world.clients.anybody_listens(process.logger) {
        let mut line: Text<512> = line("status", world.wall());
        line.add(",\"pid\":").number(process.machine.pid).add(",\"status\":");
        words(&mut line, process).add("}\n");
        world.clients.publish(process.logger, line.bytes());
    }
}

/// What a service says of itself, as JSON.
pub(super) fn words<'a, const N: usize>(text: &'a mut Text<N>, process: &Process) -> &'a mut Text<N> {
    match process.notify.words.bytes() {
        b"" => text.add("null"),
        words => text.add("\"").quoted(words).add("\""),
    }
}

/// The beginning of an event's line.
fn line<const N: usize>(name: &str, time: (u64, u32)) -> Text<N> {
    let mut line = Text::of("{\"event\":\"");
    line.add(name).add("\",\"time\":");
    instant(&mut line, time);
    line
}

/// JSON's words for it.
pub(super) fn truth(truth: bool) -> &'static str {
    if truth { "true" } else { "false" }
}

/// A time as seconds since 1970.
pub(super) fn instant<const N: usize>(text: &mut Text<N>, (seconds, nanoseconds): (u64, u32)) {
    text.number(seconds).add(".").padded(nanoseconds / 1_000_000, 3);
}

/// What is wanted, in a word.
pub(super) fn want(want: Want) -> &'static str {
    match want {
        Want::Up => "up",
        Want::Down => "down",
        Want::Exit => "exit",
    }
}

/// Why it does not run, as JSON.
pub(super) fn hold(hold: Hold) -> &'static str {
    match hold {
        Hold::None => "null",
        Hold::BackingOff => "\"backing off\"",
        Hold::GaveUp | Hold::FinishGaveUp => "\"gave up\"",
    }
}

/// Which file has said that it is given up, as JSON.
pub(super) fn reason(hold: Hold) -> &'static str {
    match hold {
        Hold::None | Hold::BackingOff => "null",
        Hold::GaveUp => "\"restart-max\"",
        Hold::FinishGaveUp => "\"finish\"",
    }
}
