//! What a process can ask the kernel about itself, where no other file of these has the call. As raw calls where libc's
//! types differ, or where its function says something else.

use std::ffi::{c_int, c_long};
use std::mem;
use std::os::fd::RawFd;

use nix::errno::Errno;

use super::ids::{ambient, bounding};
use super::process::prctl;
use crate::text::Text;

/// The real-time priority of this process, `sched_getparam(2)`.
pub(crate) fn priority() -> nix::Result<c_int> {
    let mut priority: c_int = 0;
    // SAFETY: an integer, and a struct sched_param to write, which is one.
    Errno::result(unsafe { libc::syscall(libc::SYS_sched_getparam, 0, &raw mut priority) })?;
    Ok(priority)
}

/// Milliseconds until a timer of setitimer(2) ends, 0 where it does not run.
pub(crate) fn timer(which: c_int) -> nix::Result<u64> {
    // interval and value, each seconds and microseconds
    let mut timer: [c_long; 4] = [0; 4];
    // SAFETY: the kernel's struct itimerval, four longs.
    Errno::result(unsafe { libc::syscall(libc::SYS_getitimer, which, timer.as_mut_ptr()) })?;
    let [.., seconds, rest] = timer.map(|part| u64::try_from(part).unwrap_or(0));
    Ok(seconds * 1000 + rest.div_ceil(1000))
}

/// The signals that wait to be delivered, as a mask: sigpending(2).
pub(crate) fn pending() -> nix::Result<u64> {
    let mut mask = 0u64;
    // SAFETY: a mask of eight bytes, as the kernel takes it.
    Errno::result(unsafe { libc::syscall(libc::SYS_rt_sigpending, &raw mut mask, mem::size_of::<u64>()) })?;
    Ok(mask)
}

/// A set of capabilities that is asked for one by one, up to the last that the kernel has.
fn set_of(has: impl Fn(u8) -> nix::Result<bool>) -> u64 {
    let known = (0..64).map_while(|number| has(number).ok().map(|has| u64::from(has) << number));
    known.fold(0, |set, bit| set | bit)
}

/// The bounding set.
pub(crate) fn bounding() -> u64 {
    set_of(bounding::has)
}

/// The ambient set.
pub(crate) fn ambient() -> u64 {
    set_of(ambient::has)
}

/// All capabilities that the kernel has.
pub(crate) fn all_capabilities() -> u64 {
    set_of(|number| bounding::has(number).map(|_| true))
}

/// `PR_GET_NO_NEW_PRIVS`.
pub(crate) fn no_new_privs() -> nix::Result<bool> {
    prctl(libc::PR_GET_NO_NEW_PRIVS, 0).map(|set| set == 1)
}

/// `PR_GET_SECCOMP`: 2 with a filter.
pub(crate) fn seccomp() -> nix::Result<c_int> {
    prctl(libc::PR_GET_SECCOMP, 0)
}

/// The flags of an open file, `F_GETFL`.
pub(crate) fn file_flags(fd: RawFd) -> nix::Result<c_int> {
    // SAFETY: F_GETFL takes nothing.
    Errno::result(unsafe { libc::fcntl(fd, libc::F_GETFL) })
}

/// What a socket is.
#[derive(Debug)]
pub(crate) struct Socket {
    /// `tcp`, `udp`, `unix`, or nothing for another kind.
    pub(crate) kind: &'static str,
    /// Whether it waits for connections.
    pub(crate) listens: bool,
    /// Its address, of a unix socket the path or `@` and a name; empty where it has none.
    pub(crate) address: Vec<u8>,
}

