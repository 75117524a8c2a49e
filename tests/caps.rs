//! caps.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use nix::errno::Errno;
use tempfile::TempDir;

use crate::common_rules::{refusal, set_id};
use crate::needs;
use crate::support::*;

const CHOWN: u64 = 1 << 0;
const KILL: u64 = 1 << 5;
const SETPCAP: u64 = 1 << 8;
const BIND: u64 = 1 << 10;
const NET_RAW: u64 = 1 << 13;
const SYS_CHROOT: u64 = 1 << 18;
const SYS_NICE: u64 = 1 << 23;

/// In front of a program: an account with no capability.
const ACCOUNT: &str = "setpriv --reuid=8001 --regid=8002 --groups=8002";

/// A directory with links and `state`, `setuidgid` and all that it lends something among them, in `bin`.
struct World {
    directory: TempDir,
}

impl World {
    fn new() -> Self {
        let world = Self { directory: open_directory() };
        fs::create_dir(world.at("bin")).unwrap();
        for link in ["setuidgid", "caps", "nice", "chroot", "softlimit", "umask", "catena"] {
            install(&bin().join(link), &world.at("bin").join(link));
        }
        for program in ["state", "pose"] {
            install(&example(program), &world.at("bin").join(program));
        }
        world
    }

    fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Runs a shell script in the directory, with `bin` in front in PATH.
    fn run(&self, script: &str) -> Outcome {
        let path = format!("{}:{BASE_PATH}", self.at("bin").display());
        run(sh(script).current_dir(&self.directory).env("PATH", path))
    }

    fn sets(&self, script: &str) -> Sets {
        let outcome = self.run(script);
        assert_eq!((outcome.status, &*outcome.stderr), (0, ""), "{script}");
        Sets::of(&outcome.stdout)
    }
}

/// The five sets of a program.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Sets {
    inheritable: u64,
    permitted: u64,
    effective: u64,
    bounding: u64,
    ambient: u64,
}

impl Sets {
    /// As `state` shows them.
    fn of(state: &str) -> Self {
        let value = |name: &str| u64::from_str_radix(item(state, name), 16).unwrap();
        Self {
            inheritable: value("inheritable"),
            permitted: value("permitted"),
            effective: value("effective"),
            bounding: value("bounding"),
            ambient: value("ambient"),
        }
    }

    /// Where all are the same.
    fn each(set: u64) -> Self {
        Self { inheritable: set, permitted: set, effective: set, bounding: set, ambient: set }
    }
}

fn item<'a>(state: &'a str, name: &str) -> &'a str {
    let line = state.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {state}"))
}

/// Whether the tests have these: root in a container may lack some.
fn has(set: u64) -> Result<(), String> {
    root()?;
    tool("setpriv")?;
    let own = Sets::of(&run(&mut prepared(example("state"))).stdout);
    let there = set & own.permitted & own.bounding == set;
    if there { Ok(()) } else { Err(format!("the capabilities {set:#x}")) }
}

const SOME: u64 = CHOWN | KILL | SETPCAP | BIND | SYS_CHROOT;

/// What caps says where something is missing.
fn denied(text: &str, hint: &str) -> Outcome {
    fails(111, format!("caps: fatal: {text}\ncaps: hint: {hint}\n"))
}

#[test]
fn the_program_has_exactly_these_and_can_get_no_others() {
    needs!(has(SOME));
    let world = World::new();
    for (set, sets) in [
        ("none", 0),
        ("chown", CHOWN),
        ("CAP_NET_BIND_SERVICE", BIND),
        ("cap_chown,Kill,chown", CHOWN | KILL),
        ("10,cap_0", BIND | CHOWN),
    ] {
        for line in ["caps", "catena caps", "setuidgid :8001:8002 caps", "catena setuidgid :8001:8002 caps"] {
            assert_eq!(world.sets(&format!("{line} {set} state")), Sets::each(sets), "{line} {set}");
        }
    }
}

#[test]
fn all_are_those_that_are_permitted() {
    needs!(has(SOME));
    let world = World::new();
    for without in ["", "setpriv --bounding-set=-kill"] {
        let own = world.sets(&format!("{without} state")).permitted;
        for line in ["caps", "setuidgid :8001:8002 caps"] {
            assert_eq!(
                world.sets(&format!("{without} {line} all state")),
                Sets::each(own),
                "{without} {line}"
            );
        }
    }
    let account = format!("{ACCOUNT} --inh-caps=+kill,+chown --ambient-caps=+kill,+chown");
    let before = world.sets(&format!("{account} state"));
    assert_eq!(world.sets(&format!("{account} caps -B all state")), before);
}

