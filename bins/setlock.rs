//! setlock: run a program with a lock on a file.

use common::lock::{Flag, Kind, Request};
use common::{Cli, Link, Outcome, lock_options};

/// The link.
pub const LINK: Link = Link {
    name: "setlock",
    usage: "[-nNxX] [-r] [-t seconds] [-d fd] file prog...",
    summary: "run a program with a lock on a file",
    options: lock_options!([("-r", "share the lock with others that use -r")], []),
    opens: true,
    lent: None,
    run,
};

fn run(cli: &mut Cli) -> Outcome<'_> {
    let (request, shared) = Request::parse(cli, Flag::Shared)?;
    let chain = cli.rest()?;
    request.take(if shared { Kind::Shared } else { Kind::Exclusive }, |_| Ok(()))?;
    Ok(chain)
}
