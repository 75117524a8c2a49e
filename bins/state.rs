//! state: print what a program inherits. It may stand in a chain like a link, and is none: what it prints is what a program
//! finds that was executed, and so it is executed each time, and applied in no other process.

use common::procfs::This;
use common::state::State;
use common::{Cli, Exit, Link, Outcome, Short, fds, options};
use nix::errno::Errno;

/// The program.
pub const PROGRAM: Link = Link {
    name: "state",
    usage: "[-j] [prog...]",
    summary: "print the state that a program inherits",
    options: options![("-j", "as JSON")],
    opens: false,
    lent: None,
    run,
};

fn run(cli: &mut Cli) -> Outcome<'_> {
    let mut json = false;
    while let Some(option) = cli.option()? {
        match option {
            Short('j') => json = true,
            other => return Err(Exit::unexpected(other)),
        }
    }
    let chain = cli.rest_or_nothing();
    let state = State::read(This::open().ok().as_ref(), &[])?;
    let text = if json { state.json() } else { state.lines() };
    if chain.words.first().is_none() {
        return Err(Exit::answer(0, text));
    }
    match fds::write_all(2, text.as_bytes()) {
        // Where stderr is closed nobody wants to know.
        Ok(()) | Err(Errno::EBADF) => Ok(chain),
        Err(errno) => Err(Exit::system("write to the standard error", errno)),
    }
}
