//! tai64n: put a time stamp in front of each line.

use common::tai::Label;
use common::text::first_line;
use common::{Cli, Exit, Link, Outcome, Text, clock, filter, options};

/// tai64n: put a time stamp in front of each line.
pub const PROGRAM: Link = Link {
    name: "tai64n",
    usage: "",
    summary: "put a time stamp in front of each line",
    options: options![],
    opens: false,
    lent: None,
    run,
};

fn run(cli: &mut Cli) -> Outcome<'_> {
    cli.no_options()?;
    cli.no_operands()?;
    let mut within = false;
    filter::run(|input, _, output| {
        // All that one read has brought was there when it was read.
        let mut stamp = Text::<26>::of("@");
        stamp.add(Label::of(clock::wall()).digits()).add(" ");
        let mut rest = input;
        while !rest.is_empty() {
            if !within {
                output.add(stamp.bytes())?;
            }
            let line = first_line(rest);
            output.add(line)?;
            within = !line.ends_with(b"\n");
            rest = &rest[line.len()..];
        }
        Ok(input.len())
    })?;
    Err(Exit::answer(0, ""))
}
