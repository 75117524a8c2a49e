//! Links that are applied in one process leave what separate programs leave.

use catena::LINKS;
use std::fs;

use super::harness::*;
use crate::landlock::landlock;
use crate::needs;
use crate::support::*;

#[test]
fn each_pair_leaves_what_separate_programs_leave() {
    let mut pairs = Vec::new();
    for one in LINKS {
        for other in LINKS {
            pairs.push(([one.name, other.name], None));
            if root().is_ok() && [one.name, other.name].contains(&"setuidgid") {
                pairs.push(([one.name, other.name], Some(":65534:65533:65532")));
            }
        }
    }
    let pairs: Vec<_> = share(pairs).collect();
    let verdicts = for_each(&pairs, |house, (names, account)| {
        house.compare(&[Symbolic, Named], &chain(house, names, *account), None)
    });
    let wrong: Vec<_> = verdicts.iter().filter_map(|verdict| verdict.as_ref().err()).cloned().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let ran = verdicts.iter().flatten().filter(|outcome| outcome.status == 0).count();
    tell(&format!("multicall: {} pairs, of which {ran} ran the program", pairs.len()));
    assert_eq!(ran, pairs.iter().filter(|(names, account)| runs(names, *account)).count());
}

#[test]
fn three_and_four_in_a_row_leave_what_separate_programs_leave() {
    let name = |i: usize| LINKS[i % LINKS.len()].name;
    let mut chains = Vec::new();
    for i in 0..LINKS.len() {
        for account in [None, Some(":65534:65533:65532")].iter().take(if root().is_ok() { 2 } else { 1 }) {
            chains.push((vec![name(i), name(i + 4), name(i + 9)], *account));
            chains.push((vec![name(i), name(i + 11), name(i + 7), name(i + 2)], *account));
        }
    }
    let verdicts = for_each(&chains, |house, (names, account)| {
        house.compare(&EACH, &chain(house, names, *account), None)
    });
    let wrong: Vec<_> = verdicts.iter().filter_map(|verdict| verdict.as_ref().err()).cloned().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let ran = verdicts.iter().flatten().filter(|outcome| outcome.status == 0).count();
    tell(&format!("multicall: {} chains of three and four, of which {ran} ran the program", chains.len()));
    assert_eq!(ran, chains.iter().filter(|(names, account)| runs(names, *account)).count());
}

/// Whether the program at the end of these links is executed: without root no chroot works, nor a cgroup, and none behind a
/// change to another account but right behind it. Behind argv0 there are no links.
fn runs(names: &[&str], account: Option<&str>) -> bool {
    // The leader of a session stays one, and a lock on fd 3 stays there.
    let names = names.iter().copied().take_while(|name| *name != "argv0").collect::<Vec<_>>();
    let behind = |name: &str, before: &[&str]| {
        let last = names.iter().rposition(|other| *other == name);
        last.is_some_and(|last| names[..last].iter().any(|other| before.contains(other)))
    };
    if behind("setsid-free", &["pgrphack"]) || behind("listen", &["pidlock", "setlock"]) {
        return false;
    }
    let place = |link: &str| names.iter().position(|name| *name == link);
    if place("landlock").is_some() && landlock().is_err() {
        return false;
    }
    // The file of stdout is that of the tests.
    if account.is_some()
        && place("setuidgid").zip(place("fdown")).is_some_and(|(change, fdown)| change < fdown)
    {
        return false;
    }
    match (place("setuidgid"), place("cgroup")) {
        (_, Some(_)) if cgroups().is_err() => return false,
        (Some(change), Some(cgroup)) if account.is_some() && change < cgroup => return false,
        _ => {}
    }
    match (place("setuidgid"), place("chroot")) {
        (_, Some(_)) if root().is_err() => false,
        (Some(change), Some(chroot)) if account.is_some() && change < chroot => {
            let lent = |name: &&str| LINKS.iter().any(|link| link.name == *name && link.lent.is_some());
            names[change + 1..chroot].iter().all(lent)
        }
        _ => true,
    }
}

#[test]
fn all_of_them_in_one_row() {
    needs!(root(), landlock());
    let house = House::new();
    let names = [
        "sigclean",
        if cgroups().is_ok() { "cgroup" } else { "umask" },
        "umask",
        "setsid-free",
        "pgrphack",
        "chpst",
        "envdir",
        "unexport",
        "emptyenv",
        "envfile",
        "export",
        "envuidgid",
        "fdclose",
        "redirfd",
        "fdmove",
        "listen",
        "setlock",
        "pidlock",
        "landlock",
        "mkrundir",
        "nice",
        "ionice",
        "chrt",
        "choom",
        "taskset",
        "unshare",
        "softlimit",
        "fghack",
        "pdeathsig",
        "fdown",
        "no-new-privs",
        "chdir",
        "setuidgid",
        "caps",
        "chroot",
        "umask",
        "envdir",
        "argv0",
    ];
    let outcome = house.fused(&EACH, &chain(&house, &names, Some(":65534:65533:65532")));
    assert_eq!(outcome.status, 0);
    for item in ["uids 65534 65534 65534", "gids 65533 65533 65533", "groups 65532 65533", "cwd /"] {
        assert!(outcome.stdout.lines().any(|line| line == item), "{item}: {}", outcome.stdout);
    }
}

