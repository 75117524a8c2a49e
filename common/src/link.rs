//! What a link is, and how it reads its command line: options, then operands, then `prog...`.

use std::ffi::{CStr, CString, OsStr, OsString};
use std::iter;
use std::os::fd::RawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::time::Duration;

use lexopt::Arg;

use crate::caps::Set;
use crate::env::Env;
use crate::exec::Chain;
use crate::exit::Exit;
use crate::identity::SelfMatch;
use crate::quantity::{self, number};
use crate::sys::words::Words;
use crate::word::{Word, shown};

/// What a link's `run` returns: what is left to execute, which is the rest of its command line, or why nothing is executed.
/// One chain is in place from the first link to the exec: no link moves it.
pub type Outcome<'a> = Result<&'a mut Chain, Exit>;

/// A link: one change to the process state, by name.
#[derive(Debug)]
pub struct Link {
    /// The program's name.
    pub name: &'static str,
    /// What follows the name in the usage line.
    pub usage: &'static str,
    /// What it does, in the words of its page's NAME section.
    pub summary: &'static str,
    /// Its options, but for `--help` and `--version`.
    pub options: Options,
    /// Whether it opens files: those that the command line names, or its own in /proc.
    pub opens: bool,
    /// The capabilities that its deed needs, told from the words behind its name. setuidgid applies such a link
    /// itself where it is next, and lends it those; `None`: it is executed, as the account.
    pub lent: Option<fn(Words) -> Set>,
    /// Applies the change. The caller executes the rest, so that several links can be applied in one
    /// process.
    pub run: fn(&mut Cli) -> Outcome<'_>,
}

