//! What has changed between two states, in words.

use common::shown;
use common::state::{Item, Kind, UNKNOWN};

use super::told::Inherited;

/// Variables whose values are printed: those of others may be secret.
const SHOWN: [&str; 14] = [
    "GID",
    "GIDLIST",
    "HOME",
    "LISTEN_FDNAMES",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LOGNAME",
    "NOTIFY_SOCKET",
    "PATH",
    "PWD",
    "SHELL",
    "TZ",
    "UID",
    "USER",
];

/// Each difference, the keys in their order, then the environment. `root` is the new root directory, if there is one.
pub(super) fn between(before: &Inherited, after: &Inherited, root: &[u8]) -> Vec<String> {
    let is_known = |item: &Item| item.value.first() != Some(&UNKNOWN);
    let mut found: Vec<(&'static str, Vec<String>, String)> = Vec::new();
    let mut add = |key, part: &[u8], text: String| {
        let part = shown(part).to_string();
        // What has changed in the same way is said once.
        match found.last_mut() {
            Some((last, parts, said)) if *last == key && *said == text && !part.is_empty() => {
                parts.push(part);
            }
            _ => found.push((key, vec![part], text)),
        }
    };
    let same = |one: &Item, other: &Item| one.key == other.key && one.part == other.part;
    for item in &before.state.0 {
        let Some(now) = after.state.0.iter().find(|other| same(item, other)) else {
            add(item.key, &item.part, "closed".into());
            continue;
        };
        if now.value == item.value || !is_known(now) || !is_known(item) {
            continue;
        }
        match (item.key, item.kind()) {
            ("parent", _) => {}
            ("pid", _) => add("pid", b"", "a child process".into()),
            ("group" | "session", _) if now.value == after.state.get("pid", "") => {
                add(item.key, b"", "its own".into());
            }
            ("timer", _) if (now.value == b"none") == (item.value == b"none") => {}
            ("root", _) if !root.is_empty() => add("root", b"", ["is ", &shown(root).to_string()].concat()),
            // Names of files are seen from the root directory.
            (_, Kind::File) if !root.is_empty() => {}
            _ => add(item.key, &item.part, [item.text(), " -> ".into(), now.text()].concat()),
        }
    }
    for item in after.state.0.iter().filter(|item| !before.state.0.iter().any(|other| same(item, other))) {
        add(item.key, &item.part, item.text());
    }
    let mut texts: Vec<String> = Vec::new();
    for (key, parts, text) in found {
        let parts = parts.join(", ");
        texts.push([key, if parts.is_empty() { "" } else { " " }, &parts, " ", &text].concat());
    }
    texts.extend(variables(before, after));
    texts
}

fn variables(before: &Inherited, after: &Inherited) -> Vec<String> {
    let name = |entry: &[u8]| entry.split(|byte| *byte == b'=').next().unwrap_or_default().to_vec();
    let has = |all: &Inherited, entry: &[u8]| all.env.iter().any(|other| name(other) == name(entry));
    let text = |entry: &[u8]| {
        let name = name(entry);
        let whole = SHOWN.iter().any(|shown| shown.as_bytes() == name);
        shown(if whole { entry } else { &name }).to_string()
    };
    let list = |of: &Inherited, wanted: &dyn Fn(&Vec<u8>) -> bool, text: &dyn Fn(&[u8]) -> String| {
        of.env.iter().filter(|entry| wanted(entry)).map(|entry| text(entry)).collect::<Vec<_>>().join(" ")
    };
    let set = list(after, &|entry| !has(before, entry), &text);
    let changed = list(after, &|entry| has(before, entry) && !before.env.contains(entry), &text);
    let removed = list(before, &|entry| !has(after, entry), &|entry| shown(&name(entry)).to_string());
    let said = [("set ", set), ("changed ", changed), ("removed ", removed)];
    said.iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(deed, names)| ["environment ", deed, names].concat())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::state::State;

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

    #[test]
    fn each_change_is_named_and_equal_ones_once() {
        let before = inherited(
            &[
                ("pid", "", "5"),
                ("group", "", "4"),
                ("uid", "", "0 0 0"),
                ("limit", "as", "unlimited unlimited"),
                ("limit", "data", "unlimited unlimited"),
                ("nice", "", "0"),
                ("oom", "", "?no"),
                ("timer", "real", "3.000"),
                ("fd", "0", "read\t\t/dev/null\t"),
                ("fd", "5", "write\t\t/x\t"),
            ],
            &["A=1", "HOME=/root", "SECRET=x", "GONE=1"],
        );
        let after = inherited(
            &[
                ("pid", "", "5"),
                ("group", "", "5"),
                ("uid", "", "33 33 33"),
                ("limit", "as", "9 unlimited"),
                ("limit", "data", "9 unlimited"),
                ("nice", "", "0"),
                ("oom", "", "3"),
                ("timer", "real", "2.000"),
                ("fd", "0", "read\t\t/dev/null\t"),
                ("fd", "3", "read-write\tlistening\tsocket:[1]\ttcp:0.0.0.0:80"),
            ],
            &["A=1", "HOME=/srv", "SECRET=y", "NEW=2"],
        );
        assert_eq!(between(&before, &before, b""), Vec::<String>::new());
        assert_eq!(
            between(&before, &after, b""),
            [
                "group its own",
                "uid 0 -> 33",
                "limit as, data unlimited unlimited -> 9 unlimited",
                "fd 5 closed",
                "fd 3 read-write listening socket:[1] tcp:0.0.0.0:80",
                "environment set NEW",
                "environment changed HOME=/srv SECRET",
                "environment removed GONE",
            ]
        );
    }
}
