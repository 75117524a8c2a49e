//! The commands: what each sends to a supervisor, and what it waits for.

use common::signals;

use super::out::Style;
use super::status::{State, Status, Want};

/// What a command waits for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Goal {
    /// Nothing: it is done once it is told.
    Told,
    /// The run that was told lives on, for as long as a new one has to.
    Reloaded,
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
        matches!(
            self,
            Self::Up | Self::Restarted | Self::Ended | Self::AsWanted | Self::Ready | Self::Reloaded
        )
    }

    /// Whether the status bytes say that it is reached; `before` is what they said before the command.
    pub(super) fn is_reached(self, before: &Status, now: &Status) -> bool {
        let down = now.pid == 0 && now.state == State::Down && now.want != Some(Want::Up);
        let run = now.state == State::Run;
        // The label changes with each start and end. An old process says that it was told to end.
        let other = run && !now.term && now.label != before.label;
        match self {
            Self::Up => run && !now.term && now.want == Some(Want::Up),
            Self::Down => down,
            Self::Restarted => other,
            Self::Ended => down || other,
            Self::Once => now.label != before.label || now.pid != 0 && now.want != Some(Want::Up),
            Self::Paused => now.pid == 0 || now.paused,
            Self::Continued => now.pid == 0 || !now.paused,
            Self::AsWanted => {
                if now.want == Some(Want::Up) {
                    run
                } else {
                    down
                }
            }
            Self::Running | Self::Ready => run,
            // runsv says finish before it has started it.
            Self::Finished => now.pid == 0 && now.state == State::Down,
            Self::Told | Self::Reloaded => true,
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

/// A command of the table: all from which words, help and completions come.
struct Row {
    /// What is said for it: the word, then its short forms.
    words: &'static [&'static str],
    /// What `--help` says of it.
    help: &'static str,
    kind: Kind,
}

/// What a row does.
#[derive(Clone, Copy)]
enum Kind {
    /// Control bytes, requests to the socket, goal, and how: `w` waits, `k` kills.
    Deed(&'static str, &'static [&'static str], Goal, &'static str),
    Status,
    Signal,
    Wait,
    Events,
    List,
}

const fn row(words: &'static [&'static str], help: &'static str, kind: Kind) -> Row {
    Row { words, help, kind }
}

use Kind::Deed as D;

/// The commands, sv's first.
const TABLE: [Row; 31] = [
    row(&["up", "u"], "start the service, and again whenever it ends", D("u", &["up"], Goal::Up, "")),
    row(&["down", "d"], "stop it, and do not start it again", D("d", &["down"], Goal::Down, "")),
    row(&["once", "o"], "start it, and do not start it again", D("o", &["once"], Goal::Once, "")),
    row(&["pause", "p"], "send SIGSTOP", D("p", &["pause"], Goal::Paused, "")),
    row(&["cont", "continue", "c"], "send SIGCONT", D("c", &["continue"], Goal::Continued, "")),
    row(&["hup", "h"], "send SIGHUP", D("h", &["signal HUP"], Goal::Told, "")),
    row(&["alarm", "a"], "send SIGALRM", D("a", &["signal ALRM"], Goal::Told, "")),
    row(&["interrupt", "i"], "send SIGINT", D("i", &["signal INT"], Goal::Told, "")),
    row(&["quit", "q"], "send SIGQUIT", D("q", &["signal QUIT"], Goal::Told, "")),
    row(&["1"], "send SIGUSR1", D("1", &["signal USR1"], Goal::Told, "")),
    row(&["2"], "send SIGUSR2", D("2", &["signal USR2"], Goal::Told, "")),
    row(&["term", "t"], "send SIGTERM", D("t", &["signal TERM"], Goal::Ended, "")),
    row(&["kill", "k"], "send SIGKILL", D("k", &["signal KILL"], Goal::Ended, "")),
    row(&["exit", "x", "e"], "stop it, and let its supervisor leave", D("x", &["exit"], Goal::Gone, "")),
    row(&["start"], "as up, and wait until it has come up", D("u", &["up"], Goal::Up, "w")),
    row(&["stop"], "as down, and wait until it is down", D("d", &["down"], Goal::Down, "w")),
    row(&["shutdown"], "as exit, and wait until the supervisor has left", D("x", &["exit"], Goal::Gone, "w")),
    row(&["reload"], "as hup, and see that it lives on", D("h", &["signal HUP"], Goal::Reloaded, "w")),
    row(
        &["restart"],
        "stop and start it, and wait until it has come up",
        D("tcu", &["restart"], Goal::Restarted, "w"),
    ),
    row(&["try-restart"], "restart it if it is up", D("tc", &["signal TERM", "continue"], Goal::Ended, "w")),
    row(&["check"], "wait until it is as it is wanted", D("", &[], Goal::AsWanted, "w")),
    row(
        &["force-stop", "D"],
        "as stop, and kill it when the time is up",
        D("d", &["down"], Goal::Down, "wk"),
    ),
    row(
        &["force-reload", "T"],
        "as try-restart, and kill it when the time is up",
        D("tc", &["signal TERM", "continue"], Goal::Ended, "wk"),
    ),
    row(
        &["force-restart"],
        "as restart, and kill it when the time is up",
        D("tcu", &["restart"], Goal::Restarted, "wk"),
    ),
    row(
        &["force-shutdown", "X", "E"],
        "as shutdown, and kill it when the time is up",
        D("x", &["exit"], Goal::Gone, "wk"),
    ),
    // svctl's alone, from here.
    row(&["status", "s"], "print the state of each service and its logger", Kind::Status),
    row(&["list"], "print a table of these services, or of all", Kind::List),
    row(&["events"], "print what happens to services, when it happens", Kind::Events),
    row(&["wait"], "[-a|-o] up|down|ready|finished: wait until it is so", Kind::Wait),
    row(&["signal"], "name: send any signal", Kind::Signal),
    row(&["upgrade"], "let svrun execute its program file anew", D("", &["upgrade"], Goal::Upgraded, "w")),
];

/// How many rows of the table are sv's.
const OF_SV: usize = 25;

/// The commands with what they do, for `--help`.
pub(super) fn help() -> impl Iterator<Item = (&'static str, &'static str)> + Clone {
    TABLE.iter().map(|row| (row.words[0], row.help))
}

/// The command whose word is most like `word`; none where nothing is like it.
pub(super) fn nearest(word: &str) -> Option<&'static str> {
    let words = TABLE.iter().map(|row| row.words[0]).filter(|word| word.len() > 1);
    let (distance, found) = words.map(|known| (distance(word, known), known)).min()?;
    // Of a short word two other letters would leave little.
    (distance <= 2 && distance * 2 < found.len()).then_some(found)
}

