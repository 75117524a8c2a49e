//! setuidgid: run a program as another account.

use common::caps::Set;
use common::credentials::{self, Account, Groups};
use common::{Cli, Exit, Link, Outcome, Short, options};

use crate::setuidgid::loan::Loan;

mod loan;

/// The link.
pub const LINK: Link = Link {
    name: "setuidgid",
    usage: "[-s] [-e] account prog...",
    summary: "run a program as another account",
    options: options![
        ("-s", "add the account's groups from the database"),
        ("-e", "set HOME, USER, LOGNAME and SHELL"),
    ],
    opens: false,
    lent: None,
    run,
};

fn run(cli: &mut Cli) -> Outcome<'_> {
    let (mut groups, mut export) = (Groups::Listed, false);
    while let Some(option) = cli.option()? {
        match option {
            Short('s') => groups = Groups::Database,
            Short('e') => export = true,
            other => return Err(Exit::unexpected(other)),
        }
    }
    let account = cli.operand("account")?;
    let chain = cli.rest()?;
    let account = Account::find(&account, groups)?;
    if export {
        account.export(&mut chain.env)?;
    }
    // Root needs no loan.
    let loan = if account.uid == 0 { None } else { Loan::of(chain)? };
    chain.lent = loan.as_ref().map_or(Set::NONE, Loan::lent);
    if credentials::assume(&account, chain.lent)? {
        chain.changed = Some(account.uid);
    }
    if let Some(loan) = loan {
        loan.apply(chain)?;
    }
    Ok(chain)
}
