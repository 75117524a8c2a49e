//! Commands that are programs of their own, as git's are: `svctl log` executes svctl-log. So what is needed every day
//! for a moment carries nothing of what is looked at now and then.

use std::ffi::{CStr, CString};

use common::procfs::This;
use common::{Cli, Exit, Outcome, shown};

use super::command::{self, is_program};
use super::options::Options;
use super::style::Style;
use super::{PROGRAM, is_of_script, str_of, svc, unknown};

/// Where the programs are, seen from the directory of this one: beside it, or where they are installed.
const PLACES: [&str; 2] = ["", "../libexec/catena/"];

/// The command that is carried out where none is written.
pub(super) const DEFAULT: &str = "list";

/// What a command line asks another program for.
pub(super) struct Asked {
    command: &'static str,
    arguments: Vec<&'static CStr>,
    /// What is no command: that much is said without the program too.
    unknown: Option<&'static [u8]>,
}

/// The program that a command line asks for, if it asks for one; `words` are those that were read. The program gets the
/// options in front of the command, then all that follows it, as it is written.
pub(super) fn of(cli: &Cli, style: Style, options: &Options, words: &[&'static [u8]]) -> Option<Asked> {
    let mut unknown = None;
    let (command, arguments) = match words {
        _ if style != Style::Svctl && options.help => ("help", vec![c"--sv"]),
        _ if style != Style::Svctl => return None,
        [b"help", word] if is_program(str_of(word)) => (str_of(word), vec![c"--help"]),
        [b"help", words @ ..] => ("help", operands(words)),
        [] => (DEFAULT, around(cli, 0)),
        [word] if is_program(str_of(word)) => (str_of(word), around(cli, 1)),
        [word, ..] if command::is_known(str_of(word)) || is_of_script(cli.called(), words) => return None,
        [word, ..] => {
            unknown = Some(*word);
            ("help", operands(&[word]))
        }
    };
    Some(Asked { command, arguments, unknown })
}

impl Asked {
    /// The chain of the program.
    pub(super) fn chain(self, cli: &mut Cli) -> Outcome<'_> {
        let chain = chain_of(cli, self.command, self.arguments, Called::AsItself);
        chain.map_err(|error| self.unknown.map_or(error, unknown))
    }
}

/// The chain of svctl-svc, which is by this name what we are called, with the command line as it is.
pub(super) fn under_this_name(cli: &mut Cli) -> Outcome<'_> {
    let arguments = cli.line().skip(1).collect();
    chain_of(cli, "svc", arguments, Called::AsWeAre)
}

/// What is written in front of the command, for which `own` words stand, and behind it.
fn around(cli: &Cli, own: usize) -> Vec<&'static CStr> {
    let behind = cli.unread();
    let options = cli.line().count() - behind.clone().count() - own;
    cli.line().take(options).skip(1).chain(behind).collect()
}

/// Words that are no options, whatever they look like.
fn operands(words: &[&[u8]]) -> Vec<&'static CStr> {
    let mut operands = vec![c"--"];
    operands.extend(words.iter().map(|word| c_string(word.to_vec())));
    operands
}

/// The name that a program gets.
#[derive(Clone, Copy, PartialEq)]
enum Called {
    AsItself,
    AsWeAre,
}

/// The chain of a program with these arguments. It has the name of this program's file, so that the two belong to one
/// installation, with a dash and the word; a file that has the name of another package is a copy of svctl. Without a
/// procfs that name is how we were called, and PATH is searched alone.
fn chain_of<'c>(cli: &'c mut Cli, word: &str, arguments: Vec<&'static CStr>, called: Called) -> Outcome<'c> {
    let (first, own_name) = (cli.first(), cli.called());
    let chain = cli.rest_or_nothing();
    let file = This::open().and_then(|this| this.program()).unwrap_or_else(|_| first.to_bytes().to_owned());
    let end = file.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    let (directory, own) = file.split_at(end);
    let installed = if svc::is_named(own) { PROGRAM.name.as_bytes() } else { own };
    let name = c_string([installed, b"-", word.as_bytes()].concat());
    let beside = PLACES.iter().filter(|_| end > 0);
    let beside = beside.map(|place| c_string([directory, place.as_bytes(), name.to_bytes()].concat()));
    let Some(found) = beside.chain([name]).find_map(|file| chain.find(file)) else {
        return Err(missing(if called == Called::AsWeAre { str_of(own_name) } else { word }, own, name));
    };
    chain.file = Some(c_string(found.into_bytes()));
    let mut words = vec![if called == Called::AsWeAre { first } else { name }];
    words.extend(arguments);
    chain.words = words.into_iter().collect();
    Ok(chain)
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
