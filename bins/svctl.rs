//! svctl: control services and show their state.

mod amounts;
mod cgroups;
mod check;
mod colour;
mod command;
mod conn;
mod death;
pub mod disable;
pub mod enable;
pub mod events;
mod failure;
mod files;
mod health;
pub mod help;
mod hint;
mod job;
mod jobs;
mod json;
pub mod lint;
pub mod list;
pub mod log;
mod look;
mod names;
pub mod new;
mod options;
mod order;
mod out;
mod pattern;
mod place;
mod processes;
mod program;
mod run;
mod screen;
mod seen;
mod services;
pub mod show;
mod sibling;
mod source;
mod status;
mod style;
pub mod svc;
mod table;
mod task;
mod tree;
mod usage;
mod way;

use std::ffi::CStr;
use std::time::{Duration, Instant};

use command::{Command, Goal, Patience, Verb};
use common::{Cli, Env, Exit, Link, OrFail, Outcome, Words, fds, options, shown, signals};
use names::Names;
use options::{Enough, Options, Reach, whole_seconds};
use order::{Order, Report};
use out::Out;
use services::{Logs, Services};
use style::Style;

/// svctl: control services and show their state.
pub const PROGRAM: Link = Link {
    name: "svctl",
    usage: "[-v] [-w seconds] [--json] [command [service...]]",
    summary: "control services and show their state",
    options: options![
        ("-v", "wait until the command has taken effect, and print the state"),
        ("-w seconds", "wait at most this long (default: SVWAIT, else 7); implies -v"),
        ("--json", "print a JSON object for each service, one per line"),
    ],
    opens: true,
    lent: None,
    run,
};

/// How long to wait by default.
const WAIT: Duration = Duration::from_secs(7);

/// The least time for a supervisor to carry a command out at all.
const LEAST: Duration = Duration::from_millis(50);

fn run(cli: &mut Cli) -> Outcome<'_> {
    if svc::is_named(cli.called()) {
        return program::under_this_name(cli);
    }
    let style = match cli.called() {
        b"sv" => Style::Sv,
        name if name.ends_with(PROGRAM.name.as_bytes()) => Style::Svctl,
        name if names::is_service(name, cli.env()) => Style::Script,
        _ => Style::Svctl,
    };
    cli.leave_help();
    let line = options::parse(cli, style);
    // Another program makes its own preparations.
    if let Some(asked) =
        line.as_ref().ok().and_then(|(options, words)| program::of(cli, style, options, words))
    {
        return asked.chain(cli);
    }
    Err(start(cli, style, line).unwrap_or_else(|error| match style {
        Style::Script if error.status() == 111 => error.with_status(151),
        Style::Sv if error.status() == 111 => error.with_status(100),
        _ => error,
    }))
}

/// What is done before anything else, whatever the name.
fn prepare() -> Result<(), Exit> {
    fds::open_standard().or_fail("open /dev/null in place of a closed fd")?;
    // A write that nobody reads is to fail, not to kill us.
    signals::block_only(signals::PIPE).or_fail("block SIGPIPE")
}

fn start(cli: &mut Cli, style: Style, line: options::Parsed) -> Result<Exit, Exit> {
    prepare()?;
    let called = cli.called();
    let mut style = style;
    let (options, mut words) = match line {
        Err(error) if style != Style::Svctl && error.status() != 0 => return Ok(misuse(called, style)),
        words => words?,
    };
    let chain = cli.rest_or_nothing().take();
    words.extend(chain.words.map(CStr::to_bytes));
    let env = chain.env;
    if style == Style::Svctl && is_of_script(called, &words) {
        style = Style::Script;
    }
    let out = Out::new(style, options.json);
    let request = Request::new(&options, style, env);
    match style {
        Style::Svctl => request.carry_out(words, out),
        Style::Sv | Style::Script => {
            if style == Style::Script {
                words.truncate(1);
                words.push(called);
            }
            request.carry_out_as_sv(&words, out).unwrap_or_else(|| Ok(misuse(called, style)))
        }
    }
}

/// sv's usage error.
fn misuse(called: &[u8], style: Style) -> Exit {
    let (usage, status) = match style {
        Style::Script => (" [-w sec] command\n\n", 2),
        _ => (" [-v] [-w sec] command service ...\n\n", 100),
    };
    out::complain(&[b"usage: ", called, usage.as_bytes()].concat());
    Exit::answer(status, "")
}

/// A word as a text, empty where it is not UTF-8: no word of ours either.
fn str_of(word: &[u8]) -> &str {
    std::str::from_utf8(word).unwrap_or_default()
}

/// Whether this is the line of an init script, although no service has the name that we are called by. That is svctl under
/// another name; but an init script has to report that its service is gone.
fn is_of_script(called: &[u8], words: &[&[u8]]) -> bool {
    let is_svctl = called.windows(5).any(|part| part == PROGRAM.name.as_bytes());
    !is_svctl && matches!(words, [word] if Verb::find(str_of(word), Style::Script).is_some())
}

/// A word that is no command.
fn unknown(word: &[u8]) -> Exit {
    Exit::usage(format_args!("unknown command: {}", shown(word)))
}

/// All of a command line but the command.
struct Request {
    names: Names,
    /// Where service directories are kept.
    svsrc: &'static [u8],
    wait: Duration,
    verbose: bool,
    /// Whether to wait for the supervisor too, as `-w` asks for.
    patient: bool,
    reach: Reach,
    env: Words,
}

