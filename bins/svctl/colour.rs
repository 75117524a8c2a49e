//! Colours on a terminal, as ECMA-48 numbers them.

use std::io::{IsTerminal, stdout};

use common::Env;

pub(super) const GREEN: &str = "32";
pub(super) const YELLOW: &str = "33";
pub(super) const RED: &str = "31";
pub(super) const CYAN: &str = "36";
pub(super) const FAINT: &str = "2";

/// Whether colours are seen and wanted.
pub(super) fn wanted(env: &Env) -> bool {
    let unwanted = env.get(c"NO_COLOR").is_some_and(|value| !value.is_empty());
    stdout().is_terminal() && !unwanted && !is_dumb(env)
}

/// Whether the terminal obeys nothing but the end of a line.
pub(super) fn is_dumb(env: &Env) -> bool {
    env.get(c"TERM").is_some_and(|term| term == c"dumb")
}
