//! setuidgid: run a program as another account.

use common::credentials::{self, Account, Groups, Keep};
use common::{Cli, Link, Outcome, Short, caps};

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
    let account = Account::find(account, groups)?;
    if export {
        account.export(&mut chain.env)?;
    }
    // Our own chroot may come next, which would not be allowed after the change of ids: lend it the one
    // capability that it needs, in this process. Root needs no loan, and who cannot chroot has nothing to
    // lend.
    let next = if account.uid == 0 { None } else { chain.expect(LINK.name, CHROOT.name) };
    let keep = if next.is_some() && caps::may_chroot()? { Keep::Chroot } else { Keep::Nothing };
    if credentials::assume(&account, keep)? {
        chain.changed = Some(account.uid);
    }
    let Some(next) = next else { return Ok(chain) };
    // Whether it is ours is decided as the account: by what exec would find now.
    if chain.is_next(&next) {
        chain = CHROOT.apply(chain)?;
    }
    caps::clear()?; // no capability ever crosses an exec
    Ok(chain)
}
