//! The commands: what each sends to a supervisor, and what it waits for.

use common::signals;

use super::out::Style;
use super::status::{State, Status, Want};

/// What a command waits for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Goal {
    /// Nothing: it is done once it is told.
    Told,
    /// The service has come up, and is wanted so.
    Up,
    /// It does not run, and is not wanted to.
    Down,
    /// Another run than before has come up.
    Restarted,
    /// As that, or it is down if it is wanted so.
    Ended,
    /// It was started.
    Once,
    Paused,
    Continued,
    /// Its supervisor has left.
    Gone,
    /// It is up or down as it is wanted.
    AsWanted,
    /// Another program supervises it.
    Upgraded,
    /// run runs.
    Running,
    /// It has come up, wanted or not.
    Ready,
    /// Neither run nor finish runs.
    Finished,
}

impl Goal {
    /// Whether it is that a run has come up, see [`super::job::Job`]: with what says so, or by living on.
    pub(super) fn is_a_run(self) -> bool {
        matches!(self, Self::Up | Self::Restarted | Self::Ended | Self::AsWanted | Self::Ready)
    }

    /// Whether the status bytes say that it is reached; `before` is what they said before the command.
    pub(super) fn is_reached(self, before: &Status, now: &Status) -> bool {
        let down = now.pid == 0 && now.state == State::Down && now.want != Want::Up;
        let run = now.state == State::Run;
        // The label changes with each start and end. An old process says that it was told to end.
        let other = run && !now.term && now.label != before.label;
        match self {
            Self::Up => run && !now.term && now.want == Want::Up,
            Self::Down => down,
            Self::Restarted => other,
            Self::Ended => down || other,
            Self::Once => now.label != before.label || now.pid != 0 && now.want != Want::Up,
            Self::Paused => now.pid == 0 || now.paused,
            Self::Continued => now.pid == 0 || !now.paused,
            Self::AsWanted => {
                if now.want == Want::Up {
                    run
                } else {
                    down
                }
            }
            Self::Running | Self::Ready => run,
            // runsv says finish before it has started it.
            Self::Finished => now.pid == 0 && now.state == State::Down,
            Self::Told => true,
            Self::Gone | Self::Upgraded => false,
        }
    }

    /// Whether being down, for good, is as good.
    pub(super) fn is_also_down(self) -> bool {
        matches!(self, Self::Ended | Self::AsWanted)
    }

    /// What to ask the socket to wait for.
    pub(super) fn condition(self) -> Option<&'static str> {
        match self {
            Self::Down => Some("wait down"),
            Self::Running => Some("wait up"),
            Self::Finished => Some("wait finished"),
            _ => None,
        }
    }
}

/// A command to supervisors.
#[derive(Clone, Debug)]
pub(super) struct Deed {
    /// What goes into the control FIFO: empty for nothing, `None` where there are no bytes for it.
    pub(super) bytes: Option<&'static str>,
    /// What goes to the socket, one after the other.
    pub(super) requests: Vec<String>,
    pub(super) goal: Goal,
    /// Whether to wait for the goal without being asked.
    pub(super) waits: bool,
    /// Whether to kill the service that does not reach it in time.
    pub(super) kills: bool,
    /// Whether it is a failure where nothing runs.
    pub(super) strict: bool,
}

/// What a word asks for.
#[derive(Clone, Debug)]
pub(super) enum Command {
    Status,
    Deed(Deed),
    Signal,
    Wait,
    Events,
    List,
}

/// Words, control bytes, requests to the socket, goal, and how: `w` waits, `k` kills.
type Row = (&'static [&'static str], &'static str, &'static [&'static str], Goal, &'static str);