/// A table of options as [`options!`](crate::options) makes it: a line for each, with a tab in front of what it does. As
/// strings of their own the two would take 32 bytes more.
#[derive(Clone, Copy, Debug)]
pub struct Options(#[doc(hidden)] pub &'static str);

/// A table of options: each with its argument as the page writes it, and a line that says what it does.
#[macro_export]
macro_rules! options {
    ($(($option:literal, $does:literal)),* $(,)?) => {
        $crate::link::Options(concat!($($option, "\t", $does, "\n"),*))
    };
}

impl Options {
    /// Each option with its argument, and what it does.
    pub fn rows(self) -> impl Iterator<Item = (&'static str, &'static str)> + Clone {
        self.0.split('\n').filter_map(|row| row.split_once('\t'))
    }
}

impl Link {
    /// Applies the link, which is the first word of `chain`. Where that fails nothing of the chain is to be used.
    pub fn apply(&'static self, chain: &mut Chain) -> Result<(), Exit> {
        let observer = chain.observer;
        if let Some(observer) = observer {
            observer.begins(self, chain.words.clone());
        }
        let mut cli = Cli::new(self, chain);
        (self.run)(&mut cli).map_err(|error| error.of(self.name, self.usage))?;
        *chain = cli.chain;
        if let Some(observer) = observer {
            observer.applied(chain);
        }
        Ok(())
    }
}

/// Is told of each link of a chain that is applied, those by another link too: explain.
pub trait Observer {
    /// A link begins, with these words.
    fn begins(&self, link: &'static Link, words: Words);
    /// The link that began last has changed what it changes itself; it goes on with others, the rest of `chain`.
    fn changed(&self, chain: &Chain);
    /// The link that began last has been applied.
    fn applied(&self, chain: &Chain);
}

/// Of the links whose names a word ends in the one that it is: `unexport` is not `export` with a prefix.
pub fn longest(links: impl Iterator<Item = &'static Link>) -> Option<&'static Link> {
    links.max_by_key(|link| link.name.len())
}

/// What `--help` prints.
#[cold] // which keeps it out of the way of a chain, see scripts/block.ld
pub(crate) fn help(link: &Link) -> String {
    let text = format!("usage: {}\n{}\n", form(link.name, link.usage), link.summary);
    with_columns(text, link.options.rows())
}

/// A program's name and what follows it in the usage line.
pub(crate) fn form(name: &str, usage: &str) -> String {
    [name, if usage.is_empty() { "" } else { " " }, usage].concat()
}

/// What `--version` prints.
pub(crate) fn version(link: &Link) -> String {
    format!("{} (catena) {}\n", link.name, env!("CARGO_PKG_VERSION"))
}

/// `text` with a line for each row, the second column under itself.
pub(crate) fn with_columns(
    mut text: String,
    rows: impl Iterator<Item = (&'static str, &'static str)> + Clone,
) -> String {
    let width = rows.clone().map(|(left, _)| left.len()).max().unwrap_or(0);
    for (left, right) in rows {
        text.extend([format!("  {left:width$}  {right}\n")]);
    }
    text
}

/// A link's command line, read from left to right.
pub struct Cli {
    link: &'static Link,
    called: Option<&'static CStr>,
    line: Words,
    parser: Option<lexopt::Parser>, // once there is an option
    parsed: usize,                  // how many words the parser was given
    chain: Chain,                   // its words are those not read yet
    ended: bool,                    // by --
    leaves_help: bool,
}

impl Cli {
    pub(crate) fn new(link: &'static Link, chain: &mut Chain) -> Self {
        let line = chain.words.clone();
        let called = chain.words.next();
        chain.hand_on();
        Self {
            link,
            called,
            line,
            parser: None,
            parsed: 0,
            chain: chain.take(),
            ended: false,
            leaves_help: false,
        }
    }

    /// The command line of `link` with these words behind its name, as far as its first operand, for [`Link::lent`]: to
    /// be read, not applied. Any word of a program's 2,000 may look like a link, and no memory is given back: of the
    /// rest nothing is copied.
    #[must_use]
    pub fn preview(link: &'static Link, words: Words) -> Self {
        let length = option_words(words.clone()).len();
        let line = iter::once(c"").chain(words.take(length)).collect();
        Self::new(link, &mut Chain::new(line, Env::default(), SelfMatch::Alone))
    }

    /// The first word of the command line.
    #[must_use]
    pub fn first(&self) -> &'static CStr {
        self.called.unwrap_or(c"")
    }

    /// The whole command line, as it was received.
    #[must_use]
    pub fn line(&self) -> Words {
        self.line.clone()
    }

    /// The words that are not read yet.
    #[must_use]
    pub fn unread(&self) -> Words {
        self.chain.words.clone()
    }

    /// The name that the program was called by, without directories.
    #[must_use]
    pub fn called(&self) -> &'static [u8] {
        let path = self.first().to_bytes();
        path.rsplit(|b| *b == b'/').next().unwrap_or(path)
    }

    /// Goes on as another program, which this one is under the name that it was called by: its are the options,
    /// the help and the messages.
    pub fn run_as(&mut self, program: &'static Link) -> Outcome<'_> {
        self.link = program;
        (program.run)(self).map_err(|error| error.of(program.name, program.usage))
    }

    /// The environment.
    #[must_use]
    pub fn env(&self) -> &Env {
        &self.chain.env
    }

    /// The next option; `None` once the first operand is reached. Options never follow an operand.
    pub fn option(&mut self) -> Result<Option<Arg<'static>>, Exit> {
        if self.ended {
            return Ok(None);
        }
        // Most links have no option: then nothing has to be copied for a parser.
        if self.parser.is_none() && !self.chain.words.first().is_some_and(may_be_option) {
            return Ok(None);
        }
        let parser = self.parser.get_or_insert_with(|| {
            let options = option_words(self.chain.words.clone());
            self.parsed = options.len();
            let mut parser = lexopt::Parser::from_args(options);
            parser.set_short_equals(false); // "-o=" must give "=", as softlimit needs
            parser
        });
        match parser.next()? {
            Some(Arg::Short(option)) => return Ok(Some(Arg::Short(option))),
            Some(Arg::Long("help")) => {
                self.alone("--help")?;
                return if self.leaves_help {
                    Ok(Some(Arg::Long("help")))
                } else {
                    Err(Exit::answer(0, self.help()))
                };
            }
            Some(Arg::Long("version")) => {
                self.alone("--version")?;
                return Err(Exit::answer(0, self.version()));
            }
            Some(Arg::Long(option)) => {
                let names = self.link.options.rows().filter_map(|(words, _)| words.strip_prefix("--"));
                // Without its argument.
                let mut names = names.filter_map(|words| words.split(' ').next());
                let own = names.find(|name| *name == option).map(Arg::Long);
                return own.map(Some).ok_or_else(|| Exit::unexpected(Arg::Long(option)));
            }
            Some(Arg::Value(_)) => self.parsed -= 1, // the first operand is still to be read
            None => {}
        }
        let read = self.parsed - parser.raw_args()?.as_slice().len();
        self.ended |= self.chain.words.by_ref().take(read).last() == Some(c"--");
        Ok(None)
    }

    /// What `--help` prints.
    #[must_use]
    pub fn help(&self) -> String {
        help(self.link)
    }

    /// Whether the options have ended by `--`.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// Refuses a value of `option`, which takes none.
    fn alone(&mut self, option: &str) -> Result<(), Exit> {
        self.parser.as_mut().and_then(lexopt::Parser::optional_value).map_or(Ok(()), |value| {
            Err(Exit::usage(format_args!("invalid option '{option}={}'", shown(value.as_bytes()))))
        })
    }

    /// For a link without options: understands `--help`, `--version` and `--`, and comes to the first
    /// operand.
    pub fn no_options(&mut self) -> Result<(), Exit> {
        self.option()?.map_or(Ok(()), |option| Err(Exit::unexpected(option)))
    }

    /// All words behind the name, none of them read as an option, and the environment. For a line that has a syntax of
    /// its own, in place of [`Cli::option`].
    pub fn words(&mut self) -> &mut Chain {
        &mut self.chain
    }

    /// For a program whose words are no options: understands `--help` and `--version` alone.
    pub fn answer_alone(&mut self) -> Result<(), Exit> {
        let mut words = self.chain.words.clone();
        let alone = words.next().filter(|_| words.next().is_none());
        if alone == Some(c"--help") || alone == Some(c"--version") { self.option().map(drop) } else { Ok(()) }
    }

    /// The value of the option just returned. It lives as long as the command line.
    pub fn value(&mut self) -> Result<&'static [u8], Exit> {
        // No value without an option.
        let value = self.parser.as_mut().map_or(Ok(OsString::new()), lexopt::Parser::value)?;
        Ok(value.into_vec().leak())
    }

    /// The value of the option just returned, as a word: for the name of a file, or what the program gets.
    pub fn word(&mut self) -> Result<Word, Exit> {
        let value = CString::new(self.value()?).unwrap_or_default(); // made of a C string
        Ok(Word(Box::leak(value.into_boxed_c_str()))) // it lives as long as the command line
    }

    /// The version, as `--version` prints it.
    #[must_use]
    pub fn version(&self) -> String {
        version(self.link)
    }

    /// The value of the option just returned, as a fd number.
    pub(crate) fn fd_value(&mut self) -> Result<RawFd, Exit> {
        fd(self.value()?)
    }

    /// The value of the option just returned, as a time in seconds, with a fraction after a point.
    pub fn seconds(&mut self) -> Result<Duration, Exit> {
        let value = self.value()?;
        quantity::seconds(value).ok_or_else(|| Exit::value("not a number of seconds", value))
    }

    /// The next operand; `name` is what the usage line calls it.
    pub fn operand(&mut self, name: &str) -> Result<Word, Exit> {
        self.chain.words.next().map(Word).ok_or_else(|| Exit::usage(format_args!("missing {name}")))
    }

    /// The next operand as a fd number.
    pub fn fd(&mut self, name: &str) -> Result<RawFd, Exit> {
        fd(self.operand(name)?.to_bytes())
    }

    /// The next operand of a program that executes nothing, so that options may follow it too, up to a `--`.
    pub fn operand_among_options(&mut self) -> Option<&'static CStr> {
        let operand = self.chain.words.next()?;
        if !self.ended {
            self.parser = None;
        }
        Some(operand)
    }

    /// For a program without operands, once its options are read.
    pub fn no_operands(&mut self) -> Result<(), Exit> {
        let operand = self.chain.words.next();
        operand.map_or(Ok(()), |operand| Err(Exit::value("unexpected operand", operand.to_bytes())))
    }

    /// Has [`Cli::option`] return `--help` in place of an answer: the caller has more to say.
    pub fn leave_help(&mut self) {
        self.leaves_help = true;
    }

    /// What is left to execute. Take it before the deed: a line without a program must not change so much
    /// as a file.
    pub fn rest(&mut self) -> Result<&mut Chain, Exit> {
        self.chain.words.first().ok_or_else(|| Exit::usage("missing prog"))?;
        Ok(self.rest_or_nothing())
    }

    /// As [`Cli::rest`], for a link whose program may be left out: then the chain has no words.
    pub fn rest_or_nothing(&mut self) -> &mut Chain {
        &mut self.chain
    }
}