#[test]
fn with_b_the_bounding_set_stays() {
    needs!(has(SOME));
    let world = World::new();
    let own = world.sets("state");
    let account = Sets { bounding: own.bounding, ..Sets::each(BIND) };
    assert_eq!(world.sets("setuidgid :8001:8002 caps -B net_bind_service state"), account);
    // Root gets it back by the exec.
    let root = Sets { inheritable: BIND, ambient: BIND, ..own };
    assert_eq!(world.sets("caps -B net_bind_service state"), root);
    assert_eq!(world.sets("catena caps -B net_bind_service umask 022 state"), root);
    // Unless it is an account as others.
    let noroot = "setpriv --securebits=+noroot caps -B net_bind_service";
    assert_eq!(world.run(&format!("{noroot} state")).status, 111, "nothing is permitted any more");
    let lent = "setpriv --inh-caps=+net_bind_service,+chown --ambient-caps=+net_bind_service,+chown";
    assert_eq!(world.sets(&format!("{lent} --securebits=+noroot caps -B net_bind_service state")), account);
}

#[test]
fn an_account_may_keep_some_of_what_it_has() {
    needs!(has(SOME));
    let world = World::new();
    let with = |caps: &str| format!("{ACCOUNT} --inh-caps={caps} --ambient-caps={caps}");
    let bounding = world.sets("state").bounding;
    let few = with("+chown,+kill");
    assert_eq!(world.sets(&format!("{few} caps -B kill state")), Sets { bounding, ..Sets::each(KILL) });
    assert_eq!(world.sets(&format!("{few} caps -B none state")), Sets { bounding, ..Sets::each(0) });
    // With the right to it, which goes too.
    let right = with("+chown,+kill,+setpcap");
    assert_eq!(world.sets(&format!("{right} caps kill state")), Sets::each(KILL));
    let text = "the bounding set cannot be made smaller: CAP_SETPCAP is not permitted here";
    let hint = "-B leaves the bounding set as it is";
    assert_eq!(world.run(&format!("{few} caps kill echo ran")), denied(text, hint));
    assert_eq!(world.run(&format!("{ACCOUNT} caps none echo ran")), denied(text, hint));
    // Where there is nothing to take out of it no right is needed.
    let kept = with("+chown,+kill");
    let small = format!("{kept} --bounding-set=-all,+chown,+kill");
    assert_eq!(world.sets(&format!("{small} caps kill,chown state")), Sets::each(CHOWN | KILL));
}

#[test]
fn what_is_not_permitted_is_named_and_nothing_runs() {
    needs!(has(SOME | NET_RAW));
    let world = World::new();
    let only_root = "only root may: put caps right after setuidgid, which lends it";
    let container = "root has not got it here, as in a container that was started without it";
    let missing = "CAP_NET_RAW is not permitted here";
    for set in ["net_raw", "-B net_raw", "chown,net_raw", "-i ^cap_net_raw", "-i ^13"] {
        let name = if set.ends_with("13") { "CAP_13 is not permitted here" } else { missing };
        let with = format!("{ACCOUNT} --inh-caps=+chown --ambient-caps=+chown");
        assert_eq!(world.run(&format!("{with} caps {set} echo ran")), denied(name, only_root), "{set}");
        let without = "setpriv --bounding-set=-net_raw";
        assert_eq!(world.run(&format!("{without} caps {set} echo ran")), denied(name, container), "{set}");
    }
    let lent = "setpriv --bounding-set=-net_raw setuidgid :8001:8002 caps chown,net_raw echo ran";
    assert_eq!(world.run(lent), denied(missing, container));
    // What no kernel has yet.
    assert_eq!(world.run("caps 63 echo ran"), denied("CAP_63 is not permitted here", container));
    // Without the right to raise any it may keep what is inheritable, and raise what is permitted.
    let with = format!("{ACCOUNT} --inh-caps=+chown,+kill --ambient-caps=+chown");
    assert_eq!(world.run(&format!("{with} caps -i %kill,chown state")).status, 0);
    assert_eq!(world.run(&format!("{with} caps -i %net_raw echo ran")), denied(missing, only_root));
}

