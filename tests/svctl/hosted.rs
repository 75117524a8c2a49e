//! svctl with the services of svtree.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::harness::*;
use crate::needs;
use crate::support::*;

/// A run script that announces that it is ready once there is a file `go`.
const READY_ON_GO: &str = "#!/bin/sh\nuntil [ -e go ]; do sleep 0.05; done\necho >&3\nexec sleep 1000\n";

/// Services under svtree. Dropped, nothing of them is left.
struct Forest {
    house: House,
    tree: Option<Child>,
}

impl Forest {
    /// Services with these files, which nobody runs yet.
    fn plant(files: &[(&str, &str)]) -> Self {
        let house = House::new();
        for (path, text) in files {
            house.write(path, text);
        }
        Self { house, tree: None }
    }

    fn start(&mut self) {
        let mut command = prepared("svtree");
        command.arg(".").current_dir(self.house.at("")).stdout(Stdio::null()).stderr(Stdio::null());
        self.tree = Some(command.spawn().unwrap());
    }

    /// The same, under svtree.
    fn grow(files: &[(&str, &str)]) -> Self {
        let mut forest = Self::plant(files);
        forest.start();
        until("svtree does not listen", || forest.house.svctl("rescan").status == 0);
        forest
    }

    /// The status and the output, without numbers.
    fn svctl(&self, words: &str) -> (i32, String) {
        let outcome = self.house.svctl(words);
        (outcome.status, without_numbers(&(outcome.stdout + &outcome.stderr)))
    }

    fn stop(&self) {
        let tree = self.tree.as_ref().unwrap().id();
        signal("TERM", tree);
        until("svtree does not end", || !lives(tree));
    }
}

impl Drop for Forest {
    fn drop(&mut self) {
        if let Some(mut tree) = self.tree.take() {
            let _ = tree.kill(); // it may have ended
            tree.wait().unwrap();
        }
    }
}

#[test]
fn what_a_tree_says_at_once_is_what_its_services_say_one_by_one() {
    let forest = Forest::grow(&[
        ("db/run", STAYS),
        ("off/run", STAYS),
        ("off/down", ""),
        ("web/run", STAYS),
        ("web/log/run", "#!/bin/sh\nexec cat >/dev/null\n"),
        ("worn/run", "#!/bin/sh\nexit 1\n"),
        ("worn/restart-max", "1\n"),
    ]);
    let settled = || forest.house.svctl("list").stdout;
    until("it does not settle", || {
        let list = settled();
        list.contains("gave up") && list.matches(" run ").count() == 2
    });
    // From here on they have lived long enough.
    assert_eq!(forest.house.svctl("-w 60 check db web").status, 0);
    let words = ["list", "list -v", "status", "-w 0 check", "--json list -v", "--json status"];
    // How wide a column is depends on its numbers.
    let asked = |words: &str| {
        let (status, text) = forest.svctl(words);
        (
            status,
            text.lines()
                .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
                .collect::<Vec<_>>(),
        )
    };
    let at_once = words.map(asked);
    std::fs::remove_file(forest.house.at(".tree/socket")).unwrap();
    for (words, at_once) in words.iter().zip(at_once) {
        assert_eq!(asked(words), at_once, "{words}");
    }
}

#[test]
fn a_list_has_no_end_before_the_last_service() {
    let names: Vec<String> = (0..300).flat_map(|i| [format!("s{i}/run"), format!("s{i}/down")]).collect();
    let forest = Forest::grow(&names.iter().map(|name| (name.as_str(), STAYS)).collect::<Vec<_>>());
    until("it does not settle", || forest.house.svctl("-v rescan").stdout.contains(": 300 services"));
    let mut tree = UnixStream::connect(forest.house.at(".tree/socket")).unwrap();
    tree.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    tree.write_all(b"list\n").unwrap();
    let mut lines = BufReader::new(tree).lines().map(|line| line.expect("the rest of the list"));
    let services = lines.by_ref().take_while(|line| line.starts_with("{\"name\":")).count();
    assert_eq!(services, 300);
}

#[test]
fn what_a_service_needs_is_started_first_and_waited_for() {
    let forest = Forest::grow(&[
        ("db/run", READY_ON_GO),
        ("db/notification-fd", "3\n"),
        ("db/down", ""),
        ("web/run", STAYS),
        ("web/needs", "db\n"),
        ("web/down", ""),
    ]);
    assert_eq!(forest.svctl("check"), (0, String::new()));
    let late = "timeout: down: web: Ns, want up, waiting for db\n";
    // A busy machine may not have come so far in that time.
    let outcome = forest.house.late("start web", |outcome| outcome.stdout.contains("waiting for"));
    let said = without_numbers(&(outcome.stdout + &outcome.stderr));
    assert_eq!((outcome.status, &*said), (1, late));
    assert_eq!(forest.svctl("status web"), (0, late.strip_prefix("timeout: ").unwrap().into()));
    let outcome = forest.house.svctl("--json status web").stdout;
    assert!(outcome.contains("\"hold\":\"waiting for\",\"reason\":null,\"needs\":\"db\","), "{outcome}");
    let not_ready = "timeout: run: db: (pid N) Ns, normally down, not ready";
    let unwell = forest.house.late("check", |outcome| without_numbers(&outcome.stdout).contains(not_ready));
    let unwell = without_numbers(&unwell.stdout);
    let mut lines: Vec<_> = unwell.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, [late.trim_end(), not_ready]);
    forest.house.write("db/go", "");
    assert_eq!(forest.svctl("-w 600 start web"), (0, "ok: run: web: (pid N) Ns, normally down\n".into()));
    assert_eq!(forest.svctl("-w 600 check"), (0, String::new()));
    forest.stop();
}

