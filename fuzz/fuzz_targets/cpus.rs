//! Sets of CPUs as taskset reads them.
#![no_main]

use std::collections::BTreeSet;

use common::cpus::Cpus;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    assert_eq!(Cpus::list(text).map(|cpus| numbers(&cpus)), list(text));
    assert_eq!(Cpus::mask(text).map(|cpus| numbers(&cpus)), mask(text));
});

/// As many as there can be.
const MOST: u64 = 8192;

fn numbers(cpus: &Cpus) -> BTreeSet<u64> {
    (0..MOST).filter(|cpu| cpus.has(*cpu as usize)).collect()
}

fn list(text: &[u8]) -> Option<BTreeSet<u64>> {
    let mut cpus = BTreeSet::new();
    // First, last and step of a part: those that have begun.
    let mut part: Vec<Option<u64>> = vec![None];
    for byte in text.iter().chain(b",") {
        match (*byte, part.len()) {
            (digit @ b'0'..=b'9', _) => {
                let number = part.last_mut()?;
                *number = Some(number.unwrap_or(0).checked_mul(10)?.checked_add(u64::from(digit - b'0'))?);
            }
            (b'-', 1) | (b':', 2) => {
                (*part.last()?)?;
                part.push(None);
            }
            (b',', count) => {
                (*part.last()?)?;
                let first = part[0]?;
                let last = if count > 1 { part[1]? } else { first };
                let step = if count > 2 { part[2]? } else { 1 };
                if last < first || step == 0 {
                    return None;
                }
                cpus.extend((0..MOST).filter(|cpu| *cpu >= first && *cpu <= last && (*cpu - first) % step == 0));
                part = vec![None];
            }
            _ => return None,
        }
    }
    Some(cpus)
}

fn mask(text: &[u8]) -> Option<BTreeSet<u64>> {
    let text = std::str::from_utf8(text).ok()?;
    let (mut cpus, mut since) = (BTreeSet::new(), None);
    let digits = text.strip_prefix("0x").unwrap_or(text);
    for (place, letter) in digits.char_indices() {
        if letter == ',' {
            if place == 0 || since.is_some_and(|digits| digits != 8) {
                return None;
            }
            since = Some(0);
            continue;
        }
        let bits = u64::from(letter.to_digit(16)?);
        since = since.map(|digits| digits + 1);
        cpus = cpus.into_iter().map(|cpu| cpu + 4).collect();
        cpus.extend((0..4).filter(|bit| bits >> bit & 1 == 1));
    }
    cpus.retain(|cpu| *cpu < MOST);
    Some(cpus).filter(|cpus| !cpus.is_empty() && since.is_none_or(|digits| digits == 8))
}
