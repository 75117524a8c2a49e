//! User and group ids: accounts by name or number, and the change to one that root cannot be regained from.

use std::ffi::{CStr, CString};

use nix::errno::Errno;
use nix::unistd::{Gid, Uid, getppid, getresgid, getresuid};

#[cfg(target_env = "musl")]
use crate::accounts::Files;
use crate::accounts::{LookupError, User};
use crate::caps::{self, Given, Set};
use crate::env::Env;
use crate::exit::{Exit, OrFail};
use crate::quantity::number;
use crate::signals;
#[cfg(not(target_env = "musl"))]
use crate::switch::Switch;
use crate::sys::ids;
use crate::word::shown;

/// Where this program looks accounts up.
#[cfg(target_env = "musl")]
const SOURCE: Files = Files::SYSTEM;
/// Where this program looks accounts up.
#[cfg(not(target_env = "musl"))]
const SOURCE: Switch = Switch;

/// An account as it is written on a command line.
#[derive(Debug, PartialEq)]
pub enum Spec {
    /// `name` or `name:group[:group...]`: all of them names.
    Names(CString, Vec<CString>),
    /// `:uid:gid[:gid...]`: all of them numbers.
    Numbers(u32, Vec<u32>),
}

impl Spec {
    /// Reads an account; an error says what is wrong with it. 4294967295 is no id: to the kernel it means
    /// "leave as it is".
    pub fn parse(text: &[u8]) -> Result<Self, Exit> {
        let wrong = |problem: &str| Exit::usage(format_args!("invalid account {}: {problem}", shown(text)));
        if text.is_empty() {
            return Err(Exit::value("invalid account", text));
        }
        let (numeric, rest) = text.strip_prefix(b":").map_or((false, text), |numbers| (true, numbers));
        let (mut names, mut ids) = (Vec::new(), Vec::new());
        for field in rest.split(|b| *b == b':') {
            if field.is_empty() {
                return Err(wrong("an empty field"));
            }
            if numeric {
                let id = number(field).filter(|id| *id != u32::MAX);
                ids.push(id.ok_or_else(|| wrong("not all of its ids are numbers from 0 to 4294967294"))?);
            } else {
                names.push(CString::new(field).map_err(|_| wrong("a NUL"))?);
            }
        }
        match ids.len() {
            0 => Ok(Self::Names(names.remove(0), names)),
            1 => Err(wrong("the numeric form is :uid:gid[:gid...]")),
            _ => Ok(Self::Numbers(ids.remove(0), ids)),
        }
    }
}

/// Which supplementary groups an account has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Groups {
    /// Those that the command line lists, or the primary group alone.
    Listed,
    /// Those, and all that the user and group databases give the account.
    Database,
}

/// An account: the ids that a process gets, and what the user database says of it.
#[derive(Debug)]
pub struct Account {
    /// The user id.
    pub uid: u32,
    /// The group id.
    pub gid: u32,
    /// The supplementary groups, sorted; `gid` is one of them.
    pub groups: Vec<u32>,
    user: Option<User>,
}

impl Account {
    /// Looks up the account that `text` writes, and nothing that it does not need.
    pub fn find(text: &CStr, groups: Groups) -> Result<Self, Exit> {
        let (uid, mut gids, user) = match Spec::parse(text.to_bytes())? {
            Spec::Names(name, listed) => {
                let user = SOURCE.user_by_name(&name).map_err(|why| no_answer("account", &name, why))?;
                let hint = "a bare number is taken for a name: for numbers write :uid:gid";
                let user = user.ok_or_else(|| unknown("account", "user", &name, hint))?;
                let mut gids = Vec::with_capacity(listed.len() + 1);
                for name in &listed {
                    gids.push(group(name)?);
                }
                if gids.is_empty() {
                    gids.push(user.gid);
                }
                (user.uid, gids, Some(user))
            }
            Spec::Numbers(uid, gids) => {
                (uid, gids, if groups == Groups::Database { user_of(uid)? } else { None })
            }
        };
        let gid = gids[0];
        if let (Groups::Database, Some(user)) = (groups, &user) {
            let listed = SOURCE.groups_of(&user.name, user.gid);
            gids.extend(listed.map_err(|why| no_answer("the groups of", &user.name, why))?);
        }
        Ok(Self { uid, gid, groups: sorted(&gids), user })
    }

    /// As [`Account::find`], for an owner of something, which has one group: `problem` says so of an account with more.
    pub fn find_owner(text: &CStr, problem: &str) -> Result<Self, Exit> {
        let account = Self::find(text, Groups::Listed)?;
        if account.groups.len() > 1 { Err(Exit::value(problem, text.to_bytes())) } else { Ok(account) }
    }

    /// Sets UID and GID.
    pub fn export_ids(&self, env: &mut Env) -> Result<(), Exit> {
        env.set(b"UID", self.uid.to_string().as_bytes())?;
        env.set(b"GID", self.gid.to_string().as_bytes())?;
        Ok(())
    }

