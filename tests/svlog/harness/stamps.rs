//! Stamps of lines and names of archives.

use std::time::Duration;

/// The time that `@` and 24 hexadecimal digits name, as the time since 1970.
pub(crate) fn label_time(label: &str) -> Duration {
    let digits = label.strip_prefix('@').unwrap();
    let number = |digits: &str| u64::from_str_radix(digits, 16).unwrap();
    assert_eq!(digits.len(), 24, "{label}");
    assert!(digits.bytes().all(|digit| b"0123456789abcdef".contains(&digit)), "{label}");
    let nanoseconds = u32::try_from(number(&digits[16..])).unwrap();
    assert!(nanoseconds < 1_000_000_000, "{label}");
    Duration::new(number(&digits[..16]) - ((1 << 62) + 10), nanoseconds)
}

/// Asserts that a time lies between two others; svlogd's have half a microsecond in the place of what it
/// does not know.
#[track_caller]
pub(crate) fn assert_between(before: Duration, time: Duration, after: Duration) {
    let slack = Duration::from_micros(1);
    assert!(before <= time + slack && time <= after + slack, "{before:?} {time:?} {after:?}");
}

/// The label of a time.
pub(crate) fn label(time: Duration) -> String {
    format!("@{:016x}{:08x}", time.as_secs() + ((1 << 62) + 10), time.subsec_nanos())
}

/// The time that an archive is named by.
pub(crate) fn archive_time(name: &str) -> Duration {
    label_time(&name[..25])
}

/// The name of the `n`th archive of long ago.
pub(crate) fn old_archive(n: u64, state: char) -> String {
    format!("{}.{state}", label(Duration::from_secs(1_000_000_000 + n)))
}

/// The time that `YYYY-MM-DD_HH:MM:SS.xxxxx` names, with this letter in its middle.
pub(crate) fn date_time(stamp: &str, middle: char) -> Duration {
    let shape: String =
        stamp.chars().map(|letter| if letter.is_ascii_digit() { '0' } else { letter }).collect();
    assert_eq!(shape, format!("0000-00-00{middle}00:00:00.00000"), "{stamp}");
    let number = |from: usize, to: usize| stamp[from..to].parse::<u64>().unwrap();
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    assert!((1..=12).contains(&month) && (1..=31).contains(&day), "{stamp}");
    let leap = |year: u64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let of_years: u64 = (1970..year).map(|year| if leap(year) { 366 } else { 365 }).sum();
    let lengths = [31, if leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let of_months: u64 = lengths[..usize::try_from(month).unwrap() - 1].iter().sum();
    let (hour, minute, second) = (number(11, 13), number(14, 16), number(17, 19));
    assert!(hour < 24 && minute < 60 && second < 60, "{stamp}");
    let seconds = (((of_years + of_months + day - 1) * 24 + hour) * 60 + minute) * 60 + second;
    Duration::new(seconds, u32::try_from(number(20, 25)).unwrap() * 10_000)
}
