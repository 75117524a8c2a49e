//! How a process died, in words.

use common::shown;
use common::supervise::key;

use super::json::Value;

/// The words for an object with `code`, `signal` and `core`.
pub(super) fn death(death: &Value) -> String {
    let core = if death.get(key::CORE).is_true() { " (core dumped)" } else { "" };
    match (death.get(key::SIGNAL), death.get(key::CODE).digits()) {
        (Value::Text(signal), _) => {
            let sig = if signal.starts_with(|c: char| c.is_ascii_digit()) { "signal " } else { "SIG" };
            format!("{sig}{}{core}", shown(signal))
        }
        (Value::Number(signal), _) => format!("signal {signal}{core}"),
        (_, "") => "unknown".to_owned(),
        (_, code) => format!("exit {code}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_death_has_the_words_of_the_log() {
        for (object, text) in [
            (r#"{"code":1,"signal":null,"core":false}"#, "exit 1"),
            (r#"{"code":null,"signal":"SEGV","core":true}"#, "SIGSEGV (core dumped)"),
            (r#"{"code":null,"signal":"40","core":false}"#, "signal 40"),
            (r#"{"code":null,"signal":null,"core":false}"#, "unknown"),
        ] {
            assert_eq!(death(&Value::parse(object).unwrap()), text);
        }
    }
}
