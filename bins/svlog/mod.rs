//! svlog: write standard input to log directories that rotate.
//!
//! `logger` is the loop, `orders` what signals have asked for; `folder` is a log directory, `entrance` the way into
//! it, `archive` and `config` what is in it, `processor` what works up its archives; `lines` makes what is written, with `pattern`; `record` is what outlives a kill.

pub mod config;
pub mod pattern;

mod archive;
mod entrance;
mod folder;
mod lines;
mod logger;
mod orders;
mod processor;
mod record;

use std::ffi::CStr;
use std::os::unix::ffi::OsStringExt;

use common::{Cli, Error, Link, OrFail, Outcome, Short, Voice, Words, fds, shown, signals};

use lines::Stamp;
use logger::{Logger, SIGNALS};

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

/// What is read at a time at least. Larger batches are hardly faster, and cost memory.
const BATCH: usize = 12 << 10;

/// What the command line asks for.
#[derive(Debug)]
struct Options {
    stamp: Stamp,
    /// What takes the place of each byte, if any has one taken.
    replaced: Option<Vec<u8>>,
    /// How many bytes of a line patterns see.
    length: usize,
    batch: usize,
    loud: bool,
    folders: Vec<&'static CStr>,
}

impl Options {
    /// Does what `-r` and `-R` ask for. Newlines stay.
    fn replace(&self, bytes: &mut [u8]) {
        if let Some(replaced) = &self.replaced {
            for byte in bytes {
                *byte = replaced[usize::from(*byte)];
            }
        }
    }
}

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
    let (options, env) = options(cli)?;
    fds::open_standard().or_fail("open /dev/null in place of a closed fd")?;
    signals::block_all().or_fail("block signals")?;
    signals::reset_all();
    let signals = signals::as_fd(&SIGNALS).or_fail("watch for signals")?;
    let voice = Voice { called, folder: b"", part: b"" };
    match Logger::start(options, voice, env, signals).or_fail("look at the input")? {
        Some(logger) => Err(Error::answer(logger.run(), "")),
        None => Err(Error::fatal("no functional log directories")),
    }
}

#[inline(never)] // out of the way of what runs on
fn options(cli: &mut Cli) -> Result<(Options, Words), Error> {
    let (mut stamps, mut by, mut these, mut length, mut batch, mut loud) =
        (0, None, None, 1000, BATCH, false);
    while let Some(option) = cli.option()? {
        match option {
            Short('t') => stamps += 1,
            Short('r') => by = Some(cli.value()?.into_vec()),
            Short('R') => these = Some(cli.value()?.into_vec()),
            Short('l') => length = size(cli)?,
            Short('b') => batch = size(cli)?,
            Short('v') => loud = true,
            other => return Err(other.unexpected().into()),
        }
    }
    let by = match by.as_deref() {
        None => these.is_some().then_some(b'_'),
        Some([c]) => Some(*c),
        Some(_) => return Err(Error::usage("-r takes one character")),
    };
    if batch <= length {
        return Err(Error::usage("-b must be more than -l"));
    }
    let these = these.unwrap_or_default();
    let plain = |byte: &u8| *byte == b'\n' || (b' '..=b'~').contains(byte) && !these.contains(byte);
    let replaced = by.map(|c| (0..=255).map(|byte| if plain(&byte) { byte } else { c }).collect());
    let mut folders = vec![cli.operand("dir")?.0];
    let rest = cli.rest_or_nothing();
    folders.extend(rest.words);
    let stamp = [Stamp::None, Stamp::Tai, Stamp::Utc("_"), Stamp::Utc("T")][stamps.min(3)];
    Ok((Options { stamp, replaced, length, batch: batch.max(BATCH), loud, folders }, rest.env.into_words()))
}

/// The value of the option just read, a number of bytes.
fn size(cli: &mut Cli) -> Result<usize, Error> {
    let value = cli.value()?.into_vec();
    let size = common::quantity::number(&value).filter(|size| (1..=1 << 30).contains(size));
    size.ok_or_else(|| Error::usage(format_args!("not a number of bytes: {}", shown(&value))))
}