/// Chains in which one link can see what the one before it did.
#[test]
#[allow(clippy::too_many_lines, reason = "one table")]
fn a_link_sees_what_the_one_before_it_did() {
    let house = House::new();
    house.write("env/NAME", "one");
    house.write("more/NAME", "two");
    house.write("more/OTHER", "");
    house.write("conf", "NAME = one\nOTHER = \"o\\x41\"\n");
    house.write("names", "NAME=file\nNAME\n");
    house.write("file", "");
    for line in [
        "envdir @/env envdir @/more envdir -p X_ @/env @/state",
        "envfile @/conf envdir @/more unexport OTHER @/state",
        "export NAME one envfile -d docker @/names export NAME two envfile -d docker @/names @/state",
        "export A 1 export B 2 emptyenv -p -k A export B 3 @/state",
        "export 1:1 a export 1 b emptyenv -P export FD3 c emptyenv -c @/state",
        "export NAME one unexport NAME envfile - @/state",
        "emptyenv umask 027 @/state",
        "umask 077 umask g+w @/state",
        "umask 027 redirfd -w 5 @/made @/state",
        "softlimit -c 100 softlimit -c = @/state",
        "softlimit -H -o 50 softlimit -o 60 @/state",
        "softlimit -o 20 fdmove -c 30 1 @/state",
        "fdclose 0 setlock @/lock @/state",
        "fdclose 0 redirfd -r 0 @/file fdmove 5 0 @/state",
        "fdclose 2 fdmove -c 2 1 @/state",
        "setlock @/lock pidlock @/pid setlock -d 9 @/other @/state",
        "setlock -t 99 @/lock pidlock -t 99 @/pid @/state",
        "setlock @/lock setlock -n @/lock @/state",
        "setlock @/lock setlock -nx @/lock @/state",
        "setlock @/lock fdclose 3 setlock -n @/lock @/state",
        "setlock -r @/lock setlock -nr @/lock @/state",
        "redirfd -w 6 @/out umask 022 fdmove -c 7 6 @/state",
        "fdmove 8 1 redirfd -w 1 @/out fdmove 1 8 @/state",
        "listen udp:0.0.0.0:0 umask 022 listen -n two tcp:0.0.0.0:0 @/state",
        "listen udp:0.0.0.0:0 fdmove 4 3 listen tcp:0.0.0.0:0 @/state",
        "listen -r unix:@/socket setlock @/lock @/state",
        "mkrundir -m 700 @/made mkrundir @/made/below redirfd -w 5 @/made/below/file @/state",
        "nice nice -n 3 @/state",
        "no-new-privs no-new-privs @/state",
        "pdeathsig TERM pdeathsig 40 pdeathsig clear pdeathsig int @/state",
        "pdeathsig TERM fghack no-new-privs @/state",
        "setlock @/lock sigclean -k redirfd -r 9 @/file sigclean @/state",
        "redirfd -r 9 @/file sigclean setlock @/lock @/state",
        "redirfd -r 9 @/file fghack sigclean umask 027 @/state",
        "fdown 9 root @/state",
        "ionice -c idle ionice @/state",
        "chrt -i 0 chrt -b 0 @/state",
        "choom -n 999 choom -n 1000 @/state",
        "choom -n 1000 umask 022 choom -n 5x @/state",
        "taskset -c 0 taskset -c 99999 @/state",
        "taskset 1 taskset 1-3 @/state",
        "caps -B none caps -B none umask 022 @/state",
        "caps -B chown,none @/state",
        "setsid-free setsid-free @/state",
        "setsid-free pgrphack pgrphack @/state",
        "pgrphack setsid-free @/state",
        "chpst -P chpst -P setsid-free @/state",
        "chpst -e @/env envdir @/more chpst -e @/env @/state",
        "chpst -n 1 -o 50 softlimit -o = chpst -o 60 @/state",
        "chpst -0 -l @/lock chpst -L @/lock @/state",
        "chpst -l @/lock pidlock @/pid chpst -12 @/state",
        "umask 022 chpst -b umask @/state",
        "chdir env redirfd -r 5 NAME chdir .. @/state",
        "chdir env envdir . chdir @/more envdir -p X_ . @/state",
        "chdir more argv0 ../state name umask 027",
        "umask 027 fghack softlimit -c 0 @/state",
        "fghack setlock @/lock fghack setlock -n @/other @/state",
        "setlock @/lock fghack setlock -nx @/lock @/state",
        "fdclose 0 fghack redirfd -r 0 @/file @/state",
        "softlimit -o 40 fghack fdclose 39 @/state",
        "nice fghack argv0 @/state name",
        "fghack umask 888 @/state",
        "fghack @/none",
    ] {
        house.fused(&EACH, line);
    }
    if landlock().is_ok() {
        for line in [
            "landlock -W / landlock -r / -x / redirfd -w 5 @/made @/state",
            "landlock -W / mkrundir @/made landlock -i -W / -W @/none @/state",
            "landlock -f @/none umask 027 @/state",
        ] {
            house.fused(&EACH, line);
        }
    }
    needs!(root());
    for line in [
        "redirfd -w 9 @/out fdown 9 :65534:65533 fdown 9 :65533:65532 fdmove 8 9 @/state",
        "redirfd -w 9 @/out fdown 9 :65534:65533 setuidgid :65534:65533 fdown 9 :65534:65533 @/state",
        "setuidgid :65534:65533 fdown 1 :65534:65533 @/state",
        "pdeathsig TERM setuidgid :65534:65533 umask 027 @/state",
        "setuidgid :65534:65533 pdeathsig TERM nice @/state",
        "setuidgid :65534:65533 no-new-privs sigclean setuidgid :65534:65533 @/state",
        "no-new-privs setuidgid :65534:65533 chroot / @/state",
        "chroot / envuidgid -s root @/state",
        "cgroup ./catena-tests umask 027 cgroup -k cgroup.max.depth=7 ./catena-tests @/state",
        "cgroup ./catena-tests/none/none @/state",
        "setuidgid :65534:65533 umask 022 cgroup ./catena-tests @/state",
        "setuidgid :65534:65533 setuidgid :65534:65533 @/state",
        "setuidgid :65534:65533 setuidgid :65534:65532 @/state",
        "setuidgid :65534:65533 chdir / @/state",
        "setuidgid :65534:65533 fghack umask 027 chroot / @/state",
        "fghack setuidgid :65534:65533 chroot / argv0 @/state name",
        "setuidgid :65534:65533 argv0 @/state chroot / @/state",
        "mkrundir -o :65534:65533 @/theirs setuidgid :65534:65533 mkrundir @/theirs/below @/state",
        "setuidgid :65534:65533 mkrundir @/forbidden @/state",
        "setuidgid :65534:65533 redirfd -w 5 @/forbidden @/state",
        "setuidgid :65534:65533 listen unix:@/forbidden/s @/state",
        "setuidgid :65534:65533 listen tcp:0.0.0.0:0 umask 022 listen tcp:0.0.0.0:0 @/state",
        "setuidgid :65534:65533 softlimit -H -o 99999999 @/state",
        "setuidgid :65534:65533 nice -n -1 @/state",
        "setuidgid :65534:65533 umask 022 choom -n 1000 ionice -c idle chrt -b 0 @/state",
        "setuidgid :65534:65533 umask 022 ionice -c realtime @/state",
        "setuidgid :65534:65533 umask 022 chrt 1 @/state",
        "setuidgid :65534:65533 umask 022 unshare -u @/state",
        "nice -n -1 setuidgid :65534:65533 @/state",
        "caps none nice -n -1 @/state",
        "caps -B none nice -n -1 @/state",
        "caps kill,setpcap caps chown @/state",
        "caps -i !kill,^chown caps chown,kill @/state",
        "caps chown setuidgid :65534:65533 @/state",
        "caps setuid,setgid,setpcap,kill setuidgid :65534:65533 caps kill nice @/state",
        "setuidgid :65534:65533 caps kill umask 022 caps -B none @/state",
        "setuidgid :65534:65533 caps kill setuidgid :65534:65533 nice @/state",
        "setuidgid :65534:65533 caps -i ^kill,chown nice umask 022 chdir / @/state",
        "setuidgid :65534:65533 umask 022 caps kill @/state",
        "setuidgid :65534:65533 caps kill,sys_chroot chroot / umask 022 @/state",
        "setuidgid :65534:65533 caps none caps kill @/state",
        "setuidgid :65534:65533 setuidgid :0:0 @/state",
        "setuidgid :65534:65533 umask 022 chroot / @/state",
        "chpst -u :65534:65533 umask 022 nice @/state",
        "chpst -u :65534:65533 chpst -n -1 @/state",
        "chpst -u :65534:65533 umask 022 chpst -/ / @/state",
        "chpst -/ / -C /tmp -u :65534:65533 setuidgid :65534:65533 umask 022 @/state",
        "setuidgid :65534:65533 chpst -e @/more -U :5:6 @/state",
        "setuidgid :0:5 setuidgid -s root setuidgid :65534:5 @/state",
    ] {
        house.fused(&EACH, line);
    }
}

