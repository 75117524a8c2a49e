//! What clients are shown of a process: the object of its state, the objects of the event stream, the bytes of
//! `status` and the words of `stat`. All of it is made of one value, [`View`].

use common::Text;
use common::supervise::{Death, LastDeath, Object, RELOAD_FAILED, Report, State, Status, key};

use super::death;
use super::machine::{Event, Hold, Machine, Phase, Timer, Unreloaded, Want};
use super::now::{Now, Wall};
use common::supervise::{Control, Part};

/// A process as its clients may see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    /// Which one.
    pub(super) part: Part,
    /// Its life.
    pub(super) machine: &'a Machine,
    /// The wall clock time of `machine.since`.
    pub(super) since: Wall,
    /// When run died last, and its pid.
    pub(super) died: (Wall, u32),
    /// That death was the end of a stop.
    pub(super) stopped: bool,
    /// Whether it is ready; none where it has no way to announce it.
    pub(super) ready: Option<bool>,
    /// The names of what its start waits for.
    pub(super) needs: &'a [u8],
    /// What it says of itself.
    pub(super) words: &'a [u8],
    /// The control script that was started last, and, once it has failed, its wait status.
    pub(super) control: (u8, Option<i32>),
    /// `restart-reset`: a run shorter than this is short, in milliseconds.
    pub(super) reset: u64,
    /// Whether it has a logger.
    pub(super) log: bool,
    /// The pid of the supervisor.
    pub(super) supervisor: u32,
}

impl<'a> View<'a> {
    /// The names of what its start waits for; empty where it does not wait.
    fn needs(&self) -> &'a [u8] {
        if self.machine.hold == Hold::Needs { self.needs } else { b"" }
    }
}

/// Gives `publish` an object for each change that `event` has made to a process that was `before`.
pub(super) fn changes(
    view: &View,
    before: &Machine,
    event: Event,
    now: Now,
    mut publish: impl FnMut(Object),
) {
    let machine = view.machine;
    match event {
        Event::Started(pid) => {
            let name = if machine.phase == Phase::Run { "start" } else { "finish" };
            publish(started(name, pid, now));
        }
        Event::SetupStarted(pid) => publish(started("setup", pid, now)),
        Event::NoRun => publish(Object::event("done", now.wall)),
        Event::Died(how) if before.sets_up(how) => {}
        Event::Died(how) if before.phase == Phase::Finish => {
            let mut finished = Object::event("finished", now.wall);
            finished.death(how);
            publish(finished);
        }
        Event::Died(how) => {
            let mut death = Object::event("death", now.wall);
            let ran_for = Some(machine.ran_for);
            death.number(key::PID, Some(before.pid)).death(how).seconds(key::LIVED, ran_for);
            publish(death);
        }
        _ => {}
    }
    if machine.want != before.want {
        let mut want = Object::event("want", now.wall);
        want.text(key::WANT, machine.want.word());
        publish(want);
    }
    if machine.paused != before.paused {
        let mut paused = Object::event("paused", now.wall);
        paused.truth(key::PAUSED, Some(machine.paused));
        publish(paused);
    }
    if machine.hold != before.hold {
        publish(hold(view, now));
    }
    let (reload, last) = (&machine.reload, &before.reload);
    if reload.done != last.done {
        let name = if reload.failure.is_none() { "reloaded" } else { RELOAD_FAILED };
        let mut over = about(name, before.pid, now);
        if reload.failure.is_some() {
            over.text(key::REASON, unreloaded(reload.failure).bytes());
        }
        publish(over);
    }
    if reload.is_under_way() && (!last.is_under_way() || reload.done != last.done) {
        publish(about("reloading", machine.pid, now));
    }
}

/// Why a reload has failed, in words.
pub(super) fn unreloaded(why: Option<Unreloaded>) -> Text<64> {
    let mut text = Text::new();
    match why {
        None => {}
        Some(Unreloaded::Script(how)) => {
            text.add("./reload");
            ended(&mut text, how);
        }
        Some(Unreloaded::Control(signal, how)) => {
            let letter = Control::Signal(signal).letter().unwrap_or(b'?'); // it has one, or had no script
            text.add("control/").add([letter]);
            ended(&mut text, Some(how));
        }
        Some(Unreloaded::Died(how)) => {
            text.add("run");
            ended(&mut text, Some(how));
        }
        Some(Unreloaded::Stopped) => drop(text.add("the service is being stopped")),
        Some(Unreloaded::Late) => drop(text.add("timeout")),
    }
    text
}

