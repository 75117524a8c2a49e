//! fdmove: run a program with a file descriptor moved or copied to another number.

use common::{Cli, Exit, Link, OrFail, Outcome, Short, fds, options};

/// The link.
pub const LINK: Link = Link {
    name: "fdmove",
    usage: "[-c] to from prog...",
    summary: "run a program with a file descriptor moved or copied to another number",
    options: options![("-c", "copy: from stays open")],
    opens: false,
    lent: None,
    run,
};

fn run(cli: &mut Cli) -> Outcome<'_> {
    let mut copy = false;
    while let Some(option) = cli.option()? {
        match option {
            Short('c') => copy = true,
            other => return Err(Exit::unexpected(other)),
        }
    }
    let to = cli.fd("to")?;
    let from = cli.fd("from")?;
    let chain = cli.rest()?;
    let moved = if copy { fds::copy_to(from, to) } else { fds::move_to(from, to) };
    moved.or_fail(format_args!("move fd {from} to fd {to}"))?;
    Ok(chain)
}
