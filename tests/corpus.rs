//! Run scripts as people write them, in `tests/corpus/services`: each service directory runs under runit's and
//! daemontools' own programs, and under ours by their names, in sandboxes that are equal but for these. At the end the
//! state of each daemon, what the control programs print, their statuses, all files that are left, and the records of
//! logins must be equal, but for the differences that are named here, each with its reason; and this fails too where a
//! difference disappears. No program of a peer is in the sandbox with ours.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::thread;

use crate::needs;
use crate::support::*;

mod compare;
mod facts;
mod sandbox;

use compare::{Difference, complaints};
use sandbox::{Programs, peers, run_in_sandbox};

/// Where the service directories are.
fn services() -> PathBuf {
    house().join("tests/corpus/services")
}

/// What is done with the services, in words of `tests/corpus/driver.sh`: each row in its turn, the rows side by side.
/// The name of a row is that of a service.
const SCENARIOS: &[(&str, &str)] = &[
    ("agetty-tty1", "all agetty-tty1 getty"),
    ("getty-5", "all getty-5 mingetty"),
    ("getty-ttyS0", "all getty-ttyS0 sgetty"),
    ("gitlab-puma", "all gitlab-puma puma"),
    ("gitlab-workhorse", "all gitlab-workhorse gitlab-workhorse"),
    ("redis", "all redis redis-server"),
    ("rabbitmq", "all rabbitmq rabbitmq-server"),
    ("alsa", "begin alsa; start alsa alsactl; wait_for its_name named alsa alsa; look alsa; stop alsa; leave alsa"),
    (
        "nftables",
        "begin nftables; start nftables nft; wait_for its_name named nftables nftables; look nftables; forget nft
        stop nftables; leave nftables; stated nft",
    ),
    ("iptables", "all_once iptables"),
    ("scripts", "begin scripts; start scripts; wait_for its_name named scripts scripts; stop scripts; leave scripts"),
    (
        "dbus",
        "for service in NetworkManager elogind; do begin $service; done
        once NetworkManager; once elogind
        begin dbus; begin bluetoothd; start bluetoothd bluetoothd dbus-daemon; note sv status dbus
        start NetworkManager networkmanager; start elogind elogind; note sv -w 60 check dbus; note sv -w 60 check elogind
        for service in NetworkManager elogind bluetoothd dbus; do stop $service; leave $service; done",
    ),
    ("statd", "all_once statd"),
    ("powernowd", "begin powernowd; up_to_end powernowd; note sv status powernowd; leave powernowd"),
    (
        "dhclient",
        "begin dhclient; begin waits-up; start dhclient dhclient; start waits-up waits-upd
        for service in waits-up dhclient; do stop $service; leave $service; done",
    ),
    ("sshd", "all sshd ssh-keygen sshd"),
    ("cronie", "all cronie cronie-crond"),
    ("chronyd", "all chronyd chronyd"),
    ("nginx", "all nginx nginx-test nginx-check nginx"),
    ("mysqld", "all mysqld mysqladmin mysqld"),
    ("postgresql", "all postgresql initdb postgres"),
    ("transmission", "all transmission transmission-daemon"),
    ("runsvdir-alice", "all runsvdir-alice user-runsvdir"),
    ("tor", "all tor tor"),
    ("named", "all named named"),
    ("memcached", "all memcached memcached"),
    ("boinc", "all boinc boinc"),
    ("folding", "all folding fah-client"),
    ("quiet", "all quiet quietd"),
    ("numbers", "all numbers numberd"),
    ("jail", "all jail jaild"),
    ("fetchmail", "all fetchmail fetchmail"),
    ("anacron", "begin anacron; start anacron anacrond; all_once busy; stop anacron; leave anacron"),
    ("setenv", "all setenv setenvd"),
    ("git-daemon", "all git-daemon git-daemon"),
    ("socklog-unix", "all socklog-unix socklog"),
    ("svlogd-prefix", "all svlogd-prefix prefixed"),
    ("crash", "all_once crash"),
    ("killed", "all_once killed"),
    ("usage", "all_once usage"),
    ("missing", "all_once missing"),
    ("no-account", "all_once no-account"),
    ("dnscache", "dt_all dnscache dnscache"),
    (
        "tinydns",
        "dt_begin tinydns; dt_begin in.dhcpd; dt_start tinydns tinydns; dt_start in.dhcpd in.dhcpd
        for service in in.dhcpd tinydns; do dt_stop $service; dt_leave $service; done",
    ),
    ("axfrdns", "dt_all axfrdns axfr-tcpserver"),
    ("qmail-send", "dt_all qmail-send qmail-start"),
    ("qmail-smtpd", "dt_all qmail-smtpd tcpserver"),
    ("qmail-pop3d", "dt_all qmail-pop3d pop3-tcpserver"),
    ("identd", "dt_all identd ident-tcpserver"),
    ("inetd", "all inetd inetd"),
    ("pppd", "dt_all pppd pppd"),
    ("httpd", "dt_all httpd httpd"),
    (
        "locked",
        "dt_begin waiter; dt_once waiter; dt_begin locked; dt_start locked lockedd; dt_start waiter waiterd
        all_once lock-taken; forget lockedd; dt_begin mailing; dt_start mailing mailingd lockedd
        for service in mailing waiter locked; do dt_stop $service; dt_leave $service; done",
    ),
    ("tomcat", "dt_all tomcat catalina"),
    ("kernel-log", "dt_all_once kernel-log"),
    ("stamped", "all stamped stamped"),
    ("multilog-status", "dt_all multilog-status statusd"),
    ("umasked", "dt_all umasked umasked"),
    ("sshd-audit", "all sshd-audit auditd"),
    ("fcron", "all fcron fcrond"),
    ("sv-stop", "all_once sv-stop"),
    ("postfix", "all postfix postfix-script master"),
    ("dnsmasq", "dt_all dnsmasq dnsmasq"),
    ("mini", "all mini minid"),
    (
        "control",
        "begin control; start control controlled; note sv hup control; stated reloader
        note sv status control; stop control; leave control",
    ),
];

