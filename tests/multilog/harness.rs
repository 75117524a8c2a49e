//! One run of a script of actions by either program, and all that it leaves.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;

use crate::support::*;
use crate::svlog::harness::{archives, kind};

/// What a script leaves. Time stamps are all the same.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Left {
    pub(super) status: i32,
    pub(super) stderr: String,
    /// Each log directory by its name.
    pub(super) logs: BTreeMap<String, LogLeft>,
    /// The files of `=`, whose names begin with `st`.
    pub(super) files: BTreeMap<String, String>,
}

/// What is in a log directory.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct LogLeft {
    /// All that is logged.
    pub(super) text: String,
    /// How many archives, by the last letters of their names in their order.
    pub(super) kinds: String,
    /// The bytes of each archive, and of `current`.
    pub(super) sizes: Vec<usize>,
    /// The mode of `current`.
    pub(super) mode: u32,
}

/// A scratch directory, in which scripts run.
pub(super) struct Place {
    pub(super) of: Program,
    pub(super) scratch: tempfile::TempDir,
}

impl Place {
    pub(super) fn new(of: Program) -> Self {
        let scratch = open_directory();
        symlink(bin().join("svlog"), scratch.path().join("multilog")).unwrap();
        Self { of, scratch }
    }

    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// Runs a script, in which `$D` is the directory, to the end of this input.
    pub(super) fn run(&self, script: &[&str], input: &[u8]) -> Left {
        let mut command = self.of.command();
        let directory = self.scratch.path().to_str().unwrap();
        command.args(script.iter().map(|action| action.replace("$D", directory)));
        let stderr = File::create(self.at("stderr")).unwrap();
        command.current_dir(self.scratch.path()).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(stderr);
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let status = thread::scope(|scope| {
            // It may have ended, and read nothing.
            scope.spawn(move || drop(stdin.write_all(input)));
            status_of(&mut child)
        });
        Left { status: status.unwrap(), ..self.left() }
    }

    /// What is there.
    pub(super) fn left(&self) -> Left {
        let (mut logs, mut files) = (BTreeMap::new(), BTreeMap::new());
        look(self.scratch.path(), "", &mut logs, &mut files);
        Left { status: 0, stderr: plain(&text(&self.at("stderr"))), logs, files }
    }
}

fn look(
    directory: &Path,
    name: &str,
    logs: &mut BTreeMap<String, LogLeft>,
    files: &mut BTreeMap<String, String>,
) {
    if directory.join("current").exists() {
        logs.insert(name.to_owned(), LogLeft::look(directory));
    }
    for entry in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap()) {
        let own = entry.file_name().into_string().unwrap();
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            look(&path, &format!("{name}/{own}"), logs, files);
        } else if own.starts_with("st") && own != "state" && own != "stderr" {
            files.insert(own, plain(&text(&path)));
        }
    }
}

impl LogLeft {
    pub(super) fn look(directory: &Path) -> Self {
        let archives = archives(directory);
        let files: Vec<String> = archives.iter().cloned().chain(["current".to_owned()]).collect();
        let texts: Vec<Vec<u8>> = files.iter().map(|name| fs::read(directory.join(name)).unwrap()).collect();
        Self {
            text: plain(&String::from_utf8_lossy(&texts.concat())),
            kinds: archives.iter().map(|name| kind(name)).collect(),
            sizes: texts.iter().map(Vec::len).collect(),
            mode: mode(&directory.join("current")),
        }
    }
}

/// A text in which every time stamp is the same.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("@40000000") {
        let (before, stamp) = rest.split_at(at);
        plain += before;
        let is_stamp = stamp.get(..25).is_some_and(|stamp| stamp[1..].bytes().all(|b| b.is_ascii_hexdigit()));
        let (shown, length) = if is_stamp { ("@TIME", 25) } else { ("@", 1) };
        plain += shown;
        rest = &stamp[length..];
    }
    plain + rest
}

/// What both leave; they must be the same.
#[track_caller]
pub(super) fn same(script: &[&str], input: &[u8]) -> Left {
    let [theirs, ours] = [Multilog, OurMultilog].map(|of| Place::new(of).run(script, input));
    if theirs != ours {
        let [theirs, ours] = [format!("{theirs:#?}"), format!("{ours:#?}")];
        let input = String::from_utf8_lossy(&input[..input.len().min(300)]).into_owned();
        panic!("{script:?} of {input:?}...{}", differences(&theirs, &ours));
    }
    ours
}
