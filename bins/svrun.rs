//! svrun: run a service and its logger, and start them again when they end.
//!
//! What a supervised service is and does is in `crate::supervise`; here is the program around one: its command line,
//! the loop (`supervisor`), its role as process 1, and the `upgrade`.

mod supervisor;
mod upgrade;

use std::ffi::CStr;
use std::mem::ManuallyDrop;

use common::{Cli, Exit, Link, OrFail, Outcome, Short, Voice, Words, fds, options, shown, signals};
use nix::errno::Errno;
use nix::fcntl::AT_FDCWD;
use nix::unistd::{chdir, getcwd};

use crate::supervise::{
    self, Ending, Ends, Homeless, Now, Options, Orphans, Patience, PidSpace, Places, Role, Supervised,
    make_directory,
};
use supervisor::Supervisor;
use upgrade::Origin;

/// svrun: run a service and its logger, and start them again when they end.
pub const PROGRAM: Link = Link {
    name: "svrun",
    usage: "[-1k] [-s statedir] dir",
    summary: "run a service and its logger, and start them again when they end",
    options: options![
        ("-1", "exit with the service and its status, as process 1 does"),
        ("-k", "let the service inherit fds from 3 up"),
        ("-s statedir", "keep the state in statedir, so that dir can be read-only"),
    ],
    opens: true,
    lent: None,
    run,
};

/// The name that is runit's, whose statuses it has then.
const RUNSV: &[u8] = b"runsv";

/// Whether a program that is more than this one is called as it: by its name, with the prefix of a package before it, or by
/// runit's.
pub(crate) fn is_called(called: &[u8]) -> bool {
    called == RUNSV || called.ends_with(PROGRAM.name.as_bytes())
}

fn run(cli: &mut Cli) -> Outcome<'_> {
    // What it holds is closed by the end of this process, all at once.
    let mut supervisor =
        ManuallyDrop::new(start(cli).map_err(|error| match (cli.called(), error.status()) {
            (RUNSV, 100) => error.with_status(1),
            _ => error,
        })?);
    let status = match supervisor.run() {
        Ending::Asked => 0,
        Ending::Ended(death) => supervise::exit_status(death).into(),
    };
    Err(Exit::answer(status, ""))
}

/// What the command line asks for.
struct CommandLine {
    role: Role,
    keep: bool,
    state: Option<&'static CStr>,
    directory: &'static CStr,
    line: Words,
    env: Words,
}

fn command_line(cli: &mut Cli) -> Result<CommandLine, Exit> {
    let (mut keep, mut state) = (false, None);
    let mut role = Role::now();
    while let Some(option) = cli.option()? {
        match option {
            Short('1') => role = Role::Whole,
            Short('k') => keep = true,
            Short('s') => state = Some(cli.word()?.0),
            other => return Err(Exit::unexpected(other)),
        }
    }
    let directory = cli.operand("dir")?.0;
    let rest = cli.rest_or_nothing().take();
    if rest.words.first().is_some() {
        return Err(Exit::usage("nothing may follow dir"));
    }
    Ok(CommandLine { role, keep, state, directory, line: cli.line(), env: rest.env.into_words() })
}

/// Makes this process fit for its work, and takes the service. A function of its own, so that what it needs of the
/// stack is free again.
#[inline(never)]
fn start(cli: &mut Cli) -> Result<Supervisor, Exit> {
    fds::open_standard().or_fail("open /dev/null in place of a closed fd")?;
    let CommandLine { role, keep, state, directory, line, env } = command_line(cli)?;
    // Before the first child: nothing that arrives may be lost, or end us, from here on.
    signals::block_all().or_fail("block signals")?;
    signals::reset_all();
    supervise::let_reopen();
    let notify = supervise::notify_handed_on().or_fail("take the notification socket")?;
    let mut pipes = [None, None]; // held until they have been opened by their names
    if !keep {
        pipes = supervise::pipes_handed_on().or_fail("take the pipes")?;
        fds::close_others(&notify.iter().chain(pipes.iter().flatten()));
    }
    // What the service leaves behind becomes ours, to be counted and reaped.
    nix::sys::prctl::set_child_subreaper(true).or_fail("become a subreaper")?;
    let open = |path: &'static CStr| {
        fds::open_directory(AT_FDCWD, path).or_fail(format_args!("open {}", shown(path.to_bytes())))
    };
    let origin = open(c".")?;
    let service = open(directory)?;
    let state = match state {
        Some(path) => {
            make_directory(AT_FDCWD, path, 0o755).or_fail(format_args!("make {}", shown(path.to_bytes())))?;
            Some(open(path)?)
        }
        None => None,
    };
    chdir(directory).or_fail(format_args!("change to {}", shown(directory.to_bytes())))?;
    if let Some(state) = &state {
        let path = getcwd().or_fail("find the working directory")?;
        supervise::link_beside(state, &service, &path)
            .or_fail("link down and check into the state directory")?;
    }
    let voice = Voice { called: cli.called(), directory: directory.to_bytes(), part: b"" };
    let fatal = |what: &[u8], errno: Errno| {
        voice.fatal(&[what], errno);
        Exit::answer(111, "")
    };
    let signals =
        common::signals::as_fd(&supervise::HEARD).map_err(|errno| fatal(b"open a signalfd", errno))?;
    let space = PidSpace::now().map_err(|errno| fatal(b"identify the boot and the namespaces", errno))?;
    let options = Options {
        voice,
        env: env.clone(),
        files: None,
        supervisor: std::process::id(),
        space,
        ends: if role == Role::Whole { Ends::WithService } else { Ends::WhenAsked },
        orphans: Orphans::TheServices,
        patience: Patience::Long,
        needs: None,
        argument: None,
        homeless: Homeless::Refused,
        log: None,
        notify,
    };
    let service = Supervised::open(Places { service, state }, options, Now::read()).map_err(|refusal| {
        refusal.fatal(voice);
        Exit::answer(111, "")
    })?;
    drop(pipes);
    let (resting, unreaped) = (false, false);
    let origin = Origin { line, directory: origin, env, keep };
    Ok(Supervisor { service, signals, role, voice, origin, resting, unreaped })
}
