//! svctl-show: all that is known of a service.

mod page;
mod sockets;

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd};

use common::door::{self, Owner};
use common::identity::same;
use common::supervise::{self, Part};
use common::{Cli, Exit, Link, Long, Outcome, Short, Voice, Words, options};
use nix::errno::Errno;
use nix::sys::stat::{FileStat, fstat};

use super::failure::Failure;
use super::json::{self, Value, list, object, of_service, text};
use super::names::{Names, split};
use super::out::{Out, print};
use super::place::{self, Place};
use super::screen::Screen;
use super::seen::Seen;
use super::services::Services;
use super::style::{Dialect, Style};
use super::tree::Known;
use super::usage::{self, Usage, Usages};
use super::{prepare, sibling};
use crate::supervise::in_force::{self, Rule};
use crate::svtree::service_needs;
use sockets::Socket;

/// svctl-show: all that is known of a service.
pub const PROGRAM: Link = Link {
    name: "svctl-show",
    usage: "[--json] service...",
    summary: "print all that is known of a service",
    options: options![("--json", "print a JSON object for each service, one per line")],
    opens: true,
    lent: None,
    run,
};

/// How many ends, and how many lines of the log, are shown.
const DEATHS: usize = 5;
const LINES: usize = 10;

fn run(cli: &mut Cli) -> Outcome<'_> {
    Err(start(cli).unwrap_or_else(|error| error))
}

fn start(cli: &mut Cli) -> Result<Exit, Exit> {
    prepare()?;
    let (mut json, mut named) = (false, Vec::new());
    loop {
        while let Some(option) = cli.option()? {
            match option {
                Short('h') => return Err(Exit::answer(0, cli.help())),
                Long("json") => json = true,
                other => return Err(Exit::unexpected(other)),
            }
        }
        let Some(word) = cli.operand_among_options() else { break };
        named.push(word.to_bytes());
    }
    if named.is_empty() {
        return Err(Exit::usage("missing service").hint("'svctl list' lists them"));
    }
    let names = Names::new(cli.env(), Dialect::Own);
    let screen = Screen::of(cli.env());
    let env: Words = cli.rest_or_nothing().take().env.into_words();
    let services = Services::named(&names, &named);
    let mut out = Out::new(Style::Svctl, json);
    let mut usages = Usages::read();
    for (at, name) in services.names.iter().enumerate() {
        let whole = match Whole::look(&names, name, &mut usages, &env, &mut out) {
            Ok(whole) => whole,
            Err(failure) => {
                out.not_found(name, &failure)?;
                continue;
            }
        };
        if json {
            print(of_service(name, &whole.object()).as_bytes())?;
        } else {
            let gap = if at == 0 { "" } else { "\n" };
            print((gap.to_owned() + &whole.page(&names, &screen)).as_bytes())?;
        }
    }
    Ok(out.exit())
}

/// All that is known of a service.
struct Whole {
    seen: Seen,
    /// The path of its directory.
    path: Vec<u8>,
    usage: Option<Usage>,
    /// EACCES where they are not for us.
    sockets: nix::Result<Vec<Socket>>,
    /// The services that it needs, and those that need it, each with its state where that is known.
    needs: Vec<Seen>,
    needed_by: Vec<Vec<u8>>,
    /// None of a logger, which has no files for them.
    rules: Vec<Rule>,
    /// The last lines of the file deaths, the newest last.
    deaths: nix::Result<Vec<Vec<u8>>>,
    /// The last lines of the log; none where the program for that is not there.
    log: nix::Result<Vec<Vec<u8>>>,
}

impl Whole {
    fn look(
        names: &Names,
        name: &[u8],
        usages: &mut Usages,
        env: &Words,
        out: &mut Out,
    ) -> Result<Self, Failure> {
        let place = names.find(name)?;
        let seen = Seen::of_place(names, &place, &Known::default(), out)?;
        let usage = usages.of_seen(&seen);
        let directory = place.directory().map_err(Failure::clone)?;
        let is_service = place.part == Part::Service;
        let needs = if is_service { needs(&place.path, directory) } else { Vec::new() };
        let (_, own) = split(name);
        Ok(Self {
            sockets: usage.as_ref().map_or(Ok(Vec::new()), |usage| sockets::of(&usage.family)),
            needs: needs.iter().map(|need| beside(names, name, need, out)).collect(),
            needed_by: if is_service { needed_by(names, own, directory) } else { Vec::new() },
            rules: if is_service { in_force::of(directory, voice(&place.path)) } else { Vec::new() },
            deaths: deaths(&place),
            log: log(name, env),
            path: place.path.clone(),
            usage,
            seen,
        })
    }