/// The programs that scripts end in, those that they call on the way, and those that put themselves into the
/// background: all of them are `tests/programs/daemon.rs`.
const STAY: &str = "getty mingetty sgetty puma gitlab-workhorse redis-server rabbitmq-server pause dbus-daemon
    networkmanager bluetoothd elogind rpc-statd powernowd dhclient sshd cronie-crond chronyd nginx mysqld postgres
    transmission-daemon user-runsvdir tor named memcached boinc fah-client quietd numberd fetchmail anacrond busyd
    setenvd git-daemon socklog prefixed no-accountd dnscache tinydns axfr-tcpserver tcpserver pop3-tcpserver
    ident-tcpserver inetd pppd httpd lockedd catalina in.dhcpd waiterd mailingd stamped statusd umasked qmail-start auditd
    fcrond master dnsmasq minid controlled waits-upd";
const END: &str = "alsactl nft iptables-restore dbus-uuidgen dbus-send ssh-keygen nginx-test nginx-check mysqladmin initdb taken housekeeping
    postfix-script reloader";
const BACKGROUND: &str = "inetd";

/// The accounts, each with its uid.
const ACCOUNTS: &[(&str, u32)] = &[
    ("alice", 5001),
    ("nobody", 5002),
    ("log", 5003),
    ("www", 5004),
    ("git", 5005),
    ("redis", 5006),
    ("opscode", 5007),
    ("messagebus", 5008),
    ("chrony", 5009),
    ("mysql", 5010),
    ("postgres", 5011),
    ("tor", 5012),
    ("bind", 5013),
    ("memcache", 5014),
    ("qmaill", 5015),
    ("qmaild", 5016),
    ("dnscache", 5017),
    ("dnslog", 5018),
    ("tinydns", 5019),
    ("jail", 5020),
    ("fetchmail", 5021),
    ("gitdaemon", 5022),
    ("gitlog", 5023),
    ("tomcat", 5024),
];

/// Groups that are no account's own, with their members.
const GROUPS: &[(&str, u32, &str)] = &[
    ("adm", 5100, "log"),
    ("users", 5101, "alice"),
    ("audio", 5102, "alice"),
    ("backup", 5103, ""),
    ("ssl-cert", 5104, "postgres"),
    ("nogroup", 5105, ""),
];

/// Directories that are there before, with their owner, as an installation makes them.
const DIRECTORIES: &[(&str, &str)] = &[
    ("etc/sv/dnscache/log/main", "dnslog"),
    ("etc/sv/kernel-log/main", "log"),
    ("etc/sv/multilog-status/log/main", "root"),
    ("etc/sv/qmail-pop3d/log/main", "qmaill"),
    ("etc/sv/qmail-smtpd/log/err", "qmaill"),
    ("etc/sv/qmail-smtpd/log/main", "qmaill"),
    ("etc/sv/socklog-unix/log/main/errors", "log"),
    ("etc/sv/socklog-unix/log/main/main", "log"),
    ("etc/sv/svlogd-prefix/log/main", "root"),
    ("etc/sv/tinydns/log/main", "dnslog"),
    ("var/log/gitlab/puma", "root"),
    ("var/log/qmail/send", "qmaill"),
    ("var/opt/gitlab", "git"),
    ("var/opt/rabbitmq", "opscode"),
];

