//! The multi-call program: every link in one file, and neighbours in a chain applied in one process.

use std::ffi::{CStr, CString};
use std::mem;

use crate::env::Env;
use crate::exec::Chain;
use crate::exit::{Exit, OrFail};
use crate::identity::{SelfMatch, is_called};
use crate::link::{Link, help, longest, version, with_columns};
use crate::options;
use crate::procfs;
use crate::sys::process;
use crate::sys::words::Words;
use crate::word::shown;

/// The program itself, for its messages.
pub(crate) static CATENA: Link = Link {
    name: "catena",
    usage: "link argument... prog... | explain [-s] [--] link... prog... | --help [link] | --version",
    summary: "run a program behind several links in one process",
    options: options![],
    opens: false,
    lent: None,
    run: |cli| cli.rest(),
};

/// Applies the link that the program was called as, or those that its words name. Returns also the last
/// one, which executes the rest.
pub(crate) fn called(
    links: &'static [Link],
    mut words: Words,
    env: Env,
) -> Result<(&'static Link, Chain), Exit> {
    let by = |name: &CStr| longest(links.iter().filter(|link| is_called(name, link.name)));
    if let Some(link) = words.first().and_then(by) {
        // Whether one of the words can be a link is seen without a look at any file.
        let more = words.clone().skip(1).any(|word| by(word).is_some());
        let own = if more { SelfMatch::file() } else { None };
        return apply(links, link, Chain::new(words, env, own.unwrap_or(SelfMatch::Alone)));
    }
    words.next();
    if words.first() == Some(c"--") {
        words.next();
    }
    let named = |word: &CStr| {
        let unknown = || Exit::usage(format_args!("no link is called {}", shown(word.to_bytes())));
        find(links, word).ok_or_else(unknown)
    };
    let Some(first) = words.first() else { return Err(Exit::answer(0, list(links))) };
    match first.to_bytes() {
        b"--help" => {
            words.next();
            Err(words.first().map_or_else(
                || Exit::answer(0, list(links)),
                |word| named(word).map_or_else(|error| error, |link| Exit::answer(0, help(link))),
            ))
        }
        b"--version" => Err(Exit::answer(0, version(&CATENA))),
        b"explain" => Ok((&CATENA, explain(words, env))),
        _ => apply(links, named(first)?, Chain::new(words, env, SelfMatch::Named)),
    }
}

/// The program catena-explain, which is beside this one or where the links are installed, or in PATH: it is large, and
/// seldom needed.
#[cold]
#[inline(never)]
fn explain(words: Words, env: Env) -> Chain {
    let own = procfs::This::open().and_then(|this| this.program()).unwrap_or_default();
    let end = own.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    let (directory, name) = own.split_at(end);
    let name = if name.is_empty() { b"catena" } else { name };
    let file = |place: &str| {
        let file =
            CString::new([directory, place.as_bytes(), name, b"-explain"].concat()).unwrap_or_default();
        &*Box::leak(file.into_boxed_c_str())
    };
    let mut chain = Chain::new(
        [c"catena-explain"].into_iter().chain(words.behind_first()).collect(),
        env,
        SelfMatch::Alone,
    );
    let mut beside = ["", "../libexec/catena/"].into_iter().filter(|_| end > 0).map(file);
    chain.file = beside.find(|file| chain.find(file).is_some()).or(Some(c"catena-explain"));
    chain
}

/// Applies `link` and those right behind it.
fn apply(
    links: &'static [Link],
    mut link: &'static Link,
    mut chain: Chain,
) -> Result<(&'static Link, Chain), Exit> {
    loop {
        link.apply(&mut chain)?;
        let expected = |next: &&'static Link| chain.expect(link.name, next.name);
        let own = |next: &&'static Link| expected(next).is_some_and(|own| chain.is_next(&own));
        // First by its name, then by its file: where that cannot be looked at, it is no shorter name either.
        let called = |word| match chain.own {
            SelfMatch::Alone => None,
            SelfMatch::Named => find(links, word),
            _ => longest(links.iter().filter(|next| is_called(word, next.name))),
        };
        let next = chain.words.first().and_then(called).filter(own);
        let by_name = matches!(chain.own, SelfMatch::Named);
        match (next, chain.changed) {
            (Some(next), None) => link = next,
            // Until an exec the files in /proc of a process that has changed its ids are root's, and so they must be:
            // there is still in memory what root has read. A link that opens files finds the account's by
            // its own exec.
            (Some(next), Some(1..)) if !next.opens => link = next,
            (Some(next), Some(1..)) if by_name => {
                again(&mut chain);
                link = next; // where our file cannot be executed, as in a new root without it
            }
            // Uid 0 would get capabilities by the exec that it has not got here.
            (Some(_), Some(0)) if by_name => {
                procfs::This::open().or_fail("look at this program's own file")?;
                chain.words = by_ourselves(&chain);
                return Ok((link, chain));
            }
            _ => return Ok((link, chain)),
        }
    }
}

/// The link that is called exactly so. They are in the order of their names.
fn find(links: &'static [Link], word: &CStr) -> Option<&'static Link> {
    let at = links.binary_search_by(|link| link.name.as_bytes().cmp(word.to_bytes())).ok()?;
    links.get(at)
}

/// Executes our own file for what is left of the chain. Returns where that cannot be done, and nothing has changed.
fn again(chain: &mut Chain) {
    if SelfMatch::file().is_some() {
        let env = mem::take(&mut chain.env).into_words();
        // Whatever the errno: the chain goes on here.
        let _ = process::execve(OWN, &by_ourselves(chain), &env);
        chain.env = Env::new(env);
    }
}

const OWN: &CStr = c"/proc/self/exe";

fn by_ourselves(chain: &Chain) -> Words {
    [OWN].into_iter().chain(chain.words.clone()).collect()
}

#[cold]
fn list(links: &[Link]) -> String {
    let usage = format!("usage: catena {}\n", CATENA.usage);
    with_columns(usage, links.iter().map(|link| (link.name, link.summary)))
}
