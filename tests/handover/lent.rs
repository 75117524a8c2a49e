//! Every link that is lent something, alone and with others, in every order: it ends as where the deeds were done first, by root.

use std::collections::HashMap;
use std::fmt::Write;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::World;
use crate::landlock::landlock;
use crate::needs;
use crate::support::*;

/// Each lent link with words that need what it is lent, if there are such.
const DEEDS: &[(&str, &str)] = &[
    ("caps", "net_bind_service"),
    ("choom", "-n 500"),
    ("chroot", "root"),
    ("chrt", "-r 5"),
    ("ionice", "-c realtime -n 3"),
    ("landlock", "-W /"),
    ("listen", "tcp:0.0.0.0:81"),
    ("nice", "-n -5"),
    ("no-new-privs", ""),
    ("softlimit", "-c 7 -H -f 1048576"),
];

fn deeds() -> Vec<(&'static str, String)> {
    DEEDS.iter().map(|(name, words)| (*name, format!("{name} {words}").trim_end().to_owned())).collect()
}

/// The world with every link, and with a network of its own.
struct Lending(World);

impl Lending {
    fn new() -> Self {
        let world = World::new();
        world.install(&["catena", "setuidgid"], "bin");
        for (name, _) in DEEDS {
            world.install(&[name], "bin");
        }
        Self(world)
    }

    /// What each of these command lines prints; whatever is said on stderr or with another status is part of it.
    fn run(&self, lines: &[String]) -> Vec<String> {
        let mut script = String::new();
        for line in lines {
            writeln!(script, "({line}) 2>&1 || echo \"status $?\"; echo ==").unwrap();
        }
        fs::write(self.0.at("lines"), script).unwrap();
        let seen = self.0.run("unshare --net sh lines");
        assert_eq!((seen.status, &*seen.stderr), (0, ""));
        let mut all: Vec<_> = seen.stdout.split("==\n").map(str::to_owned).collect();
        assert_eq!(all.pop().as_deref(), Some(""));
        assert_eq!(all.len(), lines.len());
        all
    }
}

/// `state` at the end of a chain: where chroot is among the deeds it is in the new root.
fn state(deeds: &str) -> &'static str {
    if deeds.contains("chroot ") { "/state" } else { "state" }
}

/// What the state differs in from that at the end of the same deeds done by root.
fn compared(lines: &str, control: &str, seen: &str) -> String {
    let given = lines.contains("caps ").then_some(GIVEN);
    let expected = control.lines().map(|line| match (given, line.split(' ').next().unwrap()) {
        (Some(given), set) if SETS.contains(&set) => format!("{set} {given:016x}\n"),
        // Whose deed it is shows in nothing but this.
        _ => line.replace(" 0:0 socket", " 8001:8002 socket") + "\n",
    });
    // Each has its own pid, and each run its own mounts and network.
    let own = |line: &&str| {
        ["env LISTEN_PID=", "namespace mnt:", "namespace net:"].iter().any(|own| line.starts_with(own))
    };
    let same = |state: &str| state.split_inclusive('\n').filter(|line| !own(line)).collect::<String>();
    differences(&same(&expected.collect::<String>()), &same(seen))
}

/// What the deed of caps gives: `CAP_NET_BIND_SERVICE`.
const GIVEN: u64 = 1 << 10;
const SETS: &[&str] = &[
    "CapInh",
    "CapPrm",
    "CapEff",
    "CapAmb",
    "CapBnd",
    "inheritable",
    "permitted",
    "effective",
    "ambient",
    "bounding",
];

#[test]
fn every_pair_and_triple_ends_as_where_root_did_the_deeds_first() {
    needs!(mounts(), root(), landlock());
    let lending = Lending::new();
    let deeds = deeds();
    let (mut chains, mut sets) = (Vec::new(), Vec::new());
    let all = 0..deeds.len();
    for one in all.clone() {
        chains.push(vec![one]);
        for two in all.clone().filter(|two| *two != one) {
            chains.push(vec![one, two]);
            let third = all.clone().filter(|three| ![one, two].contains(three));
            chains.extend(third.map(|three| vec![one, two, three]));
        }
    }
    let chains: Vec<_> = share(chains).collect();
    for chain in &chains {
        let mut set = chain.clone();
        set.sort_unstable();
        if !sets.contains(&set) {
            sets.push(set);
        }
    }
    let words = |chain: &[usize]| chain.iter().map(|i| deeds[*i].1.as_str()).collect::<Vec<_>>().join(" ");
    // What setuidgid takes away, root cannot give before.
    let by_root = |set: &Vec<usize>| {
        let without = set.iter().copied().filter(|i| deeds[*i].0 != "caps").collect::<Vec<_>>();
        let words = words(&without);
        format!("catena {words} setuidgid :8001:8002 {}", state(&words))
    };
    let controls: HashMap<_, _> =
        sets.iter().zip(lending.run(&sets.iter().map(by_root).collect::<Vec<_>>())).collect();
    let lent = |chain: &Vec<usize>| {
        let words = words(chain);
        format!("catena setuidgid :8001:8002 {words} {}", state(&words))
    };
    let lines: Vec<_> = chains.iter().map(lent).collect();
    for ((chain, line), seen) in chains.iter().zip(&lines).zip(lending.run(&lines)) {
        let mut set = chain.clone();
        set.sort_unstable();
        assert!(controls[&set].contains("\npermitted 0000000000000000\n"), "{line}: {}", controls[&set]);
        assert_eq!(compared(line, &controls[&set], &seen), "", "{line}");
    }
}

