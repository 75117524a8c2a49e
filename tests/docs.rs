//! What is written about the programs: every list of them names the same ones, and the pages say what the
//! programs say.

use std::fs::read_dir;
use std::path::{Path, PathBuf};

use common::Link;

use crate::needs;
use crate::support::*;

mod completions;
mod html;

/// Modules of the tests that belong to no single program.
const OF_NO_PROGRAM: [&str; 18] = [
    "accounts",
    "all_or_nothing",
    "chpst_beside_runit",
    "common_rules",
    "corpus",
    "docs",
    "examples",
    "from_systemd",
    "handover",
    "hardening",
    "interop",
    "main",
    "multicall",
    "packaging",
    "reference",
    "shortage",
    "support",
    "transparency",
];

/// Names that programs are called by too, with a page and tests of their own.
const OTHER_NAMES: [&str; 1] = ["multilog"];

/// Modules of bins/ that are no programs.
const OF_NO_PROGRAM_IN_BINS: [&str; 2] = ["lib", "supervise"];

/// The sections of a page, in their order; the bracketed ones may be missing.
const SECTIONS: [&str; 14] = [
    "NAME",
    "SYNOPSIS",
    "DESCRIPTION",
    "[CONTAINERS]",
    "ENVIRONMENT",
    "[FILES]",
    "EXIT STATUS",
    "EXAMPLES",
    "[DIAGNOSTICS]",
    "[COMING FROM]",
    "COMPATIBILITY",
    "SEE ALSO",
    "[CAVEATS]",
    "[SECURITY CONSIDERATIONS]",
];

/// The names of the links, sorted.
fn names() -> Vec<String> {
    sorted(catena::LINKS.iter().map(|link| link.name.to_owned()).collect())
}

/// The names of the programs that are no links, sorted.
fn others() -> Vec<String> {
    sorted(catena::PROGRAMS.iter().map(|program| program.name.to_owned()).collect())
}

/// The names of those programs that are a command of svctl: `svctl log` executes svctl-log. Each is a part of svctl.
fn commands_of_svctl() -> Vec<String> {
    others().into_iter().filter(|name| name.starts_with("svctl-")).collect()
}

/// The names of all programs: the links, the one that holds them all, and the others.
fn programs() -> Vec<String> {
    sorted([names(), others(), vec!["catena".to_owned()]].concat())
}

/// The name of a program's module, which has no part of another's name.
fn module_of(name: &str) -> String {
    if name == "catena-explain" { "explain".to_owned() } else { name.to_owned() }
}

/// The links and the other programs, whose pages are written by the same rules.
fn described() -> impl Iterator<Item = &'static Link> {
    catena::LINKS.iter().chain(catena::PROGRAMS)
}

/// The section of a program's page: 8 for what lives on, for what writes the system's own records, and for what has
/// its page there as long as it exists; 1 for all others.
fn section_of(name: &str) -> &'static str {
    if ["chpst", "multilog", "sissylog", "svlog", "svrun", "svtree", "utmpset"].contains(&name) {
        "8"
    } else {
        "1"
    }
}

/// The names of the programs whose page is in this section.
fn in_section(section: &str) -> Vec<String> {
    let names = sorted([programs(), OTHER_NAMES.map(str::to_owned).to_vec()].concat());
    names.into_iter().filter(|name| section_of(name) == section).collect()
}

/// The names of the links as names of modules.
fn modules() -> Vec<String> {
    sorted(names().into_iter().map(|name| name.replace('-', "_")).collect())
}

fn sorted(mut list: Vec<String>) -> Vec<String> {
    list.sort();
    list
}

/// The files in a directory that end in `ending`, without it.
fn files(directory: &str, ending: &str) -> Vec<String> {
    let entries = read_dir(house().join(directory)).unwrap().map(|entry| entry.unwrap().file_name());
    let names = entries.filter_map(|name| Some(name.to_str().unwrap().strip_suffix(ending)?.to_owned()));
    sorted(names.collect())
}

