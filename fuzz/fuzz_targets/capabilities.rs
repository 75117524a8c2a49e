//! Sets of capabilities as caps reads them, in both forms.
#![no_main]

use std::ffi::CString;

use common::caps::{Form, Set, Wanted};
use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

fuzz_target!(|text: &[u8]| {
    let Ok(word) = CString::new(text) else { return };
    let word: &'static CString = Box::leak(Box::new(word));
    let sets = |wanted: Wanted| (wanted.inheritable, wanted.ambient, wanted.bounding);
    let list = Wanted::read(Form::Each, word).ok();
    assert_eq!(list.map(sets), list_read(text));
    assert_eq!(Wanted::read(Form::Iab, word).ok().map(sets), iab_read(text));
    if let Some(list) = list {
        assert_eq!(list.needs(), list.ambient.with(Set::SETPCAP));
        let kept = Wanted::read(Form::EachButBounding, word).unwrap();
        assert_eq!((kept.needs(), kept.bounding), (list.ambient, None));
    }
});

fn number(name: &[u8]) -> Option<u8> {
    let lower = name.to_ascii_lowercase();
    let lower = lower.strip_prefix(b"cap_").unwrap_or(&lower);
    if let Some(place) = NAMES.iter().position(|name| name.as_bytes() == lower) {
        return u8::try_from(place).ok();
    }
    (0..64).find(|number| number.to_string().as_bytes() == lower)
}

fn list_read(text: &[u8]) -> Option<(Set, Set, Option<Set>)> {
    let mut set = Set::NONE;
    match text {
        b"none" => {}
        b"all" => set = Set::ALL,
        _ => {
            for name in text.split(|b| *b == b',') {
                set = set.with(Set::of(number(name)?));
            }
        }
    }
    Some((set, set, Some(set)))
}

/// By an automaton: marks, then a name up to a comma.
fn iab_read(text: &[u8]) -> Option<(Set, Set, Option<Set>)> {
    let (mut inheritable, mut ambient, mut bounding) = (Set::NONE, Set::NONE, None);
    let (mut marks, mut name) = (Vec::new(), Vec::new());
    for byte in text.iter().chain(b",") {
        match byte {
            b'^' | b'%' | b'!' if name.is_empty() => marks.push(*byte),
            b',' => {
                let set = Set::of(number(&name)?);
                if marks != vec![b'!'; marks.len()] || marks.is_empty() {
                    inheritable = inheritable.with(set);
                }
                if marks.contains(&b'^') {
                    ambient = ambient.with(set);
                }
                if marks.contains(&b'!') {
                    bounding = Some(bounding.unwrap_or(Set::ALL).without(set));
                }
                (marks, name) = (Vec::new(), Vec::new());
            }
            other => name.push(*other),
        }
    }
    Some((inheritable, ambient, bounding))
}
