//! setlock: run a program with a lock on a file.

use common::lock::{Kind, Request};
use common::{Cli, Link, Outcome};

/// The link.
pub const LINK: Link = Link {
    name: "setlock",
    usage: "[-nNxX] [-r] [-t seconds] [-d fd] file prog...",
    summary: "run a program with a lock on a file",
    options: &[
        ("-n", "fail at once if the lock is taken"),
        ("-N", "wait for the lock (this is the default)"),
        ("-t seconds", "wait so long at most"),
        ("-x", "exit 0 in silence where the lock is not to be had"),
        ("-X", "exit 111 with a message there (this is the default)"),
        ("-r", "share the lock with others that use -r"),
        ("-d fd", "hold the lock on this file descriptor"),
    ],
    opens: true,
    run,
};

fn run(cli: &mut Cli) -> Outcome {
    let (request, shared) = Request::parse(cli, 'r')?;
    let chain = cli.rest()?;
    request.take(if shared { Kind::Shared } else { Kind::Exclusive }, |_| Ok(()))?;
    Ok(chain)
}
