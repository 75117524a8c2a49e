//! setuidgid: run a program as another account.

use common::credentials::{self, Account, Groups, Keep};
use common::{Cli, Link, Outcome, Short, caps, identity};

use crate::chroot;

/// The link.
pub const LINK: Link = Link {
    name: "setuidgid",
    usage: "[-s] [-e] account prog...",
    summary: "run a program as another account",
    options: &[
        ("-s", "the account's groups of the database too"),
        ("-e", "set HOME, USER, LOGNAME and SHELL"),
    ],
    run,
};

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
    let account = Account::find(account, groups)?;
    if export {
        account.export(&mut chain.env)?;
    }
    // Our own chroot may come next, which would not be allowed after the change of ids: lend it the one
    // capability that it needs, in this process. Root needs no loan, and who cannot chroot has nothing to
    // lend.
    let own = match chain.words.first() {
        Some(next) if next.to_bytes().ends_with(chroot::LINK.name.as_bytes()) && account.uid != 0 => {
            identity::sibling(LINK.name, chroot::LINK.name)
        }
        _ => None,
    };
    let Some(own) = own else {
        credentials::assume(&account, Keep::Nothing)?;
        return Ok(chain);
    };
    credentials::assume(&account, if caps::may_chroot()? { Keep::Chroot } else { Keep::Nothing })?;
    // Whether it is ours is decided as the account: by what exec would find now.
    if chain.program().is_some_and(|file| identity::same(&file, &own)) {
        chain = chroot::LINK.apply(chain.words, chain.env)?;
    }
    caps::clear()?; // no capability ever crosses an exec
    Ok(chain)
}
