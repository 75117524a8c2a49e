//! svrun: run a service and its logger, and start them again when they end.
//!
//! `machine` is the life of one process as a pure function; `process` carries it out; `supervisor` is the loop,
//! and `order` the rule by which it handles what has come by several ways.
//! `state`, which `lock` makes ours, is what clients and a new supervisor find in `supervise/`, `record` the part
//! of it by which `adopt` takes over what another has left, and `era` where that counts; `service` reads the
//! service directory, `lookalikes` its names; `failure` tells why a script was not started; `pipe`, `notify`,
//! `leftovers`, `output`, `clients`, `death` and `events` are what their names say.

mod adopt;
mod clients;
mod death;
mod era;
mod events;
mod failure;
mod leftovers;
mod lock;
mod lookalikes;
mod machine;
mod notify;
mod order;
mod output;
mod pipe;
mod process;
mod record;
mod service;
mod state;
mod supervisor;
mod world;

use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use common::{Cli, Error, Link, OrFail, Outcome, Short, Voice, Words, fds, shown, signals};
use nix::errno::Errno;
use nix::fcntl::AT_FDCWD;
use nix::unistd::{chdir, getcwd, symlinkat};

use service::make_folder;
use supervisor::{End, Orders, Role, Supervisor};

/// svrun: run a service and its logger, and start them again when they end.
pub const PROGRAM: Link = Link {
    name: "svrun",
    usage: "[-1k] [-s statedir] dir",
    summary: "run a service and its logger, and start them again when they end",
    options: &[
        ("-1", "exit with the service and its status, as process 1 does"),
        ("-k", "let the service inherit fds from 3 up"),
        ("-s statedir", "keep the state in statedir, so that dir can be read-only"),
    ],
    opens: true,
    run,
};

fn run(cli: &mut Cli) -> Outcome {
    let orders = orders(cli).map_err(|error| match (cli.called(), error.status()) {
        (b"runsv", 100) => error.with_status(1),
        _ => error,
    })?;
    let status = match Supervisor::start(orders) {
        Ok(supervisor) => match supervisor.run() {
            End::Told => 0,
            End::Ended(death) => death::status(death).into(),
            End::Failed => 111,
        },
        Err(_) => 111,
    };
    Err(Error::answer(status, ""))
}

/// What the command line asks for, and a process that is fit for it. A function of its own, so that what it
/// needs of the stack is free again.
#[inline(never)]
fn orders(cli: &mut Cli) -> Result<Orders, Error> {
    fds::open_standard().or_fail("open /dev/null in place of a closed fd")?;
    let (mut keep, mut state) = (false, None);
    let mut role = if std::process::id() == 1 { Role::Whole } else { Role::Part };
    let mut words = vec![cli.first()];
    while let Some(option) = cli.option()? {
        match option {
            Short('1') => {
                role = Role::Whole;
                words.push(c"-1");
            }
            Short('k') => {
                keep = true;
                words.push(c"-k");
            }
            Short('s') => {
                let value = std::os::unix::ffi::OsStringExt::into_vec(cli.value()?);
                let value = CString::new(value).map_err(|_| Error::usage("invalid statedir"))?;
                let value: &'static CStr = Box::leak(value.into_boxed_c_str());
                words.extend([c"-s", value]);
                state = Some(value);
            }
            other => return Err(other.unexpected().into()),
        }
    }
    let folder = cli.operand("dir")?.0;
    words.extend(Some(c"--").filter(|_| folder.to_bytes().starts_with(b"-")));
    words.push(folder);
    let rest = cli.rest_or_nothing();
    if rest.words.first().is_some() {
        return Err(Error::usage("one dir, and nothing behind it"));
    }
    // Before the first child: nothing that arrives may be lost, or end us, from here on.
    signals::block_all().or_fail("block signals")?;
    signals::reset_all();
    output::let_reopen();
    let notify = notify::handed_on().or_fail("take the notification socket")?;
    let mut pipes = [None, None];
    if !keep {
        pipes = pipe::handed_on().or_fail("take the pipes")?;
        fds::close_others(&notify.iter().chain(pipes.iter().flatten()));
    }
    // What the service leaves behind becomes ours, to be counted and reaped.
    nix::sys::prctl::set_child_subreaper(true).or_fail("become a subreaper")?;
    let open = |path: &'static CStr| {
        fds::open_directory(AT_FDCWD, path).or_fail(format_args!("open {}", shown(path.to_bytes())))
    };
    let origin = open(c".")?;
    let service = open(folder)?;
    let state = match state {
        Some(path) => {
            make_folder(AT_FDCWD, path, 0o755).or_fail(format_args!("make {}", shown(path.to_bytes())))?;
            Some(open(path)?)
        }
        None => None,
    };
    chdir(folder).or_fail(format_args!("change to {}", shown(folder.to_bytes())))?;
    if let Some(state) = &state {
        link_beside(state, &service).or_fail("link down and check into the state directory")?;
    }
    Ok(Orders {
        role,
        voice: Voice { called: cli.called(), folder: folder.to_bytes(), part: b"" },
        words: words.into_iter().collect::<Words>(),
        origin,
        env: rest.env.into_words(),
        notify,
        pipes,
        folder: service,
        state,
    })
}

/// Links in a state directory that lies elsewhere to what clients look for beside it.
fn link_beside(state: &OwnedFd, service: &OwnedFd) -> nix::Result<()> {
    let folder = getcwd()?;
    let log = service::exists(service.as_fd(), c"log");
    if log {
        make_folder(state, c"log", 0o755)?;
    }
    for file in [c"down", c"check", c"log/down"].into_iter().take(if log { 3 } else { 2 }) {
        match symlinkat(&folder.join(OsStr::from_bytes(file.to_bytes())), state, file) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}
