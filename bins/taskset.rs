//! taskset: run a program on some of the CPUs.

use common::cpus::{self, Cpus};
use common::{Cli, Exit, Link, Outcome, Short, options};

/// The link.
pub const LINK: Link = Link {
    name: "taskset",
    usage: "[-c] cpus prog...",
    summary: "run a program on some of the CPUs",
    options: options![("-c", "cpus is a list, as 0-3,5; without it a mask in hexadecimal")],
    opens: false,
    lent: None,
    run,
};

fn run(cli: &mut Cli) -> Outcome<'_> {
    let mut list = false;
    while let Some(option) = cli.option()? {
        match option {
            Short('c') => list = true,
            other => return Err(Exit::unexpected(other)),
        }
    }
    let text = cli.operand("cpus")?.0.to_bytes();
    let chain = cli.rest()?;
    let cpus = if list { Cpus::list(text) } else { Cpus::mask(text) };
    let cpus = cpus.ok_or_else(|| {
        if list {
            return Exit::value("invalid list of CPUs", text);
        }
        let error = Exit::value("invalid mask of CPUs", text);
        if Cpus::list(text).is_some() { error.hint("a list needs -c in front of it") } else { error }
    })?;
    cpus::set(&cpus, text)?;
    Ok(chain)
}
