//! The command line.

use std::ffi::{CStr, CString};

use crate::supervise::Role;
use common::quantity::MILLISECONDS;
use common::{Chain, Cli, Env, Exit, Short, Words};

/// Where the services are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// There are none, but the program.
    Nowhere,
    /// In this directory.
    Directory(&'static CStr),
}

/// What its name asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Manner {
    /// TERM is the stop of all.
    Tree,
    /// As runsvdir: TERM leaves all running, for another to adopt; HUP is the stop, with status 111.
    Runsvdir,
}

/// What the command line asks for.
pub(super) struct CommandLine {
    /// What its name asks for.
    pub(super) manner: Manner,
    /// Its role among the programs beside it.
    pub(super) role: Role,
    /// To check alone.
    pub(super) check: bool,
    /// To put names in front of lines.
    pub(super) prefix: bool,
    /// Where the state is kept, if not beside the services.
    pub(super) state: Option<&'static CStr>,
    /// The time limit of the stop, in milliseconds.
    pub(super) limit: Option<u64>,
    /// Where the services are.
    pub(super) place: Place,
    /// The program of the container, with its environment.
    pub(super) chain: Chain,
    /// All of it, for the upgrade.
    pub(super) line: Words,
}

/// Reads the command line.
pub(super) fn read(cli: &mut Cli) -> Result<CommandLine, Exit> {
    let (mut check, mut prefix, mut user) = (false, false, false);
    let mut role = Role::now();
    let (mut state, mut limit) = (None, None);
    while let Some(option) = cli.option()? {
        match option {
            Short('1') => role = Role::Whole,
            Short('n') => check = true,
            Short('p') => prefix = true,
            Short('u') => user = true,
            Short('s') => state = Some(cli.word()?.0),
            Short('t') => limit = Some(milliseconds(cli)?),
            other => return Err(Exit::unexpected(other)),
        }
    }
    let line = cli.line();
    let mut directory = None;
    let mut dashes = cli.is_ended();
    if !dashes {
        directory = cli.operand("dir").ok().map(|word| word.0);
        if directory == Some(c"--") {
            (directory, dashes) = (None, true);
        }
    }
    if directory.is_some() && !dashes {
        dashes = cli.operand("--").is_ok_and(|word| word.0 == c"--");
        if !dashes && cli.operand("prog").is_ok() {
            return Err(Exit::usage("only -- and a program may follow dir"));
        }
    }
    let chain = cli.rest_or_nothing().take();
    if dashes && chain.words.first().is_none() {
        return Err(Exit::usage("missing prog behind --"));
    }
    if user {
        if directory.is_some() {
            return Err(Exit::usage("-u has a directory of its own"));
        }
        let (services, own) = of_user(&chain.env)?;
        directory = Some(services);
        state = state.or(Some(own));
    }
    let place = match directory {
        Some(directory) => Place::Directory(directory),
        None if dashes => Place::Nowhere,
        None => return Err(Exit::usage("missing dir")),
    };
    let manner = Manner::Tree;
    Ok(CommandLine { manner, role, check, prefix, state, limit, place, chain, line })
}

/// Reads the command line of runsvdir.
pub(super) fn read_as_runsvdir(cli: &mut Cli) -> Result<CommandLine, Exit> {
    while let Some(option) = cli.option()? {
        if option != Short('P') {
            return Err(Exit::unexpected(option));
        }
    }
    let (line, place) = (cli.line(), Place::Directory(cli.operand("dir")?.0));
    // What is said goes to stderr: in an argv any `pkill -f` with a word of it would hit the whole tree.
    let _ = cli.operand("log"); // it may be left out
    cli.no_operands()?;
    Ok(CommandLine {
        manner: Manner::Runsvdir,
        role: Role::now(),
        check: false,
        prefix: false,
        state: None,
        limit: None,
        place,
        chain: cli.rest_or_nothing().take(),
        line,
    })
}

fn milliseconds(cli: &mut Cli) -> Result<u64, Exit> {
    let value = cli.value()?;
    MILLISECONDS.parse(value).ok_or_else(|| Exit::value("not a time in milliseconds", value))
}

/// The directory of this user's services, and that of their state.
fn of_user(env: &Env) -> Result<(&'static CStr, &'static CStr), Exit> {
    let set = |name| env.get(name).map(CStr::to_bytes).filter(|value| value.starts_with(b"/"));
    let runtime = set(c"XDG_RUNTIME_DIR").ok_or_else(|| {
        Exit::usage("XDG_RUNTIME_DIR is not set")
            .hint("a login session sets it; elsewhere give both directories: 'svtree -s statedir dir'")
    })?;
    let services = match (set(c"XDG_CONFIG_HOME"), set(c"HOME")) {
        (Some(config), _) => [config, &b"/service"[..]].concat(),
        (None, Some(home)) => [home, &b"/.config/service"[..]].concat(),
        (None, None) => return Err(Exit::usage("neither XDG_CONFIG_HOME nor HOME is set")),
    };
    Ok((kept(services), kept([runtime, &b"/catena"[..]].concat())))
}

/// A path as a word of the command line would be.
fn kept(path: Vec<u8>) -> &'static CStr {
    let path = CString::new(path).unwrap_or_default(); // of the environment, whose strings have no NUL
    Box::leak(path.into_boxed_c_str())
}
