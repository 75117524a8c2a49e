//! The objects of the socket, written member by member: a supervisor does so without allocating.

use super::Death;
use crate::text::quote;
use crate::{Text, signals};

/// Defines each key, and the list of all.
macro_rules! keys {
    ($($name:ident: $word:literal,)*) => {
        $(pub const $name: &str = $word;)*
        /// All of them.
        pub(in crate::supervise) const ALL: &[&str] = &[$($word),*];
    };
}

/// The keys, of the state, of events, and of failures.
pub mod key {
    #![allow(missing_docs, reason = "service(5) says what each of them is")]

    keys! {
        NAME: "name",
        OK: "ok",
        ERROR: "error",
        STATE: "state",
        PID: "pid",
        WANT: "want",
        SINCE: "since",
        SECONDS: "seconds",
        PAUSED: "paused",
        TERM: "term",
        HOLD: "hold",
        REASON: "reason",
        NEEDS: "needs",
        NEXT: "next",
        READY: "ready",
        RELOADING: "reloading",
        STATUS: "status",
        RESTARTS: "restarts",
        SHORT: "short",
        DEATH: "death",
        CONTROL: "control",
        LOG: "log",
        SUPERVISOR: "supervisor",
        EVENT: "event",
        TIME: "time",
        CODE: "code",
        SIGNAL: "signal",
        CORE: "core",
        LIVED: "lived",
        STOPPED: "stopped",
        SCRIPT: "script",
        SERVICES: "services",
        TREE: "tree",
        FAILED: "failed",
    }
}

/// The most bytes that an object has: the state, with texts of 200 bytes that are escaped to six each.
const SIZE: usize = 2048;

/// An object that is being written. What is none is null.
#[derive(Debug)]
pub struct Object(Text<SIZE>);

impl Default for Object {
    fn default() -> Self {
        Self(Text::of("{"))
    }
}

impl Object {
    /// An object that says whether something was carried out.
    #[must_use]
    pub fn answer(ok: bool) -> Self {
        let mut object = Self::default();
        object.truth(key::OK, Some(ok));
        object
    }

    /// A request was not carried out.
    #[must_use]
    pub fn error(why: &[u8]) -> Self {
        let mut object = Self::answer(false);
        object.text(key::ERROR, why);
        object
    }

    /// Something has happened, at a time in seconds since 1970 and nanoseconds.
    #[must_use]
    pub fn event(name: &str, time: (u64, u32)) -> Self {
        let mut object = Self::default();
        object.text(key::EVENT, name).instant(key::TIME, time);
        object
    }

    /// Adds a text; an empty one is none.
    pub fn text(&mut self, key: &str, text: impl AsRef<[u8]>) -> &mut Self {
        match text.as_ref() {
            b"" => self.null(key),
            text => {
                self.key(key).add("\"").quoted(text).add("\"");
                self
            }
        }
    }

    /// Adds a number.
    pub fn number(&mut self, key: &str, number: Option<u32>) -> &mut Self {
        let Some(number) = number else { return self.null(key) };
        self.key(key).number(number);
        self
    }

    /// Adds a time in milliseconds, as seconds.
    pub fn seconds(&mut self, key: &str, milliseconds: Option<u64>) -> &mut Self {
        let Some(milliseconds) = milliseconds else { return self.null(key) };
        self.key(key).seconds(milliseconds);
        self
    }

    /// Adds a time since 1970 in seconds and nanoseconds.
    pub fn instant(&mut self, key: &str, time: (u64, u32)) -> &mut Self {
        self.key(key).instant(time);
        self
    }

    /// Adds true or false.
    pub fn truth(&mut self, key: &str, truth: Option<bool>) -> &mut Self {
        let Some(truth) = truth else { return self.null(key) };
        self.key(key).add(if truth { "true" } else { "false" });
        self
    }

    /// Adds how a process died, in three members.
    pub fn death(&mut self, death: Death) -> &mut Self {
        self.number(
            key::CODE,
            match death {
                Death::Exit(code) => Some(code.into()),
                Death::Exec(_) => Some(111),
                _ => None,
            },
        );
        let mut number = Text::<4>::new();
        let signal = match death {
            Death::Signal(signal, _) => match signals::name(signal.into()) {
                Some(name) => name.as_bytes(),
                None => number.number(signal).bytes(),
            },
            _ => b"",
        };
        self.text(key::SIGNAL, signal).truth(key::CORE, Some(matches!(death, Death::Signal(_, true))))
    }

