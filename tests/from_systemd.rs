//! The chapter catena-systemd(7): its directives are those of systemd, the files and links that it names are ours, and its worked
//! example is the one of examples/services.

use std::fs;

use crate::hardening::unknown_to_systemd;
use crate::needs;
use crate::support::*;

/// What Debian's systemd does not know yet.
const NEWER: [&str; 4] = ["LogFilterPatterns", "ReloadSignal", "RestartMaxDelaySec", "RestartSteps"];

/// The programs of others that it names.
const OF_OTHERS: [&str; 19] = [
    "anacron",
    "cron",
    "inotifywait",
    "loginctl",
    "mkfifo",
    "numactl",
    "rm",
    "sleep",
    "su",
    "systemd-run",
    "systemd.exec",
    "systemd.resource-control",
    "systemd.service",
    "systemd.unit",
    "tcpserver",
    "test",
    "timeout",
    "true",
    "service", // a page of ours, as the next chapter of this one
];

/// Names in the example and in explanations that are no files of a service directory.
const NO_FILES: [&str; 5] = ["config", "web", "web.service", "web@", "web@blue"];

/// The words that follow a macro at the beginning of a line or of a list's item, without punctuation.
fn words_of(page: &str, macro_name: &str) -> Vec<String> {
    let starts = [format!(".{macro_name} "), format!(".It {macro_name} ")];
    let rest = |line: &str| starts.iter().find_map(|start| Some(line.strip_prefix(start)?.to_owned()));
    page.lines().filter_map(rest).collect()
}

#[test]
fn each_file_and_each_link_of_the_page_is_there() {
    let page = source("man/catena-systemd.7");
    let formats = source("man/service.5") + &source("man/svtree.8");
    let known: Vec<String> = words_of(&formats, "Pa")
        .iter()
        .flat_map(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>())
        .collect();
    let files = words_of(&page, "Pa");
    let files =
        files.iter().flat_map(|line| line.split(' ')).filter(|word| !matches!(*word, "," | "." | ":" | ";"));
    let mut count = 0;
    for file in files.filter(|file| !file.starts_with('/') && !NO_FILES.contains(file)) {
        count += 1;
        let control = file.strip_prefix("control/").is_some_and(|letter| letter.len() == 1);
        let there = control || known.iter().any(|known| known == file) || file == "examples/services";
        assert!(there, "man/catena-systemd.7: service(5) and svtree(8) have no {file}");
    }
    assert!(count > 50, "{count}");
    let ours = || catena::LINKS.iter().chain(catena::PROGRAMS).map(|link| link.name);
    for reference in words_of(&page, "Xr") {
        let name = reference.split(' ').next().unwrap();
        let there =
            ours().any(|ours| ours == name) || OF_OTHERS.contains(&name) || name.starts_with("catena");
        assert!(there, "man/catena-systemd.7: there is no link or program {name}");
    }
    for name in OF_OTHERS {
        assert!(page.contains(&format!(".Xr {name} ")), "man/catena-systemd.7 does not name {name}");
    }
}

#[test]
fn systemd_knows_every_directive_of_the_page() {
    needs!(tool("systemd-analyze"));
    let page = source("man/catena-systemd.7").replace("\\\n", "");
    let directives: Vec<String> = words_of(&page, "Sy")
        .iter()
        .flat_map(|line| line.split(" , ").map(str::to_owned).collect::<Vec<_>>())
        .filter(|word| word.contains('=') && !word.contains("..."))
        .map(|word| word.split('=').next().unwrap().trim().to_owned())
        .collect();
    assert!(directives.len() > 120, "{directives:?}");
    let unknown = unknown_to_systemd(directives);
    let unknown: Vec<String> = unknown.into_iter().filter(|name| !NEWER.contains(&name.as_str())).collect();
    assert_eq!(unknown, Vec::<String>::new());
}

/// The literal displays of the page, as they are shown.
fn displays(page: &str) -> Vec<String> {
    let parts = page.split(".Bd -literal").skip(1);
    let parts = parts.map(|part| part.split_once('\n').unwrap().1.split(".Ed").next().unwrap());
    parts.map(|part| part.replace("\\e", "\\").replace("\\(aq", "'").replace("    ", "\t")).collect()
}

#[test]
fn the_example_of_the_page_is_that_of_the_tests() {
    let displays = displays(&source("man/catena-systemd.7"));
    assert_eq!(displays[1], source("examples/services/redis/run"));
    assert_eq!(displays[2], source("examples/services/redis/log/run"));
    for file in ["sd-notify", "reload"] {
        assert!(house().join("examples/services/redis").join(file).exists());
    }
}

/// The lines of the page's unit are those of Debian's.
#[test]
fn the_unit_of_the_page_is_that_of_debian() {
    let file = ["/lib", "/usr/lib"].map(|top| format!("{top}/systemd/system/redis-server.service"));
    let unit = file.iter().find_map(|file| fs::read_to_string(file).ok());
    needs!(unit.as_ref().map(|_| ()).ok_or_else(|| "the unit of redis-server".to_owned()));
    let unit = unit.unwrap();
    let shown = displays(&source("man/catena-systemd.7")).remove(0).replace(" \\\n  ", " ");
    for line in shown.lines() {
        assert!(unit.lines().any(|other| other == line), "{line}\n{unit}");
    }
}
