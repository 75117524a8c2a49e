//! nice: run a program with another niceness.

use common::caps::Set;
use common::{Cli, Exit, Link, Outcome, Short, niceness, options};

/// The link.
pub const LINK: Link = Link {
    name: "nice",
    usage: "[-n increment] prog...",
    summary: "run a program with another niceness",
    options: options![("-n increment", "what to add, 10 by default; -20 to 19 is possible")],
    opens: false,
    lent: Some(|_| Set::SYS_NICE),
    run,
};

fn run(cli: &mut Cli) -> Outcome<'_> {
    let mut increment = 10;
    while let Some(option) = cli.option()? {
        match option {
            Short('n') => {
                increment = niceness::increment_in(cli.value()?)?;
            }
            other => return Err(Exit::unexpected(other)),
        }
    }
    let chain = cli.rest()?;
    niceness::add(
        increment,
        "only root may lower it: put nice right after setuidgid, which lends it the right, or before it",
    )?;
    Ok(chain)
}
