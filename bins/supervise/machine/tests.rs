//! Every cell of the table, the rules one by one, and long random lives in a simulated world.

use super::*;

/// A machine with a clock, for tests that list events word by word.
struct Life {
    machine: Machine,
    rules: Rules,
    now: u64,
}

impl Life {
    fn new(rules: Rules) -> Self {
        Self { machine: Machine::default(), rules, now: 5_000_000 }
    }

    /// A life that has run for two seconds.
    fn running(rules: Rules) -> Self {
        let mut life = Self::new(rules);
        life.hear("u unhandled started +2000");
        life
    }

    /// What all the words lead to. A word is an event, or `+MS` for time that goes by unnoticed, or `runs`:
    /// the script that was tried runs; or how a reload goes on: `by-script`, `by-word`.
    fn hear(&mut self, words: &str) -> String {
        let mut done = Vec::new();
        for word in words.split_whitespace() {
            if let Some(time) = word.strip_prefix('+') {
                self.now += time.parse::<u64>().unwrap();
            } else if word == "fed" {
                self.machine.fed(self.now);
            } else if word == "runs" {
                self.machine.script_runs(self.now);
            } else if word == "by-script" {
                self.rules.reload = Reloading::Script;
            } else if word == "by-word" {
                self.rules.reload = Reloading::Announced(signals::HUP);
            } else {
                if word == "late" {
                    self.now += 100_000;
                }
                // A byte without a meaning is no event.
                let gone = self.machine.gone;
                let actions = event(word).map(|event| self.machine.step(event, self.now, &self.rules));
                done.extend(actions.iter().flat_map(Actions::iter).map(word_for));
                done.extend((self.machine.gone && !gone).then(|| "gone".to_owned()));
            }
        }
        done.join(" ")
    }

    /// As `hear`, with what came of it.
    fn outcome(&mut self, words: &str) -> String {
        let done = self.hear(words);
        format!("{done} > {:?} {:?}", self.machine.phase, self.machine.want).trim_start().to_owned()
    }
}

fn event(word: &str) -> Option<Event> {
    Some(match word {
        "restart" => Event::Control(Control::Restart),
        "winch" => Event::Control(Control::Signal(28)),
        "handled" => Event::Script(Some(Death::Exit(0))),
        "unhandled" => Event::Script(None),
        "failed" => Event::Script(Some(Death::Exit(3))),
        "reload" => Event::Control(Control::Reload),
        "reloading" => Event::Reloading(None),
        "reloaded" => Event::ReloadScript(Some(Death::Exit(0))),
        "not-reloaded" => Event::ReloadScript(Some(Death::Exit(3))),
        "started" => Event::Started(7),
        "setup" => Event::SetupStarted(7),
        "no-run" => Event::NoRun,
        "ready" => Event::Ready,
        "not-started" => Event::NotStarted,
        "no-finish" => Event::NoFinish,
        "exit-0" => Event::Died(Death::Exit(0)),
        "exit-125" => Event::Died(Death::Exit(125)),
        "killed" => Event::Died(Death::Signal(11, true)),
        "not-executed" => Event::Died(Death::Exec(2)),
        "lost" => Event::Died(Death::Unknown),
        "time" | "late" => Event::Time,
        "hold" => Event::Hold,
        "release" => Event::Release,
        letter => {
            assert_eq!(letter.len(), 1, "{letter}");
            return Control::from_letter(letter.as_bytes()[0]).map(Event::Control);
        }
    })
}

fn word_for(action: Action) -> String {
    match action {
        Action::Try(script) => format!("control/{}", char::from(script.letter())),
        Action::KillScript => "end-script".to_owned(),
        Action::Start => "start".to_owned(),
        Action::Run => "run".to_owned(),
        Action::Report => "report".to_owned(),
        Action::Finish => "finish".to_owned(),
        Action::ReportLate => "late".to_owned(),
        Action::ReportStarved => "starved".to_owned(),
        Action::StartReload => "reload".to_owned(),
        Action::KillReload => "end-reload".to_owned(),
        Action::ReportReload => "unreloaded".to_owned(),
        Action::Signal(28) => "WINCH".to_owned(),
        Action::Signal(number) => signals::name(number).unwrap().to_owned(),
    }
}

/// All that can happen.
const EVENTS: &str = "u d o x t k p c h a i q 1 2 ? hold release restart winch handled unhandled \
                      setup no-run started not-started no-finish exit-0 exit-125 killed not-executed lost \
                      failed ready reload reloading reloaded not-reloaded time late";

/// Situations, as `name: what led there`, and what each event leads to there: `events: actions > phase want`.
/// A `*` is the letter of the event, `SIG` its signal; `never` is what cannot happen there. `died` is every
/// death but the status 125. `late` is after all times that were set, `time` before. Where the outcome has no
/// want, it is what the event asks for, or that of before. `as` takes the rest from a situation above.
const CELLS: &str = "
Down:
    u restart: control/u > Prepare Up
    d: > Down Down
    x: gone > Down Exit
    o: control/u > Prepare Down
    t k p c h a i q 1 2 ? hold release winch handled unhandled time late failed ready reloading reload: > Down Down
    never: setup no-run started not-started no-finish died exit-125 reloaded not-reloaded

Down, gone: x
    u restart: control/u > Prepare Up
    d: > Down Down
    o: control/u > Prepare Down
    x t k p c h a i q 1 2 ? hold release winch handled unhandled time late failed ready reloading reload: > Down Exit
    never: setup no-run started not-started no-finish died exit-125 reloaded not-reloaded

Down, given up: u unhandled started +2000 exit-0 started exit-125
    u restart: control/u > Prepare Up
    d: > Down Down
    x: gone > Down Exit
    o: control/u > Prepare Down
    t k p c h a i q 1 2 ? hold release winch handled unhandled time late failed ready reloading reload: > Down Down
    never: setup no-run started not-started no-finish died exit-125 reloaded not-reloaded

Down, control/d runs: u unhandled started d unhandled runs exit-0 no-finish
    u restart: > Prepare Up
    d: > Down Down
    x: > Down Exit
    o: > Prepare Down
    t p c h a i q 1 2 ? hold release winch handled unhandled time failed ready reloading reload: > Down Down
    k: end-script > Down Down
    late: end-script > Down Down
    never: setup no-run started not-started no-finish died exit-125 reloaded not-reloaded

Down, control/x runs: u unhandled started x unhandled runs exit-0 no-finish
    u restart: > Prepare Up
    d: > Down Down
    o: > Prepare Down
    x t p c h a i q 1 2 ? hold release winch time ready reloading reload: > Down Exit
    k: end-script > Down Exit
    handled unhandled failed: gone > Down Exit
    late: end-script > Down Exit
    never: setup no-run started not-started no-finish died exit-125 reloaded not-reloaded

Down, control/u runs: u runs d
    u restart: > Prepare Up
    d: > Down Down
    x: > Down Exit
    o: > Prepare Down
    t p c h a i q 1 2 ? hold release winch handled unhandled time failed ready reloading reload: > Down Down
    k: end-script > Down Down
    late: end-script > Down Down
    never: setup no-run started not-started no-finish died exit-125 reloaded not-reloaded

Wait: u unhandled started +100 exit-0 no-finish
    u restart: control/u > Prepare Up
    d: > Down Down
    x: gone > Down Exit
    o: control/u > Prepare Down
    t k p c h a i q 1 2 ? hold release winch handled unhandled time failed ready reloading reload: > Wait Up
    late: control/u > Prepare Up
    never: setup no-run started not-started no-finish died exit-125 reloaded not-reloaded

Wait, once: o unhandled not-started
    u restart: control/u > Prepare Up
    d: > Down Down
    x: gone > Down Exit
    o: control/u > Prepare Down
    t k p c h a i q 1 2 ? hold release winch handled unhandled time failed ready reloading reload: > Wait Down
    late: control/u > Prepare Down
    never: setup no-run started not-started no-finish died exit-125 reloaded not-reloaded

Wait, held back: hold u
    u restart: > Wait Up
    d: > Down Down
    x: gone > Down Exit
    o: > Wait Down
    t k p c h a i q 1 2 ? hold winch handled unhandled time late failed ready reloading reload: > Wait Up
    release: control/u > Prepare Up
    never: setup no-run started not-started no-finish died exit-125 reloaded not-reloaded

Wait, held back, once: hold o
    u restart: > Wait Up
    d: > Down Down
    x: gone > Down Exit
    o: > Wait Down
    t k p c h a i q 1 2 ? hold winch handled unhandled time late failed ready reloading reload: > Wait Down
    release: control/u > Prepare Down
    never: setup no-run started not-started no-finish died exit-125 reloaded not-reloaded

Prepare: u runs
    u restart: > Prepare Up
    d: > Down Down
    x: > Down Exit
    o: > Prepare Down
    t p c h a i q 1 2 ? hold release winch time ready reloading reload: > Prepare Up
    k: end-script > Prepare Up
    handled unhandled failed: start > Prepare Up
    late: end-script > Prepare Up
    never: setup no-run started not-started no-finish died exit-125 reloaded not-reloaded

Prepare, after control/d: u unhandled started d unhandled runs exit-0 no-finish u
    u restart: > Prepare Up
    d: > Down Down
    x: > Down Exit
    o: > Prepare Down
    t p c h a i q 1 2 ? hold release winch time ready reloading reload: > Prepare Up
    k: end-script > Prepare Up
    handled unhandled failed: control/u > Prepare Up
    late: end-script > Prepare Up
    never: setup no-run started not-started no-finish died exit-125 reloaded not-reloaded

Prepare, asked to start: u unhandled
    started: > Run Up
    setup: > Setup Up
    not-started: > Wait Up
    never: no-run u d o x t k p c h a i q 1 2 ? hold release restart winch handled unhandled no-finish died exit-125 time late failed ready reloading reload reloaded not-reloaded

