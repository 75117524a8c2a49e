//! chdir: run a program in another working directory.

use common::{Cli, Exit, Link, Outcome, options};
use nix::errno::Errno;
use nix::unistd::chdir;

/// The link.
pub const LINK: Link = Link {
    name: "chdir",
    usage: "dir prog...",
    summary: "run a program in another working directory",
    options: options![],
    opens: true,
    lent: None,
    run,
};

fn run(cli: &mut Cli) -> Outcome<'_> {
    cli.no_options()?;
    let directory = cli.operand("dir")?;
    let chain = cli.rest()?;
    if directory.is_empty() {
        return Err(Exit::value("invalid directory", b""));
    }
    chdir(&*directory).map_err(|errno| {
        let error = Exit::system(format_args!("enter {directory}"), errno);
        match errno {
            Errno::EACCES => error.hint("this account may not enter it, or a directory on the way to it"),
            _ => error,
        }
    })?;
    Ok(chain)
}
