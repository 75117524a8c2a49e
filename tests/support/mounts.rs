//! File systems of a test's own.

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use super::{prepared, root, run, tool};

/// Root, who may mount.
pub(crate) fn mounts() -> Result<(), String> {
    root()?;
    tool("unshare")?;
    let possible = run(prepared("unshare").args(["--mount", "true"])).status == 0;
    if possible { Ok(()) } else { Err("a mount namespace".into()) }
}

/// Takes this thread, and what it starts from now on, into a mount namespace of its own, which ends with them.
pub(crate) fn own_mounts() {
    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
}
