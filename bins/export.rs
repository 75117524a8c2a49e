//! export: run a program with an environment variable set.

use common::{Cli, Link, Outcome, env, options};

/// The link.
pub const LINK: Link = Link {
    name: "export",
    usage: "name value prog...",
    summary: "run a program with an environment variable set",
    options: options![],
    opens: false,
    lent: None,
    run,
};

fn run(cli: &mut Cli) -> Outcome<'_> {
    cli.no_options()?;
    let name = cli.operand("name")?;
    let value = cli.operand("value")?;
    let chain = cli.rest()?;
    chain.env.set(env::name(name.to_bytes())?, value.to_bytes())?;
    Ok(chain)
}
