//! setuidgid before our own chroot: it lends it the right, in its own process, and what runs at the end has
//! the account's ids, the new root and no capability.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;

use nix::errno::Errno;
use tempfile::TempDir;

use crate::needs;
use crate::support::*;

mod lent;

/// A directory with setuidgid, chroot and state in `bin`, and a root directory `root` with state and /proc.
struct World {
    directory: TempDir,
    accounts: Accounts,
}

impl World {
    fn new() -> Self {
        let world = Self { directory: open_directory(), accounts: Accounts::new() };
        for name in ["bin", "root", "root/proc"] {
            fs::create_dir(world.at(name)).unwrap();
        }
        world.install(&["setuidgid", "chroot", "state"], "bin");
        install_root(&world.at("root"), &[&example("state")]);
        world
    }

    fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Puts programs into a directory.
    fn install(&self, programs: &[&str], directory: &str) {
        for program in programs {
            let ours = *program == "catena" || catena::LINKS.iter().any(|link| link.name == *program);
            let from = if ours { bin().join(program) } else { example(program) };
            install(&from, &self.at(directory).join(program));
        }
    }

    /// Runs a shell script in the directory, with `bin` in front in PATH, among the accounts.
    fn run(&self, script: &str) -> Outcome {
        let path = "$0/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        let here = format!("cd \"$0\" && mount --bind /proc root/proc && export PATH=\"{path}\"");
        let script = format!("{here} && {script}");
        let words = ["sh".as_ref(), "-c".as_ref(), script.as_ref(), self.directory.path().as_os_str()];
        self.accounts.run(words as [&OsStr; 4])
    }

    /// Asserts that `chain`, started by `before`, ends in what the promise says: what `state` prints in the
    /// root directory where root itself went there by `chroot`, but with these ids and without capabilities.
    fn assert_promised(&self, before: &str, chain: &str, (uid, gid, groups): (u32, u32, &[u32])) {
        let control = self.run(&format!("{before} chroot root /state"));
        assert_eq!((control.status, &*control.stderr), (0, ""));
        assert!(control.stdout.contains("\ncwd /\n"), "{}", control.stdout);
        let expected = as_account(&control.stdout, uid, gid, groups);
        let seen = self.run(&format!("{before} {chain}"));
        assert_eq!(compared(&expected, &seen), "", "{before} {chain}");
    }
}

/// A state as it is for an account that has nothing else.
fn as_account(state: &str, uid: u32, gid: u32, groups: &[u32]) -> String {
    let groups = groups.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
    let line = |item: &str| {
        let name = item.split(' ').next().unwrap();
        match name {
            "Uid" => format!("Uid {uid} {uid} {uid} {uid}\n"),
            "Gid" => format!("Gid {gid} {gid} {gid} {gid}\n"),
            "uids" => format!("uids {uid} {uid} {uid}\n"),
            "gids" => format!("gids {gid} {gid} {gid}\n"),
            "Groups" | "groups" => format!("{name} {groups}\n"),
            "CapInh" | "CapPrm" | "CapEff" | "CapAmb" | "inheritable" | "permitted" | "effective"
            | "ambient" => format!("{name} {:016x}\n", 0),
            _ => format!("{item}\n"),
        }
    };
    state.lines().map(line).collect()
}

/// What an outcome differs in from success with this state, but for the mount namespace, which each run has
/// its own of.
fn compared(expected: &str, seen: &Outcome) -> String {
    let common = |state: &str| {
        state.split_inclusive('\n').filter(|item| !item.starts_with("namespace mnt:")).collect::<String>()
    };
    assert_eq!((seen.status, &*seen.stderr), (0, ""));
    differences(&common(expected), &common(&seen.stdout))
}

/// What chroot says where it runs as a program of its own without the right.
fn not_allowed() -> Outcome {
    let hint = "only root may: put chroot right after setuidgid, which lends it the right, or before it";
    let reason = says(Errno::EPERM);
    let fatal = format!("chroot: fatal: unable to change root to root: {reason}\n");
    fails(111, format!("{fatal}chroot: hint: {hint}\n"))
}

const IDS: (u32, u32, &[u32]) = (8001, 8002, &[8002]);

#[test]
fn the_program_has_the_accounts_ids_the_new_root_and_no_capability() {
    needs!(mounts());
    let world = World::new();
    world.assert_promised("", "setuidgid :8001:8002 chroot root /state", IDS);
    world.assert_promised(
        "",
        "setuidgid :8001:8003:8002:8004 chroot root /state",
        (8001, 8003, &[8002, 8003, 8004]),
    );
    world.assert_promised("", "setuidgid alice chroot root /state", (5001, 5001, &[5001]));
    world.assert_promised("", "setuidgid -s alice chroot root /state", (5001, 5001, &[5001, 5050, 5100]));
    let root = fs::metadata(world.at("root")).unwrap();
    let root = format!("{:x}:{}", root.dev(), root.ino());
    let ended = world.run("setuidgid :8001:8002 chroot root /state").stdout;
    for item in ["cwd /", &format!("directory {root}"), &format!("root {root}"), "keepcaps false"] {
        assert!(ended.lines().any(|line| line == item), "{item}");
    }
}