Run: u unhandled started +2000
    u: > Run Up
    d: control/t > Run Down
    x: control/t > Run Exit
    o: > Run Down
    restart: control/t > Run Up
    t k p c h a i q 1 2: control/* > Run Up
    ? hold release handled unhandled time late failed ready reloading: > Run Up
    winch: WINCH > Run Up
    reload: control/h > Run Up
    died exit-125: report finish > Finish Up
    never: setup no-run started not-started no-finish reloaded not-reloaded

Run, once: o unhandled started +2000
    u: > Run Up
    d: control/t > Run Down
    x: control/t > Run Exit
    o: > Run Down
    restart: control/t > Run Up
    t k p c h a i q 1 2: control/* > Run Down
    ? hold release handled unhandled time late failed ready reloading: > Run Down
    winch: WINCH > Run Down
    reload: control/h > Run Down
    died exit-125: report finish > Finish Down
    never: setup no-run started not-started no-finish reloaded not-reloaded

Run, being stopped: u unhandled started +2000 d unhandled unhandled
    u: > Run Up
    d: control/t > Run Down
    x: control/t > Run Exit
    o: > Run Down
    restart: control/t > Run Up
    t k p c h a i q 1 2: control/* > Run Down
    ? hold release handled unhandled time failed ready reloading reload: > Run Down
    winch: WINCH > Run Down
    late: KILL > Run Down
    died exit-125: report finish > Finish Down
    never: setup no-run started not-started no-finish reloaded not-reloaded

Run, control/h runs: u unhandled started +2000 h runs
    u d o x restart t p c h a i q 1 2 ? hold release ready reloading reload: > Run
    k: end-script > Run Up
    winch: WINCH > Run Up
    handled time: > Run Up
    unhandled failed: HUP > Run Up
    late: end-script > Run Up
    died exit-125: report finish > Finish Up
    never: setup no-run started not-started no-finish reloaded not-reloaded

Run, control/a runs: u unhandled started +2000 a runs
    handled: > Run Up
    unhandled failed: ALRM > Run Up
    as: Run, control/h runs

Run, control/i runs: u unhandled started +2000 i runs
    handled: > Run Up
    unhandled failed: INT > Run Up
    as: Run, control/h runs

Run, control/q runs: u unhandled started +2000 q runs
    handled: > Run Up
    unhandled failed: QUIT > Run Up
    as: Run, control/h runs

Run, control/1 runs: u unhandled started +2000 1 runs
    handled: > Run Up
    unhandled failed: USR1 > Run Up
    as: Run, control/h runs

Run, control/2 runs: u unhandled started +2000 2 runs
    handled: > Run Up
    unhandled failed: USR2 > Run Up
    as: Run, control/h runs

Run, control/p runs: u unhandled started +2000 p runs
    handled: > Run Up
    unhandled failed: STOP > Run Up
    as: Run, control/h runs

Run, control/c runs: u unhandled started +2000 c runs
    handled: > Run Up
    unhandled failed: CONT > Run Up
    as: Run, control/h runs

Run, control/k runs: u unhandled started +2000 k runs
    handled: > Run Up
    unhandled failed: KILL > Run Up
    as: Run, control/h runs

Run, control/t runs: u unhandled started +2000 t runs
    handled: > Run Up
    unhandled failed: TERM > Run Up
    as: Run, control/h runs

Run, control/t runs for a restart: u unhandled started +2000 restart runs
    handled: CONT > Run Up
    unhandled failed: QUIT CONT > Run Up
    late: KILL end-script > Run Up
    as: Run, control/h runs

Run once, control/t runs: o unhandled started +2000 t runs
    u d o x restart t p c h a i q 1 2 ? hold release ready reloading reload: > Run
    k: end-script > Run Down
    winch: WINCH > Run Down
    time: > Run Down
    handled: CONT control/d > Run Down
    unhandled failed: TERM CONT control/d > Run Down
    late: end-script > Run Down
    died exit-125: report finish > Finish Down
    never: setup no-run started not-started no-finish reloaded not-reloaded

Run, control/t runs for d: u unhandled started +2000 d runs
    handled: CONT control/d > Run Down
    unhandled failed: QUIT CONT control/d > Run Down
    late: KILL end-script > Run Down
    as: Run once, control/t runs

Run, control/t runs for d, then o: u unhandled started +2000 d runs o
    handled: CONT control/d > Run Down
    unhandled failed: QUIT CONT control/d > Run Down
    late: KILL end-script > Run Down
    as: Run once, control/t runs

Run, control/t runs for d, then u: u unhandled started +2000 d runs u
    handled: CONT > Run Up
    unhandled failed: QUIT CONT > Run Up
    late: KILL end-script > Run Up
    as: Run, control/h runs

Run, control/d runs: u unhandled started +2000 d unhandled runs
    handled unhandled failed: > Run Down
    late: KILL end-script > Run Down
    as: Run once, control/t runs

Run, control/t runs for x: u unhandled started +2000 x runs
    u d o x restart t p c h a i q 1 2 ? hold release ready reloading reload: > Run
    k: end-script > Run Exit
    winch: WINCH > Run Exit
    time: > Run Exit
    handled: CONT control/x > Run Exit
    unhandled failed: QUIT CONT control/x > Run Exit
    late: KILL end-script > Run Exit
    died exit-125: report finish > Finish Exit
    never: setup no-run started not-started no-finish reloaded not-reloaded

Run, control/x runs: u unhandled started +2000 x unhandled runs
    handled unhandled failed: > Run Exit
    as: Run, control/t runs for x

Run, control/h is ended for k: u unhandled started +2000 h runs k
    u d o x restart t p c h a i q 1 2 ? hold release ready reloading reload: > Run
    k: end-script > Run Up
    winch: WINCH > Run Up
    time: > Run Up
    handled unhandled failed: control/k > Run Up
    late: end-script > Run Up
    died exit-125: report finish > Finish Up
    never: setup no-run started not-started no-finish reloaded not-reloaded

Run, ./reload runs: by-script u unhandled started +2000 reload
    d: end-reload control/t > Run Down
    x: end-reload control/t > Run Exit
    restart: end-reload control/t > Run Up
    late: end-reload > Run Up
    died exit-125: end-reload report finish > Finish Up
    reloaded: > Run Up
    not-reloaded: unreloaded > Run Up
    reload: > Run Up
    never: setup no-run started not-started no-finish
    as: Run

Run, ./reload is killed: by-script u unhandled started +2000 reload late
    u: > Run Up
    d: control/t > Run Down
    x: control/t > Run Exit
    restart: control/t > Run Up
    reloaded not-reloaded: unreloaded > Run Up
    died exit-125: report finish > Finish Up
    never: setup no-run started not-started no-finish
    late: > Run Up
    as: Run, ./reload runs

Run, the signal of a reload was sent: u unhandled started +2000 reload unhandled
    reload: > Run Up
    as: Run

Run, a reload has to be announced: by-word u unhandled started +2000 reload unhandled
    late: unreloaded > Run Up
    as: Run, the signal of a reload was sent

Run, a reload was announced: u unhandled started +2000 reload unhandled reloading
    late: unreloaded > Run Up
    as: Run, the signal of a reload was sent

Run, a reload was announced that nobody has asked for: u unhandled started +2000 reloading
    as: Run, a reload was announced

Run, control/h runs for a reload: u unhandled started +2000 reload runs
    failed: HUP unreloaded > Run Up
    late: unreloaded end-script > Run Up
    as: Run, control/h runs

Down, ./reload is killed: by-script u unhandled started +2000 reload x unhandled unhandled exit-0 no-finish
    reloaded not-reloaded: gone > Down Exit
    x t p c h a i q 1 2 ? hold release winch handled unhandled failed ready reloading reload time late: > Down Exit
    k: > Down Exit
    u restart: control/u > Prepare Up
    d: > Down Down
    o: control/u > Prepare Down
    never: setup no-run started not-started no-finish died exit-125

Run, asked for finish: u unhandled started +2000 exit-0
    started: > Finish Up
    not-started: > Finish Up
    no-finish: control/u > Prepare Up
    never: setup no-run u d o x t k p c h a i q 1 2 ? hold release restart winch handled unhandled died exit-125 time late failed ready reloading reload reloaded not-reloaded

Finish: u unhandled started +2000 exit-0 started
    u restart: > Finish Up
    d o: > Finish Down
    x: > Finish Exit
    t k p c h a i q 1 2: SIG > Finish Up
    ? hold release handled unhandled time late failed ready reloading reload: > Finish Up
    winch: WINCH > Finish Up
    died: control/u > Prepare Up
    exit-125: > Down Down
    never: setup no-run started not-started no-finish reloaded not-reloaded

Finish, of a short run: u unhandled started +100 exit-0 started
    died: > Wait Up
    as: Finish

Finish, not wanted up: u unhandled started +2000 exit-0 started d
    u restart: > Finish Up
    d o: > Finish Down
    x: > Finish Exit
    t k p c h a i q 1 2: SIG > Finish Down
    ? hold release handled unhandled time failed ready reloading reload: > Finish Down
    late: KILL > Finish Down
    winch: WINCH > Finish Down
    died exit-125: > Down Down
    never: setup no-run started not-started no-finish reloaded not-reloaded

Finish, then the exit: u unhandled started +2000 exit-0 started x
    t k p c h a i q 1 2: SIG > Finish Exit
    ? hold release handled unhandled time failed ready reloading reload: > Finish Exit
    late: KILL > Finish Exit
    winch: WINCH > Finish Exit
    died exit-125: gone > Down Exit
    as: Finish, not wanted up

Finish, control/t runs: u unhandled started +2000 t runs exit-0 started
    late: end-script > Finish Up
    died: end-script > Prepare Up
    as: Finish

Finish, ./reload is killed: by-script u unhandled started +2000 reload exit-0 started
    reloaded not-reloaded: > Finish Up
    died: control/u > Prepare Up
    never: setup no-run started not-started no-finish
    as: Finish

Finish, to be tried again: u unhandled started +2000 exit-0 not-started
    u restart: > Finish Up
    d o: > Finish Down
    x: > Finish Exit
    t k p c h a i q 1 2 ? hold release winch handled unhandled time failed ready reloading reload: > Finish Up
    late: finish > Finish Up
    never: setup no-run started not-started no-finish died exit-125 reloaded not-reloaded
Setup: u unhandled setup
    u: > Setup Up
    d: QUIT CONT > Setup Down
    x: QUIT CONT > Setup Exit
    o: > Setup Down
    restart: QUIT CONT > Setup Up
    t k p c h a i q 1 2: SIG > Setup Up
    ? hold release handled unhandled time failed ready reloading reload: > Setup Up
    late: KILL > Setup Up
    winch: WINCH > Setup Up
    exit-0: run > Done Up
    exit-125 killed not-executed lost: report finish > Finish Up
    never: setup no-run started not-started no-finish reloaded not-reloaded

Setup, once: o unhandled setup
    u: > Setup Up
    d: QUIT CONT > Setup Down
    x: QUIT CONT > Setup Exit
    o: > Setup Down
    restart: QUIT CONT > Setup Up
    t k p c h a i q 1 2: SIG > Setup Down
    ? hold release handled unhandled time failed ready reloading reload: > Setup Down
    late: KILL > Setup Down
    winch: WINCH > Setup Down
    exit-0: run > Done Down
    exit-125 killed not-executed lost: report finish > Finish Down
    never: setup no-run started not-started no-finish reloaded not-reloaded

Setup, being stopped: u unhandled setup d
    t k p c h a i q 1 2: SIG > Setup Down
    ? hold release handled unhandled time failed ready reloading reload: > Setup Down
    late: KILL > Setup Down
    winch: WINCH > Setup Down
    died exit-125: report finish > Finish Down
    as: Setup

Done, asked for run: u unhandled setup exit-0
    started: > Run Up
    not-started: > Done Up
    no-run: > Done Up
    never: setup u d o x t k p c h a i q 1 2 ? hold release restart winch handled unhandled no-finish died exit-125 time late failed ready reloading reload reloaded not-reloaded

Done, run to be tried again: u unhandled setup exit-0 not-started
    u: > Done Up
    d: finish > Finish Down
    x: finish > Finish Exit
    o: > Done Down
    restart: finish > Finish Up
    t k p c h a i q 1 2 ? hold release winch handled unhandled time failed ready reloading reload: > Done Up
    late: run > Done Up
    never: setup no-run started not-started no-finish died exit-125 reloaded not-reloaded

Done: u unhandled setup exit-0 no-run
    late: > Done Up
    as: Done, run to be tried again

Done, once: o unhandled setup exit-0 no-run
    u: > Done Up
    d: finish > Finish Down
    x: finish > Finish Exit
    o: > Done Down
    restart: finish > Finish Up
    t k p c h a i q 1 2 ? hold release winch handled unhandled time late failed ready reloading reload: > Done Down
    never: setup no-run started not-started no-finish died exit-125 reloaded not-reloaded

Done, ./reload runs: by-script u unhandled setup exit-0 no-run reload
    u: > Done Up
    d: end-reload finish > Finish Down
    x: end-reload finish > Finish Exit
    restart: end-reload finish > Finish Up
    late: end-reload > Done Up
    reloaded: > Done Up
    not-reloaded: unreloaded > Done Up
    never: setup no-run started not-started no-finish died exit-125
    as: Done
";

/// The rules of the cells.
fn strict() -> Rules {
    Rules {
        down_signal: signals::QUIT,
        timeout_kill: 5000,
        timeout_finish: 7000,
        timeout_setup: 9000,
        ..Rules::default()
    }
}

struct Situation {
    name: &'static str,
    history: &'static str,
    /// Each event and what it leads to; `None`: it cannot happen.
    cells: Vec<(&'static str, Option<&'static str>)>,
}

/// The situations of `CELLS`, each with every event.
fn situations() -> Vec<Situation> {
    let mut all: Vec<Situation> = Vec::new();
    for line in CELLS.lines().filter(|line| !line.is_empty()) {
        let (events, outcome) = line.split_once(':').unwrap();
        let outcome = outcome.trim();
        if !line.starts_with(' ') {
            all.push(Situation { name: events, history: outcome, cells: Vec::new() });
        } else if events.trim() == "as" {
            let like = all.iter().find(|other| other.name == outcome).unwrap().cells.clone();
            let cells = &mut all.last_mut().unwrap().cells;
            let own = cells.clone();
            cells.extend(like.into_iter().filter(|(event, _)| own.iter().all(|(other, _)| other != event)));
        } else {
            let (events, outcome) =
                if events.trim() == "never" { (outcome, None) } else { (events, Some(outcome)) };
            let events = events.split_whitespace().flat_map(|event| match event {
                "died" => vec!["exit-0", "killed", "not-executed", "lost"],
                event => vec![event],
            });
            all.last_mut().unwrap().cells.extend(events.map(|event| (event, outcome)));
        }
    }
    all
}

fn situation(name: &str) -> Life {
    let history = situations().into_iter().find(|other| other.name == name).unwrap().history;
    let mut life = Life::new(strict());
    life.hear(history);
    life
}

#[test]
fn every_event_leads_in_every_situation_to_what_is_written() {
    for Situation { name, history, cells } in situations() {
        let mut listed: Vec<_> = cells.iter().map(|(event, _)| *event).collect();
        let mut events: Vec<_> = EVENTS.split_whitespace().collect();
        listed.sort_unstable();
        events.sort_unstable();
        assert_eq!(listed, events, "{name}: an event is missing or there twice");
        for (word, expected) in cells {
            let Some(expected) = expected else { continue };
            let mut life = Life::new(strict());
            life.hear(history);
            let (letter, want) = (word.as_bytes()[0], life.machine.want);
            let sent = match Control::from_letter(letter) {
                Some(Control::Signal(signal)) => signals::name(signal).unwrap(),
                _ => "",
            };
            let mut expected = expected.replace('*', &word[..1]).replace("SIG", sent);
            if expected.split_whitespace().count() == 2 {
                // What waits for the script alone: the want is there at once.
                expected = format!("{expected} {:?}", wanted(word).unwrap_or(want));
            }
            assert_eq!(life.outcome(word), expected, "{name}: {word}");
        }
    }
}

/// What an event asks for.
fn wanted(word: &str) -> Option<Want> {
    match word {
        "u" | "restart" => Some(Want::Up),
        "d" | "o" => Some(Want::Down),
        "x" => Some(Want::Exit),
        _ => None,
    }
}

#[test]
fn the_table_of_the_documentation_says_what_happens() {
    const COLUMNS: [(&str, &str); 8] = [
        ("`Up`", "u"),
        ("`Down`", "d"),
        ("`Exit`", "x"),
        ("`Once`", "o"),
        ("`Signal`", "h"),
        ("`Reload`", "reload"),
        ("death", "exit-0"),
        ("time", "late"),
    ];
    let mut table = include_str!("../machine.rs")
        .lines()
        .map_while(|line| line.strip_prefix("//!"))
        .filter_map(|line| line.trim().strip_prefix('|')?.strip_suffix('|'))
        .map(|line| line.split(" | ").map(str::trim).collect::<Vec<_>>());

    let header = table.next().unwrap();
    assert_eq!(header[0], r"phase \ event");
    assert_eq!(header[1..], COLUMNS.map(|(title, _)| title));
    assert!(table.next().unwrap()[0].chars().all(|character| "-|".contains(character)));

    let rows: Vec<_> = table.collect();
    let phases =
        [Phase::Down, Phase::Wait, Phase::Prepare, Phase::Run, Phase::Finish, Phase::Setup, Phase::Done];
    let names: Vec<_> = rows.iter().map(|row| row[0].split(':').next().unwrap()).collect();
    assert_eq!(names, phases.map(|phase| format!("{phase:?}")));

    for (row, phase) in rows.iter().zip(names) {
        assert_eq!(row.len(), header.len(), "{phase}");
        for ((title, word), cell) in COLUMNS.iter().zip(&row[1..]) {
            let name = match (phase, *word) {
                ("Run", "late") => "Run, being stopped",
                ("Finish", "late") => "Finish, not wanted up",
                _ => phase,
            };
            let never = situations()
                .iter()
                .any(|situation| situation.name == name && situation.cells.contains(&(word, None)));
            if never {
                assert_eq!(*cell, "-", "{phase}, {title}: it cannot happen");
                continue;
            }
            let mut life = situation(name);
            let want = wanted(word).unwrap_or(life.machine.want);
            let mut done = life.hear(word);
            if (phase, *word) == ("Prepare", "x") {
                done += &life.hear("unhandled"); // gone is the process only with its script
            }
            let (expected, next) = match *cell {
                "prepare" | "next" => ("control/u", "Prepare"),
                "want" | "-" | "flags alone" => ("", phase),
                "want, gone" => ("gone", phase),
                "Down" => ("", "Down"),
                "Down, gone" => ("gone", "Down"),
                "stop" => ("control/t", phase),
                "end" => ("QUIT CONT", phase),
                "finish" => ("finish", "Finish"),
                "run, else finish" => ("run", "Done"),
                "script or signal" | "reload" => ("control/h", phase),
                "signal" => ("HUP", phase),
                "KILL" => ("KILL", phase),
                "finish, else next" => ("report finish", "Finish"),
                other => panic!("{phase}, {title}: nobody knows what {other:?} means"),
            };
            // That a script is ended in time has nothing to do with the phase.
            assert_eq!(done.replace("end-script", ""), expected, "{phase}, {title}");
            assert_eq!(format!("{:?}", life.machine.phase), next, "{phase}, {title}");
            assert_eq!(life.machine.want, want, "{phase}, {title}");
        }
    }
}

#[test]
fn while_starts_are_held_back_every_start_waits_and_what_runs_goes_on() {
    let mut life = Life::new(Rules::default());
    assert_eq!(
        life.outcome("u runs hold unhandled started"),
        "control/u start > Run Up",
        "it was on its way"
    );
    // A restart waits too, and nothing but the release ends that.
    for death in ["+2000 exit-0", "+2000 restart unhandled killed", "+10 exit-0"] {
        let mut life = Life::new(Rules::default());
        life.hear("u unhandled started hold");
        life.hear(death);
        life.hear("no-finish late late");
        assert!(life.machine.waits_for_needs(), "{death}");
        assert_eq!((life.machine.hold, life.machine.deadline()), (Hold::Needs, None), "{death}");
        assert_eq!(life.outcome("release unhandled started"), "control/u start > Run Up", "{death}");
        assert_eq!(life.machine.hold, Hold::None);
    }
    // One that backs off waits for its time and for what it needs.
    let mut life = Life::running(Rules { delay_count: 1, delays: [5000; 16], ..Rules::default() });
    assert_eq!(life.outcome("exit-0 no-finish hold release"), "report finish > Wait Up");
    assert_eq!(life.machine.hold, Hold::BackingOff);
    assert_eq!(life.outcome("hold late"), "> Wait Up");
    assert_eq!(life.machine.hold, Hold::Needs);
    assert_eq!(life.outcome("release"), "control/u > Prepare Up");
}

#[test]
fn setup_comes_before_each_run_and_is_a_run_where_it_fails() {
    let mut life = Life::new(strict());
    assert_eq!(life.outcome("u unhandled setup +300 exit-0 started"), "control/u start run > Run Up");
    assert_eq!((life.machine.since, life.machine.deadline()), (life.now, None), "its time limit is over");
    assert_eq!(life.machine.restarts, 0);
    let again = life.outcome("+2000 killed no-finish unhandled setup exit-0 started");
    assert_eq!(again, "report finish control/u start run > Run Up");
    assert_eq!((life.machine.restarts, life.machine.death), (1, Some(Death::Signal(11, true))));
    // It fails: after its finish the pause is that of a run.
    let mut life = Life::new(Rules { max: 2, ..strict() });
    life.hear("u unhandled setup +300");
    assert_eq!(life.outcome("exit-125 started exit-0"), "report finish > Wait Up");
    assert_eq!((life.machine.ran_for, life.machine.short_runs), (300, 1));
    assert_eq!(life.machine.timers.get(Timer::Start), Some(life.now + 1000));
    assert_eq!(life.machine.ended(), None);
    assert_eq!(
        life.outcome("late unhandled setup killed no-finish"),
        "control/u start report finish > Down Down"
    );
    assert_eq!((life.machine.hold, life.machine.ended()), (Hold::GaveUp, Some(Death::Signal(11, true))));
    // Once: it is not tried again, and the end of it is known.
    let mut life = Life::new(strict());
    assert_eq!(
        life.outcome("o unhandled setup exit-125 no-finish"),
        "control/u start report finish > Down Down"
    );
    assert_eq!(life.machine.ended(), Some(Death::Exit(125)));
}

#[test]
fn a_setup_without_a_run_is_up_until_it_is_undone() {
    let mut life = Life::new(strict());
    assert_eq!(life.hear("u unhandled setup +300"), "control/u start");
    assert!(!life.machine.is_done());
    assert_eq!(life.hear("exit-0"), "run");
    assert!(!life.machine.is_done(), "nobody knows yet whether there is a run");
    life.hear("no-run");
    assert!(life.machine.is_done());
    assert_eq!((life.machine.since, life.machine.deadline(), life.machine.death), (life.now, None, None));
    assert_eq!(
        life.outcome("late u t h k winch restart no-finish unhandled setup exit-0 no-run"),
        "finish control/u start run > Done Up"
    );
    assert_eq!(life.machine.restarts, 1);
    assert_eq!(life.outcome("+5000 d"), "finish > Finish Down");
    assert_eq!((life.machine.death, life.machine.ran_for), (Some(Death::Exit(0)), 5000));
    assert_eq!(life.outcome("started exit-0"), "> Down Down");
    assert_eq!(life.machine.ended(), None, "it was asked for");
    assert_eq!(
        life.outcome("u unhandled setup exit-0 no-run x no-finish"),
        "control/u start run finish gone > Down Exit"
    );
    // A row of failures is over once it has done its work.
    let mut life = Life::new(strict());
    life.hear("u unhandled setup killed no-finish late unhandled setup killed no-finish");
    assert_eq!(life.machine.short_runs, 2);
    life.hear("late unhandled setup exit-0 no-run");
    assert_eq!(life.machine.short_runs, 0);
}

#[test]
fn a_run_that_could_not_be_started_is_tried_again_without_another_setup() {
    let mut life = Life::new(strict());
    life.hear("u unhandled setup exit-0 not-started");
    assert_eq!(life.machine.deadline(), Some(life.now + 1000));
    assert_eq!(life.hear("+999 time"), "");
    assert_eq!(life.outcome("+1 time not-started +1000 time started"), "run run > Run Up");
    // What setup has done is undone where the run is not wanted any more.
    let mut life = Life::new(strict());
    life.hear("u unhandled setup exit-0 not-started");
    assert_eq!(life.outcome("d no-finish late"), "finish > Down Down");
}

#[test]
fn a_stop_of_setup_is_by_signal_and_its_time_limits_are_the_first_of_both() {
    for (setup, kill, before, expected) in [
        (9000, 5000, 1000, Some(5000)),
        (9000, 5000, 8000, Some(1000)),
        (0, 5000, 1000, Some(5000)),
        (9000, 0, 1000, Some(8000)),
        (0, 0, 1000, None),
    ] {
        let mut life = Life::new(Rules { timeout_setup: setup, timeout_kill: kill, ..strict() });
        life.hear("u unhandled setup");
        assert_eq!(life.outcome(&format!("+{before} d")), "QUIT CONT > Setup Down");
        let left = life.machine.deadline().map(|deadline| deadline - life.now);
        assert_eq!(left, expected, "{setup} {kill} {before}");
        if let Some(left) = left {
            assert_eq!(life.hear(&format!("+{left} time")), "KILL");
        }
        // It has not done its work, whatever it says.
        assert_eq!(life.outcome("exit-0 started exit-0"), "report finish > Down Down");
    }
    // Wanted up again meanwhile: after its finish it is set up anew.
    let mut life = Life::new(strict());
    assert_eq!(life.hear("u unhandled setup +2000 d u exit-0"), "control/u start QUIT CONT report finish");
    assert_eq!(life.outcome("no-finish unhandled setup"), "control/u start > Setup Up");
    // Under another supervisor its limit goes on.
    for (stop, left) in [("", Some(7000)), ("d", Some(5000))] {
        let mut life = Life::new(strict());
        life.hear(&format!("u unhandled setup +2000 {stop}"));
        let (machine, asked) = taken_over(&life.machine, Want::Up);
        life.machine = machine;
        life.machine.step(Event::Resume(asked), life.now, &life.rules);
        assert_eq!(life.machine.deadline(), left.map(|left| life.now + left), "{stop}");
    }
}

#[test]
fn a_run_that_is_not_ready_in_time_is_stopped_and_was_too_short() {
    let rules = Rules { timeout_ready: 20_000, max: 2, ..strict() };
    let mut life = Life::new(rules);
    life.hear("u unhandled started");
    assert_eq!(life.hear("+19999 time"), "");
    assert_eq!(life.hear("+1 time unhandled"), "late control/t QUIT CONT");
    assert_eq!(life.machine.deadline(), Some(life.now + 5000), "KILL follows");
    assert_eq!(
        life.outcome("+10 exit-0 no-finish unhandled started"),
        "report finish control/u start > Run Up"
    );
    assert_eq!((life.machine.short_runs, life.machine.readiness), (1, Readiness::InTime));
    assert_eq!(
        life.outcome("late unhandled killed no-finish"),
        "late control/t QUIT CONT report finish > Down Down"
    );
    assert_eq!(life.machine.hold, Hold::GaveUp);
    // In time; stopped before; taken for ready.
    for words in ["ready late", "d unhandled unhandled +30000 ready", "+2000 killed no-finish"] {
        let mut life = Life::new(rules);
        life.hear("u unhandled started +19000");
        assert!(!life.hear(words).contains("late"), "{words}");
    }
    let mut life = Life::new(Rules { unready: Readiness::Excused, ..rules });
    assert_eq!(life.outcome("u unhandled started +20000 time late"), "control/u start late > Run Up");
    assert_eq!(life.machine.readiness, Readiness::Excused);
    life.hear("ready");
    assert_eq!(life.machine.readiness, Readiness::InTime);
    life.hear("killed no-finish");
    assert_eq!(life.machine.short_runs, 0);
    // Under another supervisor its time goes on.
    for (ready, readiness, sent, left) in [
        (false, Readiness::InTime, false, Some(15_000)),
        (true, Readiness::InTime, false, None),
        (false, Readiness::InTime, true, None),
        (false, Readiness::Excused, false, None),
    ] {
        let mut life = Life::new(rules);
        life.hear("u unhandled started +5000");
        let (mut machine, _) = taken_over(&life.machine, Want::Up);
        (machine.readiness, machine.stop_sent) = (readiness, sent);
        machine.watch_again(ready, life.now, &rules);
        assert_eq!(machine.deadline(), left.map(|left| life.now + left), "{ready} {readiness:?} {sent}");
    }
}

#[test]
fn a_reload_is_done_when_run_has_lived_on_or_is_ready_after_it_has_announced_it() {
    let result = |life: &Life| (life.machine.reload.done, life.machine.reload.failure);
    let mut life = Life::running(strict());
    assert_eq!(life.hear("reload unhandled +419 time"), "control/h HUP");
    assert_eq!((life.machine.deadline(), result(&life)), (Some(life.now + 1), (0, None)));
    life.hear("+1 time");
    assert_eq!((life.machine.deadline(), result(&life)), (None, (1, None)));
    // By a signal without a letter, and by a control script that has done it.
    life.rules.reload = Reloading::Signal(28);
    assert_eq!(life.hear("reload +420 time"), "WINCH");
    life.rules.reload = Reloading::Signal(signals::USR1);
    assert_eq!(life.hear("reload runs +50 handled +420 time"), "control/1");
    assert_eq!(result(&life), (3, None));
    // By ./reload, after which run has to live on too.
    assert_eq!(life.hear("by-script reload +5000 reloaded +419 time"), "reload");
    assert_eq!(result(&life), (3, None));
    life.hear("+1 time");
    assert_eq!(result(&life), (4, None));
    // What is announced is waited for, whenever it was.
    for words in ["reloading +9000 reloaded +9000 time ready", "reloaded reloading +9000 time ready"] {
        let before = life.machine.reload.done;
        life.hear(&format!("reload {words}"));
        assert_eq!(result(&life), (before + 1, None), "{words}");
    }
    let mut life = Life::running(strict());
    life.hear("reload unhandled +419 reloading +20000 time");
    assert!(life.machine.reload.is_under_way());
    life.hear("ready");
    assert_eq!(result(&life), (1, None));
    assert!(!life.machine.reload.is_under_way());
    // Where it has to be announced, to live on is not enough, nor is to be ready.
    life.hear("by-word reload unhandled +29000 time ready reloading ready");
    assert_eq!(result(&life), (2, None));
    life.hear("reload unhandled +30000 time");
    assert_eq!(result(&life), (3, Some(Unreloaded::Late)));
    // What run has begun before it was asked is no answer.
    life.hear("reload unhandled");
    let at = |at| Event::Reloading(Some(at));
    life.machine.step(at(life.now - 1), life.now, &life.rules);
    life.hear("ready");
    assert_eq!(life.machine.reload.done, 3);
    life.machine.step(at(life.now), life.now, &life.rules);
    life.hear("ready");
    assert_eq!(result(&life), (4, None));
    // Without a limit there is none.
    life.rules.timeout_reload = 0;
    life.hear("reload unhandled late late late");
    assert!(life.machine.reload.is_under_way() && life.machine.deadline().is_none());
}

#[test]
fn a_reload_fails_by_its_script_a_death_a_stop_or_its_time() {
    let (exited, killed) = (Death::Exit(3), Death::Signal(11, true));
    let script = |how| Unreloaded::Script(how);
    for (words, done, why) in [
        ("by-script reload not-reloaded", "reload unreloaded", script(Some(exited))),
        ("by-script reload +30000 time reloaded", "reload end-reload unreloaded", Unreloaded::Late),
        ("by-script reload killed reloaded", "reload end-reload report finish", Unreloaded::Died(killed)),
        ("by-script reload d reloaded", "reload end-reload control/t", Unreloaded::Stopped),
        ("reload unhandled killed", "control/h HUP report finish", Unreloaded::Died(killed)),
        ("reload unhandled restart", "control/h HUP control/t", Unreloaded::Stopped),
        ("reload runs x", "control/h", Unreloaded::Stopped),
        ("reload runs +10 failed", "control/h HUP unreloaded", Unreloaded::Control(1, exited)),
        ("reload unhandled reloading +30000 time", "control/h HUP unreloaded", Unreloaded::Late),
        (
            "reload runs k unhandled unhandled killed",
            "control/h end-script control/k KILL report finish",
            Unreloaded::Died(killed),
        ),
    ] {
        let mut life = Life::running(strict());
        assert_eq!(life.hear(words), done, "{words}");
        let Reload { done, failure, .. } = life.machine.reload;
        assert_eq!((done, failure), (1, Some(why)), "{words}");
        assert!(!life.machine.reload.is_awaited(), "{words}");
    }
    let mut life = Life::running(strict());
    life.hear("by-script reload");
    life.machine.step(Event::ReloadScript(None), life.now, &life.rules);
    assert_eq!(life.machine.reload.failure, Some(script(None)));
    // What does not run, or is about to end, is not reloaded.
    for words in
        ["", "u", "u runs", "u unhandled started d", "u unhandled started t unhandled", "u unhandled setup"]
    {
        let mut life = Life::new(strict());
        life.hear(words);
        assert_eq!(life.hear("reload"), "", "{words}");
        assert_eq!(life.machine.reload.last(), 0, "{words}");
    }
}

#[test]
fn a_pause_proves_nothing_of_a_reload_and_a_limit_ends_the_proof() {
    let result = |life: &Life| (life.machine.reload.done, life.machine.reload.failure);
    let mut life = Life::running(strict());
    life.hear("p unhandled reload unhandled +420 time +9000 time c unhandled +420 time");
    assert_eq!((life.machine.reload.is_under_way(), result(&life)), (true, (0, None)));
    life.hear("+420 time");
    assert_eq!(result(&life), (1, None));
    life.hear("p unhandled reload unhandled +30000 time");
    assert_eq!(result(&life), (2, Some(Unreloaded::Late)));
    let mut life = Life::running(Rules { timeout_reload: 300, ..strict() });
    life.hear("reload unhandled +300 time");
    assert_eq!((result(&life), life.machine.deadline()), ((1, None), None));
    life.hear("by-script reload +299 reloaded +1 time");
    assert_eq!(result(&life), (2, None));
    life.hear("reload +300 time reloaded");
    assert_eq!(result(&life), (3, Some(Unreloaded::Late)));
}

#[test]
fn what_run_announces_by_itself_does_not_answer_who_waits_for_the_next_reload() {
    let mut life = Life::running(strict());
    life.hear("reload unhandled reload +420 time reloading ready");
    assert_eq!((life.machine.reload.done, life.machine.reload.last()), (1, 2));
    assert_eq!(life.hear("+1 time unhandled +420 time"), "control/h HUP");
    assert_eq!((life.machine.reload.done, life.machine.reload.failure), (2, None));
}

#[test]
fn a_reload_that_is_asked_for_during_another_comes_after_it_once_for_all() {
    let mut life = Life::running(strict());
    assert_eq!(life.hear("by-script reload reload reload"), "reload");
    assert_eq!((life.machine.reload.done, life.machine.reload.last()), (0, 2));
    assert_eq!(life.hear("reloaded +420 time"), "");
    assert_eq!((life.machine.reload.done, life.machine.reload.last()), (1, 2));
    assert_eq!(life.hear("reload +1 time"), "reload");
    assert_eq!((life.machine.reload.done, life.machine.reload.last()), (1, 2));
    // The first has failed by itself, and so nothing is known of the second.
    assert_eq!(life.hear("reload not-reloaded +1 time"), "unreloaded reload");
    assert_eq!((life.machine.reload.done, life.machine.reload.last()), (2, 3));
    // With the service both are over.
    assert_eq!(life.hear("reload killed +1 reloaded +9000 time"), "end-reload report finish");
    assert_eq!((life.machine.reload.done, life.machine.reload.last()), (4, 4));
    assert_eq!(life.machine.reload.failure, Some(Unreloaded::Died(Death::Signal(11, true))));
    // Also between the two.
    let mut life = Life::running(strict());
    life.hear("by-script reload reload not-reloaded d");
    assert_eq!((life.machine.reload.done, life.machine.reload.failure), (2, Some(Unreloaded::Stopped)));
    assert_eq!(life.hear("late"), "KILL");
}

#[test]
fn a_run_that_does_not_show_that_it_lives_gets_abrt_and_then_kill() {
    for (timeout_kill, limit) in [(5000, 5000), (0, 10_000)] {
        let mut life = Life::new(Rules { watchdog: 2000, timeout_kill, ..strict() });
        life.hear("u unhandled started");
        assert_eq!(life.hear("+1999 time fed +1999 time fed"), "");
        assert_eq!(life.hear("+2000 time"), "starved ABRT CONT");
        assert_eq!(life.machine.deadline(), Some(life.now + limit));
        assert_eq!(life.hear("fed"), "", "it is too late");
        assert_eq!(life.hear(&format!("+{limit} time")), "KILL");
        assert_eq!(life.outcome("killed no-finish"), "report finish control/u > Prepare Up");
        assert_eq!(life.machine.deadline(), None);
    }
    // Neither while it is paused nor while it is stopped, nor finish.
    let rules = Rules { watchdog: 2000, timeout_kill: 0, ..strict() };
    let mut life = Life::new(rules);
    assert_eq!(
        life.hear("u unhandled started p unhandled late late c unhandled"),
        "control/u start control/p STOP control/c CONT"
    );
    assert_eq!(life.machine.deadline(), Some(life.now + 2000));
    assert_eq!(life.hear("d unhandled unhandled late"), "control/t QUIT CONT control/d");
    let mut life = Life::new(rules);
    assert_eq!(life.hear("u unhandled started exit-0 started late"), "control/u start report finish");
    // The file counts from the next start, and another supervisor goes on with what the run was started with.
    let mut life = Life::new(rules);
    life.hear("u unhandled started");
    life.rules.watchdog = 0;
    life.hear("fed");
    assert_eq!(life.machine.deadline(), Some(life.now + 2000));
    let (mut machine, _) = taken_over(&life.machine, Want::Up);
    machine.watch_again(true, life.now + 1500, &life.rules);
    assert_eq!(machine.deadline(), Some(life.now + 3500));
}

#[test]
fn finish_that_has_to_wait_comes_at_its_time_and_the_next_start_after_it() {
    let mut life = Life::running(Rules::default());
    assert_eq!(life.hear("exit-0"), "report finish");
    let later = |life: &mut Life, time| life.machine.step(Event::Later(time), life.now, &life.rules);
    let time = life.now + 700;
    assert_eq!(later(&mut life, time).iter().count(), 0);
    // Nobody else has to wait, and nothing else comes of it.
    assert_eq!(life.outcome("d u t"), "> Finish Up");
    assert_eq!(life.hear("+699 time"), "");
    assert_eq!(life.hear("+1 time"), "finish");
    life.hear("started");
    // It runs: there is nothing to wait for.
    let now = life.now;
    later(&mut life, now);
    assert_eq!(life.machine.deadline(), None);
    assert_eq!(life.hear("exit-0"), "control/u");
    // And at once, where it need not wait any longer.
    let mut life = Life::running(Rules::default());
    life.hear("exit-0");
    let now = life.now;
    later(&mut life, now + 700);
    later(&mut life, now);
    assert_eq!(life.hear("time"), "finish");
}

#[test]
fn kill_follows_a_stop_after_timeout_kill() {
    let rules = Rules { timeout_kill: 500, ..Rules::default() };
    for stop in ["d", "x", "restart"] {
        let mut life = Life::running(rules);
        life.hear(stop);
        life.hear("unhandled unhandled");
        assert_eq!(life.machine.deadline(), Some(life.now + 500), "{stop}");
        assert_eq!(life.hear("+499 time"), "", "{stop}");
        assert_eq!(life.hear("+1 time"), "KILL", "{stop}");
        assert_eq!(life.hear("late"), "", "{stop}");
    }
    // Neither t, nor o, nor a stop of the last run.
    let mut life = Life::running(rules);
    assert_eq!(life.hear("t unhandled o +500 time"), "control/t TERM");
    let mut life = Life::running(rules);
    life.hear("d unhandled unhandled exit-0 no-finish u unhandled started");
    assert_eq!(life.machine.deadline(), None);
}

/// The machine of another supervisor that takes the process over, and what the record says is left to do.
/// `normally` is what is wanted where the exit was.
fn taken_over(machine: &Machine, normally: Want) -> (Machine, Asked) {
    let want = if machine.want == Want::Exit { normally } else { machine.want };
    let (scripts, reload) = (Scripts::default(), Reload::default());
    let mut fresh = Machine { want, gone: false, scripts, reload, ..*machine };
    for timer in [Timer::Kill, Timer::Script, Timer::Reload, Timer::Proof] {
        fresh.timers.stop(timer);
    }
    (fresh, machine.asked())
}

/// What follows in each situation with a process once another supervisor has taken it over, where scripts fail and
/// the process obeys nothing. The exit is over: up is wanted.
const TAKEN_OVER: &str = "
Run:
Run, once:
Run, being stopped: KILL
Run, control/h runs: control/h HUP
Run, control/a runs: control/a ALRM
Run, control/i runs: control/i INT
Run, control/q runs: control/q QUIT
Run, control/1 runs: control/1 USR1
Run, control/2 runs: control/2 USR2
Run, control/p runs: control/p STOP
Run, control/c runs: control/c CONT
Run, control/k runs: control/k KILL
Run, control/t runs: control/t TERM
Run, control/t runs for a restart: control/t QUIT CONT KILL
Run once, control/t runs: control/t TERM CONT control/d
Run, control/t runs for d: control/t QUIT CONT control/d KILL
Run, control/t runs for d, then o: control/t QUIT CONT control/d KILL
Run, control/t runs for d, then u: control/t QUIT CONT KILL
Run, control/d runs: control/d KILL
Run, control/t runs for x: control/t QUIT CONT KILL
Run, control/x runs: KILL
Run, control/h is ended for k: control/k KILL
Run, ./reload runs:
Run, ./reload is killed:
Run, the signal of a reload was sent:
Run, a reload has to be announced:
Run, a reload was announced:
Run, a reload was announced that nobody has asked for:
Run, control/h runs for a reload: control/h HUP
Finish:
Finish, of a short run:
Finish, not wanted up: KILL
Finish, then the exit:
Finish, control/t runs:
Finish, ./reload is killed:
Setup: KILL
Setup, once: KILL
Setup, being stopped: KILL
";

#[test]
fn whoever_takes_a_process_over_does_what_is_left_to_do() {
    let all = situations().into_iter().filter_map(|situation| {
        let machine = self::situation(situation.name).machine;
        (machine.pid != 0).then_some(situation.name)
    });
    let lines = TAKEN_OVER.lines().filter_map(|line| line.rsplit_once(':'));
    assert!(all.eq(lines.clone().map(|(name, _)| name)), "a situation is missing or there twice");
    for (name, expected) in lines {
        let mut life = situation(name);
        let (machine, asked) = taken_over(&life.machine, Want::Up);
        life.machine = machine;
        let actions = life.machine.step(Event::Resume(asked), life.now, &life.rules);
        let mut done: Vec<_> = actions.iter().map(word_for).collect();
        done.extend([life.hear("unhandled unhandled late")].into_iter().filter(|done| !done.is_empty()));
        assert_eq!(done.join(" "), expected.trim(), "{name}");
    }
}

#[test]
fn a_time_limit_goes_on_under_another_supervisor_unless_the_signal_is_still_to_come() {
    let test = |history: &str, record: fn(Asked) -> Asked, left: Option<u64>| {
        let mut life = Life::running(strict());
        life.hear(history);
        let (machine, asked) = taken_over(&life.machine, Want::Up);
        life.machine = machine;
        life.machine.step(Event::Resume(record(asked)), life.now, &life.rules);
        assert_eq!(life.machine.deadline(), left.map(|left| life.now + left), "{history}");
    };
    for stop in ["d", "restart", "x"] {
        test(&format!("{stop} unhandled unhandled +2000"), |asked| asked, Some(3000));
        test(&format!("{stop} unhandled unhandled +9000 time"), |asked| asked, None); // KILL was sent
        test(&format!("{stop} runs +2000"), |asked| asked, Some(5000));
        test(&format!("{stop} unhandled unhandled +2000 {stop} runs"), |asked| asked, Some(3000));
    }
    test("d handled runs +2000", |asked| asked, Some(3000));
    test("exit-0 started d +2000", |asked| asked, Some(5000));
    test("exit-0 started d +2000 u", |asked| asked, None);
    test("t unhandled o", |asked| asked, None);
    // Of another clock, or of an older supervisor; and one that was spoilt.
    let from_now = |asked| Asked { kill_at: Some(FROM_NOW), ..asked };
    test("d unhandled unhandled +2000", from_now, Some(5000));
    test("exit-0 started d +2000", from_now, Some(7000));
    let spoilt = |asked| Asked { scripts: b"xudxudxudxud".map(Script::from_sign), ..asked };
    test("d unhandled unhandled", spoilt, Some(5000));
}

#[test]
fn numbers_that_are_too_large_mean_never() {
    let rules = Rules { timeout_kill: u64::MAX, timeout_finish: u64::MAX, ..Rules::default() };
    let mut life = Life::running(rules);
    life.hear("d unhandled");
    assert_eq!(life.machine.deadline(), None);
    // As of a record that was spoilt.
    life.machine.restarts = u32::MAX;
    life.hear("exit-0");
    (life.machine.since, life.machine.ran_for) = (u64::MAX, u64::MAX);
    life.hear("u no-finish");
    assert_eq!(life.machine.phase, Phase::Wait);
    life.hear("u unhandled started");
    assert_eq!((life.machine.phase, life.machine.restarts), (Phase::Run, u32::MAX));
}

#[test]
fn a_stop_that_is_asked_for_again_is_not_put_off() {
    let mut life = Life::running(Rules { timeout_kill: 500, ..Rules::default() });
    life.hear("d unhandled unhandled +300 d unhandled unhandled");
    assert_eq!(life.hear("+199 time"), "");
    assert_eq!(life.hear("+1 time"), "KILL");
}

#[test]
fn timeout_finish_counts_only_while_up_is_not_wanted() {
    let rules = Rules { timeout_finish: 500, ..Rules::default() };
    let mut life = Life::running(rules);
    assert_eq!(life.hear("exit-0 started late"), "report finish");
    assert_eq!(life.machine.deadline(), None);
    for byte in ["d", "x", "o"] {
        assert_eq!(life.hear("u +500 time"), "", "{byte}");
        life.hear(byte);
        assert_eq!(life.hear("+499 time"), "", "{byte}");
        assert_eq!(life.hear("+1 time"), "KILL", "{byte}");
    }
    // It begins with finish where that was asked for before.
    let mut life = Life::running(rules);
    assert_eq!(
        life.hear("d unhandled unhandled exit-0 started +499 time"),
        "control/t TERM CONT control/d report finish"
    );
    assert_eq!(life.hear("+1 time"), "KILL");
    // And not before there is a finish.
    let mut life = Life::running(Rules { timeout_finish: 1500, ..rules });
    assert_eq!(life.hear("exit-0 not-started d +1000 time started +1499 time"), "report finish finish");
    assert_eq!(life.hear("+1 time"), "KILL");
    let mut life = Life::running(rules);
    assert_eq!(life.hear("exit-0 not-started d +999 u +1 time started late"), "report finish finish");
    let mut life = Life::running(rules);
    assert_eq!(life.hear("exit-0 started d u late"), "report finish");
}

#[test]
fn paused_is_what_p_and_c_say_until_the_next_start() {
    let mut life = Life::running(Rules::default());
    life.hear("p unhandled");
    assert!(life.machine.paused);
    life.hear("c unhandled");
    assert!(!life.machine.paused);
    // A stop's own CONT does not count, nor does the death; the start of finish does.
    life.hear("p unhandled d unhandled unhandled");
    assert!(life.machine.paused);
    life.hear("exit-0 started");
    assert!(!life.machine.paused);
    life.hear("p exit-0");
    assert_eq!((life.machine.phase, life.machine.paused), (Phase::Down, true));
    life.hear("u unhandled");
    assert!(life.machine.paused);
    life.hear("started");
    assert!(!life.machine.paused);
    // In any phase, and whatever the script says.
    let mut life = Life::new(Rules::default());
    for before in ["p", "c u", "p unhandled not-started", "c +1000 time unhandled started", "p handled"] {
        life.hear(before);
        assert_eq!(life.machine.paused, before.contains('p'), "{before}");
    }
    assert_eq!(life.hear("exit-0 started c"), "report finish CONT");
    assert!(!life.machine.paused);
}

#[test]
fn stop_sent_is_what_we_sent_and_ends_with_the_process() {
    for (words, sent) in [
        ("d unhandled unhandled", true),
        ("x unhandled unhandled", true),
        ("t unhandled", true),
        ("restart unhandled", true),
        ("d handled unhandled", false),
        ("k unhandled i unhandled winch", false),
    ] {
        let mut life = Life::running(strict());
        life.hear(words);
        assert_eq!(life.machine.stop_sent, sent, "{words}");
        life.hear("exit-0");
        assert!(!life.machine.stop_sent, "{words}");
    }
}

#[test]
fn tcu_in_one_go_is_a_restart() {
    let mut life = Life::running(Rules::default());
    assert_eq!(life.hear("t unhandled c unhandled u"), "control/t TERM control/c CONT");
    assert_eq!(
        life.outcome("exit-0 started killed unhandled started"),
        "report finish control/u start > Run Up"
    );
    // With a control/t that runs for a while.
    let mut life = Life::running(Rules::default());
    assert_eq!(life.hear("t runs c u +50 unhandled unhandled"), "control/t TERM control/c CONT");
    // Of one that ran once: it is up for good.
    let mut life = Life::running(Rules::default());
    assert_eq!(
        life.outcome("o t unhandled unhandled c unhandled u exit-0 no-finish"),
        "control/t TERM CONT control/d control/c CONT report finish control/u > Prepare Up"
    );
    // Of one that is down.
    let mut life = Life::new(Rules::default());
    assert_eq!(life.outcome("t c u unhandled started"), "control/u start > Run Up");
}

#[test]
fn a_control_t_that_outlives_the_service_gets_its_control_d_and_no_signal() {
    let mut life = Life::running(Rules::default());
    assert_eq!(life.hear("d runs exit-0 no-finish"), "control/t report finish");
    assert_eq!(life.outcome("x unhandled"), "control/x > Down Exit");
    assert_eq!(life.hear("handled"), "gone");
    // The next run does not wait for it, and is not what it was meant for.
    let mut life = Life::running(Rules::default());
    assert_eq!(life.hear("t runs exit-0 no-finish"), "control/t report finish end-script");
    assert_eq!(life.outcome("unhandled unhandled started"), "control/u start > Run Up");
}

#[test]
fn k_ends_a_script_that_hangs() {
    let mut life = Life::running(Rules::default());
    assert_eq!(life.hear("h runs a d k"), "control/h end-script");
    assert_eq!(life.hear("unhandled unhandled"), "control/k KILL");
    // Also control/k, whose failure is then KILL.
    let mut life = Life::running(Rules::default());
    assert_eq!(life.hear("k runs k"), "control/k end-script");
    assert_eq!(life.hear("unhandled"), "KILL");
    // A stop is over with that: what waits is not carried out on what is being killed.
    let mut life = Life::running(Rules::default());
    assert_eq!(life.hear("d runs k unhandled unhandled"), "control/t end-script control/k KILL");
    assert_eq!(life.outcome("killed no-finish"), "report finish > Down Down");
}

#[test]
fn a_script_is_ended_at_its_limit_and_counts_as_failed() {
    let mut life = Life::running(Rules::default());
    life.hear("h runs");
    assert_eq!(life.machine.deadline(), Some(life.now + SCRIPT_LIMIT));
    assert_eq!(life.hear("+29999 time"), "");
    assert_eq!(life.hear("+1 time"), "end-script");
    assert_eq!(life.machine.deadline(), None);
    assert_eq!(life.hear("unhandled"), "HUP");
}

#[test]
fn scripts_take_their_turns_in_the_order_of_the_bytes() {
    let mut life = Life::running(strict());
    assert_eq!(life.hear("h runs 1 i d 2"), "control/h");
    assert_eq!(life.hear("unhandled"), "HUP control/1");
    assert_eq!(life.hear("unhandled"), "USR1 control/i");
    assert_eq!(life.hear("handled"), "control/t");
    assert_eq!(life.hear("unhandled"), "QUIT CONT control/d");
    assert_eq!(life.hear("unhandled"), "control/2");
    assert_eq!(life.hear("unhandled"), "USR2");
    // None of them is for the next run.
    life.hear("h runs 1 i d 2 exit-0 started");
    assert_eq!(life.outcome("unhandled exit-0"), "> Down Down");
    assert_eq!(life.outcome("u unhandled started"), "control/u start > Run Up");
}

/// How long after the death the next start is due, where run lived for `lived` and finish for `finish`
/// milliseconds; `None`: never.
fn pause(life: &mut Life, lived: u64, finish: u64) -> Option<u64> {
    if life.machine.phase != Phase::Run {
        life.hear("u unhandled started");
    }
    life.hear(&format!("+{lived} exit-0"));
    let died = life.now;
    let promised = life.machine.delay(&life.rules);
    life.hear(&format!("started +{finish} exit-0"));
    let pause = match life.machine.phase {
        Phase::Prepare => Some(0),
        Phase::Wait => life.machine.timers.get(Timer::Start).map(|due| due - died),
        _ => None,
    };
    let held = match life.machine.timers.get(Timer::Start) {
        Some(due) if due - life.now > 1000 => Hold::BackingOff,
        None if pause.is_none() => Hold::GaveUp,
        _ => Hold::None,
    };
    assert_eq!(life.machine.hold, held);
    assert!(pause == promised || promised.unwrap() <= finish, "the log says something else");
    if let Some(due) = life.machine.timers.get(Timer::Start) {
        life.now = due - 1;
        assert_eq!(life.hear("time"), "");
        life.now = due;
        assert_eq!(life.hear("time"), "control/u");
    }
    if pause.is_some() {
        life.hear("unhandled started");
    }
    pause
}

#[test]
fn without_files_a_run_of_a_second_starts_at_once_and_a_shorter_one_a_second_after_its_death() {
    let mut life = Life::new(Rules::default());
    for (lived, finish, expected) in [
        (0, 0, 1000),
        (999, 0, 1000),
        (1000, 0, 0),
        (1000, 5000, 0),
        (10, 400, 1000),
        (10, 999, 1000),
        (10, 1000, 0),
    ] {
        assert_eq!(pause(&mut life, lived, finish), Some(expected), "{lived} {finish}");
    }
}

#[test]
fn restart_delay_is_a_list_whose_last_stays() {
    let mut rules = Rules { delay_count: 3, ..Rules::default() };
    rules.delays[..3].copy_from_slice(&[0, 500, 4000]);
    let mut life = Life::new(rules);
    for expected in [0, 500, 4000, 4000, 4000] {
        assert_eq!(pause(&mut life, 9999, 0), Some(expected));
    }
    assert_eq!(pause(&mut life, 1, 3500), Some(4000));
    assert_eq!(pause(&mut life, 1, 4500), Some(0));
    // A run that is not short resets it.
    for expected in [0, 0, 500] {
        assert_eq!(pause(&mut life, if expected == 0 { 10_000 } else { 1 }, 0), Some(expected));
        assert_eq!(pause(&mut life, 10_000, 0), Some(0));
        assert_eq!(pause(&mut life, 1, 0), Some(0));
    }
}

#[test]
fn restart_reset_says_what_is_short() {
    let mut rules = Rules { delay_count: 1, reset: 300, ..Rules::default() };
    rules.delays[0] = 2000;
    let mut life = Life::new(rules);
    for (lived, expected) in [(299, 2000), (300, 0), (0, 2000)] {
        assert_eq!(pause(&mut life, lived, 0), Some(expected));
    }
}

#[test]
fn restart_max_gives_up_after_so_many_short_runs_and_u_begins_anew() {
    let rules = Rules { max: 3, ..Rules::default() };
    for back in ["", "d", "o unhandled started +20000 exit-0 no-finish"] {
        let mut life = Life::new(rules);
        for _ in 0..2 {
            for expected in [Some(0), Some(0), None] {
                assert_eq!(pause(&mut life, 2000, 0), expected, "{back}");
            }
            assert_eq!((life.machine.phase, life.machine.want), (Phase::Down, Want::Down));
            life.hear(back);
        }
    }
    // A long run comes between.
    let mut life = Life::new(rules);
    for lived in [2000, 2000, 10_000, 2000, 2000] {
        assert_eq!(pause(&mut life, lived, 0), Some(0));
    }
    assert_eq!(pause(&mut life, 2000, 0), None);
}

#[test]
fn a_run_that_a_command_has_ended_is_not_counted_and_its_restart_does_not_wait() {
    let mut rules = Rules { max: 1, delay_count: 1, timeout_ready: 50_000, ..Rules::default() };
    rules.delays[0] = 4000;
    let after = |life: &mut Life| (life.machine.phase, life.machine.short_runs);
    for ends in ["restart unhandled", "restart handled", "t unhandled", "d unhandled unhandled u"] {
        let mut life = Life::running(rules);
        life.hear(&format!("{ends} exit-0 no-finish"));
        assert_eq!(after(&mut life), (Phase::Prepare, 0), "{ends}");
        life.hear("unhandled started +100 exit-0 no-finish");
        assert_eq!(after(&mut life), (Phase::Down, 1), "{ends}: the next one counts");
    }
    // Neither what the service has done itself, nor a signal of another meaning, nor a run that was stopped because it
    // was not ready in time.
    for ends in ["k unhandled", "h unhandled", "t handled", "late unhandled"] {
        let mut life = Life::running(rules);
        life.hear(&format!("{ends} exit-0 no-finish"));
        assert_eq!(after(&mut life), (Phase::Down, 1), "{ends}");
    }
    // Those before it still count.
    let mut life = Life::running(Rules { max: 2, ..rules });
    life.hear("exit-0 no-finish +4000 time unhandled started restart unhandled exit-0 no-finish");
    assert_eq!(after(&mut life), (Phase::Prepare, 1));
    life.hear("unhandled started exit-0 no-finish");
    assert_eq!(after(&mut life), (Phase::Down, 2));
}

#[test]
fn u_ends_a_wait_and_d_cancels_it() {
    let mut rules = Rules { delay_count: 1, ..Rules::default() };
    rules.delays[0] = 30_000;
    let mut life = Life::running(rules);
    life.hear("exit-0 no-finish");
    assert_eq!((life.machine.phase, life.machine.hold), (Phase::Wait, Hold::BackingOff));
    let since = life.machine.since;
    assert_eq!(life.outcome("+500 d"), "> Down Down");
    assert_eq!((life.machine.hold, life.machine.deadline()), (Hold::None, None));
    assert_eq!(life.machine.since, since, "it is down since its end, not since it is no longer wanted up");
    assert_eq!(
        life.outcome("u unhandled started exit-0 no-finish"),
        "control/u start report finish > Wait Up"
    );
    assert_eq!(life.outcome("u unhandled started"), "control/u start > Run Up");
}

#[test]
fn a_start_that_fails_is_tried_again_after_a_second() {
    let mut life = Life::new(Rules::default());
    assert_eq!(life.outcome("u unhandled not-started +999 time"), "control/u start > Wait Up");
    assert_eq!(life.outcome("+1 time unhandled started"), "control/u start > Run Up");
    assert_eq!(life.machine.restarts, 0);
    life.hear("+2000 exit-0 no-finish unhandled started");
    assert_eq!(life.machine.restarts, 1);
}

/// xorshift64
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn one_in(&mut self, sides: u64) -> bool {
        self.below(sides) == 0
    }

    fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        let sides = u64::try_from(all.len()).unwrap();
        all[usize::try_from(self.below(sides)).unwrap()]
    }
}

struct Process {
    pid: u32,
    /// Which script it is.
    script: Phase,
    born: u64,
    /// It ignores all but KILL.
    stubborn: bool,
    stopped: bool,
    /// A signal that ends it came while it was stopped.
    doomed: bool,
    ends: Option<u64>,
    how: Death,
}

struct Running {
    script: Script,
    handled: bool,
    ends: Option<u64>,
}

/// The surroundings of a machine, and what can be known of it from outside.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
struct World {
    dice: Dice,
    rules: Rules,
    machine: Machine,
    now: u64,
    has_finish: bool,
    has_setup: bool,
    has_run: bool,
    /// setup has done its work, which has to be undone.
    set_up: bool,
    /// From now on all starts succeed, run stays, finish ends and what a control script handles is done.
    calm: bool,
    process: Option<Process>,
    script: Option<Running>,
    /// When ./reload ends, if ever, and how.
    reload: Option<(Option<u64>, Death)>,
    /// How many reloads have to be over by the end.
    reloads: u64,
    pids: u32,
    /// A run has died that had no finish yet.
    owed: bool,
    reported: bool,
    died: u64,
    lived: u64,
    shorts: u32,
    /// A stop was asked for since the start.
    stopping: bool,
    /// A command has asked for the end, which counts for nothing then.
    commanded: bool,
    /// The run was not ready in time, or did not show that it lives.
    late: bool,
    starved: bool,
    gone: bool,
    trail: Vec<(u64, Event)>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let has_setup = dice.one_in(2);
        let mut rules = Rules {
            timeout_setup: dice.pick(&[0, 40, 3000]),
            timeout_ready: dice.pick(&[0, 0, 40, 3000]),
            unready: dice.pick(&[Readiness::Failed, Readiness::Excused]),
            watchdog: dice.pick(&[0, 0, 60, 4000]),
            reset: dice.pick(&[10_000, 500]),
            max: dice.pick(&[0, 0, 2, 4]),
            down_signal: dice.pick(&[signals::TERM, signals::INT]),
            timeout_kill: dice.pick(&[0, 40, 3000]),
            timeout_finish: dice.pick(&[0, 40, 3000]),
            timeout_reload: dice.pick(&[0, 40, 3000]),
            reload: dice.pick(&[
                Reloading::Script,
                Reloading::Script,
                Reloading::Signal(signals::HUP),
                Reloading::Signal(28),
                Reloading::Announced(signals::USR1),
            ]),
            ..Rules::default()
        };
        let delays = dice.pick(&[&[][..], &[], &[1000, 2000, 8000], &[0, 500]]);
        rules.delays[..delays.len()].copy_from_slice(delays);
        rules.delay_count = delays.len();
        Self {
            has_finish: dice.one_in(2),
            has_setup,
            has_run: !has_setup || dice.one_in(2),
            set_up: false,
            machine: Machine::new(Want::Down),
            dice,
            rules,
            now: 1_000_000,
            calm: false,
            process: None,
            script: None,
            reload: None,
            reloads: 0,
            pids: 0,
            owed: false,
            reported: false,
            died: 0,
            lived: 0,
            shorts: 0,
            stopping: false,
            commanded: false,
            late: false,
            starved: false,
            gone: false,
            trail: Vec::new(),
        }
    }

    #[track_caller]
    fn check(&self, holds: bool, what: &str) {
        assert!(holds, "{what}\n{:?}\n{:?}\n{:?}", self.trail, self.rules, self.machine);
    }

    /// An event, and the answers to what it leads to.
    fn happens(&mut self, event: Event) {
        let mut next = Some(event);
        while let Some(event) = next {
            self.trail.push((self.now, event));
            let before = self.machine;
            self.reckon(event, &before);
            let actions = self.machine.step(event, self.now, &self.rules);
            next = None;
            for action in actions.iter() {
                self.check(next.is_none(), "an action follows one that is answered");
                next = self.carry_out(action, event);
            }
            if self.machine.gone && !before.gone {
                self.check(!self.gone, "gone twice");
                let idle = self.process.is_none() && self.script.is_none() && !self.owed;
                let idle = idle && self.reload.is_none();
                self.check(idle && self.machine.want == Want::Exit, "gone too early");
                self.gone = true;
            }
            self.compare(event, &before);
        }
        let machine = &self.machine;
        let pid = self.process.as_ref().map_or(0, |process| process.pid);
        self.check(machine.pid == pid, "a process is forgotten");
        let runs = |script| self.process.as_ref().is_some_and(|process| process.script == script);
        self.check((machine.phase == Phase::Run) == runs(Phase::Run), "run runs, or it does not");
        self.check((machine.phase == Phase::Setup) == runs(Phase::Setup), "setup runs, or it does not");
        let settled = match machine.phase {
            Phase::Down => machine.timers.get(Timer::Start).is_none() && machine.want != Want::Up,
            Phase::Wait => machine.timers.get(Timer::Start).is_some() != machine.waits_for_needs(),
            Phase::Prepare => self.script.is_some(),
            Phase::Run | Phase::Setup => true,
            Phase::Done => machine.is_done() != self.has_run && self.set_up,
            Phase::Finish => self.process.is_some() || machine.timers.get(Timer::Finish).is_some(),
        };
        self.check(settled, "nothing will ever happen");
        self.check(self.script.is_some() || machine.scripts.none_waits(), "a script waits for none");
        let reload = &machine.reload;
        self.check(reload.is_scripted() == self.reload.is_some(), "./reload runs, or it does not");
        let reloads = machine.phase == Phase::Run || self.reload.is_some();
        self.check(!reload.is_under_way() || reloads, "a reload of what does not run");
        let pending = [Timer::Reload, Timer::Proof].map(|timer| machine.timers.get(timer).is_some());
        let needed = reload.is_under_way() || reload.is_awaited();
        self.check(needed || pending == [false; 2], "a reload that is over has a time");
    }

    /// What is known before the machine hears of it.
    fn reckon(&mut self, event: Event, before: &Machine) {
        match event {
            Event::Control(Control::Signal(_) | Control::Reload) => {}
            Event::Control(_) if before.hold.gave_up() => self.shorts = 0,
            Event::Control(Control::Down | Control::Exit | Control::Restart)
                if matches!(before.phase, Phase::Run | Phase::Setup) =>
            {
                (self.stopping, self.commanded) = (true, !self.late);
            }
            _ => {}
        }
    }

    fn carry_out(&mut self, action: Action, event: Event) -> Option<Event> {
        match action {
            Action::Try(script) => {
                self.check(self.script.is_none(), "two scripts at once");
                let run = self.process.as_ref().is_some_and(|process| process.script == Phase::Run);
                self.check(run || !script.is_for_signal(), "a script for a service that does not run");
                let due = self.machine.phase == Phase::Prepare && self.process.is_none();
                self.check(script != Script::Up || due, "control/u without a start");
                if self.dice.one_in(2) {
                    return Some(Event::Script(None));
                }
                let hangs = self.dice.one_in(4);
                let ends = self.now + self.dice.below(300);
                let handled = self.dice.one_in(2);
                self.script = Some(Running { script, handled, ends: (!hangs).then_some(ends) });
                self.machine.script_runs(self.now);
                return None;
            }
            Action::KillScript => {
                self.check(self.script.is_some(), "no script to kill");
                let ends = Some(self.now + self.dice.below(3));
                let script = self.script.as_mut()?;
                (script.ends, script.handled) = (ends, false);
            }
            Action::StartReload => return self.start_reload(),
            Action::KillReload => self.kill_reload(),
            Action::ReportReload => {
                self.check(self.machine.reload.failure.is_some(), "it has not failed");
            }
            Action::Start => {
                self.check(self.process.is_none(), "two processes at once");
                self.check(!self.owed && !self.set_up, "a start before finish");
                if !self.calm && self.dice.one_in(8) {
                    return Some(Event::NotStarted);
                }
                (self.stopping, self.commanded) = (false, false);
                let script = if self.has_setup { Phase::Setup } else { Phase::Run };
                return Some(self.fork(script));
            }
            Action::Run => {
                self.check(self.process.is_none() && !self.owed, "two processes at once");
                self.check(self.set_up, "a run without its setup");
                if !self.has_run {
                    self.shorts = 0;
                    return Some(Event::NoRun);
                }
                if !self.calm && self.dice.one_in(8) {
                    return Some(Event::NotStarted);
                }
                (self.stopping, self.commanded, self.set_up) = (false, false, false);
                return Some(self.fork(Phase::Run));
            }
            Action::ReportLate => {
                let failed = self.machine.readiness == Readiness::Failed;
                self.stopping |= failed;
                self.late |= failed;
                self.commanded &= !failed;
            }
            Action::ReportStarved => {}
            Action::Report => {
                self.check(self.owed && !self.reported, "a death is reported once");
                self.reported = true;
            }
            Action::Finish => {
                self.check(self.process.is_none(), "two processes at once");
                self.check(self.owed && self.reported || self.set_up, "finish without a death");
                if !self.calm && self.dice.one_in(8) {
                    return Some(Event::NotStarted);
                }
                if !self.calm && self.dice.one_in(8) {
                    return Some(Event::Later(self.now + 1 + self.dice.below(3000)));
                }
                (self.owed, self.set_up) = (false, false);
                return Some(if self.has_finish { self.fork(Phase::Finish) } else { Event::NoFinish });
            }
            Action::Signal(signal) => {
                self.check(self.process.is_some(), "a signal for nobody");
                let (script, want) = (self.process.as_ref()?.script, self.machine.want);
                if event == Event::Time && signal == signals::ABRT {
                    self.check(script == Phase::Run && self.machine.watchdog != 0, "ABRT without a watchdog");
                    self.starved = true;
                } else if event == Event::Time && signal == signals::KILL {
                    let stops = self.stopping && self.rules.timeout_kill != 0 || self.starved;
                    let (limited, wanted) = match script {
                        Phase::Run => (stops, false),
                        Phase::Setup => (stops || self.rules.timeout_setup != 0, false),
                        _ => (self.rules.timeout_finish != 0, want == Want::Up),
                    };
                    self.check(limited, "time sends KILL, where it is limited");
                    self.check(!wanted, "KILL without a stop");
                }
                self.kill(signal);
            }
        }
        None
    }

    fn start_reload(&mut self) -> Option<Event> {
        self.check(self.reload.is_none(), "two reloads at once");
        if self.dice.one_in(4) {
            return Some(Event::ReloadScript(None));
        }
        let (hangs, time) = (self.dice.one_in(4), self.dice.below(300));
        let how = Death::Exit(self.dice.pick(&[0, 0, 3]));
        self.reload = Some(((!hangs).then_some(self.now + time), how));
        None
    }

    fn kill_reload(&mut self) {
        self.check(self.reload.is_some(), "no reload to kill");
        let time = self.dice.below(3);
        self.reload = Some((Some(self.now + time), Death::Signal(9, false)));
    }

    fn fork(&mut self, script: Phase) -> Event {
        self.pids += 1;
        (self.late, self.starved) = (false, false);
        let run = script == Phase::Run;
        let stays = if run { self.calm || self.dice.one_in(3) } else { !self.calm && self.dice.one_in(6) };
        let limit = self.dice.pick(&[2, 50, 3000, 15_000]);
        let limit = if self.calm && script == Phase::Setup { 30 } else { limit };
        let ends = self.now + 1 + self.dice.below(limit);
        let how = match self.dice.below(8) {
            0 => Death::Exit(125),
            1 => Death::Signal(11, true),
            2 => Death::Exec(2),
            3 => Death::Unknown,
            _ => Death::Exit(0),
        };
        let how = if self.calm && script == Phase::Setup { Death::Exit(0) } else { how };
        self.process = Some(Process {
            pid: self.pids,
            script,
            born: self.now,
            stubborn: !self.calm && self.dice.one_in(4),
            stopped: false,
            doomed: false,
            ends: (!stays).then_some(ends),
            how,
        });
        if script == Phase::Setup { Event::SetupStarted(self.pids) } else { Event::Started(self.pids) }
    }

    /// A signal reaches the process.
    fn kill(&mut self, signal: i32) {
        let soon = self.now + self.dice.below(4);
        let Some(process) = &mut self.process else { return };
        match signal {
            signals::STOP => process.stopped = true,
            signals::CONT => process.stopped = false,
            signals::KILL => (process.doomed, process.stopped) = (true, false),
            28 => {}
            _ => process.doomed |= !process.stubborn,
        }
        if process.doomed && !process.stopped {
            process.ends = Some(process.ends.map_or(soon, |ends| ends.min(soon)));
            process.how = Death::Signal(9, false);
        }
    }

    /// What has to hold after a step.
    fn compare(&mut self, event: Event, before: &Machine) {
        let after = self.machine;
        let want = match event {
            Event::Control(Control::Up | Control::Restart) => Want::Up,
            Event::Control(Control::Down | Control::Once) => Want::Down,
            Event::Control(Control::Exit) => Want::Exit,
            _ if after.hold.gave_up() => Want::Down,
            _ => before.want,
        };
        self.check(after.want == want, "it wants what nobody asked for");
        self.gone &= after.want == Want::Exit;
        self.check(after.gone == self.gone, "gone without saying so");
        let held = match after.hold {
            Hold::None => true,
            Hold::BackingOff => after.phase == Phase::Wait,
            Hold::Needs => after.phase == Phase::Wait && after.starts == Starts::HeldBack,
            Hold::GaveUp | Hold::FinishGaveUp => after.phase == Phase::Down,
        };
        self.check(held, "it runs and is held back");
        if before.phase == Phase::Wait && after.phase == Phase::Prepare {
            let asked = matches!(event, Event::Control(Control::Up | Control::Once | Control::Restart));
            let asked = asked || before.hold == Hold::Needs && event == Event::Release;
            self.check(after.starts == Starts::Free, "a start in spite of the hold");
            self.check(asked || before.timers.is_due(Timer::Start, self.now), "a start before its time");
        }
        if before.phase == Phase::Done && after.phase == Phase::Finish {
            (self.died, self.lived) = (self.now, self.now - before.since);
        }
        if before.phase == Phase::Finish && after.phase != Phase::Finish && before.want == Want::Up {
            self.compare_delay(event);
        }
        if matches!(event, Event::Time) {
            self.check(after.deadline().is_none_or(|deadline| deadline > self.now), "time stands still");
        }
    }

    /// What has to hold after run and its finish, by the rules as they are written.
    fn compare_delay(&self, event: Event) {
        let rules = &self.rules;
        let shorts = usize::try_from(self.shorts).unwrap();
        let finish_gives_up = event == Event::Died(Death::Exit(125));
        let gives_up = rules.max != 0 && self.shorts >= rules.max && !self.commanded;
        let delay = match &rules.delays[..rules.delay_count] {
            [] if self.lived < 1000 => 1000,
            [_, ..] if shorts != 0 && !self.commanded => {
                u64::from(rules.delays[(shorts - 1).min(rules.delay_count - 1)])
            }
            _ => 0,
        };
        let due = self.died + delay;
        let expected = if finish_gives_up {
            (Phase::Down, None, Hold::FinishGaveUp)
        } else if gives_up {
            (Phase::Down, None, Hold::GaveUp)
        } else if due <= self.now && self.machine.starts == Starts::HeldBack {
            (Phase::Wait, None, Hold::Needs)
        } else if due <= self.now {
            (Phase::Prepare, None, Hold::None)
        } else {
            let long = due > self.now + 1000;
            (Phase::Wait, Some(due), if long { Hold::BackingOff } else { Hold::None })
        };
        let found = (self.machine.phase, self.machine.timers.get(Timer::Start), self.machine.hold);
        self.check(found == expected, "the next start is due at another time");
    }

    /// Lets time pass.
    fn pass(&mut self, time: u64) {
        let end = self.now + time;
        for round in 0.. {
            self.check(round < 100_000, "a busy loop");
            let process =
                self.process.as_ref().filter(|process| !process.stopped).and_then(|process| process.ends);
            let script = self.script.as_ref().and_then(|script| script.ends);
            let reload = self.reload.and_then(|(ends, _)| ends);
            let deadline = self.machine.deadline();
            let all = [process, script, reload, deadline].into_iter().flatten();
            let Some(next) = all.min().filter(|next| *next <= end) else {
                break;
            };
            self.now = self.now.max(next);
            if process == Some(next) {
                self.dies();
            } else if script == Some(next) {
                self.script_ends();
            } else if let Some((_, how)) = self.reload.take_if(|(ends, _)| *ends == Some(next)) {
                self.happens(Event::ReloadScript(Some(how)));
            } else {
                self.happens(Event::Time);
            }
        }
        self.now = end;
    }

    fn dies(&mut self) {
        let Some(process) = self.process.take() else { return };
        let sets_up = self.machine.sets_up(process.how);
        if sets_up {
            (self.set_up, self.reported) = (true, true);
        } else if process.script != Phase::Finish {
            self.check(!self.owed, "a run before the finish of the last");
            (self.owed, self.reported) = (true, false);
            (self.died, self.lived) = (self.now, self.now - process.born);
            let short = self.lived < self.rules.reset || self.late;
            self.commanded |= self.machine.stop_sent && !self.late;
            self.shorts = if short { self.shorts + u32::from(!self.commanded) } else { 0 };
        }
        self.happens(Event::Died(process.how));
        self.check(self.reported, "a death that is not reported");
    }

    fn script_ends(&mut self) {
        let Some(script) = self.script.take() else { return };
        if script.handled && (self.calm || self.dice.one_in(2)) {
            match script.script {
                // A script that says so has seen to it.
                Script::Stop | Script::Signal(signals::TERM | signals::KILL) => self.kill(signals::KILL),
                Script::Signal(signal @ (signals::STOP | signals::CONT)) => self.kill(signal),
                _ => {}
            }
        }
        let how = Death::Exit(if script.handled { 0 } else { 3 });
        self.happens(Event::Script(Some(how)));
    }

    fn ask(&mut self, letter: u8) {
        self.happens(Event::Control(Control::from_letter(letter).unwrap()));
    }

    /// The supervisor is killed, and another one takes over what runs, or what is due. A control script goes on, and
    /// nobody looks.
    fn is_followed(&mut self) {
        let normally = self.dice.pick(&[Want::Up, Want::Down]);
        let (machine, asked) = taken_over(&self.machine, normally);
        (self.machine, self.script, self.gone) = (machine, None, false);
        (self.reload, self.reloads) = (None, 0);
        if self.machine.phase == Phase::Prepare {
            self.machine.phase = Phase::Down;
        }
        if self.machine.waits_for_needs() {
            self.machine.timers.set(Timer::Start, self.now);
            self.machine.hold = Hold::None;
        }
        match (self.machine.phase, self.machine.pid) {
            (Phase::Run | Phase::Setup, _) | (Phase::Finish, 1..) => {
                if self.machine.phase == Phase::Run {
                    self.machine.watch_again(false, self.now, &self.rules);
                }
                self.happens(Event::Resume(asked));
            }
            (Phase::Finish, 0) => self.machine.timers.set(Timer::Finish, self.now),
            (Phase::Down, _) if self.machine.want == Want::Up => self.ask(b'u'),
            _ => {}
        }
    }

    /// Anything.
    fn anything(&mut self) {
        if self.dice.one_in(12) {
            self.is_followed();
        }
        match self.dice.below(16) {
            0..7 => {
                let letter = self.dice.pick(b"uuuuudddoooxtkpchaiq12");
                self.ask(letter);
            }
            7 => {
                let asked = [Control::Restart, Control::Signal(28)].map(Event::Control);
                let holds = [Event::Hold, Event::Release];
                self.machine.fed(self.now);
                let run = self.machine.phase == Phase::Run;
                let ready = if run { Event::Ready } else { Event::Time };
                let event = self.dice.pick(&[asked[0], asked[1], holds[0], holds[1], ready, Event::Time]);
                self.happens(event);
                let reloading = if run { Event::Reloading(None) } else { Event::Time };
                let reload = Event::Control(Control::Reload);
                let event = self.dice.pick(&[reload, reload, reloading, ready]);
                self.happens(event);
                self.reloads = self.machine.reload.last();
            }
            8..12 => {
                let time = self.dice.below(20);
                self.pass(time);
            }
            12..15 => {
                let time = self.dice.below(1500);
                self.pass(time);
            }
            _ => {
                let time = self.dice.pick(&[5000, 40_000]);
                self.pass(time);
            }
        }
    }

    /// What is asked for at the end is what comes, whatever came before.
    fn ends(&mut self) {
        self.calm = true;
        self.happens(Event::Release);
        (self.rules.timeout_ready, self.rules.watchdog) = (0, 0);
        let last = self.dice.pick(b"udx");
        self.ask(last);
        if last != b'x' && self.dice.one_in(2) {
            self.is_followed(); // an exit is over then
        }
        for round in 0.. {
            self.pass(500_000); // a dozen scripts may hang, one after the other
            let arrived = match last {
                b'u' => self.machine.phase == Phase::Run || self.machine.is_done(),
                b'd' => self.machine.phase == Phase::Down,
                _ => self.gone,
            };
            if arrived {
                break;
            }
            self.check(round < 3, "what was asked for last does not come");
            match &self.process {
                None => {
                    self.check(last == b'u' && self.machine.hold.gave_up(), "it is down and stays it");
                    self.ask(b'u');
                }
                Some(process) => {
                    let hanging = process.ends.is_none() || process.stopped;
                    let (limit, hangs) = match process.script {
                        Phase::Run => (self.rules.timeout_kill, process.stubborn),
                        Phase::Setup => (self.rules.timeout_kill.max(self.rules.timeout_setup), hanging),
                        _ => (self.rules.timeout_finish, hanging),
                    };
                    self.check(hangs && (limit == 0 || last == b'u'), "it should have been stopped");
                    self.ask(b'k');
                }
            }
        }
        self.check(self.script.is_none() && !self.owed, "something is left over");
        if last != b'u' {
            let over = self.machine.reload.done == self.reloads && self.reload.is_none();
            self.check(over && !self.machine.reload.is_under_way(), "somebody waits for a reload");
        }
        let runs = last == b'u' && self.has_run;
        self.check(self.process.is_some() == runs, "something is left over");
        self.check(last == b'u' || self.machine.deadline().is_none(), "there is nothing to wait for");
    }
}

fn live(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let mut world = World::new(seed + 1);
        for _ in 0..60 {
            world.anything();
        }
        world.ends();
    }
}

#[test]
fn what_is_asked_for_last_comes_and_no_process_is_lost_or_doubled() {
    live(0..10_000);
}

#[test]
fn the_same_in_ten_thousand_other_lives() {
    live(10_000..20_000);
}