/// How a script has ended.
fn ended(text: &mut Text<64>, how: Option<Death>) {
    match how {
        Some(Death::Exit(code)) => drop(text.add(" exited ").number(code)),
        Some(Death::Signal(signal, _)) => death::add_signal(text.add(" was killed by "), signal),
        Some(Death::Exec(_)) => drop(text.add(" could not be executed")),
        Some(Death::Unknown) => drop(text.add(" has ended")),
        None => drop(text.add(" could not be started")),
    }
}

/// Why a reload has failed, as the answer to whom has asked for it.
pub(super) fn reload_failure(why: Option<Unreloaded>) -> Object {
    let mut object = Object::error(RELOAD_FAILED.as_bytes());
    object.text(key::REASON, unreloaded(why).bytes());
    object
}

/// The object for a reload of this process, if there is one.
fn about(name: &str, pid: u32, now: Now) -> Object {
    let mut object = Object::event(name, now.wall);
    object.number(key::PID, Some(pid).filter(|pid| *pid != 0));
    object
}

/// The object for the start of a process.
fn started(name: &str, pid: u32, now: Now) -> Object {
    let mut start = Object::event(name, now.wall);
    start.number(key::PID, Some(pid));
    start
}

/// The object for a change of what holds a start back.
pub(super) fn hold(view: &View, now: Now) -> Object {
    let mut object = Object::event("hold", now.wall);
    object.text(key::HOLD, view.machine.hold.words()).text(key::NEEDS, view.needs());
    object.seconds(key::NEXT, until_start(view.machine, now));
    object
}

/// The object for a change of readiness.
pub(super) fn readiness(view: &View, now: Now) -> Object {
    let name = if view.ready == Some(true) { "ready" } else { "stopping" };
    let mut object = Object::event(name, now.wall);
    object.number(key::PID, Some(view.machine.pid));
    object
}

/// The object for what the service says of itself.
pub(super) fn announcement(view: &View, now: Now) -> Object {
    let mut object = Object::event("status", now.wall);
    object.number(key::PID, Some(view.machine.pid)).text(key::STATUS, view.words);
    object
}

/// The state of a process.
pub(super) fn status<'a>(view: &View<'a>, now: Now) -> Report<'a> {
    let machine = view.machine;
    let age = now.monotonic.saturating_sub(machine.since);
    // A run that has lasted is the end of the row.
    let lasts = machine.phase == Phase::Run && age >= view.reset;
    let (time, pid) = view.died;
    let last = |how| LastDeath { time, pid, how, lived: machine.ran_for, stopped: view.stopped };
    let (letter, failure) = view.control;
    Report {
        state: machine.phase.state(),
        pid: machine.pid,
        want: Some(machine.want),
        since: view.since,
        age,
        paused: machine.paused,
        term: machine.stop_sent,
        hold: (machine.hold.words(), machine.hold.reason()),
        needs: view.needs(),
        next: until_start(machine, now),
        ready: view.ready,
        reloading: Some(machine.reload.is_under_way()),
        words: view.words,
        restarts: Some(machine.restarts),
        short: Some(if lasts { 0 } else { machine.short_runs }),
        death: machine.death.map(last),
        control: failure.map(|status| (letter, death::from_wait_status(status))),
        log: Some(view.log),
        supervisor: Some(view.supervisor),
    }
}

/// How long it is until the next start.
fn until_start(machine: &Machine, now: Now) -> Option<u64> {
    machine.timers.get(Timer::Start).map(|due| due.saturating_sub(now.monotonic))
}

/// The bytes of `status` for `machine`, which has been in its state since `since`.
pub(super) fn status_bytes(machine: &Machine, since: Wall) -> Status {
    Status {
        since,
        // To all who know the bytes alone a service that is being set up is down.
        pid: if machine.phase == Phase::Setup { 0 } else { machine.pid },
        paused: machine.paused,
        // sv writes no `u` where it reads one: a start that is far off has to look unwanted.
        want: Some(if machine.hold == Hold::None { machine.want } else { Want::Down }),
        term: machine.stop_sent,
        state: machine.phase.state(),
    }
}

