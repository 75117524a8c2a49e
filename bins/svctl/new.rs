//! svctl-new: write a service directory.
//!
//! `script` is the text of its scripts, `place` where it comes to lie.

mod place;
mod script;

use std::ffi::CStr;

use common::credentials::{Account, Groups};
use common::{Cli, Exit, Link, Outcome, Short, Word, options, quantity, shown};

use place::Place;
use script::Line;

/// svctl-new: write a service directory.
pub const PROGRAM: Link = Link {
    name: "svctl-new",
    usage: "[-e] [-l account] [-r ready] [-u account] name prog...",
    summary: "write a service directory",
    options: options![
        ("-e", "take variables from the files in the directory env"),
        ("-l account", "run the logger as account; default: that of -u"),
        ("-r ready", "wait until it is ready: the number of a file descriptor, or sd-notify"),
        ("-u account", "run the service as account"),
    ],
    opens: true,
    lent: None,
    run,
};

/// How a service announces that it is ready.
#[derive(Clone, Copy, Debug)]
enum Ready {
    /// By a newline on this file descriptor, as with s6.
    Fd(i32),
    /// By READY=1, as with systemd.
    SdNotify,
}

/// What is wanted.
#[derive(Debug, Default)]
struct Wanted {
    /// What is in front of our name, and so of the links' that are installed with us.
    prefix: &'static [u8],
    variables: bool,
    ready: Option<Ready>,
    account: Option<Word>,
    logger: Option<Word>,
    /// The program and its arguments.
    program: Vec<&'static CStr>,
}

fn run(cli: &mut Cli) -> Outcome<'_> {
    Err(start(cli).unwrap_or_else(|error| error))
}

fn start(cli: &mut Cli) -> Result<Exit, Exit> {
    super::prepare()?;
    let prefix = cli.called().strip_suffix(PROGRAM.name.as_bytes()).unwrap_or_default();
    let mut wanted = Wanted { prefix, ..Wanted::default() };
    wanted.read_options(cli)?;
    let name = cli.operand_among_options().ok_or_else(|| Exit::usage("missing name"))?;
    wanted.read_options(cli)?;
    let chain = cli.rest()?;
    wanted.program = chain.words.clone().collect();
    wanted.check()?;
    let place = Place::find(name.to_bytes(), &chain.env)?;
    Ok(Exit::answer(0, wanted.write(&place)?))
}

impl Wanted {
    fn read_options(&mut self, cli: &mut Cli) -> Result<(), Exit> {
        while let Some(option) = cli.option()? {
            match option {
                Short('h') => return Err(Exit::answer(0, cli.help())),
                Short('e') => self.variables = true,
                Short('l') => self.logger = Some(cli.word()?),
                Short('r') => self.ready = Some(Ready::parse(cli.word()?.to_bytes())?),
                Short('u') => self.account = Some(cli.word()?),
                other => return Err(Exit::unexpected(other)),
            }
        }
        Ok(())
    }

    /// Whether the program is one that the service directory can start.
    fn check(&self) -> Result<(), Exit> {
        let program = self.program.first().map_or(&b""[..], |word| word.to_bytes());
        if program.is_empty() || program.starts_with(b"-") {
            return Err(Exit::value("not a program", program));
        }
        if program.contains(&b'/') && !program.starts_with(b"/") {
            let error = Exit::value("a relative path of a program", program);
            return Err(error.hint("run is executed in the service directory: write the whole path"));
        }
        Ok(())
    }

    /// Writes the service directory, and returns what was written, for people.
    fn write(&self, place: &Place) -> Result<String, Exit> {
        let find = |account: Word| Account::find(&account, Groups::Listed);
        let logger = self.logger.or(self.account);
        let owner = logger.map(find).transpose()?;
        if self.logger.is_some() {
            self.account.map(find).transpose()?;
        }
        let owner = owner.map(|account| (account.uid, account.gid));
        let mut text = String::new();
        let draft = place.draft()?;
        let mut file = |path: &str, mode: u32, content: &[u8]| -> Result<(), Exit> {
            draft.file(path, mode, content)?;
            text.extend([&shown(&place.path_of(path)).to_string(), "\n"]);
            for line in content.split_inclusive(|byte| *byte == b'\n') {
                text.extend(["\t", &shown(line.strip_suffix(b"\n").unwrap_or(line)).to_string(), "\n"]);
            }
            Ok(())
        };
        file("run", 0o755, &self.run())?;
        match self.ready {
            None => {}
            Some(Ready::Fd(fd)) => file("notification-fd", 0o644, format!("{fd}\n").as_bytes())?,
            Some(Ready::SdNotify) => file("sd-notify", 0o644, b"")?,
        }
        draft.directory("log", 0o755, None)?;
        file("log/run", 0o755, &self.log_run(logger))?;
        let mut directory = |path: &str, mode: u32, owner: Option<(u32, u32)>| -> Result<(), Exit> {
            draft.directory(path, mode, owner)?;
            text.extend([&shown(&place.path_of(path)).to_string(), "/\n"]);
            Ok(())
        };
        // Lines of a log, and variables, may be secret.
        directory("log/main", 0o750, owner)?;
        let mut directories = vec!["log/main", "log"];
        if self.variables {
            directory("env", 0o700, None)?;
            directories.push("env");
        }
        for directory in directories {
            draft.sync(directory)?;
        }
        draft.publish()?;
        Ok(text)
    }

    fn run(&self) -> Vec<u8> {
        let mut line = Line::exec();
        if self.variables {
            line = line.word(&self.link("envdir")).word(b"./env");
        }
        self.as_account(line, self.account)
            .words(self.program.iter().map(|word| word.to_bytes()))
            .script(&["#!/bin/sh", "exec 2>&1"])
    }

    fn log_run(&self, account: Option<Word>) -> Vec<u8> {
        let line = self.as_account(Line::exec(), account).word(&self.link("svlog"));
        line.words([&b"-tt"[..], b"./main"]).script(&["#!/bin/sh"])
    }

    fn as_account(&self, line: Line, account: Option<Word>) -> Line {
        match account {
            None => line,
            Some(account) => line.word(&self.link("setuidgid")).word(account.to_bytes()),
        }
    }

    /// The name of one of our programs, as it is installed.
    fn link(&self, name: &str) -> Vec<u8> {
        [self.prefix, name.as_bytes()].concat()
    }
}

impl Ready {
    fn parse(text: &[u8]) -> Result<Self, Exit> {
        if text == b"sd-notify" {
            return Ok(Self::SdNotify);
        }
        let fd = quantity::number(text).filter(|fd| (3..1024).contains(fd)).map(Self::Fd);
        fd.ok_or_else(|| Exit::value("not a number from 3 to 1023, nor sd-notify", text))
    }
}