/// How many letters have to be added, left out, replaced or swapped with their neighbour.
fn distance(from: &str, to: &str) -> usize {
    let (from, to) = (from.as_bytes(), to.as_bytes());
    let mut before = Vec::new();
    let mut above: Vec<usize> = (0..=to.len()).collect();
    for i in 1..=from.len() {
        let mut row = vec![i];
        for j in 1..=to.len() {
            let mut least =
                (above[j - 1] + usize::from(from[i - 1] != to[j - 1])).min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                least = least.min(before[j - 2] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[to.len()]
}

impl Command {
    /// The command that a word means to whom the program is called as.
    pub(super) fn find(word: &str, style: Style) -> Option<Self> {
        let of = |word: &str, rows: &[Row]| {
            rows.iter().find(|row| row.words.contains(&word)).map(|row| Self::of(row.kind, style))
        };
        if style == Style::Svctl {
            return of(word, &TABLE);
        }
        // runit's sv looks at the first letter, but for words that are not those of daemontools' svc.
        let letter = word.get(..1)?;
        match of(word, &TABLE[..OF_SV]).or_else(|| of(letter, &TABLE[..OF_SV])) {
            None if letter == "s" && (style == Style::Sv || word == "status") => Some(Self::Status),
            found => found,
        }
    }

    fn of(kind: Kind, style: Style) -> Self {
        let (bytes, requests, goal, how) = match kind {
            Kind::Status => return Self::Status,
            Kind::Signal => return Self::Signal,
            Kind::Wait => return Self::Wait,
            Kind::Events => return Self::Events,
            Kind::List => return Self::List,
            // To sv a signal is sent, whatever comes of it.
            Kind::Deed(bytes, requests, Goal::Reloaded, how) if style != Style::Svctl => {
                (bytes, requests, Goal::Told, how)
            }
            Kind::Deed(bytes, requests, goal, how) => (bytes, requests, goal, how),
        };
        Self::Deed(Deed {
            bytes: (goal != Goal::Upgraded).then_some(bytes),
            requests: requests.iter().map(|request| (*request).to_owned()).collect(),
            goal,
            waits: how.contains('w'),
            kills: how.contains('k'),
            strict: goal == Goal::Reloaded,
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
