//! chpst: run a program with a changed process state.

use common::caps::Set;
use common::credentials::{self, Account, Groups};
use common::env::{Directory, Format};
use common::limits::{self, Value, Which};
use common::lock::{Kind, Request, Wait};
use common::quantity::number;
use common::{
    Chain, Cli, Exit, Link, OrFail, Outcome, Short, Word, fds, niceness, options, root, session, voice,
};
use nix::sys::resource::rlim_t;
use nix::unistd::chdir;

/// The link.
pub const LINK: Link = Link {
    name: "chpst",
    usage: "[-vVP012] [-u account] [-U account] [-b argv0] [-e dir] [-/ root] [-C dir] [-n increment] \
            [-l file | -L file] [-m -d -o -p -f -c -r -t value] ... prog...",
    summary: "run a program with a changed process state",
    options: options![
        ("-u account", "take the ids of account, as setuidgid"),
        ("-U account", "set UID and GID to the ids of account, as envuidgid"),
        ("-b argv0", "give prog this name as its argument 0"),
        ("-e dir", "set environment variables from files in dir, as envdir"),
        ("-/ root", "change the root directory, as chroot"),
        ("-C dir", "change the working directory, to one in the new root"),
        ("-n increment", "add to the niceness, as nice"),
        ("-l file", "lock file, as setlock"),
        ("-L file", "lock file, or fail at once if the lock is taken"),
        ("-m value", "bytes of data segment, stack, locked memory and address space each"),
        ("-d value", "bytes of the data segment"),
        ("-o value", "open file descriptors"),
        ("-p value", "processes of the account"),
        ("-f value", "bytes of a file written"),
        ("-c value", "bytes of a core file"),
        ("-r value", "bytes of resident memory"),
        ("-t value", "seconds of CPU time"),
        ("-v", "warn of what is passed over"),
        ("-V", "print the version to stderr"),
        ("-P", "lead a new session, as pgrphack"),
        ("-0", "close stdin"),
        ("-1", "close stdout"),
        ("-2", "close stderr"),
    ],
    opens: true,
    lent: None,
    run,
};

fn run(cli: &mut Cli) -> Outcome<'_> {
    let plan = Plan::parse(cli)?;
    let chain = cli.rest()?;
    plan.apply(chain)?;
    Ok(chain)
}

/// What the options ask for.
#[derive(Default)]
struct Plan {
    warns: bool,
    session: bool,
    env: Option<Word>,
    root: Option<Word>,
    directory: Option<Word>,
    increment: Option<i32>,
    exported: Option<Word>,
    account: Option<Word>,
    lock: Option<(Word, char)>,   // and the letter
    closed: [bool; 3],            // by number
    limits: [Option<rlim_t>; 16], // by resource, as the kernel numbers them
    argv0: Option<Word>,
}

impl Plan {
    fn parse(cli: &mut Cli) -> Result<Self, Exit> {
        let mut plan = Self::default();
        while let Some(option) = cli.option()? {
            match option {
                Short('u') => plan.account = Some(cli.word()?),
                Short('U') => plan.exported = Some(cli.word()?),
                Short('b') => plan.argv0 = Some(cli.word()?),
                Short('e') => plan.env = Some(cli.word()?),
                Short('/') => plan.root = Some(cli.word()?),
                Short('C') => plan.directory = Some(cli.word()?),
                Short('n') => {
                    plan.increment = Some(niceness::increment_in(cli.word()?.to_bytes())?);
                }
                Short('l' | 'L') if plan.lock.is_some() => return Err(Exit::usage("more than one lock")),
                Short(letter @ ('l' | 'L')) => plan.lock = Some((cli.word()?, letter)),
                Short(letter @ ('m' | 'd' | 'o' | 'p' | 'f' | 'c' | 'r' | 't')) => {
                    let text = cli.word()?;
                    let value = number(text.to_bytes())
                        .ok_or_else(|| Exit::value("invalid limit", text.to_bytes()))?;
                    // The last value alone: with a small one before it this process could not go on.
                    for resource in limits::resources(letter).unwrap_or_default() {
                        plan.limits[*resource as usize] = Some(value);
                    }
                }
                Short('v') => plan.warns = true,
                Short('V') => {
                    voice::say(cli.version().as_bytes());
                    return Err(Exit::answer(0, ""));
                }
                Short('P') => plan.session = true,
                Short(digit @ '0'..='2') => plan.closed[digit as usize - '0' as usize] = true,
                other => return Err(Exit::unexpected(other)),
            }
        }
        Ok(plan)
    }

