//! The state of a service, from the status bytes or from the socket.

use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::clock::TAI64;
use common::shown;

use super::json::{Value, quoted};
use super::list::death;

/// What runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum State {
    Down,
    Run,
    Finish,
    /// A state that no supervisor known to us has.
    Unknown,
}

impl State {
    /// The word for it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Run => "run",
            Self::Finish => "finish",
            Self::Unknown => "",
        }
    }
}

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Want {
    Up,
    Down,
    Exit,
    /// daemontools, after `once`: neither.
    Once,
}

/// What is known of a service.
#[derive(Clone, Debug)]
pub(super) struct Status {
    pub(super) state: State,
    /// 0: none.
    pub(super) pid: u32,
    pub(super) want: Want,
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
    /// What the service says of itself.
    words: String,
    /// The whole of it, as the socket says it.
    pub(super) json: String,
}

impl Status {
    /// From runit's 20 bytes or daemontools' 18.
    pub(super) fn from_bytes(bytes: &[u8], now: SystemTime) -> Option<Self> {
        let (label, pid) = (bytes.first_chunk::<12>()?, bytes.get(12..16)?.first_chunk::<4>()?);
        let pid = u32::from_le_bytes(*pid);
        let state = match bytes.len() {
            18 => [State::Down, State::Run][usize::from(pid != 0)],
            20 => match bytes[19] {
                0 => State::Down,
                1 => State::Run,
                2 => State::Finish,
                _ => State::Unknown,
            },
            _ => return None,
        };
        let seconds = u64::from_be_bytes(*label.first_chunk()?);
        let nanoseconds = u32::from_be_bytes(*label.last_chunk()?).min(999_999_999);
        let now = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let start = Duration::new(seconds.saturating_sub(TAI64), nanoseconds);
        let want = match bytes[17] {
            b'u' => Want::Up,
            b'd' => Want::Down,
            _ => Want::Once,
        };
        let mut status = Self {
            state,
            pid,
            want,
            paused: bytes[16] != 0,
            daemontools: bytes.len() == 18,
            term: bytes.get(18).is_some_and(|term| *term != 0),
            seconds: now.as_secs().saturating_sub(start.as_secs()),
            age: now.saturating_sub(start),
            label: *label,
            ready: None,
            hold: String::new(),
            words: String::new(),
            json: String::new(),
        };
        status.json = status.written(start);
        Some(status)
    }

    /// From what the socket says.
    pub(super) fn from_json(line: &str) -> Option<Self> {
        let value = Value::parse(line).filter(|value| value.get("ok").is_true())?;
        let state = match value.get("state").text() {
            "down" => State::Down,
            "run" => State::Run,
            "finish" => State::Finish,
            "" => return None,
            _ => State::Unknown,
        };
        let want = match value.get("want").text() {
            "up" => Want::Up,
            "exit" => Want::Exit,
            _ => Want::Down,
        };
        Some(Self {
            state,
            pid: value.get("pid").whole(),
            want,
            paused: value.get("paused").is_true(),
            daemontools: false,
            term: value.get("term").is_true(),
            seconds: value.get("seconds").whole(),
            age: duration(value.get("seconds")),
            label: label(duration(value.get("since"))),
            ready: match value.get("ready") {
                Value::Bool(ready) => Some(*ready),
                _ => None,
            },
            hold: value.get("hold").text().to_owned(),
            words: value.get("status").text().to_owned(),
            json: line.to_owned(),
        })
    }

    /// Whether run ended again and again too soon, and the run of now has not lived long enough to tell that
    /// it is better.
    pub(super) fn is_crash_loop(&self) -> bool {
        let value = Value::parse(&self.json).unwrap_or(Value::Null);
        value.get("short").whole::<u32>() > 1 && !value.get("death").get("stopped").is_true()
    }

    /// How the control script of this letter has failed, if it was the last one that ran.
    pub(super) fn failed_script(&self, letter: &str) -> Option<String> {
        let value = Value::parse(&self.json)?;
        let control = value.get("control");
        (control.get("script").text() == letter).then(|| death(control))
    }

