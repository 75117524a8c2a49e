//! The commands: their bytes and requests, and their goals.

use common::signals;
use common::supervise::Control::{self, Down, Exit, Once, Reload, Restart, Up};

use super::conn::To;
use super::status::{State, Status, Want};
use super::style::Style;
use Patience::{Kills, Sends, Waits};
use Verb::Send;

/// What a command waits for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Goal {
    /// Nothing: it is done once it is sent.
    Sent,
    /// The supervisor says that it is; or, of one that has no word for it, the run that got SIGHUP lives on, for as long as
    /// a new one has to.
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
    /// Whether it is that a run has come up, see [`super::job::Job`]: as it announces, or by living on.
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
        // The label changes with each start and end. An old process shows that it got the stop signal.
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
            Self::Sent | Self::Reloaded => true,
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
pub(super) struct Command {
    /// The bytes for the control FIFO: empty for nothing, `None` where there are none for it.
    pub(super) bytes: Option<String>,
    /// The requests to the socket, one after the other.
    pub(super) requests: Vec<String>,
    pub(super) goal: Goal,
    /// How long it takes, unless the command line asks to wait.
    pub(super) patience: Patience,
    /// Whether it is a failure where nothing runs.
    pub(super) strict: bool,
    /// Whether it starts run where that does not run: a tree starts first what the service needs.
    pub(super) starts: bool,
    /// Whether the service is to be started without what it needs.
    pub(super) alone: bool,
}

/// The meaning of a word.
#[derive(Clone, Copy, Debug)]
pub(super) enum Verb {
    /// To send these, for a goal.
    Send(&'static [Control], Goal, Patience),
    Status,
    Signal,
    Wait,
    Rescan,
    Help,
    /// To leave it to a program of its own, which has the name of this one, a dash and the word.
    Program,
}

/// How long a command takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Patience {
    /// Until it is sent.
    Sends,
    /// Until its goal is reached, or the time is up.
    Waits,
    /// As that, and then the service is killed.
    Kills,
}

/// A row of the table, from which words, help and completions come.
pub(super) struct Row {
    pub(super) word: Word,
    /// What `--help` says of it.
    pub(super) help: &'static str,
}

/// A word of the command line.
#[derive(Clone, Copy)]
pub(super) struct Word {
    /// It, then its short forms.
    pub(super) forms: &'static [&'static str],
    verb: Verb,
    pub(super) of: Of,
}

/// The programs that understand a word.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Of {
    /// runit's sv too.
    Sv,
    Svctl,
}

/// A word of runit's sv.
const fn sv(forms: &'static [&'static str], help: &'static str, verb: Verb) -> Row {
    Row { word: Word { forms, verb, of: Of::Sv }, help }
}

/// A word of svctl alone.
const fn own(forms: &'static [&'static str], help: &'static str, verb: Verb) -> Row {
    Row { word: Word { forms, verb, of: Of::Svctl }, help }
}

const TERM: Control = Control::Signal(signals::TERM);
const KILL: Control = Control::Signal(signals::KILL);
const STOP: Control = Control::Signal(signals::STOP);
const CONT: Control = Control::Signal(signals::CONT);
const HUP: Control = Control::Signal(signals::HUP);
const ALRM: Control = Control::Signal(signals::ALRM);
const INT: Control = Control::Signal(signals::INT);
const QUIT: Control = Control::Signal(signals::QUIT);
const USR1: Control = Control::Signal(signals::USR1);
const USR2: Control = Control::Signal(signals::USR2);

