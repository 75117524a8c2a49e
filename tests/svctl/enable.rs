//! svctl-enable and svctl-disable: the link in SVDIR, and what becomes of the service.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Child, Stdio};

use nix::errno::Errno;

use super::harness::*;
use crate::needs;
use crate::support::*;

/// It writes a line whenever it starts.
const COUNTS: &str = "#!/bin/sh\necho >>starts\nexec sleep 1000\n";

/// Service directories in `sv`, links to them in `service`, and, where it is there, whoever looks at those.
struct World {
    house: House,
    scanner: Option<Child>,
}

impl World {
    fn new(files: &[(&str, &str)]) -> Self {
        let house = House::new();
        fs::create_dir_all(house.at("service")).unwrap();
        for (path, text) in files {
            house.write(path, text);
        }
        Self { house, scanner: None }
    }

    /// The same, and this program looks at the links.
    fn under(scanner: &str, files: &[(&str, &str)]) -> Self {
        let mut world = Self::new(files);
        let mut command = prepared(scanner);
        command.arg("service").current_dir(world.house.at("")).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        world.scanner = Some(command.spawn().unwrap());
        if scanner == "svtree" {
            until("svtree does not listen", || world.svctl("rescan").status == 0);
        }
        world
    }

    fn svctl(&self, words: &str) -> Outcome {
        let mut command = self.house.command("svctl", words);
        run(command.env("SVDIR", self.house.at("service")).env("SVSRC", self.house.at("sv")))
    }

