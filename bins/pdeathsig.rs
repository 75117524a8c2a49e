//! pdeathsig: run a program that gets a signal when its parent dies.

use common::{Cli, Exit, Link, Outcome, options, signals};
use nix::unistd::getppid;

/// The link.
pub const LINK: Link = Link {
    name: "pdeathsig",
    usage: "signal prog...",
    summary: "run a program that gets a signal when its parent dies",
    options: options![],
    opens: false,
    lent: None,
    run,
};

fn run(cli: &mut Cli) -> Outcome<'_> {
    let parent = getppid(); // first of all: who dies from here on is missed
    cli.no_options()?;
    let word = cli.operand("signal")?;
    let text = word.to_bytes();
    let chain = cli.rest()?;
    let signal = if text.eq_ignore_ascii_case(b"clear") { Some(0) } else { signals::parse(text) };
    let signal = signal.ok_or_else(|| Exit::value("invalid signal", text))?;
    signals::arm_parent_death(signal, parent, "set")?;
    Ok(chain)
}
