//! The multi-call program: `catena` by name and through its links. Whatever it applies in one process, the
//! program at the end finds what the single-purpose programs would have left, executed one by one.
//!
//! A chain is a line of words without blanks, in which `@` is the test's directory: `umask 027 softlimit -c 0 @/state`.
//! `@/state` prints all of its process state, so that two runs can be compared. A line runs in several ways (`Way`):
//! `Separate`, as single-purpose programs, is what the others must equal: `Symbolic` and `Hard`, through links to
//! `catena` (both: `LINKED`), and `Named`, `catena` in front of the line (all three: `EACH`). `@/bin` is first in PATH
//! and has the programs of the way in use.
//!
//! - `house.fused(&EACH, line)`: each of these ways leaves what `Separate` leaves, and nothing but the program is
//!   executed after the first file: all links were applied in one process.
//! - `house.executes(&LINKED, line, &["@/bin/umask", "@/state"])`: the same, but these files are executed in turn,
//!   because what the next word names is no link of ours, or has to go through an exec.
//! - `house.run(way, line)`: what one way leaves, and the files, for a test that compares them with something else.
//!
//! `House::new().behind("setpriv ...")` puts programs in front of each line, `.searching("@/other:@/bin")` sets PATH.

mod accounts;
mod equality;
mod harness;
mod laws;
mod program;
mod roots;
mod search;