/// The modules in a directory; there is no `mod.rs`.
fn modules_in(directory: &str) -> Vec<String> {
    let entries = read_dir(house().join(directory)).unwrap().map(|entry| entry.unwrap().path());
    let other: Vec<PathBuf> = entries.map(|path| path.join("mod.rs")).filter(|path| path.exists()).collect();
    assert_eq!(other, Vec::<PathBuf>::new(), "a module in several files is X.rs with its parts in X/");
    files(directory, ".rs")
}

/// What stands between `before` and `after` in each line that has both, in that order.
fn between(text: &str, before: &str, after: &str) -> Vec<String> {
    let lines = text.lines().filter_map(|line| Some(line.strip_prefix(before)?.split_once(after)?.0));
    lines.map(str::to_owned).collect()
}

fn pages() -> Vec<PathBuf> {
    let pages = read_dir(house().join("man")).unwrap().map(|entry| entry.unwrap().path());
    pages.collect()
}

/// A page as a terminal of this width shows it, without its header and footer. mandoc writes a bold x as
/// x, backspace, x.
fn shown(page: &Path, width: u32) -> String {
    shown_in("ascii", page, width)
}

fn shown_in(characters: &str, page: &Path, width: u32) -> String {
    let mut mandoc = prepared("mandoc");
    let outcome = run(mandoc.args(["-T", characters, "-O", &format!("width={width}")]).arg(page));
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""), "{}", page.display());
    let mut shown = String::new();
    for character in outcome.stdout.chars() {
        match character {
            '\u{8}' => drop(shown.pop()),
            other => shown.push(other),
        }
    }
    shown
}

fn page(name: &str) -> PathBuf {
    house().join("man").join(format!("{name}.{}", section_of(name)))
}

/// The sections of a shown page: the heading, and its text with single blanks.
fn sections(shown: &str) -> Vec<(String, String)> {
    let mut sections: Vec<(String, String)> = Vec::new();
    let lines: Vec<&str> = shown.lines().filter(|line| !line.is_empty()).collect();
    for line in &lines[1..lines.len() - 1] {
        if line.starts_with(' ') {
            let (_, text) = sections.last_mut().unwrap();
            for word in line.split_whitespace() {
                if !text.is_empty() {
                    text.push(' ');
                }
                text.push_str(word);
            }
        } else {
            sections.push(((*line).to_owned(), String::new()));
        }
    }
    sections
}

fn section(name: &str, heading: &str) -> String {
    let sections = sections(&shown(&page(name), 80));
    let section = sections.into_iter().find(|section| section.0 == heading);
    section.unwrap_or_else(|| panic!("the page of {name} has no {heading}")).1
}

/// The options of the list in a page's source, as `-t seconds`.
fn options(page: &str) -> Vec<String> {
    let items = page.lines().filter_map(|line| line.strip_prefix(".It Fl "));
    items.map(|item| format!("-{}", item.replace(" Ar ", " "))).collect()
}

/// That a list in `file` is as expected; else the message says what to do there.
fn same(file: &str, list: &[String], expected: &[String], edit: &str) {
    let without = |all: &[String], these: &[String]| -> Vec<String> {
        all.iter().filter(|item| !these.contains(item)).cloned().collect()
    };
    let (missing, too_many) = (without(expected, list), without(list, expected));
    assert!(
        missing.is_empty() && too_many.is_empty(),
        "{file}: {edit}; missing: {missing:?}, too many: {too_many:?}"
    );
    assert!(list == expected, "{file}: {edit}, each once and in this order: {expected:?}");
}

