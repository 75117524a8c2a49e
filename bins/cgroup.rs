//! cgroup: run a program in a control group of its own.

use std::ffi::CString;

use common::cgroup::{Group, Path, Place};
use common::{Cli, Exit, Link, Outcome, Short, Word, options, shown};
use nix::errno::Errno;

/// The link.
pub const LINK: Link = Link {
    name: "cgroup",
    usage: "[-k knob=value] ... path prog...",
    summary: "run a program in a control group of its own",
    options: options![("-k knob=value", "write the value to this file of the group")],
    opens: false,
    lent: None,
    run,
};

/// A file of a group, and what it is to hold.
struct Knob {
    file: CString,
    value: Vec<u8>,
}

impl Knob {
    fn parse(text: &[u8]) -> Result<Self, Exit> {
        let place = text.iter().position(|b| *b == b'=').unwrap_or(text.len());
        let (name, value) = (&text[..place], text.get(place + 1..));
        // A controller, a dot and a name: so it is a file of this group.
        let valid = !name.contains(&b'/') && name.iter().position(|b| *b == b'.').is_some_and(|dot| dot > 0);
        let Some(value) = value.filter(|_| valid) else {
            return Err(Exit::value("not a knob with its value", text));
        };
        if [&b"cgroup.procs"[..], b"cgroup.threads", b"cgroup.kill"].contains(&name) {
            return Err(Exit::value("not a knob", name));
        }
        if value.is_empty() {
            return Err(Exit::usage(format_args!("the value of {} is empty", shown(name))));
        }
        Ok(Self { file: CString::new(name).unwrap_or_default(), value: value.to_vec() }) // words have no NUL
    }
}

fn run(cli: &mut Cli) -> Outcome<'_> {
    let mut knobs = Vec::new();
    while let Some(option) = cli.option()? {
        match option {
            Short('k') => knobs.push(Knob::parse(cli.value()?)?),
            other => return Err(Exit::unexpected(other)),
        }
    }
    let path = cli.operand("path")?;
    let chain = cli.rest()?;
    let parsed = Path::parse(path.0.to_bytes()).map_err(|wrong| Exit::value(wrong, path.0.to_bytes()))?;
    let group = Place::find(parsed)?.make().map_err(|errno| refused(format_args!("make {path}"), errno))?;
    let entered = knobs.iter().try_for_each(|knob| set(path, &group, knob)).and_then(|()| {
        group.enter().map_err(|errno| refused(format_args!("move this process to {path}"), errno))
    });
    if entered.is_err() {
        group.undo();
    }
    entered.map(|()| chain)
}

fn set(path: Word, group: &Group, Knob { file, value }: &Knob) -> Result<(), Exit> {
    group.write(file, value).map_err(|errno| {
        let (file, value) = (shown(file.to_bytes()), shown(value));
        let error = Exit::system(format_args!("write {value} to {file} of {path}"), errno);
        match errno {
            Errno::ENOENT => {
                error.hint("a controller has to be in cgroup.subtree_control of the group above")
            }
            _ => error,
        }
    })
}

fn refused(action: std::fmt::Arguments, errno: Errno) -> Exit {
    let error = Exit::system(action, errno);
    let hint = match errno {
        Errno::EROFS => {
            "cgroups are read-only here, as in a container: it has to be started with the right to write them"
        }
        Errno::EACCES | Errno::EPERM => {
            "only root may, or whom the groups above are given to: put cgroup before setuidgid"
        }
        Errno::EBUSY => {
            "a group with controllers in its cgroup.subtree_control has no processes itself: name one below it"
        }
        Errno::EOPNOTSUPP => {
            "the group is threaded, or below one that is: it takes no processes from outside"
        }
        Errno::EAGAIN => {
            "there may be no more groups here: cgroup.max.descendants or cgroup.max.depth of a group above"
        }
        _ => return error,
    };
    error.hint(hint)
}
