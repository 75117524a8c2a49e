//! What the words of a command line mean, link by link: accounts, directories and programs. The links' own tables say
//! which of their words is what; a word that is not literal, and an option that they do not know, end the look.

use common::link::Options;
use common::{Link, options};

use super::script::last_part;
use super::sh::Word;
use crate::LINKS;

/// What a word is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Role {
    /// A program that is executed.
    Program,
    /// The name of an account.
    Account,
    /// A directory of variables, of which `PATH` may be one.
    Variables,
}

/// What is known of a command line.
#[derive(Debug, Default)]
pub(super) struct Chain {
    /// The words that mean something, in their order.
    pub(super) words: Vec<(Role, Word)>,
    /// The last program with its arguments: the one that is no link.
    pub(super) program: Vec<Word>,
    /// The account as which it runs, if one was named.
    pub(super) account: Option<Word>,
    /// The directories that it makes.
    pub(super) made: Vec<Word>,
    /// It runs in another directory than the chain was started in, or in another root directory.
    pub(super) moved: bool,
}

/// What a program's words mean.
struct Shape {
    name: &'static str,
    /// As in a usage line.
    usage: &'static str,
    options: Options,
}

/// Those of other packages that are as ours, under other names.
const OTHERS: [Shape; 8] = [
    Shape { name: "nohup", usage: "prog...", options: options![] },
    Shape { name: "s6-envdir", usage: "dir prog...", options: options![("-f", ""), ("-n", "")] },
    Shape { name: "s6-envuidgid", usage: "account prog...", options: options![] },
    Shape {
        name: "s6-setlock",
        usage: "file prog...",
        options: options![("-n", ""), ("-N", ""), ("-t ms", "")],
    },
    Shape { name: "s6-setsid", usage: "prog...", options: options![] },
    Shape { name: "s6-setuidgid", usage: "account prog...", options: options![] },
    Shape { name: "s6-tai64n", usage: "", options: options![] },
    Shape { name: "setsid", usage: "prog...", options: options![("-f", ""), ("-w", ""), ("-c", "")] },
];

fn shape(name: &[u8]) -> Option<Shape> {
    let ours = LINKS.iter().find(|link| link.name.as_bytes() == name);
    ours.map(|&Link { name, usage, options, .. }| Shape { name, usage, options })
        .or_else(|| OTHERS.into_iter().find(|shape| shape.name.as_bytes() == name))
        .filter(|shape| shape.usage.contains("prog"))
}

/// The name of a program without its directory.
pub(super) fn base(word: &Word) -> &[u8] {
    last_part(&word.text)
}

impl Chain {
    /// Reads the words of a command, behind its `exec`.
    pub(super) fn read(words: &[Word]) -> Self {
        let mut chain = Self::default();
        let mut at = words;
        while let Some(rest) = chain.pass(at) {
            at = rest;
        }
        chain
    }

