//! Random databases, and those of other tests with mistakes in them, read by our parser and by glibc.

use std::thread;

use super::glibc::{Bound, Count};
use crate::needs;
use crate::support::*;

/// Marsaglia's xorshift: the same numbers each time.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).unwrap()
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    /// Mostly the first half of these.
    fn mostly<'a>(&mut self, of: &[&'a str]) -> &'a str {
        if self.below(4) > 0 { self.one(&of[..of.len() / 2]) } else { self.one(of) }
    }
}

const NAMES: [&str; 16] = [
    "alice", "bob", "root", "last", "las", "a b", "alice", "bob", "", "+", "+nis", "-min", "#c", " alice",
    "bob ", "al\0ice",
];
const IDS: [&str; 24] = [
    "0",
    "1",
    "7",
    "5001",
    "007",
    "4294967294",
    "7",
    "1",
    "0",
    "5001",
    "7",
    "1",
    "",
    "+7",
    "-1",
    " 7",
    "7 ",
    "4294967295",
    "4294967296",
    "-18446744073709551615",
    "18446744073709551617",
    "0x1",
    "a",
    "\t+0",
];
const MEMBERS: [&str; 12] = [
    "alice",
    "alice,bob",
    "",
    "bob",
    "last",
    "bob,alice",
    " alice",
    "alice ,bob",
    ",,alice,",
    "alice:",
    "\0bob",
    "las",
];
const REST: [&str; 8] = [
    "::/home:/bin/sh",
    "::/:/bin/sh",
    ":g:/h:/bin/false",
    ":::",
    "",
    ":",
    "::/:/bin/sh:more",
    ":\0:/:/bin/sh",
];

fn line(random: &mut Random, users: bool) -> String {
    let (name, id) = (random.mostly(&NAMES), random.mostly(&IDS));
    let mut line = if users {
        format!("{name}:x:{id}:{}{}", random.mostly(&IDS), random.mostly(&REST))
    } else {
        format!("{name}:x:{id}:{}", random.mostly(&MEMBERS))
    };
    match random.below(24) {
        0 => line.insert(0, '#'),
        1 => line.insert_str(0, random.one(&[" ", "\t", "\x0b", "\r "])),
        2 => return random.one(&["", " ", "+", "+:::", "+::::::", "-@x", "#", "alice", ":"]).to_owned(),
        3 => line.push('\r'),
        4 => {
            let at = random.below(line.len());
            line.remove(at);
        }
        5 => {
            let at = random.below(line.len());
            line.insert_str(at, random.one(&[":", "0", "\0", " ", "+", ",", "\n", "9", "::"]));
        }
        _ => {}
    }
    line
}

fn file(random: &mut Random, users: bool) -> Vec<u8> {
    let lines = (0..random.below(8)).map(|_| line(random, users)).collect::<Vec<_>>();
    let mut file = lines.join("\n").into_bytes();
    if random.below(3) > 0 {
        file.push(b'\n');
    }
    // A mistake anywhere.
    if !file.is_empty() && random.below(3) == 0 {
        let at = random.below(file.len());
        file[at] = u8::try_from(random.below(256)).unwrap();
    }
    file
}

#[test]
fn in_random_files_there_is_no_account_and_no_group_that_glibc_does_not_find_too() {
    const FILES: u32 = 2000;
    needs!(mounts());
    let directory = open_directory();
    let (names, ids) = (["alice", "bob", "root", "last", "las", "a b", "+nis", "#c"], [0, 1, 7, 5001]);
    // The mount namespace is that of this thread alone, and goes with it.
    let compared = thread::spawn(move || {
        let (bound, mut count, mut random) =
            (Bound::new(directory.path(), false), Count::default(), Random(0x9e37_79b9));
        for _ in 0..FILES {
            let (users, groups) = (file(&mut random, true), file(&mut random, false));
            bound.compare(&users, &groups, &names, &ids, &mut count);
        }
        count
    });
    let count = compared.join().unwrap();
    tell(&format!("accounts: {FILES} pairs of random files: {count:?}"));
    assert!(count.found > FILES && count.none > FILES && count.refused.0 > FILES / 10, "{count:?}");
}
