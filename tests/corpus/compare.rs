//! What two runs leave, line by line.

use super::Facts;

/// Which run has a line that the other lacks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Side {
    Ours,
    Theirs,
}

/// A known difference: who has the line, the section and the line with `*` for anything, and the reason.
pub(super) type Difference = (Side, &'static str, &'static str, &'static str);

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
    let nothing = Vec::new();
    let mut sections: Vec<&String> = theirs.keys().chain(ours.keys()).collect();
    sections.sort_unstable();
    sections.dedup();
    for section in sections {
        let theirs = theirs.get(section).unwrap_or(&nothing);
        let ours = ours.get(section).unwrap_or(&nothing);
        let mut lost = vec![];
        let mut sides = [(Side::Theirs, theirs, ours), (Side::Ours, ours, theirs)].map(|(side, one, other)| {
            let (common, alone) = split(one, other);
            for line in alone {
                let reason = |row: &Difference| row.0 == side && matches(row.1, section) && matches(row.2, line);
                match known.iter().position(reason) {
                    Some(row) => met[row] = true,
                    None => lost.push(format!("  {side:?}: {line}")),
                }
            }
            common
        });
        if lost.is_empty() && sides[0] != sides[1] {
            lost.push("  the same lines in another order:".to_owned());
            lost.extend(sides.iter_mut().map(|lines| format!("  {}", lines.join("\n    "))));
        }
        if !lost.is_empty() {
            complaints.push(format!("{section}:\n{}", lost.join("\n")));
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