    /// Sets HOME, USER, LOGNAME and SHELL; for a uid without entry HOME is `/`, SHELL `/bin/sh`, and the
    /// names go.
    pub fn export(&self, env: &mut Env) -> Result<(), Exit> {
        let looked_up = if self.user.is_none() { user_of(self.uid)? } else { None };
        let Some(user) = self.user.as_ref().or(looked_up.as_ref()) else {
            env.unset(b"USER")?;
            env.unset(b"LOGNAME")?;
            env.set(b"HOME", b"/")?;
            env.set(b"SHELL", b"/bin/sh")?;
            return Ok(());
        };
        env.set(b"HOME", non_empty(&user.home, b"/"))?;
        env.set(b"USER", user.name.to_bytes())?;
        env.set(b"LOGNAME", user.name.to_bytes())?;
        env.set(b"SHELL", non_empty(&user.shell, b"/bin/sh"))?;
        Ok(())
    }
}

/// What passwd(5) says of an empty field.
fn non_empty<'a>(field: &'a CStr, default: &'a [u8]) -> &'a [u8] {
    if field.is_empty() { default } else { field.to_bytes() }
}

fn user_of(uid: u32) -> Result<Option<User>, Exit> {
    SOURCE.user_by_uid(uid).map_err(|why| {
        let digits = CString::new(uid.to_string()).unwrap_or_default(); // which have no NUL
        no_answer("uid", &digits, why)
    })
}

/// The id of a group by its number or name, as a file has it.
pub fn group_of(text: &[u8]) -> Result<u32, Exit> {
    if let Some(gid) = number(text).filter(|gid| *gid != u32::MAX) {
        return Ok(gid);
    }
    let no_name = |_| Exit::fatal(format_args!("unable to find group {}: a NUL", shown(text)));
    group(&CString::new(text).map_err(no_name)?)
}

/// The id of a group by its name.
pub fn group(name: &CStr) -> Result<u32, Exit> {
    let gid = SOURCE.group_by_name(name).map_err(|why| no_answer("group", name, why))?;
    let hint = "names and numbers do not mix: for numbers write :uid:gid[:gid...]";
    gid.ok_or_else(|| unknown("group", "group", name, hint))
}

/// The error where a database has not answered.
fn no_answer(thing: &str, name: &CStr, why: LookupError) -> Exit {
    let name = shown(name.to_bytes());
    match why {
        LookupError::System(errno) => Exit::system(format_args!("look up {thing} {name}"), errno),
        LookupError::Line(file, line) => {
            let file = shown(file.to_bytes());
            Exit::fatal(format_args!(
                "unable to find {thing} {name}: line {line} of {file} is not well formed"
            ))
        }
        LookupError::Answer(problem) => Exit::fatal(format_args!("unable to find {thing} {name}: {problem}")),
    }
}

/// The error for a name that is in no database, with a hint if it is a number.
fn unknown(thing: &str, what: &str, name: &CStr, hint: &'static str) -> Exit {
    let shown = shown(name.to_bytes());
    let error = Exit::fatal(format_args!("unable to find {thing} {shown}: no such {what}"));
    if number::<u64>(name.to_bytes()).is_some() { error.hint(hint) } else { error }
}

/// Gives this process the ids of `account`, real, effective and saved, and proves that root cannot be
/// regained. Unless the account is uid 0, no capability is left in any set but bounding, but for those of
/// `lent`, which stay permitted. A process that is the account already needs no privilege. Returns whether the uid or the gid was
/// another one; root's gid counts for nothing.
pub fn assume(account: &Account, lent: Set) -> Result<bool, Exit> {
    let Account { uid, gid, .. } = *account;
    let death = signals::parent_death_signal().or_fail("read the parent-death signal")?;
    let parent = if death == 0 { None } else { Some(getppid()) };
    if !lent.is_empty() {
        // Before the ids change, which would empty the permitted set.
        caps::keep_across_ids(true)?;
    }
    let (new_uid, new_gid) = (!has_uid(uid)?, !has_gid(gid)?);
    // Groups, gid, uid, in this order: each needs a privilege that the change of the uid takes away. None
    // is left out where it seems to change nothing: in a user namespace every id that is not mapped looks
    // like 65534. A process that has an id already may set it without privilege, but for the groups.
    let mut without = None;
    match ids::setgroups(&account.groups) {
        Err(Errno::EPERM) if has_groups(account, None)? => {}
        // A process that is the account already may lack the gid in the list, as in containers, where it would allow
        // nothing more.
        Err(Errno::EPERM) if !new_uid && !new_gid && has_groups(account, Some(gid))? => without = Some(gid),
        other => other.map_err(|errno| refused("set supplementary groups", errno))?,
    }
    ids::setresgid(gid).map_err(|errno| refused(format_args!("set gid to {gid}"), errno))?;
    ids::setresuid(uid).map_err(|errno| refused(format_args!("set uid to {uid}"), errno))?;
    if !lent.is_empty() {
        caps::keep_across_ids(false)?;
    }
    if uid != 0 {
        // The kernel has emptied permitted, effective and ambient if the uid left 0, but not the
        // inheritable set, and none of them under SECBIT_NO_SETUID_FIXUP.
        caps::lend(lent, Set::NONE, Given::NONE)?;
    }
    if !(has_uid(uid)? && has_gid(gid)? && has_groups(account, without)?) {
        return Err(Exit::fatal(format_args!(
            "the ids are not those of uid {uid}, gid {gid} after the change"
        )));
    }
    if uid != 0 {
        match ids::setresuid(0) {
            // Not allowed; or there is no uid 0 in this user namespace.
            Err(Errno::EPERM | Errno::EINVAL) => {}
            Ok(()) => return Err(Exit::fatal("root could be regained after the change of ids")),
            Err(errno) => return Err(Exit::system("prove that root cannot be regained", errno)),
        }
    }
    if let Some(parent) = parent {
        // A change of ids clears it.
        signals::arm_parent_death(death, parent, "keep")?;
    }
    Ok(new_uid || new_gid && uid != 0)
}

