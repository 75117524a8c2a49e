//! The table as it changes: by the events that supervisors send, and a tick of the clock each second.

use std::collections::{HashMap, HashSet};
use std::io::{IsTerminal, stdin, stdout};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use common::poll::{POLLERR, POLLIN, watch};
use common::supervise::key;
use common::terminal::Keys;
use common::{Exit, OrFail, process, signals};
use nix::unistd::read;

use super::{Asked, print_lines, rows, used};
use crate::svctl::conn::{Conn, Received, wait};
use crate::svctl::json::Value;
use crate::svctl::out::{Out, print};
use crate::svctl::screen::Screen;
use crate::svctl::seen::Seen;
use crate::svctl::services::Services;
use crate::svctl::status::Status;
use crate::svctl::tree::Known;
use crate::svctl::usage::Usages;

/// How often the clock ticks.
const TICK: Duration = Duration::from_secs(1);
/// What happens within this time is drawn at once.
const FRAME: Duration = Duration::from_millis(50);

/// The signals that end it.
const ENDS: [i32; 4] = [signals::INT, signals::TERM, signals::HUP, signals::QUIT];

/// Prints the table again and again, for so long at most.
pub(super) fn follow(
    asked: &Asked,
    limit: Option<Duration>,
    screen: Screen,
    out: &mut Out,
) -> Result<Exit, Exit> {
    let end = limit.map(|limit| Instant::now() + limit);
    let all = asked.look(out)?;
    if all.is_empty() && !asked.services.is_empty() {
        return Ok(out.exit());
    }
    Services::of(all.iter().map(|seen| seen.name.clone()).collect()).allow_fds();
    let mut heard = ENDS.to_vec();
    let draws = screen.moves && !out.json;
    heard.extend([signals::WINCH, signals::TSTP].iter().filter(|_| draws));
    signals::block(&heard).or_fail("block signals")?;
    let signals = signals::as_fd(&heard).or_fail("open a signalfd")?;
    let canvas = if draws { Some(Canvas::take()?) } else { None };
    let shares = Shares { since: Instant::now(), before: HashMap::new(), shown: HashMap::new() };
    let mut live = Live {
        asked,
        screen,
        all,
        json: out.json,
        sources: Vec::new(),
        covered: HashSet::new(),
        shares,
        canvas,
    };
    live.connect();
    live.go_on(&signals, end)?;
    Ok(out.exit())
}

/// The terminal while it is drawn on. Dropped, it is as it was before.
struct Canvas(Option<Keys>);

impl Canvas {
    fn take() -> Result<Self, Exit> {
        // Without a terminal to type on, a signal ends it.
        let keys = if stdin().is_terminal() { Keys::of(stdin()).ok() } else { None };
        let canvas = Self(keys);
        Self::enter()?;
        Ok(canvas)
    }

    /// Another screen, without a cursor.
    fn enter() -> Result<(), Exit> {
        print(b"\x1b[?1049h\x1b[?25l")
    }

    fn leave() {
        // Where nobody reads it there is nothing to restore.
        let _ = print(b"\x1b[?25h\x1b[?1049l");
    }

    /// Stops this process as ^Z asks for, with the terminal as it was.
    fn suspend(&self) -> Result<(), Exit> {
        Self::leave();
        if let Some(keys) = &self.0 {
            keys.give_back();
        }
        let own = process::id().or_fail("get the pid")?;
        process::kill_child(own, signals::STOP).or_fail("stop")?;
        if let Some(keys) = &self.0 {
            keys.take().or_fail("take the keys of the terminal")?;
        }
        Self::enter()
    }
}

impl Drop for Canvas {
    fn drop(&mut self) {
        Self::leave();
    }
}

/// Where events come from: a service, or the tree of SVDIR.
struct Source {
    of: Option<Vec<u8>>,
    conn: Conn,
}

/// Which share of a processor each service has used, tick by tick.
struct Shares {
    since: Instant,
    before: HashMap<Vec<u8>, Duration>,
    shown: HashMap<Vec<u8>, String>,
}

impl Shares {
    /// What a service has used by now.
    fn add(&mut self, name: &[u8], cpu: Duration, past: Duration) {
        let before = self.before.insert(name.to_owned(), cpu);
        let used = before.map(|before| cpu.saturating_sub(before).as_millis());
        if let (Some(used), past @ 1..) = (used, past.as_millis()) {
            let tenths = used * 1000 / past;
            self.shown.insert(name.to_owned(), format!("{}.{}%", tenths / 10, tenths % 10));
        }
    }
}

struct Live<'a> {
    asked: &'a Asked,
    screen: Screen,
    all: Vec<Seen>,
    json: bool,
    sources: Vec<Source>,
    /// The services whose events come.
    covered: HashSet<Vec<u8>>,
    shares: Shares,
    canvas: Option<Canvas>,
}

