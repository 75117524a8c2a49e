//! Masks as umask reads them, and permissions as mkrundir does: two bytes for the mask that is there, then the text.
#![no_main]

use common::mode::{parse, permissions};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [high, low, text @ ..] = data else { return };
    let mask = u32::from(u16::from_be_bytes([*high, *low])) & 0o777;
    let result = parse(text, mask);
    assert!(result.is_none_or(|mask| mask <= 0o777));
    let allowed = permissions(text, !mask & 0o777);
    if text.first().is_some_and(u8::is_ascii_digit) {
        assert_eq!(result, octal(text, 0o777));
        assert_eq!(allowed, octal(text, 0o7777));
    } else {
        assert_eq!(result, symbolic(text, mask));
        let special = text.iter().any(|b| matches!(b, b's' | b't'));
        assert_eq!(allowed, result.filter(|_| !special).map(|mask| !mask & 0o777));
    }
});

fn octal(text: &[u8], most: u32) -> Option<u32> {
    // from_str_radix would take a sign, but the first is a digit.
    let text = std::str::from_utf8(text).ok()?;
    u32::from_str_radix(text, 8).ok().filter(|number| *number <= most)
}

/// Which of r, w and x each of u, g and o may have.
type Table = [[bool; 3]; 3];

/// The grammar of chmod(1) as an automaton that reads one byte after the other.
fn symbolic(text: &[u8], mask: u32) -> Option<u32> {
    let mut table: Table =
        std::array::from_fn(|who| std::array::from_fn(|what| mask >> (8 - 3 * who - what) & 1 == 0));
    let mut who = [false; 3];
    let mut action: Option<(u8, Vec<u8>)> = None;
    for byte in text {
        match (byte, &mut action) {
            (b',', None) => return None,
            (b',', _) => {
                apply(&mut table, who, action.take()?)?;
                who = [false; 3];
            }
            (b'+' | b'-' | b'=', _) => {
                if let Some(action) = action.take() {
                    apply(&mut table, who, action)?;
                }
                action = Some((*byte, Vec::new()));
            }
            (_, Some((_, letters))) => letters.push(*byte),
            (b'a', None) => who = [true; 3],
            (class, None) => who[place(*class, b"ugo")?] = true,
        }
    }
    apply(&mut table, who, action?)?;
    Some(table.iter().flatten().fold(0, |mask, allowed| mask << 1 | u32::from(!allowed)))
}

fn apply(table: &mut Table, who: [bool; 3], (operator, letters): (u8, Vec<u8>)) -> Option<()> {
    let mut named = [false; 3];
    match letters[..] {
        [class @ (b'u' | b'g' | b'o')] => named = table[place(class, b"ugo")?],
        _ => {
            let any_may_execute = table.iter().any(|row| row[2]);
            for letter in letters {
                match letter {
                    b's' | b't' => {}
                    b'X' => named[2] |= any_may_execute,
                    letter => named[place(letter, b"rwx")?] = true,
                }
            }
        }
    }
    let everybody = who == [false; 3];
    for (row, _) in table.iter_mut().zip(who).filter(|(_, chosen)| *chosen || everybody) {
        for (allowed, named) in row.iter_mut().zip(named) {
            *allowed = match operator {
                b'+' => *allowed || named,
                b'-' => *allowed && !named,
                _ => named,
            };
        }
    }
    Some(())
}

fn place(byte: u8, among: &[u8]) -> Option<usize> {
    among.iter().position(|one| *one == byte)
}