    /// Takes the first word, a program, and its own words if it is a link; returns what is left to look at then.
    fn pass<'a>(&mut self, words: &'a [Word]) -> Option<&'a [Word]> {
        let (first, rest) = words.split_first()?;
        if !first.literal {
            return None;
        }
        self.add(Role::Program, first);
        match base(first) {
            b"catena" if rest.first().is_some_and(|word| shape(&word.text).is_some()) => {
                self.words.pop(); // what follows is in it
                self.pass_link(&shape(&rest[0].text)?, &rest[1..])
            }
            b"env" => pass_env(rest),
            name => {
                if let Some(shape) = shape(name) {
                    return self.pass_link(&shape, rest);
                }
                self.program = words.to_vec();
                None
            }
        }
    }

    fn add(&mut self, role: Role, word: &Word) {
        // In another root directory there is another world, and a relative path leads elsewhere after a change of directory.
        let relative = role != Role::Account && !word.text.starts_with(b"/");
        let by_path = relative && (role == Role::Variables || word.text.contains(&b'/'));
        if word.literal && !(self.moved && by_path) {
            self.words.push((role, word.clone()));
        }
    }

    fn pass_link<'a>(&mut self, shape: &Shape, words: &'a [Word]) -> Option<&'a [Word]> {
        let name = shape.name;
        let (options, mut rest) = options(words, shape.options)?;
        if name == "emptyenv" {
            return None; // PATH is another one
        }
        for (letter, value) in &options {
            let argument = argument(shape.options, *letter);
            match (argument, value) {
                // Accounts are those of the new root directory.
                (Some("root"), _) => return None,
                (Some("account"), Some(word)) => {
                    self.add(Role::Account, word);
                    if *letter == 'u' {
                        self.account = Some(word.clone());
                    }
                }
                (Some("dir"), Some(_)) if *letter == 'C' => self.moved = true,
                (Some("dir"), Some(word)) => self.add(Role::Variables, word),
                _ => {}
            }
        }
        let operands = shape.usage.split(' ').rev().skip_while(|word| !word.contains("prog..."));
        let mut operands: Vec<&str> =
            operands.skip(1).take_while(|word| word.bytes().all(|byte| byte.is_ascii_lowercase())).collect();
        if name == "argv0" {
            operands.clear(); // it has no prog
        }
        for operand in operands.into_iter().rev() {
            let (word, behind) = rest.split_first()?;
            rest = behind;
            match operand {
                // Those of s6 may be numbers, as uid:gid.
                "account" if name.starts_with("s6-") && word.text.contains(&b':') => {}
                "account" => {
                    self.add(Role::Account, word);
                    if name.ends_with("setuidgid") {
                        self.account = Some(word.clone());
                    }
                }
                "dir" if name.ends_with("envdir") => self.add(Role::Variables, word),
                "dir" if name == "chdir" => self.moved = true,
                "dir" if name == "mkrundir" => self.made.push(word.clone()),
                // What is in the new root directory is not known; nor what PATH is in a file.
                "root" => return None,
                "file" if name == "envfile" => return None,
                "name" if name == "export" && word.text == b"PATH" => return None,
                _ => {}
            }
        }
        Some(rest)
    }
}

/// Passes the words of env(1). With an environment of its own PATH is not known any more.
fn pass_env(words: &[Word]) -> Option<&[Word]> {
    let mut rest = words;
    loop {
        match rest.first()? {
            word if word.assigns && !word.text.starts_with(b"PATH=") => rest = &rest[1..],
            word if !word.literal || word.assigns || word.text.starts_with(b"-") => return None,
            _ => return Some(rest),
        }
    }
}

/// An option of a command line, and its value if it takes one.
pub(super) type Given = (char, Option<Word>);

/// The options in front, each with its value, and what follows them; `None` where one is not known.
pub(super) fn options(words: &[Word], table: Options) -> Option<(Vec<Given>, &[Word])> {
    let (mut options, mut rest) = (Vec::new(), words);
    while let Some((word, behind)) = rest.split_first() {
        if !word.text.starts_with(b"-") || word.text.len() == 1 {
            // A word that is not literal may be an option too.
            return (word.literal || !word.text.is_empty() || !word.plain).then_some((options, rest));
        }
        if !word.literal {
            return None;
        }
        rest = behind;
        if word.text == b"--" {
            break;
        }
        let mut letters = &word.text[1..];
        while let Some((letter, more)) = letters.split_first() {
            letters = more;
            let letter = char::from(*letter);
            if !table.rows().any(|(option, _)| is(option, letter)) {
                return None;
            }
            if argument(table, letter).is_none() {
                options.push((letter, None));
                continue;
            }
            if letters.is_empty() {
                let (value, behind) = rest.split_first()?;
                rest = behind;
                options.push((letter, Some(value.clone())));
            } else {
                options.push((letter, Some(Word { text: letters.to_vec(), ..word.clone() })));
            }
            break;
        }
    }
    Some((options, rest))
}