    /// How run ended last, behind a comma; nothing where it never did, or nobody tells.
    pub(super) fn last_end(&self) -> String {
        let value = Value::parse(&self.json).unwrap_or(Value::Null);
        let last = value.get("death");
        if *last == Value::Null {
            return String::new();
        }
        format!(", run ended after {}s: {}", last.get("lived").digits(), death(last))
    }

    /// What the socket would say, were there one.
    fn written(&self, since: Duration) -> String {
        let or_null = |known: bool, text: String| if known { text } else { "null".into() };
        let want = match self.want {
            Want::Up => "\"up\"",
            Want::Down => "\"down\"",
            Want::Exit => "\"exit\"",
            Want::Once => "null",
        };
        format!(
            "{{\"ok\":true,\"state\":{},\"pid\":{},\"want\":{want},\"since\":{}.{:03},\"seconds\":{},\
             \"paused\":{},\"term\":{},\"hold\":null,\"reason\":null,\"next\":null,\"ready\":null,\
             \"status\":null,\"restarts\":null,\"short\":null,\"death\":null,\"control\":null,\"log\":null,\"supervisor\":null}}",
            or_null(self.state != State::Unknown, quoted(self.state.word().as_bytes())),
            or_null(self.pid != 0, self.pid.to_string()),
            since.as_secs(),
            since.subsec_millis(),
            self.seconds,
            self.paused,
            self.term,
        )
    }

    /// sv's words for it. `normally` is whether it is up without a command, if that is known; `held` lets
    /// them say that it is held back, which sv does not know.
    pub(super) fn line(&self, name: &[u8], normally: Option<bool>, held: bool) -> Vec<u8> {
        let mut text = match self.state {
            State::Unknown => Vec::new(),
            state => [state.word().as_bytes(), b": "].concat(),
        };
        text.extend(format!("{}: ", shown(name)).bytes());
        let mut rest = String::new();
        if self.state != State::Down {
            let _ = write!(rest, "(pid {}) ", self.pid); // to a String it cannot fail
        }
        let _ = write!(rest, "{}s", self.seconds);
        let runs = self.pid != 0;
        // A supervisor that holds a service back writes no want in the bytes, for sv's sake.
        let up = self.want == Want::Up && (held || self.hold.is_empty());
        for (holds, words) in [
            (runs && normally == Some(false), ", normally down"),
            (!runs && normally == Some(true), ", normally up"),
            (runs && self.paused, ", paused"),
            (!runs && up, ", want up"),
            (runs && matches!(self.want, Want::Down | Want::Exit), ", want down"),
            (runs && self.term, ", got TERM"),
        ] {
            rest.push_str(if holds { words } else { "" });
        }
        if held && !self.hold.is_empty() {
            rest.extend([", ", &shown(&self.hold).to_string()]);
        }
        if held && !self.words.is_empty() {
            rest.extend([", status \"", &shown(&self.words).to_string(), "\""]);
        }
        text.extend(rest.as_bytes());
        text
    }
}

/// A number of seconds; none for all else.
fn duration(value: &Value) -> Duration {
    common::quantity::seconds(value.digits().as_bytes()).unwrap_or_default()
}

/// A time since 1970 as the status bytes have it.
fn label(time: Duration) -> [u8; 12] {
    let mut label = [0; 12];
    label[..8].copy_from_slice(&(time.as_secs() + TAI64).to_be_bytes());
    label[8..].copy_from_slice(&time.subsec_nanos().to_be_bytes());
    label
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
        String::from_utf8(status.line(b"a", normally, true)).unwrap()
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
        assert!(
            status.json.contains("\"state\":\"run\",\"pid\":12814,\"want\":\"up\",\"since\":1795326283.182,")
        );
        let again = Status::from_json(&status.json).unwrap();
        assert_eq!((again.state, again.pid, again.want, again.seconds), (State::Run, 12814, Want::Up, 6));
    }

    #[test]
    fn a_service_that_is_held_back_is_told_so_where_sv_has_no_words() {
        let status = Status::from_json(
            r#"{"ok":true,"state":"down","pid":null,"want":"up","seconds":3.9,"hold":"backing off"}"#,
        )
        .unwrap();
        assert_eq!(status.line(b"a", Some(true), true), b"down: a: 3s, normally up, want up, backing off");
        assert_eq!(status.line(b"a", Some(true), false), b"down: a: 3s, normally up");
    }
}
