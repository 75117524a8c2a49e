//! The state of a service, from the status bytes or from the socket.

use std::fmt::Write;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::shown;
use common::supervise::{self, Report, key};
pub(super) use common::supervise::{State, Want};

use super::death::death;
use super::json::Value;
use super::style::Dialect;

/// What is known of a service.
#[derive(Clone, Debug)]
pub(super) struct Status {
    pub(super) state: State,
    /// 0: none.
    pub(super) pid: u32,
    /// None where neither up nor down is: to daemontools, after `once`.
    pub(super) want: Option<Want>,
    pub(super) paused: bool,
    /// Whether the bytes are those of daemontools.
    pub(super) daemontools: bool,
    /// Whether the signal to stop was sent.
    pub(super) term: bool,
    /// For how many seconds, as sv counts them.
    pub(super) seconds: u64,
    /// For how long.
    pub(super) age: Duration,
    /// The label of the status bytes, or from a socket the same time: it is new at each start and each end.
    pub(super) label: [u8; 12],
    /// Whether the service has announced that it is ready; `None` where it cannot, or nobody tells.
    pub(super) ready: Option<bool>,
    /// Why it does not run though it is wanted up: empty, or what the socket says.
    pub(super) hold: String,
    /// The whole of it, as the socket says it.
    pub(super) said: Rc<Value>,
}

impl Status {
    /// From runit's 20 bytes or daemontools' 18.
    pub(super) fn from_bytes(bytes: &[u8], now: SystemTime) -> Option<Self> {
        let said = supervise::Status::unpack(bytes)?;
        let now = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let age = now.saturating_sub(Duration::new(said.since.0, said.since.1));
        let report = Report {
            state: said.state,
            pid: said.pid,
            want: said.want,
            since: said.since,
            age: u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
            paused: said.paused,
            term: said.term,
            ..Report::default()
        };
        Some(Self {
            state: said.state,
            pid: said.pid,
            want: said.want,
            paused: said.paused,
            daemontools: bytes.len() == supervise::Status::DAEMONTOOLS,
            term: said.term,
            seconds: now.as_secs().saturating_sub(said.since.0),
            age,
            label: *bytes.first_chunk()?,
            ready: None,
            hold: String::new(),
            // What the socket would say, were there one.
            said: Value::parse(&String::from_utf8_lossy(report.object().line()))
                .unwrap_or(Value::Null)
                .into(),
        })
    }

    /// From what the socket says.
    pub(super) fn from_json(line: &str) -> Option<Self> {
        Self::from_object(&Value::parse(line)?.into())
    }

    /// From the object that the socket says.
    pub(super) fn from_object(value: &Rc<Value>) -> Option<Self> {
        value.get(key::OK).is_true().then_some(())?;
        let state = Some(value.get(key::STATE).text()).filter(|word| !word.is_empty())?;
        let since = duration(value.get(key::SINCE));
        Some(Self {
            state: State::from_word(state),
            pid: value.get(key::PID).whole(),
            want: Some(Want::from_word(value.get(key::WANT).text()).unwrap_or_default()),
            paused: value.get(key::PAUSED).is_true(),
            daemontools: false,
            term: value.get(key::TERM).is_true(),
            seconds: value.get(key::SECONDS).whole(),
            age: duration(value.get(key::SECONDS)),
            label: supervise::Status::label((since.as_secs(), since.subsec_nanos())),
            ready: match value.get(key::READY) {
                Value::Bool(ready) => Some(*ready),
                _ => None,
            },
            hold: hold(value),
            said: value.clone(),
        })
    }

    /// Whether run ended too soon again and again, and the present run has not lived long enough to be better.
    pub(super) fn is_crash_loop(&self) -> bool {
        self.said.get(key::SHORT).whole::<u32>() > 1 && !self.said.get(key::DEATH).get(key::STOPPED).is_true()
    }

    /// Whether a reload is under way.
    pub(super) fn is_reloading(&self) -> bool {
        self.said.get(key::RELOADING).is_true()
    }

    /// The pid of the supervisor, 0 where nobody tells.
    pub(super) fn supervisor(&self) -> u32 {
        self.said.get(key::SUPERVISOR).whole()
    }

    /// How the control script of this letter has failed, if it was the last one that ran.
    pub(super) fn failed_script(&self, letter: &str) -> Option<String> {
        let control = self.said.get(key::CONTROL);
        (control.get(key::SCRIPT).text() == letter).then(|| death(control))
    }

