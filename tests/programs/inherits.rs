#![cfg_attr(not(test), no_main)]
//! inherits: prints what it inherits, as `catena-explain -s` says what a program would, to fd 7. Its words do not matter, so
//! that it may stand in for any daemon.

use std::ffi::CStr;

use common::procfs::This;
use common::state::State;
use common::{Cli, Exit, Link, Outcome, fds};

const INHERITS: Link = Link {
    name: "inherits",
    usage: "[word...]",
    summary: "print what is inherited",
    options: common::options![],
    opens: false,
    lent: None,
    run,
};

common::main!(INHERITS);

fn run(cli: &mut Cli) -> Outcome<'_> {
    let chain = cli.words();
    let mut text = State::read(This::open().ok().as_ref(), &[])?.lines();
    chain.env.each(|entry: &CStr| text.extend(["env ", &common::shown(entry.to_bytes()).to_string(), "\n"]));
    let _ = fds::write_all(7, text.as_bytes()); // the test misses it where this fails
    Err(Exit::answer(0, ""))
}
