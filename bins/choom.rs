//! choom: run a program with another score for the OOM killer.

use common::caps::Set;
use common::{Cli, Exit, Link, Outcome, Short, oom, options};

/// The link.
pub const LINK: Link = Link {
    name: "choom",
    usage: "-n adjustment prog...",
    summary: "run a program that is killed earlier or later where memory runs out",
    options: options![("-n adjustment", "from -1000, never, to 1000, first of all; 0 is usual")],
    opens: true,
    // The right to lower it, and that to its file: while setuidgid lends, the process is not dumpable and the file
    // root's. Behind an exec it is the account's own.
    lent: Some(|_| Set::SYS_RESOURCE.with(Set::DAC_OVERRIDE)),
    run,
};

const HINT: &str = "only root may: put choom before or right behind setuidgid";

fn run(cli: &mut Cli) -> Outcome<'_> {
    let mut adjustment = None;
    while let Some(option) = cli.option()? {
        match option {
            Short('n') => adjustment = Some(oom::adjustment(cli.value()?)?),
            other => return Err(Exit::unexpected(other)),
        }
    }
    let adjustment = adjustment.ok_or_else(|| Exit::usage("missing -n"))?;
    let chain = cli.rest()?;
    oom::adjust(adjustment, HINT)?;
    Ok(chain)
}
