//! What clients are shown of a process: the JSON object of its state, the lines of the event stream, the 20 bytes
//! of `status` and the words of `stat`. All of it is made of one value, [`View`].

use common::{Text, clock};

use super::death;
use super::machine::{Event, Hold, Machine, Phase, Want};
use super::now::{Now, Wall, add_wall};
use super::part::Part;

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

/// A line of the event stream.
type Line = Text<256>;

/// Gives `publish` a line for each change that `event` has made to a process that was `before`.
pub(super) fn changes(view: &View, before: &Machine, event: Event, now: Now, mut publish: impl FnMut(&[u8])) {
    let machine = view.machine;
    let line = |name| -> Line { line(name, now.wall) };
    let mut publish = |mut line: Line| publish(line.add("}\n").bytes());
    match event {
        Event::Started(pid) => {
            let mut line = line(if machine.phase == Phase::Run { "start" } else { "finish" });
            line.add(",\"pid\":").number(pid);
            publish(line);
        }
        Event::Died(death) => {
            let finish = before.phase == Phase::Finish;
            let mut line = line(if finish { "finished" } else { "death" });
            if !finish {
                line.add(",\"pid\":").number(before.pid);
            }
            death::json_members(&mut line, death);
            if !finish {
                line.add(",\"lived\":").seconds(machine.lived);
            }
            publish(line);
        }
        _ => {}
    }
    if machine.want != before.want {
        let mut line = line("want");
        line.add(",\"want\":\"").add(want(machine.want)).add("\"");
        publish(line);
    }
    if machine.paused != before.paused {
        let mut line = line("paused");
        line.add(",\"paused\":").truth(machine.paused);
        publish(line);
    }
    if machine.hold != before.hold {
        let mut line = line("hold");
        line.add(",\"hold\":").add(hold(machine.hold)).add(",\"next\":");
        match machine.due {
            Some(due) => line.seconds(due.saturating_sub(now.monotonic)),
            None => line.add("null"),
        };
        publish(line);
    }
}

/// The line for a change of readiness.
pub(super) fn readiness(view: &View, now: Now) -> Text<256> {
    let mut line = line(if view.ready == Some(true) { "ready" } else { "stopping" }, now.wall);
    line.add(",\"pid\":").number(view.machine.pid).add("}\n");
    line
}

/// The line for what the service says of itself.
pub(super) fn announcement(view: &View, now: Now) -> Text<512> {
    let mut line = line("status", now.wall);
    line.add(",\"pid\":").number(view.machine.pid).add(",\"status\":");
    words(&mut line, view.words).add("}\n");
    line
}

/// What a service says of itself, as JSON.
fn words<'a, const N: usize>(text: &'a mut Text<N>, words: &[u8]) -> &'a mut Text<N> {
    match words {
        b"" => text.add("null"),
        words => text.add("\"").quoted(words).add("\""),
    }
}

/// The beginning of an event's line.
fn line<const N: usize>(name: &str, time: Wall) -> Text<N> {
    let mut line = Text::of("{\"event\":\"");
    line.add(name).add("\",\"time\":");
    add_wall(&mut line, time);
    line
}

fn want(want: Want) -> &'static str {
    match want {
        Want::Up => "up",
        Want::Down => "down",
        Want::Exit => "exit",
    }
}

/// Why it does not run, as JSON.
fn hold(hold: Hold) -> &'static str {
    match hold {
        Hold::None => "null",
        Hold::BackingOff => "\"backing off\"",
        Hold::GaveUp | Hold::FinishGaveUp => "\"gave up\"",
    }
}

/// Which file has decided that it is given up, as JSON.
pub(super) fn reason(hold: Hold) -> &'static str {
    match hold {
        Hold::None | Hold::BackingOff => "null",
        Hold::GaveUp => "\"restart-max\"",
        Hold::FinishGaveUp => "\"finish\"",
    }
}

