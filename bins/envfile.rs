//! envfile: run a program with environment variables from a file.

use std::ffi::CStr;
use std::os::fd::AsFd;

use common::env::{open, read_all, read_regular};
use common::{Cli, Exit, Link, OrFail, Outcome, Short, Word, fds, options};
use nix::errno::Errno;
use nix::fcntl::AT_FDCWD;
use nix::sys::stat::fstat;

use dialect::Dialect;

pub mod dialect;

/// The link.
pub const LINK: Link = Link {
    name: "envfile",
    usage: "[-i | -I] [-d dialect] file prog...",
    summary: "run a program with environment variables from a file",
    options: options![
        ("-i", "a missing file is an error, as without the option"),
        ("-I", "a missing file is no error"),
        ("-d dialect", "whose syntax the file has: execline (the default), systemd or docker"),
    ],
    opens: true,
    lent: None,
    run,
};

fn run(cli: &mut Cli) -> Outcome<'_> {
    let mut missing_is_fine = false;
    let mut dialect = Dialect::Execline;
    while let Some(option) = cli.option()? {
        match option {
            Short('i') => missing_is_fine = false,
            Short('I') => missing_is_fine = true,
            Short('d') => {
                let word = cli.value()?;
                let named = Dialect::named(word);
                dialect = named.ok_or_else(|| Exit::value("unknown dialect", word))?;
            }
            other => return Err(Exit::unexpected(other)),
        }
    }
    let file = cli.operand("file")?;
    let chain = cli.rest()?;
    if file.is_empty() {
        return Err(Exit::usage("file is empty")); // which -I would take for a missing one
    }
    let Some((name, content)) = read(file, missing_is_fine)? else { return Ok(chain) };
    let variables = dialect.variables(&content).map_err(|flaw| {
        let error = Exit::fatal(format_args!("unable to use {name}: line {}: {}", flaw.line, flaw.problem));
        error.hint_if(flaw.hint)
    })?;
    // The received value is that from before the file, whatever the file has set until then.
    let received = variables.iter().map(|variable| chain.env.get(&variable.name)).collect::<Vec<_>>();
    for (variable, received) in variables.iter().zip(received) {
        if let Some(value) = variable.value.as_deref().or_else(|| received.map(CStr::to_bytes)) {
            chain.env.set(variable.name.to_bytes(), value)?;
        }
    }
    Ok(chain)
}

/// The content of the file with its name for a message; `None` if it may be missing and is.
fn read(file: Word, missing_is_fine: bool) -> Result<Option<(Word, Vec<u8>)>, Exit> {
    if file.to_bytes() == b"-" {
        let name = Word(c"the standard input");
        let content = read_all(fds::stdin()).or_fail(format_args!("read {name}"))?;
        return Ok(Some((name, content)));
    }
    let opened = match open(AT_FDCWD, &file) {
        Err(Errno::ENOENT) if missing_is_fine => return Ok(None),
        opened => opened.or_fail(format_args!("open {file}"))?,
    };
    let action = format_args!("read {file}");
    let status = fstat(&opened).or_fail(action)?;
    let content = read_regular(opened.as_fd(), &status, true, action)?;
    Ok(Some((file, content.unwrap_or_default()))) // nothing is in /dev/null
}
