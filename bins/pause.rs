//! pause: wait for ever.

use common::{Cli, Exit, Link, OrFail, Outcome, memory, options, process, signals};

/// The program.
pub const PROGRAM: Link = Link {
    name: "pause",
    usage: "[word...]",
    summary: "wait until SIGTERM or SIGINT",
    options: options![],
    opens: false,
    lent: None,
    run,
};

fn run(cli: &mut Cli) -> Outcome<'_> {
    cli.no_options()?;
    Err(wait().unwrap_or_else(|error| error))
}

fn wait() -> Result<Exit, Exit> {
    // Blocked, they arrive below: also where they were ignored, and as process 1, to which the kernel sends no other.
    // SIGHUP is left where it is.
    signals::block(&[signals::TERM, signals::INT, signals::HUP]).or_fail("block signals")?;
    // The kernel then reaps every child to come, without waking this process; those that have ended already are left.
    signals::set_ignored(signals::CHLD, true).or_fail("ignore SIGCHLD")?;
    while process::reap().or_fail("reap a child")?.is_some() {}
    memory::give_back(); // what only the start has needed
    signals::wait_for(&[signals::TERM, signals::INT]).or_fail("wait for a signal")?;
    Ok(Exit::answer(0, ""))
}