/// The state of a process as one JSON object.
pub(super) fn status(view: &View, now: Now) -> Text<768> {
    let machine = view.machine;
    let mut text = Text::of("{\"ok\":true,\"state\":\"");
    text.add(machine.phase.word());
    text.add("\",\"pid\":");
    match machine.pid {
        0 => text.add("null"),
        pid => text.number(pid),
    };
    text.add(",\"want\":\"").add(want(machine.want)).add("\",\"since\":");
    add_wall(&mut text, view.since);
    let age = now.monotonic.saturating_sub(machine.since);
    text.add(",\"seconds\":").seconds(age);
    text.add(",\"paused\":").truth(machine.paused).add(",\"term\":").truth(machine.termed);
    text.add(",\"hold\":").add(hold(machine.hold));
    text.add(",\"reason\":").add(reason(machine.hold)).add(",\"next\":");
    match machine.due.filter(|_| machine.phase == Phase::Wait) {
        Some(due) => text.seconds(due.saturating_sub(now.monotonic)),
        None => text.add("null"),
    };
    text.add(",\"ready\":");
    match view.ready {
        Some(ready) => text.truth(ready),
        None => text.add("null"),
    };
    text.add(",\"status\":");
    words(&mut text, view.words);
    text.add(",\"restarts\":").number(machine.restarts).add(",\"short\":");
    // A run that has lasted is the end of the row.
    let lasts = machine.phase == Phase::Run && age >= view.reset;
    text.number(if lasts { 0 } else { machine.shorts }).add(",\"death\":");
    match machine.death {
        None => drop(text.add("null")),
        Some(death) => {
            text.add("{\"time\":");
            add_wall(&mut text, view.died.0);
            text.add(",\"pid\":").number(view.died.1);
            death::json_members(&mut text, death);
            text.add(",\"lived\":").seconds(machine.lived);
            text.add(",\"stopped\":").truth(view.stopped).add("}");
        }
    }
    text.add(",\"control\":");
    match view.control {
        (letter, Some(status)) => {
            text.add("{\"script\":\"").add([letter]).add("\"");
            death::json_members(&mut text, death::from_wait_status(status));
            text.add("}");
        }
        _ => drop(text.add("null")),
    }
    text.add(",\"log\":").truth(view.log);
    text.add(",\"supervisor\":").number(view.supervisor).add("}\n");
    text
}

/// The 20 bytes of runit's `supervise/status`: a TAI64N label (big endian), the pid (little endian), whether
/// it is paused, what is wanted, whether the stop signal was sent, and the state.
pub(super) fn status_bytes(machine: &Machine, (seconds, nanoseconds): Wall) -> [u8; 20] {
    let mut status = [0; 20];
    status[..8].copy_from_slice(&seconds.saturating_add(clock::TAI64).to_be_bytes());
    status[8..12].copy_from_slice(&nanoseconds.to_be_bytes());
    status[12..16].copy_from_slice(&machine.pid.to_le_bytes());
    status[16] = u8::from(machine.paused);
    // sv writes no `u` where it reads one: a start that is far off has to look unwanted.
    status[17] = if machine.want == Want::Up && machine.hold == Hold::None { b'u' } else { b'd' };
    status[18] = u8::from(machine.termed);
    status[19] = machine.phase.state();
    status
}

