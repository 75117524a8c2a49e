//! fghack: stay in the foreground for a program that puts itself into the background.

mod received;
mod watch;

use common::{Cli, Exit, Link, OrFail, Outcome, fds, options, process, signals};
use nix::fcntl::OFlag;
use nix::unistd::pipe2;

use received::Received;
use watch::Watch;

/// The link.
pub const LINK: Link = Link {
    name: "fghack",
    usage: "prog...",
    summary: "stay in the foreground for a program that puts itself into the background",
    options: options![],
    opens: false,
    lent: None,
    run,
};

/// Where the program finds the pipe at most: out of the way of its own files, and of a program that closes the first
/// few; a higher number would cost the kernel memory for all below it.
const TOP: i32 = 1023;

fn run(cli: &mut Cli) -> Outcome<'_> {
    cli.no_options()?;
    let chain = cli.rest()?;
    // All that can fail comes before the fork, so that there is never a program without its parent. And the signals
    // come first: from then on each one waits, and is handed on.
    let received = Received::take()?;
    let (pipe, end) = pipe2(OFlag::O_CLOEXEC).or_fail("create a pipe")?;
    let end = fds::move_to_top(end, TOP).or_fail("create a pipe")?;
    let arrived = signals::mask_as_fd(!Watch::NOT_HANDED_ON).or_fail("create a signalfd")?;
    match process::fork().or_fail("fork")? {
        None => {
            fds::close_all([pipe, arrived]).or_fail("close a fd")?;
            fds::leave(end, None).or_fail("leave the pipe open")?;
            received.give()?;
            Ok(chain)
        }
        Some(program) => {
            let watch = Watch { program, pipe, arrived, blocked: received.blocked };
            // In a shell's words: the status of a program that a signal ended.
            Err(match watch.until_nobody_is_left(end) {
                Ok(status) => Exit::answer(status, ""),
                Err(error) => error,
            })
        }
    }
}
