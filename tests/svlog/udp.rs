//! Lines that are sent away: `u` and `U`.

use std::net::{Ipv4Addr, UdpSocket};

use super::harness::*;
use crate::needs;
use crate::support::*;

both!(svlog;
    a_line_is_cut_and_stamped_as_on_stderr,
    lines_are_sent_and_logged,
    lines_are_sent_and_not_logged,
    only_selected_lines_are_sent,
    the_last_address_counts,
    the_default_port_is_that_of_syslog,
    a_failed_send_is_reported_in_the_log,
    a_receiver_that_does_not_listen_is_no_matter,
);

/// A receiver, and the words `address:port` for a config.
fn listener() -> (UdpSocket, String) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    (socket, address)
}

/// The next packets.
fn received(socket: &UdpSocket, count: usize) -> Vec<String> {
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    let packet = || {
        let mut buffer = vec![0; 70_000];
        let length = uninterrupted(|| socket.recv(&mut buffer)).expect("a packet");
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    };
    (0..count).map(|_| packet()).collect()
}

/// Asserts that nothing more has come: what is sent on the own machine is there at once.
fn assert_no_more(socket: &UdpSocket) {
    socket.set_nonblocking(true).unwrap();
    assert!(socket.recv(&mut [0; 100]).is_err());
}

fn lines_are_sent_and_logged(of: Program) {
    let (socket, address) = listener();
    let log = fed(of, &[], &format!("u{address}\n"), "one\n\nthree\n");
    assert_eq!(log.all(), "one\n\nthree\n");
    assert_eq!(received(&socket, 3), ["one\n", "\n", "three\n"]);
    assert_no_more(&socket);
    assert_eq!(log.stderr(), "");
}

fn lines_are_sent_and_not_logged(of: Program) {
    let (socket, address) = listener();
    let log = fed(of, &[], &format!("U{address}\ne*\n"), "one\n\nthree\n");
    assert_eq!((log.all().as_str(), log.stderr().as_str()), ("", "one\n\nthree\n"));
    assert_eq!(received(&socket, 3), ["one\n", "\n", "three\n"]);
    assert_no_more(&socket);
}

fn a_line_is_cut_and_stamped_as_on_stderr(of: Program) {
    for option in ["-t", "-tt"] {
        let (socket, address) = listener();
        let config = format!("pP:\ne*\nu{address}\n");
        let log = fed(of, &[option, "-l", "5", "-r", "."], &config, "0\t23456789\n1234\n");
        let (all, packets) = (log.all(), received(&socket, 2));
        let lines: Vec<(&str, &str)> = all.lines().map(|line| line.split_at(25)).collect();
        assert_eq!((lines[0].1, lines[1].1), (" P:0.23456789", " P:1234"));
        let expected = [format!("{} P:0.234...\n", lines[0].0), format!("{} P:1234\n", lines[1].0)];
        assert_eq!(packets, expected);
        assert_eq!(log.stderr(), packets.concat());
    }
}

fn only_selected_lines_are_sent(of: Program) {
    let (socket, address) = listener();
    let log = fed(of, &[], &format!("-*\nu{address} and the rest\n+*b\n"), "a\nb\nab\nc\n");
    assert_eq!(log.all(), "b\nab\n");
    assert_eq!(received(&socket, 2), ["b\n", "ab\n"]);
    assert_no_more(&socket);
}

fn the_last_address_counts(of: Program) {
    let ((first, one), (second, two)) = (listener(), listener());
    let log = fed(of, &[], &format!("u{one}\nu{two}\n"), "one\n");
    assert_eq!(log.all(), "one\n");
    assert_eq!(received(&second, 1), ["one\n"]);
    assert_no_more(&first);
}

/// Port 514 of an address of this machine.
fn syslog() -> Result<UdpSocket, String> {
    root()?;
    // Tests beside this one have others.
    let free = |last| UdpSocket::bind((Ipv4Addr::new(127, 81, 7, last), 514)).ok();
    (1..=20).find_map(free).ok_or("port 514".into())
}

fn the_default_port_is_that_of_syslog(of: Program) {
    needs!(syslog().map(drop));
    let socket = syslog().unwrap();
    let address = socket.local_addr().unwrap().ip();
    fed(of, &[], &format!("U{address}\n"), "one\n");
    assert_eq!(received(&socket, 1), ["one\n"]);
}

fn a_receiver_that_does_not_listen_is_no_matter(of: Program) {
    // At 127.0.0.1 a test beside this one may get that port.
    let socket = UdpSocket::bind("127.81.7.21:0").unwrap();
    let address = socket.local_addr().unwrap();
    drop(socket);
    let input = lines(1, 50);
    let log = fed(of, &[], &format!("u{address}\n"), &input);
    assert_eq!((log.all(), log.stderr()), (input, String::new()));
}

fn a_failed_send_is_reported_in_the_log(of: Program) {
    // To all, for which the socket has no right.
    let log = fed(of, &[], "pP:\nu255.255.255.255:9\n", "one\ntwo\n");
    let failure = "warning: failure sending through udp: ";
    let all = log.all();
    // Ours says it behind the lines that were read at once.
    let mut found: Vec<&str> = all.lines().collect();
    found.sort_unstable();
    let failures = ["P:one", "P:two"].map(|line| format!("{failure}{line}"));
    assert_eq!(found, ["P:one", "P:two", &failures[0], &failures[1]]);
    let log = fed(of, &[], "U255.255.255.255:9\n", "one\ntwo\n");
    assert_eq!(log.all(), format!("{failure}one\n{failure}two\n"));
}

#[test]
fn a_failed_send_does_not_tear_a_long_line() {
    let line = "0123456789".repeat(5000);
    let log = fed(Svlog, &[], "u255.255.255.255:9\n", format!("one\n{line}\nthree\n"));
    let all = log.all();
    assert!(all.lines().any(|found| found == line), "{}", log.report());
    let failures = all.lines().filter(|line| line.starts_with("warning: failure sending through udp: "));
    assert_eq!((failures.count(), all.lines().count()), (3, 6), "{}", log.report());
}
