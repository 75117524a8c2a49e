//! svctl: control services and show their state.

use common::{Cli, Error, Link, Outcome};

/// svctl: control services and show their state.
pub const PROGRAM: Link = Link {
    name: "svctl",
    usage: "[-v] [-w seconds] [--json] command service...",
    summary: "control services and show their state",
    options: &[],
    opens: true,
    run,
};

fn run(cli: &mut Cli) -> Outcome {
    cli.no_options()?;
    Err(Error::usage("missing command"))
}