    /// How run ended last, behind a comma; nothing where it never did, or nobody tells.
    pub(super) fn last_end(&self) -> String {
        let last = self.said.get(key::DEATH);
        if *last == Value::Null {
            return String::new();
        }
        format!(", run ended after {}s: {}", last.get(key::LIVED).digits(), death(last))
    }

    /// What is unusual about it, each behind a comma, in the order of daemontools and runit. `normally` is whether
    /// it is up without a command, if that is known, and `held` whether one that is held back is wanted up.
    fn unusual(&self, normally: Option<bool>, held: bool) -> String {
        let runs = self.pid != 0;
        let up = runs && self.state != State::Setup || self.state == State::Done;
        // A supervisor that holds a service back writes no want in the bytes, for sv's sake.
        let wanted = self.want == Some(Want::Up) && (held || self.hold.is_empty());
        [
            (up && normally == Some(false), ", normally down"),
            (!up && normally == Some(true), ", normally up"),
            (runs && self.paused, ", paused"),
            (!up && wanted, ", want up"),
            ((up || runs) && matches!(self.want, Some(Want::Down | Want::Exit)), ", want down"),
        ]
        .into_iter()
        .filter_map(|(holds, words)| holds.then_some(words))
        .collect()
    }

    /// The state in svstat's words, which know up and down alone: while finish runs, it is up.
    pub(super) fn as_svstat(&self, normally: bool) -> String {
        let seen = self.in_bytes();
        let state = if seen.pid == 0 { "down".to_owned() } else { format!("up (pid {})", seen.pid) };
        format!("{state} {} seconds{}", self.seconds, seen.unusual(Some(normally), false))
    }

    /// As the status bytes have it, which know neither setup nor done.
    fn in_bytes(&self) -> Self {
        let (state, pid) = match self.state {
            State::Setup | State::Done => (State::Down, 0),
            state => (state, self.pid),
        };
        Self { state, pid, ..self.clone() }
    }

    /// The state in sv's words. `normally` is whether it is up without a command, if that is known. In our own
    /// dialect it also says that a service is held back, and its status.
    pub(super) fn line(&self, name: &[u8], normally: Option<bool>, dialect: Dialect) -> Vec<u8> {
        let held = dialect == Dialect::Own;
        if !held && matches!(self.state, State::Setup | State::Done) {
            return self.in_bytes().line(name, normally, dialect);
        }
        let mut text = match self.state {
            State::Unknown => Vec::new(),
            state => [state.word().as_bytes(), b": "].concat(),
        };
        text.extend(format!("{}: ", shown(name)).bytes());
        let mut rest = String::new();
        if !matches!(self.state, State::Down | State::Done) {
            let _ = write!(rest, "(pid {}) ", self.pid); // to a String it cannot fail
        }
        let _ = write!(rest, "{}s", self.seconds);
        rest.push_str(&self.unusual(normally, held));
        rest.push_str(if self.pid != 0 && self.term { ", got TERM" } else { "" });
        if held && self.is_reloading() {
            rest.push_str(", reloading");
        }
        if held && !self.hold.is_empty() {
            rest.extend([", ", &shown(&self.hold).to_string()]);
        }
        let words = self.said.get(key::STATUS).text();
        if held && !words.is_empty() {
            rest.extend([", status \"", &shown(words).to_string(), "\""]);
        }
        text.extend(rest.as_bytes());
        text
    }
}

/// Why it does not run though it is wanted up, with the names of what it waits for: of a state, or of an event.
pub(super) fn hold(of: &Value) -> String {
    let words = [of.get(key::HOLD).text(), of.get(key::NEEDS).text()];
    words.join(" ").trim_end().to_owned()
}

