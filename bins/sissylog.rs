//! sissylog: send each line of the standard input to syslog.
//!
//! `logger` is the loop; `facility` has the names of facilities; `line`, `header` and `message` make
//! its messages; `syslog` sends them; `service` finds the name and the pid of the service.

pub mod facility;
pub mod message;

mod header;
mod line;
mod logger;
mod service;
mod syslog;

use common::input::Input;
use common::{Cli, Exit, Link, OrFail, Outcome, Short, Text, Voice, fds, options, shown, signals};

use logger::{Logger, Options};

/// sissylog: send each line of the standard input to syslog.
pub const PROGRAM: Link = Link {
    name: "sissylog",
    usage: "[-p] [-v] [ident [facility]]",
    summary: "send each line of the standard input to syslog",
    options: options![("-p", "add the pid of the service to ident"), ("-v", "log to syslog why it ends")],
    opens: true,
    lent: None,
    run,
};

/// How many bytes of the input are looked at at once: a longer line is sent part by part.
const BATCH: usize = 16 << 10;

fn run(cli: &mut Cli) -> Outcome<'_> {
    let status = start(cli)?.run();
    Err(Exit::answer(status, ""))
}

/// Reads the command line. A function of its own, so that the stack it needs is free again.
#[inline(never)]
fn start(cli: &mut Cli) -> Result<Logger, Exit> {
    fds::open_standard().or_fail("open /dev/null in place of a closed fd")?;
    let (mut pid, mut last_word) = (false, false);
    while let Some(option) = cli.option()? {
        match option {
            Short('p') => pid = true,
            Short('v') => last_word = true,
            other => return Err(Exit::unexpected(other)),
        }
    }
    // Where log/run itself is a link to this program, its name is that of a script.
    let is_run = cli.called() == b"run";
    let called = if is_run { PROGRAM.name.as_bytes() } else { cli.called() };
    let voice = Voice { called, directory: b"", part: b"" };
    let mut words = cli.unread();
    let ident = match words.next() {
        Some(word) => ident(word.to_bytes())?,
        None if is_run => service::name().unwrap_or_else(|| Text::of(PROGRAM.name)),
        None => Text::of(PROGRAM.name),
    };
    let facility = facility(words.next().map_or(b"daemon", |word| word.to_bytes()))?;
    if words.next().is_some() {
        return Err(Exit::usage("nothing may follow facility"));
    }
    // All come through the fd, even those that are ignored or do nothing.
    signals::block_all().or_fail("block signals")?;
    let signals = signals::as_fd(&logger::ENDS).or_fail("make a signalfd")?;
    let input = Input::new(BATCH).or_fail("look at the standard input")?;
    Ok(Logger::new(Options { ident, facility, pid, last_word }, voice, signals, input))
}

fn ident(word: &[u8]) -> Result<Text<{ message::IDENT }>, Exit> {
    let mut ident = Text::new();
    if word.is_empty() {
        return Err(Exit::usage("empty ident"));
    }
    if message::push(&mut ident, word, message::IDENT) < word.len() {
        return Err(Exit::usage(format_args!("ident is longer than {} bytes", message::IDENT)));
    }
    Ok(ident)
}

fn facility(word: &[u8]) -> Result<u8, Exit> {
    facility::facility(word).ok_or_else(|| {
        Exit::usage(format_args!("no such facility: {}; there are {}", shown(word), facility::NAMES))
    })
}
