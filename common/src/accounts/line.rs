//! A line of passwd(5) or group(5): its meaning where it is well formed, and what glibc may make of it where it
//! is not (from nss/nss_files/files-parse.c and files-initgroups.c, and tested).

use std::ffi::CString;

use crate::quantity::number;
use crate::sys::account::User;

/// A line up to a NUL, where glibc takes it to end.
pub(super) struct Line<'a> {
    text: &'a [u8],
    sound: bool, // so far
}

/// A field that is to be an id.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Id {
    /// It is one: digits, less than 4294967295, which means "leave as it is" to the kernel.
    Plain(u32),
    /// strtoul(3) makes the first of these numbers of it where a long has 64 bits, the second where it has 32.
    Odd(u64, u32),
    /// It is none to anybody.
    None,
}

impl Id {
    fn of(field: &[u8]) -> Self {
        if let Some(id) = number(field).filter(|id| *id != u32::MAX) {
            return Self::Plain(id);
        }
        let (negative, digits) = match without_blanks(field) {
            [b'-', digits @ ..] => (true, digits),
            [b'+', digits @ ..] | digits => (false, digits),
        };
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return Self::None;
        }
        // Below zero it is taken modulo the size of a long, what does not fit is the greatest.
        let long = number::<u64>(digits).map_or(u64::MAX, |id| if negative { id.wrapping_neg() } else { id });
        let short =
            number::<u32>(digits).map_or(u32::MAX, |id| if negative { id.wrapping_neg() } else { id });
        Self::Odd(long, short)
    }

    /// Whether somebody may take it for this id.
    pub(super) fn may_be(self, id: u32) -> bool {
        match self {
            Self::Plain(number) => number == id,
            Self::Odd(long, short) => long == u64::from(id) || short == id,
            Self::None => false,
        }
    }
}

impl<'a> Line<'a> {
    /// A line as it is.
    pub(super) fn whole(line: &'a [u8]) -> Self {
        let text = line.split(|b| *b == 0).next().unwrap_or(line);
        let named = !matches!(text.first(), None | Some(b':' | b'+' | b'-' | b'#'));
        Self { text, sound: named && text.len() == line.len() && without_blanks(text).len() == text.len() }
    }

    /// The line without blanks in front, unless it is a comment or empty.
    pub(super) fn entry(line: &'a [u8]) -> Option<Self> {
        let whole = Self::whole(line);
        let text = without_blanks(whole.text);
        (!matches!(text.first(), None | Some(b'#'))).then_some(Self { text, ..whole })
    }

    pub(super) fn name(&self) -> &'a [u8] {
        self.field(0)
    }

    pub(super) fn is_of_nis(&self) -> bool {
        matches!(self.text.first(), Some(b'+' | b'-'))
    }

    /// The third field of both files.
    pub(super) fn uid(&self) -> Id {
        Id::of(self.field(2))
    }

    /// The primary group of a user.
    pub(super) fn gid(&self) -> Id {
        Id::of(self.field(3))
    }

    /// The user, if the line is well formed.
    pub(super) fn user(&self) -> Option<User> {
        let (Id::Plain(uid), Id::Plain(gid)) = (self.uid(), self.gid()) else { return None };
        let field = |i| CString::new(self.field(i)).ok(); // without a NUL, as the whole line is
        (self.has_fields(7)).then_some(User { name: field(0)?, uid, gid, home: field(5)?, shell: field(6)? })
    }

    /// The id of the group, if the line is well formed.
    pub(super) fn group(&self) -> Option<u32> {
        match self.uid() {
            Id::Plain(gid) if self.has_fields(4) => Some(gid),
            _ => None,
        }
    }

    /// Whether somebody may take it for a group: with an empty id too, where it has a sign of NIS.
    pub(super) fn may_be_group(&self) -> bool {
        self.uid() != Id::None || self.is_of_nis() && self.field(2).is_empty()
    }

    /// Whether `user` is a member of the group, whose fourth field may have colons.
    pub(super) fn has_member(&self, user: &[u8]) -> bool {
        let members = self.text.splitn(4, |b| *b == b':').nth(3).unwrap_or_default();
        members.split(|b| *b == b',').any(|member| without_blanks(member) == user)
    }

    fn has_fields(&self, count: usize) -> bool {
        self.sound && self.fields().count() == count
    }

    fn fields(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.text.split(|b| *b == b':')
    }

    /// Empty where there is none.
    fn field(&self, i: usize) -> &'a [u8] {
        self.fields().nth(i).unwrap_or_default()
    }
}

/// Without what isspace(3) is true for in front.
fn without_blanks(text: &[u8]) -> &[u8] {
    let blanks = text.iter().take_while(|b| matches!(b, b' ' | b'\t'..=b'\r')).count();
    &text[blanks..]
}
