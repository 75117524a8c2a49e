//! Random numbers.

use nix::errno::Errno;

/// Random bytes, getrandom(2).
pub fn number() -> nix::Result<u64> {
    let mut bytes = [0; 8];
    // SAFETY: pointer and length are of one array.
    Errno::result(unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) })?;
    Ok(u64::from_ne_bytes(bytes))
}
