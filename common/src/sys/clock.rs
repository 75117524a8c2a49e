//! Clocks, local time, and a pause.

use std::ffi::c_int;
use std::time::Duration;
use std::{mem, ptr};

use nix::errno::Errno;

/// Seconds and nanoseconds of a clock.
fn clock(clock: libc::clockid_t) -> (u64, u32) {
    // SAFETY: all zeros is a value.
    let mut time: libc::timespec = unsafe { mem::zeroed() };
    // SAFETY: one structure to write; these clocks are always there.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    (u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Milliseconds since boot, `CLOCK_MONOTONIC`.
#[must_use]
pub fn monotonic() -> u64 {
    let (seconds, nanoseconds) = clock(libc::CLOCK_MONOTONIC);
    seconds * 1000 + u64::from(nanoseconds / 1_000_000)
}

/// What TAI64 labels add to the seconds since 1970, as runit and daemontools write them: 2^62, and the ten
/// leap seconds of 1972.
pub const TAI64: u64 = (1 << 62) + 10;

/// Seconds since 1970 and nanoseconds, `CLOCK_REALTIME`.
#[must_use]
pub fn wall() -> (u64, u32) {
    clock(libc::CLOCK_REALTIME)
}

/// Date and time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Local {
    /// As it is counted, from 1.
    pub year: i64,
    /// From 0.
    pub month: u32,
    /// Of the month, from 1.
    pub day: u32,
    /// Of the day.
    pub hour: u32,
    /// Of the hour.
    pub minute: u32,
    /// Of the minute.
    pub second: u32,
}

/// Date and time where this machine is, of a time since 1970: `localtime_r(3)`. None for a year that an int does not
/// hold, or a time that libc's type does not.
#[must_use]
pub fn local_time(seconds: i64) -> Option<Local> {
    // SAFETY: one number to read and one structure to write.
    parts(seconds, |time, parts| unsafe { c::localtime_r(time, parts) }.is_null())
}

/// The same in UTC, `gmtime_r(3)`.
#[must_use]
pub fn utc(seconds: i64) -> Option<Local> {
    // SAFETY: as above.
    parts(seconds, |time, parts| unsafe { c::gmtime_r(time, parts) }.is_null())
}

/// C's time. With musl it has 64 bits since 1.2, everywhere; libc's own name for it, which has 32 on some systems, is
/// deprecated there.
mod c {
    #[cfg(not(target_env = "musl"))]
    pub(super) use libc::time_t;
    #[cfg(not(all(target_env = "musl", target_pointer_width = "32")))]
    pub(super) use libc::{gmtime_r, localtime_r};

    #[cfg(target_env = "musl")]
    #[allow(non_camel_case_types, reason = "C's name")]
    pub(super) type time_t = i64;

    // By their plain names these take times of 32 bits there, for programs that were built with musl 1.1.
    #[cfg(all(target_env = "musl", target_pointer_width = "32"))]
    unsafe extern "C" {
        #[link_name = "__gmtime64_r"]
        pub(super) fn gmtime_r(time: *const time_t, parts: *mut libc::tm) -> *mut libc::tm;
        #[link_name = "__localtime64_r"]
        pub(super) fn localtime_r(time: *const time_t, parts: *mut libc::tm) -> *mut libc::tm;
    }
}

#[allow(clippy::useless_conversion, reason = "on some systems libc's time has 32 bits")]
fn parts(seconds: i64, fails: fn(*const c::time_t, *mut libc::tm) -> bool) -> Option<Local> {
    let time = seconds.try_into().ok()?;
    // SAFETY: all zeros is a value.
    let mut parts: libc::tm = unsafe { mem::zeroed() };
    if fails(&raw const time, &raw mut parts) {
        return None;
    }
    let part = |number: c_int| u32::try_from(number).ok();
    Some(Local {
        year: i64::from(parts.tm_year) + 1900,
        month: part(parts.tm_mon)?,
        day: part(parts.tm_mday)?,
        hour: part(parts.tm_hour)?,
        minute: part(parts.tm_min)?,
        second: part(parts.tm_sec)?,
    })
}

/// nanosleep(2), also ended by a signal; `time` is less than a second.
pub(crate) fn sleep(time: Duration) -> nix::Result<()> {
    let time = libc::timespec { tv_sec: 0, tv_nsec: i32::try_from(time.subsec_nanos()).unwrap_or(0).into() };
    // SAFETY: one structure to read and none to write.
    match Errno::result(unsafe { libc::nanosleep(&raw const time, ptr::null_mut()) }) {
        Err(Errno::EINTR) => Ok(()),
        other => other.map(drop),
    }
}