#[test]
fn what_is_in_the_bounding_set_no_more_cannot_be_given_by_another_caps() {
    needs!(has(SOME));
    let world = World::new();
    let line = "setuidgid :8001:8002 caps chown caps kill,setpcap echo ran";
    let outcome = fails(111, "caps: fatal: CAP_KILL is not in the bounding set\n");
    assert_eq!(world.run(line), outcome);
    assert_eq!(world.run(&format!("catena {line}")), outcome);
    // The last one counts where it takes away.
    assert_eq!(world.sets("setuidgid :8001:8002 caps chown,kill caps kill state"), Sets::each(KILL));
    assert_eq!(world.sets("caps chown,kill,setpcap caps kill state"), Sets::each(KILL));
}

#[test]
fn a_securebit_that_forbids_ambient_ones_is_named() {
    needs!(has(SOME));
    let world = World::new();
    let text = format!("unable to make capabilities ambient: {}", says(Errno::EPERM));
    let hint = "the securebit no_cap_ambient_raise forbids it, which whoever started this has set";
    // Which setpriv has no name for.
    needs!(tool("capsh"));
    let under = |line: &str| world.run(&format!("capsh --secbits=0x40 -- -c '{line}'"));
    for line in ["caps chown echo ran", "setuidgid :8001:8002 caps chown echo ran"] {
        assert_eq!(under(line), denied(&text, hint), "{line}");
    }
    assert_eq!(under("caps none echo ran"), prints("ran\n"));
}

#[test]
fn the_sets_are_those_of_setpriv() {
    needs!(has(SOME));
    let world = World::new();
    let ids = |state: &Outcome| (state.status, state.stdout.clone());
    for (set, setpriv) in [("net_bind_service", "+net_bind_service"), ("chown,kill", "+chown,+kill")] {
        let sets =
            format!("--inh-caps=-all,{setpriv} --ambient-caps=-all,{setpriv} --bounding-set=-all,{setpriv}");
        for before in ["", "pose no-new-privs", "pose death", "pose ambient"] {
            let theirs = world.run(&format!("{before} setpriv {sets} state"));
            let ours = world.run(&format!("{before} caps {set} state"));
            assert_eq!(ids(&ours), ids(&theirs), "{before} {set}");
            let ids_of = "--reuid=8001 --regid=8002 --groups=8002";
            let theirs = world.run(&format!("{before} setpriv {ids_of} {sets} state"));
            for line in ["", "catena"] {
                let ours = world.run(&format!("{before} {line} setuidgid :8001:8002 caps {set} state"));
                // setpriv leaves the signal cleared that a change of ids clears.
                let kept = ours.stdout.replace("\nparent-death 12\n", "\nparent-death 0\n");
                assert_eq!(differences(&theirs.stdout, &kept), "", "{before} {line} {set}");
            }
        }
    }
}

/// What capsh and `caps -i` both read.
const IAB: &[&str] = &[
    "cap_net_bind_service",
    "%cap_net_bind_service",
    "^cap_net_bind_service",
    "^CAP_CHOWN,cap_kill",
    "!cap_kill",
    "!cap_kill,!cap_chown",
    "!^cap_kill",
    "^!cap_kill",
    "!%cap_kill,^cap_chown",
    "%!cap_kill",
    "^%cap_kill",
    "^^cap_kill",
    "cap_kill,^cap_kill,!cap_kill",
    "^0,%5,!10",
];

#[test]
fn with_i_the_sets_are_those_of_capsh() {
    needs!(has(SOME), tool("capsh"));
    let world = World::new();
    let account = |caps: &str| format!("{ACCOUNT} --inh-caps={caps} --ambient-caps={caps}");
    let (rich, noroot) = (account("+chown,+kill,+net_bind_service,+setpcap"), "setpriv --securebits=+noroot");
    let noroot = format!("{noroot} --inh-caps=+chown,+kill,+setpcap --ambient-caps=+chown,+kill,+setpcap");
    for before in ["", "pose ambient", "pose no-new-privs", &rich, &noroot] {
        for text in IAB {
            let theirs = world.run(&format!("{before} capsh --iab='{text}' -- -c state"));
            let ours = world.run(&format!("{before} caps -i '{text}' state"));
            let theirs = if theirs.status == 0 { Some(Sets::of(&theirs.stdout)) } else { None };
            let ours = if ours.status == 0 { Some(Sets::of(&ours.stdout)) } else { None };
            assert_eq!(ours, theirs, "{before} {text}");
        }
    }
    // Refused here, and there read as nothing, or as half a word.
    for text in ["", "^", "cap_chown,"] {
        assert_eq!(world.run(&format!("capsh --iab='{text}' -- -c true")).status, 0, "{text}");
        assert_eq!(world.run(&format!("caps -i '{text}' true")).status, 100, "{text}");
    }
    for text in ["all", "none", ",", "cap_chown cap_kill", "^cap_64", "&chown"] {
        assert_ne!(world.run(&format!("capsh --iab='{text}' -- -c true")).status, 0, "{text}");
        assert_eq!(world.run(&format!("caps -i '{text}' true")).status, 100, "{text}");
    }
}