#[test]
fn the_files_in_proc_are_those_of_the_account_after_a_change_of_ids() {
    needs!(root());
    let house = House::new();
    for file in ["oom_score_adj", "coredump_filter", "comm"] {
        let line = format!("setuidgid :65534:65533 redirfd -u 5 /proc/self/{file} echo ran");
        assert_eq!(house.run(Separate, &line).0, prints("ran\n"));
        for way in EACH {
            assert_eq!(house.run(way, &line).0, prints("ran\n"), "{way:?} {file}");
        }
    }
    let line = "setuidgid :65534:65533 redirfd -r 3 /proc/self/environ sh -c 'read -r line <&3; echo ran'";
    assert_eq!(run(sh(&format!("catena {line}")).current_dir("/")).stdout, "ran\n");
}

#[test]
fn by_name_a_link_behind_a_change_of_ids_is_applied_here_where_our_file_cannot_be_executed() {
    needs!(root(), tool("unshare"));
    let house = House::new().behind("/usr/bin/unshare --mount --propagation=private @/without");
    let line = "setuidgid :65534:65533 redirfd -r 3 /dev/null @/state";
    for mount in ["mount -t tmpfs none /proc", "chmod 700 @/Symbolic/catena @/Hard/catena"] {
        house.script("without", &format!("#!/bin/sh\n{mount} && exec $*\n"));
        let (outcome, files) = house.run(Named, line);
        assert_eq!((outcome.status, &*files), (0, &["@/state".to_owned()][..]), "{mount}: {outcome:?}");
    }
}

