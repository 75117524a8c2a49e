//! What the operand of `caps` asks for.

use std::ffi::CStr;

use ::caps::Capability;

use super::Set;
use crate::exit::Exit;
use crate::quantity::number;

/// Which capabilities a program is to have, and which it can get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The inheritable set.
    pub inheritable: Set,
    /// The ambient set: of an account that is not root the permitted and the effective one too.
    pub ambient: Set,
    /// What may stay in the bounding set; `None`: all that is there.
    pub bounding: Option<Set>,
    text: &'static [u8],
}

impl Wanted {
    /// Reads names with commas between, `none` or `all`: of these each set consists, bounding too.
    pub fn list(text: &'static CStr) -> Result<Self, Exit> {
        let text = text.to_bytes();
        let set = match text {
            b"all" => Set::ALL,
            b"none" => Set::NONE,
            _ => text
                .split(|b| *b == b',')
                .try_fold(Set::NONE, |set, name| Ok::<_, Exit>(set.with(named(name)?)))?,
        };
        Ok(Self { inheritable: set, ambient: set, bounding: Some(set), text })
    }

    /// Reads what libcap writes of the inheritable, ambient and bounding sets, `cap_iab(3)`: `^` makes a capability
    /// ambient and inheritable, `%` or nothing inheritable, and `!` takes it out of the bounding set.
    pub fn iab(text: &'static CStr) -> Result<Self, Exit> {
        let text = text.to_bytes();
        let mut wanted = Self { inheritable: Set::NONE, ambient: Set::NONE, bounding: None, text };
        for element in text.split(|b| *b == b',') {
            let (marks, name) = element.split_at(marks(element));
            let capability = named(name)?;
            if marks.contains(&b'^') {
                wanted.ambient = wanted.ambient.with(capability);
            }
            if marks.contains(&b'!') {
                wanted.bounding = Some(wanted.bounding.unwrap_or(Set::ALL).without(capability));
            }
            if marks.is_empty() || marks.contains(&b'^') || marks.contains(&b'%') {
                wanted.inheritable = wanted.inheritable.with(capability);
            }
        }
        Ok(wanted)
    }

    /// These, with a bounding set that stays as it is.
    #[must_use]
    pub fn with_any_bounding(self) -> Self {
        Self { bounding: None, ..self }
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

    /// The name of the first of these in the text, as the kernel's documentation writes it.
    pub(super) fn name_of(&self, set: Set) -> String {
        let mut elements = self.text.split(|b| *b == b',').map(|element| &element[marks(element)..]);
        let found = elements.find(|name| named(name).is_ok_and(|one| !one.within(set).is_empty()));
        found.and_then(canonical).unwrap_or_default() // which only one of the text is asked for
    }
}

/// How many marks of libcap's text are in front of a name.
fn marks(element: &[u8]) -> usize {
    element.iter().take_while(|b| b"!^%".contains(b)).count()
}

/// The capability of a name, or of a number as the kernel counts them, with or without `cap_` in any case.
fn named(name: &[u8]) -> Result<Set, Exit> {
    let known = canonical(name).and_then(|name| {
        let digits = name["CAP_".len()..].as_bytes();
        // libcap reads one that begins with 0 as octal, setpriv as decimal.
        let plain = digits.len() == 1 || digits.first() != Some(&b'0');
        let numbered = number(digits).filter(|number: &u8| plain && *number < 64);
        numbered.or_else(|| Some(name.parse::<Capability>().ok()?.index())).map(Set::of)
    });
    known.ok_or_else(|| {
        let error = Exit::value("unknown capability", name);
        match name {
            b"all" | b"none" => error.hint("it stands alone"),
            [b'!' | b'^' | b'%', ..] => error.hint("a set with ! ^ % is read with -i"),
            _ => error,
        }
    })
}

/// A name as the kernel's documentation writes it, whether there is such a capability or not.
fn canonical(name: &[u8]) -> Option<String> {
    let mut upper = str::from_utf8(name).ok()?.to_ascii_uppercase();
    if !upper.starts_with("CAP_") {
        upper.insert_str(0, "CAP_");
    }
    Some(upper)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NET_RAW: Set = Set::of(13);
    const CHOWN: Set = Set::of(0);

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
            let wanted = Wanted::list(text).unwrap();
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
            assert_eq!(Wanted::list(bad).unwrap_err().status(), 100, "{bad:?}");
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
            let wanted = Wanted::iab(text).unwrap();
            assert_eq!(
                (wanted.inheritable, wanted.ambient, wanted.bounding),
                (inheritable, ambient, bounding),
                "{text:?}"
            );
        }
        for bad in
            [c"", c"^", c"^,chown", c"chown,", c"all", c"none", c"^all", c"&chown", c"chown^", c"^ chown"]
        {
            assert_eq!(Wanted::iab(bad).unwrap_err().status(), 100, "{bad:?}");
        }
    }

    #[test]
    fn it_needs_what_it_gives_and_setpcap_for_what_that_cannot_do() {
        let setpcap = Set::SETPCAP;
        assert_eq!(Wanted::list(c"net_raw").unwrap().needs(), NET_RAW.with(setpcap));
        assert_eq!(Wanted::list(c"none").unwrap().needs(), setpcap);
        assert_eq!(Wanted::list(c"net_raw").unwrap().with_any_bounding().needs(), NET_RAW);
        assert_eq!(Wanted::iab(c"^net_raw").unwrap().needs(), NET_RAW);
        assert_eq!(Wanted::iab(c"%net_raw").unwrap().needs(), setpcap);
        assert_eq!(Wanted::iab(c"!net_raw").unwrap().needs(), setpcap);
    }

    #[test]
    fn a_capability_is_named_as_the_kernel_names_it() {
        let wanted = Wanted::iab(c"^chown,!%cap_Net_raw,^7").unwrap();
        assert_eq!(wanted.name_of(NET_RAW.with(Set::of(7))), "CAP_NET_RAW");
        assert_eq!(wanted.name_of(Set::of(7)), "CAP_7");
    }
}
