//! A service as it was when it was looked at.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use common::Exit;
use common::supervise::{Part, key};
use nix::errno::Errno;

use super::amounts::age;
use super::colour::{GREEN, RED, YELLOW};
use super::death::death;
use super::failure::Failure;
use super::hint::advice;
use super::json::{self, Value};
use super::look;
use super::names::Names;
use super::out::Out;
use super::place::Place;
use super::screen::Screen;
use super::services::{Logs, Services};
use super::status::{State, Status, Want};
use super::tree::Known;

/// A state that is as it should be, or not wanted.
pub(super) const PLAIN: &str = "";
/// Why a state is not known that is there for others.
const NO_ACCESS: &str = "no access";

/// A service, or the logger of one.
pub(super) struct Seen {
    pub(super) name: Vec<u8>,
    /// Its state, or why that is not known.
    pub(super) state: Result<Status, &'static str>,
    /// Whether it is started at boot; none where that is not known.
    pub(super) enabled: Option<bool>,
    /// When it was looked at.
    at: Instant,
}

impl Seen {
    fn new(name: &[u8], state: Result<Status, &'static str>, enabled: Option<bool>) -> Self {
        Self { name: name.to_owned(), state, enabled, at: Instant::now() }
    }

    /// Looks at a service, unless its tree has said how it is. An error is that of a directory that cannot be found or
    /// understood.
    pub(super) fn look(names: &Names, name: &[u8], known: &Known, out: &mut Out) -> Result<Self, Failure> {
        // Of one that its tree has told of, no directory is needed.
        if let Some(status) = known.of(name) {
            return Ok(Self::new(name, Ok(status.clone()), names.enabled(name)));
        }
        match names.find(name) {
            Ok(place) => Self::of_place(names, &place, known, out),
            Err(Failure { errno: Some(Errno::EACCES), .. }) => {
                Ok(Self::new(name, Err(NO_ACCESS), names.enabled(name)))
            }
            Err(failure) => Err(failure),
        }
    }

    /// The same, of one that has been found.
    pub(super) fn of_place(
        names: &Names,
        place: &Place,
        known: &Known,
        out: &mut Out,
    ) -> Result<Self, Failure> {
        let state = match look::status_of(place, known) {
            Ok(Some(status)) => Ok(status),
            // That it has no supervisor is a state as any other.
            Ok(None) => Err("no supervisor"),
            Err(failure) if failure.is_absence() => Err("no supervisor"),
            Err(failure) if failure.errno == Some(Errno::EACCES) => {
                out.hint(advice(&failure, place));
                Err(NO_ACCESS)
            }
            Err(failure) => return Err(failure),
        };
        Ok(Self::new(&place.name, state, names.enabled(&place.name)))
    }

    /// Its state, where it is known.
    pub(super) fn status(&self) -> Option<&Status> {
        self.state.as_ref().ok()
    }

    /// The same, if it has a process.
    pub(super) fn running(&self) -> Option<&Status> {
        self.status().filter(|status| status.pid != 0)
    }

    /// This is its state from now on.
    pub(super) fn is_now(&mut self, status: Status) {
        (self.state, self.at) = (Ok(status), Instant::now());
    }

    /// One whose directory is not there any more.
    pub(super) fn gone(name: &[u8]) -> Self {
        Self::new(name, Err("no directory"), None)
    }

    /// All of its state but the times: as long as that is the same, nothing has happened.
    pub(super) fn signature(&self) -> String {
        let Ok(status) = &self.state else {
            return format!("{:?} {:?}", self.state.as_ref().err(), self.enabled);
        };
        let texts = [key::WANT, key::NEEDS, key::STATUS].map(|key| status.said.get(key).text());
        let (ready, restarts) = (status.ready, status.said.get(key::RESTARTS).digits());
        let (state, hold, reloading) = (status.state.word(), &status.hold, status.is_reloading());
        format!(
            "{state} {hold} {texts:?} {} {} {reloading} {ready:?} {restarts} {:?}",
            status.pid, status.paused, self.enabled
        )
    }

    /// Its logger, if it has one.
    fn log(&self, names: &Names, known: &Known, out: &mut Out) -> Option<Self> {
        let name = [&self.name[..], Part::Log.suffix()].concat();
        let has = match &self.state {
            Ok(status) if known.of(&self.name).is_some() => status.said.get(key::LOG).is_true(),
            _ => names.find(&self.name).is_ok_and(|place| place.has(c"log") == Ok(true)),
        };
        // Whatever is wrong with a logger, the service is to be seen.
        has.then(|| {
            Self::look(names, &name, known, out)
                .unwrap_or_else(|_| Self::new(&name, Err("no supervisor"), names.enabled(&name)))
        })
    }

