//! Commands that are programs of their own, as git's are: `svctl log` executes svctl-log. So what is needed every day
//! for a moment carries nothing of what is looked at now and then.

use std::ffi::{CStr, CString};

use common::procfs::This;
use common::{Chain, Cli, Exit, Outcome, shown};

use super::command::{self, is_program};
use super::options::Options;
use super::style::Style;
use super::{PROGRAM, is_of_script, str_of, svc, unknown};

/// Where the programs are, seen from the directory of this one: beside it, or where they are installed.
const PLACES: [&str; 2] = ["", "../libexec/catena/"];

/// The command that is carried out where none is written.
pub(super) const DEFAULT: &str = "list";

/// The chain of the program that a command line asks for, if it asks for one; `words` are those that were read. The
/// program gets the options in front of the command, then all that follows it, as it is written.
pub(super) fn of(cli: &mut Cli, style: Style, options: &Options, words: &[&'static [u8]]) -> Option<Outcome> {
    if style != Style::Svctl {
        return options.help.then(|| answer(cli, "help", &[c"--sv"]));
    }
    match words {
        _ if options.help => Some(answer(cli, "help", &[])),
        [b"help", word] if is_program(str_of(word)) => Some(answer(cli, str_of(word), &[c"--help"])),
        [b"help", words @ ..] => Some(answer(cli, "help", &operands(words))),
        [word] if is_program(str_of(word)) => Some(hand_on(cli, str_of(word), 1)),
        [] => Some(hand_on(cli, DEFAULT, 0)),
        [word, ..] if command::is_known(str_of(word)) || is_of_script(cli.called(), words) => None,
        // That much is said without the program too.
        [word, ..] => Some(answer(cli, "help", &operands(&[word])).map_err(|_| unknown(word))),
    }
}

/// The chain of a program with these arguments.
fn answer(cli: &mut Cli, word: &str, arguments: &[&'static CStr]) -> Outcome {
    let called = cli.first();
    let rest = cli.rest_or_nothing();
    let found = Found::new(word, word, called, &rest)?;
    Ok(found.chain(found.name, arguments.iter().copied(), rest))
}

/// The same with what is written in front of the command, for which `own` words stand, and behind it.
fn hand_on(cli: &mut Cli, command: &str, own: usize) -> Outcome {
    let (line, called) = (cli.line(), cli.first());
    let rest = cli.rest_or_nothing();
    let behind = rest.words.clone();
    let options = line.clone().count() - behind.clone().count() - own;
    let arguments = line.take(options).skip(1).chain(behind);
    let found = Found::new(command, command, called, &rest)?;
    Ok(found.chain(found.name, arguments, rest))
}

/// Words that are no options, whatever they look like.
fn operands(words: &[&[u8]]) -> Vec<&'static CStr> {
    [c"--"].into_iter().chain(words.iter().map(|word| c_string(word.to_vec()))).collect()
}

/// The chain of svctl-svc, which is by this name what we are called, with the command line as it is.
pub(super) fn under_this_name(cli: &mut Cli) -> Outcome {
    let (called, rest) = (cli.first(), cli.words());
    let found = Found::new("svc", str_of(cli.called()), called, &rest)?;
    let arguments = rest.words.clone();
    Ok(found.chain(called, arguments, rest))
}

/// A program of the same installation.
struct Found {
    name: &'static CStr,
    file: &'static CStr,
}

impl Found {
    /// Finds it for this use. It has the name of this program's file, so that the two belong to one installation, with a
    /// dash and the word; a file that has another program's name is a copy of svctl. Without a procfs that name is how we
    /// were called, and PATH is searched alone.
    fn new(word: &str, of: &str, called: &CStr, chain: &Chain) -> Result<Self, Exit> {
        let file =
            This::open().and_then(|this| this.program()).unwrap_or_else(|_| called.to_bytes().to_owned());
        let end = file.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
        let (directory, own) = file.split_at(end);
        let is_copy = svc::NAMES.iter().any(|name| name.as_bytes() == own);
        let installed = if is_copy { PROGRAM.name.as_bytes() } else { own };
        let name = c_string([installed, b"-", word.as_bytes()].concat());
        let beside = PLACES.iter().filter(|_| end > 0);
        let beside = beside.map(|place| c_string([directory, place.as_bytes(), name.to_bytes()].concat()));
        let found = beside.chain([name]).find_map(|file| chain.find(file));
        let file = found.ok_or_else(|| missing(of, own, name))?;
        Ok(Self { name, file: c_string(file.into_bytes()) })
    }

    /// The chain of it, called by this name.
    fn chain(
        &self,
        name: &'static CStr,
        arguments: impl Iterator<Item = &'static CStr>,
        mut chain: Chain,
    ) -> Chain {
        chain.file = Some(self.file);
        chain.words = [name].into_iter().chain(arguments).collect();
        chain
    }
}

/// The program is not there: as a command of a chain that is not found.
fn missing(command: &str, own: &[u8], name: &CStr) -> Exit {
    let (own, name) = (shown(own), shown(name.to_bytes()));
    let text = format!(
        "'{command}' needs {name}, which is not beside {own}, in ../libexec/catena or in PATH; nothing was done"
    );
    Exit::fatal(text)
        .with_status(127)
        .hint("install it as svctl was: 'make install', or the package of catena")
}

/// For the exec that follows.
fn c_string(bytes: Vec<u8>) -> &'static CStr {
    // Made of C strings, so that there is no NUL in it.
    Box::leak(CString::new(bytes).unwrap_or_default().into_boxed_c_str())
}
