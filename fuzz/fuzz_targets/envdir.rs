//! What envdir makes of a file's content, and edits of an environment.
#![no_main]

use std::ffi::{CStr, CString};

use common::Env;
use common::env::Format;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [how, nul, rest @ ..] = data else { return };
    if how & 4 == 0 {
        value(Format { whole: how & 1 != 0, keep: how & 2 != 0, nul: *nul }, rest);
    } else {
        edits(rest);
    }
});

/// A file's content, against the same read byte by byte.
fn value(format: Format, content: &[u8]) {
    let mut expected = Vec::new();
    for byte in content {
        match *byte {
            b'\n' if !format.whole => break,
            byte => expected.push(byte),
        }
    }
    if format.whole && !format.keep && expected.last() == Some(&b'\n') {
        expected.pop();
    }
    while !format.whole && !format.keep && matches!(expected.last(), Some(b' ' | b'\t')) {
        expected.pop();
    }
    for byte in &mut expected {
        if *byte == 0 {
            *byte = format.nul;
        }
    }
    let value = format.value(content);
    assert_eq!(value, if content.is_empty() { None } else { Some(expected) });
    let Some(value) = value else { return };
    assert!(format.nul == 0 || !value.contains(&0));
    // What comes from a file can be set, and is read back as it was.
    let mut env = Env::default();
    assert_eq!(env.set(b"NAME", &value).is_err(), value.contains(&0));
    assert_eq!(env.get(c"NAME").map(CStr::to_bytes), (!value.contains(&0)).then_some(&value[..]));
}

/// Entries up to an empty one, then edits, all ended by NULs: of one environment and of a plain list.
fn edits(data: &[u8]) {
    let mut words = data.split(|b| *b == 0);
    let received: Vec<Vec<u8>> =
        words.by_ref().take_while(|word| !word.is_empty()).map(<[u8]>::to_vec).collect();
    let leaked = received.iter().map(|entry| &*Box::leak(c(entry).into_boxed_c_str()));
    let mut env = Env::new(leaked.collect());
    let mut list = received;
    for word in words {
        match word {
            [b'-', name @ ..] => {
                assert_eq!(env.unset(name).is_err(), name.contains(&b'='));
                if name.contains(&b'=') {
                    continue;
                }
                list.retain(|entry| value_of(entry, name).is_none());
                assert_eq!(env.get(&c(name)), None);
            }
            [b'+', length, rest @ ..] => {
                let (name, value) = rest.split_at(usize::from(*length).min(rest.len()));
                assert_eq!(env.set(name, value).is_err(), name.contains(&b'='));
                if name.contains(&b'=') {
                    continue;
                }
                let entry = [name, b"=", value].concat();
                let first = list.iter().position(|entry| value_of(entry, name).is_some());
                match first {
                    Some(first) => list[first] = entry,
                    None => list.push(entry),
                }
                let first = first.unwrap_or(list.len());
                let mut place = 0;
                list.retain(|entry| {
                    place += 1;
                    place - 1 <= first || value_of(entry, name).is_none()
                });
                assert_eq!(env.get(&c(name)).map(CStr::to_bytes), Some(value));
            }
            name => {
                let expected = list.iter().find_map(|entry| value_of(entry, name));
                assert_eq!(env.get(&c(name)).map(CStr::to_bytes), expected);
            }
        }
    }
    // Every variable that either can have is the same in both.
    for entry in &list {
        for (end, _) in entry.iter().enumerate().filter(|(_, b)| **b == b'=') {
            let name = &entry[..end];
            let expected = list.iter().find_map(|entry| value_of(entry, name));
            assert_eq!(env.get(&c(name)).map(CStr::to_bytes), expected);
        }
    }
}

fn value_of<'a>(entry: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    (entry.len() > name.len() && &entry[..name.len()] == name && entry[name.len()] == b'=')
        .then(|| &entry[name.len() + 1..])
}

fn c(bytes: &[u8]) -> CString {
    CString::new(bytes).unwrap() // split at every NUL
}