    /// How long it has been as it is, in seconds.
    pub(super) fn seconds(&self, now: Instant) -> Option<u64> {
        let status = self.status()?;
        Some((status.age + now.saturating_duration_since(self.at)).as_secs().max(status.seconds))
    }

    /// How long it is until the next start, in seconds, rounded up; none where none is due.
    pub(super) fn next(&self, now: Instant) -> Option<u64> {
        let next = self.status()?.said.get(key::NEXT);
        let next = common::quantity::seconds(next.digits().as_bytes())?;
        let left = next.saturating_sub(now.saturating_duration_since(self.at));
        Some(left.as_secs() + u64::from(left.subsec_nanos() > 0))
    }

    /// Its state in words, and a colour for them.
    pub(super) fn words(&self, screen: &Screen, now: Instant) -> (String, &'static str) {
        let status = match &self.state {
            Ok(status) => status,
            Err(why) => return ((*why).to_owned(), if self.is_failed() { RED } else { YELLOW }),
        };
        let mut words = match status.state {
            State::Down if !status.hold.is_empty() => Vec::new(),
            State::Unknown => vec!["unknown".to_owned()],
            state => vec![state.word().to_owned()],
        };
        match &*status.hold {
            "" if status.paused && status.pid != 0 => words.push("paused".to_owned()),
            "" => {}
            hold => words.push(match self.next(now) {
                Some(next) if hold == "backing off" => format!("backing off {}", age(next)),
                _ => screen.text(hold),
            }),
        }
        let is_reloading = status.is_reloading();
        if is_reloading {
            words.push("reloading".to_owned());
        }
        let colour = match status.state {
            _ if status.hold == "gave up" => RED,
            _ if !status.hold.is_empty() || status.paused || status.is_crash_loop() => YELLOW,
            _ if is_reloading => YELLOW,
            State::Run if status.ready == Some(false) => YELLOW,
            State::Run | State::Done => GREEN,
            State::Down if self.is_failed() => RED,
            State::Down if status.want != Some(Want::Up) => PLAIN,
            _ => YELLOW,
        };
        (words.join(", "), colour)
    }

    /// Whether it is neither up nor on its way there by itself.
    pub(super) fn is_down(&self) -> bool {
        self.state.as_ref().map_or(true, |status| !status.state.is_up())
    }

    /// Whether something is wrong that nobody has asked for: it was given up, dies again and again, has ended in failure
    /// and was not started again, or has no supervisor though it is to be started at boot.
    pub(super) fn is_failed(&self) -> bool {
        let status = match &self.state {
            Ok(status) => status,
            // How it is, is not for us to know.
            Err(NO_ACCESS) => return false,
            Err(_) => return self.enabled != Some(false),
        };
        let last = status.said.get(key::DEATH);
        let by_itself =
            *last != Value::Null && !last.get(key::STOPPED).is_true() && last.get(key::CODE).digits() != "0";
        let waits = matches!(&*status.hold, "gave up" | "backing off");
        waits || status.is_crash_loop() || by_itself && matches!(status.state, State::Down | State::Finish)
    }

    /// How it ended last, and how long ago that was.
    pub(super) fn last_death(&self) -> Option<String> {
        let last = self.status()?.said.get(key::DEATH);
        if *last == Value::Null {
            return None;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
        Some(format!("{}, {} ago", death(last), age(now.saturating_sub(last.get(key::TIME).whole()))))
    }

    /// What is known of it, as JSON.
    pub(super) fn object(&self) -> Value {
        let enabled = ("enabled", self.enabled.map_or(Value::Null, Value::Bool));
        match &self.state {
            Ok(status) => json::with(&status.said, vec![enabled]),
            Err(why) => json::with(&json::failure(why.as_bytes(), None), vec![enabled]),
        }
    }
}

/// Looks at all of these. Those that cannot be found are reported.
pub(super) fn look_at(
    names: &Names,
    services: &Services,
    logs: Logs,
    out: &mut Out,
) -> Result<Vec<Seen>, Exit> {
    let mut all = Vec::with_capacity(services.names.len());
    for name in &services.names {
        match Seen::look(names, name, &services.known, out) {
            Ok(seen) => {
                let log = if logs == Logs::Shown { seen.log(names, &services.known, out) } else { None };
                all.extend([Some(seen), log].into_iter().flatten());
            }
            Err(failure) => out.not_found(name, &failure)?,
        }
    }
    Ok(all)
}
