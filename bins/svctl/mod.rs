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
use std::os::fd::{AsRawFd, IntoRawFd};
use std::time::{Duration, Instant};

use common::socket::{POLLIN, watch};
use common::{Cli, Env, Error, Link, Long, OrFail, Outcome, Short, Words, child, shown, signals};
use nix::fcntl::{OFlag, open};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::stat::Mode;

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
        ("-w seconds", "wait so long at most (without it SVWAIT, else 7); implies -v"),
        ("--json", "print an object in JSON for each service, a line each"),
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
}

fn run(cli: &mut Cli) -> Outcome {
    let style = match cli.called() {
        b"sv" => Style::Sv,
        name if name.ends_with(PROGRAM.name.as_bytes()) => Style::Svctl,
        _ => Style::Script,
    };
    Err(start(cli, style).unwrap_or_else(|error| match style {
        Style::Script if error.status() == 111 => error.with_status(151),
        Style::Sv if error.status() == 111 => error.with_status(100),
        _ => error,
    }))
}

fn start(cli: &mut Cli, style: Style) -> Result<Error, Error> {
    open_standard()?;
    // What nobody reads any more is for us to see, not to die of.
    child::block_only(signals::PIPE).or_fail("block SIGPIPE")?;
    let called = cli.called();
    let options = match options(cli, style) {
        Err(error) if style != Style::Svctl && error.status() != 0 => return Ok(misuse(called, style)),
        options => options?,
    };
    let chain = cli.rest_or_nothing();
    let (words, env) = (chain.words, chain.env);
    let wait = options.wait.or_else(|| env.get(c"SVWAIT").map(|text| whole_seconds(text.to_bytes())));
    let order =
        Request { names: Names::new(&env)?, wait: wait.unwrap_or(WAIT), verbose: options.verbose, env };
    let out = Out::new(style, options.json);
    match style {
        Style::Svctl => order.carry_out(words.map(CStr::to_bytes).collect(), out),
        Style::Sv | Style::Script => {
            let mut words: Vec<&[u8]> = words.map(CStr::to_bytes).collect();
            if style == Style::Script {
                words.truncate(1);
                words.push(called);
            }
            order.carry_out_as_sv(&words, out).unwrap_or_else(|| Ok(misuse(called, style)))
        }
    }
}

/// Opens /dev/null in place of a closed stdin, stdout or stderr: no file of ours may take their numbers.
fn open_standard() -> Result<(), Error> {
    loop {
        let null = open(c"/dev/null", OFlag::O_RDWR, Mode::empty()).or_fail("open /dev/null")?;
        if null.as_raw_fd() > 2 {
            return Ok(());
        }
        let _ = null.into_raw_fd(); // it stays open
    }
}

fn options(cli: &mut Cli, style: Style) -> Result<Options, Error> {
    let mut options = Options::default();
    while let Some(option) = cli.option()? {
        match option {
            Short('v') => {}
            Short('w') if style == Style::Svctl => options.wait = Some(cli.seconds()?),
            Short('w') => options.wait = Some(whole_seconds(cli.value()?.as_encoded_bytes())),
            Long("json") if style == Style::Svctl => {
                options.json = true;
                continue;
            }
            other => return Err(other.unexpected().into()),
        }
        options.verbose = true;
    }
    Ok(options)
}

/// The number that a text begins with, as sv reads it: 0 without one.
fn whole_seconds(text: &[u8]) -> Duration {
    let end = text.iter().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    let seconds = common::cli::number(&text[..end]).unwrap_or(if end == 0 { 0 } else { u32::MAX });
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

/// What was asked for, but for the command.
struct Request {
    names: Names,
    wait: Duration,
    verbose: bool,
    env: Env,
}

impl Request {
    fn carry_out(self, words: Vec<&'static [u8]>, mut out: Out) -> Result<Error, Error> {
        let mut words = words.into_iter();
        let Some(word) = words.next() else { return self.list(&[], &mut out) };
        let unknown = || Error::usage(format_args!("unknown command: {}", shown(word)));
        let command = std::str::from_utf8(word).ok().and_then(|word| Command::find(word, Style::Svctl));
        let mut any = false;
        let command = match command.ok_or_else(unknown)? {
            Command::Signal => {
                let name = words.next().ok_or_else(|| Error::usage("missing signal"))?;
                let deed = Deed::signal(name);
                Command::Deed(
                    deed.ok_or_else(|| Error::usage(format_args!("not a signal: {}", shown(name))))?,
                )
            }
            Command::Wait => {
                let mut condition = words.next();
                while let Some(option @ (b"-a" | b"-o")) = condition {
                    any = option == b"-o";
                    condition = words.next();
                }
                let condition = condition.ok_or_else(|| Error::usage("missing condition"))?;
                let deed = std::str::from_utf8(condition).ok().and_then(Deed::wait);
                Command::Deed(deed.ok_or_else(|| {
                    Error::usage(format_args!("not up, down, ready or finished: {}", shown(condition)))
                })?)
            }
            other => other,
        };
        let services: Vec<&'static [u8]> = words.collect();
        if let Some(option) = services.iter().find(|name| name.starts_with(b"-")) {
            return Err(Error::usage(format_args!("not a service: {}", shown(option)))
                .hint("options are in front of the command; a path may begin with ./"));
        }
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
        let command = Command::find(std::str::from_utf8(word).ok()?, out.style)?;
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
    fn deed(self, deed: &Deed, services: &[&'static [u8]], any: bool, out: &mut Out) -> Result<Error, Error> {
        Self::allow_connections(services.len());
        let env: Words = self.env.into_words();
        let now = Instant::now();
        let order = Order {
            names: &self.names,
            deed,
            env: &env,
            waits: deed.waits || self.verbose,
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
            // Past its end some job may still have time.
            let left = order.end.checked_duration_since(Instant::now()).unwrap_or(TICK);
            let ticks = fds.len() < jobs.len();
            socket::wait(&mut fds, if ticks { left.min(TICK) } else { left });
        }
    }
}
