#![cfg_attr(not(test), no_main)]
//! state: prints the state of its process ([`report::of`]) to fd 77 if that is open, else to stdout.

use common::{Cli, Exit, Link, Outcome, fds};

mod report;

const STATE: Link = Link {
    name: "state",
    usage: "[word...]",
    summary: "print the state",
    options: common::options![],
    opens: false,
    lent: None,
    run,
};

common::main!(STATE);

fn run(cli: &mut Cli) -> Outcome<'_> {
    let words: Vec<_> = cli.line().collect();
    let text = report::of(&words);
    let _ = fds::move_to(77, 1); // not open: stdout it is
    Err(Exit::answer(0, text))
}
