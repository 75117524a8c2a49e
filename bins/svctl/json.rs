//! Objects of a supervisor, printed as those of a service.

use std::borrow::Cow;
use std::fmt::Display;

pub(super) use common::supervise::json::Value;
use common::supervise::key;

/// The object `said` as a line, with the service's name in front. It is written again, so that, whatever its sender, it
/// is one object on one line, without anything that a terminal obeys, and names no other service: nor itself again, as
/// in what a tree says.
pub(super) fn of_service(name: &[u8], said: &Value) -> String {
    let mut members = vec![(Cow::Borrowed("service"), text(name))];
    if let Value::Object(said) = said {
        let other = |(member, _): &&(Cow<str>, Value)| member != "service" && member != key::NAME;
        members.extend(said.iter().filter(other).cloned());
    }
    let mut object = String::new();
    Value::Object(members).write(&mut object);
    object.push('\n');
    object
}

/// The object of a failure: why, and what to do.
pub(super) fn failure(why: &[u8], hint: Option<&str>) -> Value {
    let hint = hint.map_or(Value::Null, |hint| text(hint.as_bytes()));
    object([(key::OK, Value::Bool(false)), (key::ERROR, text(why)), ("hint", hint)])
}

/// The object of a service whose supervisor has left, as it was asked to.
pub(super) fn gone() -> Value {
    object([(key::OK, Value::Bool(true)), (key::SUPERVISOR, Value::Null)])
}

/// The object of a service that is enabled, or disabled.
pub(super) fn enabled(on: bool) -> Value {
    object([(key::OK, Value::Bool(true)), ("enabled", Value::Bool(on))])
}

/// The object `said` with these members behind its own.
pub(super) fn with(said: &Value, more: Vec<(&'static str, Value)>) -> Value {
    let mut members = if let Value::Object(said) = said { said.clone() } else { Vec::new() };
    // Whatever its sender, no key is there twice.
    members.retain(|(key, _)| more.iter().all(|(other, _)| key != other));
    members.extend(more.into_iter().map(|(key, value)| (Cow::Borrowed(key), value)));
    Value::Object(members)
}

/// A list.
pub(super) fn list(values: impl Iterator<Item = Value>) -> Value {
    Value::List(values.collect())
}

/// A number, which may have a fraction.
pub(super) fn number(number: impl Display) -> Value {
    Value::Number(number.to_string())
}

/// An object.
pub(super) fn object<const N: usize>(members: [(&'static str, Value); N]) -> Value {
    Value::Object(members.map(|(key, value)| (Cow::Borrowed(key), value)).into())
}

/// A text; bytes that are not UTF-8 are replaced.
pub(super) fn text(bytes: &[u8]) -> Value {
    Value::Text(String::from_utf8_lossy(bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_added_once() {
        let said = Value::parse("{\"ok\":true,\"cpu\":\"evil\"}").unwrap();
        let mut text = String::new();
        with(&said, vec![("cpu", number(7)), ("tree", list([object([("pid", Value::Null)])].into_iter()))])
            .write(&mut text);
        assert_eq!(text, "{\"ok\":true,\"cpu\":7,\"tree\":[{\"pid\":null}]}");
    }

    #[test]
    fn an_object_gets_the_name_of_its_service() {
        let of_service = |name: &[u8], line| of_service(name, &Value::parse(line).unwrap_or(Value::Null));
        assert_eq!(of_service(b"web", "{\"ok\":true}\n"), "{\"service\":\"web\",\"ok\":true}\n");
        assert_eq!(of_service(b"a\"b", "{\"a\":\"\u{9b}\"}"), "{\"service\":\"a\\\"b\",\"a\":\"\\u009b\"}\n");
        assert_eq!(
            of_service(b"a", "{\"ok\":true,\t\"service\":\"b\"}"),
            "{\"service\":\"a\",\"ok\":true}\n"
        );
        assert_eq!(of_service(b"a", "{\"name\":\"a\",\"ok\":true}"), "{\"service\":\"a\",\"ok\":true}\n");
        assert_eq!(of_service(b"a", "{}}"), "{\"service\":\"a\"}\n");
    }
}
