//! The facilities of syslog, as they are written.

/// The facilities, each at the index that is its number.
const FACILITIES: [&str; 12] =
    ["kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp"];
const LOCAL: u8 = 16;

/// The names of the facilities, for messages.
pub const NAMES: &str = "kern user mail daemon auth syslog lpr news uucp cron authpriv ftp local0 to local7";

/// The number of a facility: by its name in any case, with `LOG_` before it or without.
#[must_use]
pub fn facility(name: &[u8]) -> Option<u8> {
    let name = match name.split_at_checked(4) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case(b"log_") => rest,
        _ => name,
    };
    let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
    if is("security") {
        return facility(b"auth");
    }
    if let Some(place) = FACILITIES.iter().position(|known| is(known)) {
        return u8::try_from(place).ok();
    }
    match name.split_last() {
        Some((digit @ b'0'..=b'7', local)) if local.eq_ignore_ascii_case(b"local") => {
            Some(LOCAL + digit - b'0')
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_facility_has_its_name_in_any_case_with_and_without_log() {
        let numbers = [
            ("kern", 0),
            ("user", 1),
            ("mail", 2),
            ("daemon", 3),
            ("auth", 4),
            ("security", 4),
            ("syslog", 5),
            ("lpr", 6),
            ("news", 7),
            ("uucp", 8),
            ("cron", 9),
            ("authpriv", 10),
            ("ftp", 11),
            ("local0", 16),
            ("local1", 17),
            ("local7", 23),
        ];
        for (name, number) in numbers {
            for name in [name.to_owned(), name.to_uppercase(), format!("LOG_{}", name.to_uppercase())] {
                assert_eq!(facility(name.as_bytes()), Some(number), "{name}");
            }
            assert_eq!(facility(format!("Log_{name}").as_bytes()), Some(number), "{name}");
            let listed = NAMES.split(' ').any(|listed| listed == name);
            assert!(listed || name == "security" || name == "local1", "{name}");
        }
        for name in ["", "log_", "log_log_daemon", "daemons", "local", "local8", "local00", "3", "daemon "] {
            assert_eq!(facility(name.as_bytes()), None, "{name}");
        }
    }
}