#[test]
fn all_other_process_state_stays() {
    needs!(mounts());
    let world = World::new();
    world.install(&["pose"], "bin");
    let line = "setuidgid :8001:8002 chroot root /state";
    for pose in ["death", "no-new-privs", "ambient", "bounding", "all-blocked", "closed=012", "umask=077"] {
        world.assert_promised(&format!("pose out pose {pose}"), line, IDS);
    }
    let seen = world.run(&format!("pose death {line}"));
    assert!(seen.stdout.contains("\nparent-death 12\n"), "{seen:?}");
}

#[test]
fn the_promised_line() {
    needs!(mounts());
    let world = World::new();
    world.install(&["envdir"], "bin");
    fs::create_dir(world.at("env")).unwrap();
    fs::write(world.at("env/PORT"), "80\n").unwrap();
    // Where root goes there with the same variable.
    world.assert_promised("envdir ./env", "setuidgid alice chroot root /state", (5001, 5001, &[5001]));
    let seen = world.run("envdir ./env setuidgid alice chroot root /state");
    assert!(seen.stdout.contains("\nenv PORT=80\n"), "{seen:?}");
}

#[test]
fn a_foreign_chroot_first_in_path_is_executed_without_any_capability() {
    needs!(mounts());
    let world = World::new();
    world.install(&["pose"], "bin");
    fs::create_dir(world.at("foreign")).unwrap();
    install(&example("state"), &world.at("foreign/chroot"));
    for before in ["", "pose ambient", "setpriv --securebits=+no_setuid_fixup"] {
        let path = "export PATH=\"$0/foreign:$PATH\";";
        let control = world.run(&format!("{path} {before} chroot root /state"));
        assert!(control.stdout.starts_with("argv chroot\nargv root\nargv /state\n"), "{control:?}");
        let expected = as_account(&control.stdout, 8001, 8002, &[8002]);
        let seen = world.run(&format!("{path} {before} setuidgid :8001:8002 chroot root /state"));
        assert_eq!(compared(&expected, &seen), "", "{before}");
    }
}

#[test]
fn the_chroot_of_coreutils_first_in_path_fails_as_it_does_for_everyone() {
    needs!(mounts(), tool("chroot"));
    let world = World::new();
    let path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin \"$0/bin/setuidgid\"";
    let seen = world.run(&format!("{path} :8001:8002 chroot root /state"));
    assert_eq!((seen.status, &*seen.stdout), (125, ""));
    assert!(seen.stderr.contains("cannot change root directory to"), "{}", seen.stderr);
}

#[test]
fn with_a_link_in_between_chroot_says_where_it_must_stand() {
    needs!(mounts());
    let world = World::new();
    world.install(&["umask", "fdclose"], "bin");
    for between in ["umask 022", "fdclose 9", "env", "setuidgid :8001:8002"] {
        assert_eq!(world.run(&format!("setuidgid :8001:8002 {between} chroot root /state")), not_allowed());
    }
    assert_eq!(world.run("setpriv --reuid=8001 --clear-groups chroot root /state"), not_allowed());
}

#[test]
fn chroot_after_chroot_is_a_program_of_the_new_root() {
    needs!(mounts());
    let world = World::new();
    assert_eq!(
        world.run("setuidgid :8001:8002 chroot root chroot / /state"),
        fails(127, format!("setuidgid: fatal: unable to run chroot inside root: {}\n", says(Errno::ENOENT)))
    );
    install_root(&world.at("root"), &[&bin().join("chroot")]);
    fs::create_dir(world.at("root/root")).unwrap();
    assert_eq!(
        world.run("PATH=\"$0/bin:/\" setuidgid :8001:8002 chroot root chroot root /state"),
        not_allowed()
    );
}

#[test]
fn chroot_before_and_after_setuidgid_works() {
    needs!(mounts());
    let world = World::new();
    world.assert_promised("", "chroot / env -C \"$0\" setuidgid :8001:8002 chroot root /state", IDS);
}

