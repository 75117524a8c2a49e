//! chroot.
