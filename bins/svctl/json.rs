//! Objects of a supervisor, printed as those of a service.

pub(super) use common::supervise::json::{Value, quoted};
use common::text::escaped;

/// The object in `line` with the service's name in front, and what a terminal obeys escaped.
pub(super) fn of_service(name: &[u8], line: &str) -> String {
    let rest = line.trim_start().strip_prefix('{').unwrap_or("}");
    let mut object = format!("{{\"service\":{},", quoted(name));
    for character in rest.trim_end().chars() {
        if character.is_control() {
            object.push_str(&String::from_utf8_lossy(escaped(character).bytes()));
        } else {
            object.push(character);
        }
    }
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
    }
}
