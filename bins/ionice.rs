//! ionice: run a program with another I/O priority.

use common::caps::Set;
use common::io_priority::{self, Class};
use common::{Cli, Exit, Link, Outcome, Short, options};

/// The link.
pub const LINK: Link = Link {
    name: "ionice",
    usage: "[-c class] [-n priority] prog...",
    summary: "run a program with another I/O priority",
    options: options![
        ("-c class", "0 to 3, or none, realtime, best-effort, idle; 2 by default"),
        ("-n priority", "within the class, from 0, the first, to 7; 4 by default"),
    ],
    opens: false,
    lent: Some(|_| Set::SYS_NICE),
    run,
};

const HINT: &str = "only root may: put ionice before or right behind setuidgid";

fn run(cli: &mut Cli) -> Outcome<'_> {
    let (mut class, mut level) = (Class::BestEffort, 4);
    while let Some(option) = cli.option()? {
        match option {
            Short('c') => {
                let text = cli.value()?;
                class = Class::parse(text).ok_or_else(|| Exit::value("unknown class", text))?;
            }
            Short('n') => {
                let text = cli.value()?;
                level = io_priority::level(text)
                    .ok_or_else(|| Exit::value("not a priority from 0 to 7", text))?;
            }
            other => return Err(Exit::unexpected(other)),
        }
    }
    let chain = cli.rest()?;
    io_priority::set(class, level, HINT)?;
    Ok(chain)
}
