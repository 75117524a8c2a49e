//! svrun: run a service and its logger, and start them again when they end.
//!
//! `machine` is the life of one process as a pure function; `process` carries it out; `supervisor` is the loop.
//! `state` is what clients and a new supervisor find in `supervise/`, `record` the part of it that lets one
//! take over what another has left; `service` reads the service directory; `pipe`, `notify`, `leftovers`,
//! `clients` and `events` are what their names say.

mod clients;
mod events;
mod leftovers;
mod machine;
mod notify;
mod pipe;
mod process;
mod record;
mod service;
mod state;
mod supervisor;
mod voice;
mod world;

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use common::{Cli, Error, Link, OrFail, Outcome, Short, Words, child, fds, shown};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{chdir, symlinkat};

use supervisor::{End, Orders, Supervisor};
use voice::Voice;

/// svrun: run a service and its logger, and start them again when they end.
pub const PROGRAM: Link = Link {
    name: "svrun",
    usage: "[-k] [-s statedir] dir",
    summary: "run a service and its logger, and start them again when they end",
    options: &[
        ("-k", "let the service inherit fds from 3 up"),
        ("-s statedir", "keep the state in statedir, so that dir can be read-only"),
    ],
    opens: true,
    run,
};

fn run(cli: &mut Cli) -> Outcome {
    standard_fds().or_fail("open /dev/null in place of a closed fd")?;
    let (mut keep, mut state) = (false, None);
    let mut words = vec![cli.first()];
    while let Some(option) = cli.option()? {
        match option {
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
    let folder = cli.operand("dir")?;
    words.extend(Some(c"--").filter(|_| folder.to_bytes().starts_with(b"-")));
    words.push(folder);
    let rest = cli.rest_or_nothing();
    if rest.words.first().is_some() {
        return Err(Error::usage("one dir, and nothing behind it"));
    }
    // Before the first child: nothing that arrives may be lost, or end us, from here on.
    child::block_signals(true).or_fail("block signals")?;
    child::reset_signals();
    if !keep {
        child::close_others();
    }
    // What the service leaves behind becomes ours, to be counted and reaped.
    nix::sys::prctl::set_child_subreaper(true).or_fail("become a subreaper")?;
    let open = |path: &'static CStr| {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        fds::open(AT_FDCWD, path, flags, Mode::empty())
    };
    let name = shown(folder.to_bytes());
    let origin = open(c".").or_fail("open the working directory")?;
    let service = open(folder).or_fail(format_args!("open {name}"))?;
    let state = match state {
        Some(path) => Some(state_folder(path, folder, &service)?),
        None => None,
    };
    chdir(folder).or_fail(format_args!("change to {name}"))?;
    let orders = Orders {
        voice: Voice { called: cli.called(), folder: folder.to_bytes(), part: b"" },
        words: words.into_iter().collect::<Words>(),
        origin,
        env: rest.env.into_words(),
        folder: service,
        state,
    };
    let end = Supervisor::start(orders).map_or_else(|end| end, |mut supervisor| supervisor.run());
    let status = match end {
        End::Told => 0,
        End::Failed => 111,
    };
    Err(Error::answer(status, ""))
}

/// Makes sure that fds 0 to 2 are open: what we open must not land there.
fn standard_fds() -> nix::Result<()> {
    loop {
        let fd = nix::fcntl::openat(AT_FDCWD, c"/dev/null", OFlag::O_RDWR, Mode::empty())?;
        if fd.as_raw_fd() > 2 {
            return Ok(());
        }
        let _ = std::os::fd::IntoRawFd::into_raw_fd(fd); // it stays
    }
}

/// The folder of the state, made if it is not there, with links to what clients look for beside it.
fn state_folder(path: &'static CStr, folder: &CStr, service: &OwnedFd) -> Result<OwnedFd, Error> {
    let name = shown(path.to_bytes());
    match mkdirat(AT_FDCWD, path, Mode::from_bits_truncate(0o755)) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(errno) => return Err(Error::system(format_args!("make {name}"), errno)),
    }
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let state = fds::open(AT_FDCWD, path, flags, Mode::empty()).or_fail(format_args!("open {name}"))?;
    let whole = std::fs::canonicalize(std::path::Path::new(std::ffi::OsStr::new(
        folder.to_str().map_err(|_| Error::fatal("dir is not UTF-8, which -s needs"))?,
    )))
    .map_err(|_| {
        Error::fatal(format_args!("unable to find the whole path of {}", shown(folder.to_bytes())))
    })?;
    let mut links = vec![("", "down"), ("", "check")];
    if service::exists(service.as_fd(), c"log") {
        match mkdirat(&state, c"log", Mode::from_bits_truncate(0o755)) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(Error::system(format_args!("make log in {name}"), errno)),
        }
        links.push(("log/", "down"));
    }
    for (part, file) in links {
        let (target, link) = (whole.join(format!("{part}{file}")), format!("{part}{file}"));
        match symlinkat(&target, &state, link.as_str()) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(Error::system(format_args!("make a link in {name}"), errno)),
        }
    }
    Ok(state)
}
