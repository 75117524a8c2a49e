//! The user and group databases. In a program that is linked with musl they are the two files of passwd(5) and
//! group(5), read here; with glibc they are what its name service switch makes of them, nsswitch.conf(5).
//!
//! A line that is not well formed is no account: it has too few fields or too many, an id that is not plain digits
//! from 0 to 4294967294, a NUL, a blank in front, no name, or one of the signs of NIS. glibc still makes
//! something of some of these, a comment that looks like a group among them. Such a line is never passed over
//! in silence where it could be the answer: then there is none.

mod line;
mod pieces;

use std::ffi::CStr;

use nix::errno::Errno;

use self::line::{Id, Line};
use self::pieces::Pieces;
pub use crate::sys::account::User;

/// Why a look-up fails, other than by finding no entry.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LookupError {
    /// The system refused something.
    System(Errno),
    /// This line of this file could be the answer, and is not well formed.
    Line(&'static CStr, u64),
    /// The answer cannot be right: what is wrong with it.
    Answer(&'static str),
}

impl From<Errno> for LookupError {
    fn from(errno: Errno) -> Self {
        Self::System(errno)
    }
}

/// The two files. One that is not there is as one that is empty.
#[derive(Clone, Copy, Debug)]
pub struct Files {
    /// As passwd(5).
    pub users: &'static CStr,
    /// As group(5).
    pub groups: &'static CStr,
}

impl Files {
    /// Those of this system.
    pub const SYSTEM: Self = Self { users: c"/etc/passwd", groups: c"/etc/group" };

    /// The first user of this name.
    pub fn user_by_name(&self, name: &CStr) -> Result<Option<User>, LookupError> {
        self.user(&|line| line.name() == name.to_bytes())
    }

    /// The first user with this id.
    pub fn user_by_uid(&self, uid: u32) -> Result<Option<User>, LookupError> {
        self.user(&|line| !line.is_of_nis() && line.uid().may_be(uid) && line.gid() != Id::None)
    }

    fn user(&self, is_asked_for: &dyn Fn(&Line) -> bool) -> Result<Option<User>, LookupError> {
        let mut lines = Pieces::of(self.users)?;
        while let Some(text) = lines.line()? {
            if let Some(line) = Line::entry(text).filter(is_asked_for) {
                return line.user().map(Some).ok_or(LookupError::Line(self.users, lines.count()));
            }
        }
        Ok(None)
    }

    /// The id of the first group of this name.
    pub fn group_by_name(&self, name: &CStr) -> Result<Option<u32>, LookupError> {
        let mut lines = Pieces::of(self.groups)?;
        while let Some(text) = lines.line()? {
            if let Some(line) = Line::entry(text).filter(|line| line.name() == name.to_bytes()) {
                return line.group().map(Some).ok_or(LookupError::Line(self.groups, lines.count()));
            }
        }
        Ok(None)
    }

    /// `gid` and the groups that have `user` as a member, in the order of the file; one can be there twice.
    pub fn groups_of(&self, user: &CStr, gid: u32) -> Result<Vec<u32>, LookupError> {
        let mut groups = vec![gid];
        let mut lines = Pieces::of(self.groups)?;
        while let Some(text) = lines.line()? {
            // Comments are no exception: getgrouplist(3) of glibc and musl takes groups from them.
            let line = Line::whole(text);
            if line.may_be_group() && line.has_member(user.to_bytes()) {
                groups.push(line.group().ok_or(LookupError::Line(self.groups, lines.count()))?);
            }
        }
        Ok(groups)
    }
}

#[cfg(test)]
mod tests;
