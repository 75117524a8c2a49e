//! A program on a terminal of some size, with the services of a house.

use super::harness::*;
pub(super) use crate::support::Terminal;

impl Terminal {
    /// Starts a command line of the shell with these variables; the services are those of `house`.
    pub(super) fn start(house: &House, columns: u16, variables: &str, line: &str) -> Self {
        let mut command = house.command("setsid", "--ctty sh -c");
        command.arg(line);
        for name in ["LC_ALL", "LC_CTYPE", "LANG"] {
            command.env_remove(name);
        }
        for (name, value) in variables.split_whitespace().map(|variable| variable.split_once('=').unwrap()) {
            command.env(name, value);
        }
        Self::of(columns, command)
    }

    /// What the whole command line prints.
    pub(super) fn show(house: &House, columns: u16, variables: &str, line: &str) -> String {
        Self::start(house, columns, variables, line).finish()
    }
}
