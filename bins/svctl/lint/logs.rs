//! Where a logger writes: its directories, whether its account may write there, and their settings.

use std::ffi::CString;

use common::credentials::{Account, Groups};
use nix::errno::Errno;
use nix::sys::stat::{FileStat, fstat};

use super::chain::{self, Chain, base};
use super::file::{Dir, Found, Text};
use super::finding::{At, Findings};
use super::sh::Word;
use crate::svlog::config::{self, Config, Dialect};
use crate::svlog::pattern;

/// The bytes that a `config` has at most.
const MOST: usize = 1 << 20;

/// How a logger treats lines before patterns see them.
#[derive(Clone, Copy, Debug)]
struct Lines {
    /// Patterns see this many bytes.
    length: usize,
    /// Bytes that are not printable ASCII are replaced.
    printable: bool,
}

/// Looks at what the logger at the end of a chain writes to. `is_known` says of which words the script takes care itself.
pub(super) fn look(
    dir: &Dir,
    at: At,
    chain: &Chain,
    is_known: &dyn Fn(&Word) -> bool,
    findings: &mut Findings,
) {
    let Some((program, words)) = chain.program.split_first() else { return };
    let account = match &chain.account {
        None => None,
        Some(word) => {
            let found = Some(word).filter(|word| word.literal);
            // As whom it runs is not known: the message about the account says more.
            let found = found.and_then(|word| Account::find(&text(word), Groups::Listed).ok());
            let Some(found) = found else { return };
            Some((common::shown(&word.text), found))
        }
    };
    let svlog = matches!(base(program), b"svlog" | b"svlogd");
    let (directories, lines) = if svlog {
        let Some((options, rest)) = chain::options(words, crate::svlog::PROGRAM.options) else { return };
        let value = |wanted| {
            options.iter().rev().find(|(letter, _)| *letter == wanted).and_then(|(_, value)| value.as_ref())
        };
        let length = value('l').map_or(Some(1000), |word| common::quantity::number(&word.text));
        (rest, Lines { length: length.unwrap_or(usize::MAX), printable: value('r').is_some() })
    } else if matches!(base(program), b"multilog" | b"s6-log") {
        (words, Lines { length: usize::MAX, printable: false })
    } else {
        return;
    };
    for word in directories {
        let is_directory =
            if svlog { word.text != b"-" } else { matches!(word.text.first(), Some(b'.' | b'/')) };
        let relative = !word.text.starts_with(b"/");
        let is_made = chain.made.iter().any(|made| made.text == word.text);
        if !word.literal || !is_directory || is_made || is_known(word) || chain.moved && relative {
            continue;
        }
        let at = at.line(word.line);
        let shown = common::shown(&word.text);
        let path = dir.path_to(&word.text);
        let path = common::shown(&path);
        match dir.to(&word.text) {
            Ok(log) => {
                if let Some((name, _)) = account.as_ref().filter(|(_, account)| !may_write(account, &log)) {
                    let what = format!("{name} may not write to the log directory {shown}");
                    findings.error(at, what, format!("chown {name} {path}"));
                }
                if svlog {
                    look_at_config(&log, lines, findings);
                }
            }
            // multilog and s6-log make it themselves.
            Err(Errno::ENOENT) if !svlog => {}
            Err(Errno::ENOENT) => {
                let what = format!("there is no log directory {shown}");
                let owned =
                    account.as_ref().map_or(String::new(), |(name, _)| format!(" && chown {name} {path}"));
                findings.error(at, what, format!("mkdir -p {path}{owned}"));
            }
            Err(errno) => {
                let what =
                    format!("unable to open the log directory {shown}: {}", common::exit::reason(errno));
                findings.error(at, what, "");
            }
        }
    }
}

fn text(word: &Word) -> CString {
    CString::new(&*word.text).unwrap_or_default() // no word of a shell has a NUL
}

/// Whether an account may make files in a directory, by its mode. Root may.
fn may_write(account: &Account, directory: &Dir) -> bool {
    let Ok(FileStat { st_uid, st_gid, st_mode, .. }) = fstat(&directory.fd) else { return true }; // it is open
    let bits = if account.uid == st_uid {
        st_mode >> 6
    } else if account.gid == st_gid || account.groups.contains(&st_gid) {
        st_mode >> 3
    } else {
        st_mode
    };
    account.uid == 0 || bits & 0o3 == 0o3
}

/// Looks at the settings of a log directory.
fn look_at_config(log: &Dir, lines: Lines, findings: &mut Findings) {
    let path = log.at(b"config");
    let at = At::file(&path);
    match log.look(c"config") {
        Found::Missing => return,
        Found::Other(what) => return findings.error(at, format!("it is {what}"), "write a file, or nothing"),
        Found::Regular(_) => {}
    }
    let text = match log.text_up_to(c"config", MOST) {
        Text::Whole(text) | Text::Beginning(text) => text,
        Text::Unread(why) => return findings.warning(at, format!("it was not looked at: {why}"), ""),
    };
    for (line, what, instead) in flaws(&text, lines) {
        findings.warning(at.line(line), what, instead);
    }
    for (line, what, instead) in invalid(&text) {
        findings.error(at.line(line), what, instead);
    }
}

/// What is wrong with a line: its number, what, and what to write.
type Flaw = (usize, String, String);

