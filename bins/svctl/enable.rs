//! svctl-enable: have services started now and at boot, by links in SVDIR.

use common::supervise::Control::Up;
use common::{Cli, Exit, Link, Outcome, options, shown};
use nix::fcntl::AtFlags;
use nix::sys::stat::fstatat;

use super::command::{Command, Goal, Patience};
use super::options::Enough;
use super::order::{Order, Report};
use super::services::Services;
use super::source::{Linked, Source};
use super::{Request, jobs, tree};

/// svctl-enable: have services started now and at boot.
pub const PROGRAM: Link = Link {
    name: "svctl-enable",
    usage: "[-v] [-w seconds] [--now] [--json] service...",
    summary: "have services started now and at boot",
    options: options![
        ("-v", "wait until they have come up, and print what was done"),
        ("-w seconds", "wait at most this long (default: SVWAIT, else 7); implies -v"),
        ("--now", "start them whatever their file down says, and wait"),
        ("--json", "print a JSON object for each service, one per line"),
    ],
    opens: true,
    lent: None,
    run,
};

fn run(cli: &mut Cli) -> Outcome<'_> {
    Err(start(cli).unwrap_or_else(|error| error))
}

/// Makes the links, and waits until the services have come up if that was asked for.
fn start(cli: &mut Cli) -> Result<Exit, Exit> {
    let (request, services, mut out) = Request::of_command_line(cli, "enable")?;
    if services.is_empty() {
        return Err(Exit::usage("missing service"));
    }
    let (now, out) = (request.reach.now, &mut out);
    let waits = now || request.verbose;
    let mut coming = Vec::new();
    for word in services {
        let linked = Source::of(word, request.svsrc)
            .and_then(|source| source.link(&request.names).map(|linked| (source, linked)));
        let (source, linked) = match linked {
            Ok(linked) => linked,
            Err(failure) => {
                out.not_found(word, &failure)?;
                continue;
            }
        };
        let is_down = fstatat(&source.directory, c"down", AtFlags::empty()).is_ok();
        if is_down && !now {
            let name = shown(&source.name);
            out.hint(Some(format!(
                "{name}: its file down keeps it down: 'svctl start {name}', or remove that file"
            )));
        }
        let comes = waits && (now || !is_down);
        match linked {
            Linked::Before if request.verbose && !out.json => out.turned(&source.name, "enabled already")?,
            _ if !comes && (request.verbose || out.json) => out.turned(&source.name, "enabled")?,
            _ => {}
        }
        if comes {
            coming.push(source.name);
        }
    }
    tree::look_now(&request.names);
    if coming.is_empty() {
        return Ok(out.exit());
    }
    let command = if now { Command::send(&[Up], Goal::Up, Patience::Waits) } else { Command::ready() };
    let order = Order { patient: true, ..request.order(&command, Report::All, out) };
    jobs::carry_out(&order, &Services::of(coming), Enough::All, out)?;
    Ok(out.exit())
}
