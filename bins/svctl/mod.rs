//! svctl: control services and show their state.

mod check;
mod command;
mod events;
mod job;
mod json;
mod list;
mod look;
mod names;
mod out;
mod socket;
mod status;
mod sv;
mod trouble;

use std::ffi::CStr;
use std::time::{Duration, Instant};

use common::poll::{POLLIN, watch};
use common::{Cli, Env, Error, Link, Long, OrFail, Outcome, Short, Words, fds, shown, signals};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use command::{Command, Deed};
use job::{End, Job, Order, TICK};
use list::List;
use names::Names;
use out::{Out, Style};

/// svctl: control services and show their state.
pub const PROGRAM: Link = Link {
    name: "svctl",
    usage: "[-v] [-w seconds] [--json] [command service...]",
    summary: "control services and show their state",
    options: &[
        ("-v", "wait until the command has had its effect, and say so"),
        ("-w seconds", "wait at most this long (default: SVWAIT, else 7); implies -v"),
        ("--json", "print a JSON object for each service, one per line"),
    ],
    opens: true,
    run,
};

/// How long to wait, where nobody says.
const WAIT: Duration = Duration::from_secs(7);

/// What a supervisor has to have a command carried out at all, though nobody wants to wait.
const LEAST: Duration = Duration::from_millis(50);

/// What the options say.
#[derive(Default)]
struct Options {
    verbose: bool,
    wait: Option<Duration>,
    json: bool,
    /// `wait -o`: one service is enough.
    any: bool,
}

fn run(cli: &mut Cli) -> Outcome {
    let style = match cli.called() {
        b"sv" => Style::Sv,
        name if name.ends_with(PROGRAM.name.as_bytes()) => Style::Svctl,
        name if names::is_service(name, cli.env()) => Style::Script,
        _ => Style::Svctl,
    };
    Err(start(cli, style).unwrap_or_else(|error| match style {
        Style::Script if error.status() == 111 => error.with_status(151),
        Style::Sv if error.status() == 111 => error.with_status(100),
        _ => error,
    }))
}

fn start(cli: &mut Cli, style: Style) -> Result<Error, Error> {
    fds::open_standard().or_fail("open /dev/null in place of a closed fd")?;
    // What nobody reads any more is for us to see, not to die of.
    signals::block_only(signals::PIPE).or_fail("block SIGPIPE")?;
    let called = cli.called();
    let mut style = style;
    cli.explain(command::help());
    let (options, mut words) = match words(cli, style) {
        Err(error) if style != Style::Svctl && error.status() != 0 => return Ok(misuse(called, style)),
        words => words?,
    };
    let chain = cli.rest_or_nothing();
    words.extend(chain.words.map(CStr::to_bytes));
    let env = chain.env;
    // What names no service is svctl under another name; but an init script whose service is gone has to say so.
    let one =
        |words: &[&[u8]]| matches!(words, [word] if Command::find(str_of(word), Style::Script).is_some());
    if style == Style::Svctl && !called.windows(5).any(|part| part == PROGRAM.name.as_bytes()) && one(&words)
    {
        style = Style::Script;
    }
    let wait = options.wait.or_else(|| env.get(c"SVWAIT").map(|text| whole_seconds(text.to_bytes())));
    let order = Request {
        names: Names::new(&env)?,
        wait: wait.unwrap_or(WAIT),
        verbose: options.verbose,
        patient: style == Style::Svctl && options.wait.is_some(),
        env,
    };
    let out = Out::new(style, options.json);
    match style {
        Style::Svctl => order.carry_out(words, options.any, out),
        Style::Sv | Style::Script => {
            if style == Style::Script {
                words.truncate(1);
                words.push(called);
            }
            order.carry_out_as_sv(&words, out).unwrap_or_else(|| Ok(misuse(called, style)))
        }
    }
}

/// The options and the operands, which svctl takes in any order, and sv the options first.
fn words(cli: &mut Cli, style: Style) -> Result<(Options, Vec<&'static [u8]>), Error> {
    let mut options = Options::default();
    let mut words = Vec::new();
    if style != Style::Svctl {
        options.read(cli, style, None)?;
        return Ok((options, words));
    }
    loop {
        options.read(cli, style, words.first().copied())?;
        let Some(word) = cli.operand_among_options() else { return Ok((options, words)) };
        words.push(word.to_bytes());
    }
}

impl Options {
    /// Reads options up to the next operand; `command` is the first operand, once it is known.
    fn read(&mut self, cli: &mut Cli, style: Style, command: Option<&[u8]>) -> Result<(), Error> {
        while let Some(option) = cli.option()? {
            match option {
                Short('v') => {}
                Short('w') if style == Style::Svctl => self.wait = Some(cli.seconds()?),
                Short('w') => self.wait = Some(whole_seconds(cli.value()?.as_encoded_bytes())),
                Short(which @ ('a' | 'o')) if command == Some(b"wait") => {
                    self.any = which == 'o';
                    continue;
                }
                Long("json") if style == Style::Svctl => {
                    self.json = true;
                    continue;
                }
                other => return Err(other.unexpected().into()),
            }
            self.verbose = true;
        }
        Ok(())
    }
}

/// The number that a text begins with, as sv reads it: 0 without one.
fn whole_seconds(text: &[u8]) -> Duration {
    let end = text.iter().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    let seconds = common::quantity::number(&text[..end]).unwrap_or(if end == 0 { 0 } else { u32::MAX });
    Duration::from_secs(seconds.into())
}