#[test]
fn no_descriptor_of_ours_is_left() {
    needs!(root());
    let house = House::new();
    house.write("env/NAME", "value");
    house.write("file", "");
    let line = "setsid-free envdir @/env setlock @/lock envdir @/env pidlock @/pid redirfd -r 9 @/file \
                setuidgid :65534:65533 chroot / envuidgid -s root @/state";
    let outcome = house.fused(&EACH, line);
    let numbers = |text: &str| {
        let fds = text.lines().filter_map(|line| line.strip_prefix("fd ")?.split(' ').next());
        fds.filter(|number| number.len() == 1).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(numbers(&outcome.stdout), "0 1 2 3 4 9");
    // The lowest numbers are those that the chain left free, not those that a link used meanwhile.
    let outcome = house.fused(&EACH, "setlock @/lock fdclose 3 envdir @/env pidlock @/pid @/state");
    assert_eq!(numbers(&outcome.stdout), "0 1 2 3");
}

#[test]
fn a_link_that_fails_says_what_its_program_says() {
    let house = House::new();
    house.write("env/NAME", "value");
    house.write("file", "content");
    house.write("plain", "");
    for (line, name, status) in [
        ("umask 027 softlimit -c x @/state", "softlimit", 100),
        ("umask 027 softlimit -Z @/state", "softlimit", 100),
        ("envdir @/env umask 888 @/state", "umask", 100),
        ("envdir @/env umask", "umask", 100),
        ("envdir @/env umask 022", "umask", 100),
        ("envdir", "envdir", 100),
        ("umask 022 envdir @/none softlimit -c 0 @/state", "envdir", 111),
        ("umask 022 softlimit -c 0 fdmove 9 88 @/state", "fdmove", 111),
        ("umask 022 envuidgid no-such-account umask 022 @/state", "envuidgid", 111),
        ("setlock @/lock setlock -n @/lock umask 022 @/state", "setlock", 111),
        ("umask 022 softlimit -c 0 @/none", "softlimit", 127),
        ("umask 022 softlimit -c 0 @/plain", "softlimit", 126),
        ("softlimit -c 0 umask 022 no-such-program", "umask", 127),
    ] {
        let outcome = house.fused(&EACH, line);
        assert_eq!(outcome.status, status, "{line}: {outcome:?}");
        assert!(outcome.stderr.starts_with(&format!("{name}: ")), "{line}: {outcome:?}");
    }
    // What stood before the one that fails is done, what stands behind it is not.
    for (line, content) in
        [("redirfd -w 9 @/file umask 888 @/state", ""), ("umask 888 redirfd -w 9 @/file @/state", "content")]
    {
        for way in EACH {
            house.write("file", "content");
            assert_eq!(house.run(way, line).0, misuse("umask", "invalid mask: 888"));
            assert_eq!(fs::read_to_string(house.at("file")).unwrap(), content, "{way:?} {line}");
        }
    }
}

#[test]
fn an_answer_in_the_middle_ends_the_chain() {
    let house = House::new();
    for line in
        ["umask 022 softlimit --help", "umask 022 softlimit --version x", "umask 022 pidlock -c @/none"]
    {
        assert_eq!(house.fused(&EACH, line).status, 0);
    }
}
