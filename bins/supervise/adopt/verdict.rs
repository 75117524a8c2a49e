//! The verdict on the process that a record names: a pure function of what was found.

use super::super::machine::Phase;
use super::super::record::{Child, Snapshot};

/// The fate of a process since it was recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in super::super) enum Verdict {
    /// No run was ever started; what was wanted still is.
    NeverRan,
    /// It is alive, and taken over.
    Alive,
    /// A start was under way and left no trace: the run before it is over, and the start is due.
    StartVanished,
    /// Its death was seen and dealt with; the next start is due.
    Settled,
    /// setup has done its work, and a start of run may have been under way, or there is none.
    SetUp,
    /// Its death was seen, and finish is due.
    FinishDue,
    /// It has died, and nobody has seen how.
    DiedUnseen,
}

/// Whether the supervisor's snapshot speaks of the run that the child's place names.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in super::super) enum Snapshots {
    /// Of an earlier run, or there is none.
    Behind,
    /// Of that run.
    Same,
    /// Of a later run, whose child has not written its place.
    Ahead,
}

impl Snapshots {
    /// How the two compare. Serial numbers wrap around.
    pub(in super::super) fn of(snapshot: Option<&Snapshot>, child: &Child) -> Self {
        match snapshot.map(|snapshot| snapshot.serial.wrapping_sub(child.serial)) {
            Some(0) => Self::Same,
            Some(1..0x8000_0000) => Self::Ahead,
            _ => Self::Behind,
        }
    }
}

/// What is to be done. `child`: the process that is recorded, if there is one, and whether it is alive.
pub(in super::super) fn verdict(snapshot: Option<&Snapshot>, child: Option<(&Child, bool)>) -> Verdict {
    let Some((child, alive)) = child else { return Verdict::NeverRan };
    if alive {
        return Verdict::Alive;
    }
    let of = Snapshots::of(snapshot, child);
    match (of, snapshot.map(|snapshot| snapshot.machine.phase)) {
        (Snapshots::Behind, _) | (_, None) => Verdict::DiedUnseen,
        (Snapshots::Ahead, Some(Phase::Run | Phase::Setup)) => Verdict::StartVanished,
        (_, Some(Phase::Down | Phase::Wait | Phase::Prepare)) => Verdict::Settled,
        (Snapshots::Same, Some(Phase::Finish)) if child.phase != Phase::Finish => Verdict::FinishDue,
        (Snapshots::Same, Some(Phase::Run | Phase::Done)) if child.phase == Phase::Setup => Verdict::SetUp,
        (Snapshots::Ahead, Some(Phase::Done)) => Verdict::SetUp,
        (_, Some(Phase::Run | Phase::Finish | Phase::Setup | Phase::Done)) => Verdict::DiedUnseen,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::machine::{Asked, Machine, Want};
    use super::*;

    fn snapshot(serial: u32, phase: Phase) -> Snapshot {
        let mut machine = Machine::new(Want::Up);
        machine.phase = phase;
        Snapshot {
            machine,
            asked: Asked::default(),
            serial,
            wall: (0, 0),
            died: 0,
            dead: 0,
            notify: 0,
            ready: false,
        }
    }

    fn child(phase: Phase) -> Child {
        Child { phase, pid: 7, start: 1, serial: 5, since: 0, wall: (0, 0) }
    }

    #[test]
    fn every_pair_of_snapshot_and_child_has_its_verdict() {
        use Phase::{Done, Down, Finish, Prepare, Run, Setup, Wait};
        use Verdict::{DiedUnseen, FinishDue, SetUp, Settled, StartVanished};
        for (serial, phase, after_run, after_finish, after_setup) in [
            (4, Down, DiedUnseen, DiedUnseen, DiedUnseen),
            (4, Wait, DiedUnseen, DiedUnseen, DiedUnseen),
            (4, Prepare, DiedUnseen, DiedUnseen, DiedUnseen),
            (4, Run, DiedUnseen, DiedUnseen, DiedUnseen),
            (4, Finish, DiedUnseen, DiedUnseen, DiedUnseen),
            (4, Setup, DiedUnseen, DiedUnseen, DiedUnseen),
            (4, Done, DiedUnseen, DiedUnseen, DiedUnseen),
            (5, Down, Settled, Settled, Settled),
            (5, Wait, Settled, Settled, Settled),
            (5, Prepare, Settled, Settled, Settled),
            (5, Run, DiedUnseen, DiedUnseen, SetUp),
            (5, Finish, FinishDue, DiedUnseen, FinishDue),
            (5, Setup, DiedUnseen, DiedUnseen, DiedUnseen),
            (5, Done, DiedUnseen, DiedUnseen, SetUp),
            (6, Down, Settled, Settled, Settled),
            (6, Wait, Settled, Settled, Settled),
            (6, Prepare, Settled, Settled, Settled),
            (6, Run, StartVanished, StartVanished, StartVanished),
            (6, Finish, DiedUnseen, DiedUnseen, DiedUnseen),
            (6, Setup, StartVanished, StartVanished, StartVanished),
            (6, Done, SetUp, SetUp, SetUp),
        ] {
            let snapshot = snapshot(serial, phase);
            for (runs, expected) in [(Run, after_run), (Finish, after_finish), (Setup, after_setup)] {
                let child = child(runs);
                let given = verdict(Some(&snapshot), Some((&child, false)));
                assert_eq!(given, expected, "{serial} {phase:?}, {runs:?}");
                assert_eq!(verdict(Some(&snapshot), Some((&child, true))), Verdict::Alive);
                assert_eq!(verdict(Some(&snapshot), None), Verdict::NeverRan);
            }
        }
        assert_eq!(verdict(None, Some((&child(Phase::Run), false))), DiedUnseen);
        assert_eq!(verdict(None, Some((&child(Phase::Run), true))), Verdict::Alive);
        assert_eq!(verdict(None, None), Verdict::NeverRan);
    }

    #[test]
    fn serial_numbers_wrap_around() {
        let child = Child { serial: u32::MAX, ..child(Phase::Run) };
        let of = |serial| Snapshots::of(Some(&snapshot(serial, Phase::Run)), &child);
        assert_eq!(of(0), Snapshots::Ahead);
        assert_eq!(of(u32::MAX), Snapshots::Same);
        assert_eq!(of(u32::MAX - 1), Snapshots::Behind);
        assert_eq!(of(1 << 31), Snapshots::Behind, "farther off than any start");
        assert_eq!(Snapshots::of(None, &child), Snapshots::Behind);
    }
}
