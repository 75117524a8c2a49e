//! Objects of a supervisor, printed as those of a service.

pub(super) use common::supervise::json::{Value, quoted};

/// The object in `line` with the service's name in front. It is written anew: whoever sent it, it is one object on
/// one line, with nothing in it that a terminal obeys, and names no other service.
pub(super) fn of_service(name: &[u8], line: &str) -> String {
    let mut members = vec![("service".to_owned(), Value::Text(String::from_utf8_lossy(name).into_owned()))];
    if let Some(Value::Object(said)) = Value::parse(line) {
        members.extend(said.into_iter().filter(|(key, _)| key != "service"));
    }
    let mut object = String::new();
    Value::Object(members).write(&mut object);
    object.push('\n');
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_gets_the_name_of_its_service() {
        assert_eq!(of_service(b"web", "{\"ok\":true}\n"), "{\"service\":\"web\",\"ok\":true}\n");
        assert_eq!(of_service(b"a\"b", "{\"a\":\"\u{9b}\"}"), "{\"service\":\"a\\\"b\",\"a\":\"\\u009b\"}\n");
        assert_eq!(
            of_service(b"a", "{\"ok\":true,\t\"service\":\"b\"}"),
            "{\"service\":\"a\",\"ok\":true}\n"
        );
        assert_eq!(of_service(b"a", "{}}"), "{\"service\":\"a\"}\n");
    }
}
