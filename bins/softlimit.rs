//! softlimit: run a program with other resource limits.

use common::caps::Set;
use common::limits::{self, Value, Which};
use common::{Cli, Exit, Link, Outcome, Short, options};
use nix::sys::resource::Resource as R;

/// The link.
pub const LINK: Link = Link {
    name: "softlimit",
    usage: "[-H | -h] [-a -c -d -f -l -m -o -p -r -s -t -P value] ... prog...",
    summary: "run a program with other resource limits",
    options: options![
        ("-H", "from here on set the soft and the hard limit"),
        ("-h", "from here on set the hard limit, and the soft one if it is above"),
        ("-a value", "bytes of address space"),
        ("-c value", "bytes of a core file"),
        ("-d value", "bytes of the data segment"),
        ("-f value", "bytes of a file written"),
        ("-l value", "bytes of locked memory"),
        ("-m value", "-d, -s, -l and -a together"),
        ("-o value", "open file descriptors"),
        ("-p value", "processes of the account"),
        ("-r value", "bytes of resident memory"),
        ("-s value", "bytes of the stack"),
        ("-t value", "seconds of CPU time"),
        ("-P value", "real-time priority"),
    ],
    opens: false,
    lent: Some(|_| Set::SYS_RESOURCE),
    run,
};

fn run(cli: &mut Cli) -> Outcome<'_> {
    let mut which = Which::Soft;
    let mut settings = Vec::new();
    while let Some(option) = cli.option()? {
        let resources: &[R] = match option {
            Short('H') => {
                which = Which::Both;
                continue;
            }
            Short('h') => {
                which = Which::Hard;
                continue;
            }
            Short('P') => &[R::RLIMIT_RTPRIO],
            Short(letter) => limits::resources(letter).ok_or_else(|| Exit::unexpected(Short(letter)))?,
            other => return Err(Exit::unexpected(other)),
        };
        let text = cli.value()?;
        let value = Value::parse(text);
        let value = value.ok_or_else(|| Exit::value("invalid limit", text))?;
        settings.push((resources, which, value));
    }
    let chain = cli.rest()?;
    chain.prepare();
    for (resources, which, value) in settings {
        for resource in resources {
            limits::set(*resource, which, value)?;
        }
    }
    Ok(chain)
}
