//! emptyenv: run a program with an empty environment, or one without the variables of execline.

use std::ffi::{CStr, CString};

use common::quantity::number;
use common::{Cli, Exit, Link, Outcome, Short, env, options};

/// The link.
pub const LINK: Link = Link {
    name: "emptyenv",
    usage: "[-p] [-l] [-k name] ... [-c | -oP] prog...",
    summary: "run a program with an empty environment, or without variables of execline",
    options: options![
        ("-p", "keep PATH"),
        ("-l", "keep LD_LIBRARY_PATH"),
        ("-k name", "keep the variable name"),
        ("-c", "remove the variables of execline, and no others"),
        ("-o", "restore the options before elgetopt, and remove no others"),
        ("-P", "restore the arguments before execlineb, and remove no others"),
    ],
    opens: false,
    lent: None,
    run,
};

fn run(cli: &mut Cli) -> Outcome<'_> {
    let mut kept = Vec::new();
    let mut named = false;
    let (mut clean, mut options, mut arguments) = (false, false, false);
    while let Some(option) = cli.option()? {
        match option {
            Short('p') => kept.push(b"PATH".to_vec()),
            Short('l') => kept.push(b"LD_LIBRARY_PATH".to_vec()),
            Short('k') => {
                kept.push(env::name(cli.value()?)?.to_vec());
                named = true;
            }
            Short('c') => clean = true,
            Short('o') => options = true,
            Short('P') => arguments = true,
            other => return Err(Exit::unexpected(other)),
        }
    }
    if named && (clean || options || arguments) {
        return Err(Exit::usage("-k keeps a variable where all others go: not with -c, -o or -P"));
    }
    let chain = cli.rest()?;
    if clean {
        chain.env.edit(|entry| (!is_execlines(entry.to_bytes())).then_some(entry));
    } else if options || arguments {
        chain.env.edit(|entry| match entry.to_bytes() {
            [b'0'..=b'9' | b'#', ..] if arguments => popped(entry),
            bytes if options && bytes.starts_with(b"ELGETOPT_") => popped(entry),
            _ => Some(entry),
        });
    } else {
        chain.env.edit(|entry| {
            // The first one, which getenv(3) finds.
            let place = kept.iter().position(|name| env::is(entry, name))?;
            let name = kept.swap_remove(place);
            kept.retain(|other| *other != name);
            Some(entry)
        });
    }
    Ok(chain)
}

/// Whether an entry is one that programs of execline set for each other: what `foreground` and the like leave behind,
/// arguments, also those of the scripts further out, which have a `:1` behind their name, options, and the
/// descriptors of `piperw`.
fn is_execlines(entry: &[u8]) -> bool {
    let Some(end) = entry.iter().position(|b| *b == b'=') else { return false };
    let name = &entry[..end];
    let inner = match name.iter().position(|b| *b == b':') {
        Some(colon) if number::<u32>(&name[colon + 1..]).is_some() => &name[..colon],
        _ => name,
    };
    matches!(inner, b"!" | b"?" | b"#")
        || number::<u32>(inner).is_some()
        || name.strip_prefix(b"FD").is_some_and(|fd| number::<u32>(fd).is_some())
        || name.starts_with(b"ELGETOPT_")
        || name.starts_with(b"EXECLINE_")
}

/// What an entry was before execlineb or elgetopt set its own, which puts those that are there a place further out:
/// `1` becomes `1:1`, that becomes `1:2`. `None` for the innermost. See `el_pushenv` of execline.
fn popped(entry: &'static CStr) -> Option<&'static CStr> {
    let bytes = entry.to_bytes();
    let Some(end) = bytes.iter().position(|b| *b == b'=') else { return Some(entry) };
    let (name, value) = bytes.split_at(end);
    let colon = name.iter().position(|b| *b == b':')?;
    let outer = match number::<u32>(&name[colon + 1..]) {
        None | Some(0) => return Some(entry),
        Some(1) => [&name[..colon], value].concat(),
        Some(place) => [&name[..=colon], (place - 1).to_string().as_bytes(), value].concat(),
    };
    // What was one string has no NUL. It is for the exec that follows.
    CString::new(outer).ok().map(|entry| &*Box::leak(entry.into_boxed_c_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variables_of_execline_are_known_by_their_names() {
        for own in [
            "!=1",
            "?=2",
            "#=3",
            "#:1=3",
            "0=x",
            "0:2=x",
            "12=x",
            "FD3=4",
            "ELGETOPT_a=1",
            "ELGETOPT_a:1=1",
            "EXECLINE_STRICT=1",
        ] {
            assert!(is_execlines(own.as_bytes()), "{own}");
        }
        for other in [
            "",
            "junk",
            "1",
            "=1",
            "!x=1",
            "3D=x",
            "1x:1=x",
            "FD=1",
            "FDX=1",
            "FD3x=1",
            "ELGETOPT=1",
            "A:1=2",
            "1:x=1",
        ] {
            assert!(!is_execlines(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn a_variable_comes_back_from_one_place_further_out() {
        for (entry, before) in [
            (c"1=a", None),
            (c"#=", None),
            (c"1:1=a=:1", Some(c"1=a=:1")),
            (c"1:2=", Some(c"1:1=")),
            (c"1:10=a", Some(c"1:9=a")),
            (c"1:0=a", Some(c"1:0=a")),
            (c"1:x=a", Some(c"1:x=a")),
            (c"1:=a", Some(c"1:=a")),
            (c"1:1:1=a", Some(c"1:1:1=a")),
            (c"1", Some(c"1")),
        ] {
            assert_eq!(popped(entry), before, "{entry:?}");
        }
    }
}
