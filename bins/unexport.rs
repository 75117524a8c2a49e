//! unexport: run a program without an environment variable.

use common::{Cli, Link, Outcome, env, options};

/// The link.
pub const LINK: Link = Link {
    name: "unexport",
    usage: "name prog...",
    summary: "run a program without an environment variable",
    options: options![],
    opens: false,
    lent: None,
    run,
};

fn run(cli: &mut Cli) -> Outcome<'_> {
    cli.no_options()?;
    let name = cli.operand("name")?;
    let chain = cli.rest()?;
    chain.env.unset(env::name(name.to_bytes())?)?;
    Ok(chain)
}