#[test]
fn every_list_of_the_programs_names_the_same_ones() {
    let parts: Vec<String> = modules_in("bins")
        .into_iter()
        .filter(|name| !OF_NO_PROGRAM_IN_BINS.contains(&name.as_str()))
        .collect();
    let alone = others().into_iter().filter(|name| !commands_of_svctl().contains(name));
    let alone = alone.map(|name| module_of(&name));
    let of_programs = sorted([modules(), alone.collect()].concat());
    for name in commands_of_svctl() {
        let file = format!("bins/{}.rs", name.replace('-', "/"));
        assert!(house().join(&file).exists(), "{file}: the module of {name}");
    }
    same(
        "bins/",
        &parts,
        &of_programs,
        "a file for each program, `pub mod` and a row of a table in bins/lib.rs",
    );
    same("bins/main/", &files("bins/main", ".rs"), &programs(), "a shim for each program");
    same("man/", &files("man", ".1"), &in_section("1"), "a page for each program");
    same(
        "man/",
        &files("man", ".8"),
        &in_section("8"),
        "a page for each program, see section_of in tests/docs.rs",
    );
    same("man/", &files("man", ".5"), &["service".to_owned()], "the page of the formats");
    same(
        "man/",
        &files("man", ".7"),
        &["catena", "catena-hardening", "catena-systemd"].map(str::to_owned),
        "the overviews",
    );

    let modules_of_tests = modules_in("tests");
    let no_program = [&OF_NO_PROGRAM[..], &OTHER_NAMES].concat();
    let with_tests = modules_of_tests.iter().filter(|name| !no_program.contains(&name.as_str()));
    // What has too many tests for one file has several, which begin with its name.
    let of_others = |name: &str| {
        others().into_iter().find(|other| name.strip_prefix(other.as_str()).is_some_and(begins_a_part))
    };
    let mut tests: Vec<String> =
        with_tests.map(|name| of_others(name).unwrap_or_else(|| name.to_owned())).collect();
    tests.sort();
    tests.dedup();
    same(
        "tests/",
        &tests,
        &of_programs,
        "a module for each program, or its name in OF_NO_PROGRAM of tests/docs.rs",
    );
    let compiled = between(&source("tests/main.rs"), "mod ", ";");
    let compiled = sorted([compiled, vec!["main".to_owned()]].concat());
    same("tests/main.rs", &compiled, &modules_of_tests, "`mod` for each module");
}

#[test]
fn the_manifest_has_each_program_and_the_makefile_those_that_have_a_base_tools_name() {
    let manifest = source("Cargo.toml");
    let bins = || manifest.split("[[bin]]\n").skip(1);
    let found: Vec<String> = bins().map(|bin| bin.lines().take(3).collect::<Vec<_>>().join(", ")).collect();
    let bin = |name: String| format!("name = \"{name}\", path = \"bins/main/{name}.rs\", test = false");
    let expected: Vec<String> = programs().into_iter().map(bin).collect();
    same("Cargo.toml", &found, &expected, "a [[bin]] for each program, in order");
    let apart = bins().filter(|bin| bin.contains("required-features = [\"base-names\"]"));
    let apart = apart.map(|bin| bin.split('"').nth(1).unwrap().to_owned()).collect::<Vec<_>>();
    let makefile = source("Makefile");
    let base = makefile.lines().find_map(|line| line.strip_prefix("BASE = ")).unwrap();
    let base: Vec<String> = base.split(' ').map(str::to_owned).collect();
    same("Makefile", &base, &apart, "in BASE the names with required-features in Cargo.toml");
    let (readme, overview) = (source("README.md"), source("man/catena.7"));
    let line = readme.lines().find(|line| line.starts_with("The base system has a `")).unwrap();
    let named: Vec<String> =
        line.split_once(" too,").unwrap().0.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    same("README.md", &named, &base, "in `The base system has` the names in BASE of the Makefile");
    let paged = between(&overview, ".Sy catena-", " Ns (1)");
    same("man/catena.7", &paged, &base, "in EXAMPLES the names in BASE of the Makefile, and their pages");
}

/// Whether this follows a program's name in the name of a module of its tests.
fn begins_a_part(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('_')
}

