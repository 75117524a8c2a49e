//! What two runs leave, line by line.

use super::Facts;

/// A known difference: the section, a line of theirs, the line that ours have instead, and the reason. `*` stands for
/// anything; one of the lines may be empty, if there is none.
pub(super) type Difference = (&'static str, &'static str, &'static str, &'static str);

/// Whether `text` is what the pattern says.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(first) else { return false };
    (0..=text.len()).filter(|at| text.is_char_boundary(*at)).any(|at| matches(rest, &text[at..]))
}

/// All differences that are not known, those known that are not there, and what is left in another order.
pub(super) fn complaints(theirs: &Facts, ours: &Facts, known: &[Difference]) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut met = vec![false; known.len()];
    let mut sections: Vec<&String> = theirs.keys().chain(ours.keys()).collect();
    sections.sort_unstable();
    sections.dedup();
    for section in sections {
        let lines = |facts: &'static str, of: &Facts| (facts, of.get(section).cloned().unwrap_or_default());
        let sides = [lines("theirs", theirs), lines("ours", ours)];
        let mut wrong = Vec::new();
        let mut counts = vec![[0, 0]; known.len()];
        let mut common = Vec::new();
        for (side, other) in [(0, 1), (1, 0)] {
            let (both, alone) = split(&sides[side].1, &sides[other].1);
            for line in alone {
                let row = |row: &Difference| matches(row.0, section) && matches([row.1, row.2][side], line);
                match known.iter().position(row) {
                    Some(row) => counts[row][side] += 1,
                    None => wrong.push(format!("  {}: {line}", sides[side].0)),
                }
            }
            common.push(both);
        }
        for ((row, counts), met) in known.iter().zip(counts).zip(&mut met) {
            *met |= counts != [0, 0];
            if !row.1.is_empty() && !row.2.is_empty() && counts[0] != counts[1] {
                wrong.push(format!("  not one of ours for one of theirs, {counts:?}: {row:?}"));
            }
        }
        if wrong.is_empty() && common[0] != common[1] {
            wrong.push("  the same lines in another order:".to_owned());
            wrong.extend(common.iter().map(|lines| format!("    {}", lines.join("\n    "))));
        }
        if !wrong.is_empty() {
            complaints.push(format!("{section}:\n{}", wrong.join("\n")));
        }
    }
    for (row, _) in known.iter().zip(met).filter(|(_, met)| !met) {
        complaints.push(format!("a difference that is gone: {row:?}"));
    }
    complaints
}

/// The lines of `one` that `other` has, as often as it has them, and the others.
fn split<'a>(one: &'a [String], other: &[String]) -> (Vec<&'a str>, Vec<&'a str>) {
    let mut left: Vec<&String> = other.iter().collect();
    let mut both = (Vec::new(), Vec::new());
    for line in one {
        match left.iter().position(|same| *same == line) {
            Some(at) => {
                left.remove(at);
                both.0.push(line.as_str());
            }
            None => both.1.push(line.as_str()),
        }
    }
    both
}

#[test]
fn a_difference_is_found_unless_it_is_known_and_a_known_one_has_to_be_there() {
    let facts = |lines: &[&str]| {
        Facts::from([("state/daemon".to_owned(), lines.iter().map(ToString::to_string).collect())])
    };
    let theirs = facts(&["umask 022", "fd 1 pipe", "nice 0"]);
    let ours = facts(&["umask 022", "fd 1 fifo /run/x", "nice 0"]);
    let row: Difference = ("state/*", "fd 1 pipe", "fd 1 fifo *", "a reason");
    assert!(complaints(&theirs, &theirs, &[]).is_empty());
    assert!(complaints(&theirs, &ours, &[row]).is_empty());
    let found = ["state/daemon:\n  theirs: fd 1 pipe\n  ours: fd 1 fifo /run/x"];
    assert_eq!(complaints(&theirs, &ours, &[]), found);
    let gone = [format!("a difference that is gone: {row:?}")];
    assert_eq!(complaints(&theirs, &theirs, &[row]), gone);
    // One of theirs without one of ours.
    let less = facts(&["umask 022", "nice 0"]);
    let found = [format!("state/daemon:\n  not one of ours for one of theirs, [1, 0]: {row:?}")];
    assert_eq!(complaints(&theirs, &less, &[row]), found);
    let other = facts(&["nice 0", "fd 1 pipe", "umask 022"]);
    assert!(complaints(&theirs, &other, &[])[0].contains("in another order"));
}
