//! How a service is, whichever way that can be known.

use std::time::Duration;

use common::{Error, shown};

use super::names::Names;
use super::out::{Out, Style, print};
use super::socket::Conn;
use super::status::Status;
use super::sv;
use super::trouble::Trouble;

/// How long a supervisor may take to say how it is. Later than that, its files say it.
pub(super) const LIMIT: Duration = Duration::from_secs(1);

/// What the socket says.
pub(super) fn by_socket(names: &Names, name: &[u8]) -> Option<Status> {
    Status::from_json(&Conn::open(names, name)?.ask("status", LIMIT)?)
}

/// What the socket says or else the status bytes, `None` without a supervisor.
pub(super) fn status(names: &Names, name: &[u8]) -> Result<Option<Status>, Trouble> {
    by_socket(names, name).map_or_else(|| sv::status(names, name), |status| Ok(Some(status)))
}

/// The command `status`.
pub(super) fn show(names: &Names, services: &[&'static [u8]], out: &mut Out) -> Result<Error, Error> {
    for name in services {
        let failed = match status(names, name) {
            Ok(Some(status)) => {
                show_one(names, name, &status, out)?;
                if out.style == Style::Script {
                    return Ok(Error::answer(Out::script(&status), ""));
                }
                continue;
            }
            Ok(None) => Trouble::gone(),
            Err(trouble) => trouble,
        };
        let _ = names.enter(name); // for what its hint looks at
        out.trouble(names, name, &failed)?;
        if out.style == Style::Script && failed.sign == "warning" {
            return Ok(Error::answer(4, ""));
        }
    }
    Ok(out.exit())
}

fn show_one(names: &Names, name: &'static [u8], status: &Status, out: &mut Out) -> Result<(), Error> {
    if out.json {
        return out.done("", name, status);
    }
    let _ = names.enter(name); // where the status is from
    let mut line = out.line(name, status);
    let mut warning = None;
    match nix::unistd::chdir(c"log") {
        Err(nix::errno::Errno::ENOENT) => {}
        Err(errno) => {
            warning = Some(Trouble::warns("unable to change to log service directory", Some(errno)));
        }
        Ok(()) => {
            let by_socket = Conn::open(names, name).and_then(|mut conn| {
                conn.turn_to_log();
                Status::from_json(&conn.ask("status", LIMIT)?)
            });
            let _ = names.enter(name).map(|()| nix::unistd::chdir(c"log"));
            match by_socket.map_or_else(sv::here, |status| Ok(Some(status))) {
                Ok(Some(log)) => line.extend([b"; ", &out.line(b"log", &log)[..]].concat()),
                Ok(None) => warning = Some(Trouble::gone()),
                Err(trouble) => warning = Some(trouble),
            }
        }
    }
    if let Some(trouble) = warning {
        let reason = trouble.reason(out.style != Style::Svctl);
        out.failed();
        line.extend(format!("; {}: {}/log: {reason}", trouble.sign, shown(name)).bytes());
    }
    line.push(b'\n');
    print(&line)
}
