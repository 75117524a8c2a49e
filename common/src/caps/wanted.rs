//! What the operand of `caps` asks for.

use std::ffi::CStr;
use std::str::FromStr;

use ::caps::Capability;

use super::Set;
use crate::exit::Exit;
use crate::quantity::number;

/// How a set is written, and what is done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Names with commas between, `none` or `all`: of these each set consists, bounding too.
    Each,
    /// The same, and bounding stays as it is.
    EachButBounding,
    /// As libcap writes the inheritable, ambient and bounding sets, `cap_iab(3)`: `^` makes a capability ambient and
    /// inheritable, `%` or nothing inheritable, and `!` takes it out of the bounding set.
    Iab,
}

/// Which capabilities a program is to have, and which it can get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The inheritable set.
    pub inheritable: Set,
    /// The ambient set: of an account that is not root the permitted and the effective one too.
    pub ambient: Set,
    /// What may stay in the bounding set; `None`: all that is there.
    pub bounding: Option<Set>,
    form: Form,
    text: &'static [u8],
}

impl Wanted {
    /// Reads a set; what is none is a usage error.
    pub fn read(form: Form, text: &'static CStr) -> Result<Self, Exit> {
        Self::read_up_to(Set::NONE, "", form, text.to_bytes())
    }

    /// As [`Wanted::read`], up to a capability of which the error says `problem`.
    fn read_up_to(end: Set, problem: &str, form: Form, text: &'static [u8]) -> Result<Self, Exit> {
        let is_list = form != Form::Iab;
        let (mut inheritable, mut ambient, mut barred) = (Set::NONE, Set::NONE, Set::NONE);
        match text {
            b"all" if is_list => (inheritable, ambient) = (Set::ALL, Set::ALL),
            b"none" if is_list => {}
            _ => {
                for element in text.split(|b| *b == b',') {
                    let (marks, name) = if is_list { (AMBIENT, element) } else { marked(element) };
                    let one = named(name)?;
                    if !one.within(end).is_empty() {
                        return Err(Exit::fatal(format_args!("{} {problem}", canonical(bare(name)))));
                    }
                    let of = |mark| if marks & mark == 0 { Set::NONE } else { one };
                    ambient = ambient.with(of(AMBIENT));
                    barred = barred.with(of(BARRED));
                    inheritable = inheritable.with(if marks == BARRED { Set::NONE } else { one });
                }
            }
        }
        let bounding = match form {
            Form::Each => Some(ambient),
            Form::Iab if !barred.is_empty() => Some(Set::ALL.without(barred)),
            Form::EachButBounding | Form::Iab => None,
        };
        Ok(Self { inheritable, ambient, bounding, form, text })
    }

    /// What it needs to make the sets so.
    #[must_use]
    pub fn needs(&self) -> Set {
        let by_privilege = self.bounding.is_some() || self.inheritable != self.ambient;
        self.ambient.with(if by_privilege { Set::SETPCAP } else { Set::NONE })
    }

    /// These, where `permitted` are there at all: so many are all.
    pub(super) fn among(self, permitted: Set) -> Self {
        if self.ambient != Set::ALL {
            return self;
        }
        Self {
            inheritable: permitted,
            ambient: permitted,
            bounding: self.bounding.map(|_| permitted),
            ..self
        }
    }

    /// The error that says `problem` of the first capability in the text that is one of `set`.
    pub(super) fn refusal(&self, set: Set, problem: &str) -> Exit {
        let refusal = Self::read_up_to(set, problem, self.form, self.text).err();
        refusal.unwrap_or_else(|| Exit::fatal(problem)) // only one of the text is asked for
    }
}

const AMBIENT: u8 = 1;
const INHERITABLE: u8 = 2;
const BARRED: u8 = 4;

/// The marks of libcap's text in front of a name, and the name.
fn marked(mut element: &[u8]) -> (u8, &[u8]) {
    let mut marks = 0;
    while let [mark, rest @ ..] = element {
        marks |= match mark {
            b'^' => AMBIENT,
            b'%' => INHERITABLE,
            b'!' => BARRED,
            _ => break,
        };
        element = rest;
    }
    (marks, element)
}

/// The capability of a name, or of a number as the kernel counts them, with or without `cap_` in any case.
fn named(name: &[u8]) -> Result<Set, Exit> {
    let bare = bare(name);
    // libcap reads one that begins with 0 as octal, setpriv as decimal.
    let plain = bare.len() == 1 || bare.first() != Some(&b'0');
    let numbered = number(bare).filter(|number: &u8| plain && *number < 64);
    if let Some(number) = numbered.or_else(|| known(&canonical(bare))) {
        return Ok(Set::of(number));
    }
    let error = Exit::value("unknown capability", name);
    Err(match name {
        b"all" | b"none" => error.hint("it stands alone"),
        [b'!' | b'^' | b'%', ..] => error.hint("a set with ! ^ % is read with -i"),
        _ => error,
    })
}