#[test]
fn with_i_setuidgid_lends_what_it_needs() {
    needs!(has(SOME));
    let world = World::new();
    let bounding = world.sets("state").bounding;
    for (text, inheritable, ambient, dropped) in [
        ("^net_bind_service", BIND, BIND, 0),
        ("%chown,^kill,!setpcap", CHOWN | KILL, KILL, SETPCAP),
        ("!^kill", KILL, KILL, KILL),
        ("!kill", 0, 0, KILL),
        ("chown", CHOWN, 0, 0),
    ] {
        let sets = Sets {
            inheritable,
            ambient,
            permitted: ambient,
            effective: ambient,
            bounding: bounding & !dropped,
        };
        for line in ["", "catena"] {
            let line = format!("{line} setuidgid :8001:8002 caps -i {text}");
            assert_eq!(world.sets(&format!("{line} state")), sets, "{line}");
            assert_eq!(world.sets(&format!("{line} nice -n 0 state")), sets, "{line}");
        }
    }
}

#[test]
fn a_mistake_in_the_set_is_a_usage_error() {
    for (words, problem) in [
        ("net_rwa", "unknown capability: net_rwa"),
        ("cap_net_bind", "unknown capability: cap_net_bind"),
        ("net_raw,,kill", "unknown capability: the value is empty"),
        ("net_raw,", "unknown capability: the value is empty"),
        ("net_raw+ep", "unknown capability: net_raw+ep"),
        ("64", "unknown capability: 64"),
        ("013", "unknown capability: 013"),
        ("-i ^", "unknown capability: the value is empty"),
        ("-i kill,^", "unknown capability: the value is empty"),
        ("-B -i none", "-B and -i exclude each other: with -i the set says what bounding is"),
        ("-iB none", "-B and -i exclude each other: with -i the set says what bounding is"),
        ("-b none", "invalid option '-b'"),
    ] {
        let outcome = run(link("caps").args(words.split(' ')).args(["echo", "ran"]));
        assert_eq!(outcome, misuse("caps", problem), "{words}");
        needs!(root());
        let line = link("catena")
            .args(["setuidgid", ":8001:8002", "caps"])
            .args(words.split(' '))
            .arg("true")
            .output();
        assert_eq!(line.unwrap().status.code(), Some(100), "{words}");
    }
    for (words, problem, hint) in [
        ("chown,all", "unknown capability: all", "it stands alone"),
        ("none,chown", "unknown capability: none", "it stands alone"),
        ("-i all", "unknown capability: all", "it stands alone"),
        ("^chown", "unknown capability: ^chown", "a set with ! ^ % is read with -i"),
        ("!chown,kill", "unknown capability: !chown", "a set with ! ^ % is read with -i"),
    ] {
        let outcome = run(link("caps").args(words.split(' ')).args(["echo", "ran"]));
        let expected = misuse("caps", problem);
        let stderr = format!("{}caps: hint: {hint}\n", expected.stderr);
        assert_eq!(outcome, Outcome { stderr, ..expected }, "{words}");
    }
}

#[test]
fn the_words_that_setuidgid_reads_are_those_that_caps_reads() {
    needs!(has(SOME));
    let world = World::new();
    let bounding = world.sets("state").bounding;
    let kill = Sets::each(KILL);
    for (words, sets) in [
        ("kill", kill),
        ("-- kill", kill),
        ("-B kill", Sets { bounding, ..kill }),
        ("-B -- kill", Sets { bounding, ..kill }),
        ("-BB kill", Sets { bounding, ..kill }),
        ("-i ^kill", Sets { bounding, ..kill }),
        ("-ii -- ^kill", Sets { bounding, ..kill }),
    ] {
        assert_eq!(world.sets(&format!("setuidgid :8001:8002 caps {words} state")), sets, "{words}");
    }
}

