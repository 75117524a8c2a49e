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
        ("-t seconds", "wait at most this long"),
        ("-x", "exit 0 silently if the lock cannot be acquired"),
        ("-X", "exit 111 with a message then (this is the default)"),
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
