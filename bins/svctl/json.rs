//! Objects of a supervisor, printed as those of a service.

use std::borrow::Cow;

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

fn object<const N: usize>(members: [(&'static str, Value); N]) -> Value {
    Value::Object(members.map(|(key, value)| (Cow::Borrowed(key), value)).into())
}

fn text(bytes: &[u8]) -> Value {
    Value::Text(String::from_utf8_lossy(bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

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
