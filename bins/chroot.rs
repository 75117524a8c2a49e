//! chroot: run a program with another root directory.

use common::caps::Set;
use common::{Cli, Link, Outcome, options, root};

/// The link.
pub const LINK: Link = Link {
    name: "chroot",
    usage: "root [prog...]",
    summary: "run a program with another root directory",
    options: options![],
    opens: true,
    lent: Some(|_| Set::SYS_CHROOT),
    run,
};

const HINT: &str = "only root may: put chroot right after setuidgid, which lends it the right, or before it";

fn run(cli: &mut Cli) -> Outcome<'_> {
    cli.no_options()?;
    let root = cli.operand("root")?;
    let chain = cli.rest_or_nothing();
    if chain.words.first().is_none() {
        let shell = chain.env.get(c"SHELL").filter(|shell| !shell.is_empty());
        chain.words = [shell.unwrap_or(c"/bin/sh"), c"-i"].into_iter().collect();
    }
    root::change(root, chain.lent, HINT)?;
    chain.given = chain.given.without(Set::SYS_CHROOT); // with it the program could leave
    chain.search_in(root);
    Ok(chain)
}