/// Whether it goes on.
#[derive(PartialEq)]
enum Goes {
    On,
    Ends,
}

impl Live<'_> {
    fn go_on(&mut self, signals: &OwnedFd, end: Option<Instant>) -> Result<(), Exit> {
        let mut stamp = self.asked.names.stamp();
        let mut shown = None;
        let mut tick = Instant::now() + TICK;
        let mut due = Some(Instant::now());
        let mut usages = self.shares_of(Instant::now());
        loop {
            let now = Instant::now();
            if now >= tick {
                tick = now + TICK;
                let before = std::mem::replace(&mut stamp, self.asked.names.stamp());
                if before == stamp {
                    self.look_again(None);
                } else {
                    self.look_at_all();
                }
                self.connect();
                due = Some(now);
                usages = self.shares_of(now);
            }
            if due.is_some_and(|due| now >= due) {
                due = None;
                self.show(&mut shown, usages.take())?;
            }
            // Not before: what there is is shown once, however short the time.
            if end.is_some_and(|end| now >= end) {
                return Ok(());
            }
            let next = [Some(tick), due, end].into_iter().flatten().min().unwrap_or(tick);
            let has_keys = self.canvas.as_ref().is_some_and(|canvas| canvas.0.is_some());
            let keys = if has_keys { stdin().as_raw_fd() } else { -1 };
            let mut fds = vec![watch(signals.as_raw_fd(), POLLIN), watch(keys, POLLIN)];
            // Of stdout only an error is of interest: nobody reads it any more.
            fds.push(watch(stdout().as_raw_fd(), 0));
            fds.extend(self.sources.iter().map(|source| watch(source.conn.fd(), POLLIN)));
            wait(&mut fds, next.saturating_duration_since(Instant::now()));
            if fds[2].revents & POLLERR != 0 {
                return Err(Exit::answer(111, ""));
            }
            if fds[0].revents != 0 && self.signalled(signals, &mut due)? == Goes::Ends
                || fds[1].revents != 0 && typed() == Goes::Ends
            {
                return Ok(());
            }
            if self.hear() {
                due = due.or(Some(Instant::now() + FRAME));
            }
        }
    }

    fn signalled(&mut self, fd: &OwnedFd, due: &mut Option<Instant>) -> Result<Goes, Exit> {
        for signal in signals::next(fd.as_fd()) {
            match (signal, &self.canvas) {
                (signals::WINCH, _) => self.screen.measure(),
                (signals::TSTP, Some(canvas)) => {
                    canvas.suspend()?;
                    // A stopped process is not told of a new size.
                    self.screen.measure();
                }
                _ => return Ok(Goes::Ends),
            }
            *due = Some(Instant::now());
        }
        Ok(Goes::On)
    }

    /// Connects to the supervisors whose events do not come yet.
    fn connect(&mut self) {
        let tree = self.sources.iter().any(|source| source.of.is_none());
        // One that its supervisor describes has a supervisor with a socket.
        let has_socket = |seen: &&Seen| seen.state.as_ref().is_ok_and(|status| status.supervisor() != 0);
        let missing = self.all.iter().filter(has_socket).filter(|seen| !self.covered.contains(&seen.name));
        let missing: Vec<_> = missing.map(|seen| seen.name.clone()).collect();
        if missing.is_empty() {
            return;
        }
        if !tree {
            if let Ok(conn) = Conn::to_tree(&self.asked.names) {
                self.add(None, conn);
                // Those that it has are known once it has named them.
                return;
            }
        }
        for name in missing {
            // One that has gone meanwhile is looked at with the next tick.
            let conn = self.asked.names.find(&name).ok().and_then(|place| Conn::to_service(&place));
            if let Some(conn) = conn {
                self.covered.insert(name.clone());
                self.add(Some(name), conn);
            }
        }
    }

    fn add(&mut self, of: Option<Vec<u8>>, mut conn: Conn) {
        conn.send("events");
        self.sources.push(Source { of, conn });
    }

    /// Takes what has come. Whether something has changed.
    fn hear(&mut self) -> bool {
        let (mut changed, mut states, mut left) = (HashSet::new(), HashMap::new(), Vec::new());
        self.sources.retain_mut(|source| {
            loop {
                match source.conn.receive() {
                    Received::Line(line) => {
                        let said = Rc::new(Value::parse(&line).unwrap_or(Value::Null));
                        let name = match &source.of {
                            Some(name) => name.clone(),
                            None => said.get(key::NAME).text().as_bytes().to_owned(),
                        };
                        self.covered.insert(name.clone());
                        // A stream begins with the state of each.
                        match Status::from_object(&said) {
                            Some(status) => drop(states.insert(name, status)),
                            None => drop(changed.insert(name)),
                        }
                    }
                    Received::Nothing => return true,
                    Received::End | Received::Unread => {
                        left.push(source.of.take());
                        return false;
                    }
                }
            }
        });
        for of in left {
            match of {
                Some(name) => drop((self.covered.remove(&name), changed.insert(name))),
                None => changed.extend(std::mem::take(&mut self.covered)),
            }
        }
        let hears = !(changed.is_empty() && states.is_empty());
        for seen in &mut self.all {
            if let Some(status) = states.remove(&seen.name) {
                seen.is_now(status);
            }
        }
        // What is left of them is of services that are not in the table yet.
        if self.asked.services.is_empty() && !states.is_empty() {
            self.look_at_all();
        }
        if !changed.is_empty() {
            self.look_again(Some(&changed));
        }
        hears
    }

    fn look_at_all(&mut self) {
        // What cannot be found was reported at the start, and may come back.
        let mut quiet = Out::quiet();
        if self.asked.services.is_empty() {
            if let Ok(all) = self.asked.look(&mut quiet) {
                self.all = all;
            }
        } else {
            self.look_again(None);
        }
    }

    /// Looks again at these, or at all whose events do not come.
    fn look_again(&mut self, these: Option<&HashSet<Vec<u8>>>) {
        let mut quiet = Out::quiet();
        for seen in &mut self.all {
            let wanted = match these {
                Some(these) => these.contains(&seen.name),
                None => !self.covered.contains(&seen.name),
            };
            if wanted {
                let name = std::mem::take(&mut seen.name);
                *seen = Seen::look(&self.asked.names, &name, &Known::default(), &mut quiet)
                    .unwrap_or_else(|_| Seen::gone(&name));
            }
        }
    }

    /// Counts what each service has used since the last tick, if that is shown. What it has read is as new as the table
    /// that is drawn at once.
    fn shares_of(&mut self, now: Instant) -> Option<Usages> {
        self.canvas.as_ref()?;
        let past = now.saturating_duration_since(self.shares.since);
        self.shares.since = now;
        let mut usages = Usages::read();
        self.shares.shown.clear();
        for seen in &self.all {
            if let Some(usage) = usages.of_seen(seen) {
                self.shares.add(&seen.name, usage.cpu, past);
            }
        }
        Some(usages)
    }

    /// Shows the table, or where that cannot be drawn again, a new one if something has changed since.
    fn show(
        &mut self,
        shown: &mut Option<HashMap<Vec<u8>, String>>,
        usages: Option<Usages>,
    ) -> Result<(), Exit> {
        let wanted: Vec<&Seen> = self.all.iter().filter(|seen| self.asked.wants(seen)).collect();
        if self.canvas.is_some() {
            let usages = usages.unwrap_or_else(Usages::read).of_all(&wanted);
            let shares = wanted.iter().map(|seen| self.shares.shown.get(&seen.name).cloned()).collect();
            let rows = rows(&wanted, &self.screen, Instant::now());
            return self.draw(&self.asked.table(rows, &usages, shares, &self.screen).lines(&self.screen));
        }
        let now: HashMap<Vec<u8>, String> =
            wanted.iter().map(|seen| (seen.name.clone(), seen.signature())).collect();
        let before = shown.replace(now.clone());
        if before.as_ref() == Some(&now) {
            return Ok(());
        }
        let mut usages = Usages::read();
        if self.json {
            let before = before.unwrap_or_default();
            for seen in wanted.iter().filter(|seen| before.get(&seen.name) != now.get(&seen.name)) {
                print(self.asked.object(seen, usages.of_seen(seen).as_ref()).as_bytes())?;
            }
            return Ok(());
        }
        let usages = usages.of_all(&wanted);
        let rows = rows(&wanted, &self.screen, Instant::now());
        let gap = if before.is_none() { "" } else { "\n" };
        print_lines(gap, &self.asked.table(rows, &usages, used(&usages), &self.screen).lines(&self.screen))
    }

    fn draw(&self, lines: &[String]) -> Result<(), Exit> {
        let (_, rows) = self.screen.size.unwrap_or((80, 24));
        let fits = lines.len() <= rows;
        let most = if fits { lines.len() } else { rows.saturating_sub(1) };
        let mut text = String::from("\x1b[H");
        for (at, line) in lines[..most].iter().enumerate() {
            text.extend([if at == 0 { "" } else { "\r\n" }, line, "\x1b[K"]);
        }
        if !fits {
            text.extend(["\r\n(", &(lines.len() - most).to_string(), " more lines)\x1b[K"]);
        }
        text.push_str("\x1b[J");
        print(text.as_bytes())
    }
}

/// What was typed on the terminal.
fn typed() -> Goes {
    let mut keys = [0; 64];
    match read(stdin(), &mut keys) {
        Ok(0) => Goes::Ends, // the terminal has hung up
        Ok(count) if keys[..count].iter().any(|key| matches!(key, b'q' | b'Q')) => Goes::Ends,
        // Other keys mean nothing; an error of the terminal comes as a hangup too.
        _ => Goes::On,
    }
}