#[test]
fn every_shim_is_of_its_own_program() {
    for name in names() {
        let shim = source(format!("bins/main/{name}.rs"));
        let module = name.replace('-', "_");
        let expected = format!(
            "#![cfg_attr(not(test), no_main)]\n//! The program `{name}`.\ncommon::main!(catena::{module}::LINK);\n"
        );
        assert_eq!(shim, expected, "bins/main/{name}.rs");
    }
    for name in others() {
        let shim = source(format!("bins/main/{name}.rs"));
        // These allocate at their start alone, as a link does.
        let allocator = match &*name {
            "catena-explain" | "pause" | "state" | "svrun" | "svlog" => "",
            "svctl" | "svctl-list" => "pool ",
            _ => "malloc ",
        };
        let module = module_of(&name).replace('-', "::");
        let expected = format!(
            "#![cfg_attr(not(test), no_main)]\n//! The program `{name}`.\ncommon::main!({allocator}catena::{module}::PROGRAM);\n"
        );
        assert_eq!(shim, expected, "bins/main/{name}.rs");
    }
}

#[test]
fn the_readme_has_one_row_for_each_program() {
    let readme = source("README.md");
    same(
        "README.md",
        &between(&readme, "| [`", "`](man/"),
        &[names(), others()].concat(),
        "a row for each program",
    );
    for Link { name, .. } in described() {
        let row = format!("| [`{name}`](man/{name}.{}) | ", section_of(name));
        assert_eq!(
            between(&readme, &row, " |").len(),
            1,
            "README.md: a row with the page and what {name} does"
        );
    }
}

#[test]
fn the_overview_lists_each_program() {
    let with_section = |name: String| format!("{name} {}", section_of(&name));
    let expected: Vec<String> = [names(), others()].concat().into_iter().map(with_section).collect();
    let page = source("man/catena.7");
    let listed = page.lines().filter_map(|line| line.strip_prefix(".It Xr ")).map(str::to_owned);
    same("man/catena.7", &listed.collect::<Vec<_>>(), &expected, "an `.It Xr` for each program");
}

/// What execline has beside what changes a process: its language.
const LANGUAGE_OF_EXECLINE: [&str; 30] = [
    "background",
    "backtick",
    "case",
    "define",
    "dollarat",
    "elgetopt",
    "elgetpositionals",
    "elglob",
    "eltest",
    "execline-cd", // cd and umask have several names
    "execline-umask",
    "execlineb",
    "exit",
    "forbacktickx",
    "foreground",
    "forstdin",
    "forx",
    "if",
    "ifelse",
    "ifte",
    "ifthenelse",
    "importas",
    "loopwhilex",
    "multidefine",
    "multisubstitute",
    "posix-cd",
    "posix-umask",
    "runblock",
    "shift",
    "tryexec",
];

/// The rows of the overview's table of the programs of `peer`: their names, and the words for what is here.
fn table_of(peer: &str) -> Vec<(Vec<String>, Vec<String>)> {
    let page = source("man/catena.7");
    let table =
        page.split(&format!(".It Sy {peer} Ta Sy catena ")).nth(1).unwrap_or_else(|| panic!("{peer}"));
    let rows = table.split("\n.El").next().unwrap().lines().filter_map(|line| line.strip_prefix(".It "));
    let words =
        |cell: &str| cell.split([' ', ',']).filter(|word| !word.is_empty()).map(str::to_owned).collect();
    let rows = rows.map(|row| row.split(" Ta").collect::<Vec<_>>());
    rows.map(|cells| (words(cells[0]), words(cells[1]))).collect()
}

#[test]
fn the_tables_of_peers_name_programs_that_there_are() {
    for peer in ["perp", "nosh", "execline", "s6"] {
        let rows = table_of(peer);
        assert!(rows.len() > 10, "{peer}");
        for (_, ours) in &rows {
            for word in ours {
                let there = programs().contains(word) || word.starts_with(['-', '\\']);
                assert!(there, "man/catena.7, the table of {peer}: there is no {word}");
            }
        }
        let theirs: Vec<&str> = rows.iter().map(|(theirs, _)| theirs[0].as_str()).collect();
        assert!(theirs.is_sorted(), "man/catena.7: the table of {peer} in the order of names: {theirs:?}");
    }
}