/// The words in front that can be options and their values: all up to the second of two neighbours without
/// a dash, since of those one at least is an operand. So the parser copies a few words and never the
/// program's 2,000.
fn option_words(words: impl Iterator<Item = &'static CStr>) -> Vec<OsString> {
    let mut plain = 0;
    let mut taken = Vec::new();
    for word in words {
        taken.push(OsStr::from_bytes(word.to_bytes()).to_owned());
        plain = if may_be_option(word) { 0 } else { plain + 1 };
        if plain == 2 {
            break;
        }
    }
    taken
}

fn may_be_option(word: &CStr) -> bool {
    matches!(word.to_bytes(), [b'-', _, ..])
}

fn fd(word: &[u8]) -> Result<RawFd, Exit> {
    number(word).ok_or_else(|| Exit::value("not a file descriptor", word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parser_gets_the_words_up_to_the_first_sure_operand() {
        let words = |line: &'static [&CStr]| option_words(line.iter().copied()).len();
        assert_eq!(words(&[]), 0);
        assert_eq!(words(&[c"a", c"b", c"c"]), 2);
        assert_eq!(words(&[c"-n", c"-t", c"5", c"file", c"prog", c"x"]), 4);
        assert_eq!(words(&[c"--", c"-x", c"-", c"b", c"c"]), 4);
    }
}