/// The lines of `config` for which the default is used.
fn invalid(text: &[u8]) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    let fill = |to: &mut Vec<u8>| {
        to.extend_from_slice(text);
        Ok::<_, ()>(())
    };
    let filled = Config::default().read(fill, |bad, expected| {
        for (line, _) in numbered(text).filter(|(_, text)| *text == bad) {
            flaws.push((line, format!("invalid value {}", common::shown(bad)), format!("write {expected}")));
        }
    });
    if filled.is_err() {
        flaws.clear(); // it cannot fail
    }
    flaws
}

fn numbered(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    (1..).zip(text.split(|byte| *byte == b'\n')).filter(|(_, text)| !text.is_empty())
}

/// The lines of `config` that have no effect, as far as that can be proven.
fn flaws(text: &[u8], lines: Lines) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    if let Some((line, _)) = numbered(text).find(|(_, text)| text.ends_with(b"\r")) {
        let what = "the line ends in a carriage return, which becomes part of its value".to_owned();
        return vec![(line, what, "remove the line ends of DOS: sed -i 's/\\r$//'".to_owned())];
    }
    let rules: Vec<(usize, u8, &[u8])> = numbered(text)
        .filter(|(_, text)| b"+-eE".contains(&text[0]))
        .map(|(line, text)| (line, text[0], &text[1..]))
        .collect();
    for (line, text) in numbered(text) {
        if text[0] != b'#' && !config::LETTERS.contains(&text[0]) {
            let what = format!("no setting begins with {}", common::shown(&text[..1]));
            flaws.push((line, what, "see config in svlog(8), or begin a comment with #".to_owned()));
        }
    }
    for (place, &(line, kind, pattern)) in rules.iter().enumerate() {
        let same = |kind: u8, other: u8| b"+-".contains(&kind) == b"+-".contains(&other);
        let shown = |kind: u8, pattern: &[u8]| format!("{}{}", char::from(kind), common::shown(pattern));
        let rule = shown(kind, pattern);
        let later = rules[place + 1..].iter().find(|(_, other, pattern_of_other)| {
            same(kind, *other) && (*pattern_of_other == b"*" || *pattern_of_other == pattern)
        });
        if !pattern::can_match(Dialect::Svlogd, pattern) {
            let what = format!("{rule} matches no line: a + at the end or behind a * stands for nothing");
            flaws.push((line, what, "write * alone, or the bytes themselves".to_owned()));
        } else if pattern.iter().filter(|byte| !b"*+".contains(byte)).count() > lines.length {
            let what = format!("{rule} matches no line: it is longer than what -l lets patterns see");
            flaws.push((line, what, "shorten it, and write * at its end".to_owned()));
        } else if lines.printable && pattern.iter().any(|byte| !(b' '..=b'~').contains(byte)) {
            let what = format!("{rule} matches no line: -r replaces bytes of it before");
            flaws.push((line, what, "write * in their place".to_owned()));
        } else if let Some((other, kind, pattern)) = later {
            let what = format!("{rule} never decides: {} in line {other} does", shown(*kind, pattern));
            flaws.push((line, what, "the last one that matches counts: put it behind that line".to_owned()));
        } else if matches!(kind, b'+' | b'E') {
            let opposite = if kind == b'+' { b'-' } else { b'e' };
            if !rules[..place].iter().any(|(_, other, _)| *other == opposite) {
                let opposite = char::from(opposite);
                let what = format!("{rule} has no effect: there is no {opposite} in front of it");
                flaws.push((line, what, format!("write {opposite}* above it to select by it alone")));
            }
        }
    }
    flaws
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, lines: Lines) -> Vec<String> {
        let all = flaws(text.as_bytes(), lines).into_iter().chain(invalid(text.as_bytes()));
        all.map(|(line, what, _)| format!("{line}: {what}")).collect()
    }

    const LINES: Lines = Lines { length: 1000, printable: false };

    #[test]
    fn a_config_that_does_what_it_says_is_left_alone() {
        for text in [
            "",
            "# x\n\ns10k\nn3\nN2\nt1h\n!gzip\nu1.2.3.4\npfoo: \nonew\n",
            "-*\n+*error*\n",
            "-*error*",
            "-a\n+ab*\n-b\n",
            "e*\nE*debug*\n-*\n",
            "-*\n++x\n",
        ] {
            assert_eq!(found(text, LINES), [""; 0], "{text}");
        }
    }

    #[test]
    fn what_has_no_effect_is_found_if_that_is_sure() {
        for (text, expected) in [
            ("+*error*\n-*\n", "1: +*error* never decides: -* in line 2 does"),
            ("-a\n+b\n-a", "1: -a never decides: -a in line 3 does"),
            ("+*error*", "1: +*error* has no effect: there is no - in front of it"),
            ("Ex", "1: Ex has no effect: there is no e in front of it"),
            ("-foo+", "1: -foo+ matches no line: a + at the end or behind a * stands for nothing"),
            ("zebra", "1: no setting begins with z"),
            ("s10\r\nn3\r", "1: the line ends in a carriage return, which becomes part of its value"),
        ] {
            assert_eq!(found(text, LINES)[0], expected, "{text}");
        }
        assert_eq!(found("n3\ns1x\n", LINES), ["2: invalid value s1x"]);
    }

    #[test]
    fn the_options_of_the_logger_count_for_patterns() {
        let lines = Lines { length: 3, printable: true };
        assert_eq!(
            found("-abcd*", lines),
            ["1: -abcd* matches no line: it is longer than what -l lets patterns see"]
        );
        assert_eq!(found("-\u{e9}*", lines), ["1: -é* matches no line: -r replaces bytes of it before"]);
        assert_eq!(found("-abc*", lines), [""; 0]);
    }
}
