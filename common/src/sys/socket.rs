//! Unix sockets, without allocating.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_ptr_alignment,
    clippy::large_stack_arrays,
    clippy::unnecessary_cast,
    reason = "numbers of the kernel's interface, whose types differ between libcs"
)]

use std::ffi::{c_char, c_int, c_void};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::{mem, ptr};

use nix::errno::Errno;

fn owned(fd: c_int) -> nix::Result<OwnedFd> {
    // SAFETY: a new fd, nobody else's.
    Errno::result(fd).map(|fd| unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The address of a path, or of an abstract name, which starts with a NUL.
fn address(name: &[u8]) -> nix::Result<(libc::sockaddr_un, libc::socklen_t)> {
    // SAFETY: all zeros is a value.
    let mut address: libc::sockaddr_un = unsafe { mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    let room = address.sun_path.get_mut(..name.len()).ok_or(Errno::ENAMETOOLONG)?;
    for (place, byte) in room.iter_mut().zip(name) {
        *place = c_char::from_ne_bytes([*byte]);
    }
    let terminated = name.first() != Some(&0);
    let length = mem::offset_of!(libc::sockaddr_un, sun_path) + name.len() + usize::from(terminated);
    Ok((address, libc::socklen_t::try_from(length).map_err(|_| Errno::ENAMETOOLONG)?))
}

fn bound(kind: c_int, name: &[u8], mode: Option<libc::mode_t>) -> nix::Result<OwnedFd> {
    let kind = kind | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: integers.
    let socket = owned(unsafe { libc::socket(libc::AF_UNIX, kind, 0) })?;
    bind_local(socket.as_fd(), name, mode)?;
    Ok(socket)
}

/// Tests are threads of one process, which has one umask; a program has one thread.
#[cfg(test)]
static UMASK: std::sync::Mutex<()> = std::sync::Mutex::new(());

fn bind_local(socket: BorrowedFd, name: &[u8], mode: Option<libc::mode_t>) -> nix::Result<()> {
    let (address, length) = address(name)?;
    if let Some(mode) = mode {
        // Before there is a file of it: nobody else must get through in between.
        // SAFETY: two integers.
        Errno::result(unsafe { libc::fchmod(socket.as_raw_fd(), mode) })?;
    }
    // Its file gets this mode, which nobody has to give it by its name. Nothing else is made meanwhile.
    #[cfg(test)]
    let _alone = UMASK.lock();
    let mask = mode.map(|_| super::file::umask(0)).transpose()?;
    // SAFETY: an address with its length.
    let bound = Errno::result(unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) })
        .map(drop);
    mask.map(super::file::umask).transpose()?;
    bound
}

/// How many bytes the path of a socket may have.
pub const LONGEST: usize = 107;

/// Where a socket is bound.
#[derive(Debug)]
pub enum Name<'a> {
    /// A port of an IP address.
    Port(SocketAddr),
    /// A path, or an abstract name, which starts with a NUL.
    Unix(&'a [u8]),
}

/// What comes over a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Connections, with a stream of bytes each.
    Streams,
    /// Messages, from anybody.
    Datagrams,
    /// Connections, with a row of messages each.
    Packets,
}

/// A new socket for a name of this sort. It waits where it is not ready, and is close-on-exec.
pub fn unbound(name: &Name, kind: Kind) -> nix::Result<OwnedFd> {
    let family = match name {
        Name::Port(SocketAddr::V4(_)) => libc::AF_INET,
        Name::Port(SocketAddr::V6(_)) => libc::AF_INET6,
        Name::Unix(_) => libc::AF_UNIX,
    };
    let kind = match kind {
        Kind::Streams => libc::SOCK_STREAM,
        Kind::Datagrams => libc::SOCK_DGRAM,
        Kind::Packets => libc::SOCK_SEQPACKET,
    };
    // SAFETY: integers.
    let socket = owned(unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, 0) })?;
    super::fd::above_standard(socket, true)
}

/// Lets a socket have a port of which the connections of an earlier one are not quite over, `SO_REUSEADDR` of socket(7).
pub fn reuse_address(socket: BorrowedFd) -> nix::Result<()> {
    switch_on(socket, libc::SO_REUSEADDR)
}

fn switch_on(socket: BorrowedFd, option: c_int) -> nix::Result<()> {
    let (on, size): (c_int, _) = (1, mem::size_of::<c_int>() as libc::socklen_t);
    let value: *const c_void = (&raw const on).cast();
    // SAFETY: an integer with its size.
    Errno::result(unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, option, value, size) })
        .map(drop)
}

