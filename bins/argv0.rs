//! argv0: run a program under another name.

use common::{Cli, Exit, Link, Outcome, options};

/// The link.
pub const LINK: Link = Link {
    name: "argv0",
    usage: "realprog name [arg...]",
    summary: "run a program under another name",
    options: options![],
    opens: false,
    lent: None,
    run,
};

fn run(cli: &mut Cli) -> Outcome<'_> {
    cli.no_options()?;
    let file = cli.operand("realprog")?;
    let chain = cli.rest_or_nothing();
    chain.words.first().ok_or_else(|| Exit::usage("missing name"))?;
    chain.file = Some(file.0);
    Ok(chain)
}
