//! svlog: write standard input to log directories that rotate.
//!
//! `options` is the command line, `script` that of multilog, `logger` the loop, `requests` what signals have asked for. A `batch`
//! of lines goes to one `directory` after the other, and by `alerts` and `outlets` elsewhere; `lines` makes its text, with
//! `pattern`. A directory has a `site`, a `config`, a `current` with its `rotation`, a `shelf` of
//! archives (`archive`), a `processor`, and lines that were `dropped`. `record` is what outlives a kill,
//! `resume` what follows from it; `leftovers` are those of daemontools' multilog. `stdout` is the loop of a log that goes to the
//! standard output instead.

pub mod config;
pub mod pattern;

mod alerts;
mod archive;
mod batch;
mod current;
mod directory;
mod dropped;
mod leftovers;
mod lines;
mod logger;
mod options;
mod outlets;
mod processor;
mod record;
mod requests;
mod resume;
mod rotation;
mod script;
mod shared;
mod shelf;
mod site;
mod stdout;

use common::{Cli, Exit, Link, OrFail, Outcome, Voice, Words, fds, options, signals};

use logger::{Logger, SIGNALS};
use options::Options;
use outlets::{Outlet, Outlets};
use script::Script;

/// svlog: write standard input to log directories that rotate.
pub const PROGRAM: Link = Link {
    name: "svlog",
    usage: "[-t | -tt | -ttt] [-r c] [-R chars] [-l len] [-b bytes] [-p name] [-v] dir...",
    summary: "write standard input to log directories that rotate",
    options: options![
        ("-t", "begin each line with a TAI64N time stamp"),
        ("-tt", "with one as 2026-11-22_10:30:01.98765, UTC"),
        ("-ttt", "with one as 2026-11-22T10:30:01.98765, UTC"),
        ("-r c", "write c in place of each byte that is not printable ASCII"),
        ("-R chars", "and in place of each of these; c is _ without -r"),
        ("-l len", "match patterns against the first len bytes (1000)"),
        ("-b bytes", "read up to this many bytes at a time (at least 12288)"),
        ("-p name", "with - as dir: begin each line with name, a colon and a blank"),
        ("-v", "report on stderr what is done"),
    ],
    opens: true,
    lent: None,
    run,
};

/// The same under the name of runit's.
static SVLOGD: Link = Link { name: "svlogd", ..PROGRAM };

/// The same under the name of daemontools', whose command line it takes.
static MULTILOG: Link = Link {
    name: "multilog",
    usage: "action...",
    summary: "write selected lines to log directories that rotate, by a script of actions",
    options: options![],
    opens: true,
    lent: None,
    run: log_by_script,
};

fn run(cli: &mut Cli) -> Outcome<'_> {
    match cli.called() {
        b"svlogd" => log(cli).map_err(|error| match error.status() {
            100 => error.with_status(111).of(SVLOGD.name, SVLOGD.usage),
            _ => error.of(SVLOGD.name, SVLOGD.usage),
        }),
        name if name.ends_with(MULTILOG.name.as_bytes()) => cli.run_as(&MULTILOG),
        _ => log(cli),
    }
}

fn log(cli: &mut Cli) -> Outcome<'_> {
    let called = cli.called();
    let (options, env) = Options::parse(cli)?;
    log_with(called, options, Vec::new(), env)
}

fn log_by_script(cli: &mut Cli) -> Outcome<'_> {
    cli.answer_alone()?; // beside other actions they are patterns
    let (called, rest) = (cli.called(), cli.words().take());
    let Script { options, outlets } = Script::parse(rest.words)?;
    log_with(called, options, outlets, rest.env.into_words())
}

fn log_with(called: &'static [u8], options: Options, outlets: Vec<Outlet>, env: Words) -> Outcome<'static> {
    fds::open_standard().or_fail("open /dev/null in place of a closed fd")?;
    if options.stdout.is_some() {
        stdout::copy(options, called)?;
        return Err(Exit::answer(0, ""));
    }
    signals::block_all().or_fail("block signals")?;
    signals::reset_all();
    let signals = signals::as_fd(&SIGNALS).or_fail("watch for signals")?;
    let voice = Voice { called, directory: b"", part: b"" };
    let outlets = Outlets::open(outlets, voice)?;
    let none = if options.needs_all() {
        "not all log directories can be used"
    } else {
        "no functional log directories"
    };
    match Logger::start(options, outlets, voice, env, signals).or_fail("look at the input")? {
        Some(logger) => Err(Exit::answer(logger.run(), "")),
        None => Err(Exit::fatal(none)),
    }
}
