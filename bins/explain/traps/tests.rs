use common::state::{Item, State, hex};

use super::*;

fn inherited(items: &[(&'static str, &str, &str)], env: &[&str]) -> Inherited {
    let item = |(key, part, value): &(&'static str, &str, &str)| Item {
        key,
        part: part.as_bytes().to_vec(),
        value: value.as_bytes().to_vec(),
    };
    Inherited {
        state: State(items.iter().map(item).collect()),
        env: env.iter().map(|entry| entry.as_bytes().to_vec()).collect(),
    }
}

fn split(words: &str) -> Vec<Vec<u8>> {
    words.split(' ').map(|word| word.as_bytes().to_vec()).collect()
}

fn step(words: &str, before: &Inherited, after: &Inherited) -> Step {
    Step { words: split(words), before: before.clone(), after: after.clone(), failed: None }
}

fn program(words: &str) -> Found {
    let words = split(words);
    Found { file: [b"/bin/", &words[0][..]].concat(), runs: words[0].clone(), words, ..Found::default() }
}

/// The traps that a chain of one link goes into, by name.
fn found(seen: &Seen) -> Vec<&'static str> {
    TRAPS.iter().filter(|(_, trap)| trap(seen).is_some()).map(|(name, _)| *name).collect()
}

fn one(words: &str, before: &Inherited, after: &Inherited, program: Found) -> Seen {
    Seen {
        steps: vec![step(words, before, after)],
        program: Some(program),
        last: after.clone(),
        denied: "Permission denied".into(),
    }
}

#[test]
fn a_limit_of_the_address_space_is_too_small_for_go_and_v8() {
    let free = inherited(&[("limit", "as", "unlimited unlimited")], &[]);
    let limited = inherited(&[("limit", "as", "9000 unlimited")], &[]);
    let of = |after, program| found(&one("softlimit -m 9000", &free, after, program));
    assert_eq!(of(&limited, program("node x.js")), ["address-space"]);
    assert_eq!(of(&limited, Found { runs: b"/usr/bin/node".to_vec(), ..program("app") }), ["address-space"]);
    assert_eq!(of(&limited, Found { is_go: true, ..program("app") }), ["address-space"]);
    assert_eq!(of(&free, program("node x.js")), [""; 0]);
    assert_eq!(of(&limited, program("mydaemon")), [""; 0]);
    assert_eq!(found(&one("umask 0", &limited, &limited, program("node"))), [""; 0]);
}

#[test]
fn home_is_still_roots() {
    let root = inherited(&[("uid", "", "0 0 0")], &["HOME=/root"]);
    let account = inherited(&[("uid", "", "33 33 33")], &["HOME=/root"]);
    let own = inherited(&[("uid", "", "33 33 33")], &["HOME=/srv"]);
    let none = inherited(&[("uid", "", "33 33 33")], &[]);
    let of = |before, after| found(&one("setuidgid www", before, after, program("mydaemon")));
    assert_eq!(of(&root, &account), ["home"]);
    assert_eq!(of(&root, &own), [""; 0]);
    assert_eq!(of(&root, &none), [""; 0]);
    assert_eq!(of(&root, &root), [""; 0]);
    assert_eq!(of(&account, &account), [""; 0]);
}

#[test]
fn a_shell_stands_between() {
    let any = Inherited::default();
    let of = |words| found(&one("umask 0", &any, &any, program(words)));
    assert_eq!(of("sh -c exec"), ["shell"]);
    assert_eq!(of("/bin/bash -e -c exec"), ["shell"]);
    assert_eq!(of("sh script"), [""; 0]);
    assert_eq!(of("mydaemon -c"), [""; 0]);
    let alone = Seen { program: Some(program("sh -c exec")), ..Seen::default() };
    assert_eq!(found(&alone), [""; 0]);
}

#[test]
fn a_link_cannot_read_what_the_account_may_not() {
    let (root, account) =
        (inherited(&[("uid", "", "0 0 0")], &[]), inherited(&[("uid", "", "33 33 33")], &[]));
    let seen = |first: &str, failed: &str, error: &str| Seen {
        steps: vec![
            step(first, &root, if first.starts_with("setuidgid") { &account } else { &root }),
            Step { failed: Some(error.into()), ..step(failed, &account, &account) },
        ],
        denied: "Permission denied".into(),
        ..Seen::default()
    };
    let error = "unable to open directory ./env: Permission denied";
    assert_eq!(found(&seen("setuidgid www", "envdir ./env", error)), ["unreadable"]);
    assert_eq!(found(&seen("umask 0", "envdir ./env", error)), [""; 0]);
    assert_eq!(found(&seen("setuidgid www", "envdir ./env", "unable: No such file")), [""; 0]);
    assert_eq!(found(&seen("setuidgid www", "chroot /srv", error)), [""; 0]);
}

#[test]
fn a_lock_is_released_at_once() {
    let none = inherited(&[("fd", "0", "read\t\t/dev/null\t")], &[]);
    let held = inherited(&[("fd", "0", "read\t\t/dev/null\t"), ("fd", "3", "write\tlocked\t/lock\t")], &[]);
    let mut seen = one("setlock ./lock", &none, &held, program("mydaemon"));
    assert_eq!(found(&seen), [""; 0]);
    seen.steps.push(step("fdclose 3", &held, &none));
    seen.last = none.clone();
    assert_eq!(found(&seen), ["lock"]);
    seen.steps.remove(0);
    assert_eq!(found(&seen), [""; 0]);
}

#[test]
fn a_program_puts_itself_into_the_background() {
    let any = Inherited::default();
    let of = |words: &str| {
        let words = words.split('|').map(|word| word.as_bytes().to_vec()).collect();
        found(&one("umask 0", &any, &any, Found { words, ..Found::default() }))
    };
    for forks in
        ["nginx", "nginx|-c|x", "/usr/sbin/sshd|-4", "cron", "memcached|-d", "redis-server|--daemonize|yes"]
    {
        assert_eq!(of(forks), ["background"], "{forks}");
    }
    for stays in [
        "nginx|-g|daemon off;",
        "sshd|-D",
        "sshd|-eD",
        "httpd|-DFOREGROUND|-k|start",
        "apache2|-D|FOREGROUND",
        "cron|-f",
        "dnsmasq|-k",
        "memcached|-m|64",
        "redis-server|/etc/redis",
        "dbus-daemon|--system|--nofork",
        "mydaemon",
    ] {
        assert_eq!(of(stays), [""; 0], "{stays}");
    }
    assert_eq!(found(&one("fghack", &any, &any, program("inetd"))), [""; 0]);
}

#[test]
fn root_gets_back_what_caps_has_taken() {
    let state = |uid: &str, permitted: u64, bits: &str| {
        let set = |mask| String::from_utf8(hex(mask)).unwrap();
        let (bounding, permitted) = (set(0xff), set(permitted));
        let items: [(&'static str, &str, &str); 4] = [
            ("uid", "", uid),
            ("capabilities", "bounding", &bounding),
            ("capabilities", "permitted", &permitted),
            ("securebits", "", bits),
        ];
        inherited(&items, &[])
    };
    let of =
        |words, after: &Inherited| found(&one(words, &state("0 0 0", 0xff, ""), after, program("mydaemon")));
    assert_eq!(of("caps -B none", &state("0 0 0", 0xff, "")), ["root-capabilities"]);
    assert_eq!(of("caps -B none", &state("33 33 33", 0, "")), [""; 0]);
    assert_eq!(of("caps -B none", &state("0 0 0", 0, "noroot")), [""; 0]);
    assert_eq!(of("caps none", &state("0 0 0", 0xff, "")), [""; 0]);
    assert_eq!(of("umask 0", &state("0 0 0", 0xff, "")), [""; 0]);
}

#[test]
fn a_set_id_program_gets_nothing_after_no_new_privs() {
    let (no, yes) =
        (inherited(&[("no-new-privs", "", "no")], &[]), inherited(&[("no-new-privs", "", "yes")], &[]));
    let sudo = || Found { gives_rights: true, ..program("sudo") };
    assert_eq!(found(&one("no-new-privs", &no, &yes, sudo())), ["no-new-privs"]);
    assert_eq!(found(&one("umask 0", &no, &no, sudo())), [""; 0]);
    assert_eq!(found(&one("no-new-privs", &no, &yes, program("mydaemon"))), [""; 0]);
}
