//! svlog: write standard input to log directories that rotate.
//!
//! `options` is the command line, `logger` the loop, `requests` what signals have asked for. A `batch`
//! of lines goes to one `directory` after the other, and `alerts` elsewhere; `lines` makes its text, with
//! `pattern`. A directory has a `site`, a `config`, a `current` with its `rotation`, a `shelf` of
//! archives (`archive`), a `processor`, and lines that were `dropped`. `record` is what outlives a kill,
//! `resume` what follows from it.

pub mod config;
pub mod pattern;

mod alerts;
mod archive;
mod batch;
mod current;
mod directory;
mod dropped;
mod lines;
mod logger;
mod options;
mod processor;
mod record;
mod requests;
mod resume;
mod rotation;
mod shared;
mod shelf;
mod site;

use common::{Cli, Exit, Link, OrFail, Outcome, Voice, fds, signals};

use logger::{Logger, SIGNALS};
use options::Options;

/// svlog: write standard input to log directories that rotate.
pub const PROGRAM: Link = Link {
    name: "svlog",
    usage: "[-t | -tt | -ttt] [-r c] [-R chars] [-l len] [-b bytes] [-v] dir...",
    summary: "write standard input to log directories that rotate",
    options: &[
        ("-t", "begin each line with a TAI64N time stamp"),
        ("-tt", "with one as 2026-11-22_10:30:01.98765, UTC"),
        ("-ttt", "with one as 2026-11-22T10:30:01.98765, UTC"),
        ("-r c", "write c in place of each byte that is not printable ASCII"),
        ("-R chars", "and in place of each of these; c is _ without -r"),
        ("-l len", "match patterns against the first len bytes (1000)"),
        ("-b bytes", "read up to this many bytes at a time (at least 12288)"),
        ("-v", "report on stderr what is done"),
    ],
    opens: true,
    run,
};

/// The same under the name of runit's.
static SVLOGD: Link = Link { name: "svlogd", ..PROGRAM };

fn run(cli: &mut Cli) -> Outcome {
    if cli.called() != b"svlogd" {
        return log(cli);
    }
    log(cli).map_err(|error| match error.status() {
        100 => error.with_status(111).of(SVLOGD.name, SVLOGD.usage),
        _ => error.of(SVLOGD.name, SVLOGD.usage),
    })
}

fn log(cli: &mut Cli) -> Outcome {
    let called = cli.called();
    let (options, env) = Options::parse(cli)?;
    fds::open_standard().or_fail("open /dev/null in place of a closed fd")?;
    signals::block_all().or_fail("block signals")?;
    signals::reset_all();
    let signals = signals::as_fd(&SIGNALS).or_fail("watch for signals")?;
    let voice = Voice { called, directory: b"", part: b"" };
    match Logger::start(options, voice, env, signals).or_fail("look at the input")? {
        Some(logger) => Err(Exit::answer(logger.run(), "")),
        None => Err(Exit::fatal("no functional log directories")),
    }
}
