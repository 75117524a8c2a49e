//! listen: run a program with a socket that listens.

mod address;
mod entry;
mod row;

use std::ffi::CStr;
use std::os::fd::{AsFd, IntoRawFd, OwnedFd};

use common::caps::Set;
use common::credentials::Account;
use common::quantity::number;
use common::socket::{self, Name};
use common::{Cli, Exit, Link, OrFail, Outcome, Short, Words, fds, mode, options};
use nix::errno::Errno;
use nix::unistd::geteuid;

use address::{Address, Place};
use entry::Entry;
use row::Row;

/// The link.
pub const LINK: Link = Link {
    name: "listen",
    usage: "[-b backlog] [-m mode] [-n name] [-o account] [-r] address prog...",
    summary: "run a program with a socket that listens",
    options: options![
        ("-b backlog", "how many connections may wait to be accepted (as many as the system allows)"),
        ("-m mode", "the permissions of a Unix socket (those that the umask leaves)"),
        ("-n name", "the socket's name in LISTEN_FDNAMES (unknown)"),
        ("-o account", "whose a Unix socket is (that of the caller)"),
        ("-r", "remove a Unix socket on which nobody listens any more"),
    ],
    opens: false,
    lent: Some(needs),
    run,
};

/// A command line.
struct Request {
    address: Address,
    backlog: i32,
    name: Option<&'static [u8]>,
    mode: Option<u32>,
    account: Option<&'static CStr>,
    remove: bool,
}

fn run(cli: &mut Cli) -> Outcome<'_> {
    let request = request(cli)?;
    let chain = cli.rest()?;
    let account = request.account;
    let account = account.map(|text| Account::find_owner(text, "a socket has one group")).transpose()?;
    let row = Row::of(&chain.env)?;
    let socket = open(&request, account.as_ref())?;
    let at = row.end();
    fds::move_to(socket.into_raw_fd(), at).or_fail(format_args!("move the socket to fd {at}"))?;
    row.add(request.name, &mut chain.env)?;
    Ok(chain)
}

fn request(cli: &mut Cli) -> Result<Request, Exit> {
    let (mut backlog, mut name, mut mode, mut account, mut remove) = (None, None, None, None, false);
    let mut of_path = None; // the last option that is for a path alone
    while let Some(option) = cli.option()? {
        match option {
            Short('b') => {
                let text = cli.value()?;
                let value = number(text);
                backlog = Some(value.ok_or_else(|| Exit::value("invalid backlog", text))?);
            }
            Short('m') => {
                let text = cli.value()?;
                let value = mode::permissions(text, 0).filter(|mode| *mode <= 0o777);
                mode = Some(value.ok_or_else(|| Exit::value("invalid mode", text))?);
                of_path = Some("-m");
            }
            Short('n') => name = Some(row::name(cli.word()?.0.to_bytes())?),
            Short('o') => {
                account = Some(cli.word()?.0);
                of_path = Some("-o");
            }
            Short('r') => {
                remove = true;
                of_path = Some("-r");
            }
            other => return Err(Exit::unexpected(other)),
        }
    }
    let address = Address::parse(cli.operand("address")?)?;
    if let Some(option) = of_path.filter(|_| !matches!(address.place, Place::Path(_))) {
        return Err(Exit::usage(format_args!("{option} is for a path alone, which {} is not", address.word)));
    }
    if backlog.is_some() && !address.has_connections() {
        return Err(Exit::usage(format_args!("-b is for connections, which {} has not", address.word)));
    }
    // The kernel takes no more than net.core.somaxconn.
    Ok(Request { address, backlog: backlog.unwrap_or(i32::MAX), name, mode, account, remove })
}

/// The capability for a port below 1024, and none for any other address.
fn needs(words: Words) -> Set {
    match request(&mut Cli::preview(&LINK, words)) {
        Ok(Request { address, .. }) if address.is_privileged() => Set::NET_BIND_SERVICE,
        _ => Set::NONE, // where the words are wrong nothing is done either
    }
}

/// Whether these words ask for an account by name. That is libc's to look up, by code that the root directory has.
pub(crate) fn looks_up(words: Words) -> bool {
    let account = request(&mut Cli::preview(&LINK, words)).ok().and_then(|request| request.account);
    account.is_some_and(|account| !account.to_bytes().starts_with(b":"))
}

/// Opens the socket, which is close-on-exec as yet.
fn open(request: &Request, account: Option<&Account>) -> Result<OwnedFd, Exit> {
    let Request { address, backlog, mode, remove, .. } = request;
    let unable = |errno| refused(address, errno);
    let listen = |socket: OwnedFd| -> Result<OwnedFd, Exit> {
        if address.has_connections() {
            socket::listen_with(socket.as_fd(), *backlog).map_err(unable)?;
        }
        Ok(socket)
    };
    let bound = |name: &Name| -> Result<OwnedFd, Exit> {
        let socket = socket::unbound(name, address.kind).map_err(unable)?;
        if address.has_connections() && matches!(name, Name::Port(_)) {
            socket::reuse_address(socket.as_fd()).map_err(unable)?;
        }
        socket::bind(socket.as_fd(), name, *mode).map_err(unable)?;
        Ok(socket)
    };
    match &address.place {
        Place::Port(place) => listen(bound(&Name::Port(*place))?),
        Place::Abstract(name) => listen(bound(&Name::Unix(name))?),
        Place::Path(path) => {
            let entry = Entry::find(address.word, path).map_err(unable)?;
            entry.make_free(*remove)?;
            let socket = bound(&Name::Unix(path.to_bytes()))?;
            // Nobody can connect before it listens.
            let given = account.map_or(Ok(()), |account| entry.give(account));
            let listening = given.and_then(|()| listen(socket));
            if listening.is_err() {
                entry.remove();
            }
            listening
        }
    }
}

fn refused(address: &Address, errno: Errno) -> Exit {
    let error = Exit::system(format_args!("listen at {}", address.word), errno);
    let port = matches!(address.place, Place::Port(_));
    let hint = match errno {
        Errno::EACCES if port && geteuid().is_root() => {
            "root has no CAP_NET_BIND_SERVICE here, as in a container that was started without it"
        }
        Errno::EACCES if port => {
            "only root may use a port below 1024: put listen before setuidgid, or right behind it"
        }
        Errno::EADDRINUSE if port => "another socket has the port; one of [::] has it for IPv4 too",
        Errno::EADDRINUSE => "another socket has the name",
        Errno::EADDRNOTAVAIL => "no interface of this machine has that address now",
        Errno::EAFNOSUPPORT if port => "this system has no IPv6: write 0.0.0.0 for all addresses",
        _ => return error,
    };
    error.hint(hint)
}
