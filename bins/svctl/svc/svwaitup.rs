//! svwaitup: wait until services have been up for a while. It is runit's, which no longer installs it.

use std::time::Duration;

use common::quantity::number;
use common::{Cli, Exit, Link, Outcome, Short, options, shown};

use super::service;
use crate::svctl::failure::words;
use crate::svctl::order::ABSENT;
use crate::svctl::out::complain;
use crate::svctl::status::{State, Want};
use crate::svctl::style::Dialect;
use crate::svctl::{conn, files};

/// svwaitup: wait until services have been up for a while.
pub(super) const SVWAITUP: Link = Link {
    name: "svwaitup",
    usage: "[-v] [-s seconds] dir...",
    summary: "wait until each service has been up for a while",
    options: options![
        ("-v", "say of each service when it has been up for that long"),
        ("-s seconds", "how long it has to be up: 1 to 600 (default 2)"),
    ],
    opens: true,
    lent: None,
    run,
};

/// The longest time that may be asked for.
const LONGEST: u64 = 600;

fn run(cli: &mut Cli) -> Outcome<'_> {
    let (mut seconds, mut verbose) = (2, false);
    // Its usage error is no 100, which is the number of services that failed.
    let usage = |error: Exit| if error.status() == 100 { error.with_status(1) } else { error };
    while let Some(option) = cli.option().map_err(usage)? {
        match option {
            Short('v') => verbose = true,
            Short('s') => {
                let value = cli.value().map_err(usage)?;
                let problem = || usage(Exit::value("not 1 to 600 seconds", value));
                let within = |seconds: &u64| (1..=LONGEST).contains(seconds);
                seconds = number(value).filter(within).ok_or_else(problem)?;
            }
            other => return Err(usage(Exit::unexpected(other))),
        }
    }
    let directories = cli.unread();
    if directories.first().is_none() {
        return Err(usage(Exit::usage("missing dir")));
    }
    let mut failed = 0;
    for directory in directories {
        let name = shown(directory.to_bytes());
        match wait(directory.to_bytes(), seconds) {
            Ok(up) if verbose => complain(format!("svwaitup: {name}: is up ({up} seconds)\n").as_bytes()),
            Ok(_) => {}
            Err(problem) => {
                failed += 1;
                complain(format!("svwaitup: warning: {name}: {problem}\n").as_bytes());
            }
        }
    }
    Err(Exit::answer(failed.min(100), ""))
}

/// Waits until it has been up for this long; returns for how long it has been. One that is down and wanted up is about
/// to start.
fn wait(name: &[u8], seconds: u64) -> Result<u64, String> {
    let place = service(name)
        .map_err(|errno| format!("unable to change directory: {}", words(errno, Dialect::Runit)))?;
    loop {
        let status = files::status(&place).map_err(|failure| failure.reason(Dialect::Runit))?;
        let status = status.ok_or("runsv not running.")?;
        let pause = match status.state {
            State::Run if status.seconds >= seconds => return Ok(status.seconds),
            State::Run => Duration::from_secs(seconds - status.seconds),
            _ if status.want == Some(Want::Up) => ABSENT,
            _ => return Err("is down.".to_owned()),
        };
        // The bytes are looked at again, however long it took.
        conn::wait(&mut [], pause);
    }
}