#[test]
fn a_one_shot_that_is_done_is_well() {
    let forest =
        Forest::grow(&[("mount/setup", "#!/bin/sh\n>done\n"), ("web/run", STAYS), ("web/needs", "mount\n")]);
    assert_eq!(forest.svctl("-w 600 check"), (0, String::new()));
    assert_eq!(forest.svctl("status"), (0, "done: mount: Ns\nrun: web: (pid N) Ns\n".into()));
    assert_eq!(forest.svctl("-w 600 restart mount"), (0, "ok: done: mount: Ns\n".into()));
    assert_eq!(forest.svctl("-w 600 stop mount"), (0, "ok: down: mount: Ns, normally up\n".into()));
    assert_eq!(forest.svctl("-w 600 start mount"), (0, "ok: done: mount: Ns\n".into()));
    // One that fails is not.
    forest.house.write("mount/setup", "#!/bin/sh\nexit 1\n");
    assert_eq!(forest.svctl("-w 0.3 restart mount").0, 1);
    assert_eq!(forest.svctl("-w 0.3 check").0, 1);
}

#[test]
fn a_service_starts_alone_where_it_is_asked_to() {
    let forest = Forest::grow(&[
        ("db/run", STAYS),
        ("db/down", ""),
        ("web/run", STAYS),
        ("web/needs", "db\n"),
        ("web/down", ""),
    ]);
    assert_eq!(forest.svctl("-w 600 start web -o"), (0, "ok: run: web: (pid N) Ns, normally down\n".into()));
    assert_eq!(forest.svctl("status db"), (0, "down: db: Ns\n".into()));
}

#[test]
fn a_tree_that_is_only_being_started_is_waited_for() {
    let mut forest = Forest::plant(&[("db/run", STAYS), ("web/run", STAYS), ("web/needs", "db\n")]);
    let waits = ["-w 600 start web", "-w 600 check db", "-w 600 check"]
        .map(|words| Background::start(&mut forest.house.command("svctl", words)));
    for waiting in &waits {
        waiting.wait_until_in(LOOKING);
    }
    forest.start();
    let said = waits.map(|waiting| {
        let outcome = waiting.finish();
        (outcome.status, without_numbers(&outcome.stdout))
    });
    let ok = |name: &str| (0, format!("ok: run: {name}: (pid N) Ns\n"));
    assert_eq!(said, [ok("web"), ok("db"), (0, String::new())]);
}

#[test]
fn rescan_and_events_know_a_service_that_appears() {
    let forest = Forest::grow(&[("db/run", STAYS)]);
    let listen = Background::start(
        sh("exec svctl events >events").current_dir(forest.house.at("")).env("SVDIR", forest.house.at("")),
    );
    let heard = |what: &str| until(what, || forest.house.text("events").contains(what));
    heard("run: db: (pid ");
    forest.house.write("web/run", STAYS);
    let directory = forest.house.at("").display().to_string();
    let two = format!("ok: {}: 2 services\n", directory.trim_end_matches('/'));
    until("it is not counted", || forest.house.svctl("-v rescan").stdout == two);
    until("it is not an event", || {
        let events = forest.house.text("events");
        events.contains("run: web: (pid ") || events.contains(" web: run started (pid ")
    });
    signal("KILL", listen.pid());
    listen.finish();
}

#[test]
fn the_controller_of_the_examples_drives_a_tree_over_one_connection() {
    needs!(tool("perl"));
    let modules = Command::new("perl").args(["-MJSON::PP", "-MIO::Socket::UNIX", "-e1"]).output();
    needs!(
        modules.is_ok_and(|found| found.status.success()).then_some(()).ok_or("JSON::PP of perl".to_owned())
    );
    let forest = Forest::grow(&[
        ("db/run", STAYS),
        ("db/restart-delay", "0\n"),
        ("web/run", "#!/bin/sh\necho x >>runs\nexec sleep 1000\n"),
        ("web/finish", "#!/bin/sh\n[ -e broken ] && exit 125\nexit 0\n"),
        ("web-sorry/run", STAYS),
        ("web-sorry/down", ""),
    ]);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/controller");
    let controller =
        Background::start(sh(&format!("exec perl {script} . >said 2>&1")).current_dir(forest.house.at("")));
    let said = || forest.house.text("said");
    let heard = |what: &str| until(what, || said().contains(what));
    heard("web: run\n");
    let runs = |count: usize| until("web runs", || forest.house.text("web/runs").lines().count() == count);
    runs(1);
    for _ in 0..3 {
        // With -v it waits for another db, which can be killed.
        assert_eq!(forest.house.svctl("-v -w 600 kill db").status, 0);
    }
    // Another web, after three deaths of db and not before.
    heard("asking: @web restart\n");
    assert_eq!(said().matches("db: died: SIGKILL\n").count(), 3, "{}", said());
    runs(2);
    forest.house.write("web/broken", "");
    assert_eq!(forest.house.svctl("kill web").status, 0);
    heard("web: gave up\nasking: @web-sorry up\n");
    heard("web-sorry: start\n");
    forest.stop();
    controller.finish();
    assert!(said().ends_with("the tree has ended\n"), "{}", said());
}