#[test]
fn an_account_that_may_not_execute_chroot_does_not_get_there() {
    needs!(mounts());
    let world = World::new();
    fs::create_dir(world.at("private")).unwrap();
    world.install(&["setuidgid", "chroot"], "private");
    let mode =
        |name: &str, mode| fs::set_permissions(world.at(name), PermissionsExt::from_mode(mode)).unwrap();
    let refused = format!("setuidgid: fatal: unable to run chroot: {}\n", says(Errno::EACCES));
    mode("private/chroot", 0o700);
    let (path, line) = ("env PATH=\"$0/private\"", "setuidgid :8001:8002 chroot root /state");
    let hint = "this account may not execute it, or its file system is mounted noexec";
    assert_eq!(
        world.run(&format!("{path} {line}")),
        fails(126, format!("{refused}setuidgid: hint: {hint}\n"))
    );
    mode("private/chroot", 0o755);
    world.assert_promised(path, line, IDS);
    mode("private", 0o700);
    let hint = "a directory on the way to it may not be searched by this account";
    assert_eq!(
        world.run(&format!("{path} {line}")),
        fails(126, format!("{refused}setuidgid: hint: {hint}\n"))
    );
}

#[test]
fn an_account_that_may_not_enter_the_new_root_does_not_get_there() {
    needs!(mounts());
    let world = World::new();
    fs::set_permissions(world.at("root"), PermissionsExt::from_mode(0o700)).unwrap();
    let chroot = |root: &str| world.run(&format!("setuidgid :8001:8002 chroot {root} /state"));
    let refused =
        |action: &str| fails(111, format!("chroot: fatal: unable to {action}: {}\n", says(Errno::EACCES)));
    assert_eq!(chroot("root"), refused("enter root"));
    assert_eq!(chroot("root/proc"), refused("open directory root/proc"));
}

#[test]
fn a_root_that_is_no_directory_or_not_there_is_named() {
    needs!(mounts());
    let world = World::new();
    for (root, errno) in [("nowhere", Errno::ENOENT), ("root/state", Errno::ENOTDIR), ("''", Errno::ENOENT)] {
        let name = root.trim_matches('\'');
        assert_eq!(
            world.run(&format!("setuidgid :8001:8002 chroot {root} /state")),
            fails(111, format!("chroot: fatal: unable to open directory {name}: {}\n", says(errno)))
        );
    }
}

#[test]
fn securebits_that_keep_capabilities_change_nothing() {
    needs!(mounts());
    let world = World::new();
    for bits in ["+no_setuid_fixup", "+no_setuid_fixup,+no_setuid_fixup_locked"] {
        let before = format!("setpriv --securebits={bits}");
        world.assert_promised(&before, "setuidgid :8001:8002 chroot root /state", IDS);
    }
    // Without the privileges of uid 0 it is the capabilities that count.
    let lent = "+setuid,+setgid,+setpcap,+sys_chroot";
    let before =
        format!("setpriv --inh-caps={lent} --ambient-caps={lent} --securebits=+noroot,+noroot_locked");
    world.assert_promised(&before, "setuidgid :8001:8002 chroot root /state", IDS);
}

#[test]
fn where_securebits_forbid_to_keep_a_capability_nothing_is_lent() {
    needs!(mounts());
    let world = World::new();
    // exec clears SECBIT_KEEP_CAPS itself, so that no link ever starts with it; the lock stays.
    let before = "setpriv --securebits=+keep_caps_locked";
    assert_eq!(world.run(&format!("{before} setuidgid :8001:8002 chroot root /state")), not_allowed());
    assert_eq!(world.run(&format!("{before} setuidgid :8001:8002 state")).status, 0);
}

#[test]
fn an_account_in_100_groups_has_them_all() {
    needs!(mounts());
    let world = World::new();
    let groups: Vec<u32> = [5006].into_iter().chain(6000..6099).collect();
    assert_eq!(groups.len(), 100);
    world.assert_promised("", "setuidgid -s many chroot root /state", (5006, 5006, &groups));
}

#[test]
fn the_number_that_means_no_change_is_no_id() {
    needs!(mounts());
    let world = World::new();
    for account in [":4294967295:1", ":1:4294967295", ":1:1:4294967295"] {
        let problem =
            format!("invalid account {account}: not all of its ids are numbers from 0 to 4294967294");
        let seen = world.run(&format!("setuidgid {account} chroot root /state"));
        assert_eq!(seen, misuse("setuidgid", &problem));
    }
    assert_eq!(world.run("setuidgid nil chroot root /state").status, 111);
}

#[test]
fn root_goes_there_as_root() {
    needs!(mounts());
    let world = World::new();
    let control = world.run("chroot root /state").stdout;
    let expected = control.replace("\nGroups \n", "\nGroups 0\n").replace("\ngroups \n", "\ngroups 0\n");
    let seen = world.run("setuidgid :0:0 chroot root /state");
    assert_eq!(compared(&expected, &seen), "");
}