/// The number of the capability of a name.
#[inline(never)]
fn known(name: &str) -> Option<u8> {
    // As a number: with the crate's Result each of the 41 names costs 10 bytes more.
    const NONE: u8 = u8::MAX;
    let number = Capability::from_str(name).map_or(NONE, |capability| capability.index());
    (number != NONE).then_some(number)
}

/// A name without `cap_`.
fn bare(name: &[u8]) -> &[u8] {
    match name.split_at_checked(4) {
        Some((prefix, bare)) if prefix.eq_ignore_ascii_case(b"cap_") => bare,
        _ => name,
    }
}

/// A name as the kernel's documentation writes it, whether there is such a capability or not.
fn canonical(bare: &[u8]) -> String {
    let mut name = String::from("CAP_");
    name.extend(bare.iter().map(|byte| char::from(byte.to_ascii_uppercase()))); // one that is not ASCII is in no name
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    const NET_RAW: Set = Set::of(13);
    const CHOWN: Set = Set::of(0);

    fn list(text: &'static CStr) -> Result<Wanted, Exit> {
        Wanted::read(Form::Each, text)
    }

    fn iab(text: &'static CStr) -> Result<Wanted, Exit> {
        Wanted::read(Form::Iab, text)
    }

    #[test]
    fn a_list_is_names_in_any_case_with_or_without_the_prefix() {
        for (text, set) in [
            (c"none", Set::NONE),
            (c"all", Set::ALL),
            (c"net_raw", NET_RAW),
            (c"cap_net_raw", NET_RAW),
            (c"CAP_NET_RAW", NET_RAW),
            (c"Cap_Net_raw,NET_RAW,chown", NET_RAW.with(CHOWN)),
            (c"13", NET_RAW),
            (c"cap_0", CHOWN),
            (c"checkpoint_restore", Set::of(40)),
            (c"CAP_63", Set::of(63)),
        ] {
            let wanted = list(text).unwrap();
            assert_eq!(
                (wanted.inheritable, wanted.ambient, wanted.bounding),
                (set, set, Some(set)),
                "{text:?}"
            );
        }
        for bad in [
            c"",
            c",",
            c"net_raw,",
            c",net_raw",
            c"net_raw,,chown",
            c"net_raw, chown",
            c" net_raw",
            c"cap_",
            c"cap_cap_chown",
            c"All",
            c"all,chown",
            c"chown,none",
            c"^net_raw",
            c"+net_raw",
            c"64",
            c"013",
            c"-1",
            c"+1",
            c"cap",
            c"net-raw",
            c"\xff",
        ] {
            assert_eq!(list(bad).unwrap_err().status(), 100, "{bad:?}");
        }
    }

    #[test]
    fn libcaps_text_has_a_mark_for_each_set() {
        let none = Set::NONE;
        let all_but = |set| Some(Set::ALL.without(set));
        for (text, inheritable, ambient, bounding) in [
            (c"cap_net_raw", NET_RAW, none, None),
            (c"%net_raw", NET_RAW, none, None),
            (c"^13", NET_RAW, NET_RAW, None),
            (c"!cap_net_raw", none, none, all_but(NET_RAW)),
            (c"!^cap_net_raw", NET_RAW, NET_RAW, all_but(NET_RAW)),
            (c"%!cap_net_raw", NET_RAW, none, all_but(NET_RAW)),
            (c"^^%cap_net_raw,!CHOWN", NET_RAW, NET_RAW, all_but(CHOWN)),
            (c"^net_raw,chown", NET_RAW.with(CHOWN), NET_RAW, None),
        ] {
            let wanted = iab(text).unwrap();
            assert_eq!(
                (wanted.inheritable, wanted.ambient, wanted.bounding),
                (inheritable, ambient, bounding),
                "{text:?}"
            );
        }
        for bad in
            [c"", c"^", c"^,chown", c"chown,", c"all", c"none", c"^all", c"&chown", c"chown^", c"^ chown"]
        {
            assert_eq!(iab(bad).unwrap_err().status(), 100, "{bad:?}");
        }
    }

    #[test]
    fn it_needs_what_it_gives_and_setpcap_for_what_that_cannot_do() {
        let setpcap = Set::SETPCAP;
        assert_eq!(list(c"net_raw").unwrap().needs(), NET_RAW.with(setpcap));
        assert_eq!(list(c"none").unwrap().needs(), setpcap);
        assert_eq!(Wanted::read(Form::EachButBounding, c"net_raw").unwrap().needs(), NET_RAW);
        assert_eq!(iab(c"^net_raw").unwrap().needs(), NET_RAW);
        assert_eq!(iab(c"%net_raw").unwrap().needs(), setpcap);
        assert_eq!(iab(c"!net_raw").unwrap().needs(), setpcap);
    }

    #[test]
    fn a_capability_is_named_as_the_kernel_names_it() {
        let wanted = iab(c"^chown,!%cap_Net_raw,^7").unwrap();
        assert_eq!(wanted.refusal(NET_RAW.with(Set::of(7)), "is it").text(), "CAP_NET_RAW is it");
        assert_eq!(wanted.refusal(Set::of(7), "is it").text(), "CAP_7 is it");
    }
}
