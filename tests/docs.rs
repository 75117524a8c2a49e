//! What is written about the links: every list of them names the same ones, and the pages say what the
//! programs say.

use std::fs::{read_dir, read_to_string};
use std::path::{Path, PathBuf};

use crate::needs;
use crate::support::*;

/// Modules of the tests that belong to no single link.
const OF_ALL_LINKS: [&str; 10] = [
    "all_or_nothing",
    "common_rules",
    "docs",
    "handover",
    "interop",
    "main",
    "multicall",
    "reference",
    "support",
    "transparency",
];

/// The sections of a page, in their order; the bracketed ones may be missing.
const SECTIONS: [&str; 11] = [
    "NAME",
    "SYNOPSIS",
    "DESCRIPTION",
    "ENVIRONMENT",
    "[FILES]",
    "EXIT STATUS",
    "EXAMPLES",
    "COMPATIBILITY",
    "SEE ALSO",
    "[CAVEATS]",
    "[SECURITY CONSIDERATIONS]",
];

fn house() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(file: impl AsRef<Path>) -> String {
    let file = house().join(file);
    read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The names of the links, sorted.
fn names() -> Vec<String> {
    sorted(catena::LINKS.iter().map(|link| link.name.to_owned()).collect())
}

/// The names of the programs: the links, and the one that holds them all.
fn programs() -> Vec<String> {
    sorted([names(), vec!["catena".to_owned()]].concat())
}

/// The names of the links as names of modules.
fn modules() -> Vec<String> {
    sorted(names().into_iter().map(|name| name.replace('-', "_")).collect())
}

fn sorted(mut list: Vec<String>) -> Vec<String> {
    list.sort();
    list
}

/// The files in a folder that end in `ending`, without it.
fn files(folder: &str, ending: &str) -> Vec<String> {
    let entries = read_dir(house().join(folder)).unwrap().map(|entry| entry.unwrap().file_name());
    let names = entries.filter_map(|name| Some(name.to_str().unwrap().strip_suffix(ending)?.to_owned()));
    sorted(names.collect())
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
    let mut mandoc = prepared("mandoc");
    let outcome = run(mandoc.args(["-Tascii", "-O", &format!("width={width}")]).arg(page));
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
    house().join("man").join(format!("{name}.1"))
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
    section.unwrap_or_else(|| panic!("{name}.1 has no {heading}")).1
}

/// The options of the list in a page's source, as `-t seconds`.
fn options(page: &str) -> Vec<String> {
    let items = page.lines().filter_map(|line| line.strip_prefix(".It Fl "));
    items.map(|item| format!("-{}", item.replace(" Ar ", " "))).collect()
}

#[test]
fn every_list_of_the_links_names_the_same_ones() {
    let mut parts = modules();
    parts.push("lib".to_owned());
    assert_eq!(files("bins", ".rs"), sorted(parts), "bins/");
    assert_eq!(files("bins/main", ".rs"), programs(), "bins/main/");
    assert_eq!(files("man", ".1"), programs(), "man/");

    let manifest = text("Cargo.toml");
    let bins: Vec<&str> = manifest.split("[[bin]]\n").skip(1).collect();
    let bins: Vec<String> = bins.iter().flat_map(|bin| bin.lines().take(2)).map(str::to_owned).collect();
    let expected = programs()
        .into_iter()
        .flat_map(|name| [format!("name = \"{name}\""), format!("path = \"bins/main/{name}.rs\"")]);
    assert_eq!(bins, expected.collect::<Vec<_>>(), "[[bin]] of Cargo.toml");

    let tests: Vec<String> =
        files("tests", ".rs").into_iter().filter(|name| !OF_ALL_LINKS.contains(&name.as_str())).collect();
    assert_eq!(tests, modules(), "tests/");
    let compiled = between(&text("tests/main.rs"), "mod ", ";");
    assert_eq!(sorted([compiled, vec!["main".to_owned()]].concat()), files("tests", ".rs"), "tests/main.rs");
}

#[test]
fn every_shim_is_of_its_own_link() {
    for name in names() {
        let shim = text(format!("bins/main/{name}.rs"));
        let module = name.replace('-', "_");
        let expected = format!(
            "#![cfg_attr(not(test), no_main)]\n//! The program `{name}`.\ncommon::main!(catena::{module}::LINK);\n"
        );
        assert_eq!(shim, expected);
    }
}

#[test]
fn the_readme_has_one_row_for_each_link() {
    let readme = text("README.md");
    assert_eq!(sorted(between(&readme, "| [`", "`](man/")), names());
    for name in names() {
        assert_eq!(between(&readme, &format!("| [`{name}`](man/{name}.1) | "), " |").len(), 1, "{name}");
    }
}

#[test]
fn the_overview_lists_each_link() {
    assert_eq!(between(&text("man/catena.7"), ".It Xr ", " 1"), names());
}

#[test]
fn the_page_and_help_say_the_same() {
    needs!(tool("mandoc"));
    for name in names() {
        let help = run(link(&name).arg("--help"));
        assert_eq!((help.status, help.stderr.as_str()), (0, ""), "{name}");
        let mut lines = help.stdout.lines();
        let usage = lines.next().unwrap();
        assert_eq!(usage, format!("usage: {}", section(&name, "SYNOPSIS")));
        assert_eq!(section(&name, "NAME"), format!("{name} - {}", lines.next().unwrap()));
        let options: Vec<String> =
            lines.map(|line| line.trim_start().split("  ").next().unwrap().to_owned()).collect();
        assert_eq!(options, self::options(&text(page(&name))), "{name}");
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
fn every_page_of_a_link_has_its_sections_in_order() {
    needs!(tool("mandoc"));
    for name in names() {
        let shown = shown(&page(&name), 80);
        assert!(shown.starts_with(&format!("{}(1) ", name.to_uppercase())), "{name}");
        let headings: Vec<String> = sections(&shown).into_iter().map(|section| section.0).collect();
        let expected = SECTIONS.iter().filter_map(|section| match section.strip_prefix('[') {
            None => Some((*section).to_owned()),
            Some(_) => Some(section[1..section.len() - 1].to_owned()).filter(|name| headings.contains(name)),
        });
        assert_eq!(headings, expected.collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn every_page_of_a_link_names_its_statuses() {
    for name in names() {
        let page = text(page(&name));
        let section = page.split(".Sh EXIT STATUS\n").nth(1).unwrap().split(".Sh ").next().unwrap();
        let statuses: Vec<&str> = section.lines().filter_map(|line| line.strip_prefix(".It ")).collect();
        let expected: &[&str] = match name.as_str() {
            "setlock" => &["0", "100", "111", "126", "127"],
            "pidlock" => &["0", "100", "111", "126", "127", "0", "1", "100", "111"],
            _ => &["100", "111", "126", "127"],
        };
        assert_eq!(statuses, expected, "{name}");
        assert!(section.starts_with("The status is that of\n.Ar prog ,\nunless"), "{name}");
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

#[test]
fn references_to_our_pages_name_their_section() {
    let sections = |name: &str| match name {
        "catena" => Some("17"), // the program and the overview
        name => names().iter().any(|link| link == name).then_some("1"),
    };
    for page in pages() {
        for line in text(&page).lines() {
            let Some(reference) = line.strip_prefix(".It Xr ").or(line.strip_prefix(".Xr ")) else {
                continue;
            };
            let [name, number] = reference.split(' ').take(2).collect::<Vec<_>>()[..] else {
                panic!("{line}")
            };
            // A system call may have the name of a link.
            assert!(
                number == "2" || sections(name).is_none_or(|sections| sections.contains(number)),
                "{line}"
            );
        }
    }
}

#[test]
fn the_changelog_knows_this_version() {
    let version = env!("CARGO_PKG_VERSION");
    let changelog = text("CHANGELOG.md");
    let heading =
        |line: &str| line.starts_with("## ") && (line.contains(version) || line.contains("Unreleased"));
    assert!(changelog.lines().any(heading), "no section for {version}");
}
