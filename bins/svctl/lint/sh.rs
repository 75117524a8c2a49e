//! Scripts for sh, as far as lint has to understand them: which commands there are, in which order, and which of their
//! words are literal.
//!
//! Of a script that is not understood, as one with an array of bash, nothing is known: better nothing is said of it than
//! something that is not so.

mod parse;
mod read;

pub(super) use parse::parse;

/// A word.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Word {
    /// Its bytes without quotes, as far as they are literal.
    pub(super) text: Vec<u8>,
    /// The program gets these bytes whatever happens: nothing in it is expanded.
    pub(super) literal: bool,
    /// It is literal, and nothing in it is quoted: so it may be a word of the language.
    pub(super) plain: bool,
    /// It begins with a name and `=`.
    pub(super) assigns: bool,
    /// Where it begins, from 1 up.
    pub(super) line: usize,
}

/// A command that is no compound one, without its redirections.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Simple {
    /// The assignments in front of it.
    pub(super) assignments: Vec<Word>,
    /// Its words; none where it only assigns or redirects.
    pub(super) words: Vec<Word>,
}

/// A command.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Command {
    /// One with words.
    Simple(Simple),
    /// `{ }`
    Group(List),
    /// `( )`
    Subshell(List),
    /// `if` or `case`: what is executed to decide, and what may be executed then.
    Branches(List, Vec<List>),
    /// `for`, `while`, `until`: all that is in it.
    Loop(List),
    /// The definition of a function.
    Function(Vec<u8>, Box<Command>),
}

/// How a pipeline follows another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Join {
    /// `&&`
    And,
    /// `||`
    Or,
}

/// Pipelines that follow one another by `&&` and `||`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Item {
    /// The first one, and the others with what stands in front of them.
    pub(super) first: Vec<Command>,
    pub(super) rest: Vec<(Join, Vec<Command>)>,
    /// The line of the `&` behind it, if there is one.
    pub(super) background: Option<usize>,
}

/// Items that follow one another.
pub(super) type List = Vec<Item>;

/// Whether a command is executed whenever the script comes to its line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Certainty {
    /// It is.
    Always,
    /// That depends on something before it.
    Maybe,
}

/// Reports all simple commands in their order.
pub(super) fn each<'a>(list: &'a List, certainty: Certainty, report: &mut dyn FnMut(&'a Simple, Certainty)) {
    for item in list {
        // What follows by || is for the case that it fails.
        let first = match item.rest.first() {
            Some((Join::Or, _)) => Certainty::Maybe,
            _ => certainty,
        };
        for command in &item.first {
            each_in(command, first, report);
        }
        for command in item.rest.iter().flat_map(|(_, pipeline)| pipeline) {
            each_in(command, Certainty::Maybe, report);
        }
    }
}

fn each_in<'a>(command: &'a Command, certainty: Certainty, report: &mut dyn FnMut(&'a Simple, Certainty)) {
    match command {
        Command::Simple(simple) => report(simple, certainty),
        Command::Group(list) | Command::Subshell(list) => each(list, certainty, report),
        Command::Branches(decides, bodies) => {
            each(decides, Certainty::Maybe, report);
            for body in bodies {
                each(body, Certainty::Maybe, report);
            }
        }
        Command::Loop(list) => each(list, Certainty::Maybe, report),
        Command::Function(_, body) => each_in(body, Certainty::Maybe, report),
    }
}

/// The names of the functions that are defined anywhere in it.
pub(super) fn functions(list: &List) -> Vec<&[u8]> {
    let mut names = Vec::new();
    let mut left: Vec<&Command> = commands(list).collect();
    while let Some(command) = left.pop() {
        match command {
            Command::Simple(_) => {}
            Command::Group(list) | Command::Subshell(list) | Command::Loop(list) => {
                left.extend(commands(list));
            }
            Command::Branches(decides, bodies) => {
                left.extend(commands(decides));
                left.extend(bodies.iter().flat_map(commands));
            }
            Command::Function(name, body) => {
                names.push(&**name);
                left.push(body);
            }
        }
    }
    names
}

/// The commands of a list, without what is in them.
fn commands(list: &List) -> impl Iterator<Item = &Command> {
    list.iter().flat_map(|item| item.first.iter().chain(item.rest.iter().flat_map(|(_, pipeline)| pipeline)))
}
