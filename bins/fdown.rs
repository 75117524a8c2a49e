//! fdown: run a program with a file descriptor given to an account.

use common::credentials::Account;
use common::{Cli, Exit, Link, OrFail, Outcome, fds, options};
use nix::errno::Errno;
use nix::unistd::geteuid;

/// The link.
pub const LINK: Link = Link {
    name: "fdown",
    usage: "fd account prog...",
    summary: "run a program with an open file given to an account",
    options: options![],
    opens: false,
    lent: None,
    run,
};

fn run(cli: &mut Cli) -> Outcome<'_> {
    cli.no_options()?;
    let fd = cli.fd("fd")?;
    let text = cli.operand("account")?;
    let chain = cli.rest()?;
    let Account { uid, gid, .. } = Account::find_owner(&text, "a file has one group")?;
    fds::give(fd, uid, gid).map_err(|errno| {
        let error = Exit::system(format_args!("give fd {fd} to uid {uid}, gid {gid}"), errno);
        match errno {
            Errno::EPERM if geteuid().is_root() => {
                error.hint("root has no CAP_CHOWN here, or none that counts for this file")
            }
            Errno::EPERM => error.hint("only root may: put fdown before setuidgid"),
            _ => error,
        }
    })?;
    // Some file systems do less than asked for, and say nothing.
    if fds::owner(fd).or_fail(format_args!("look at fd {fd}"))? != (uid, gid) {
        return Err(Exit::fatal(format_args!("fd {fd} has not the owner that was set")));
    }
    Ok(chain)
}
