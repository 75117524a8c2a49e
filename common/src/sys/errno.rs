//! What the C library says of an errno.

use std::ffi::{CStr, c_int};

use nix::errno::Errno;

/// The C library's words for `errno`.
pub(crate) fn text(errno: Errno) -> &'static [u8] {
    // SAFETY: strerror returns a C string that stays as it is until the next call, and no other thread is
    // there.
    unsafe { CStr::from_ptr(libc::strerror(errno as c_int)) }.to_bytes()
}