/// Where ours differ, and why: the section, a line of theirs and what ours have instead of it, with `*` for anything
/// and nothing for no line, and the reason.
const DIFFERENCES: &[Difference] = &[
    ("etc/sv/missing/finished", "111 0", "127 0", MISSING),
    ("files", "*/state file 644 *", "", STATE),
    ("messages", "<29> sshd-audit: *", "<30> sshd-audit: *", LEVEL),
    ("out/*.supervisor", "", "*: hint: *", WORDS),
    ("out/*.supervisor", "", "*: warning: svrun: run *", DEATH),
    ("out/*.supervisor", "*: fatal: *", "*: fatal: *", WORDS),
    ("out/usage.supervisor", "", "setuidgid: missing account", WORDS),
    ("out/usage.supervisor", "setuidgid: usage: *", "setuidgid: usage: *", WORDS),
    ("state/*", "", "fd 1 * /dev/null", CHECK),
    ("state/*", "", "lock 3 OFDLCK ADVISORY WRITE", LOCK),
    ("state/*", "fd 1 * pipe 0", "fd 1 * /etc/sv/*/supervise/pipe/fifo", PIPE),
    ("state/*", "fd 2 * pipe 0", "fd 2 * /etc/sv/*/supervise/pipe/fifo", PIPE),
    ("state/*", "fd 3 * /etc/sv", "", CHECK),
    ("state/*", "fd 3 * /etc/sv/*/lock", "fd 3 * /etc/sv/*/lock", LOCK),
    ("state/*", "parent supervise", "parent runsv", SUPERVISE),
    ("state/inetd", "", "fd 1023 * pipe 0", FGHACK),
    ("state/inetd", "fd * pipe 0", "", FGHACK),
    ("state/reloader", "SigBlk 0000000000014000", "SigBlk 0000000000000000", CONTROL),
    ("var/log/gitlab/puma/current", "", "TIME warning: svrun: run killed by SIGINT *", DEATH),
];

const SUPERVISE: &str = "svrun serves the logger too, and is not installed by the name supervise";
const PIPE: &str = "the pipe to the logger is a FIFO with a name, which outlives svrun";
const LOCK: &str = "the lock keeps others out too that lock with fcntl, and its descriptor blocks";
const FGHACK: &str = "one descriptor, of a number that programs do not use, instead of thirty";
const DEATH: &str = "svrun says how run ended";
const MISSING: &str = "a program that is not found is 127";
const LEVEL: &str = "the level of sissylog is info if the line has none";
const CHECK: &str = "./check has its output open, and nothing of sv's";
const CONTROL: &str = "no signal is blocked in a control script";
const STATE: &str = "the file state is there once a processor has written it; multilog makes an empty one";
const WORDS: &str = "errors have the C library's words";

/// All that a run leaves: lines by section.
type Facts = BTreeMap<String, Vec<String>>;

/// The scripts: all files of the services that can be executed.
fn scripts() -> Vec<PathBuf> {
    fn inside(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).unwrap().flatten() {
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                inside(&entry.path(), found);
            } else if kind.is_file() && entry.metadata().unwrap().permissions().mode() & 0o100 != 0 {
                found.push(entry.path());
            }
        }
    }
    let mut found = Vec::new();
    inside(&services(), &mut found);
    found
}

#[test]
fn there_are_at_least_sixty_scripts_and_each_service_is_in_a_scenario() {
    assert!(scripts().len() >= 60, "{}", scripts().len());
    for service in fs::read_dir(services()).unwrap().flatten() {
        let name = service.file_name().into_string().unwrap();
        let is_word =
            |text: &str| text.split(|c: char| c.is_whitespace() || c == ';').any(|word| word == name);
        assert!(SCENARIOS.iter().any(|(_, steps)| is_word(steps)), "{name}");
    }
    for script in scripts() {
        let text = fs::read_to_string(&script).unwrap();
        assert!(text.starts_with("#!/bin/sh"), "{}", script.display());
    }
}

/// What is left under the peers, by all tests that need it.
fn theirs() -> &'static Result<Facts, String> {
    static THEIRS: OnceLock<Result<Facts, String>> = OnceLock::new();
    THEIRS.get_or_init(|| run_in_sandbox(Programs::Theirs))
}

fn assert_as_theirs(programs: Programs, known: &[Difference]) {
    needs!(peers());
    let found = thread::spawn(move || run_in_sandbox(programs));
    let theirs = theirs().as_ref().unwrap_or_else(|error| panic!("{error}"));
    let found = found.join().unwrap().unwrap_or_else(|error| panic!("{error}"));
    let complaints = complaints(theirs, &found, known);
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn scripts_as_people_write_them_do_under_ours_what_they_do_under_the_peers() {
    assert_as_theirs(Programs::Ours, DIFFERENCES);
}

#[test]
fn scripts_as_people_write_them_do_that_with_all_links_in_one_program() {
    assert_as_theirs(Programs::OursInOne, DIFFERENCES);
}

#[test]
fn the_corpus_leaves_the_same_twice_under_the_peers() {
    // No program of ours is there: whatever build is tested, it is the same.
    if !is_of_share(0) {
        return;
    }
    assert_as_theirs(Programs::Theirs, &[]);
}
