//! Hundreds of command lines of chpst, each run under runit's and under ours in equal sandboxes. All that is left at
//! the end is compared, item by item: the status, whether anything was said, the files, and the state of the program.
//! A difference is a row of `differences.rs`, with its reason, and a row of which there is no difference fails too.

use std::sync::Mutex;
use std::thread;

use crate::needs;
use crate::nice::lowered;
use crate::support::*;

mod differences;
mod sandbox;
mod table;

use differences::{DIFFERENCES, is};
use sandbox::{Sandbox, Seen, Whose};

#[test]
fn chpst_does_what_runits_does_but_for_the_differences_that_are_named() {
    needs!(mounts(), lowered(), peer("chpst"), tool("setpriv"), tool("script"));
    let lines = table::lines();
    assert!(lines.len() >= 300, "{}", lines.len());
    let place = open_directory();
    let ours: Vec<_> = share(&lines).collect();
    let queue = Mutex::new(ours.iter());
    let work = || {
        let sandbox = Sandbox::new(place.path());
        let mut complaints = Vec::new();
        loop {
            let Some(line) = queue.lock().unwrap().next() else { return complaints };
            let [theirs, ours] = [Whose::Theirs, Whose::Ours].map(|whose| sandbox.run(whose, line));
            complaints.extend(judge(line, &theirs, &ours));
        }
    };
    let mut complaints = thread::scope(|scope| {
        let workers = [scope.spawn(work), scope.spawn(work), scope.spawn(work)];
        workers.map(|worker| worker.join().unwrap()).concat()
    });
    for difference in DIFFERENCES {
        for pattern in difference.lines {
            if !lines.iter().any(|line| is(pattern, line)) {
                complaints.push(format!("no such line: {pattern}"));
            }
        }
    }
    tell(&format!(
        "chpst beside runit: {} of {} lines, {} differences",
        ours.len(),
        lines.len(),
        DIFFERENCES.len()
    ));
    assert!(complaints.is_empty(), "{} complaints:\n{}", complaints.len(), complaints.join("\n"));
}

/// What is wrong with a line.
fn judge(line: &str, theirs: &Seen, ours: &Seen) -> Option<String> {
    let (mut only_theirs, mut only_ours) = (theirs.items(), ours.items());
    only_theirs.retain(|item| !take(&mut only_ours, item));
    let mut wrong = Vec::new();
    for difference in DIFFERENCES.iter().filter(|difference| difference.applies(line, theirs, ours)) {
        for (items, named, whose) in
            [(&mut only_theirs, difference.theirs, '-'), (&mut only_ours, difference.ours, '+')]
        {
            for name in named {
                let there = items.iter().any(|item| is(name, item));
                if !there {
                    wrong.push(format!("named, but not there: {whose} {name} ({})", difference.reason));
                }
                items.retain(|item| !is(name, item));
            }
        }
    }
    if theirs.ran() != ours.ran() {
        // The program's whole state is on one side; what counts of it is named.
        only_theirs.retain(|item| !theirs.state.contains(item));
        only_ours.retain(|item| !ours.state.contains(item));
    }
    wrong.extend(only_theirs.iter().map(|item| format!("- {item}")));
    wrong.extend(only_ours.iter().map(|item| format!("+ {item}")));
    if ours.status != 0 && ours.stderr != theirs.stderr && !is_message(&ours.stderr) {
        wrong.push("not a message of chpst".into());
    }
    if wrong.is_empty() {
        return None;
    }
    wrong.extend(
        [("theirs", theirs), ("ours", ours)]
            .map(|(whose, seen)| format!("{whose} says: {}", seen.stderr.trim_end())),
    );
    Some(format!("{line}:\n  {}", wrong.join("\n  ")))
}

/// Takes one such item away, if there is one.
fn take(items: &mut Vec<String>, item: &str) -> bool {
    let place = items.iter().position(|other| other == item);
    place.is_some_and(|place| {
        items.remove(place);
        true
    })
}

/// Whether this is one message, and perhaps its usage line and a hint; where stderr is closed there is none.
fn is_message(text: &str) -> bool {
    let is_more =
        |line: &str| ["chpst: usage: chpst ", "chpst: hint: "].iter().any(|more| line.starts_with(more));
    let mut lines = text.lines();
    let Some(first) = lines.next() else { return true };
    text.ends_with('\n') && first.starts_with("chpst: ") && !is_more(first) && lines.all(is_more)
}
