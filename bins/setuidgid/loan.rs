//! The loan: what the account may not do, the links right behind setuidgid do with the capabilities that their deeds need, in
//! this process, and those are gone before anything is executed.

use std::ffi::CStr;
use std::mem;

use common::caps::{self, Given, Set};
use common::identity::SelfMatch;
use common::link::longest;
use common::{Chain, Exit, Link, Words};

use super::LINK;
use crate::{caps as give, choom, chroot, chrt, ionice, landlock, listen, nice, no_new_privs, softlimit};

/// The links that are lent what they need.
static LENT: &[Link] = &[
    give::LINK,
    choom::LINK,
    chroot::LINK,
    chrt::LINK,
    ionice::LINK,
    landlock::LINK,
    listen::LINK,
    nice::LINK,
    no_new_privs::LINK,
    softlimit::LINK,
];

/// Which links may come next, and what they may use.
pub(super) struct Loan {
    /// Those of whose names there are words, with what their files have to be.
    expected: Vec<(&'static Link, SelfMatch)>,
    lent: Set,
}

impl Loan {
    /// What is to be lent to the links in front of `chain`; `None` if there is none. Ask before any id changes: the
    /// account could put other files in their places.
    pub(super) fn of(chain: &Chain) -> Result<Option<Self>, Exit> {
        let mut words = chain.words.clone();
        let Some(_) = words.first().and_then(|word| called(&chain.own, word)) else { return Ok(None) };
        let mut expected: Vec<(&'static Link, _)> = Vec::new();
        let mut needed = Set::NONE;
        // Where the links end is known once they are applied: a word further on may only look like one.
        while let Some(word) = words.next() {
            let Some(link) = called(&chain.own, word) else { continue };
            needed = needed.with(needs(link, words.clone()));
            if !expected.iter().any(|(other, _)| is(other, link)) {
                if let Some(own) = chain.own.expect(word, LINK.name, link.name) {
                    expected.push((link, own));
                }
            }
        }
        let lent = if caps::is_keeping_locked()? { Set::NONE } else { needed.within(caps::permitted()?) };
        Ok(Some(Self { expected, lent }))
    }

    /// What has to stay permitted when the ids change.
    pub(super) fn lent(&self) -> Set {
        self.lent
    }

    /// Applies the links in front of `chain`, and ends the loan. Whether a word is one of them is decided as the account,
    /// when its turn has come: by what exec would find then.
    pub(super) fn apply(&self, chain: &mut Chain) -> Result<(), Exit> {
        chain.given = Given::NONE; // what a link in front of setuidgid gave has gone with the ids
        if let Some(observer) = chain.observer {
            observer.changed(chain);
        }
        let mut has_new_root = false;
        while let Some(link) = self.next(chain) {
            let words = chain.words.clone().behind_first();
            let needed = needs(link, words.clone());
            if !self.is_enough(link, needed) || has_new_root && runs_code_of_the_root(link, words) {
                break;
            }
            caps::lend(self.lent, needed, chain.given)?;
            link.apply(chain)?;
            has_new_root |= link.name == chroot::LINK.name;
            // The next word is searched with what an exec here would be done with.
            caps::lend(self.lent, chain.given.sets().1, chain.given)?;
        }
        chain.lent = Set::NONE;
        // No capability crosses an exec but those that `caps` was told to give.
        caps::leave(mem::take(&mut chain.given))
    }

    /// Whether the link does not do better behind an exec, with nothing: only there the files of this process in /proc are
    /// the account's.
    fn is_enough(&self, link: &Link, needed: Set) -> bool {
        !link.opens || needed.within(Set::DAC_OVERRIDE).without(self.lent).is_empty()
    }

    fn next(&self, chain: &Chain) -> Option<&'static Link> {
        let link = called(&chain.own, chain.words.first()?)?;
        let (_, own) = self.expected.iter().find(|(other, _)| is(other, link))?;
        chain.is_next(own).then_some(link)
    }
}

/// The link that is lent something as which `word` is written.
fn called(own: &SelfMatch, word: &CStr) -> Option<&'static Link> {
    longest(LENT.iter().filter(|link| own.is_called(word, link.name)))
}

fn is(one: &Link, other: &Link) -> bool {
    std::ptr::eq(one, other) // both are in LENT
}

/// Whether the link, with these words, has libc load code from the root directory: from one that the account may write to
/// that could take all that is lent.
fn runs_code_of_the_root(link: &Link, words: Words) -> bool {
    link.name == listen::LINK.name && listen::looks_up(words)
}

/// What the deed of `link` needs, with these words behind its name.
fn needs(link: &Link, words: Words) -> Set {
    link.lent.map_or(Set::NONE, |needs| needs(words))
}
