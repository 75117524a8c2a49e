//! landlock: run a program that may use these files and ports only.

use std::os::fd::AsFd;

use common::caps::Set;
use common::env::{open, read_regular};
use common::landlock::{Absent, Access, Deed, Effort, Rule, port, restrict};
use common::{Cli, Exit, Link, OrFail, Outcome, Short, Word, options, voice};
use nix::fcntl::AT_FDCWD;
use nix::sys::stat::fstat;

pub mod rules;

/// The link.
pub const LINK: Link = Link {
    name: "landlock",
    usage: "[-b] [-i] [-f file] [-r path] [-x path] [-w path] [-W path] [-B port] [-C port] ... prog...",
    summary: "run a program that may use these files and ports only",
    options: options![
        ("-r path", "allow to read the file, or all below the directory"),
        ("-x path", "allow to read and to execute"),
        ("-w path", "allow to read and to write"),
        ("-W path", "allow to read, to write and to execute"),
        ("-B port", "allow to bind this TCP port; none: no port"),
        ("-C port", "allow to connect to this TCP port; none: no port"),
        ("-f file", "take rules from this file too: ro, rx, rw or rwx path, bind or connect port"),
        ("-i", "ignore paths that are not there"),
        ("-b", "go on where the kernel cannot restrict all of it, and say what"),
    ],
    opens: true,
    lent: Some(|_| Set::NONE),
    run,
};

const HINT: &str = "landlock does not let it be executed, or its interpreter or loader: \
                    allow them too, as by -x /usr -x /lib -x /lib64";

fn run(cli: &mut Cli) -> Outcome<'_> {
    let (mut effort, mut absent) = (Effort::All, Absent::Refused);
    let (mut rules, mut files) = (Vec::new(), Vec::new());
    while let Some(option) = cli.option()? {
        rules.push(match option {
            Short('r') => path(cli, Access::Read)?,
            Short('x') => path(cli, Access::Execute)?,
            Short('w') => path(cli, Access::Write)?,
            Short('W') => path(cli, Access::All)?,
            Short('B') => tcp(cli, Deed::Bind)?,
            Short('C') => tcp(cli, Deed::Connect)?,
            other => {
                match other {
                    Short('b') => effort = Effort::Best,
                    Short('i') => absent = Absent::Ignored,
                    Short('f') => files.push(word(cli, "invalid file")?),
                    other => return Err(Exit::unexpected(other)),
                }
                continue;
            }
        });
    }
    let chain = cli.rest()?;
    for file in files {
        rules.extend(rules_in(file)?);
    }
    if rules.is_empty() {
        return Err(Exit::usage("no rule: nothing would be restricted"));
    }
    if let Some(missing) = restrict(&rules, effort, absent)? {
        voice::say([LINK.name, ": warning: ", missing.text(), "; going on without\n"].concat().as_bytes());
    }
    chain.barrier = Some(HINT);
    Ok(chain)
}

fn word(cli: &mut Cli, problem: &str) -> Result<Word, Exit> {
    Some(cli.word()?).filter(|word| !word.is_empty()).ok_or_else(|| Exit::value(problem, b""))
}

fn path(cli: &mut Cli, access: Access) -> Result<Rule, Exit> {
    Ok(Rule::Path(access, word(cli, "invalid path")?))
}

fn tcp(cli: &mut Cli, deed: Deed) -> Result<Rule, Exit> {
    let word = cli.value()?;
    let port = port(word).ok_or_else(|| Exit::value("invalid port", word))?;
    Ok(Rule::Port(deed, port))
}

fn rules_in(file: Word) -> Result<Vec<Rule>, Exit> {
    let opened = open(AT_FDCWD, &file).or_fail(format_args!("open {file}"))?;
    let action = format_args!("read {file}");
    let status = fstat(&opened).or_fail(action)?;
    let content = read_regular(opened.as_fd(), &status, true, action)?;
    rules::parse(&content.unwrap_or_default()).map_err(|rules::Flaw { line, problem }| {
        Exit::fatal(format_args!("unable to use {file}: line {line}: {problem}"))
    })
}
