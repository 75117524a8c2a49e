//! The command line.

use common::quantity::number;
use common::{Cli, Exit, Long, Short, clock, level};

use super::filter::Bounds;
use super::read::Zone;
use super::stamp::{Time, now};
use super::when;

/// How many lines are shown where nothing is chosen.
const LAST: u64 = 100;
/// The same before others that come.
const BEFORE: u64 = 10;

/// What is asked for.
pub(super) struct Options {
    pub(super) follow: bool,
    /// How many lines at most, the last ones; all without it.
    pub(super) lines: Option<u64>,
    pub(super) text: Option<Vec<u8>>,
    /// The least important level.
    pub(super) level: u8,
    pub(super) bounds: Bounds,
    pub(super) zone: Zone,
    pub(super) json: bool,
    pub(super) services: Vec<&'static [u8]>,
}

/// The option -n.
enum Lines {
    All,
    Last(u64),
}

/// Takes the options and the services, in any order.
pub(super) fn parse(cli: &mut Cli) -> Result<Options, Exit> {
    let mut options = Options {
        follow: false,
        lines: None,
        text: None,
        level: 7,
        bounds: Bounds::default(),
        zone: clock::local_time,
        json: false,
        services: Vec::new(),
    };
    let mut lines = None;
    let (mut since, mut until) = (None, None);
    loop {
        while let Some(option) = cli.option()? {
            match option {
                Short('h') => return Err(Exit::answer(0, cli.help())),
                Short('f') => options.follow = true,
                Short('n') => lines = Some(count(cli.value()?)?),
                Short('g') => options.text = Some(text(cli.value()?)?),
                Short('p') => {
                    let name = cli.value()?;
                    options.level = level::named(name).ok_or_else(|| Exit::value("not a level", name))?;
                }
                Long("since") => since = Some(cli.value()?),
                Long("until") => until = Some(cli.value()?),
                Long("utc") => options.zone = clock::utc,
                Long("json") => options.json = true,
                other => return Err(Exit::unexpected(other)),
            }
        }
        match cli.operand_among_options() {
            Some(service) => options.services.push(service.to_bytes()),
            None => break,
        }
    }
    if options.follow && until.is_some() {
        return Err(Exit::usage("-f has no end, and --until asks for one"));
    }
    let now = now();
    let time = |text: Option<&[u8]>| text.map(|text| time(text, now, options.zone)).transpose();
    options.bounds = Bounds { since: time(since)?, until: time(until)? };
    let chosen = options.text.is_some() || options.level < 7 || options.bounds.is_set();
    options.lines = match lines {
        Some(Lines::All) => None,
        Some(Lines::Last(count)) => Some(count),
        None if options.follow && options.bounds.since.is_none() => Some(BEFORE),
        None if chosen => None,
        None => Some(LAST),
    };
    Ok(options)
}

fn count(value: &[u8]) -> Result<Lines, Exit> {
    if value == b"all" {
        return Ok(Lines::All);
    }
    number(value).map(Lines::Last).ok_or_else(|| Exit::value("not a number of lines, or all", value))
}

fn text(value: &[u8]) -> Result<Vec<u8>, Exit> {
    if value.contains(&b'\n') {
        Err(Exit::usage("no line has a newline in it"))
    } else {
        Ok(value.to_owned())
    }
}

fn time(value: &[u8], now: Time, zone: Zone) -> Result<Time, Exit> {
    when::parse(value, now, zone).ok_or_else(|| Exit::value("not a time", value).hint(when::SHAPES))
}