/// What the socket at `fd` is; ENOTSOCK for anything else.
pub(crate) fn socket(fd: RawFd) -> nix::Result<Socket> {
    let option = |name: c_int| {
        let (mut value, mut length): (c_int, libc::socklen_t) = (0, 4);
        let (to, size) = ((&raw mut value).cast(), &raw mut length);
        // SAFETY: an integer to write, of the size that is said.
        Errno::result(unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, name, to, size) }).map(|_| value)
    };
    let (domain, kind) = (option(libc::SO_DOMAIN)?, option(libc::SO_TYPE)?);
    let listens = option(libc::SO_ACCEPTCONN)? == 1;
    let mut name = [0u8; 128];
    let mut length: libc::socklen_t = 128;
    // SAFETY: room for the bytes that are said.
    Errno::result(unsafe { libc::getsockname(fd, name.as_mut_ptr().cast(), &raw mut length) })?;
    let name = &name[..usize::try_from(length).unwrap_or(0).min(128)];
    let (kind, address) = match (domain, kind, name.len()) {
        (libc::AF_UNIX, ..) => ("unix", path_of(name.get(2..).unwrap_or_default())),
        (libc::AF_INET, kind, 16) => (transport(kind), internet(&name[4..8], &name[2..4])),
        (libc::AF_INET6, kind, 28) => (transport(kind), internet(&name[8..24], &name[2..4])),
        _ => ("", Vec::new()),
    };
    Ok(Socket { kind, listens, address })
}

/// `127.0.0.1:80`, `[::1]:80`: std's brings all that it can format. Of an IPv6 address the first longest row of zeros is
/// left out.
fn internet(address: &[u8], port: &[u8]) -> Vec<u8> {
    let mut text = Text::<64>::new();
    if address.len() == 4 {
        for (place, byte) in address.iter().enumerate() {
            text.add(if place == 0 { "" } else { "." }).number(*byte);
        }
    } else {
        let groups: Vec<u16> = address.chunks(2).map(pair).collect();
        let zeros = |at: usize| groups[at..].iter().take_while(|group| **group == 0).count();
        let longest = (0..groups.len()).rev().max_by_key(|at| zeros(*at)).filter(|at| zeros(*at) > 1);
        text.add("[");
        let mut at = 0;
        while at < groups.len() {
            if longest == Some(at) {
                text.add("::");
                at += zeros(at);
                continue;
            }
            text.add(if at == 0 || longest.is_some_and(|from| from + zeros(from) == at) { "" } else { ":" });
            let digits =
                [12, 8, 4, 0].map(|shift| b"0123456789abcdef"[usize::from(groups[at] >> shift & 15)]);
            let first = digits.iter().position(|digit| *digit != b'0').unwrap_or(3);
            text.add(&digits[first..]);
            at += 1;
        }
        text.add("]");
    }
    text.add(":").number(pair(port)).bytes().to_vec()
}

fn pair(bytes: &[u8]) -> u16 {
    u16::from_be_bytes([bytes[0], bytes[1]])
}

fn transport(kind: c_int) -> &'static str {
    match kind {
        libc::SOCK_STREAM => "tcp",
        libc::SOCK_DGRAM => "udp",
        _ => "",
    }
}

fn path_of(name: &[u8]) -> Vec<u8> {
    match name {
        [] => Vec::new(),
        [0, rest @ ..] => [b"@", rest].concat(),
        path => path.split(|byte| *byte == 0).next().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv6Addr, SocketAddr};

    #[test]
    fn an_address_is_written_as_std_does() {
        for groups in [
            [0; 8],
            [0, 0, 0, 0, 0, 0, 0, 1],
            [0xfe80, 0, 0, 0, 1, 0, 0, 0x10],
            [1, 0, 2, 0, 3, 0, 4, 0],
            [0, 0, 1, 0, 0, 0, 2, 3],
            [0x2001, 0xdb8, 1, 2, 3, 4, 5, 6],
            [1, 0, 0, 2, 3, 0, 0, 4],
            [1, 2, 3, 4, 5, 6, 0, 0],
        ] {
            let address = Ipv6Addr::from(groups);
            let expected = SocketAddr::new(IpAddr::V6(address), 80).to_string();
            assert_eq!(String::from_utf8(internet(&address.octets(), &[0, 80])).unwrap(), expected);
        }
        assert_eq!(internet(&[127, 0, 0, 1], &[0x1f, 0x90]), b"127.0.0.1:8080");
    }
}