/// What sv says where it is not used as it wants.
fn misuse(called: &[u8], style: Style) -> Error {
    let (usage, status) = match style {
        Style::Script => (" [-w sec] command\n\n", 2),
        _ => (" [-v] [-w sec] command service ...\n\n", 100),
    };
    out::complain(&[b"usage: ", called, usage.as_bytes()].concat());
    Error::answer(status, "")
}

/// A word as a text; what is not UTF-8 is no word of ours, as nothing is.
fn str_of(word: &[u8]) -> &str {
    std::str::from_utf8(word).unwrap_or_default()
}

/// A word that is no command, and the one that was meant, if that can be told.
fn unknown(word: &[u8]) -> Error {
    let error = Error::usage(format_args!("unknown command: {}", shown(word)));
    match command::nearest(str_of(word)) {
        // What is said at the end of the program may as well stay.
        Some(nearest) => error.hint(format!("did you mean '{nearest}'?")),
        None => error.hint("'svctl --help' lists the commands"),
    }
}

/// What was asked for, but for the command.
struct Request {
    names: Names,
    wait: Duration,
    verbose: bool,
    /// Whether `-w` was given: the supervisor is waited for too.
    patient: bool,
    env: Env,
}

impl Request {
    fn carry_out(self, words: Vec<&'static [u8]>, any: bool, mut out: Out) -> Result<Error, Error> {
        let mut words = words.into_iter();
        let Some(word) = words.next() else { return self.list(&[], &mut out) };
        let command = match Command::find(str_of(word), Style::Svctl).ok_or_else(|| unknown(word))? {
            Command::Signal => {
                let name = words.next().ok_or_else(|| Error::usage("missing signal"))?;
                let deed = Deed::signal(name);
                Command::Deed(
                    deed.ok_or_else(|| Error::usage(format_args!("not a signal: {}", shown(name))))?,
                )
            }
            Command::Wait => {
                let condition = words.next().ok_or_else(|| Error::usage("missing condition"))?;
                let deed = Deed::wait(str_of(condition));
                Command::Deed(deed.ok_or_else(|| {
                    Error::usage(format_args!("not up, down, ready or finished: {}", shown(condition)))
                })?)
            }
            other => other,
        };
        let services: Vec<&'static [u8]> = words.collect();
        if services.is_empty() && !matches!(command, Command::List) {
            return Err(Error::usage("missing service"));
        }
        match command {
            Command::Deed(deed) => self.deed(&deed, &services, any, &mut out),
            Command::Status => look::show(&self.names, &services, &mut out),
            Command::Events => events::show(&self.names, &services, &mut out),
            _ => self.list(&services, &mut out),
        }
    }

    /// As sv does; `None` where it is not used as sv wants.
    fn carry_out_as_sv(self, words: &[&'static [u8]], mut out: Out) -> Option<Result<Error, Error>> {
        let (word, services) = words.split_first()?;
        let command = Command::find(str_of(word), out.style)?;
        if services.is_empty() {
            return None;
        }
        Some(match command {
            Command::Deed(deed) => self.deed(&deed, services, false, &mut out),
            _ => look::show(&self.names, services, &mut out),
        })
    }

    fn list(&self, services: &[&'static [u8]], out: &mut Out) -> Result<Error, Error> {
        let list = List { names: &self.names, logs: self.verbose, colours: list::colours(&self.env) };
        list.show(services, out)
    }

    /// Lets this process have as many connections as it may need: two for each service.
    fn allow_connections(services: usize) {
        let needed = nix::libc::rlim_t::try_from(services)
            .unwrap_or(nix::libc::rlim_t::MAX)
            .saturating_mul(2)
            .saturating_add(64);
        if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
            if soft < needed {
                // Where that fails, what is too much is told service by service.
                let _ = setrlimit(Resource::RLIMIT_NOFILE, needed.min(hard), hard);
            }
        }
    }

    /// Gives a command to all services at once, and waits for each; with `any` for the first.
    ///
    /// In a round the services come in the order in which they were named, and each takes in this order: what its
    /// supervisor has said, in the order in which it was said; what ./check has said; its own time limit. So what
    /// has happened counts though the time is up too, as after a stop by a signal; and no answer of one service
    /// waits for another's. The first requests of all services are sent before anything is waited for, and each
    /// later one only once that before it is answered. Bytes go into a FIFO only where there is no connection,
    /// or none any more: they never overtake what was said over it. Signals have their usual effect, at once.
    fn deed(self, deed: &Deed, services: &[&'static [u8]], any: bool, out: &mut Out) -> Result<Error, Error> {
        Self::allow_connections(services.len());
        let env: Words = self.env.into_words();
        let now = Instant::now();
        let order = Order {
            names: &self.names,
            deed,
            env: &env,
            waits: deed.waits || self.verbose,
            patient: self.patient && deed.is_patient(),
            runit: out.style != Style::Svctl,
            end: now + self.wait.max(LEAST),
            answered: now + self.wait.max(look::LIMIT),
        };
        let mut jobs: Vec<Job> = services.iter().map(|name| Job::new(name, deed)).collect();
        loop {
            for job in &mut jobs {
                job.go(&order, out)?;
                if any && job.end == End::Well {
                    return Ok(Error::answer(0, ""));
                }
            }
            jobs.retain(|job| job.end == End::Not);
            if jobs.is_empty() {
                return Ok(out.exit());
            }
            let mut fds: Vec<_> = jobs.iter().filter_map(Job::fd).map(|fd| watch(fd, POLLIN)).collect();
            let now = Instant::now();
            // Past its end some job may still have time.
            let left = order.end.checked_duration_since(now).unwrap_or(TICK);
            let due = jobs.iter().filter_map(Job::due).min();
            socket::wait(&mut fds, due.map_or(left, |due| left.min(due.saturating_duration_since(now))));
        }
    }
}
