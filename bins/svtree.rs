//! svtree: run the services of a directory in one process, also as the init of a container.
//!
//! What a service is and does is in `crate::supervise`, which this program holds once for each of them. Here is what is
//! about all of them: `tree` is the loop, and the course from the setup to the end; `scan` finds the services, `slots` and
//! `hosted` hold them, `events` and `queue` say whose turn it is; `template` says how they are opened; `needs` and `stop` know
//! which of them need which; `clients` are those of the tree's socket; `own`, `program` and `sweep` are what the tree itself
//! runs and ends. Called as svrun it is that: its engine is the same, and an image holds it once.

mod check;
mod clients;
mod command_line;
mod draining;
mod events;
mod hosted;
mod needs;
mod ordered;
mod own;
mod program;
mod queue;
mod scan;
pub(crate) mod service_needs;
mod slots;
mod stop;
mod sweep;
mod template;
mod tree;

use std::mem::ManuallyDrop;
use std::os::fd::AsRawFd;

use common::process::set_limit;
use common::{Cli, Exit, Link, OrFail, Outcome, fds, options, signals};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag};
use nix::sys::resource::Resource;
use nix::sys::stat::Mode;
use nix::unistd::pipe2;

use crate::{supervise, svrun};
use command_line::CommandLine;
use program::Received;
use tree::{Inherited, Tree};

pub(crate) use needs::{Flaw, Graph};
pub(crate) use own::timeout;
pub(crate) use scan::argument;
pub(crate) use service_needs::names as need_names;

/// svtree: run the services of a directory in one process.
pub const PROGRAM: Link = Link {
    name: "svtree",
    usage: "[-1npu] [-s statedir] [-t milliseconds] [dir] [-- prog...]",
    summary: "run the services of a directory in one process, also as the init of a container",
    options: options![
        ("-1", "be as process 1: every stop signal counts, and nothing is left at the end"),
        ("-n", "check the services and their needs, and start nothing"),
        ("-p", "put its name in front of each line of a service without a logger"),
        ("-s statedir", "keep all state in statedir, so that dir can be read-only"),
        ("-t milliseconds", "the time limit of the whole stop (9000)"),
        ("-u", "run the services of this user, in ~/.config/service"),
    ],
    opens: true,
    lent: None,
    run,
};

/// svtree as runsvdir: services without more, which TERM leaves running, and HUP ends.
static RUNSVDIR: Link = Link {
    name: "runsvdir",
    usage: "[-P] dir [log]",
    summary: "run the services of a directory",
    options: options![("-P", "accepted: each service has a process group of its own anyhow")],
    opens: true,
    lent: None,
    run: run_as_runsvdir,
};

fn run(cli: &mut Cli) -> Outcome<'_> {
    match cli.called() {
        b"runsvdir" => return cli.run_as(&RUNSVDIR),
        name if svrun::is_called(name) => return cli.run_as(&svrun::PROGRAM),
        _ => {}
    }
    let line = command_line::read(cli)?;
    if line.check {
        return Err(check::check(cli.called(), line.place));
    }
    host(start(cli, line))
}

fn run_as_runsvdir(cli: &mut Cli) -> Outcome<'_> {
    let started = command_line::read_as_runsvdir(cli).and_then(|line| start(cli, line));
    // Its statuses: those of a usage error, and of a fatal one. 111 is that of its end by HUP.
    host(started.map_err(|error| match error.status() {
        100 => error.with_status(1),
        111 => error.with_status(100),
        _ => error,
    }))
}

fn host(started: Result<Tree, Exit>) -> Outcome<'static> {
    // What it holds is closed by the end of this process, all at once.
    let mut tree = ManuallyDrop::new(started?);
    Err(Exit::answer(tree.run().into(), ""))
}

/// Makes this process fit for its work, and opens the tree.
fn start(cli: &Cli, line: CommandLine) -> Result<Tree, Exit> {
    let inherited = Inherited::take()?;
    // Before the first child: nothing that arrives may be lost, or end us, from here on.
    let received = Received::take()?;
    fds::open_standard().or_fail("open /dev/null in place of a closed fd")?;
    signals::reset_all();
    supervise::let_reopen();
    // What services leave behind becomes ours, to be reaped, and to be ended at the end.
    nix::sys::prctl::set_child_subreaper(true).or_fail("become a subreaper")?;
    let (_, hard) = received.files;
    // Each service takes several fds. The services get the limit that we were given.
    set_limit(Resource::RLIMIT_NOFILE, hard, hard).or_fail("raise the soft limit of open files")?;
    take_stdin_away()?;
    Tree::open(cli.called(), line, received, inherited)
}

/// Services read nothing of our stdin, which is the program's, or a terminal's.
fn take_stdin_away() -> Result<(), Exit> {
    let null = fds::open(AT_FDCWD, c"/dev/null", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty());
    match null {
        Ok(null) => fds::copy_to(null.as_raw_fd(), 0).or_fail("put /dev/null on stdin"),
        // In a chroot without it: a pipe that nobody writes is at its end likewise.
        Err(Errno::ENOENT) => {
            let (reader, _) = pipe2(OFlag::O_CLOEXEC).or_fail("make a pipe for stdin")?;
            fds::copy_to(reader.as_raw_fd(), 0).or_fail("put a pipe on stdin")
        }
        Err(errno) => Err(errno).or_fail("open /dev/null"),
    }
}