#[test]
fn in_a_user_namespace_it_is_the_same() {
    needs!(has(SOME));
    let world = World::new();
    let inside = "unshare --user --map-root-user";
    if world.run(&format!("{inside} true")).status != 0 {
        return skip("a user namespace");
    }
    for set in [("none", 0), ("kill,chown", KILL | CHOWN)] {
        for before in ["", ACCOUNT] {
            assert_eq!(
                world.sets(&format!("{before} {inside} caps {} state", set.0)),
                Sets::each(set.1),
                "{before}"
            );
        }
    }
    // With ids to change to.
    let script = "unshare --user sh -c 'until read -r x </proc/self/uid_map; do :; done; exec \"$@\"' sh \
        setuidgid :8001:8002 caps net_bind_service state & \
        until [ \"$(readlink /proc/$!/ns/user)\" != \"$(readlink /proc/$$/ns/user)\" ]; do :; done; \
        echo '0 0 65536' >/proc/$!/gid_map; echo '0 0 65536' >/proc/$!/uid_map; wait $!";
    let outcome = world.run(script);
    assert_eq!((outcome.status, &*outcome.stderr), (0, ""));
    assert_eq!(Sets::of(&outcome.stdout), Sets::each(BIND));
    assert_eq!(item(&outcome.stdout, "uids"), "8001 8001 8001");
}

#[test]
fn an_account_binds_a_port_below_1024() {
    needs!(has(BIND), tool("perl"), tool("unshare"));
    let world = World::new();
    let perl = "use Socket; socket(S, PF_INET, SOCK_STREAM, 0) or die; \
        print bind(S, sockaddr_in(80, INADDR_LOOPBACK)) ? \"bound $>\\n\" : \"refused $>\\n\"";
    fs::write(world.at("bind.pl"), perl).unwrap();
    fs::set_permissions(world.at("bind.pl"), Permissions::from_mode(0o644)).unwrap();
    let up = "use Socket; socket(S, PF_INET, SOCK_DGRAM, 0) or die; \
        my $r = pack('Z16 s x22', 'lo', 1); ioctl(S, 0x8914, $r) or die $!";
    fs::write(world.at("up.pl"), up).unwrap();
    let bind = |line: &str| {
        let script = format!("perl up.pl && {line} perl bind.pl");
        let mut command = prepared("unshare");
        command.args(["--net", "sh", "-c", &script]).current_dir(&world.directory);
        command.env("PATH", format!("{}:{BASE_PATH}", world.at("bin").display()));
        run(&mut command)
    };
    if run(prepared("unshare").args(["--net", "true"])).status != 0 || bind("") != prints("bound 0\n") {
        return skip("a network namespace");
    }
    for line in ["setuidgid :8001:8002 caps", "catena setuidgid :8001:8002 caps"] {
        assert_eq!(bind(&format!("{line} net_bind_service")), prints("bound 8001\n"), "{line}");
        assert_eq!(bind(&format!("{line} -i ^cap_net_bind_service")), prints("bound 8001\n"), "{line}");
        assert_eq!(bind(&format!("{line} kill")), prints("refused 8001\n"), "{line}");
        assert_eq!(bind(&format!("{line} -i cap_net_bind_service")), prints("refused 8001\n"), "{line}");
    }
}

/// A state as it is for the account, with these capabilities and no others.
fn as_account(state: &str, set: u64) -> String {
    let line = |item: &str| match item.split(' ').next().unwrap() {
        name @ "Uid" => format!("{name} 8001 8001 8001 8001\n"),
        name @ "Gid" => format!("{name} 8002 8002 8002 8002\n"),
        name @ "uids" => format!("{name} 8001 8001 8001\n"),
        name @ "gids" => format!("{name} 8002 8002 8002\n"),
        name @ ("Groups" | "groups") => format!("{name} 8002\n"),
        name @ ("CapInh" | "CapPrm" | "CapEff" | "CapAmb" | "CapBnd" | "inheritable" | "permitted"
        | "effective" | "ambient" | "bounding") => format!("{name} {set:016x}\n"),
        _ => format!("{item}\n"),
    };
    state.lines().map(line).collect()
}