#[test]
fn single_programs_are_lent_the_same() {
    needs!(mounts(), root(), landlock());
    let lending = Lending::new();
    let deeds = deeds();
    let mut lines = Vec::new();
    for (one, deed) in &deeds {
        lines.push(deed.clone());
        // Behind chroot the file of the next link is another.
        let pairs = deeds.iter().filter(|(two, _)| one != two && *one != "chroot");
        lines.extend(pairs.map(|(_, other)| format!("{deed} {other}")));
    }
    let chain = |before: &str| {
        lines
            .iter()
            .map(|line| format!("{before} setuidgid :8001:8002 {line} {}", state(line)))
            .collect::<Vec<_>>()
    };
    let fused = lending.run(&chain("catena"));
    for ((line, fused), seen) in lines.iter().zip(fused).zip(lending.run(&chain(""))) {
        assert!(fused.contains("\nuids 8001 8001 8001\n"), "{line}: {fused}");
        assert_eq!(compared("", &fused, &seen), "", "{line}");
    }
}

#[test]
fn a_foreign_link_first_in_path_is_executed_without_any_capability() {
    needs!(mounts(), root(), landlock());
    let lending = Lending::new();
    fs::create_dir(lending.0.at("foreign")).unwrap();
    let deeds = deeds();
    for (name, _) in &deeds {
        install(&example("state"), &lending.0.at("foreign").join(name));
    }
    for before in ["", "setpriv --securebits=+no_setuid_fixup "] {
        let line = |(_, deed): &(_, String)| {
            format!("PATH=foreign:$PATH; {before}setuidgid :8001:8002 {deed} state")
        };
        let lines: Vec<_> = deeds.iter().map(line).collect();
        for ((_, deed), seen) in deeds.iter().zip(lending.run(&lines)) {
            assert!(seen.starts_with(&format!("argv {}\n", deed.replace(' ', "\nargv "))), "{deed}: {seen}");
            for set in ["inheritable", "permitted", "effective", "ambient"] {
                assert!(seen.contains(&format!("\n{set} 0000000000000000\n")), "{deed}: {seen}");
            }
            assert!(seen.contains("\nuids 8001 8001 8001\n"), "{deed}: {seen}");
        }
    }
}

/// A name in PATH that is now our file, now a foreign one, as fast as it can be changed.
#[test]
fn a_race_in_path_gains_nothing() {
    needs!(mounts(), root(), landlock());
    let lending = Lending::new();
    let directory = lending.0.at("race");
    fs::create_dir(&directory).unwrap();
    install(&example("state"), &directory.join("foreign"));
    let swap = |to: &Path, name: &str| {
        let new = directory.join("new");
        symlink(to, &new).unwrap();
        fs::rename(&new, directory.join(name)).unwrap();
    };
    let deeds: Vec<_> = deeds().into_iter().filter(|(name, _)| *name != "chroot").collect();
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                for (name, _) in &deeds {
                    swap(&lending.0.at("bin").join(name), name);
                    swap(Path::new("foreign"), name);
                }
            }
        });
        let line =
            |i: usize| format!("PATH=race:$PATH; setuidgid :8001:8002 {} state", deeds[i % deeds.len()].1);
        let all = lending.run(&(0..400).map(line).collect::<Vec<_>>());
        ended.store(true, Ordering::Relaxed);
        for (i, seen) in all.iter().enumerate() {
            let (name, deed) = &deeds[i % deeds.len()];
            let (ours, theirs) = ("argv state\n".to_owned(), format!("argv {name}\n"));
            if !seen.starts_with(&ours) && !seen.starts_with(&theirs) {
                // Between the look and the exec it has become ours, and runs as a program of its own, which may not.
                assert!(seen.contains(": fatal: ") && seen.ends_with("status 111\n"), "{deed}: {seen}");
                continue;
            }
            for set in ["inheritable", "permitted", "effective", "ambient"] {
                let none = seen.contains(&format!("\n{set} 0000000000000000\n"));
                let given = *name == "caps" && seen.contains(&format!("\n{set} {GIVEN:016x}\n"));
                assert!(none || given, "{deed}: {seen}");
            }
            assert!(seen.contains("\nuids 8001 8001 8001\n"), "{deed}: {seen}");
        }
    });
}

