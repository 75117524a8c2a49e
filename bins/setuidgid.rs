//! setuidgid: run a program as another account.

use common::credentials::{self, Account, Groups, Keep};
use common::identity::SelfMatch;
use common::{Chain, Cli, Link, Outcome, Short, caps};

use crate::chroot;

/// The link.
pub const LINK: Link = Link {
    name: "setuidgid",
    usage: "[-s] [-e] account prog...",
    summary: "run a program as another account",
    options: &[
        ("-s", "add the account's groups from the database"),
        ("-e", "set HOME, USER, LOGNAME and SHELL"),
    ],
    opens: false,
    run,
};

static CHROOT: Link = chroot::LINK;

fn run(cli: &mut Cli) -> Outcome {
    let (mut groups, mut export) = (Groups::Listed, false);
    while let Some(option) = cli.option()? {
        match option {
            Short('s') => groups = Groups::Database,
            Short('e') => export = true,
            other => return Err(other.unexpected().into()),
        }
    }
    let account = cli.operand("account")?;
    let mut chain = cli.rest()?;
    let account = Account::find(&account, groups)?;
    if export {
        account.export(&mut chain.env)?;
    }
    let next = own_chroot(&chain, &account);
    let keep = if next.is_some() && caps::may_chroot()? { Keep::Chroot } else { Keep::Nothing };
    if credentials::assume(&account, keep)? {
        chain.changed = Some(account.uid);
    }
    match next {
        Some(next) => apply_chroot(chain, &next),
        None => Ok(chain),
    }
}

/// Our own chroot, if it may come next. It would not be allowed after the change of ids: it is lent the one
/// capability that it needs, in this process. Root needs no loan.
fn own_chroot(chain: &Chain, account: &Account) -> Option<SelfMatch> {
    if account.uid == 0 { None } else { chain.expect(LINK.name, CHROOT.name) }
}

/// Ends the loan. Whether the next word is our chroot is decided as the account: by what exec would find now.
fn apply_chroot(mut chain: Chain, next: &SelfMatch) -> Outcome {
    if chain.is_next(next) {
        chain = CHROOT.apply(chain)?;
    }
    caps::clear()?; // no capability ever crosses an exec
    Ok(chain)
}