#[test]
fn nothing_else_changes_and_nothing_more_than_asked_is_left() {
    needs!(has(SOME));
    let world = World::new();
    for pose in ["death", "no-new-privs", "ambient", "all-blocked", "closed=012", "umask=077"] {
        let control = world.run(&format!("pose out pose {pose} state"));
        assert_eq!(control.status, 0);
        for line in ["", "catena"] {
            let seen =
                world.run(&format!("pose out pose {pose} {line} setuidgid :8001:8002 caps kill state"));
            assert_eq!(seen.status, 0, "{seen:?}");
            let difference = differences(&as_account(&control.stdout, KILL), &seen.stdout);
            assert_eq!(difference, "", "{pose} {line}");
        }
    }
    for bits in ["+no_setuid_fixup,+no_setuid_fixup_locked", "+noroot", "+noroot_locked"] {
        // Capabilities that pass an exec by root where root is an account as any other.
        let lent = "+setuid,+setgid,+setpcap,+kill,+chown";
        let before = format!("setpriv --inh-caps={lent} --ambient-caps={lent} --securebits={bits}");
        let control = world.run(&format!("{before} state"));
        let seen = world.run(&format!("{before} setuidgid :8001:8002 caps kill state"));
        assert_eq!((seen.status, &*seen.stderr), (0, ""), "{bits}");
        assert_eq!(differences(&as_account(&control.stdout, KILL), &seen.stdout), "", "{bits}");
    }
}

#[test]
fn beside_other_links_that_are_lent_something_the_end_is_the_same() {
    needs!(has(SOME | SYS_NICE), crate::nice::lowered());
    let world = World::new();
    let control = world.run("nice -n -5 state");
    let expected = as_account(&control.stdout, KILL);
    for links in [
        "caps kill nice -n -5",
        "nice -n -5 caps kill",
        "nice -n -2 caps kill nice -n -3",
        "softlimit caps kill nice -n -5",
        "nice -n -5 softlimit caps kill",
        "caps kill,chown nice -n -5 caps kill",
        "caps -B kill,sys_nice nice -n -5 caps kill",
    ] {
        for line in ["", "catena"] {
            let seen = world.run(&format!("{line} setuidgid :8001:8002 {links} state"));
            assert_eq!((seen.status, &*seen.stderr), (0, ""), "{line} {links}");
            assert_eq!(differences(&expected, &seen.stdout), "", "{line} {links}");
        }
    }
    // With a link between that setuidgid does not apply the loan has ended.
    let refused = world.run("setuidgid :8001:8002 umask 022 caps kill echo ran");
    let hint = "only root may: put caps right after setuidgid, which lends it";
    assert_eq!(refused, denied("CAP_KILL is not permitted here", hint));
    // In front of setuidgid it is gone with the ids, and nothing is left to set them with.
    assert_eq!(world.sets("caps setuid,setgid,kill setuidgid :8001:8002 state").ambient, 0);
    assert_eq!(world.sets("catena caps setuid,setgid,kill setuidgid :8001:8002 nice state").ambient, 0);
    assert_eq!(world.run("caps kill setuidgid :8001:8002 echo ran").status, 111);
}

#[test]
fn the_right_to_chroot_does_not_pass_into_the_root() {
    needs!(has(SOME), mounts());
    let world = World::new();
    fs::create_dir(world.at("root")).unwrap();
    install_root(&world.at("root"), &[&example("state")]);
    let sets = |line: &str| world.sets(&format!("unshare -m {line} /state"));
    let kill = Sets { bounding: KILL | SYS_CHROOT, ..Sets::each(KILL) };
    for line in ["", "catena"] {
        let line = format!("{line} setuidgid :8001:8002");
        assert_eq!(sets(&format!("{line} caps kill,sys_chroot chroot root")), kill, "{line}");
        assert_eq!(sets(&format!("{line} caps kill chroot root")), Sets::each(KILL), "{line}");
    }
    // Which is inside only for the program that has it.
    let given = sets("catena setuidgid :8001:8002 chroot root caps kill,sys_chroot");
    assert_eq!(given, Sets::each(KILL | SYS_CHROOT));
}

