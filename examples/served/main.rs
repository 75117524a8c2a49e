//! served: a small daemon for the demo. `served` listens on a port of 127.0.0.1 and reports to each client the
//! user that it runs as and what it sees; `served ask PORT` is such a client; USR1 makes it log how many it has
//! answered. It announces its readiness as systemd has it. It does not fork, drops no privilege, writes no pid file and logs to stdout: the chain in front of
//! it does what is left of that.
#![allow(clippy::print_stdout, reason = "a daemon that logs to stdout")]

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, thread};

use caps::CapSet;
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{getcwd, getgid, getgroups, getuid};

fn main() -> io::Result<()> {
    #[allow(clippy::disallowed_methods, reason = "an example is no link: it has std's entry point")]
    let words: Vec<String> = env::args().collect();
    match words.get(1..).unwrap_or_default() {
        [] => serve(),
        [ask, port] if ask == "ask" => {
            let port = port.parse().map_err(io::Error::other)?;
            let mut answer = String::new();
            TcpStream::connect((Ipv4Addr::LOCALHOST, port))?.read_to_string(&mut answer)?;
            io::stdout().write_all(answer.as_bytes())
        }
        _ => Err(io::Error::other("usage: served [ask PORT]")),
    }
}

static ANSWERED: AtomicU32 = AtomicU32::new(0);

fn serve() -> io::Result<()> {
    // Blocked before there is a thread, so that only the one that waits for it gets it.
    let usr1 = SigSet::from(Signal::SIGUSR1);
    usr1.thread_block()?;
    thread::spawn(move || {
        while usr1.wait().is_ok() {
            println!("notice: USR1: answered {} so far", ANSWERED.load(Ordering::Relaxed));
        }
    });
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("notice: served listens on port {}", listener.local_addr()?.port());
    announce()?;
    for client in listener.incoming() {
        let mut client = client?;
        client.write_all(tell()?.as_bytes())?;
        ANSWERED.fetch_add(1, Ordering::Relaxed);
        println!("notice: answered {}", client.peer_addr()?);
    }
    Ok(())
}

/// Tells the supervisor that this service is ready, if it wants to know: by a socket that is reached in any root.
fn announce() -> io::Result<()> {
    let Ok(name) = env::var("NOTIFY_SOCKET") else { return Ok(()) };
    let name = name.strip_prefix('@').ok_or_else(|| io::Error::other("NOTIFY_SOCKET is a path"))?;
    UnixDatagram::unbound()?.send_to_addr(b"READY=1", &SocketAddr::from_abstract_name(name)?)?;
    Ok(())
}

/// As whom this process runs and what it sees.
fn tell() -> io::Result<String> {
    let groups: Vec<String> = getgroups()?.iter().map(ToString::to_string).collect();
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir("/")? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    let mut text = String::new();
    let _ = writeln!(text, "greeting      {}", env::var("GREETING").unwrap_or_default()); // a String takes everything
    let _ = writeln!(text, "uid gid       {} {} (groups {})", getuid(), getgid(), groups.join(" "));
    let _ = writeln!(text, "root holds    {}", names.join(" "));
    let _ = writeln!(text, "cwd           {}", getcwd()?.display());
    for set in [CapSet::Permitted, CapSet::Effective, CapSet::Inheritable, CapSet::Ambient] {
        let count = caps::read(None, set).map_err(io::Error::other)?.len();
        let _ = writeln!(text, "{:13} {count} capabilities", format!("{set:?}").to_lowercase());
    }
    Ok(text)
}
