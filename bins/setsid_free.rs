//! setsid-free: run a program in its own process group and without controlling terminal.

use common::{Cli, Exit, Link, OrFail, Outcome, options, session, terminal};
use nix::unistd::{Pid, setpgid};

/// The link.
pub const LINK: Link = Link {
    name: "setsid-free",
    usage: "prog...",
    summary: "run a program in its own process group and without controlling terminal",
    options: options![],
    opens: false,
    lent: None,
    run,
};

fn run(cli: &mut Cli) -> Outcome<'_> {
    cli.no_options()?;
    let chain = cli.rest()?;
    let this = Pid::from_raw(0);
    if session::is_leader()? {
        let hint = "a leader stays one until it forks: leave out setsid, pgrphack or chpst -P; \
                    under s6-supervise leave out setsid-free";
        return Err(Exit::fatal("unable to leave the session: this process leads it").hint(hint));
    }
    setpgid(this, this).or_fail("make a process group")?;
    terminal::give_up()?;
    Ok(chain)
}
