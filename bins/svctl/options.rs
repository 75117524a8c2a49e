//! The command line.

use std::time::Duration;

use common::{Cli, Exit, Long, Short};

use super::command;
use super::style::Style;

/// The options of a command line.
#[derive(Default)]
pub(super) struct Options {
    pub(super) verbose: bool,
    pub(super) wait: Option<Duration>,
    pub(super) json: bool,
    pub(super) reach: Reach,
    /// `--help` or `-h`, behind which nothing is read: to svctl it is the command `help`.
    pub(super) help: bool,
}

/// How far a command goes.
#[derive(Clone, Copy, Default)]
pub(super) struct Reach {
    /// `wait -a` and `-o`.
    pub(super) enough: Enough,
    /// `start -o`: the service alone, without what it needs.
    pub(super) alone: bool,
    /// `enable --now`.
    pub(super) now: bool,
}

/// How many of the services have to reach the goal.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Enough {
    #[default]
    All,
    One,
}

/// The options and the operands.
pub(super) type Parsed = Result<(Options, Vec<&'static [u8]>), Exit>;

/// Takes the options and the operands, in any order as svctl, and the options first as sv. Behind a command that is a
/// program of its own nothing is taken.
pub(super) fn parse(cli: &mut Cli, style: Style) -> Parsed {
    let mut options = Options::default();
    let mut words = Vec::new();
    if style != Style::Svctl {
        options.read(cli, style, None)?;
        return Ok((options, words));
    }
    loop {
        options.read(cli, style, words.first().copied())?;
        if options.help {
            return Ok((options, vec![b"help"]));
        }
        let Some(word) = cli.operand_among_options() else { return Ok((options, words)) };
        words.push(word.to_bytes());
        if words.len() == 1 && command::is_program(super::str_of(words[0])) {
            return Ok((options, words));
        }
    }
}

/// The same for a program that is this command: what is behind it on the command line of svctl is all of its own.
pub(super) fn of(cli: &mut Cli, command: &str) -> Parsed {
    let (mut options, mut words) = (Options::default(), Vec::new());
    loop {
        options.read(cli, Style::Svctl, Some(command.as_bytes()))?;
        if options.help {
            return Err(Exit::answer(0, cli.help()));
        }
        let Some(word) = cli.operand_among_options() else { return Ok((options, words)) };
        words.push(word.to_bytes());
    }
}

impl Options {
    /// Reads options up to the next operand; `command` is the first operand, once it is known.
    fn read(&mut self, cli: &mut Cli, style: Style, command: Option<&[u8]>) -> Result<(), Exit> {
        while let Some(option) = cli.option()? {
            match option {
                Short('v') => {}
                Short('w') if style == Style::Svctl => self.wait = Some(cli.seconds()?),
                Short('w') => self.wait = Some(whole_seconds(cli.value()?)),
                Short(which @ ('a' | 'o')) if command == Some(b"wait") => {
                    self.reach.enough = if which == 'o' { Enough::One } else { Enough::All };
                    continue;
                }
                Short('o') if command.is_some_and(starts) => {
                    self.reach.alone = true;
                    continue;
                }
                Long("now") if matches!(command, Some(b"enable" | b"disable")) => {
                    self.reach.now = true;
                    continue;
                }
                Long("help") => {
                    self.help = true;
                    return Ok(());
                }
                Short('h') if style == Style::Svctl => {
                    self.help = true;
                    return Ok(());
                }
                Long("json") if style == Style::Svctl => {
                    self.json = true;
                    continue;
                }
                other => return Err(Exit::unexpected(other)),
            }
            self.verbose = true;
        }
        Ok(())
    }
}

/// Whether this command starts a service, and may be asked to start it alone.
fn starts(command: &[u8]) -> bool {
    [&b"up"[..], b"u", b"start"].contains(&command)
}

/// The number that a text begins with, as sv reads it: 0 without one.
pub(super) fn whole_seconds(text: &[u8]) -> Duration {
    let end = text.iter().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    let seconds = common::quantity::number(&text[..end]).unwrap_or(if end == 0 { 0 } else { u32::MAX });
    Duration::from_secs(seconds.into())
}