#[test]
fn a_foreign_caps_first_in_path_gets_nothing() {
    needs!(has(SOME));
    let world = World::new();
    fs::create_dir(world.at("foreign")).unwrap();
    install(&example("state"), &world.at("foreign/caps"));
    let bounding = world.sets("state").bounding;
    for before in ["", "pose ambient", "setpriv --securebits=+no_setuid_fixup"] {
        let line = format!("PATH=$PWD/foreign:$PATH {before} setuidgid :8001:8002 caps kill state");
        let seen = world.run(&line);
        assert!(seen.stdout.starts_with("argv caps\nargv kill\nargv state\n"), "{seen:?}");
        assert_eq!(Sets::of(&seen.stdout), Sets { bounding, ..Sets::each(0) }, "{before}");
    }
    // A word that only looks like a link gets nothing either.
    let seen = world.run("setuidgid :8001:8002 state caps kill");
    assert_eq!(Sets::of(&seen.stdout), Sets { bounding, ..Sets::each(0) });
}

#[test]
fn a_caps_that_the_account_puts_there_meanwhile_gets_nothing() {
    needs!(has(SOME), tool("timeout"));
    let world = World::new();
    let theirs = world.at("theirs");
    fs::create_dir(&theirs).unwrap();
    std::os::unix::fs::chown(&theirs, Some(8001), Some(8002)).unwrap();
    install(&example("state"), &world.at("theirs/state-again"));
    // Now it is theirs, now it is ours.
    let race = "setpriv --reuid=8001 --regid=8002 --clear-groups timeout 60 sh -c \
        'cd theirs; while :; do ln -sf state-again caps; ln -sf ../bin/caps caps; done' 2>/dev/null & \
        for i in $(seq 200); do \
            PATH=$PWD/theirs:$PATH setuidgid :8001:8002 caps kill state | sed -n '1p; /^ambient/p; /^permitted/p; /^inheritable/p'; \
        done; kill $!";
    let seen = world.run(race).stdout;
    let lines: Vec<_> = seen.lines().collect();
    let (mut ours, mut foreign) = (0, 0);
    for run in lines.chunks(4) {
        let set = if run[0] == "argv state" { KILL } else { 0 };
        *if set == KILL { &mut ours } else { &mut foreign } += 1;
        let sets = ["inheritable", "permitted", "ambient"].map(|name| format!("{name} {set:016x}"));
        assert_eq!(run[1..], sets, "{}", run[0]);
    }
    // Who comes between the two looks executes ours as the account, which may not: a few runs end so.
    assert!(ours > 0 && foreign > 0, "{ours} {foreign}");
}

#[test]
fn a_set_id_copy_or_one_with_capabilities_refuses_to_work() {
    let world = World::new();
    needs!(has(SOME), set_id(world.directory.path()), tool("setcap"));
    let mode = |mode| fs::set_permissions(world.at("bin/caps"), Permissions::from_mode(mode)).unwrap();
    let setcap = |file: &str, what: &str| {
        assert_eq!(run(prepared("setcap").arg(what).arg(world.at(file))), prints(""));
    };
    let alone = format!("{ACCOUNT} caps -B none echo ran");
    // Which setuidgid does not execute: it gives what was asked for, and nothing of the file's.
    let lent = "setuidgid :8001:8002 caps kill state";
    for kind in [0o4755, 0o2755] {
        mode(kind);
        assert_eq!(world.run(&alone), refusal("caps"), "{kind:o}");
        let state = world.run(lent).stdout;
        assert_eq!(Sets::of(&state), Sets::each(KILL), "{kind:o}");
        assert_eq!((item(&state, "uids"), item(&state, "gids")), ("8001 8001 8001", "8002 8002 8002"));
    }
    mode(0o755);
    setcap("bin/caps", "cap_chown=ep");
    assert_eq!(world.run(&alone), refusal("caps"));
    assert_eq!(world.sets(lent), Sets::each(KILL));
}

#[test]
fn a_program_that_is_set_id_loses_the_ambient_ones() {
    let world = World::new();
    needs!(has(SOME), set_id(world.directory.path()));
    install(std::path::Path::new("/bin/cat"), &world.at("bin/other"));
    std::os::unix::fs::chown(world.at("bin/other"), Some(8005), Some(8005)).unwrap();
    fs::set_permissions(world.at("bin/other"), Permissions::from_mode(0o4755)).unwrap();
    let sets = |before: &str| {
        let line = format!("{before} setuidgid :8001:8002 caps kill other /proc/self/status");
        let status = world.run(&line).stdout;
        ["CapPrm", "CapEff", "CapAmb"].map(|name| item(&status.replace(":\t", " "), name).to_owned())
    };
    assert_eq!(sets(""), ["0000000000000000"; 3]);
    assert_eq!(sets("pose no-new-privs"), ["0000000000000020"; 3]);
}
