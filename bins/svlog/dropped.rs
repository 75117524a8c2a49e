//! Lines that were dropped, until the log says how many.

use common::Text;
use nix::errno::Errno;

/// The lines that are missing in the log.
#[derive(Debug, Default)]
pub(super) struct Dropped {
    lines: u64,
    why: Option<Errno>,
    /// The end of a line that has begun is among it.
    torn: bool,
}

impl Dropped {
    /// How many lines.
    pub(super) fn count(&self) -> u64 {
        self.lines
    }

    pub(super) fn is_none(&self) -> bool {
        self.lines == 0
    }

    /// A batch is missing too; the log was `within` a line before it.
    pub(super) fn add(&mut self, batch: &[u8], within: bool, why: Errno) {
        self.lines += batch.split(|byte| *byte == b'\n').count() as u64 - 1;
        self.lines = self.lines.max(1); // of a line that goes on a part is missing
        self.torn |= within && batch.contains(&b'\n');
        self.why = Some(why);
    }

    /// The line for the log that says so, with the end of a torn line before it.
    pub(super) fn notice(&self, stamp: &[u8], called: &[u8]) -> Text<128> {
        let mut text = Text::of(if self.torn { "\n" } else { "" });
        text.add(stamp).add(called).add(": warning: ").number(self.lines).add(" lines dropped");
        if let Some(errno) = self.why {
            text.add(": ").errno(errno);
        }
        text.add("\n");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_counts_lines_and_ends_a_line_whose_end_is_missing() {
        let reason = Text::<64>::new().errno(Errno::ENOSPC).bytes().to_owned();
        let reason = String::from_utf8(reason).unwrap();
        for (batches, expected) in [
            (&[(&b"a\nb\n"[..], false)][..], "S svlog: warning: 2 lines dropped"),
            (&[(b"part", false)], "S svlog: warning: 1 lines dropped"),
            (&[(b"part", true)], "S svlog: warning: 1 lines dropped"),
            (&[(b"end\na\n", true)], "\nS svlog: warning: 2 lines dropped"),
            (&[(b"end\na\n", true), (b"b\n", false)], "\nS svlog: warning: 3 lines dropped"),
        ] {
            let mut dropped = Dropped::default();
            assert!(dropped.is_none());
            for (batch, within) in batches {
                dropped.add(batch, *within, Errno::ENOSPC);
            }
            let notice = dropped.notice(b"S ", b"svlog").bytes().to_owned();
            assert_eq!(String::from_utf8(notice).unwrap(), format!("{expected}: {reason}\n"));
        }
    }
}
