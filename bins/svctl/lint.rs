//! svctl-lint: look for mistakes in service directories before they run.
//!
//! `tree` is a directory of services, `service` one of them, `script` one file that is executed, `commands` what is in it. Names and values are read by
//! the supervisor's own code, which `engine` listens to. `sh` reads scripts, `tail` looks at their end, `chain` at the words of
//! links, `programs` at what there is; `logs` is about log directories and their settings, `needs` about the needs of services.
//! `file` is the only way to what is in a directory, and `finding` what comes out of it.

mod chain;
mod commands;
mod engine;
mod file;
mod finding;
mod logs;
mod needs;
mod programs;
mod script;
mod service;
mod sh;
mod shellcheck;
mod tail;
mod tree;

use std::ffi::{CStr, CString};

use common::{Cli, Exit, Link, Long, OrFail, Outcome, Short, options, shown};
use nix::errno::Errno;

use super::names::{Names, is_path};
use super::style::Dialect;
use file::Dir;
use finding::Findings;
use programs::Programs;

/// svctl-lint: look for mistakes in service directories before they run.
pub const PROGRAM: Link = Link {
    name: "svctl-lint",
    usage: "[-s] [--json] [--no-shellcheck] [dir...]",
    summary: "look for mistakes in service directories before they run",
    options: options![
        ("-s", "be strict: warnings count as errors do"),
        ("--json", "print a JSON object for each finding, one per line"),
        ("--no-shellcheck", "do not run shellcheck"),
    ],
    opens: true,
    lent: None,
    run,
};

/// What is known of the system besides the directories.
#[derive(Debug)]
struct Checker {
    programs: Programs,
    /// shellcheck's file, if it is to be run.
    shellcheck: Option<CString>,
    /// Where services are that are called by a name alone.
    svdir: Vec<u8>,
}

fn run(cli: &mut Cli) -> Outcome<'_> {
    Err(start(cli).unwrap_or_else(|error| error))
}

fn start(cli: &mut Cli) -> Result<Exit, Exit> {
    super::prepare()?;
    let (mut strict, mut json, mut shellcheck) = (false, false, true);
    let mut operands = Vec::new();
    loop {
        while let Some(option) = cli.option()? {
            match option {
                Short('h') => return Err(Exit::answer(0, cli.help())),
                Short('s') => strict = true,
                Long("json") => json = true,
                Long("no-shellcheck") => shellcheck = false,
                other => return Err(Exit::unexpected(other)),
            }
        }
        match cli.operand_among_options() {
            Some(operand) => operands.push(operand),
            None => break,
        }
    }
    let programs = Programs::new(cli.env());
    let shellcheck = if shellcheck { programs.find(b"shellcheck") } else { None };
    let svdir = Names::new(cli.env(), Dialect::Own).svdir().to_owned();
    let checker = Checker { programs, shellcheck, svdir };
    let findings = checker.look(&operands)?;
    let text = if json { findings.objects() } else { findings.lines() };
    Ok(Exit::answer(i32::from(findings.count(strict)), text))
}

impl Checker {
    /// Looks at these directories, or at all services.
    fn look(&self, operands: &[&CStr]) -> Result<Findings, Exit> {
        let mut findings = Findings::default();
        if operands.is_empty() {
            let svdir = open(&self.svdir).map_err(|error| error.hint("SVDIR says where services are"))?;
            tree::look(self, &svdir, &mut findings)?;
        }
        for operand in operands {
            let name = operand.to_bytes();
            let path = if is_path(name) { name.to_owned() } else { [&self.svdir, &b"/"[..], name].concat() };
            let dir = open(&path).map_err(|error| {
                let there = !is_path(name) && nix::sys::stat::stat(*operand).is_ok();
                error
                    .hint_if(there.then(|| format!("a path begins with a dot or a slash: ./{}", shown(name))))
            })?;
            let mut found = Findings::default();
            if tree::is_tree(&dir) {
                tree::look(self, &dir, &mut found)?;
                findings.append(found);
                continue;
            }
            service::look(self, &dir, &mut found)?;
            needs::look(self, &dir, &mut found);
            findings.append(found);
        }
        Ok(findings)
    }
}

fn open(path: &[u8]) -> Result<Dir, Exit> {
    let name = CString::new(path).map_err(|_| Errno::ENOENT); // no path has a NUL
    name.and_then(|path| Dir::open(&path)).or_fail(format_args!("open {}", shown(path)))
}