#[test]
fn the_table_of_execline_is_complete_and_that_of_s6_names_what_it_has() {
    let execline = Path::new("/usr/lib/execline/bin");
    needs!(tool("s6-setuidgid"), if execline.exists() { Ok(()) } else { Err("execline".to_owned()) });
    let listed: Vec<String> = table_of("execline").into_iter().flat_map(|(theirs, _)| theirs).collect();
    for entry in read_dir(execline).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(listed.contains(&name) || LANGUAGE_OF_EXECLINE.contains(&&*name), "man/catena.7: {name}");
    }
    for name in listed.iter().filter(|word| !word.starts_with('-')) {
        assert!(execline.join(name).exists(), "man/catena.7: execline has no {name}");
    }
    for (theirs, _) in table_of("s6") {
        // Of s6-linux-utils and s6-networking, which Debian has not.
        if !["s6-chroot", "s6-tcpserver-socketbinder"].contains(&&*theirs[0]) {
            assert_eq!(tool(&theirs[0]), Ok(()), "man/catena.7");
        }
    }
}

#[test]
fn the_page_and_help_say_the_same() {
    needs!(tool("mandoc"));
    for Link { name, .. } in described() {
        let help = run(link(name).arg("--help"));
        assert_eq!((help.status, help.stderr.as_str()), (0, ""), "{name}");
        let mut lines = help.stdout.lines();
        let usage = lines.next().unwrap();
        let page_of = page(name).display().to_string();
        assert_eq!(usage, format!("usage: {}", section(name, "SYNOPSIS")), "{page_of}: SYNOPSIS");
        assert_eq!(section(name, "NAME"), format!("{name} - {}", lines.next().unwrap()), "{page_of}: NAME");
        let options: Vec<String> =
            // Commands, if it has any, come after the options.
            lines.take_while(|line| *line != "commands:").map(|line| line.trim_start().split("  ").next().unwrap().to_owned()).collect();
        same(
            &page_of,
            &self::options(&source(page(name))),
            &options,
            "an `.It Fl` for each option of --help",
        );
        let letters: String =
            usage.split([' ', '[', ']', '|']).filter_map(|word| word.strip_prefix('-')).collect();
        for option in options {
            assert!(letters.contains(&option[1..2]), "{usage}: {option}");
        }
    }
}

#[test]
fn every_page_is_clean() {
    needs!(tool("mandoc"));
    for page in pages() {
        assert_eq!(run(prepared("mandoc").args(["-Tlint", "-Wwarning"]).arg(page)), prints(""));
    }
}

#[test]
fn every_page_of_a_program_has_its_sections_in_order() {
    needs!(tool("mandoc"));
    for name in described().map(|link| link.name).chain(OTHER_NAMES) {
        let shown = shown(&page(name), 80);
        assert!(shown.starts_with(&format!("{}({}) ", name.to_uppercase(), section_of(name))), "{name}");
        let headings: Vec<String> = sections(&shown).into_iter().map(|section| section.0).collect();
        let expected = SECTIONS.iter().filter_map(|section| match section.strip_prefix('[') {
            None => Some((*section).to_owned()),
            Some(_) => Some(section[1..section.len() - 1].to_owned()).filter(|name| headings.contains(name)),
        });
        same(
            &page(name).display().to_string(),
            &headings,
            &expected.collect::<Vec<_>>(),
            "sections in order",
        );
    }
}

#[test]
fn the_page_of_the_formats_has_its_sections_in_order() {
    needs!(tool("mandoc"));
    let shown = shown(&house().join("man/service.5"), 80);
    assert!(shown.starts_with("SERVICE(5) "), "{shown}");
    let headings: Vec<String> = sections(&shown).into_iter().map(|section| section.0).collect();
    let of_a_program = [
        "SYNOPSIS",
        "[CONTAINERS]",
        "ENVIRONMENT",
        "[FILES]",
        "EXIT STATUS",
        "[DIAGNOSTICS]",
        "[COMING FROM]",
    ];
    let expected = SECTIONS.iter().filter(|section| !of_a_program.contains(section));
    assert_eq!(headings, expected.map(|section| section.trim_matches(['[', ']'])).collect::<Vec<_>>());
}