    /// Applies all of it in runit's order, whatever the order on the command line.
    fn apply(self, chain: &mut Chain) -> Result<(), Exit> {
        // First, since nothing else counts for it.
        if self.session {
            session::lead()?;
        }
        // The directory is one outside the new root, and read with the rights that chpst was started with.
        if let Some(path) = self.env {
            let directory = Directory::open(path).or_fail(format_args!("open directory {path}"))?;
            let format = Format { whole: false, keep: false, nul: b'\n' };
            directory.apply(&mut chain.env, b"", format, |why| {
                if self.warns {
                    voice::say([LINK.name, ": warning: ", why.text(), "\n"].concat().as_bytes());
                }
                Ok(())
            })?;
        }
        // Only root may, so before the change of ids.
        if let Some(path) = self.root {
            root::change(path, Set::NONE, "only root may: use -u, or put chpst before setuidgid")?;
            chain.search_in(path);
        }
        // In the new root, with the rights to get there that the account may lack.
        if let Some(path) = self.directory {
            chdir(&*path).or_fail(format_args!("enter {path}"))?;
        }
        // Only root may lower it.
        if let Some(increment) = self.increment {
            niceness::add(increment, "only root may lower it: use -u, or put chpst before setuidgid")?;
        }
        // Names are those of the databases in the new root, here and for -u: the ids that the program will see.
        if let Some(account) = self.exported {
            find(account, self.root)?.export_ids(&mut chain.env)?;
        }
        // Behind all that needs a privilege, which is gone then.
        if let Some(account) = self.account {
            let account = find(account, self.root)?;
            if credentials::assume(&account, Set::NONE)? {
                chain.changed = Some(account.uid);
            }
        }
        // As the account, whose file it is.
        if let Some((file, letter)) = self.lock {
            let wait = if letter == 'l' { Wait::Forever } else { Wait::Never };
            Request::of(file, wait).take(Kind::Exclusive, |_| Ok(()))?;
        }
        // Behind what opens files; the lock is on 3 or above.
        for (fd, is_asked_for) in (0..).zip(self.closed) {
            if is_asked_for {
                fds::close(fd).or_fail(format_args!("close fd {fd}"))?;
            }
        }
        if let Some(argv0) = self.argv0 {
            chain.file = chain.words.next();
            chain.words = [argv0.0].into_iter().chain(chain.words.clone()).collect();
        }
        // Last, so that they bind the program and nothing before it: this process needs memory too.
        chain.prepare();
        for letter in ['m', 'o', 'p', 'f', 'c', 'r', 't'] {
            for resource in limits::resources(letter).unwrap_or_default() {
                if let Some(value) = self.limits[*resource as usize] {
                    limits::set(*resource, Which::Soft, Value::Number(value))?;
                }
            }
        }
        Ok(())
    }
}

/// The account with the groups that are listed, looked up in `root`. As with runit's chpst, one that is not well formed
/// is no usage error.
fn find(account: Word, root: Option<Word>) -> Result<Account, Exit> {
    Account::find(&account, Groups::Listed).map_err(|error| match root {
        Some(_) if error.status() == 111 => {
            error.hint("names are those of the new root: for numbers write :uid:gid")
        }
        _ => error.into_fatal(),
    })
}