#[test]
fn a_process_that_is_the_account_and_may_chroot_ends_the_same() {
    needs!(mounts());
    let world = World::new();
    let account = "setpriv --reuid=8001 --regid=8002 --groups=8002";
    let lent = format!("{account} --inh-caps=+sys_chroot,+chown --ambient-caps=+sys_chroot,+chown");
    let line = "setuidgid :8001:8002 chroot root /state";
    let control = world.run("chroot root /state").stdout;
    let expected = as_account(&control, 8001, 8002, &[8002]);
    let seen = world.run(&format!("{lent} {line}"));
    assert_eq!(compared(&expected, &seen), "");
    assert_eq!(world.run(&format!("{account} {line}")), not_allowed());
}

#[test]
fn programs_with_a_prefix_belong_together() {
    needs!(mounts());
    let world = World::new();
    for name in ["setuidgid", "chroot"] {
        fs::rename(world.at("bin").join(name), world.at("bin").join(format!("x-{name}"))).unwrap();
    }
    let control = world.run("x-chroot root /state").stdout;
    let seen = world.run("x-setuidgid :8001:8002 x-chroot root /state");
    assert_eq!(compared(&as_account(&control, 8001, 8002, &[8002]), &seen), "");
    // Without the prefix it is another program.
    fs::create_dir(world.at("other")).unwrap();
    world.install(&["chroot"], "other");
    assert_eq!(world.run("PATH=\"$0/other:$PATH\" x-setuidgid :8001:8002 chroot root /state"), not_allowed());
}

#[test]
fn symbolic_links_and_paths_lead_to_the_same_chroot() {
    needs!(mounts());
    let world = World::new();
    fs::create_dir(world.at("links")).unwrap();
    for name in ["setuidgid", "chroot"] {
        symlink(world.at("bin").join(name), world.at("links").join(name)).unwrap();
    }
    for (path, line) in [
        ("$PATH", "setuidgid :8001:8002 \"$0/bin/chroot\" root /state"),
        ("$PATH", "setuidgid :8001:8002 bin/chroot root /state"),
        ("$PATH", "setuidgid :8001:8002 links/chroot root /state"),
        ("$PATH", "links/setuidgid :8001:8002 chroot root /state"),
        ("$PATH", "setuidgid -- :8001:8002 chroot -- root /state"),
        ("$0/links", "setuidgid :8001:8002 chroot root /state"),
        ("links:", "setuidgid :8001:8002 chroot root /state"),
        ("$0/nowhere:$0/bin/state:$0/bin", "setuidgid :8001:8002 chroot root /state"),
    ] {
        world.assert_promised(&format!("env PATH=\"{path}\""), line, IDS);
    }
}

#[test]
fn chroot_answers_and_complains_as_it_does_alone() {
    needs!(mounts());
    let world = World::new();
    for words in ["--help", "--version", "", "-x root /state", "root /nowhere"] {
        let seen = world.run(&format!("setuidgid :8001:8002 chroot {words}"));
        let alone = world.run(&format!("chroot {words}"));
        assert_eq!((seen.status, &seen.stdout), (alone.status, &alone.stdout), "{words}");
        // The process that could not execute the program is setuidgid's.
        assert_eq!(
            seen.stderr.replace("setuidgid: fatal: unable to run", "chroot: fatal: unable to run"),
            alone.stderr
        );
    }
}

#[test]
fn without_a_program_the_users_shell_runs_inside() {
    needs!(mounts());
    let world = World::new();
    let seen = world.run("export SHELL=/state; setuidgid :8001:8002 chroot root");
    assert!(seen.stdout.starts_with("argv /state\nargv -i\n"), "{seen:?}");
    assert!(seen.stdout.contains("\npermitted 0000000000000000\n"));
}

#[test]
fn without_proc_chroot_is_another_program() {
    needs!(mounts());
    let world = World::new();
    assert_eq!(
        world.run("mount -t tmpfs none /proc && setuidgid :8001:8002 chroot root /state"),
        not_allowed()
    );
}

#[test]
fn a_proc_that_lies_gains_nothing() {
    needs!(mounts());
    let world = World::new();
    for directory in ["evil", "proc", "proc/self"] {
        fs::create_dir(world.at(directory)).unwrap();
    }
    install(&example("state"), &world.at("evil/chroot"));
    symlink(world.at("evil/setuidgid"), world.at("proc/self/exe")).unwrap();
    // Only where nobody but root could have mounted it, since root runs this.
    let seen = world.run("mount --bind proc /proc && setuidgid :8001:8002 evil/chroot root /state");
    let (status, out) = (seen.status, &*seen.stdout);
    // Either it is executed, as the foreign program that it is, or our own code does what it would do.
    let executed = out.starts_with("argv evil/chroot\nargv root\nargv /state\n");
    assert!(status == 0 && (executed || out.starts_with("argv /state\n")), "{seen:?}");
    for set in ["inheritable", "permitted", "effective", "ambient"] {
        assert!(out.contains(&format!("\n{set} 0000000000000000\n")), "{out}");
    }
    assert!(out.contains("\nuids 8001 8001 8001\n"), "{out}");
}