#[test]
fn a_set_id_copy_lends_nothing() {
    needs!(mounts(), root(), landlock());
    let lending = Lending::new();
    fs::set_permissions(lending.0.at("bin/setuidgid"), PermissionsExt::from_mode(0o4755)).unwrap();
    let deeds = deeds();
    let line = |(_, deed): &(_, String)| {
        format!("setpriv --reuid=8003 --regid=8003 --clear-groups setuidgid :8001:8002 {deed} state")
    };
    let hint = "it would give them to anybody: remove them with 'chmod ug-s' and 'setcap -r'";
    let message = format!(
        "setuidgid: fatal: this program's file is set-id or has file capabilities\nsetuidgid: hint: {hint}\nstatus 111\n"
    );
    for seen in lending.run(&deeds.iter().map(line).collect::<Vec<_>>()) {
        assert_eq!(seen, message);
    }
}

#[test]
fn the_next_word_is_searched_with_nothing_that_was_lent() {
    needs!(mounts(), root());
    let lending = Lending::new();
    let private = lending.0.at("private");
    fs::create_dir(&private).unwrap();
    fs::set_permissions(&private, PermissionsExt::from_mode(0o700)).unwrap();
    install(&example("state"), &private.join("softlimit"));
    // What choom is lent would reach into the directory, in which an exec by the account finds nothing.
    let lines = [
        "PATH=private:$PATH; setuidgid :8001:8002 choom -n 500 softlimit -c 7 chroot root /state".to_owned(),
        "setuidgid :8001:8002 choom -n 500 softlimit -c 7 chroot root /state".to_owned(),
    ];
    let all = lending.run(&lines);
    assert!(all[1].contains("\nuids 8001 8001 8001\n") && all[1].contains("\ncwd /\n"), "{}", all[1]);
    let without_path = |state: &str| {
        state.split_inclusive('\n').filter(|line| !line.starts_with("env PATH=")).collect::<String>()
    };
    assert_eq!(differences(&without_path(&all[1]), &without_path(&all[0])), "");
}

#[test]
fn where_nothing_may_be_kept_links_do_what_an_account_may() {
    needs!(mounts(), root(), tool("setpriv"));
    let lending = Lending::new();
    let line = "setuidgid :8001:8002 choom -n 500 no-new-privs cat /proc/self/oom_score_adj";
    for before in ["", "catena "] {
        let all = ["--bounding-set=-dac_override", "--securebits=+keep_caps_locked"]
            .map(|option| format!("setpriv {option} {before}{line}"));
        assert_eq!(lending.run(&all), ["500\n", "500\n"], "{before}");
    }
}

/// The account may have put it there, with modules of libc for its databases: they are code.
#[test]
fn nobody_is_looked_up_in_a_new_root_while_anything_is_lent() {
    needs!(mounts(), root());
    let lending = Lending::new();
    let root = lending.0.at("root");
    for name in ["etc", "run"] {
        fs::create_dir_all(root.join(name)).unwrap();
    }
    fs::set_permissions(root.join("run"), PermissionsExt::from_mode(0o777)).unwrap();
    fs::write(root.join("etc/passwd"), "jailed:x:8001:8002::/:/bin/sh\n").unwrap();
    fs::write(root.join("etc/nsswitch.conf"), "passwd: files\n").unwrap();
    let line = |account: &str, name: &str| {
        let listen = format!("listen -o {account} unix:/run/{name} caps net_bind_service /state");
        format!("catena setuidgid :8001:8002 chroot root {listen}")
    };
    let all = lending.run(&[line("jailed", "a"), line(":8001:8002", "b")]);
    let hint = "only root may: put caps right after setuidgid, which lends it";
    let fatal = "CAP_NET_BIND_SERVICE is not permitted here";
    assert_eq!(all[0], format!("caps: fatal: {fatal}\ncaps: hint: {hint}\nstatus 111\n"));
    assert!(all[1].contains(&format!("\nambient {GIVEN:016x}\n")), "{}", all[1]);
}

#[test]
fn words_that_look_like_links_cost_no_memory() {
    needs!(mounts(), root());
    let lending = Lending::new();
    let words = "listen ".repeat(8000);
    let line =
        format!("softlimit -d 100000000 setuidgid :8001:8002 softlimit -c 7 echo ran {words}| cut -c 1-3");
    assert_eq!(lending.run(&[line]), ["ran\n"]);
}
