//! Our parser of user and group databases beside that of glibc; also for the fuzz target.

use std::ffi::{CStr, CString};
use std::fs;
use std::path::{Path, PathBuf};

use common::accounts::{Files, LookupError};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Gid, Group, Uid, User, getgrouplist};

/// The system's databases in a mount namespace of this thread, where they are files of ours.
pub(super) struct Bound {
    users: PathBuf,
    groups: PathBuf,
}

/// How the answers were.
#[derive(Debug, Default)]
pub(super) struct Count {
    /// Both found the same.
    pub(super) found: u32,
    /// Neither found any.
    pub(super) none: u32,
    /// Ours refused a line that is not well formed, and glibc found something, or nothing.
    pub(super) refused: (u32, u32),
}

impl Bound {
    /// Takes this thread there. It needs root, or a user namespace, which only a process without other threads
    /// may make.
    pub(super) fn new(directory: &Path, user_namespace: bool) -> Self {
        let user = if user_namespace { CloneFlags::CLONE_NEWUSER } else { CloneFlags::empty() };
        unshare(CloneFlags::CLONE_NEWNS | user).unwrap();
        let none = None::<&str>;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
        let bind = |name: &str, content: &str| {
            let file = directory.join(name);
            fs::write(&file, content).unwrap();
            mount(Some(&file), &Path::new("/etc").join(name), none, MsFlags::MS_BIND, none).unwrap();
            file
        };
        bind("nsswitch.conf", "passwd: files\ngroup: files\ninitgroups: files\n");
        Self { users: bind("passwd", ""), groups: bind("group", "") }
    }

    /// Asks both for all of these in databases of these bytes.
    #[allow(
        clippy::disallowed_methods,
        reason = "the few groups of a test fit, and it is glibc that is asked"
    )]
    pub(super) fn compare(
        &self,
        users: &[u8],
        groups: &[u8],
        names: &[&str],
        ids: &[u32],
        count: &mut Count,
    ) {
        fs::write(&self.users, users).unwrap();
        fs::write(&self.groups, groups).unwrap();
        let files = Files::SYSTEM;
        for name in names {
            let c_name = CString::new(*name).unwrap();
            let ours = files.user_by_name(&c_name);
            count.judge(
                ours.map(|user| user.map(ours_of)),
                &User::from_name(name).unwrap().map(theirs_of),
                users,
            );
            let ours = files.group_by_name(&c_name);
            count.judge(ours, &Group::from_name(name).unwrap().map(|group| group.gid.as_raw()), groups);
            for gid in ids {
                let ours = files.groups_of(&c_name, *gid).map(|list| Some(sorted(list)));
                let theirs = getgrouplist(&c_name, Gid::from_raw(*gid)).unwrap();
                count.judge(ours, &Some(sorted(theirs.iter().map(|gid| gid.as_raw()).collect())), groups);
            }
        }
        for id in ids {
            let ours = files.user_by_uid(*id).map(|user| user.map(ours_of));
            count.judge(ours, &User::from_uid(Uid::from_raw(*id)).unwrap().map(theirs_of), users);
        }
    }
}

impl Count {
    #[allow(clippy::ref_option, reason = "as it is compared")]
    fn judge<T: PartialEq + std::fmt::Debug>(
        &mut self,
        ours: Result<Option<T>, LookupError>,
        theirs: &Option<T>,
        file: &[u8],
    ) {
        let shown = || String::from_utf8_lossy(file).into_owned();
        match ours {
            Ok(ours) => {
                assert_eq!(&ours, theirs, "{}", shown());
                *if ours.is_some() { &mut self.found } else { &mut self.none } += 1;
            }
            Err(LookupError::Line(name, number)) => {
                let line = file.split(|b| *b == b'\n').nth(usize::try_from(number).unwrap() - 1).unwrap();
                assert!(!is_well_formed(line, name), "{:?} of {}", String::from_utf8_lossy(line), shown());
                *if theirs.is_some() { &mut self.refused.0 } else { &mut self.refused.1 } += 1;
            }
            Err(other) => panic!("{other:?} of {}", shown()),
        }
    }
}

/// passwd(5) and group(5) once more, as plainly as can be.
fn is_well_formed(line: &[u8], file: &CStr) -> bool {
    let fields: Vec<&[u8]> = line.split(|b| *b == b':').collect();
    let is_id = |field: &[u8]| {
        field.iter().all(u8::is_ascii_digit)
            && std::str::from_utf8(field).is_ok_and(|id| id.parse().is_ok_and(|id: u32| id != u32::MAX))
    };
    let users = file == Files::SYSTEM.users;
    !line.contains(&0)
        && !line.first().is_none_or(|b| b" \t\r\x0b\x0c+-#:".contains(b))
        && fields.len() == if users { 7 } else { 4 }
        && is_id(fields[2])
        && (!users || is_id(fields[3]))
}

/// Name, uid, gid, home and shell.
type Known = (String, u32, u32, String, String);

fn ours_of(user: common::accounts::User) -> Known {
    let text = |field: CString| String::from_utf8_lossy(field.to_bytes()).into_owned();
    (text(user.name), user.uid, user.gid, text(user.home), text(user.shell))
}

fn theirs_of(user: User) -> Known {
    let text = |path: PathBuf| path.to_string_lossy().into_owned();
    (user.name, user.uid.as_raw(), user.gid.as_raw(), text(user.dir), text(user.shell))
}

fn sorted(mut ids: Vec<u32>) -> Vec<u32> {
    ids.sort_unstable();
    ids.dedup();
    ids
}
