//! `svtree -n`: the services, whom they need, and what is wrong with that. Nothing is started, and nothing is written.

use std::os::fd::AsFd;

use common::{Exit, OrFail, Voice, clock, shown};

use super::command_line::Place;
use super::needs::Graph;
use super::scan::{Change, Notice, Scan, Way};
use super::service_needs;

/// Prints a line for each service, in an order in which they can start: its name, and those of what it needs. The status is
/// 1 where something would hold one of them back, which is reported.
pub(super) fn check(called: &'static [u8], place: Place) -> Exit {
    report(called, place).unwrap_or_else(|error| error)
}

fn report(called: &'static [u8], place: Place) -> Result<Exit, Exit> {
    let Place::Directory(path) = place else { return Ok(Exit::answer(0, "")) };
    let voice = Voice { called, directory: path.to_bytes(), part: b"" };
    let now = clock::monotonic();
    let opened = Scan::open(path, Way::Poll, now);
    let mut scan = opened.or_fail(format_args!("open {}", shown(path.to_bytes())))?;
    scan.look(now);
    let (mut graph, mut needs, mut flawed) = (Graph::default(), Vec::new(), false);
    while let Some(change) = scan.next() {
        match change {
            Change::Appeared { name, directory, .. } => {
                let text = service_needs::read(directory.as_fd(), voice);
                graph.set(needs.len(), name.to_bytes(), service_needs::names(&text));
                needs.push(text);
            }
            Change::Notice(notice @ (Notice::Twin { .. } | Notice::Unreadable { .. } | Notice::Lost(_))) => {
                notice.report(voice);
                flawed = true;
            }
            Change::Notice(_) | Change::Renamed { .. } | Change::Vanished { .. } => {}
        }
    }
    graph.flaws(|flaw| {
        voice.warning(&[&flaw.words()]);
        flawed = true;
    });
    let mut text = Vec::new();
    let mut listed = vec![false; needs.len()];
    for last in graph.in_order() {
        for slot in graph.to_start(last, |_| false).into_iter().chain([last]) {
            if !std::mem::replace(&mut listed[slot], true) {
                text.extend_from_slice(graph.name(slot).unwrap_or_default());
                for (i, need) in service_needs::names(&needs[slot]).enumerate() {
                    text.extend_from_slice(if i == 0 { b": " } else { b" " });
                    text.extend_from_slice(need);
                }
                text.push(b'\n');
            }
        }
    }
    Ok(Exit::answer(i32::from(flawed), String::from_utf8_lossy(&text).into_owned()))
}
