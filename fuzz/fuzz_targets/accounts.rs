//! The user and group databases, as static programs read them.
#![no_main]

use std::sync::OnceLock;
use std::{env, fs, process};

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/accounts/glibc.rs"]
mod glibc;

static BOUND: OnceLock<glibc::Bound> = OnceLock::new();

fuzz_target!(
    init: {
        let directory = env::temp_dir().join(format!("accounts-{}", process::id()));
        fs::create_dir(&directory).unwrap();
        let bound = glibc::Bound::new(&directory, !nix::unistd::geteuid().is_root());
        assert!(BOUND.set(bound).is_ok());
    },
    |text: &[u8]| {
        // Both files, parted by a byte that neither has a use for.
        let mut files = text.splitn(2, |b| *b == 0xff);
        let (users, groups) = (files.next().unwrap_or(b""), files.next().unwrap_or(b""));
        let names = ["a", "b", "ab", "+a", "#a"];
        BOUND.get().unwrap().compare(users, groups, &names, &[0, 1, 7], &mut glibc::Count::default());
    }
);
