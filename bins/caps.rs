//! caps: run a program with these capabilities and no others.

use common::caps::{self, Form, Set, Wanted};
use common::{Cli, Exit, Link, Outcome, Short, Words, options};

/// The link.
pub const LINK: Link = Link {
    name: "caps",
    usage: "[-B | -i] set prog...",
    summary: "run a program with these capabilities and no others",
    options: options![
        ("-B", "leave the bounding set as it is"),
        ("-i", "read the set as libcap's text: ^ ambient, % inheritable, ! not in bounding"),
    ],
    opens: false,
    lent: Some(needs),
    run,
};

fn run(cli: &mut Cli) -> Outcome<'_> {
    let mut form = Form::Each;
    while let Some(option) = cli.option()? {
        let Short(letter) = option else { return Err(Exit::unexpected(option)) };
        let asked = form_of(letter).ok_or_else(|| Exit::unexpected(option))?;
        if form != Form::Each && form != asked {
            return Err(Exit::usage("-B and -i exclude each other: with -i the set says what bounding is"));
        }
        form = asked;
    }
    let wanted = Wanted::read(form, cli.operand("set")?.0)?;
    let chain = cli.rest()?;
    chain.given = caps::give(wanted, chain.lent)?;
    Ok(chain)
}

/// What the deed needs. A line with a mistake in it needs nothing: then `run` says what it is.
fn needs(words: Words) -> Set {
    let mut form = Some(Form::Each);
    for word in words {
        match word.to_bytes() {
            b"--" => {}
            [b'-', letters @ ..] if !letters.is_empty() => {
                form = letters.iter().try_fold(Form::Each, |_, letter| form_of(char::from(*letter)));
            }
            _ => {
                let wanted = form.and_then(|form| Wanted::read(form, word).ok());
                return wanted.map_or(Set::NONE, |wanted| wanted.needs());
            }
        }
    }
    Set::NONE
}

fn form_of(option: char) -> Option<Form> {
    match option {
        'B' => Some(Form::EachButBounding),
        'i' => Some(Form::Iab),
        _ => None,
    }
}
