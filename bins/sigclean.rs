//! sigclean: run a program with clean signals and file descriptors.

use common::{Cli, Exit, Link, OrFail, Outcome, Short, fds, options, signals};

/// The link.
pub const LINK: Link = Link {
    name: "sigclean",
    usage: "[-k] prog...",
    summary: "run a program with clean signals and file descriptors",
    options: options![("-k", "keep the file descriptors from 3 up")],
    opens: false,
    lent: None,
    run,
};

fn run(cli: &mut Cli) -> Outcome<'_> {
    let mut keeps = false;
    while let Some(option) = cli.option()? {
        match option {
            Short('k') => keeps = true,
            other => return Err(Exit::unexpected(other)),
        }
    }
    let chain = cli.rest()?;
    // In this order: what is pending arrives as it was to be taken when it was sent. An ignored one is gone, and one
    // that was blocked alone ends this process as it would have ended the program.
    signals::block_none().or_fail("unblock all signals")?;
    signals::default_all().or_fail("give all signals their default dispositions")?;
    if !keeps {
        fds::close_from(3)?;
    }
    Ok(chain)
}