impl Request {
    fn new(options: &Options, style: Style, env: Env) -> Self {
        let wait = options.wait.or_else(|| env.get(c"SVWAIT").map(|text| whole_seconds(text.to_bytes())));
        Self {
            names: Names::new(&env, style.dialect()),
            svsrc: names::svsrc(&env),
            wait: wait.unwrap_or(WAIT),
            verbose: options.verbose,
            patient: style == Style::Svctl && options.wait.is_some(),
            reach: options.reach,
            env: env.into_words(),
        }
    }

    /// The command line of a program that is this command, with svctl's options, and the services.
    fn of_command_line(cli: &mut Cli, command: &str) -> Result<(Self, Vec<&'static [u8]>, Out), Exit> {
        prepare()?;
        let (options, services) = options::of(cli, command)?;
        let out = Out::new(Style::Svctl, options.json);
        Ok((Self::new(&options, Style::Svctl, cli.rest_or_nothing().take().env), services, out))
    }

    fn carry_out(self, words: Vec<&'static [u8]>, mut out: Out) -> Result<Exit, Exit> {
        let mut words = words.into_iter();
        let word = words.next().unwrap_or(program::DEFAULT.as_bytes());
        let verb = Verb::find(str_of(word), Style::Svctl).ok_or_else(|| unknown(word))?;
        let command = match verb {
            Verb::Send(controls, goal, patience) => {
                Some(Command { alone: self.reach.alone, ..Command::send(controls, goal, patience) })
            }
            Verb::Signal => {
                let name = words.next().ok_or_else(|| Exit::usage("missing signal"))?;
                let wrong = || Exit::usage(format_args!("not a signal: {}", shown(name)));
                Some(Command::signal(name).ok_or_else(wrong)?)
            }
            Verb::Wait => {
                let condition = words.next().ok_or_else(|| Exit::usage("missing condition"))?;
                let wrong =
                    || Exit::usage(format_args!("not up, down, ready or finished: {}", shown(condition)));
                Some(Command::wait(str_of(condition)).ok_or_else(wrong)?)
            }
            Verb::Status | Verb::Rescan | Verb::Help | Verb::Program => None,
        };
        let services: Vec<&'static [u8]> = words.collect();
        match (command, verb) {
            (Some(command), _) if !services.is_empty() => {
                let services = Services::named(&self.names, &services);
                self.send(&command, &services, self.reach.enough, &mut out)
            }
            (Some(command), _) if command.goal == Goal::AsWanted => self.check_all(&command, &mut out),
            (Some(_), _) => Err(Exit::usage("missing service")),
            (None, Verb::Status) => {
                let services = Services::named_or_all(&self.names, &services, Logs::Shown)?;
                look::show(&self.names, &services, &mut out)
            }
            (None, Verb::Rescan) if !services.is_empty() => {
                Err(Exit::usage("nothing may follow rescan").hint("SVDIR is the directory that is looked at"))
            }
            (None, Verb::Rescan) => tree::rescan(&self.names, self.wait, self.verbose, &mut out),
            // Of another program, which was executed by now.
            (None, _) => Err(unknown(word)),
        }
    }

    /// Whether all services in SVDIR are as they are wanted. A container's health check knows 0 and 1 alone.
    fn check_all(&self, command: &Command, out: &mut Out) -> Result<Exit, Exit> {
        let services = Services::named_or_all(&self.names, &[], Logs::Hidden)?;
        self.send(command, &services, Enough::All, out)?;
        Ok(out.health())
    }

    /// As sv does; `None` for a usage error.
    fn carry_out_as_sv(self, words: &[&'static [u8]], mut out: Out) -> Option<Result<Exit, Exit>> {
        let (word, services) = words.split_first()?;
        let verb = Verb::find(str_of(word), out.style)?;
        if services.is_empty() {
            return None;
        }
        Some(match verb {
            Verb::Send(controls, goal, patience) => {
                let command = Command::send_as_sv(controls, goal, patience);
                let services = Services::named(&self.names, services);
                self.send(&command, &services, Enough::All, &mut out)
            }
            _ => look::show(&self.names, &Services::named(&self.names, services), &mut out),
        })
    }

    /// Gives a command to all services at once, and waits for each; or for the first, as `enough` says.
    fn send(
        &self,
        command: &Command,
        services: &Services,
        enough: Enough,
        out: &mut Out,
    ) -> Result<Exit, Exit> {
        let report = if services.all { Report::Problems } else { Report::All };
        let done = jobs::carry_out(&self.order(command, report, out), services, enough, out)?;
        let one = enough == Enough::One && !done.is_empty();
        Ok(if one { Exit::answer(0, "") } else { out.exit() })
    }

    /// What all services of a command share.
    fn order<'a>(&'a self, command: &'a Command, report: Report, out: &Out) -> Order<'a> {
        let now = Instant::now();
        Order {
            names: &self.names,
            command,
            env: &self.env,
            waits: command.patience != Patience::Sends || self.verbose,
            report,
            patient: self.patient && command.is_patient(),
            dialect: out.style.dialect(),
            end: now + self.wait.max(LEAST),
            answered: now + self.wait.max(look::LIMIT),
        }
    }
}
