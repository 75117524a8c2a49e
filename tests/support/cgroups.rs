//! Control groups of version 2, for tests that may make some.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::OnceLock;

use super::until;

/// Where they are mounted.
pub(crate) fn hierarchy() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mut mounts = mounts.lines().filter(|line| line.contains(" - cgroup2 "));
    mounts.next().map(|line| PathBuf::from(line.split(' ').nth(4).unwrap()))
}

/// The group of the tests, from the top of what is mounted.
pub(crate) fn own_group() -> Option<String> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    groups.lines().find_map(|line| line.strip_prefix("0::")).map(str::to_owned)
}

/// A hierarchy in whose topmost group, that of the tests, groups can be made.
pub(crate) fn cgroups() -> Result<(), String> {
    static POSSIBLE: OnceLock<bool> = OnceLock::new();
    let possible = || {
        let top = hierarchy().filter(|_| own_group().as_deref() == Some("/"));
        top.is_some_and(|top| {
            let group = top.join(format!("catena-try-{}", std::process::id()));
            fs::create_dir(&group).and_then(|()| fs::remove_dir(&group)).is_ok()
        })
    };
    if *POSSIBLE.get_or_init(possible) { Ok(()) } else { Err("the right to make cgroups".into()) }
}

/// Whether a link can do its deed here at all.
pub(crate) fn is_possible(link: &str) -> bool {
    link != "cgroup" || cgroups().is_ok()
}

/// What stands in tables for the group that their lines share.
pub(crate) const SHARED: &str = "catena-tests";

/// These words with the name of the group that the lines of this process share: it is no other's, and is gone when the
/// process is, however that ends.
pub(crate) fn with_group(text: &str) -> String {
    static HELD: OnceLock<Option<ChildStdin>> = OnceLock::new();
    let name = format!("{SHARED}-{}", std::process::id());
    if text.contains(&name) {
        return text.to_owned(); // it has it already
    }
    if text.contains(SHARED) && cgroups().is_ok() {
        HELD.get_or_init(|| remover(&hierarchy().unwrap().join(&name)));
    }
    text.replace(SHARED, &name)
}

/// A process, no child of this one, that removes the group when the pipe has no writer any more.
fn remover(group: &Path) -> Option<ChildStdin> {
    let script = "trap '' HUP INT QUIT TERM; exec 3<&0; (
        cat <&3 >/dev/null
        [ -d \"$0\" ] || exit
        echo 1 >\"$0/cgroup.kill\"
        for turn in 1 2 3 4 5 6 7 8 9; do
            find \"$0\" -depth -type d -exec rmdir {} + && exit
            sleep 1
        done) &";
    let mut remover = Command::new("sh");
    remover.args(["-c", script]).arg(group).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut remover = remover.spawn().unwrap();
    let held = remover.stdin.take();
    remover.wait().unwrap();
    held
}

/// A group of a test's own, which is killed and removed with all that is in it.
pub(crate) struct OwnGroup(pub(crate) String);

impl OwnGroup {
    /// Its name alone: there is no such group yet.
    pub(crate) fn new(name: &str) -> Self {
        Self(format!("catena-{name}-{}", std::process::id()))
    }

    pub(crate) fn path(&self) -> PathBuf {
        hierarchy().unwrap().join(&self.0)
    }
}

impl Drop for OwnGroup {
    fn drop(&mut self) {
        fn remove(group: &Path) {
            let _ = fs::write(group.join("cgroup.kill"), "1");
            for entry in fs::read_dir(group).into_iter().flatten().flatten() {
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    remove(&entry.path());
                }
            }
            until("an empty cgroup", || fs::remove_dir(group).is_ok() || !group.exists());
        }
        remove(&self.path());
    }
}
