//! svrun: run a service and its logger, and start them again when they end.

mod machine;

use common::{Cli, Error, Link, Outcome};

/// svrun: run a service and its logger, and start them again when they end.
pub const PROGRAM: Link = Link {
    name: "svrun",
    usage: "[-k] [-s statedir] dir",
    summary: "run a service and its logger, and start them again when they end",
    options: &[],
    opens: true,
    run,
};

fn run(cli: &mut Cli) -> Outcome {
    cli.no_options()?;
    Err(Error::usage("missing dir"))
}
