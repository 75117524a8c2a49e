//! The library below the links: the way in (`rt`, `cli`), the way out (`exec`, `error`), and one
//! module for each kind of process state that a link changes.

pub mod accounts;
pub mod caps;
pub mod cli;
pub mod credentials;
pub mod door;
pub mod env;
pub mod error;
pub mod exec;
pub mod fds;
pub mod flaw;
pub mod identity;
pub mod input;
pub mod limits;
pub mod lock;
pub mod mode;
mod multicall;
pub mod process;
pub mod quantity;
pub mod root;
pub mod rt;
pub mod signals;
pub mod supervise;
mod sys;
pub mod text;
pub mod voice;

pub use cli::Cli;
pub use env::Env;
pub use error::{Error, OrFail, shown};
pub use exec::Chain;
pub use lexopt::Arg::{Long, Short};
pub use rt::{Link, Outcome};
pub use sys::{Words, child, namespace, page, procfs, socket};
pub use text::Text;
pub use voice::Voice;
