//! The command line of daemontools' multilog: a script of actions, which are carried out in their order for each
//! line. Here each log directory, `e` and `=file` gets the settings that stand before it.

use std::ffi::CStr;

use common::quantity::number;
use common::{Exit, Words};

use super::config::Config;
use super::lines::Stamp;
use super::options::{Options, Wanted};
use super::outlets::{Outlet, Status, To};

/// What a script asks for.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) options: Options,
    pub(super) outlets: Vec<Outlet>,
}

impl Script {
    pub(super) fn parse(mut words: Words) -> Result<Self, Exit> {
        let mut stamp = Stamp::None;
        if words.first() == Some(c"t") {
            stamp = Stamp::Tai;
            words.next();
        }
        let mut config = Config::of_multilog();
        let (mut directories, mut outlets) = (Vec::new(), Vec::new());
        for word in words {
            let action = word.to_bytes();
            // As that of a variable that is not set: there is nothing to be mistaken for something else.
            let Some((letter, value)) = action.split_first() else { continue };
            match letter {
                b'.' | b'/' => directories.push(Wanted { path: word, config: config.clone() }),
                b'+' | b'-' => config.add(action),
                b'!' if !value.is_empty() => config.add(action),
                b'=' if !value.is_empty() => {
                    let to = To::File(Status::new(behind_letter(word)));
                    outlets.push(Outlet { config: config.clone(), to });
                }
                b'e' if value.is_empty() => outlets.push(Outlet { config: config.clone(), to: To::Stderr }),
                b's' => config.size = count(action)?.clamp(4096, (1 << 24) - 1),
                // Of which one is current.
                b'n' => config.keep = count(action)?.max(2) - 1,
                b't' if value.is_empty() => return Err(Exit::usage("t must be the first action")),
                _ => {
                    let wrong = Exit::value("not an action", action);
                    return Err(wrong.hint("a log directory begins with . or /, as ./main"));
                }
            }
        }
        if directories.is_empty() && outlets.is_empty() {
            let missing = Exit::usage("no log directory, e or =file: all lines would be lost");
            return Err(missing.hint("a log directory begins with . or /, as ./main"));
        }
        Ok(Self { options: Options::of_script(stamp, directories), outlets })
    }
}

/// A word without its first byte.
fn behind_letter(word: &'static CStr) -> &'static CStr {
    CStr::from_bytes_with_nul(&word.to_bytes_with_nul()[1..]).unwrap_or(c"")
}

/// The number behind the letter of an action, as large as can be if it is larger.
fn count(action: &[u8]) -> Result<u64, Exit> {
    let digits = &action[1..];
    let large = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let count = number(digits).or(large.then_some(u64::MAX));
    count.ok_or_else(|| Exit::value("not an action: a number without a unit must follow the letter", action))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&'static CStr]) -> Result<Script, Exit> {
        Script::parse(words.iter().copied().collect())
    }

    #[test]
    fn each_directory_has_the_settings_in_front_of_it() {
        let script = parse(&[
            c"t",
            c"./a",
            c"-*",
            c"s5000",
            c"./b",
            c"+x*",
            c"n3",
            c"!gzip\n-9",
            c"/c",
            c"e",
            c"",
            c"=st",
        ])
        .unwrap();
        assert_eq!((script.options.stamp, script.options.length), (Stamp::Tai, 1000));
        let seen = |wanted: &Wanted| {
            let Wanted { path, config } = wanted;
            let rules = config.rules().count();
            (*path, config.size, config.keep, rules, config.processor().map(CStr::to_owned))
        };
        let seen: Vec<_> = script.options.directories.iter().map(seen).collect();
        let processor = Some(c"gzip\n-9".to_owned());
        let expected =
            [(c"./a", 99_999, 9, 0, None), (c"./b", 5000, 9, 1, None), (c"/c", 5000, 2, 2, processor)];
        assert_eq!(seen, expected);
        assert!(matches!(script.outlets[0].to, To::Stderr) && matches!(script.outlets[1].to, To::File(_)));
        assert!(script.options.directories.iter().all(|wanted| wanted.config.kept_on_full().is_none()));
    }

    #[test]
    fn numbers_are_brought_within_their_limits() {
        let of = |word: &'static CStr| {
            let script = parse(&[word, c"."]).unwrap();
            let config = &script.options.directories[0].config;
            (config.size, config.keep)
        };
        assert_eq!([of(c"s0"), of(c"s4096"), of(c"s4097")], [(4096, 9), (4096, 9), (4097, 9)]);
        assert_eq!([of(c"s16777216"), of(c"s99999999999999999999999")], [(16_777_215, 9); 2]);
        assert_eq!([of(c"n0"), of(c"n2"), of(c"n3")], [(99_999, 1), (99_999, 1), (99_999, 2)]);
        assert_eq!(of(c"n99999999999999999999999"), (99_999, u64::MAX - 1));
    }

    #[test]
    fn what_is_no_action_is_an_error() {
        let words =
            [c"main", c"s", c"s10M", c"s-1", c"n", c"nx", c"tx", c"ex", c"=", c"!", c"T", c" ./main", c"x"];
        for word in words {
            let error = parse(&[word, c"./main"]).unwrap_err();
            assert_eq!(error.status(), 100, "{word:?}");
            assert!(error.text().starts_with("not an action"), "{}", error.text());
        }
        assert_eq!(parse(&[c"./main", c"t"]).unwrap_err().text(), "t must be the first action");
        for script in [&[][..], &[c"t"], &[c"-*", c"s5000"]] {
            assert_eq!(
                parse(script).unwrap_err().text(),
                "no log directory, e or =file: all lines would be lost"
            );
        }
    }
}