#[test]
fn every_page_of_a_program_names_its_statuses() {
    for Link { name, .. } in described() {
        let page_of = page(name).display().to_string();
        let page = source(page(name));
        let section = page.split(".Sh EXIT STATUS\n").nth(1).unwrap().split(".Sh ").next().unwrap();
        let statuses: Vec<&str> = section.lines().filter_map(|line| line.strip_prefix(".It ")).collect();
        let expected: &[&str] = match *name {
            "catena-explain" | "setlock" | "state" => &["0", "100", "111", "126", "127"],
            "pidlock" => &["0", "100", "111", "126", "127", "0", "1", "100", "111"],
            "svrun" => &["0", "100", "111", "1"],
            "svtree" => &["0", "1", "100", "111", "0", "1", "100", "111"],
            "pause" | "svlog" | "sissylog" | "tai64n" | "tai64nlocal" | "utmpset" => &["0", "100", "111"],
            name if name.starts_with("svctl") => &statuses, // a count of services is among them
            _ => &["100", "111", "126", "127"],
        };
        assert_eq!(statuses, expected, "{page_of}: EXIT STATUS");
        if others().iter().all(|other| other != name) {
            let program = if *name == "argv0" { "realprog" } else { "prog" };
            assert!(
                section.starts_with(&format!("The status is that of\n.Ar {program} ,\nunless")),
                "{page_of}: EXIT STATUS"
            );
        } else {
            assert!(["0", "100"].iter().all(|status| statuses.contains(status)), "{name}: {statuses:?}");
        }
    }
}

#[test]
fn no_page_is_wider_than_a_terminal() {
    needs!(tool("mandoc"));
    for page in pages() {
        for line in shown(&page, 80).lines() {
            assert!(line.chars().count() <= 80, "{}: {line}", page.display());
        }
    }
}

/// A word of a heading that is a macro, as An or No, is not.
#[test]
fn every_heading_is_shown_whole() {
    needs!(tool("mandoc"));
    for page in pages() {
        let shown = shown(&page, 80);
        for heading in source(&page).lines().filter_map(|line| line.strip_prefix(".Ss ")) {
            let heading = heading.replace("\\&", "");
            assert!(shown.lines().any(|line| line.trim() == heading), "{}: {heading}", page.display());
        }
    }
}

#[test]
fn references_to_our_pages_name_their_section() {
    let sections = |name: &str| match name {
        "catena" => Some("17"), // the program and the overview
        "catena-hardening" | "catena-systemd" => Some("7"),
        "service" => Some("5"),
        name => programs().iter().any(|program| program == name).then(|| section_of(name)),
    };
    for page in pages() {
        for line in source(&page).lines() {
            let Some(reference) = line.strip_prefix(".It Xr ").or(line.strip_prefix(".Xr ")) else {
                continue;
            };
            let [name, number] = reference.split(' ').take(2).collect::<Vec<_>>()[..] else {
                panic!("{line}")
            };
            // A system call may have the name of a program.
            assert!(
                number == "2" || sections(name).is_none_or(|sections| sections.contains(number)),
                "{line}"
            );
        }
    }
}

#[test]
fn the_changelog_agrees_on_the_version() {
    let version = format!("{}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(run(&mut prepared(house().join("scripts/version"))), prints(version));
}

/// But for those of any X.
#[test]
fn hacking_names_files_that_exist() {
    for word in source("HACKING.md").split('`').skip(1).step_by(2) {
        let is_path = word.contains('/') && !word.contains([' ', '…', '$']) && !word.contains('X');
        if is_path && !word.starts_with('/') {
            assert!(house().join(word).exists(), "HACKING.md: there is no {word}");
        }
    }
}
