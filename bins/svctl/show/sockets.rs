//! The sockets that a service listens on: /proc/PID/net and the open files of its processes.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use common::procfs;
use common::quantity::number;
use nix::errno::Errno;

use crate::svctl::processes::Process;

/// The most that is read of a table of the kernel.
const MOST: usize = 1 << 24;

/// A socket that somebody may connect or send to.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Socket {
    /// `tcp`, `udp` or `unix`.
    pub(super) kind: &'static str,
    /// An address with its port, or a path; an abstract one begins with `@`.
    pub(super) address: Vec<u8>,
    /// The first process that has it.
    pub(super) pid: u32,
}

/// Those of these processes. EACCES where they are another user's.
pub(super) fn of(family: &[(usize, Process)]) -> nix::Result<Vec<Socket>> {
    let mut owners: HashMap<u64, u32> = HashMap::new();
    let mut refused = None;
    for (_, process) in family {
        let each = |target: &[u8]| {
            let inode = target.strip_prefix(b"socket:[").and_then(|rest| rest.strip_suffix(b"]"));
            if let Some(inode) = inode.and_then(number) {
                owners.entry(inode).or_insert(process.pid);
            }
        };
        // One that has ended listens no more.
        if let Err(errno @ (Errno::EACCES | Errno::EPERM)) = procfs::open_files_of(process.pid, each) {
            refused = Some(errno);
        }
    }
    let mut found = Vec::new();
    let first = family.first().map(|(_, process)| process.pid).filter(|_| !owners.is_empty());
    for (file, kind) in [("tcp", "tcp"), ("tcp6", "tcp"), ("udp", "udp"), ("udp6", "udp"), ("unix", "unix")] {
        // A kernel may be without one of them.
        let table = first.and_then(|pid| procfs::file_of(pid, &format!("net/{file}"), MOST).ok());
        for line in table.unwrap_or_default().split(|byte| *byte == b'\n').skip(1) {
            let socket = if kind == "unix" { of_unix(line) } else { of_internet(line, kind) };
            if let Some((inode, address)) = socket {
                if let Some(pid) = owners.get(&inode) {
                    found.push(Socket { kind, address, pid: *pid });
                }
            }
        }
    }
    match refused {
        Some(errno) if found.is_empty() => Err(errno),
        _ => Ok(found),
    }
}

/// Inode and address of a line of /proc/net/tcp or udp, `proc_pid_net(5)`, if that socket waits for others.
fn of_internet(line: &[u8], kind: &str) -> Option<(u64, Vec<u8>)> {
    let line = std::str::from_utf8(line).ok()?;
    let fields: Vec<&str> = line.split_whitespace().collect();
    let listens = match *fields.get(3)? {
        "0A" => kind == "tcp",
        "07" => kind == "udp",
        _ => false,
    };
    listens.then_some(())?;
    Some((number(fields.get(9)?.as_bytes())?, address(fields.get(1)?)?.to_string().into_bytes()))
}

/// An address as the kernel prints it: words of 32 bits in the machine's order of bytes, and the port.
fn address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word =
        |at: usize| Some(u32::from_str_radix(address.get(at * 8..at * 8 + 8)?, 16).ok()?.to_ne_bytes());
    let address: IpAddr = match address.len() {
        8 => Ipv4Addr::from(word(0)?).into(),
        32 => {
            let bytes = [word(0)?, word(1)?, word(2)?, word(3)?].concat();
            Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).into()
        }
        _ => return None,
    };
    Some(SocketAddr::new(address, port))
}

/// Inode and path of a line of /proc/net/unix, if that socket accepts connections.
fn of_unix(line: &[u8]) -> Option<(u64, Vec<u8>)> {
    const ACCEPTS: u32 = 1 << 16;
    let mut rest = line;
    let mut fields = [&b""[..]; 7];
    for field in &mut fields {
        rest = rest.trim_ascii_start();
        let end = rest.iter().position(|byte| *byte == b' ').unwrap_or(rest.len());
        (*field, rest) = rest.split_at(end);
    }
    let flags = u32::from_str_radix(std::str::from_utf8(fields[3]).ok()?, 16).ok()?;
    (flags & ACCEPTS != 0).then_some(())?;
    Some((number(fields[6])?, rest.strip_prefix(b" ").unwrap_or(rest).to_vec()))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_line_of_the_kernel_is_a_socket_where_it_listens() {
        let unix = b"0000000000000000: 00000002 00000000 00010000 0001 01 21042 /run/a b";
        assert_eq!(of_unix(unix), Some((21042, b"/run/a b".to_vec())));
        let connected = b"0000000000000000: 00000003 00000000 00000000 0001 03 21043";
        assert_eq!(of_unix(connected), None);
        for bad in [&b""[..], b"x", b"1 2 3 x 5 6 7"] {
            assert_eq!(of_unix(bad), None);
            assert_eq!(of_internet(bad, "tcp"), None);
        }
        if cfg!(target_endian = "little") {
            let tcp = b"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0";
            assert_eq!(of_internet(tcp, "tcp"), Some((4711, b"127.0.0.1:8080".to_vec())));
            assert_eq!(of_internet(tcp, "udp"), None);
            let zeros = "00000000000000000000000001000000";
            assert_eq!(address(&format!("{zeros}:0050")).unwrap().to_string(), "[::1]:80");
        }
    }

    #[test]
    fn our_own_sockets_are_found() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("a socket");
        let _unix = UnixListener::bind(&path).unwrap();
        let own = std::process::id();
        let family = crate::svctl::processes::Processes::read().family(own);
        let found = of(&family).unwrap();
        let has =
            |kind, address: &[u8]| found.contains(&Socket { kind, address: address.to_vec(), pid: own });
        assert!(has("tcp", tcp.local_addr().unwrap().to_string().as_bytes()), "{found:?}");
        assert!(has("unix", path.to_str().unwrap().as_bytes()), "{found:?}");
    }
}
