//! fdclose: run a program with a file descriptor closed.

use common::{Cli, Link, OrFail, Outcome, fds, options};

/// The link.
pub const LINK: Link = Link {
    name: "fdclose",
    usage: "fd prog...",
    summary: "run a program with a file descriptor closed",
    options: options![],
    opens: false,
    lent: None,
    run,
};

fn run(cli: &mut Cli) -> Outcome<'_> {
    cli.no_options()?;
    let fd = cli.fd("fd")?;
    let chain = cli.rest()?;
    fds::close(fd).or_fail(format_args!("close fd {fd}"))?;
    Ok(chain)
}
