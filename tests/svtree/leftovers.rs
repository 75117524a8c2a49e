//! What runs leave behind in their cgroups.

use std::fs;

use super::harness::*;
use crate::needs;
use crate::support::*;

/// Leaves behind a session without a parent, and one that is another process at each look.
const SCATTERS: &str = "#!/bin/sh
(setsid sh -c 'sleep 1000001; :' >/dev/null 2>&1 &)
(setsid ./chase >/dev/null 2>&1 &)
echo start ${PWD##*/} $$ >>$D/lines
exec sleep 1000000
";

fn is_scattered(group: &OwnGroup) -> bool {
    let procs = fs::read_to_string(group.path().join("cgroup.procs")).unwrap_or_default();
    let members: Vec<_> = procs.lines().map(|pid| cmdline(pid.parse().unwrap())).collect();
    members.iter().any(|words| words == "sleep 1000001")
        && members.iter().any(|words| words.ends_with("./chase"))
}

fn is_empty(group: &OwnGroup) -> bool {
    fs::read_to_string(group.path().join("cgroup.events")).unwrap().starts_with("populated 0")
}

#[test]
fn the_cgroup_of_a_services_name_is_killed_when_its_run_ends_and_no_other() {
    needs!(cgroups());
    let groups = ["first", "second"].map(OwnGroup::new);
    let [first, second] = [&*groups[0].0, &*groups[1].0];
    let mut tree = Tree::prepare(&[]);
    for group in &groups {
        let events = group.path().join("cgroup.events");
        let finish =
            format!("#!/bin/sh\necho ${{PWD##*/}} $(grep populated {}) >>$D/lines\n", events.display());
        let files = [
            ("run", "#!/bin/sh\nexec cgroup ./${PWD##*/} ./daemon\n"),
            ("daemon", SCATTERS),
            ("chase", "#!/bin/sh\n./chase &\n"),
            ("finish", &finish),
            ("restart-delay", "0"),
            ("leftovers", "cgroup\n"),
        ];
        tree.add(&group.0, &files);
    }
    tree.supervise();
    let runs = groups.each_ref().map(|group| tree.started(1, &group.0));
    tree.until("all they leave", || groups.iter().all(is_scattered));
    send_signal(runs[0], nix::sys::signal::Signal::SIGKILL);
    assert_eq!(tree.nth(1, &format!("{first} populated")), "0");
    let again = tree.started(2, first);
    tree.until("all it leaves", || is_scattered(&groups[0]));
    tree.until("the other lives on", || is_scattered(&groups[1]) && lives(runs[1]));

    // The next tree ends what another's run has left behind.
    tree.kill();
    send_signal(again, nix::sys::signal::Signal::SIGKILL);
    tree.until("all it leaves", || is_scattered(&groups[0]));
    tree.supervise();
    assert_eq!(tree.nth(2, &format!("{first} populated")), "0");
    tree.started(3, first);
    tree.until("all it leaves", || is_scattered(&groups[0]));
    assert_eq!((tree.until_run(second), lives(runs[1])), (runs[1], true));

    tree.send(second, "d");
    assert_eq!(tree.nth(1, &format!("{second} populated")), "0");
    tree.until_stat(second, "down");
    tree.until("the other lives on", || is_empty(&groups[1]) && is_scattered(&groups[0]));
    tree.stop();
    assert!(groups.iter().all(is_empty));
    assert_eq!(tree.said("unable"), 0, "{}", tree.stderr());
    assert_eq!(
        tree.said("warning: svtree: run left processes behind in the cgroup ./"),
        4,
        "{}",
        tree.stderr()
    );
}

#[test]
fn a_cgroup_with_the_tree_in_it_is_never_killed() {
    needs!(cgroups());
    let group = OwnGroup::new("whole-tree");
    let run = "#!/bin/sh\nsleep 1000001 >/dev/null &\necho start a $$ >>$D/lines\nexec sleep 1000000\n";
    let leftovers = format!("cgroup /{}\n", group.0);
    let mut tree = Tree::prepare(&[("b/run", PUPPET)]);
    tree.add("a", &[("run", run), ("leftovers", &leftovers), ("restart-delay", "0")]);
    tree.supervise_by(tree.command_behind(&["cgroup", &format!("/{}", group.0)]));
    let puppet = tree.started(1, "b");
    for count in 1..=3 {
        send_signal(tree.started(count, "a"), nix::sys::signal::Signal::SIGKILL);
    }
    tree.started(4, "a");
    let line = format!("unable to kill the cgroup /{}: the supervisor itself is in it", group.0);
    assert_eq!((tree.said(&line), lives(puppet)), (1, true), "{}", tree.stderr());
    tree.assert_supervised();
}
