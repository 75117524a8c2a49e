//! tai64nlocal: show the time stamps in front of lines as local time.

use common::clock::{self, Local};
use common::filter::{self, After, Output};
use common::tai::Label;
use common::text::first_line;
use common::{Cli, Exit, Link, Outcome, Short, Text};

/// tai64nlocal: show the time stamps in front of lines as local time.
pub const PROGRAM: Link = Link {
    name: "tai64nlocal",
    usage: "[-g]",
    summary: "show the time stamps in front of lines as local time",
    options: &[("-g", "show them as UTC")],
    opens: false,
    run,
};

/// Of more digits than these no stamp is made.
const DIGITS: usize = 255;
const _: () = assert!(1 + DIGITS <= filter::LEFT);

fn run(cli: &mut Cli) -> Outcome {
    let mut zone: fn(i64) -> Option<Local> = clock::local_time;
    while let Some(option) = cli.option()? {
        match option {
            Short('g') => zone = clock::utc,
            other => return Err(other.unexpected().into()),
        }
    }
    cli.no_operands()?;
    let mut shown = Shown { zone, second: None, text: None };
    let mut within = false;
    filter::run(|input, after, output| {
        let mut rest = input;
        while !rest.is_empty() {
            if !within && rest[0] == b'@' {
                let (label, digits) = Label::read(&rest[1..]);
                if rest.len() == 1 + digits && digits <= DIGITS && after == After::More {
                    break; // the stamp may go on
                }
                if digits <= DIGITS && shown.add(label, output)? {
                    rest = &rest[1 + digits..];
                }
            }
            let line = first_line(rest);
            output.add(line)?;
            within = !line.ends_with(b"\n");
            rest = &rest[line.len()..];
        }
        Ok(input.len() - rest.len())
    })?;
    Err(Exit::answer(0, ""))
}

/// The last time that was shown: of the lines in a log many are of the same second.
struct Shown {
    zone: fn(i64) -> Option<Local>,
    second: Option<i64>,
    /// Date and time up to the point.
    text: Option<Text<48>>,
}

impl Shown {
    /// Adds the time of `label`, as `2026-11-22 10:30:01.987654321`. False if there is no such time.
    fn add(&mut self, label: Label, output: &mut Output) -> Result<bool, Exit> {
        let (second, nanoseconds) = label.since_1970();
        if self.second != Some(second) {
            (self.second, self.text) = (Some(second), (self.zone)(second).and_then(date_time));
        }
        let Some(text) = &self.text else { return Ok(false) };
        output.add(text.bytes())?;
        output.add(Text::<10>::new().padded(nanoseconds, 9).bytes())?;
        Ok(true)
    }
}

/// None before the year 0.
fn date_time(time: Local) -> Option<Text<48>> {
    let Local { year, month, day, hour, minute, second } = time;
    let mut text = Text::new();
    text.number(u64::try_from(year).ok()?).add("-").padded(month + 1, 2).add("-").padded(day, 2).add(" ");
    text.padded(hour, 2).add(":").padded(minute, 2).add(":").padded(second, 2).add(".");
    Some(text)
}
