//! The laws of a link hold for several in one process too.

use catena::LINKS;
use common::Link;
use std::fs;
use std::os::unix::fs::symlink;
use tempfile::TempDir;

use crate::support::*;
use crate::{all_or_nothing, needs, transparency};

/// Makes the links in `bin` of a furnished directory links to `catena`.
fn linked(directory: TempDir) -> TempDir {
    let bin = directory.path().join("bin");
    install(&crate::support::bin().join("catena"), &bin.join("catena"));
    for Link { name, .. } in LINKS {
        fs::remove_file(bin.join(name)).unwrap();
        symlink("catena", bin.join(name)).unwrap();
    }
    directory
}

#[test]
fn they_hand_on_every_state() {
    use transparency::Caller::{Anybody, Kernel, Root};
    use transparency::{CAPABILITIES, FORKED, furnished, under_every_state};

    let forked = &*format!("{FORKED}, umask").leak();
    let lines = [
        ("chpst -n 2 -c 0 @/bin/umask 027", "nice, priority, limit RLIMIT_CORE, umask", Anybody),
        ("cgroup ./catena-tests @/bin/umask 027", "cgroup, umask", Root),
        ("pgrphack @/bin/chpst -0", "session, group, terminal, fd 0", Anybody),
        ("chdir @/empty @/bin/umask 027", "cwd, directory, umask", Anybody),
        ("umask 027 @/bin/argv0 %", "umask", Anybody),
        ("pdeathsig TERM @/bin/no-new-privs", "parent-death, NoNewPrivs, no_new_privs", Anybody),
        ("sigclean -k @/bin/pdeathsig clear", "SigBlk, SigIgn, parent-death", Anybody),
        ("fdown 77 :5:6 @/bin/setuidgid :65534:65533", "fd 77, fd 1, ids", Root),
        ("fghack @/bin/umask 027", forked, Anybody),
        ("umask 027 @/bin/fghack", forked, Anybody),
        ("envdir @/empty @/bin/umask 027", "umask", Anybody),
        ("umask 027 @/bin/softlimit -c 0", "umask, limit RLIMIT_CORE", Anybody),
        ("softlimit @/bin/fdmove 60 61", "fd 60, fd 61", Anybody),
        ("fdclose 61 @/bin/setlock -t 99.5 -d 60 @/lock", "fd 61, fd 60, lock 60", Anybody),
        ("setlock -d 60 @/lock @/bin/pidlock -t 9 -d 62 @/pid", "fd 60, lock 60, fd 62, lock 62", Anybody),
        ("redirfd -wnb 60 @/fifo @/bin/setsid-free", "fd 60, group, terminal", Anybody),
        ("fdmove -c 60 77 @/bin/redirfd -a 62 @/file", "fd 60, fd 62", Anybody),
        ("landlock -W / @/bin/umask 027", "NoNewPrivs, no_new_privs, umask", Kernel),
        ("listen udp:0.0.0.0:0 @/bin/umask 027", "fd 3, env LISTEN_, umask", Anybody),
        ("mkrundir @/empty @/bin/mkrundir -m 700 @/made", "", Root),
        ("ionice -c idle @/bin/chrt -b 0", "io-priority, policy", Anybody),
        ("choom -n 1000 @/bin/taskset -c 0", "oom_score_adj, Cpus_allowed", Anybody),
        ("unshare @/bin/ionice", "io-priority", Anybody),
        ("setuidgid :65534:65533 @/bin/umask 027 @/bin/choom -n 1000", "ids, umask, oom_score_adj", Root),
        ("nice -n 2 @/bin/umask 027", "nice, priority, umask", Anybody),
        ("nice -n 3 @/bin/setuidgid :65534:65533", "nice, priority, ids", Root),
        ("envuidgid :5:6 @/bin/envdir -fn -p ADDED_ @/env", "env UID=, env GID=, env ADDED_", Anybody),
        ("export ADDED_1 one @/bin/envfile @/variables", "env ADDED_", Anybody),
        ("emptyenv -k NAME @/bin/unexport NAME", "env", Anybody),
        ("unexport PATH @/bin/emptyenv -oP", "env PATH=", Anybody),
        ("umask 027 @/bin/setuidgid :65534:65533", "umask, ids", Root),
        ("umask 027 @/bin/chpst -u :65534:65533", "umask, ids", Root),
        ("chpst -u :65534:65533 -n 1 @/bin/umask 027", "umask, ids, nice, priority", Root),
        ("setuidgid :65534:65533 @/bin/chpst -e @/empty", "ids", Root),
        ("setuidgid :65534:65533 @/bin/umask 027", "umask, ids", Root),
        ("setuidgid :65534:65533 @/bin/setuidgid :65534:65533", "ids", Root),
        ("setuidgid :65534:65533 @/bin/chroot / @/bin/softlimit", "ids, cwd, directory", Root),
        ("chroot / @/bin/setuidgid :65534:65533", "ids, cwd, directory", Root),
        ("caps -B none @/bin/umask 027", &*format!("{CAPABILITIES}, umask").leak(), Anybody),
        ("caps setgid,setuid,setpcap @/bin/setuidgid :65534:65533", "ids, CapBnd, bounding", Root),
        ("setuidgid :65534:65533 @/bin/caps -B setgid @/bin/softlimit -c 0", "ids, limit RLIMIT_CORE", Root),
        ("setuidgid :0:0 @/bin/envdir @/empty", "Groups, groups", Root),
    ];
    // The same by name.
    let named = lines.map(|(line, changes, caller)| {
        let line = format!("catena {}", line.replace("@/bin/", ""));
        (&*line.leak(), changes, caller)
    });
    let verdicts = under_every_state(&[lines, named].concat(), || linked(furnished()));
    let count = verdicts.len();
    tell(&format!("multicall: {count} pairs of a chain and a state"));
    let wrong: Vec<_> = verdicts.into_iter().filter_map(Result::err).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(of_all(count) >= 600, "{count}");
    needs!(root());
    assert!(of_all(count) >= 1200, "{count}");
}