/// The text of `supervise/stat`.
pub(super) fn stat(machine: &Machine) -> Text<64> {
    let mut text = Text::of(machine.phase.word());
    if machine.paused {
        text.add(", paused");
    }
    if machine.termed {
        text.add(", got TERM");
    }
    match machine.want {
        _ if machine.phase.state() == 0 => {}
        Want::Up => {}
        Want::Down => drop(text.add(", want down")),
        Want::Exit => drop(text.add(", want exit")),
    }
    match machine.hold {
        Hold::None => {}
        Hold::BackingOff => drop(text.add(", backing off")),
        Hold::GaveUp | Hold::FinishGaveUp => drop(text.add(", gave up")),
    }
    text.add("\n");
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
            words: b"",
            control: (b't', None),
            reset: 2000,
            log: true,
            supervisor: 99,
        }
    }

    fn text<const N: usize>(text: &Text<N>) -> String {
        String::from_utf8(text.bytes().to_vec()).unwrap()
    }

    #[test]
    fn the_object_shows_the_whole_state() {
        let up = machine(Want::Up, Phase::Run, 812);
        assert_eq!(
            text(&status(&view(&up), NOW)),
            "{\"ok\":true,\"state\":\"run\",\"pid\":812,\"want\":\"up\",\"since\":1799999997.905,\"seconds\":2.345,\
             \"paused\":false,\"term\":false,\"hold\":null,\"reason\":null,\"next\":null,\"ready\":null,\
             \"status\":null,\"restarts\":0,\"short\":0,\"death\":null,\"control\":null,\"log\":true,\
             \"supervisor\":99}\n"
        );
        let mut waits = machine(Want::Up, Phase::Wait, 0);
        (waits.hold, waits.due, waits.shorts, waits.lived) = (Hold::BackingOff, Some(14_345), 3, 15);
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
            text(&status(&view, NOW)),
            "{\"ok\":true,\"state\":\"down\",\"pid\":null,\"want\":\"up\",\"since\":1799999997.905,\"seconds\":2.345,\
             \"paused\":false,\"term\":false,\"hold\":\"backing off\",\"reason\":null,\"next\":2.000,\"ready\":false,\
             \"status\":\"say \\\"hi\\\"\",\"restarts\":0,\"short\":3,\"death\":{\"time\":1700000000.005,\"pid\":7,\
             \"code\":null,\"signal\":\"SEGV\",\"core\":true,\"lived\":0.015,\"stopped\":true},\
             \"control\":{\"script\":\"h\",\"code\":1,\"signal\":null,\"core\":false},\"log\":false,\
             \"supervisor\":99}\n"
        );
    }

    #[test]
    fn a_run_that_has_lasted_ends_the_row_of_short_ones() {
        let mut up = machine(Want::Up, Phase::Run, 1);
        up.shorts = 4;
        let shorts = |reset| text(&status(&View { reset, ..view(&up) }, NOW)).contains("\"short\":4");
        assert!(shorts(2346) && !shorts(2345));
    }

    #[test]
    fn each_change_is_a_line() {
        let lines = |before: Machine, event, after: Machine| {
            let mut all = String::new();
            let add = |line: &[u8]| all.push_str(str::from_utf8(line).unwrap());
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
        let mut wait = machine(Want::Up, Phase::Wait, 0);
        (wait.hold, wait.due, wait.lived) = (Hold::BackingOff, Some(20_000), 1500);
        assert_eq!(
            lines(up, Event::Died(Death::Exit(3)), wait),
            "{\"event\":\"death\",\"time\":1800000000.250,\"pid\":8,\"code\":3,\"signal\":null,\"core\":false,\
             \"lived\":1.500}\n{\"event\":\"hold\",\"time\":1800000000.250,\"hold\":\"backing off\",\"next\":7.655}\n"
        );
    }

    #[test]
    fn the_words_and_the_bytes_say_the_same() {
        let mut run = machine(Want::Down, Phase::Run, 0x0102);
        (run.paused, run.termed) = (true, true);
        assert_eq!(text(&stat(&run)), "run, paused, got TERM, want down\n");
        let expected = *b"\x40\0\0\0\0\0\0\x0b\0\0\0\x05\x02\x01\0\0\x01d\x01\x01";
        assert_eq!(status_bytes(&run, (1, 5)), expected);
        let mut held = machine(Want::Up, Phase::Wait, 0);
        assert_eq!((text(&stat(&held)).as_str(), status_bytes(&held, (0, 0))[17]), ("down\n", b'u'));
        held.hold = Hold::BackingOff;
        assert_eq!(
            (text(&stat(&held)).as_str(), status_bytes(&held, (0, 0))[17]),
            ("down, backing off\n", b'd')
        );
    }
}
