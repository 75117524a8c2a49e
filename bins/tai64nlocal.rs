//! tai64nlocal: show the time stamps in front of lines as local time.

use common::clock::{self, Local};
use common::filter::{self, After};
use common::local::Shown;
use common::tai::Label;
use common::text::first_line;
use common::{Cli, Exit, Link, Outcome, Short, options};

/// tai64nlocal: show the time stamps in front of lines as local time.
pub const PROGRAM: Link = Link {
    name: "tai64nlocal",
    usage: "[-g]",
    summary: "show the time stamps in front of lines as local time",
    options: options![("-g", "show them as UTC")],
    opens: false,
    lent: None,
    run,
};

/// Of more digits than these no stamp is made.
const DIGITS: usize = 255;
const _: () = assert!(DIGITS < filter::LEFT);

fn run(cli: &mut Cli) -> Outcome<'_> {
    let mut zone: fn(i64) -> Option<Local> = clock::local_time;
    while let Some(option) = cli.option()? {
        match option {
            Short('g') => zone = clock::utc,
            other => return Err(Exit::unexpected(other)),
        }
    }
    cli.no_operands()?;
    let mut shown = Shown::new(zone);
    let mut within = false;
    filter::run(|input, after, output| {
        let mut rest = input;
        while !rest.is_empty() {
            if !within && rest[0] == b'@' {
                let (label, digits) = Label::read(&rest[1..]);
                if rest.len() == 1 + digits && digits <= DIGITS && after == After::More {
                    break; // the stamp may go on
                }
                if let Some(time) = shown.time(label.since_1970()).filter(|_| digits <= DIGITS) {
                    output.add(time)?;
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
