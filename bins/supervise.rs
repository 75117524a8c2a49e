//! The engine of a supervisor: a service and its logger as a value, [`Supervised`], which a program holds once or
//! many times.
//!
//! `machine` is the life of one process as a pure function; `process` carries it out; `supervised` is both
//! processes of a service with their clients, and the only place where something happens to one of them; `order`
//! is the rule by which it handles what has come by several ways.
//! `needs` are the names of what a start waits for.
//! `state`, locked by `lock`, is the directory `supervise` that clients and a new supervisor read; `record` is the part
//! of it by which `adopt` takes over the processes of a killed supervisor, and `pid_space` says where its pids are
//! valid; `service` reads the service directory, `access` the clients that are served, `lookalikes` the names,
//! `inspect` all for a program that supervises nothing; `failure` reports why a script was not started, `notices` is
//! what else is reported once; `report` is what clients are shown; `pipe`, `beside` and `output` are what a supervisor
//! prepares for its services and their clients; `notify`, `leftovers`, `clients`, `adopted`, `control_script` and
//! `death` are what their names say; `sparse` is a value that hardly any service has, `program` is what is started as
//! run, `fresh` an fd that is waited for, `handed_on` and `next_program` what a program leaves to the one that it
//! becomes.

mod access;
mod adopt;
mod adopted;
mod beside;
mod clients;
mod control_script;
mod death;
mod failure;
mod fresh;
mod handed_on;
pub(crate) mod in_force;
mod inspect;
mod leftovers;
mod lock;
mod lookalikes;
mod machine;
mod needs;
pub(crate) mod next_program;
mod notices;
mod notify;
mod now;
mod order;
mod output;
mod parts;
mod pid_space;
mod pipe;
mod process;
mod program;
mod record;
mod refusal;
mod report;
mod role;
mod service;
mod shared;
mod sparse;
mod state;
mod supervised;

pub(crate) use access::{Access, NOT_PERMITTED, Rights};
pub(crate) use beside::link_beside;
pub(crate) use death::{exit_status, from_wait_status};
pub(crate) use handed_on::{HandedOn, has_left, may_live};
pub(crate) use inspect::{file_names, inspect};
pub(crate) use leftovers::Orphans;
pub(crate) use lock::Patience;
pub(crate) use needs::Names;
pub(crate) use notify::handed_on as notify_handed_on;
pub(crate) use now::Now;
pub(crate) use output::let_reopen;
pub(crate) use pid_space::PidSpace;
pub(crate) use pipe::handed_on as pipes_handed_on;
pub(crate) use program::{DefaultLog, Program};
pub(crate) use refusal::Refusal;
pub(crate) use role::{HEARD, Role};
pub(crate) use service::{exists, make_directory};
pub(crate) use supervised::{
    CHILDREN, Ending, Ends, FIXED_FDS, Homeless, Next, Options, Places, Show, Standing, Supervised,
};

#[cfg(test)]
mod tests;