fn refused(action: impl std::fmt::Display, errno: Errno) -> Exit {
    let error = Exit::system(action, errno);
    if errno == Errno::EPERM { error.hint("only root may become another account") } else { error }
}

fn has_uid(uid: u32) -> Result<bool, Exit> {
    let ids = getresuid().or_fail("read the uids")?;
    Ok([ids.real, ids.effective, ids.saved].iter().all(|id| *id == Uid::from_raw(uid)))
}

fn has_gid(gid: u32) -> Result<bool, Exit> {
    let ids = getresgid().or_fail("read the gids")?;
    Ok([ids.real, ids.effective, ids.saved].iter().all(|id| *id == Gid::from_raw(gid)))
}

/// Whether the supplementary groups are the account's, `without` one of them.
fn has_groups(account: &Account, without: Option<u32>) -> Result<bool, Exit> {
    let groups = ids::getgroups().or_fail("read the supplementary groups")?;
    let asked = account.groups.iter().filter(|gid| Some(**gid) != without);
    Ok(asked.eq(&sorted(&groups)) && groups.len() + usize::from(without.is_some()) == account.groups.len())
}

/// The ids in order, each once. By insertion: they are few and mostly in order, and std's sort is 2 kB of
/// program.
fn sorted(ids: &[u32]) -> Vec<u32> {
    let mut sorted = Vec::with_capacity(ids.len());
    for id in ids {
        if let Err(place) = sorted.binary_search(id) {
            sorted.insert(place, *id);
        }
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(fields: &[&str]) -> Spec {
        let mut fields = fields.iter().map(|field| CString::new(*field).unwrap());
        Spec::Names(fields.next().unwrap(), fields.collect())
    }

    #[test]
    fn names_alone() {
        assert_eq!(Spec::parse(b"apache").unwrap(), names(&["apache"]));
        assert_eq!(Spec::parse(b"1234").unwrap(), names(&["1234"]));
        assert_eq!(Spec::parse(b"a:g:h").unwrap(), names(&["a", "g", "h"]));
    }

    #[test]
    fn numbers_alone() {
        assert_eq!(Spec::parse(b":0:0").unwrap(), Spec::Numbers(0, vec![0]));
        assert_eq!(Spec::parse(b":1:2:3").unwrap(), Spec::Numbers(1, vec![2, 3]));
        assert_eq!(Spec::parse(b":4294967294:1").unwrap(), Spec::Numbers(4_294_967_294, vec![1]));
    }

    #[test]
    fn groups_are_sorted_and_there_once() {
        assert_eq!(sorted(&[3, 1, 2, 3, 1]), [1, 2, 3]);
        assert_eq!(sorted(&[]), [0; 0]);
    }

    #[test]
    fn what_peers_take_for_0_or_cut_is_a_usage_error() {
        for bad in [
            "", ":", "::", ":1", ":1:", "::1", ":1::2", "a:", "a::b", ":a:1", ":1:g", ":-1:1", ":+1:1",
            ": 1:1",
        ] {
            assert_eq!(Spec::parse(bad.as_bytes()).unwrap_err().status(), 100, "{bad}");
        }
        for number in ["4294967295", "4294967296", "99999999999", "18446744073709551616"] {
            assert_eq!(Spec::parse(format!(":{number}:1").as_bytes()).unwrap_err().status(), 100, "{number}");
            assert_eq!(Spec::parse(format!(":1:{number}").as_bytes()).unwrap_err().status(), 100, "{number}");
            assert_eq!(
                Spec::parse(format!(":1:1:{number}").as_bytes()).unwrap_err().status(),
                100,
                "{number}"
            );
        }
    }
}