#[test]
fn they_run_the_program_as_promised_or_not_at_all() {
    use all_or_nothing::Caller::{Anybody, Host, Kernel, Root};
    use all_or_nothing::{furnished, inject_everywhere, injections};

    needs!(injections());
    let verdicts = inject_everywhere(
        &[
            (Host, "envdir @/env setuidgid apache chroot @/root @/bin/state"),
            (Host, "catena envdir @/env setuidgid apache chroot @/root @/bin/state"),
            (Host, "chpst -P -e @/env -U apache -u apache -L @/new umask 027 nice @/bin/state"),
            (Anybody, "pgrphack chpst -e @/env -0 nice @/bin/state"),
            (Root, "umask 027 cgroup -k cgroup.max.depth=7 /catena-tests nice @/bin/state"),
            (Anybody, "setlock -t 99 @/lock pidlock @/pid redirfd -w 9 @/file @/bin/state"),
            (Anybody, "catena setlock -t 99 @/lock pidlock @/pid redirfd -w 9 @/file @/bin/state"),
            (Anybody, "softlimit -c 0 chdir @/env argv0 @/bin/state name"),
            (Kernel, "umask 027 landlock -W / -B none fdmove -c 9 0 @/bin/state"),
            (Anybody, "listen tcp:0.0.0.0:0 umask 027 listen -n two unix:@/new @/bin/state"),
            (Root, "mkrundir -m 2750 -o :5001:5002 @/made/below setuidgid :5001:5002 @/bin/state"),
            (Anybody, "emptyenv -p envfile @/conf export A b unexport SHORT @/bin/state"),
            (Root, "fdown 1 :5001:5002 pdeathsig USR2 setuidgid :5001:5002 no-new-privs @/bin/state"),
            (Anybody, "sigclean no-new-privs umask 027 @/bin/state"),
            (Anybody, "softlimit -c 0 umask 027 nice fdmove -c 9 0 @/bin/state"),
            (Anybody, "ionice -c 3 chrt -b 0 choom -n 1000 unshare taskset -c 0 @/bin/state"),
            (Root, "pose ambient setuidgid :5001:5002 umask 027 setuidgid :5001:5002 @/bin/state"),
        ],
        || linked(furnished()),
    );
    let count = verdicts.len();
    tell(&format!("multicall: {count} injections"));
    let wrong: Vec<_> = verdicts.into_iter().filter_map(Result::err).collect();
    assert!(wrong.is_empty(), "{} of {count} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(of_all(count) >= 200, "{count}");
    needs!(root());
    assert!(of_all(count) >= 500, "{count}");
}
