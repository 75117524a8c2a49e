//! envuidgid: run a program with an account's ids in its environment.

use common::credentials::{Account, Groups};
use common::{Cli, Exit, Link, Outcome, Short, options};

/// The link.
pub const LINK: Link = Link {
    name: "envuidgid",
    usage: "[-s] account prog...",
    summary: "run a program with an account's ids in the environment",
    options: options![("-s", "set GIDLIST to the other groups, those from the database too")],
    opens: false,
    lent: None,
    run,
};

fn run(cli: &mut Cli) -> Outcome<'_> {
    let mut groups = Groups::Listed;
    while let Some(option) = cli.option()? {
        match option {
            Short('s') => groups = Groups::Database,
            other => return Err(Exit::unexpected(other)),
        }
    }
    let account = cli.operand("account")?;
    let chain = cli.rest()?;
    let account = Account::find(&account, groups)?;
    account.export_ids(&mut chain.env)?;
    if groups == Groups::Database {
        let others = account.groups.iter().filter(|gid| **gid != account.gid);
        let others = others.map(ToString::to_string).collect::<Vec<_>>().join(",");
        chain.env.set(b"GIDLIST", others.as_bytes())?;
    }
    Ok(chain)
}