/// All words, in the groups of `--help`.
pub(super) const GROUPS: &[(&str, &[Row])] = &[
    (
        "commands",
        &[
            sv(
                &["start"],
                "[-o] start the service, and wait until it has come up",
                Send(&[Up], Goal::Up, Waits),
            ),
            sv(&["stop"], "stop it, and wait until it is down", Send(&[Down], Goal::Down, Waits)),
            sv(
                &["restart"],
                "stop and start it, and wait until it has come up",
                Send(&[Restart], Goal::Restarted, Waits),
            ),
            sv(&["reload"], "make it reload, and wait until it has", Send(&[Reload], Goal::Reloaded, Waits)),
            own(&["list"], "print a table of these services, or of all", Verb::Program),
            own(&["show"], "print all that is known of a service", Verb::Program),
            own(&["log"], "print the logs of these services", Verb::Program),
            own(
                &["enable"],
                "[--now] link a service directory into SVDIR, where it is started",
                Verb::Program,
            ),
            own(&["disable"], "stop a service, and remove the link in SVDIR", Verb::Program),
            own(&["wait"], "[-a|-o] up|down|ready|finished: wait until it is so", Verb::Wait),
            sv(
                &["check"],
                "wait until it, or all, are in the wanted state",
                Send(&[], Goal::AsWanted, Waits),
            ),
            own(&["help"], "list the commands, or explain one", Verb::Help),
        ],
    ),
    (
        "to look closer",
        &[
            sv(
                &["status", "s"],
                "print the state of these services, or of all, and of their loggers",
                Verb::Status,
            ),
            own(&["events"], "print events of these services, or of all, as they happen", Verb::Program),
        ],
    ),
    (
        "to set up",
        &[
            own(&["new"], "write a service directory", Verb::Program),
            own(&["lint"], "look for mistakes in service directories", Verb::Program),
            own(&["rescan"], "make svtree look at its directory at once", Verb::Rescan),
            own(&["upgrade"], "make svrun execute its program file again", Send(&[], Goal::Upgraded, Waits)),
        ],
    ),
    (
        "to start and stop, step by step",
        &[
            sv(&["up", "u"], "[-o] start it, and again whenever it ends", Send(&[Up], Goal::Up, Sends)),
            sv(&["down", "d"], "stop it, and do not start it again", Send(&[Down], Goal::Down, Sends)),
            sv(&["once", "o"], "start it, and do not start it again", Send(&[Once], Goal::Once, Sends)),
            sv(&["exit", "x", "e"], "stop it, and let its supervisor exit", Send(&[Exit], Goal::Gone, Sends)),
            sv(
                &["shutdown"],
                "as exit, and wait until the supervisor has exited",
                Send(&[Exit], Goal::Gone, Waits),
            ),
            sv(&["try-restart"], "restart it if it is up", Send(&[TERM, CONT], Goal::Ended, Waits)),
            sv(
                &["force-stop", "D"],
                "as stop, and kill it when the time is up",
                Send(&[Down], Goal::Down, Kills),
            ),
            sv(
                &["force-restart"],
                "as restart, and kill it when the time is up",
                Send(&[Restart], Goal::Restarted, Kills),
            ),
            sv(
                &["force-reload", "T"],
                "as try-restart, and kill it when the time is up",
                Send(&[TERM, CONT], Goal::Ended, Kills),
            ),
            sv(
                &["force-shutdown", "X", "E"],
                "as shutdown, and kill it when the time is up",
                Send(&[Exit], Goal::Gone, Kills),
            ),
        ],
    ),
    (
        "to send signals",
        &[
            sv(&["hup", "h"], "send SIGHUP", Send(&[HUP], Goal::Sent, Sends)),
            sv(&["term", "t"], "send SIGTERM", Send(&[TERM], Goal::Ended, Sends)),
            sv(&["kill", "k"], "send SIGKILL", Send(&[KILL], Goal::Ended, Sends)),
            sv(&["interrupt", "i"], "send SIGINT", Send(&[INT], Goal::Sent, Sends)),
            sv(&["quit", "q"], "send SIGQUIT", Send(&[QUIT], Goal::Sent, Sends)),
            sv(&["alarm", "a"], "send SIGALRM", Send(&[ALRM], Goal::Sent, Sends)),
            sv(&["1"], "send SIGUSR1", Send(&[USR1], Goal::Sent, Sends)),
            sv(&["2"], "send SIGUSR2", Send(&[USR2], Goal::Sent, Sends)),
            sv(&["pause", "p"], "send SIGSTOP", Send(&[STOP], Goal::Paused, Sends)),
            sv(&["cont", "continue", "c"], "send SIGCONT", Send(&[CONT], Goal::Continued, Sends)),
            own(&["signal"], "name: send any signal", Verb::Signal),
        ],
    ),
];

/// The words alone: what svctl-help says of them is no part of svctl.
static WORDS: [Word; COUNT] = {
    let mut words = [GROUPS[0].1[0].word; COUNT];
    let (mut group, mut count) = (0, 0);
    while group < GROUPS.len() {
        let mut row = 0;
        while row < GROUPS[group].1.len() {
            words[count] = GROUPS[group].1[row].word;
            (row, count) = (row + 1, count + 1);
        }
        group += 1;
    }
    words
};

/// How many there are.
const COUNT: usize = {
    let (mut group, mut count) = (0, 0);
    while group < GROUPS.len() {
        count += GROUPS[group].1.len();
        group += 1;
    }
    count
};

/// Whether svctl understands this word.
pub(super) fn is_known(word: &str) -> bool {
    Verb::find(word, Style::Svctl).is_some()
}

/// Whether this word is left to a program of its own.
pub(super) fn is_program(word: &str) -> bool {
    matches!(Verb::find(word, Style::Svctl), Some(Verb::Program))
}

impl Verb {
    /// The verb that a word means to whom the program is called as.
    pub(super) fn find(word: &str, style: Style) -> Option<Self> {
        let is = |word: &str, known: &&Word| known.forms.contains(&word);
        if style == Style::Svctl {
            return WORDS.iter().find(|known| is(word, known)).map(|known| known.verb);
        }
        // runit's sv looks at the first letter, but for words that are not those of daemontools' svc.
        let letter = word.get(..1)?;
        let of_sv = |word: &str| {
            WORDS
                .iter()
                .filter(|known| known.of == Of::Sv)
                .find(|known| is(word, known))
                .map(|known| known.verb)
        };
        // As an init script it knows status by the whole word alone.
        let is_meant = |verb: &Self| !matches!(verb, Self::Status) || style == Style::Sv || word == "status";
        of_sv(word).or_else(|| of_sv(letter)).filter(is_meant)
    }
}