/// The text of `supervise/stat`; `needs`: the names of what its start waits for, which are cut where they do not fit.
pub(super) fn stat(machine: &Machine, needs: &[u8]) -> Text<64> {
    let state = machine.phase.state();
    let mut text = Text::new();
    if matches!(state, State::Setup | State::Done) {
        text.add(State::Down.word()).add(", ");
    }
    text.add(state.word());
    if machine.paused {
        text.add(", paused");
    }
    if machine.stop_sent {
        text.add(", got TERM");
    }
    match machine.want {
        _ if state == State::Down => {}
        Want::Up => {}
        want => drop(text.add(", want ").add(want.word())),
    }
    match machine.hold {
        Hold::None => {}
        hold => drop(text.add(", ").add(hold.words())),
    }
    if machine.hold == Hold::Needs {
        text.add(" ").add(needs);
    }
    text.end_line();
    text
}

#[cfg(test)]
mod tests {
    use super::super::machine::Death;
    use super::*;

    const NOW: Now = Now { monotonic: 12_345, wall: (1_800_000_000, 250_000_000) };

    fn machine(want: Want, phase: Phase, pid: u32) -> Machine {
        let mut machine = Machine::new(want);
        (machine.phase, machine.pid, machine.since) = (phase, pid, 10_000);
        machine
    }

