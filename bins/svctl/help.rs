//! svctl-help: what svctl says of its commands. svctl executes it for `help`, `--help` and a word that is no command.

use std::ffi::CStr;

use common::{Cli, Exit, Link, Long, Outcome, options};

use super::command::{GROUPS, Of, Row};
use super::{prepare, str_of};

/// svctl-help: list the commands of svctl, or explain one.
pub const PROGRAM: Link = Link {
    name: "svctl-help",
    usage: "[--sv] [command]",
    summary: "list the commands of svctl, or explain one",
    options: options![("--sv", "list those that runit's sv has too")],
    opens: false,
    lent: None,
    run,
};

/// Who speaks.
static SVCTL: Link = Link { run: of_svctl, ..super::PROGRAM };
static SV: Link = Link { run: of_sv, ..super::PROGRAM };

fn run(cli: &mut Cli) -> Outcome<'_> {
    prepare()?;
    let mut program = &SVCTL;
    while let Some(option) = cli.option()? {
        match option {
            Long("sv") => program = &SV,
            other => return Err(Exit::unexpected(other)),
        }
    }
    cli.run_as(program)
}

fn of_svctl(cli: &mut Cli) -> Outcome<'_> {
    Err(match &cli.unread().map(CStr::to_bytes).collect::<Vec<_>>()[..] {
        [] => Exit::answer(0, cli.help() + &list(|_| true)),
        [word] => explained(str_of(word)).map_or_else(|| unknown(word), |text| Exit::answer(0, text)),
        _ => Exit::usage("nothing may follow a command of which help is wanted"),
    })
}

fn of_sv(cli: &mut Cli) -> Outcome<'_> {
    cli.no_operands()?;
    Err(Exit::answer(0, cli.help() + &list(|row| row.word.of == Of::Sv)))
}

/// The commands with what they do: those of everyday use first.
fn list(is_known: fn(&Row) -> bool) -> String {
    let width = all().map(|row| row.word.forms[0].len()).max().unwrap_or(0);
    let mut text = String::new();
    for (heading, rows) in GROUPS {
        text.extend([heading, ":\n"]);
        for row in rows.iter().filter(|row| is_known(row)) {
            let word = row.word.forms[0];
            text.extend(["  ", word, &" ".repeat(width - word.len()), "  ", row.help, "\n"]);
        }
    }
    text
}

/// The line of a command.
fn explained(word: &str) -> Option<String> {
    let row = all().find(|row| row.word.forms.contains(&word))?;
    Some([&row.word.forms.join(", "), ": ", row.help, "\n"].concat())
}

/// A word that is no command, with the one that is most like it.
fn unknown(word: &[u8]) -> Exit {
    let error = super::unknown(word);
    match nearest(str_of(word)) {
        Some(nearest) => error.hint(format!("did you mean '{nearest}'?")),
        None => error.hint("'svctl --help' lists the commands"),
    }
}

/// The command whose word is most like `word`; none where nothing is like it.
fn nearest(word: &str) -> Option<&'static str> {
    let words = all().map(|row| row.word.forms[0]).filter(|word| word.len() > 1);
    let (distance, found) = words.map(|known| (distance(word, known), known)).min()?;
    // Of a short word two other letters would leave little.
    (distance <= 2 && distance * 2 < found.len()).then_some(found)
}

fn all() -> impl Iterator<Item = &'static Row> + Clone {
    GROUPS.iter().flat_map(|(_, rows)| rows.iter())
}

/// How many letters have to be added, left out, replaced or swapped with their neighbour.
pub(super) fn distance(from: &str, to: &str) -> usize {
    let (from, to) = (from.as_bytes(), to.as_bytes());
    let mut before = Vec::new();
    let mut above: Vec<usize> = (0..=to.len()).collect();
    for i in 1..=from.len() {
        let mut row = vec![i];
        for j in 1..=to.len() {
            let mut least =
                (above[j - 1] + usize::from(from[i - 1] != to[j - 1])).min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                least = least.min(before[j - 2] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[to.len()]
}
