//! svctl-svc: svc, svok and svstat, daemontools' control programs, and runit's svwaitup, each under its name. svctl under
//! such a name executes it.
//!
//! They take service directories as they are written, wait for nothing, and use the FIFOs and the status bytes alone,
//! which every supervisor of the family has.

use std::ffi::CStr;

use common::{Cli, Exit, Link, Outcome, Short, Words, options, shown};
use nix::errno::Errno;
use nix::fcntl::AT_FDCWD;

use super::failure::{Failure, words};
use super::out::{complain, print};
use super::place::{self, Place};
use super::style::Dialect;
use super::{files, prepare};

mod svwaitup;

/// Whose words all three use.
const WORDS: Dialect = Dialect::Runit;

/// Whether this is the name of one of them.
pub(super) fn is_named(name: &[u8]) -> bool {
    matches!(name, b"svc" | b"svok" | b"svstat" | b"svwaitup")
}

/// svctl-svc: daemontools' svc; and svok, svstat and svwaitup under their names.
pub const PROGRAM: Link = Link { name: "svctl-svc", run, ..SVC };

static NAMESAKES: [&Link; 4] = [&SVC, &SVOK, &SVSTAT, &svwaitup::SVWAITUP];

/// svc: send control letters to services.
const SVC: Link = Link {
    name: "svc",
    usage: "[-udopchaitkx] dir...",
    summary: "send commands to the supervisors of service directories",
    options: options![
        ("-u", "start the service, and again whenever it ends"),
        ("-d", "stop it, and do not start it again"),
        ("-o", "start it, and do not start it again"),
        ("-p", "send SIGSTOP"),
        ("-c", "send SIGCONT"),
        ("-h", "send SIGHUP"),
        ("-a", "send SIGALRM"),
        ("-i", "send SIGINT"),
        ("-t", "send SIGTERM"),
        ("-k", "send SIGKILL"),
        ("-x", "let the supervisor exit"),
    ],
    opens: true,
    lent: None,
    run: svc,
};

/// svok: whether a service directory has a supervisor.
const SVOK: Link = Link {
    name: "svok",
    usage: "dir",
    summary: "exit 0 if the service directory has a supervisor, and 100 if not",
    options: options![],
    opens: true,
    lent: None,
    run: svok,
};

/// svstat: the state of services, in a line each.
const SVSTAT: Link = Link {
    name: "svstat",
    usage: "dir...",
    summary: "print the state of each service directory in a line",
    options: options![],
    opens: true,
    lent: None,
    run: svstat,
};

fn run(cli: &mut Cli) -> Outcome<'_> {
    prepare()?;
    let program = NAMESAKES.into_iter().find(|program| program.name.as_bytes() == cli.called());
    match program {
        Some(program) => cli.run_as(program),
        None => svc(cli),
    }
}

fn svc(cli: &mut Cli) -> Outcome<'_> {
    let mut letters = String::new();
    while let Some(option) = cli.option()? {
        match option {
            Short(letter) if SVC.options.rows().any(|row| row.0.ends_with(letter)) => {
                // Each once, in the order in which they came first.
                if letters.chars().all(|sent| sent != letter) {
                    letters.push(letter);
                }
            }
            other => return Err(Exit::unexpected(other)),
        }
    }
    for directory in cli.unread() {
        let name = directory.to_bytes();
        let sent = match service(name) {
            Ok(place) => files::control(&place, &letters)
                .map_err(|failure| format!("control {}: {}", shown(name), failure.cause(WORDS)))
                .and_then(|sent| {
                    sent.ok_or_else(|| format!("control {}: supervise not running", shown(name)))
                }),
            Err(errno) => Err(unable_to_change(name, errno)),
        };
        if let Err(action) = sent {
            complain(format!("svc: warning: unable to {action}\n").as_bytes());
        }
    }
    Err(Exit::answer(0, ""))
}

fn svok(cli: &mut Cli) -> Outcome<'_> {
    let Some(directory) = words_of(cli)?.first() else { return Err(Exit::usage("missing dir")) };
    let name = directory.to_bytes();
    let fatal = |action: String| Exit::fatal(format_args!("unable to {action}"));
    let place = service(name).map_err(|errno| fatal(unable_to_change(name, errno)))?;
    let status = match files::served(&place) {
        Ok(Some(_)) => 0,
        Ok(None) | Err(Failure { errno: Some(Errno::ENOENT), .. }) => 100,
        // It names the file itself.
        Err(failure) if failure.errno.is_none() => {
            return Err(Exit::fatal(format_args!("{}: {}", shown(name), failure.reason(WORDS))));
        }
        Err(failure) => {
            return Err(fatal(format!("open {}/supervise/ok: {}", shown(name), failure.cause(WORDS))));
        }
    };
    Err(Exit::answer(status, ""))
}

fn svstat(cli: &mut Cli) -> Outcome<'_> {
    for directory in words_of(cli)? {
        let name = directory.to_bytes();
        let state = state(name).unwrap_or_else(|problem| problem);
        print(format!("{}: {state}\n", shown(name)).as_bytes())?;
    }
    Err(Exit::answer(0, ""))
}

/// What svstat says of a service, or why that is not known.
fn state(name: &[u8]) -> Result<String, String> {
    let unable = |action: &str, errno| format!("unable to {action}: {}", words(errno, WORDS));
    let place = service(name).map_err(|errno| unable("chdir", errno))?;
    let down = place.has(c"down").map_err(|errno| unable("stat down", errno))?;
    match files::status(&place) {
        Ok(Some(status)) => Ok(status.as_svstat(!down)),
        Ok(None) => Err("supervise not running".to_owned()),
        Err(failure) => Err(failure.reason(WORDS)),
    }
}

/// The words of a program without options. `--help` and `--version` are no directories of anybody.
fn words_of(cli: &mut Cli) -> Result<Words, Exit> {
    let words = cli.words().words.clone();
    if matches!(words.first().map(CStr::to_bytes), Some(b"--help" | b"--version")) {
        cli.option()?;
    }
    Ok(words)
}

/// The service in this directory, which is never the name of one in SVDIR.
fn service(name: &[u8]) -> nix::Result<Place> {
    Ok(Place::service(name, name.to_owned(), place::directory(AT_FDCWD, name)?, None))
}

fn unable_to_change(name: &[u8], errno: Errno) -> String {
    format!("chdir to {}: {}", shown(name), words(errno, WORDS))
}
