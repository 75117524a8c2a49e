//! no-new-privs: run a program that can gain no privileges.

use common::caps::Set;
use common::{Cli, Link, OrFail, Outcome, options};
use nix::sys::prctl::set_no_new_privs;

/// The link.
pub const LINK: Link = Link {
    name: "no-new-privs",
    usage: "prog...",
    summary: "run a program that can gain no privileges",
    options: options![],
    opens: false,
    lent: Some(|_| Set::NONE),
    run,
};

fn run(cli: &mut Cli) -> Outcome<'_> {
    cli.no_options()?;
    let chain = cli.rest()?;
    set_no_new_privs().or_fail("set no_new_privs")?;
    Ok(chain)
}
