//! The file `needs`: names that no service has, and cycles.

use std::ffi::CString;

use common::shown;
use nix::sys::stat::stat;

use super::Checker;
use super::file::{Dir, Text};
use super::finding::{At, Findings};
use crate::svtree::{Flaw, Graph, need_names};

/// The text of the file `needs` of a service; empty where there is none, or none that can be read.
fn text(dir: &Dir) -> Vec<u8> {
    match dir.text(c"needs") {
        Text::Whole(text) | Text::Beginning(text) => text,
        Text::Unread(_) => Vec::new(), // if it is there, that is a finding already
    }
}

/// The line on which a text has a name.
fn line_of(text: &[u8], name: &[u8]) -> usize {
    1 + text.split(|byte| *byte == b'\n').position(|line| line.trim_ascii() == name).unwrap_or(0)
}

/// The needs of the services of a tree.
#[derive(Default)]
pub(super) struct Needs {
    graph: Graph,
    /// The path of each file, and its text.
    files: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Needs {
    /// Adds a service.
    pub(super) fn add(&mut self, name: &[u8], dir: &Dir) {
        let text = text(dir);
        self.graph.set(self.files.len(), name, need_names(&text));
        self.files.push((dir.at(b"needs"), text));
    }

    /// Reports what would hold a service back.
    pub(super) fn report(mut self, findings: &mut Findings) {
        let Self { graph, files } = &mut self;
        let mut found: Vec<(Vec<u8>, Vec<u8>, String, String)> = Vec::new();
        graph.flaws(|flaw| match flaw {
            Flaw::Unknown { service, need } => {
                let what = format!("there is no service {}", shown(need));
                found.push((
                    service.to_vec(),
                    need.to_vec(),
                    what,
                    "correct the name, or remove the line".into(),
                ));
            }
            Flaw::Itself { service } => {
                let what = "the service needs itself, and never starts".to_owned();
                found.push((service.to_vec(), service.to_vec(), what, "remove the line".into()));
            }
            Flaw::Cycle(names) => {
                let round: Vec<String> =
                    names.iter().chain(names.first()).map(|name| shown(*name).to_string()).collect();
                let what = format!("none of these ever starts: {}", round.join(" -> "));
                let next = names.get(1).or(names.first()).map_or(Vec::new(), |name| name.to_vec());
                let first = names.first().map_or(Vec::new(), |name| name.to_vec());
                found.push((first, next, what, "remove one of these needs".into()));
            }
        });
        for (service, need, what, instead) in found {
            if let Some((path, text)) = graph.find(&service).and_then(|slot| files.get(slot)) {
                findings.error(At::file(path).line(line_of(text, &need)), what, instead);
            }
        }
    }
}

/// Reports needs of a single service that nothing beside it has the name of, nor in SVDIR.
pub(super) fn look(checker: &Checker, dir: &Dir, findings: &mut Findings) {
    let (path, text) = (dir.at(b"needs"), text(dir));
    for need in need_names(&text) {
        let beside = CString::new([b"../", need].concat()).is_ok_and(|path| dir.has(&path));
        let in_svdir = CString::new([&checker.svdir, &b"/"[..], need].concat());
        if !beside && !in_svdir.is_ok_and(|path| stat(&*path).is_ok()) {
            let what = format!("there is no service {} beside it or in SVDIR", shown(need));
            let at = At::file(&path).line(line_of(&text, need));
            findings.warning(at, what, "correct the name, or remove the line");
        }
    }
}
