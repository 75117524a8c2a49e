//! The tree of SVDIR: one socket for all its services.

use std::rc::Rc;
use std::time::{Duration, Instant};

use common::supervise::{Part, key};
use common::{Exit, shown};
use nix::errno::Errno;

use super::conn::Conn;
use super::failure::Failure;
use super::json::Value;
use super::look::LIMIT;
use super::names::Names;
use super::out::Out;
use super::services::Logs;
use super::status::Status;

/// How long a whole list may take, however steadily its lines come: one that has no end must not stop us.
const WHOLE: Duration = Duration::from_secs(10);

/// What the tree says of its services and of their loggers, each in the order of the names: nothing where there is no tree.
#[derive(Default)]
pub(super) struct Known([Vec<(Vec<u8>, Status)>; 2]);

impl Known {
    /// Asks the tree of SVDIR for all its services at once, and for their loggers if these are asked for too. What
    /// it does not say is left for each supervisor to say.
    pub(super) fn ask(names: &Names, logs: Logs) -> Self {
        let mut known = Self::default();
        // Without a tree, or one that is for us, there is another way to each service.
        let Ok(mut conn) = Conn::to_tree(names) else { return known };
        for part in Part::BOTH.into_iter().take(if logs == Logs::Shown { 2 } else { 1 }) {
            conn.send(match part {
                Part::Service => "list",
                Part::Log => "list log",
            });
            if known.read(&mut conn, part).is_none() {
                break;
            }
        }
        known
    }

    /// Reads a list up to its last line, which names nobody; `None` where it does not come.
    fn read(&mut self, conn: &mut Conn, part: Part) -> Option<()> {
        let end = Instant::now() + WHOLE;
        loop {
            let said = Rc::new(Value::parse(&conn.next(end.min(Instant::now() + LIMIT))?)?);
            let Value::Text(name) = said.get(key::NAME) else { return Some(()) };
            let Some(status) = Status::from_object(&said) else { continue };
            // At the end: in that order the tree lists them too.
            match self.place(part, name.as_bytes()) {
                Ok(place) => self.0[part as usize][place].1 = status,
                Err(place) => self.0[part as usize].insert(place, (name.as_bytes().to_owned(), status)),
            }
        }
    }

    /// Where a name is, or would be.
    fn place(&self, part: Part, name: &[u8]) -> Result<usize, usize> {
        self.0[part as usize].binary_search_by(|(known, _)| known.as_slice().cmp(name))
    }

    /// The state of a service or of the log of one, by its name in SVDIR.
    pub(super) fn of(&self, name: &[u8]) -> Option<&Status> {
        let log = name.strip_suffix(Part::Log.suffix());
        let (part, name) = log.map_or((Part::Service, name), |service| (Part::Log, service));
        Some(&self.0[part as usize][self.place(part, name).ok()?].1)
    }
}

/// Makes the tree look at its directory at once.
pub(super) fn rescan(names: &Names, limit: Duration, verbose: bool, out: &mut Out) -> Result<Exit, Exit> {
    let svdir = names.svdir();
    names.all(&Known::default())?; // that there is a directory to look at
    let answer = match Conn::to_tree(names) {
        Ok(mut conn) => conn.ask("rescan", limit.max(LIMIT)),
        Err(errno) => {
            out.not_found(svdir, &no_tree(names, errno))?;
            return Ok(out.exit());
        }
    };
    let said = answer.and_then(|line| Value::parse(&line)).unwrap_or(Value::Null);
    if said.get(key::OK).is_true() {
        if verbose || out.json {
            out.counted(svdir, &said)?;
        }
        return Ok(out.exit());
    }
    let failure = match said.get(key::ERROR).text() {
        "" => Failure::fails("its tree does not answer"),
        error => Failure::fails(shown(error).to_string()),
    };
    out.not_found(svdir, &failure)?;
    Ok(out.exit())
}

/// Makes the tree look at its directory, if there is one: else, or if it is not for us, the program that watches the
/// directory looks in its own time.
pub(super) fn look_now(names: &Names) {
    if let Ok(mut conn) = Conn::to_tree(names) {
        conn.ask("rescan", LIMIT);
    }
}

/// Why the tree of SVDIR cannot be asked.
fn no_tree(names: &Names, errno: Errno) -> Failure {
    match errno {
        Errno::ENOENT | Errno::ECONNREFUSED | Errno::ENOTDIR => {
            let svdir = shown(names.svdir()).to_string();
            Failure::fails("no svtree").hint(if names.has(c".s6-svscan") {
                format!("this is s6-svscan's: 's6-svscanctl -a {svdir}'")
            } else {
                format!("runsvdir looks every 5 seconds, unasked; else start 'svtree {svdir}'")
            })
        }
        errno => Failure::warns("unable to connect to .tree/socket").because(errno),
    }
}
