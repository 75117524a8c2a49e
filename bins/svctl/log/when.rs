//! The values of --since and --until.

use common::clock::Local;
use common::quantity::{AGE, number};
use common::tai::Label;

use super::stamp::{Stamps, Time, clock};

/// What a value may be, for messages.
pub(super) const SHAPES: &str = "as '2026-11-29 04:00', '04:00', '-1h', '1h ago', today, yesterday or now";

/// The time that a value of the command line means; `now` is the present one, and `zone` that of times without one.
pub(super) fn parse(text: &[u8], now: Time, zone: fn(i64) -> Option<Local>) -> Option<Time> {
    let mut stamps = Stamps::new(zone);
    let today = stamps.day_of(now.0);
    match text {
        b"now" => return Some(now),
        b"today" => return Some(stamps.of_day(today, (0, 0))),
        b"yesterday" => return Some(stamps.of_day(today - 1, (0, 0))),
        [b'@', digits @ ..] => {
            return match Label::read(digits) {
                (label, Label::DIGITS) if digits.len() == Label::DIGITS => Some(label.since_1970()),
                _ => number::<u32>(digits).map(|seconds| (i64::from(seconds), 0)),
            };
        }
        _ => {}
    }
    let age = text.strip_prefix(b"-").or_else(|| text.strip_suffix(b" ago"));
    if let Some(age) = age {
        return before(now, AGE.parse(age)?);
    }
    if let Some((second, length)) = clock(text) {
        return (length == text.len()).then(|| stamps.of_day(today, (second, 0)));
    }
    stamps.date(text)
}

/// So many milliseconds before.
fn before((seconds, nanoseconds): Time, milliseconds: u64) -> Option<Time> {
    let now = i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds);
    let then = now - i128::from(milliseconds) * 1_000_000;
    Some((
        i64::try_from(then.div_euclid(1_000_000_000)).ok()?,
        u32::try_from(then.rem_euclid(1_000_000_000)).ok()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::clock::utc;

    #[test]
    fn a_time_may_be_written_in_many_ways() {
        let now = (1_795_343_401, 500_000_000); // 2026-11-22 10:30:01.5
        let midnight = 1_795_305_600;
        for (text, seconds, nanoseconds) in [
            ("now", now.0, now.1),
            ("today", midnight, 0),
            ("yesterday", midnight - 86_400, 0),
            ("2026-11-22", midnight, 0),
            ("2026-11-22 04:00", midnight + 14_400, 0),
            ("2026-11-22T04:00:01.25", midnight + 14_401, 250_000_000),
            ("2026-11-22T04:00:00+02:00", midnight + 7200, 0),
            ("04:00", midnight + 14_400, 0),
            ("04:00:30", midnight + 14_430, 0),
            ("-1h", now.0 - 3600, now.1),
            ("1h ago", now.0 - 3600, now.1),
            ("-1.5s", now.0 - 1, 0),
            ("-2d", now.0 - 2 * 86_400, now.1),
            ("-90", now.0 - 90, now.1),
            ("@1795343401", now.0, 0),
            ("@400000006b02c4333ade68b1", now.0, 987_654_321),
        ] {
            assert_eq!(parse(text.as_bytes(), now, utc), Some((seconds, nanoseconds)), "{text}");
        }
        for text in
            ["", "x", "1h", "-", "-x", "@", "@x", "25:00", "04:00x", "2026-11-22 ", "tomorrow", "4:00"]
        {
            assert_eq!(parse(text.as_bytes(), now, utc), None, "{text}");
        }
    }
}
