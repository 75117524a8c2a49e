//! caps: run a program with these capabilities and no others.

use std::ffi::CStr;

use common::caps::{self, Set, Wanted};
use common::{Cli, Exit, Link, Outcome, Short, Words};

/// The link.
pub const LINK: Link = Link {
    name: "caps",
    usage: "[-B | -i] set prog...",
    summary: "run a program with these capabilities and no others",
    options: &[
        ("-B", "leave the bounding set as it is"),
        ("-i", "read the set as libcap's text: ^ ambient, % inheritable, ! not in bounding"),
    ],
    opens: false,
    lent: Some(needs),
    run,
};

/// How the set is written, and what it does to bounding.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    /// Each set, bounding too.
    Each,
    /// Each but bounding.
    EachButBounding,
    /// As libcap writes them.
    Iab,
}

impl Form {
    fn of(option: char) -> Option<Self> {
        match option {
            'B' => Some(Self::EachButBounding),
            'i' => Some(Self::Iab),
            _ => None,
        }
    }

    fn read(self, set: &'static CStr) -> Result<Wanted, Exit> {
        match self {
            Self::Each => Wanted::list(set),
            Self::EachButBounding => Wanted::list(set).map(Wanted::with_any_bounding),
            Self::Iab => Wanted::iab(set),
        }
    }
}

fn run(cli: &mut Cli) -> Outcome {
    let mut form = Form::Each;
    while let Some(option) = cli.option()? {
        let Short(letter) = option else { return Err(option.unexpected().into()) };
        let asked = Form::of(letter).ok_or_else(|| option.unexpected())?;
        if form != Form::Each && form != asked {
            return Err(Exit::usage("-B and -i exclude each other: with -i the set says what bounding is"));
        }
        form = asked;
    }
    let wanted = form.read(cli.operand("set")?.0)?;
    let mut chain = cli.rest()?;
    chain.given = caps::give(wanted, chain.lent)?;
    Ok(chain)
}

/// What the deed needs. A line with a mistake in it needs nothing: then `run` says what it is.
fn needs(words: Words) -> Set {
    let mut form = Some(Form::Each);
    let mut words = words;
    let set = loop {
        match words.next().map(|word| (word, word.to_bytes())) {
            Some((_, b"--")) => break words.next(),
            Some((_, [b'-', letters @ ..])) if !letters.is_empty() => {
                form = letters.iter().try_fold(Form::Each, |_, letter| Form::of(char::from(*letter)));
            }
            other => break other.map(|(word, _)| word),
        }
    };
    let wanted = form.zip(set).and_then(|(form, set)| form.read(set).ok());
    wanted.map_or(Set::NONE, |wanted| wanted.needs())
}