/// sv's commands.
const TABLE: [Row; 26] = [
    (&["up", "u"], "u", &["up"], Goal::Up, ""),
    (&["down", "d"], "d", &["down"], Goal::Down, ""),
    (&["once", "o"], "o", &["once"], Goal::Once, ""),
    (&["pause", "p"], "p", &["pause"], Goal::Paused, ""),
    (&["cont", "continue", "c"], "c", &["continue"], Goal::Continued, ""),
    (&["hup", "h"], "h", &["signal HUP"], Goal::Told, ""),
    (&["alarm", "a"], "a", &["signal ALRM"], Goal::Told, ""),
    (&["interrupt", "i"], "i", &["signal INT"], Goal::Told, ""),
    (&["quit", "q"], "q", &["signal QUIT"], Goal::Told, ""),
    (&["1"], "1", &["signal USR1"], Goal::Told, ""),
    (&["2"], "2", &["signal USR2"], Goal::Told, ""),
    (&["term", "t"], "t", &["signal TERM"], Goal::Ended, ""),
    (&["kill", "k"], "k", &["signal KILL"], Goal::Ended, ""),
    (&["exit", "e", "x"], "x", &["exit"], Goal::Gone, ""),
    (&["start"], "u", &["up"], Goal::Up, "w"),
    (&["stop"], "d", &["down"], Goal::Down, "w"),
    (&["shutdown"], "x", &["exit"], Goal::Gone, "w"),
    (&["reload"], "h", &["signal HUP"], Goal::Told, "w"),
    (&["restart"], "tcu", &["restart"], Goal::Restarted, "w"),
    (&["try-restart"], "tc", &["signal TERM", "continue"], Goal::Ended, "w"),
    (&["check"], "", &[], Goal::AsWanted, "w"),
    (&["force-stop", "D"], "d", &["down"], Goal::Down, "wk"),
    (&["force-reload", "T"], "tc", &["signal TERM", "continue"], Goal::Ended, "wk"),
    (&["force-restart"], "tcu", &["restart"], Goal::Restarted, "wk"),
    (&["force-shutdown", "X", "E"], "x", &["exit"], Goal::Gone, "wk"),
    (&["upgrade"], "", &["upgrade"], Goal::Upgraded, "w"), // svctl's alone, from here
];

/// How many rows of the table are sv's.
const OF_SV: usize = 25;

impl Command {
    /// The command that a word means to whom the program is called as.
    pub(super) fn find(word: &str, style: Style) -> Option<Self> {
        let row = |word: &str, rows: &[Row]| rows.iter().find(|row| row.0.contains(&word)).map(Self::row);
        if style == Style::Svctl {
            return match word {
                "status" | "s" => Some(Self::Status),
                "signal" => Some(Self::Signal),
                "wait" => Some(Self::Wait),
                "events" => Some(Self::Events),
                "list" => Some(Self::List),
                _ => row(word, &TABLE),
            };
        }
        // runit's sv looks at the first letter, but for words that are not those of daemontools' svc.
        let letter = word.get(..1)?;
        match row(word, &TABLE[..OF_SV]).or_else(|| row(letter, &TABLE[..OF_SV])) {
            None if letter == "s" && (style == Style::Sv || word == "status") => Some(Self::Status),
            found => found,
        }
    }

    fn row(row: &Row) -> Self {
        let (_, bytes, requests, goal, how) = *row;
        Self::Deed(Deed {
            bytes: (goal != Goal::Upgraded).then_some(bytes),
            requests: requests.iter().map(|request| (*request).to_owned()).collect(),
            goal,
            waits: how.contains('w'),
            kills: how.contains('k'),
            strict: false,
        })
    }
}

impl Deed {
    /// Whether what it waits for includes a supervisor that is about to come.
    pub(super) fn is_patient(&self) -> bool {
        let waits = self.requests.is_empty() || self.goal == Goal::Up;
        waits && self.goal != Goal::Upgraded
    }

    /// Waits for a condition, and sends nothing.
    pub(super) fn wait(condition: &str) -> Option<Self> {
        let goal = match condition {
            "up" => Goal::Running,
            "down" => Goal::Down,
            "ready" => Goal::Ready,
            "finished" => Goal::Finished,
            _ => return None,
        };
        Some(Self { bytes: Some(""), requests: Vec::new(), goal, waits: true, kills: false, strict: false })
    }

    /// Sends any signal, by name or number.
    pub(super) fn signal(name: &[u8]) -> Option<Self> {
        let signal = signals::parse(name)?;
        let word = signals::name(signal).map_or_else(|| signal.to_string(), str::to_owned);
        let bytes = match signal {
            signals::TERM => Some("t"),
            signals::KILL => Some("k"),
            signals::HUP => Some("h"),
            signals::ALRM => Some("a"),
            signals::INT => Some("i"),
            signals::QUIT => Some("q"),
            signals::USR1 => Some("1"),
            signals::USR2 => Some("2"),
            signals::STOP => Some("p"),
            signals::CONT => Some("c"),
            _ => None,
        };
        let requests = vec![format!("signal {word}")];
        Some(Self { bytes, requests, goal: Goal::Told, waits: false, kills: false, strict: true })
    }
}
