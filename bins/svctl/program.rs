//! Commands that are programs of their own, as git's are: `svctl log` executes svctl-log. So what is needed every day
//! for a moment carries nothing of what is looked at now and then.

use std::ffi::{CStr, CString};

use common::procfs::This;
use common::{Chain, Cli, Exit, Outcome, Words, shown};

use super::{command, str_of};

/// Where the programs are, seen from the directory of this one: beside it, or where they are installed.
const PLACES: [&str; 2] = ["", "../libexec/catena/"];

/// The command that is carried out where none is written.
pub(super) const DEFAULT: &str = "list";

/// The chain of the program that a command line asks for, if it asks for one; `words` are those that were read. The
/// program gets the options in front of the command, then all that follows it, as it is written.
pub(super) fn of(cli: &mut Cli, words: &[&'static [u8]]) -> Option<Outcome> {
    let command = match words {
        [] => DEFAULT,
        [word] | [b"help", word] => str_of(word),
        _ => return None,
    };
    if !command::is_program(command) {
        return None;
    }
    let (line, called) = (cli.line(), cli.first());
    let rest = cli.rest_or_nothing();
    let behind = rest.words.clone();
    let options = line.clone().count() - behind.clone().count() - words.len();
    let before = line.take(options).skip(1);
    let arguments: Words =
        if words.len() == 2 { [c"--help"].into_iter().collect() } else { before.chain(behind).collect() };
    Some(chain_of(command, arguments, called, rest))
}

/// The chain of a program with these arguments. It has the name of this program's file, so that the two belong to one
/// installation, with a dash and the command. Without a procfs that name is how we were called, and PATH is searched
/// alone.
fn chain_of(command: &str, arguments: Words, called: &CStr, mut chain: Chain) -> Outcome {
    let file = This::open().and_then(|this| this.program()).unwrap_or_else(|_| called.to_bytes().to_owned());
    let end = file.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    let (directory, own) = file.split_at(end);
    let name = word([own, b"-", command.as_bytes()].concat());
    let beside = PLACES.iter().filter(|_| end > 0);
    let beside = beside.map(|place| word([directory, place.as_bytes(), name.to_bytes()].concat()));
    let Some(found) = beside.chain([name]).find_map(|file| chain.find(file)) else {
        return Err(missing(command, own, name));
    };
    chain.file = Some(word(found.into_bytes()));
    chain.words = [name].into_iter().chain(arguments).collect();
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
fn word(bytes: Vec<u8>) -> &'static CStr {
    // Made of C strings, so that there is no NUL in it.
    Box::leak(CString::new(bytes).unwrap_or_default().into_boxed_c_str())
}