/// Binds a socket, bind(2); the file of one that has a path gets `mode`, or what the umask leaves.
pub fn bind(socket: BorrowedFd, name: &Name, mode: Option<u32>) -> nix::Result<()> {
    let fd = socket.as_raw_fd();
    let bound = match name {
        Name::Unix(name) => return bind_local(socket, name, mode),
        Name::Port(SocketAddr::V4(place)) => {
            // SAFETY: all zeros is a value.
            let mut address: libc::sockaddr_in = unsafe { mem::zeroed() };
            address.sin_family = libc::AF_INET as libc::sa_family_t;
            address.sin_port = place.port().to_be();
            address.sin_addr.s_addr = u32::from_ne_bytes(place.ip().octets());
            // SAFETY: an address with its length.
            unsafe { libc::bind(fd, (&raw const address).cast(), mem::size_of_val(&address) as _) }
        }
        Name::Port(SocketAddr::V6(place)) => {
            // SAFETY: all zeros is a value.
            let mut address: libc::sockaddr_in6 = unsafe { mem::zeroed() };
            address.sin6_family = libc::AF_INET6 as libc::sa_family_t;
            address.sin6_port = place.port().to_be();
            address.sin6_addr.s6_addr = place.ip().octets();
            address.sin6_scope_id = place.scope_id();
            // SAFETY: an address with its length.
            unsafe { libc::bind(fd, (&raw const address).cast(), mem::size_of_val(&address) as _) }
        }
    };
    Errno::result(bound).map(drop)
}

/// As [`listen`], with so many connections that wait at most.
pub fn listen_with(socket: BorrowedFd, backlog: c_int) -> nix::Result<()> {
    // SAFETY: two integers.
    Errno::result(unsafe { libc::listen(socket.as_raw_fd(), backlog) }).map(drop)
}

/// A stream socket at `name` in the working directory, whose file gets `mode`. Nobody can connect to it before [`listen`].
pub fn stream(name: &[u8], mode: u32) -> nix::Result<OwnedFd> {
    bound(libc::SOCK_STREAM, name, Some(mode))
}

/// Lets clients connect to a stream socket, listen(2).
pub fn listen(socket: BorrowedFd) -> nix::Result<()> {
    listen_with(socket, 16)
}

/// Two ends of a stream, socketpair(2), which do not block.
pub fn pair() -> nix::Result<(OwnedFd, OwnedFd)> {
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    let mut ends = [-1; 2];
    // SAFETY: room for two fds.
    Errno::result(unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, ends.as_mut_ptr()) })?;
    Ok((owned(ends[0])?, owned(ends[1])?))
}

/// Connects to the stream socket at `name` in the working directory; the connection does not block.
pub fn connect(name: &[u8]) -> nix::Result<OwnedFd> {
    connected(libc::SOCK_STREAM, name)
}

/// As [`connect`], to a datagram socket. EPROTOTYPE where it is one of streams.
pub fn connect_datagrams(name: &[u8]) -> nix::Result<OwnedFd> {
    connected(libc::SOCK_DGRAM, name)
}

fn connected(kind: c_int, name: &[u8]) -> nix::Result<OwnedFd> {
    let (address, length) = address(name)?;
    let kind = kind | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: integers.
    let socket = owned(unsafe { libc::socket(libc::AF_UNIX, kind, 0) })?;
    // SAFETY: an address with its length.
    Errno::result(unsafe { libc::connect(socket.as_raw_fd(), (&raw const address).cast(), length) })?;
    Ok(socket)
}

/// The next client, accept4(2).
pub fn accept(socket: BorrowedFd) -> nix::Result<OwnedFd> {
    let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: no address is asked for.
    owned(unsafe { libc::accept4(socket.as_raw_fd(), ptr::null_mut(), ptr::null_mut(), flags) })
}

/// Sends `bytes` if they can be sent at once, without SIGPIPE.
pub fn send(socket: BorrowedFd, bytes: &[u8]) -> nix::Result<usize> {
    let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
    // SAFETY: pointer and length are of one slice.
    let sent =
        Errno::result(unsafe { libc::send(socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), flags) })?;
    usize::try_from(sent).map_err(|_| Errno::EIO)
}

/// The effective user and group that the other end of a stream had when it connected, as numbers of our user namespace:
/// `SO_PEERCRED` of unix(7).
pub fn peer(socket: BorrowedFd) -> nix::Result<(u32, u32)> {
    // SAFETY: all zeros is a value.
    let mut credentials: libc::ucred = unsafe { mem::zeroed() };
    let mut size = mem::size_of::<libc::ucred>() as libc::socklen_t;
    let value: *mut c_void = (&raw mut credentials).cast();
    let fd = socket.as_raw_fd();
    // SAFETY: room for the credentials, with its size.
    Errno::result(unsafe {
        libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_PEERCRED, value, &raw mut size)
    })?;
    Ok((credentials.uid, credentials.gid))
}

