//! Times and sizes, for people.

use std::time::Duration;

/// Seconds, in the two largest units.
pub(super) fn age(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{minutes}m{:02}s", seconds % 60),
        3600..86_400 => format!("{hours}h{:02}m", minutes % 60),
        _ => format!("{days}d{:02}h", hours % 24),
    }
}

/// A time of a processor: milliseconds of less than a minute, else as [`age`].
pub(super) fn cpu(time: Duration) -> String {
    match time.as_secs() {
        0 => format!("{}ms", time.as_millis()),
        seconds @ 1..60 => format!("{seconds}.{}s", time.subsec_millis() / 100),
        seconds => age(seconds),
    }
}

/// Bytes, in the largest unit of which there is one: three digits at most, or four without a point.
pub(super) fn size(bytes: u64) -> String {
    let (mut unit, mut tenths) = (0, bytes.saturating_mul(10));
    while tenths >= 10_240 && unit < 4 {
        (unit, tenths) = (unit + 1, tenths / 1024);
    }
    let name = ["B", "K", "M", "G", "T"][unit];
    if unit == 0 || tenths >= 1000 {
        format!("{}{name}", tenths / 10)
    } else {
        format!("{}.{}{name}", tenths / 10, tenths % 10)
    }
}

/// A time as JSON has it: seconds.
pub(super) fn seconds(time: Duration) -> String {
    format!("{}.{:03}", time.as_secs(), time.subsec_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_two_units() {
        for (seconds, text) in
            [(0, "0s"), (59, "59s"), (60, "1m00s"), (3599, "59m59s"), (3661, "1h01m"), (90_000, "1d01h")]
        {
            assert_eq!(age(seconds), text);
        }
    }

    #[test]
    fn a_time_of_a_processor_is_short() {
        for (milliseconds, text) in
            [(0, "0ms"), (70, "70ms"), (1234, "1.2s"), (59_990, "59.9s"), (61_000, "1m01s")]
        {
            assert_eq!(cpu(Duration::from_millis(milliseconds)), text);
        }
        assert_eq!(seconds(Duration::from_millis(61_007)), "61.007");
    }

    #[test]
    fn a_size_has_three_digits() {
        for (bytes, text) in [
            (0, "0B"),
            (1023, "1023B"),
            (1024, "1.0K"),
            (102_300, "99.9K"),
            (409_600, "400K"),
            (1 << 20, "1.0M"),
            (12_900_000, "12.3M"),
            (5 << 40, "5.0T"),
            (u64::MAX, "1677721T"),
        ] {
            assert_eq!(size(bytes), text, "{bytes}");
        }
    }
}
