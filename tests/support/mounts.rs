//! File systems of a test's own.

use super::{prepared, root, run, tool};

/// Root, who may mount.
pub(crate) fn mounts() -> Result<(), String> {
    root()?;
    tool("unshare")?;
    let possible = run(prepared("unshare").args(["--mount", "true"])).status == 0;
    if possible { Ok(()) } else { Err("a mount namespace".into()) }
}