/// Whether the other end of a stream had a supplementary group when it connected: `SO_PEERGROUPS`, of Linux 4.13. Unlike
/// what /proc says of its pid that cannot be another's.
pub fn peer_has_group(socket: BorrowedFd, group: u32) -> nix::Result<bool> {
    let ask = |groups: &mut [libc::gid_t]| {
        let mut size = mem::size_of_val(groups) as libc::socklen_t;
        let value: *mut c_void = groups.as_mut_ptr().cast();
        let fd = socket.as_raw_fd();
        // SAFETY: room for the groups, with its size.
        let asked = Errno::result(unsafe {
            libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_PEERGROUPS, value, &raw mut size)
        });
        (asked, size as usize / mem::size_of::<libc::gid_t>())
    };
    let mut few = [0; 64];
    match ask(&mut few) {
        (Ok(_), count) => Ok(few[..count.min(few.len())].contains(&group)),
        (Err(Errno::ERANGE), count) => {
            let mut many = vec![0; count]; // of a few users
            let (asked, count) = ask(&mut many);
            asked.map(|_| many[..count.min(many.len())].contains(&group))
        }
        (Err(errno), _) => Err(errno),
    }
}

/// A datagram socket at the abstract `name`, whose messages come with the pid of their sender.
pub fn datagrams(name: &[u8]) -> nix::Result<OwnedFd> {
    let socket = bound(libc::SOCK_DGRAM, name, None)?;
    switch_on(socket.as_fd(), libc::SO_PASSCRED)?;
    Ok(socket)
}

/// The abstract name of a datagram socket, which starts with a NUL. An error where `fd` is anything else.
pub fn abstract_name(fd: RawFd, buffer: &mut [u8; 32]) -> nix::Result<&[u8]> {
    // SAFETY: all zeros is a value.
    let mut address: libc::sockaddr_un = unsafe { mem::zeroed() };
    let mut length = mem::size_of::<libc::sockaddr_un>() as libc::socklen_t;
    let (mut kind, mut size): (c_int, _) = (0, mem::size_of::<c_int>() as libc::socklen_t);
    // SAFETY: an address with its length, and an integer with its size, to write.
    unsafe {
        Errno::result(libc::getsockname(fd, (&raw mut address).cast(), &raw mut length))?;
        let value: *mut c_void = (&raw mut kind).cast();
        Errno::result(libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_TYPE, value, &raw mut size))?;
    }
    let length = (length as usize).saturating_sub(mem::offset_of!(libc::sockaddr_un, sun_path));
    let path = address.sun_path.get(..length).unwrap_or_default();
    if i32::from(address.sun_family) != libc::AF_UNIX || kind != libc::SOCK_DGRAM || path.first() != Some(&0)
    {
        return Err(Errno::EPROTOTYPE);
    }
    let name = buffer.get_mut(..length).ok_or(Errno::ENAMETOOLONG)?;
    for (place, byte) in name.iter_mut().zip(path) {
        [*place] = byte.to_ne_bytes();
    }
    Ok(name)
}

/// The next message and the pid of its sender, 0 where it is not known or the message is longer than the
/// buffer. There is no room for fds that come with it: the kernel closes them, which is what a barrier of
/// `sd_notify(3)` waits for. We must not: close(2) can wait for a sender whose file is on a file system of its own.
pub fn receive<'a>(socket: BorrowedFd, buffer: &'a mut [u8]) -> nix::Result<(&'a [u8], u32)> {
    // SAFETY: arithmetic.
    const ROOM: usize = unsafe { libc::CMSG_SPACE(mem::size_of::<libc::ucred>() as u32) } as usize;
    #[repr(align(8))]
    struct Control([u8; ROOM]);
    let mut control = Control([0; ROOM]);
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: all zeros is a value.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.0.as_mut_ptr().cast();
    message.msg_controllen = control.0.len() as _;
    let flags = libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC;
    // SAFETY: the message names our buffers with their sizes.
    let count = Errno::result(unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, flags) })?;
    let mut sender = 0;
    // SAFETY: the kernel has filled the message; the macros stay inside the control buffer.
    unsafe {
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        if let Some(part) = header.as_ref() {
            let length = part.cmsg_len as usize - libc::CMSG_LEN(0) as usize;
            if (part.cmsg_level, part.cmsg_type) == (libc::SOL_SOCKET, libc::SCM_CREDENTIALS)
                && length >= mem::size_of::<libc::ucred>()
                && message.msg_flags & libc::MSG_TRUNC == 0
            {
                let credentials: libc::ucred = ptr::read_unaligned(libc::CMSG_DATA(header).cast());
                sender = u32::try_from(credentials.pid).unwrap_or(0);
            }
        }
    }
    Ok((&buffer[..usize::try_from(count).unwrap_or(0)], sender))
}