    /// Adds an object, whose members `write` adds; null where there is none.
    pub fn object<T>(&mut self, key: &str, of: Option<T>, write: impl FnOnce(&mut Self, T)) -> &mut Self {
        let Some(of) = of else { return self.null(key) };
        self.key(key).add("{");
        write(self, of);
        self.0.add("}");
        self
    }

    /// The whole of it, as a line.
    #[must_use]
    pub fn line(&mut self) -> &[u8] {
        self.0.add("}\n").bytes()
    }

    fn null(&mut self, key: &str) -> &mut Self {
        self.key(key).add("null");
        self
    }

    fn key(&mut self, key: &str) -> &mut Text<SIZE> {
        let opening = if self.0.bytes().last() == Some(&b'{') { "\"" } else { ",\"" };
        self.0.add(opening).add(key).add("\":")
    }
}

/// The line of an object that somebody else has written, with the name of the service that it is about as its first
/// member. What is no object stays as it is.
#[must_use]
pub fn named(name: &[u8], line: &[u8]) -> Vec<u8> {
    let Some(members) = line.strip_prefix(b"{") else { return line.to_owned() };
    let mut text = Vec::with_capacity(name.len() + line.len() + 16);
    for part in ["{\"", key::NAME, "\":\""] {
        text.extend_from_slice(part.as_bytes());
    }
    quote(name, |part| text.extend_from_slice(part));
    text.extend(if members.starts_with(b"}") { &b"\""[..] } else { b"\"," });
    text.extend_from_slice(members);
    text
}

#[cfg(test)]
mod tests {
    use super::super::json::Value;
    use super::*;

    fn line(object: &mut Object) -> String {
        String::from_utf8(object.line().to_owned()).unwrap()
    }

    #[test]
    fn a_member_is_a_value_or_null() {
        let mut object = Object::error(b"no \"log\"\n");
        object.number("a", None).number("b", Some(7)).seconds("c", Some(61_007)).truth("d", None);
        object.object("e", Some(1), |inner, one| {
            inner.number("f", Some(one)).text("g", "");
        });
        object.object("h", None, |_, ()| {});
        assert_eq!(
            line(&mut object),
            "{\"ok\":false,\"error\":\"no \\\"log\\\"\\u000a\",\"a\":null,\"b\":7,\"c\":61.007,\"d\":null,\
             \"e\":{\"f\":1,\"g\":null},\"h\":null}\n"
        );
    }

    #[test]
    fn a_death_has_a_code_or_a_signal_and_may_have_a_core() {
        for (death, members) in [
            (Death::Exit(3), "\"code\":3,\"signal\":null,\"core\":false"),
            (Death::Signal(11, true), "\"code\":null,\"signal\":\"SEGV\",\"core\":true"),
            (Death::Signal(40, false), "\"code\":null,\"signal\":\"40\",\"core\":false"),
            (Death::Exec(2), "\"code\":111,\"signal\":null,\"core\":false"),
            (Death::Unknown, "\"code\":null,\"signal\":null,\"core\":false"),
        ] {
            assert_eq!(line(Object::default().death(death)), format!("{{{members}}}\n"));
        }
    }

    #[test]
    fn a_name_comes_first_whatever_it_is() {
        let text = |name: &[u8], line: &[u8]| String::from_utf8(named(name, line)).unwrap();
        assert_eq!(text(b"web", b"{\"ok\":true}\n"), "{\"name\":\"web\",\"ok\":true}\n");
        assert_eq!(text(b"a\"b", b"{}\n"), "{\"name\":\"a\\\"b\"}\n");
        assert_eq!(text(b"web", b"no object\n"), "no object\n");
        let mut longest = Object::default();
        longest.text("status", [1; 80]);
        let name = [b'\x01'; 255];
        let line = text(&name, longest.line());
        assert_eq!(Value::parse(&line).unwrap().get(key::NAME).text().as_bytes(), name);
    }

    #[test]
    fn an_event_has_its_name_and_its_time() {
        let line = line(&mut Object::event("start", (1_764_000_000, 7_999_999)));
        assert_eq!(line, "{\"event\":\"start\",\"time\":1764000000.007}\n");
        assert_eq!(Value::parse(&line).unwrap().get(key::TIME).whole::<u64>(), 1_764_000_000);
    }
}
