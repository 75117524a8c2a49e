//! umask: run a program with another file mode creation mask.

use common::{Cli, Exit, Link, Outcome, mode, options};

/// The link.
pub const LINK: Link = Link {
    name: "umask",
    usage: "mask prog...",
    summary: "run a program with another file mode creation mask",
    options: options![],
    opens: false,
    lent: None,
    run,
};

fn run(cli: &mut Cli) -> Outcome<'_> {
    cli.no_options()?;
    let text = cli.operand("mask")?.0.to_bytes();
    let chain = cli.rest()?;
    // The only way to read the mask is to set it; a symbolic one starts from what it was.
    let before = mode::set(0)?;
    let mask = mode::parse(text, before);
    mode::set(mask.ok_or_else(|| Exit::value("invalid mask", text))?)?;
    Ok(chain)
}