/// Whether this is a row of an option of this letter, `-t` or `-t seconds`; `-tt` is one of `-t` too.
fn is(option: &str, letter: char) -> bool {
    !option.starts_with("--") && option[1..].starts_with(letter)
}

/// The name of the argument of an option, if it has one.
fn argument(table: Options, letter: char) -> Option<&'static str> {
    table.rows().find(|(option, _)| is(option, letter))?.0.split_once(' ').map(|(_, argument)| argument)
}

#[cfg(test)]
mod tests {
    use super::super::sh::{Command, parse};
    use super::*;

    /// The words of a command with their roles, and the program at its end.
    fn read(command: &str) -> String {
        let list = parse(command.as_bytes()).unwrap();
        let Command::Simple(simple) = &list[0].first[0] else { panic!("{command}") };
        let chain = Chain::read(&simple.words);
        let text = |word: &Word| String::from_utf8_lossy(&word.text).into_owned();
        let mut words: Vec<String> = (chain.words.iter())
            .map(|(role, word)| match role {
                Role::Program => text(word),
                Role::Account => text(word) + "(account)",
                Role::Variables => text(word) + "/",
            })
            .collect();
        if let Some(account) = &chain.account {
            words.push(format!("as {}", text(account)));
        }
        if !chain.program.is_empty() {
            words.push(format!("= {}", chain.program.iter().map(text).collect::<Vec<_>>().join(" ")));
        }
        words.join(" ")
    }

    #[test]
    fn the_words_of_links_are_known_by_their_own_tables() {
        for (command, expected) in [
            ("mydaemon -u x", "mydaemon = mydaemon -u x"),
            (
                "envdir ./env setuidgid -s www /bin/d -f",
                "envdir ./env/ setuidgid www(account) /bin/d as www = /bin/d -f",
            ),
            (
                "chpst -ugitlog svlogd -tt ./main",
                "chpst gitlog(account) svlogd as gitlog = svlogd -tt ./main",
            ),
            (
                "chpst -e ./env -P -U git:git -u git:g -012 d",
                "chpst ./env/ git:git(account) git:g(account) d as git:g = d",
            ),
            ("softlimit -d300 -o 5 -H d", "softlimit d = d"),
            ("setlock -n ./lock d", "setlock d = d"),
            ("nice -n 5 setuidgid nobody d", "nice setuidgid nobody(account) d as nobody = d"),
            ("catena envdir ./e setuidgid www d", "./e/ setuidgid www(account) d as www = d"),
            ("env A=1 B=2 d", "env d = d"),
            ("s6-setuidgid www d", "s6-setuidgid www(account) d as www = d"),
            ("s6-setuidgid 1000:1000 d", "s6-setuidgid d = d"),
            ("argv0 realprog name x", "argv0 realprog = realprog name x"),
            ("redirfd -w 1 /x d", "redirfd d = d"),
            ("fdmove -c 2 1 d", "fdmove d = d"),
            ("pgrphack -- d", "pgrphack d = d"),
        ] {
            assert_eq!(read(command), expected, "{command}");
        }
    }

    #[test]
    fn the_look_ends_where_something_is_not_known() {
        for (command, expected) in [
            ("setuidgid www \"$x\"", "setuidgid www(account) as www"),
            ("setuidgid \"$u\" d", "setuidgid d as  = d"),
            ("chpst \"$options\" d", "chpst"),
            ("chpst --long d", "chpst"),
            ("env -i PATH=/x d", "env"),
            ("env PATH=/x d", "env"),
            ("chpst -u www -/ /srv d", "chpst www(account) as www"),
            ("chroot /srv d", "chroot"),
            ("chdir /srv ./d", "chdir = ./d"),
            ("setuidgid", "setuidgid"),
            ("\"$d\" -f", ""),
        ] {
            assert_eq!(read(command), expected, "{command}");
        }
    }
}