impl Command {
    /// Sends these, for a goal.
    pub(super) fn send(controls: &[Control], goal: Goal, patience: Patience) -> Self {
        let upgrade = (goal == Goal::Upgraded).then(|| "upgrade".to_owned());
        Self {
            bytes: if upgrade.is_none() {
                controls.iter().map(|control| control.letters()).collect()
            } else {
                None
            },
            requests: controls.iter().map(|control| control.request()).chain(upgrade).collect(),
            goal,
            patience,
            strict: goal == Goal::Reloaded,
            starts: controls.iter().any(|control| matches!(control, Up | Restart)),
            alone: false,
        }
    }

    /// As sv does it: a reload is a signal, which is sent, whatever comes of it.
    pub(super) fn send_as_sv(controls: &[Control], goal: Goal, patience: Patience) -> Self {
        match goal {
            Goal::Reloaded => Self::send(&[HUP], Goal::Sent, patience),
            goal => Self::send(controls, goal, patience),
        }
    }

    /// The requests for a supervisor that has no word for a reload.
    pub(super) fn old_reload() -> Vec<String> {
        vec!["status".to_owned(), HUP.request()]
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
        Some(Self::send(&[], goal, Patience::Waits))
    }

    /// Waits until the service has come up, and sends nothing.
    pub(super) fn ready() -> Self {
        Self::send(&[], Goal::Ready, Patience::Waits)
    }

    /// Sends any signal, by name or number.
    pub(super) fn signal(name: &[u8]) -> Option<Self> {
        let control = Control::Signal(signals::parse(name)?);
        Some(Self { strict: true, ..Self::send(&[control], Goal::Sent, Patience::Sends) })
    }

    /// A request of this command, as the one at the other end understands it.
    pub(super) fn request(&self, text: &str, to: To) -> String {
        let alone = if self.alone && text == Up.request() && to == To::Tree { " alone" } else { "" };
        format!("{text}{alone}")
    }

    /// Whether what it waits for includes a supervisor that is about to come.
    pub(super) fn is_patient(&self) -> bool {
        let waits = self.requests.is_empty() || self.goal == Goal::Up;
        waits && self.goal != Goal::Upgraded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes and the requests that svctl sends for a word, or for a signal.
    fn sent(words: &str) -> (Option<String>, String) {
        let command = match (words.split_once(' '), Verb::find(words, Style::Svctl)) {
            (Some(("signal", name)), _) => Command::signal(name.as_bytes()).unwrap(),
            (None, Some(Verb::Send(controls, goal, patience))) => Command::send(controls, goal, patience),
            (_, other) => panic!("{words}: {other:?}"),
        };
        (command.bytes, command.requests.join(", "))
    }

    #[test]
    fn a_command_goes_as_letters_into_the_fifo_and_as_words_to_the_socket() {
        for (word, bytes, requests) in [
            ("up", "u", "up"),
            ("force-stop", "d", "down"),
            ("once", "o", "once"),
            ("shutdown", "x", "exit"),
            ("pause", "p", "pause"),
            ("cont", "c", "continue"),
            ("alarm", "a", "signal ALRM"),
            ("2", "2", "signal USR2"),
            ("restart", "tcu", "restart"),
            ("try-restart", "tc", "signal TERM, continue"),
            ("reload", "h", "reload"),
            ("check", "", ""),
            ("signal stop", "p", "pause"),
            ("signal 15", "t", "signal TERM"),
        ] {
            assert_eq!(sent(word), (Some(bytes.to_owned()), requests.to_owned()), "{word}");
        }
        for (word, requests) in
            [("upgrade", "upgrade"), ("signal WINCH", "signal WINCH"), ("signal 40", "signal 40")]
        {
            assert_eq!(sent(word), (None, requests.to_owned()), "{word}");
        }
    }

    #[test]
    fn no_word_means_two_things() {
        let mut words: Vec<_> = WORDS.iter().flat_map(|word| word.forms).collect();
        words.sort_unstable();
        assert!(words.windows(2).all(|pair| pair[0] != pair[1]), "{words:?}");
    }

    #[test]
    fn sv_knows_its_own_words_and_first_letters() {
        let goal = |word, style| match Verb::find(word, style) {
            Some(Verb::Send(_, goal, _)) => Some(goal),
            _ => None,
        };
        assert_eq!(goal("upgrade", Style::Sv), Some(Goal::Up), "by its first letter");
        assert_eq!(goal("upgrade", Style::Svctl), Some(Goal::Upgraded));
        assert_eq!(goal("start", Style::Script), Some(Goal::Up));
        assert!(matches!(Verb::find("so", Style::Sv), Some(Verb::Status)));
        assert!(Verb::find("so", Style::Script).is_none() && Verb::find("so", Style::Svctl).is_none());
        assert!(Verb::find("list", Style::Sv).is_none());
    }
}
