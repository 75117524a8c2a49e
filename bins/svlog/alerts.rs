//! Lines that go elsewhere than to the log: to stderr, and over UDP.

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsRawFd, BorrowedFd};

use common::poll;
use common::voice::say;

use super::lines::Maker;

/// The way there.
#[derive(Debug, Default)]
pub(super) struct Alerts {
    socket: Option<UdpSocket>,
    /// Room to make a line in.
    text: Vec<u8>,
    /// For the log: lines that could not be sent, each with a warning.
    unsent: Vec<u8>,
}

impl Alerts {
    /// Passes on the lines of `input` that `maker` selects for it; the log is `within` a line at its beginning.
    /// A signal ends the wait for stderr.
    pub(super) fn pass_on(&mut self, maker: &Maker, within: bool, input: &[u8], signals: BorrowedFd) {
        let Self { socket, text, unsent } = self;
        let send = |line: &[u8]| {
            if maker.config.udp.is_some_and(|address| !sent(socket, address, line)) {
                unsent.extend_from_slice(b"warning: failure sending through udp: ");
                unsent.extend_from_slice(line);
            }
        };
        maker.alert(within, input, text, |line| to_stderr(signals, line), send);
    }

    /// Moves what the log is to say to the end of `out`.
    pub(super) fn move_unsent(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.unsent);
    }
}

/// Whether a line could be sent at once. Where it could not, the log says so, and the next line tries again.
fn sent(socket: &mut Option<UdpSocket>, address: SocketAddrV4, line: &[u8]) -> bool {
    if socket.is_none() {
        let new = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0));
        *socket = new.and_then(|new| new.set_nonblocking(true).map(|()| new)).ok();
    }
    socket.as_ref().is_some_and(|socket| socket.send_to(line, address).ok() == Some(line.len()))
}

/// Writes a line to stderr, if need be as soon as its reader makes room, until a signal comes: in pieces that
/// fit wherever anything does.
pub(super) fn to_stderr(signals: BorrowedFd, line: &[u8]) {
    for piece in line.chunks(4096) {
        let mut fds = [poll::watch(2, poll::POLLOUT), poll::watch(signals.as_raw_fd(), poll::POLLIN)];
        if poll::poll(&mut fds, None).is_ok() && fds[0].revents == 0 {
            return;
        }
        say(piece);
    }
}
