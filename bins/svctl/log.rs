//! The command `log`, a program of its own: what services have written to their loggers.
//!
//! `find` is where the log of a service is, `directory` the files in it, `blocks` and `unpack` their bytes. `read` goes through
//! the lines that `filter` wants, with the times that `stamp` and `when` read; `show` prints them, many in a
//! `piece`, `follow` those that come, until `keys` end it.

mod blocks;
mod directory;
mod filter;
mod find;
mod follow;
mod keys;
mod options;
mod piece;
mod read;
mod show;
mod stamp;
mod unpack;
mod when;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{IsTerminal, stdout};

use common::{Cli, Exit, Link, Outcome, options, shown};

use filter::Filter;
use find::Missing;
use follow::{Followed, Follower, Watch, Watches, follow};
use options::Options;
use read::{Cursor, End, Log, Notes};
use show::{Form, Show};

use super::names::Names;
use super::out::{Out, complain};
use super::services::{Logs, Services};
use super::style::{Dialect, Style};
use super::{colour, prepare};

/// svctl-log: show what services have logged.
pub const PROGRAM: Link = Link {
    name: "svctl-log",
    usage: "[-f] [-n lines] [-g text] [-p level] [--since time] [--until time] [--utc] [--json] [service...]",
    summary: "show what services have logged",
    options: options![
        ("-f", "show lines as they come, until q or ^C"),
        ("-n lines", "show the last lines, or all (default: 100; 10 with -f; all that are chosen)"),
        ("-g text", "show lines with this text"),
        ("-p level", "show lines of this level (err, warning, ...) and more important ones"),
        ("--since time", "show lines from this time on: '2026-11-29 04:00', 04:00, -1h, today"),
        ("--until time", "show lines up to this time"),
        ("--utc", "show and read times as UTC"),
        ("--json", "print a JSON object for each line"),
    ],
    opens: true,
    lent: None,
    run,
};

fn run(cli: &mut Cli) -> Outcome<'_> {
    Err(start(cli).unwrap_or_else(|error| error))
}

fn start(cli: &mut Cli) -> Result<Exit, Exit> {
    prepare()?;
    let options = options::parse(cli)?;
    let env = cli.rest_or_nothing().take().env;
    let names = Names::new(&env, Dialect::Own);
    let services = Services::named_or_all(&names, &options.services, Logs::Shown)?;
    services.allow_fds();
    let form = if options.json {
        Form::Json
    } else if colour::wanted(&env) {
        Form::Coloured
    } else if stdout().is_terminal() {
        Form::Escaped
    } else {
        Form::Plain
    };
    let mut out = Out::new(Style::Svctl, options.json);
    let notes = Notes::default();
    let watches = if options.follow { Some(Watches::new()?) } else { None };
    let mut watched = Vec::new();
    let logs = open(&names, &services, &options, watches.as_ref(), &mut watched, &notes, &mut out)?;
    let widths = logs.iter().map(|log| shown(&log.name).to_string().chars().count());
    let width = widths.max().filter(|_| services.names.len() > 1);
    let mut show = Show::new(form, options.zone, width);
    let filter = Filter::new(options.text.as_deref(), options.level);
    let logs = print(logs, &options, &filter, &notes, &mut show)?;
    if let Some(watches) = &watches {
        let logs = logs.into_iter().zip(watched);
        let logs = logs.map(|(log, watch)| Follower::new(log, watch, options.zone)).collect();
        let mut followed = Followed { filter: &filter, notes: &notes, show: &mut show };
        follow(watches, logs, &mut followed)?;
    }
    for _ in 0..notes.failed() {
        out.failed();
    }
    Ok(out.exit())
}

/// The logs of services. Of all in SVDIR those without a logger are left out.
fn open(
    names: &Names,
    services: &Services,
    options: &Options,
    watches: Option<&Watches>,
    watched: &mut Vec<Watch>,
    notes: &Notes,
    out: &mut Out,
) -> Result<Vec<Log>, Exit> {
    let mut logs = Vec::new();
    let end = if options.follow { End::Whole } else { End::Now };
    for name in &services.names {
        let directory = match find::directory(names, name, &services.known) {
            Ok(directory) => directory,
            Err(Missing::Logger(_)) if services.all => continue,
            Err(missing) => {
                fail(name, &missing, out)?;
                continue;
            }
        };
        // It is watched before it is looked at, so that nothing comes between.
        let watch = watches.map(|watches| watches.add(&directory)).transpose();
        match watch.and_then(|watch| Ok((watch, Log::look(name, directory, end, options.zone)?))) {
            Ok((watch, log)) => {
                watched.extend(watch);
                logs.push(log);
            }
            Err(errno) => notes.unable(name, "read its log", errno),
        }
    }
    if logs.is_empty() && services.all && notes.failed() == 0 && out.exit().status() == 0 {
        return Err(Exit::fatal("no service has a logger")
            .hint("a service with a log has a directory log, with a script run"));
    }
    Ok(logs)
}

/// A service has no log: said on stderr, since stdout is for lines, or in an object.
fn fail(name: &[u8], missing: &Missing, out: &mut Out) -> Result<(), Exit> {
    let failure = missing.failure();
    if out.json {
        return out.not_found(name, failure);
    }
    out.failed();
    complain(format!("fail: {}: {}\n", shown(name), failure.reason(Dialect::Own)).as_bytes());
    out.hint(failure.hint.clone());
    Ok(())
}

/// Prints the lines that are there, those of several logs in the order of their times.
fn print(
    mut logs: Vec<Log>,
    options: &Options,
    filter: &Filter,
    notes: &Notes,
    show: &mut Show,
) -> Result<Vec<Log>, Exit> {
    let mut count = 0;
    for log in &mut logs {
        if options.bounds.is_set() {
            log.cut(options.bounds, notes);
        }
        if let Some(lines) = options.lines {
            // What could not be read was said, and is not counted.
            count += log.cut_to_last(lines, filter, notes);
        }
    }
    let mut skip = options.lines.map_or(0, |lines| count.saturating_sub(lines));
    let mut cursors: Vec<_> = logs.iter().map(|log| Cursor::new(log, filter, notes)).collect();
    // The place in the list decides between equal times.
    let mut next = BinaryHeap::new();
    for (place, cursor) in cursors.iter_mut().enumerate() {
        if cursor.advance() {
            next.push(Reverse((cursor.time, place)));
        }
    }
    while let Some(Reverse((_, place))) = next.pop() {
        let cursor = &mut cursors[place];
        // As long as no other log has an older line.
        loop {
            if skip > 0 {
                skip -= 1;
            } else if let Some((found, text)) = cursor.line() {
                show.line(&cursor.log.name, found.time, found.level, text)?;
            }
            if !cursor.advance() {
                break;
            }
            let key = Reverse((cursor.time, place));
            if next.peek().is_some_and(|other| *other > key) {
                next.push(key);
                break;
            }
        }
    }
    show.flush()?;
    Ok(logs)
}