    /// Succeeds, and prints these lines, in any order, without numbers.
    #[track_caller]
    fn says(&self, words: &str, stdout: &str) {
        let outcome = self.svctl(words);
        let sorted = |text: &str| {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        let said = (outcome.status, sorted(&without_numbers(&outcome.stdout)), outcome.stderr);
        assert_eq!(said, (0, sorted(stdout), String::new()), "{words}");
    }

    /// Fails for one service, and says this of it and to do that.
    #[track_caller]
    fn refuses(&self, words: &str, why: &str, hint: &str) {
        let here = self.house.at("").display().to_string();
        let here = here.trim_end_matches('/');
        let outcome = self.svctl(words);
        let said = (outcome.status, outcome.stdout.replace(here, ""), outcome.stderr.replace(here, ""));
        let hint = if hint.is_empty() { String::new() } else { format!("svctl: hint: {hint}\n") };
        assert_eq!(said, (1, format!("fail: {why}\n"), hint), "{words}");
    }

    /// Where a link leads to; nothing where there is none.
    fn link(&self, name: &str) -> String {
        let link = fs::read_link(self.house.at("service").join(name));
        link.map_or_else(|_| String::new(), |to| to.display().to_string())
    }

    fn starts(&self, name: &str) -> usize {
        fs::read_to_string(self.house.at(&format!("sv/{name}/starts"))).unwrap_or_default().len()
    }

    /// Whether anybody has the service.
    fn is_served(&self, name: &str) -> bool {
        let status = self.house.svctl(&format!("status ./sv/{name}"));
        status.status == 0
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(mut scanner) = self.scanner.take() {
            scanner.kill().unwrap(); // it is to start nothing more
            scanner.wait().unwrap();
        }
    }
}

#[test]
fn enable_links_a_directory_from_where_they_are_kept_or_from_a_path() {
    let world = World::new(&[
        ("sv/web/run", STAYS),
        ("own/db/run", STAYS),
        ("own/once/setup", STAYS),
        ("sv/getty@/run", STAYS),
    ]);
    let at = |path: &str| world.house.at("").canonicalize().unwrap().join(path).display().to_string();
    world.says("enable web", "");
    world.says("enable ./own/db", "");
    world.says(&format!("enable {}///", world.house.at("own/once").display()), "");
    world.says("enable getty@tty1", "");
    assert_eq!(world.link("web"), at("sv/web"));
    assert_eq!(world.link("db"), at("own/db"));
    assert_eq!(world.link("once"), world.house.at("own/once").display().to_string());
    assert_eq!(world.link("getty@tty1"), at("sv/getty@"));
    // Once more it is the same.
    world.says("enable web", "");
    world.says("enable ./own/db getty@tty1", "");
    world.says("--json enable web", "{\"service\":\"web\",\"ok\":true,\"enabled\":true}\n");
    let outcome = world.svctl("-v -w 0 enable web");
    assert!(outcome.stdout.starts_with("ok: web: enabled already\n"), "{outcome:?}");
    world.says("disable web ./own/db once getty@tty1", "");
    assert_eq!(fs::read_dir(world.house.at("service")).unwrap().count(), 0);
    world.says("-v disable web ./own/db", "ok: web: disabled\nok: ./own/db: disabled\n");
    world.says("--json disable web", "{\"service\":\"web\",\"ok\":true,\"enabled\":false}\n");
}

#[test]
fn what_is_there_by_another_meaning_stays() {
    let world = World::new(&[
        ("sv/web/run", STAYS),
        ("sv/db/run", STAYS),
        ("own/web/run", STAYS),
        ("service/db/run", STAYS),
    ]);
    symlink("../own/web", world.house.at("service/web")).unwrap();
    world.refuses(
        "enable web",
        "web: /service/web leads to ../own/web",
        "'svctl disable web' removes that link",
    );
    world.refuses("enable db", "db: there is another /service/db, which is no link", "");
    world.refuses(
        "disable db",
        "db: /service/db is no link: it is kept there, and stays",
        "'touch /service/db/down' keeps it down after a boot, 'svctl stop' until then",
    );
    world.refuses(
        "disable ./sv/web",
        "./sv/web: /service/web leads to ../own/web",
        "'svctl disable web' removes that link",
    );
    assert_eq!(world.link("web"), "../own/web");
    assert!(world.house.at("service/db/run").exists());
    // What is kept in SVDIR is enabled.
    world.says("enable ./service/db", "");
    fs::write(world.house.at("service/file"), "").unwrap();
    world.house.write("sv/file/run", STAYS);
    world.refuses("enable file", "file: there is another /service/file, which is no link", "");
}

#[test]
fn only_a_service_directory_can_be_enabled() {
    let world = World::new(&[("sv/empty/notes", ""), ("sv/.hidden/run", STAYS), ("file", "")]);
    let kept = "service directories are in /sv or where SVSRC says, or write a path";
    let missing = says(Errno::ENOENT);
    world.refuses("enable web", &format!("web: unable to open /sv/web: {missing}"), kept);
    world.refuses("disable web", &format!("web: unable to open /sv/web: {missing}"), kept);
    world.refuses("enable empty", "empty: there is no run in /sv/empty", kept);
    world.refuses("enable a/b", "a/b: not a name", "a path begins with a dot or a slash");
    world.refuses("enable ./sv/.hidden", "./sv/.hidden: no service has a name that begins with a dot", "");
    world.refuses("enable ./none", &format!("./none: unable to open /none: {missing}"), "");
    assert_eq!(fs::read_dir(world.house.at("service")).unwrap().count(), 0);
    for program in ["enable", "disable"] {
        assert_eq!(world.svctl(program), misuse(&format!("svctl-{program}"), "missing service"));
    }
    assert_eq!(world.svctl("start --now a"), misuse("svctl", "invalid option '--now'"));
}

#[test]
fn disable_removes_nothing_of_a_service_directory() {
    let world = World::new(&[("sv/web/run", STAYS), ("logs/run", STAYS)]);
    symlink("../../logs", world.house.at("sv/web/log")).unwrap();
    world.says("enable web", "");
    world.refuses("disable web/log", "web/log: not a name", "a path begins with a dot or a slash");
    world.refuses("disable w*/log", "web/log: not a name", "a path begins with a dot or a slash");
    assert!(world.house.at("sv/web/log").is_symlink());
    assert!(!world.link("web").is_empty());
}

#[test]
fn a_relative_path_ends_in_the_name_of_the_service() {
    let world = World::new(&[("web-2/run", STAYS)]);
    symlink("web-2", world.house.at("web")).unwrap();
    world.says("enable ./web", "");
    let here = world.house.at("").canonicalize().unwrap();
    assert_eq!(world.link("web"), here.join("web").display().to_string());
    world.says("-v disable ./web", "ok: web: disabled\n");
    assert_eq!(fs::read_dir(world.house.at("service")).unwrap().count(), 0);
}

#[test]
fn the_directory_of_instances_is_not_enabled_itself() {
    let world = World::new(&[("sv/getty@/run", STAYS)]);
    let hint = "name an instance: 'svctl enable getty@NAME'";
    let problem = "the directory of instances is no service itself";
    world.refuses("enable getty@", &format!("getty@: {problem}"), hint);
    world.refuses("enable ./sv/getty@", &format!("./sv/getty@: {problem}"), hint);
    assert_eq!(fs::read_dir(world.house.at("service")).unwrap().count(), 0);
}

#[test]
fn a_link_that_leads_nowhere_is_removed() {
    let world = World::new(&[]);
    symlink("../sv/gone", world.house.at("service/gone")).unwrap();
    world.says("-v disable gone", "ok: gone: disabled\n");
    symlink("round", world.house.at("service/round")).unwrap();
    world.says("-v disable round", "ok: round: disabled\n");
    // To be named twice does no harm, as two who do it at once do none.
    symlink("../sv/gone", world.house.at("service/gone")).unwrap();
    world.says("-v disable gone gone", "ok: gone: disabled\nok: gone: disabled\n");
    assert_eq!(fs::read_dir(world.house.at("service")).unwrap().count(), 0);
}

#[test]
fn under_a_tree_enable_waits_until_the_service_is_up_and_disable_leaves_nothing() {
    let ready = "#!/bin/sh\nuntil [ -e go ]; do sleep 0.05; done\necho >>starts\necho >&3\nexec sleep 1000\n";
    let world = World::under(
        "svtree",
        &[
            ("sv/web/run", COUNTS),
            ("sv/db/run", ready),
            ("sv/db/notification-fd", "3\n"),
            ("sv/log/run", COUNTS),
            ("sv/log/log/run", "#!/bin/sh\nexec cat >/dev/null\n"),
        ],
    );
    world.says("-v enable web log", "ok: run: web: (pid N) Ns\nok: run: log: (pid N) Ns\n");
    // A busy machine may not run it in that time, either.
    let late = "timeout: run: db: (pid N) Ns, not ready\n";
    until("it does not run", || {
        let outcome = world.svctl("-w 0.5 enable db");
        assert_eq!(outcome.status, 1, "{outcome:?}");
        without_numbers(&outcome.stdout).trim_start_matches("ok: db: enabled already\n") == late
    });
    world.house.write("sv/db/go", "");
    world.says("-w 60 enable db", "ok: db: enabled already\nok: run: db: (pid N) Ns\n");
    world.says("-w 60 -v disable web db log", "ok: web: disabled\nok: db: disabled\nok: log: disabled\n");
    for name in ["web", "db", "log"] {
        assert_eq!(
            (world.starts(name), world.link(name), world.is_served(name)),
            (1, String::new(), false),
            "{name}"
        );
    }
    // And again.
    world.says("-w 60 enable web", "ok: run: web: (pid N) Ns\n");
    assert_eq!(world.starts("web"), 2);
}

#[test]
fn a_file_down_keeps_an_enabled_service_down_but_not_with_now() {
    let world = World::under("svtree", &[("sv/web/run", STAYS), ("sv/web/down", "")]);
    let hint = "svctl: hint: web: its file down keeps it down: 'svctl start web', or remove that file\n";
    let outcome = world.svctl("-v enable web");
    assert_eq!(outcome, Outcome { stderr: hint.into(), ..prints("ok: web: enabled\n") });
    until("it is not there", || world.svctl("status web").status == 0);
    world.says("status web", "down: web: Ns\n");
    world.says(
        "-w 60 enable --now web",
        "ok: web: enabled already\nok: run: web: (pid N) Ns, normally down\n",
    );
    world.says("disable --now web", "");
    assert_eq!((world.link("web"), world.is_served("web")), (String::new(), false));
}

#[test]
fn nothing_is_removed_of_a_service_that_does_not_stop() {
    let world = World::under(
        "svtree",
        &[
            ("sv/web/run", "#!/bin/sh\ntrap '' TERM\necho >ready\nwhile :; do sleep 0.1; done\n"),
            ("sv/db/run", COUNTS),
        ],
    );
    world.says("-w 60 enable web db", "ok: run: web: (pid N) Ns\nok: run: db: (pid N) Ns\n");
    until("it is not ready", || world.house.at("sv/web/ready").exists());
    // A busy machine may not stop the other one in that time, either.
    until("the other one is not disabled", || {
        let said = without_numbers(&world.svctl("-w 0.5 disable web db").stdout);
        assert!(said.contains("timeout: run: web: (pid N) Ns, want down"), "{said}");
        assert!(!world.link("web").is_empty());
        said.lines().any(|line| line == "ok: db: disabled") && world.link("db").is_empty()
    });
    world.says("kill web", "");
    world.says("-w 60 disable web", "ok: web: disabled\n");
    assert!(world.link("web").is_empty());
}

#[test]
fn under_runsvdir_the_supervisor_has_left_before_disable_ends() {
    needs!(peer("runsvdir"));
    let world = World::under(
        &peer("runsvdir").unwrap(),
        &[("sv/web/run", COUNTS), ("sv/web/log/run", "#!/bin/sh\nexec cat >/dev/null\n")],
    );
    world.says("-w 60 enable web", "ok: run: web: (pid N) Ns\n");
    world.says("-w 60 disable web", "ok: web: disabled\n");
    assert_eq!((world.starts("web"), world.link("web"), world.is_served("web")), (1, String::new(), false));
}

#[test]
fn without_anybody_who_looks_a_supervisor_of_its_own_leaves_too() {
    let mut world = World::new(&[("sv/web/run", COUNTS)]);
    world.says("enable web", "");
    world.house.start(&svrun(), "sv/web");
    world.says("-w 60 enable web", "ok: web: enabled already\nok: run: web: (pid N) Ns\n");
    world.says("disable w*", "");
    assert_eq!((world.link("web"), world.is_served("web")), (String::new(), false));
}

/// The entries of the page's section COMING FROM that are ours: commands of a service `web`, each with its operands.
fn entries() -> Vec<String> {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/man/svctl.1")).unwrap();
    let section = page.split(".Sh COMING FROM\n").nth(1).unwrap().split(".Sh ").next().unwrap();
    let ours = section.lines().filter(|line| !line.starts_with([' ', '.']));
    ours.filter_map(|line| Some(line.split_once(" svctl ")?.1.to_owned())).collect()
}

#[test]
fn what_the_page_offers_to_those_who_come_from_elsewhere_is_done() {
    let run = "#!/bin/sh\ntrap : HUP USR1\nwhile :; do sleep 0.1; done\n";
    let world = World::under(
        "svtree",
        &[("sv/web/run", run), ("sv/web/log/run", "#!/bin/sh\nexec cat >/dev/null\n")],
    );
    world.says("-w 60 enable web", "ok: run: web: (pid N) Ns\n");
    let entries = entries();
    assert!(entries.len() > 12, "{entries:?}");
    for entry in &entries {
        let entry = entry.replace("/etc/sv", &world.house.at("sv").display().to_string());
        let word = entry.split(' ').next().unwrap();
        let apart = ["log", "show", "lint"].contains(&word);
        if apart && (entry.contains(" -f") || !program(&format!("svctl-{word}")).exists()) {
            continue; // it has no end, or is tested elsewhere
        }
        let outcome = world.svctl(&entry);
        assert!(outcome.status == 0 || apart && outcome.status < 100, "{entry}: {outcome:?}");
        if word == "disable" || word == "stop" {
            world.says(
                "-w 60 enable --now web",
                if word == "stop" {
                    "ok: web: enabled already\nok: run: web: (pid N) Ns\n"
                } else {
                    "ok: run: web: (pid N) Ns\n"
                },
            );
        }
    }
}
