//! pgrphack: run a program as the leader of a new session.

use common::{Cli, Link, Outcome, options, session};

/// The link.
pub const LINK: Link = Link {
    name: "pgrphack",
    usage: "prog...",
    summary: "run a program as the leader of a new session",
    options: options![],
    opens: false,
    lent: None,
    run,
};

fn run(cli: &mut Cli) -> Outcome<'_> {
    cli.no_options()?;
    let chain = cli.rest()?;
    session::lead()?;
    Ok(chain)
}
