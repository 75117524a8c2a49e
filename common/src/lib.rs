//! The library below the links: the way in (`rt`, `link`), the way out (`exec`, `exit`), and one
//! module for each kind of process state that a link changes.

pub mod accounts;
pub mod block;
pub mod caps;
pub mod cgroup;
pub mod cpus;
pub mod credentials;
pub mod door;
pub mod env;
pub mod exec;
pub mod exit;
pub mod fds;
pub mod filter;
pub mod flaw;
pub mod identity;
pub mod input;
pub mod io_priority;
pub mod landlock;
pub mod level;
pub mod limits;
pub mod link;
pub mod local;
pub mod lock;
pub mod mode;
mod multicall;
pub mod namespaces;
pub mod niceness;
pub mod oom;
pub mod policy;
pub mod procfs;
pub mod quantity;
pub mod root;
pub mod rt;
pub mod session;
pub mod signals;
pub mod spawn;
pub mod supervise;
#[cfg(not(target_env = "musl"))]
mod switch;
mod sys;
pub mod tai;
pub mod terminal;
pub mod text;
pub mod voice;
pub mod word;

pub use env::Env;
pub use exec::Chain;
pub use exit::{Exit, OrFail};
pub use lexopt::Arg::{Long, Short};
pub use link::{Cli, Link, Outcome};
pub use sys::words::Words;
pub use sys::{clock, epoll, file, inotify, memory, namespace, poll, process, random, socket};
pub use text::Text;
pub use voice::Voice;
pub use word::{Word, shown};
