//! Where a socket listens, as a word of the command line.

use std::ffi::CStr;
use std::net::SocketAddr;
use std::str;

use common::socket::{Kind, LONGEST};
use common::{Exit, Word};

/// An address.
pub(super) struct Address {
    /// As the command line has it.
    pub(super) word: Word,
    pub(super) kind: Kind,
    pub(super) place: Place,
}

/// Where it is.
#[derive(Debug, PartialEq)]
pub(super) enum Place {
    /// An IP address with a port.
    Port(SocketAddr),
    Path(&'static CStr),
    /// A name without a file: a NUL comes first.
    Abstract(Vec<u8>),
}

/// How addresses begin.
const SCHEMES: [(&[u8], Kind); 5] = [
    (b"tcp:", Kind::Streams),
    (b"udp:", Kind::Datagrams),
    (b"unix:", Kind::Streams),
    (b"unix-dgram:", Kind::Datagrams),
    (b"unix-seqpacket:", Kind::Packets),
];

impl Address {
    /// Reads an address, in which all is numeric: no name of a host or a service is looked up.
    pub(super) fn parse(word: Word) -> Result<Self, Exit> {
        let text = word.0.to_bytes();
        if text.is_empty() {
            return Err(Exit::value("invalid address", text));
        }
        let wrong = |problem: &str| Exit::usage(format_args!("invalid address {word}: {problem}"));
        let found = SCHEMES.iter().find(|(scheme, _)| text.starts_with(scheme));
        let (scheme, kind) = found
            .ok_or_else(|| wrong("it has to begin with tcp:, udp:, unix:, unix-dgram: or unix-seqpacket:"))?;
        let rest = &text[scheme.len()..];
        let place = if scheme.starts_with(b"unix") {
            // The end of a C string is one.
            local(rest, CStr::from_bytes_with_nul(&word.0.to_bytes_with_nul()[scheme.len()..]).unwrap_or(c""))
                .map_err(wrong)?
        } else {
            let address = str::from_utf8(rest).ok().and_then(|text| text.parse().ok());
            let problem = "an IP address and a port have to follow, as in tcp:0.0.0.0:80 or tcp:[::]:80";
            Place::Port(address.ok_or_else(|| wrong(problem))?)
        };
        Ok(Self { word, kind: *kind, place })
    }

    /// Whether it is one to which others connect.
    pub(super) fn has_connections(&self) -> bool {
        self.kind != Kind::Datagrams
    }

    /// Whether it takes a capability to listen there, unless the system allows it to all.
    pub(super) fn is_privileged(&self) -> bool {
        matches!(&self.place, Place::Port(address) if (1..1024).contains(&address.port()))
    }
}

/// A path, or an abstract name behind an `@`.
fn local(text: &'static [u8], path: &'static CStr) -> Result<Place, &'static str> {
    let place = match text {
        [b'@'] => return Err("the name is empty"),
        [b'@', name @ ..] => Place::Abstract([b"\0", name].concat()),
        [b'/', ..] if matches!(text.rsplit(|b| *b == b'/').next(), Some(b"" | b"." | b"..")) => {
            return Err("the path has no name at its end");
        }
        [b'/', ..] => Place::Path(path),
        _ => return Err("a path that begins with / has to follow, or @ and a name"),
    };
    if text.len() > LONGEST { Err("it is longer than 107 bytes") } else { Ok(place) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CString;

    fn parsed(text: &str) -> Result<Address, Exit> {
        Address::parse(Word(Box::leak(CString::new(text).unwrap().into_boxed_c_str())))
    }

    #[test]
    fn ports_are_those_of_numeric_addresses() {
        for (text, kind, address, privileged) in [
            ("tcp:0.0.0.0:80", Kind::Streams, "0.0.0.0:80", true),
            ("tcp:127.0.0.1:1023", Kind::Streams, "127.0.0.1:1023", true),
            ("tcp:127.0.0.1:1024", Kind::Streams, "127.0.0.1:1024", false),
            ("udp:[::1]:0", Kind::Datagrams, "[::1]:0", false),
            ("udp:[::]:1", Kind::Datagrams, "[::]:1", true),
            ("tcp:[fe80::1%3]:65535", Kind::Streams, "[fe80::1%3]:65535", false),
        ] {
            let found = parsed(text).unwrap();
            assert_eq!((found.kind, &found.place), (kind, &Place::Port(address.parse().unwrap())), "{text}");
            assert_eq!(found.is_privileged(), privileged, "{text}");
            assert_eq!(found.has_connections(), kind == Kind::Streams, "{text}");
        }
    }

    #[test]
    fn unix_sockets_are_paths_or_abstract_names() {
        for (text, kind, place) in [
            ("unix:/run/x", Kind::Streams, Place::Path(c"/run/x")),
            ("unix:/@", Kind::Streams, Place::Path(c"/@")),
            ("unix-dgram:/dev/log", Kind::Datagrams, Place::Path(c"/dev/log")),
            ("unix-seqpacket:@x/y", Kind::Packets, Place::Abstract(b"\0x/y".to_vec())),
            ("unix:@@", Kind::Streams, Place::Abstract(b"\0@".to_vec())),
        ] {
            let found = parsed(text).unwrap();
            assert_eq!((found.kind, &found.place), (kind, &place), "{text}");
            assert!(!found.is_privileged());
        }
        for (text, length) in [("unix:/", 107), ("unix:@", 107)] {
            let longest = text.to_owned() + &"x".repeat(length - 1);
            assert!(parsed(&longest).is_ok(), "{text}");
            assert_eq!(parsed(&(longest + "x")).err().unwrap().status(), 100, "{text}");
        }
    }

    #[test]
    fn all_else_is_no_address() {
        for bad in [
            "",
            "80",
            ":80",
            "tcp",
            "tcp:",
            "tcp:80",
            "tcp::80",
            "tcp:*:80",
            "tcp:localhost:80",
            "tcp:0.0.0.0",
            "tcp:0.0.0.0:",
            "tcp:0.0.0.0:65536",
            "tcp:0.0.0.0:-1",
            "tcp:0.0.0.0:http",
            "tcp:00.0.0.0:80",
            "tcp:1.2.3:80",
            "tcp::::80",
            "tcp:::1:80",
            "tcp:[::]",
            "tcp:[0.0.0.0]:80",
            "tcp: 0.0.0.0:80",
            "tcp:0.0.0.0:80 ",
            "TCP:0.0.0.0:80",
            "/run/x",
            "unix:",
            "unix:@",
            "unix:x",
            "unix:./x",
            "unix:/",
            "unix:/run/",
            "unix:/run/.",
            "unix:/run/..",
            "unix-stream:/x",
            "tcp6:[::]:80",
        ] {
            assert_eq!(parsed(bad).err().map(|error| error.status()), Some(100), "{bad}");
        }
    }
}
