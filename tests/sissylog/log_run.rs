//! `log/run` itself a link to sissylog, under the supervisors.

use std::fs;

use nix::sys::signal::Signal;

use super::harness::*;
use crate::needs;
use crate::support::*;

/// A service `web` that `www` leads to, as /etc/service/www does to /etc/sv/web, with this command in it. Each run
/// writes a line.
const SERVICE: &str = r#"
mkdir -p sv/web/log service
printf '#!/bin/sh\necho "warning: hello"\nexec sleep 1000\n' >sv/web/run
chmod 755 sv/web/run
ln -s "$B/sissylog" sv/web/log/run
ln -s ../sv/web service/www
cd service
"#;

/// The message that comes from the service under this supervisor.
fn assert_named(supervisor: &str) {
    let world = World::new();
    let mut syslogd = world.syslogd(Kind::Datagrams);
    let mut running = world.start_as(&format!("{SERVICE}\nexec {supervisor} www"), &[]);
    let message = syslogd.next();
    running.signal(Signal::SIGTERM);
    assert_eq!(running.ended(), 0);
    let found = (message.facility, message.level, &*message.ident, &*message.text);
    assert_eq!(found, (3, 4, "web: ", "warning: hello"), "{}", world.stderr());
    assert_eq!(world.stderr(), "");
}

#[test]
fn under_svrun_the_ident_is_the_name_of_the_service() {
    needs!(mounts());
    assert_named("\"$B/svrun\"");
}

#[test]
fn under_runsv_the_ident_is_the_name_of_the_service() {
    needs!(mounts(), peer("runsv"));
    assert_named(&peer("runsv").unwrap());
}

#[test]
fn under_daemontools_supervise_the_ident_is_the_name_of_the_service() {
    needs!(mounts(), peer("supervise"), tool("svc"));
    let world = World::new();
    let mut syslogd = world.syslogd(Kind::Datagrams);
    // svscan starts a supervise for each of the two.
    let script = format!("{SERVICE}\nexec {} www/log <../pipe", peer("supervise").unwrap());
    let mut running = world.start_as(&script, &[]);
    fs::write(world.path("pipe"), "a line\n").unwrap();
    let message = syslogd.next();
    assert_eq!(run_in(world.path("sv/web/log"), "svc -dx ."), prints(""));
    assert_eq!(running.ended(), 0);
    assert_eq!(&*message.ident, "web: ");
}

#[test]
fn a_log_directory_elsewhere_does_not_name_the_service() {
    needs!(mounts());
    let world = World::new();
    let mut syslogd = world.syslogd(Kind::Datagrams);
    let moved =
        format!("{SERVICE}\nmv ../sv/web/log ../logs; ln -s ../../logs ../sv/web/log\nexec \"$B/svrun\" www");
    let mut running = world.start_as(&moved, &[]);
    let message = syslogd.next();
    running.signal(Signal::SIGTERM);
    assert_eq!(running.ended(), 0);
    assert_eq!(&*message.ident, "sissylog: ");
}
