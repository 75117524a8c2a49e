//! announce: tells a service manager something. `announce WORD...` sends the words, each on a line of its
//! own, to `$NOTIFY_SOCKET`, and waits until the manager has read them.

use std::env;
use std::io::{self, IoSlice, Read};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;

use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, UnixAddr, sendmsg, socket,
};

fn main() -> io::Result<()> {
    #[allow(clippy::disallowed_methods, reason = "a test program is no link: it has std's entry point")]
    let words: Vec<String> = env::args().skip(1).collect();
    let name = env::var_os("NOTIFY_SOCKET").ok_or_else(|| io::Error::other("no NOTIFY_SOCKET"))?;
    let address = match name.as_bytes() {
        [b'@', name @ ..] => UnixAddr::new_abstract(name)?,
        path => UnixAddr::new(path)?,
    };
    let socket = socket(AddressFamily::Unix, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    let send = |text: &str, control: &[ControlMessage]| {
        sendmsg(
            socket.as_raw_fd(),
            &[IoSlice::new(text.as_bytes())],
            control,
            MsgFlags::empty(),
            Some(&address),
        )
    };
    send(&words.join("\n"), &[])?;
    // Closed by the manager once it has read all that came before.
    let (mut ours, theirs) = UnixStream::pair()?;
    send("BARRIER=1", &[ControlMessage::ScmRights(&[theirs.as_raw_fd()])])?;
    drop(theirs);
    ours.read_to_end(&mut Vec::new())?;
    Ok(())
}
