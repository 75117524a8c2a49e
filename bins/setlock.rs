//! setlock: run a program with a lock on a file.

use common::lock::{Flag, Kind, OPTIONS, Request};
use common::{Cli, Link, Outcome};

/// The link.
pub const LINK: Link = Link {
    name: "setlock",
    usage: "[-nNxX] [-r] [-t seconds] [-d fd] file prog...",
    summary: "run a program with a lock on a file",
    options: &{
        let [n, wait, t, x, fail, d] = OPTIONS;
        [n, wait, t, x, fail, ("-r", "share the lock with others that use -r"), d]
    },
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