/// A number of seconds; none for all else.
fn duration(value: &Value) -> Duration {
    common::quantity::seconds(value.digits().as_bytes()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What runsv wrote for a service that had run for a while.
    const RUNIT: [u8; 20] =
        [0x40, 0, 0, 0, 0x6b, 0x02, 0x81, 0x55, 0x0a, 0xdc, 0x53, 0xac, 0x0e, 0x32, 0, 0, 0, b'u', 0, 1];

    fn later(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(0x6b02_8155 - 10 + seconds)
    }

    fn line(bytes: &[u8], normally: Option<bool>) -> String {
        let status = Status::from_bytes(bytes, later(6)).unwrap();
        String::from_utf8(status.line(b"a", normally, Dialect::Own)).unwrap()
    }

    fn with(changes: &[(usize, u8)]) -> [u8; 20] {
        let mut bytes = RUNIT;
        for (at, byte) in changes {
            bytes[*at] = *byte;
        }
        bytes
    }

    #[test]
    fn the_bytes_are_told_in_the_words_of_sv() {
        assert_eq!(line(&RUNIT, Some(true)), "run: a: (pid 12814) 6s");
        let all = with(&[(16, 1), (17, b'd'), (18, 1)]);
        assert_eq!(
            line(&all, Some(false)),
            "run: a: (pid 12814) 6s, normally down, paused, want down, got TERM"
        );
        let down = with(&[(12, 0), (13, 0), (16, 1), (18, 1), (19, 0)]);
        assert_eq!(line(&down, Some(true)), "down: a: 6s, normally up, want up");
        assert_eq!(line(&down, Some(false)), "down: a: 6s, want up");
        assert_eq!(line(&down, None), "down: a: 6s, want up");
        assert_eq!(line(&with(&[(19, 2)]), Some(true)), "finish: a: (pid 12814) 6s");
        assert_eq!(line(&with(&[(19, 7)]), Some(true)), "a: (pid 12814) 6s");
        assert_eq!(line(&RUNIT[..18], Some(true)), "run: a: (pid 12814) 6s");
    }

    #[test]
    fn a_label_in_the_future_is_now() {
        assert_eq!(Status::from_bytes(&RUNIT, UNIX_EPOCH).unwrap().seconds, 0);
    }

    #[test]
    fn other_sizes_are_of_others() {
        for size in [0, 12, 16, 17, 19] {
            assert!(Status::from_bytes(&RUNIT[..size], later(0)).is_none(), "{size}");
        }
        for size in [35, 40, 43] {
            assert!(Status::from_bytes(&vec![0; size], later(0)).is_none(), "{size}");
        }
    }

    #[test]
    fn what_the_bytes_say_is_written_as_the_socket_would() {
        let status = Status::from_bytes(&RUNIT, later(6)).unwrap();
        let mut json = String::new();
        status.said.write(&mut json);
        assert!(json.contains("\"state\":\"run\",\"pid\":12814,\"want\":\"up\",\"since\":1795326283.182,"));
        let again = Status::from_json(&json).unwrap();
        assert_eq!(
            (again.state, again.pid, again.want, again.seconds),
            (State::Run, 12814, Some(Want::Up), 5)
        );
    }

    #[test]
    fn a_service_that_is_held_back_is_told_so_where_sv_has_no_words() {
        let status = Status::from_json(
            r#"{"ok":true,"state":"down","pid":null,"want":"up","seconds":3.9,"hold":"backing off"}"#,
        )
        .unwrap();
        assert_eq!(
            status.line(b"a", Some(true), Dialect::Own),
            b"down: a: 3s, normally up, want up, backing off"
        );
        assert_eq!(status.line(b"a", Some(true), Dialect::Runit), b"down: a: 3s, normally up");
        let status = Status::from_json(
            r#"{"ok":true,"state":"down","want":"up","seconds":3,"hold":"waiting for","needs":"db cache"}"#,
        )
        .unwrap();
        assert_eq!(status.line(b"a", None, Dialect::Own), b"down: a: 3s, want up, waiting for db cache");
        let line = |json: &str| {
            let status = Status::from_json(json).unwrap();
            String::from_utf8(status.line(b"a", Some(true), Dialect::Own)).unwrap()
        };
        let setup = r#"{"ok":true,"state":"setup","pid":7,"want":"up","seconds":3}"#;
        assert_eq!(line(setup), "setup: a: (pid 7) 3s, normally up, want up");
        let done = r#"{"ok":true,"state":"done","pid":null,"want":"up","seconds":3}"#;
        assert_eq!(line(done), "done: a: 3s");
        // In the words of those who know neither.
        for state in [setup, done] {
            let status = Status::from_json(state).unwrap();
            let line = String::from_utf8(status.line(b"a", Some(true), Dialect::Runit)).unwrap();
            assert_eq!(line, "down: a: 3s, normally up, want up");
            assert_eq!(status.as_svstat(true), "down 3 seconds, normally up, want up");
        }
        assert_eq!(line(&done.replace("\"up\"", "\"down\"")), "done: a: 3s, want down");
    }
}