    fn view(machine: &Machine) -> View<'_> {
        View {
            part: Part::Service,
            machine,
            since: (1_799_999_997, 905_000_000),
            died: ((1_700_000_000, 0), 7),
            stopped: false,
            ready: None,
            needs: b"",
            words: b"",
            control: (b't', None),
            reset: 2000,
            log: true,
            supervisor: 99,
        }
    }

    fn text(bytes: &[u8]) -> String {
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn the_object_shows_the_whole_state() {
        let up = machine(Want::Up, Phase::Run, 812);
        assert_eq!(
            text(status(&view(&up), NOW).object().line()),
            "{\"ok\":true,\"state\":\"run\",\"pid\":812,\"want\":\"up\",\"since\":1799999997.905,\"seconds\":2.345,\
             \"paused\":false,\"term\":false,\"hold\":null,\"reason\":null,\"needs\":null,\"next\":null,\"ready\":null,\
             \"reloading\":false,\"status\":null,\"restarts\":0,\"short\":0,\"death\":null,\"control\":null,\"log\":true,\
             \"supervisor\":99}\n"
        );
        let mut waits = machine(Want::Up, Phase::Wait, 0);
        (waits.hold, waits.short_runs, waits.ran_for) = (Hold::BackingOff, 3, 15);
        waits.timers.set(Timer::Start, 14_345);
        waits.death = Some(Death::Signal(11, true));
        let view = View {
            died: ((1_700_000_000, 5_000_000), 7),
            stopped: true,
            ready: Some(false),
            words: b"say \"hi\"",
            control: (b'h', Some(256)),
            log: false,
            ..view(&waits)
        };
        assert_eq!(
            text(status(&view, NOW).object().line()),
            "{\"ok\":true,\"state\":\"down\",\"pid\":null,\"want\":\"up\",\"since\":1799999997.905,\"seconds\":2.345,\
             \"paused\":false,\"term\":false,\"hold\":\"backing off\",\"reason\":null,\"needs\":null,\"next\":2.000,\"ready\":false,\
             \"reloading\":false,\"status\":\"say \\\"hi\\\"\",\"restarts\":0,\"short\":3,\"death\":{\"time\":1700000000.005,\"pid\":7,\
             \"code\":null,\"signal\":\"SEGV\",\"core\":true,\"lived\":0.015,\"stopped\":true},\
             \"control\":{\"script\":\"h\",\"code\":1,\"signal\":null,\"core\":false},\"log\":false,\
             \"supervisor\":99}\n"
        );
    }

    #[test]
    fn a_run_that_has_lasted_ends_the_row_of_short_ones() {
        let mut up = machine(Want::Up, Phase::Run, 1);
        up.short_runs = 4;
        let shorts =
            |reset| text(status(&View { reset, ..view(&up) }, NOW).object().line()).contains("\"short\":4");
        assert!(shorts(2346) && !shorts(2345));
    }

    #[test]
    fn each_change_is_a_line() {
        let lines = |before: Machine, event, after: Machine| {
            let mut all = String::new();
            let add = |mut object: Object| all.push_str(str::from_utf8(object.line()).unwrap());
            changes(&view(&after), &before, event, NOW, add);
            all
        };
        let up = machine(Want::Up, Phase::Run, 8);
        let mut paused = up;
        (paused.want, paused.paused) = (Want::Down, true);
        assert_eq!(lines(up, Event::Time, up), "");
        assert_eq!(
            lines(up, Event::Time, paused),
            "{\"event\":\"want\",\"time\":1800000000.250,\"want\":\"down\"}\n\
             {\"event\":\"paused\",\"time\":1800000000.250,\"paused\":true}\n"
        );
        assert_eq!(
            lines(machine(Want::Up, Phase::Prepare, 0), Event::Started(8), up),
            "{\"event\":\"start\",\"time\":1800000000.250,\"pid\":8}\n"
        );
        // A setup that has done its work is followed by a start, or by this.
        let setup = machine(Want::Up, Phase::Setup, 8);
        assert_eq!(lines(setup, Event::Died(Death::Exit(0)), machine(Want::Up, Phase::Done, 0)), "");
        assert_eq!(
            lines(setup, Event::NoRun, machine(Want::Up, Phase::Done, 0)),
            "{\"event\":\"done\",\"time\":1800000000.250}\n"
        );
        assert_eq!(
            lines(machine(Want::Up, Phase::Prepare, 0), Event::SetupStarted(8), setup),
            "{\"event\":\"setup\",\"time\":1800000000.250,\"pid\":8}\n"
        );
        assert!(lines(setup, Event::Died(Death::Exit(3)), setup).starts_with("{\"event\":\"death\","));
        let mut wait = machine(Want::Up, Phase::Wait, 0);
        (wait.hold, wait.ran_for) = (Hold::BackingOff, 1500);
        wait.timers.set(Timer::Start, 20_000);
        assert_eq!(
            lines(up, Event::Died(Death::Exit(3)), wait),
            "{\"event\":\"death\",\"time\":1800000000.250,\"pid\":8,\"code\":3,\"signal\":null,\"core\":false,\
             \"lived\":1.500}\n{\"event\":\"hold\",\"time\":1800000000.250,\"hold\":\"backing off\",\"needs\":null,\"next\":7.655}\n"
        );
    }

    #[test]
    fn the_words_and_the_bytes_say_the_same() {
        let mut run = machine(Want::Down, Phase::Run, 0x0102);
        (run.paused, run.stop_sent) = (true, true);
        assert_eq!(text(stat(&run, b"").bytes()), "run, paused, got TERM, want down\n");
        let expected = *b"\x40\0\0\0\0\0\0\x0b\0\0\0\x05\x02\x01\0\0\x01d\x01\x01";
        assert_eq!(status_bytes(&run, (1, 5)).pack(), expected);
        let mut held = machine(Want::Up, Phase::Wait, 0);
        assert_eq!(
            (text(stat(&held, b"db cache").bytes()).as_str(), status_bytes(&held, (0, 0)).pack()[17]),
            ("down\n", b'u')
        );
        held.hold = Hold::BackingOff;
        assert_eq!(
            (text(stat(&held, b"db cache").bytes()).as_str(), status_bytes(&held, (0, 0)).pack()[17]),
            ("down, backing off\n", b'd')
        );
        held.hold = Hold::Needs;
        assert_eq!(
            (text(stat(&held, b"db cache").bytes()).as_str(), status_bytes(&held, (0, 0)).pack()[17]),
            ("down, waiting for db cache\n", b'd')
        );
        assert_eq!(stat(&held, &[b'n'; 120]).bytes().last(), Some(&b'\n'));
        // To those who know the bytes alone both are down.
        for (phase, pid, want, words) in [
            (Phase::Setup, 7, Want::Up, "down, setup\n"),
            (Phase::Setup, 7, Want::Exit, "down, setup, want exit\n"),
            (Phase::Done, 0, Want::Down, "down, done, want down\n"),
        ] {
            let machine = machine(want, phase, pid);
            assert_eq!(text(stat(&machine, b"").bytes()), words);
            assert_eq!(
                (status_bytes(&machine, (0, 0)).pid, status_bytes(&machine, (0, 0)).pack()[19]),
                (0, 0)
            );
        }
    }
}
