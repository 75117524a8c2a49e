//! The multi-call program: every link in one file, and neighbours in a chain applied in one process.

use std::ffi::CStr;

use crate::identity::{Own, is_called};
use crate::{Chain, Env, Error, Link, Words, rt};

/// The program itself, for its messages.
pub(crate) static CATENA: Link = Link {
    name: "catena",
    usage: "link argument... prog... | --help [link] | --version",
    summary: "run a program behind several links in one process",
    options: &[],
    run: |cli| cli.rest(),
};

/// Applies the link that the program was called as, or those that its words name. Returns also the last one, which is
/// who executes the rest.
pub(crate) fn called(
    links: &'static [Link],
    mut words: Words,
    env: Env,
) -> Result<(&'static Link, Chain), Error> {
    let by = |name: &CStr| links.iter().find(|link| is_called(name, link));
    if let Some(link) = words.first().and_then(by) {
        // Whether one of the words can be a link is seen without a look at any file.
        let more = words.clone().skip(1).any(|word| by(word).is_some());
        let own = if more { Own::file() } else { None };
        return apply(links, link, Chain::new(words, env, own.unwrap_or(Own::Alone)));
    }
    words.next();
    let first = words.first().map(CStr::to_bytes);
    let named = |name: Option<&[u8]>| links.iter().find(|link| Some(link.name.as_bytes()) == name);
    match first {
        None => Err(Error::answer(0, list(links))),
        Some(b"--help") => {
            words.next();
            Err(Error::answer(
                0,
                named(words.first().map(CStr::to_bytes)).map_or_else(|| list(links), rt::help),
            ))
        }
        Some(b"--version") => Err(Error::answer(0, rt::version(&CATENA))),
        Some(other) => {
            let unknown = || Error::usage(format_args!("no link is called {}", crate::shown(other)));
            let link = named(first).ok_or_else(unknown)?;
            apply(links, link, Chain::new(words, env, Own::Named))
        }
    }
}

/// Applies `link` and those right behind it.
fn apply(
    links: &'static [Link],
    mut link: &'static Link,
    mut chain: Chain,
) -> Result<(&'static Link, Chain), Error> {
    loop {
        chain = link.apply(chain)?;
        let own = |next: &&Link| Own::expect(&chain, link, next).is_some_and(|own| own.is_next(&chain));
        let next = if matches!(chain.own, Own::Alone) { None } else { links.iter().find(own) };
        match next {
            Some(next) if !chain.gains => link = next,
            Some(_) if matches!(chain.own, Own::Named) => {
                chain.words = [c"/proc/self/exe"].into_iter().chain(chain.words).collect();
                return Ok((link, chain));
            }
            _ => return Ok((link, chain)),
        }
    }
}

fn list(links: &[Link]) -> String {
    let mut text = format!("usage: catena {}\n", CATENA.usage);
    let width = links.iter().map(|link| link.name.len()).max().unwrap_or(0);
    for Link { name, summary, .. } in links {
        text.extend(["  ", name, &" ".repeat(width - name.len()), "  ", summary, "\n"]);
    }
    text
}
