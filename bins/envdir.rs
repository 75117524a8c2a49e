//! envdir: run a program with environment variables from files in a directory.

use common::env::{Directory, Format};
use common::{Cli, Exit, Link, OrFail, Outcome, Short, options, shown};
use nix::errno::Errno;

/// The link.
pub const LINK: Link = Link {
    name: "envdir",
    usage: "[-I] [-f] [-n] [-c char] [-p prefix] dir prog...",
    summary: "run a program with environment variables from files in a directory",
    options: options![
        ("-I", "a missing dir is no error"),
        ("-f", "use the whole file as the value, without one final newline"),
        ("-n", "keep trailing blanks; with -f the final newline too"),
        ("-c char", "turn a NUL into char instead of a newline"),
        ("-p prefix", "put prefix before each name"),
    ],
    opens: true,
    lent: None,
    run,
};

fn run(cli: &mut Cli) -> Outcome<'_> {
    let mut missing_is_fine = false;
    let mut format = Format { whole: false, keep: false, nul: b'\n' };
    let mut prefix = Vec::new();
    while let Some(option) = cli.option()? {
        match option {
            Short('I') => missing_is_fine = true,
            Short('f') => format.whole = true,
            Short('n') => format.keep = true,
            Short('c') => match cli.value()? {
                [one] => format.nul = *one,
                other => return Err(Exit::value("not one character", other)),
            },
            Short('p') => match cli.value()? {
                name if name.contains(&b'=') => {
                    return Err(Exit::usage(format_args!("not the start of a name: {}", shown(name))));
                }
                name => prefix = name.to_vec(),
            },
            other => return Err(Exit::unexpected(other)),
        }
    }
    let dir = cli.operand("dir")?;
    let chain = cli.rest()?;
    if dir.is_empty() {
        return Err(Exit::usage("dir is empty")); // which -I would take for a missing one
    }
    let directory = match Directory::open(dir) {
        Err(Errno::ENOENT) if missing_is_fine => return Ok(chain),
        directory => directory.or_fail(format_args!("open directory {dir}"))?,
    };
    directory.apply(&mut chain.env, &prefix, format, Err)?;
    Ok(chain)
}
