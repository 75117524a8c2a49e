//! unshare: run a program in new namespaces.

use common::{Cli, Exit, Link, Outcome, Short, namespaces, options};
use nix::sched::CloneFlags as Kind;

/// The link.
pub const LINK: Link = Link {
    name: "unshare",
    usage: "[-C] [-i] [-m] [-n] [-u] prog...",
    summary: "run a program in new namespaces",
    options: options![
        ("-C", "of cgroups: its own is the root of those that it sees"),
        ("-i", "of System V IPC and POSIX message queues"),
        ("-m", "of mounts, all of them private"),
        ("-n", "of the network, where nothing is up"),
        ("-u", "of the names of the host and the domain"),
    ],
    opens: false,
    lent: None,
    run,
};

const HINT: &str = "only root may: put unshare before setuidgid";

fn run(cli: &mut Cli) -> Outcome<'_> {
    let mut kinds = Kind::empty();
    while let Some(option) = cli.option()? {
        kinds |= match option {
            Short('C') => Kind::CLONE_NEWCGROUP,
            Short('i') => Kind::CLONE_NEWIPC,
            Short('m') => Kind::CLONE_NEWNS,
            Short('n') => Kind::CLONE_NEWNET,
            Short('u') => Kind::CLONE_NEWUTS,
            other => return Err(Exit::unexpected(other)),
        };
    }
    let chain = cli.rest()?;
    namespaces::unshare(kinds, HINT)?;
    Ok(chain)
}