    fn object(&self) -> Value {
        let texts = |lines: &[Vec<u8>]| list(lines.iter().map(|line| text(line)));
        let or_null =
            |lines: &nix::Result<Vec<Vec<u8>>>| lines.as_ref().map_or(Value::Null, |lines| texts(lines));
        let mut more = vec![("directory", text(&self.path))];
        more.extend(usage::members(self.usage.as_ref()));
        more.push(("tree", self.usage.as_ref().map_or(Value::Null, usage::tree)));
        let sockets = self.sockets.as_ref().map(|sockets| {
            list(sockets.iter().map(|socket| {
                object([
                    ("kind", text(socket.kind.as_bytes())),
                    ("address", text(&socket.address)),
                    ("pid", json::number(socket.pid)),
                ])
            }))
        });
        more.push(("listens", sockets.unwrap_or(Value::Null)));
        more.push(("all_needs", list(self.needs.iter().map(|need| text(&need.name)))));
        more.push(("needed_by", texts(&self.needed_by)));
        let rules = self.rules.iter().map(|rule| {
            object([
                ("rule", text(rule.file.as_bytes())),
                ("value", text(rule.value.as_bytes())),
                ("file", if rule.set { text(&self.file(rule)) } else { Value::Null }),
            ])
        });
        more.push(("rules", list(rules)));
        more.push(("deaths", or_null(&self.deaths)));
        more.push(("log_lines", or_null(&self.log)));
        json::with(&self.seen.object(), more)
    }

    /// The path of the file that sets a rule.
    fn file(&self, rule: &Rule) -> Vec<u8> {
        [self.path.strip_suffix(b"/").unwrap_or(&self.path), b"/", rule.file.as_bytes()].concat()
    }
}

/// For messages about the files of a service.
fn voice(path: &[u8]) -> Voice {
    // It lives as long as this program, which looks at a few services.
    Voice { called: b"svctl", directory: path.to_vec().leak(), part: b"" }
}

/// The names in the file needs of a service.
fn needs(path: &[u8], directory: BorrowedFd) -> Vec<Vec<u8>> {
    let text = service_needs::read(directory, voice(path));
    service_needs::names(&text).map(<[u8]>::to_vec).collect()
}

/// A service that is needed: of the directory in which that which needs it was found.
fn beside(names: &Names, name: &[u8], need: &[u8], out: &mut Out) -> Seen {
    let (parent, _) = split(name);
    let seen = Seen::look(names, &[parent, need].concat(), &Known::default(), out);
    // Whatever is wrong with it, the page is of another service.
    let mut seen = seen.unwrap_or_else(|_| Seen::gone(need));
    seen.name = need.to_vec();
    seen
}

/// The services in SVDIR that name this one in their file needs: none where another has that name there.
fn needed_by(names: &Names, own: &[u8], directory: BorrowedFd) -> Vec<Vec<u8>> {
    // One that is gone meanwhile is needed by nobody.
    let named = names.find(own).ok().and_then(|place| fstat(place.directory().ok()?).ok());
    let is_it = |named: FileStat| fstat(directory).is_ok_and(|found| same(&named, &found));
    if !named.is_some_and(is_it) {
        return Vec::new();
    }
    // Where SVDIR cannot be read, nothing there needs it that could be known.
    let mut all = names.all(&Known::default()).unwrap_or_default();
    all.retain(|name| {
        let place = names.find(name).ok();
        let needs = place.as_ref().and_then(|place| Some(needs(&place.path, place.directory().ok()?)));
        needs.is_some_and(|needs| needs.iter().any(|need| need == own))
    });
    all
}

/// The last lines of the file deaths.
fn deaths(place: &Place) -> nix::Result<Vec<Vec<u8>>> {
    let state = place::directory(place.own()?.as_fd(), supervise::DIRECTORY.to_bytes())?;
    let mut buffer = vec![0; 1 << 14];
    match door::read_file(state.as_fd(), supervise::DEATHS, Owner::Any, &mut buffer) {
        Ok(text) => Ok(last_lines(text, DEATHS)),
        Err(Errno::ENOENT) => Ok(Vec::new()),
        Err(errno) => Err(errno),
    }
}

/// The last lines of the log, as svctl-log prints them.
fn log(name: &[u8], env: &Words) -> nix::Result<Vec<Vec<u8>>> {
    let name = CString::new(name).map_err(|_| Errno::EINVAL)?;
    let count = CString::new(LINES.to_string()).map_err(|_| Errno::EINVAL)?;
    let arguments: [&CStr; 4] = [c"-n", &count, c"--", &name];
    sibling::output("show", "log", &arguments, env).map(|text| last_lines(&text, LINES))
}

fn last_lines(text: &[u8], most: usize) -> Vec<Vec<u8>> {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    if text.is_empty() {
        return Vec::new();
    }
    let lines: Vec<_> = text.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    lines[lines.len().saturating_sub(most)..].to_vec()
}
