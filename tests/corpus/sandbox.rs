//! The sandboxes: a root directory with the programs of one side, base tools, stand-ins and service directories.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use super::*;

/// Whose programs the scripts find.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Programs {
    Theirs,
    /// Each link a program of its own.
    Ours,
    /// All links in one.
    OursInOne,
}

/// The peers' programs that scripts call.
const PEERS: &str = "chpst runsv sv svlogd utmpset
    envdir envuidgid fghack multilog pgrphack setlock setuidgid softlimit supervise svc svok svstat tai64n tai64nlocal";

/// What the sandboxes need of the machine.
pub(super) fn peers() -> Result<(), String> {
    mounts()?;
    PEERS.split_whitespace().try_for_each(|name| peer(name).map(drop))
}

/// Their names that lead to programs of ours with another name.
const NAMES: &[(&str, &str)] = &[
    ("multilog", "svlog"),
    ("runsv", "svrun"),
    ("sv", "svctl"),
    ("svc", "svctl-svc"),
    ("svlogd", "svlog"),
    ("svok", "svctl-svc"),
    ("svstat", "svctl-svc"),
    ("svwaitup", "svctl-svc"),
    ("vlogger", "sissylog"),
];

/// What Debian's packages of the peers lack: Void's vlogger, which reads its name from the directory, and the program
/// of runit 1.3 of which sv check is the successor.
const STAND_INS: &[(&str, &str)] = &[
    ("vlogger", "#!/bin/sh\nservice=${PWD%/log}\nexec logger -t \"${service##*/}\" -p daemon.notice\n"),
    ("svwaitup", "#!/bin/sh\n[ \"$1\" = -s ] && sleep \"$2\" && exec sv -w 60 check \"$3\"\n"),
];

/// Does all scenarios, and returns what is left, or those that did not come to their end.
pub(super) fn run_in_sandbox(programs: Programs) -> Result<Facts, String> {
    let scratch = open_directory();
    let root = scratch.path().join("root");
    for directory in ["etc", "usr/local/bin", "dev", "run"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    let directories = match programs {
        Programs::Theirs => copy_theirs(&root),
        Programs::Ours => link_ours(&root, |link| link),
        Programs::OursInOne => link_ours(&root, |_| "catena"),
    };
    write_settings(&root);
    let copy = "cp -R \"$1\" \"$0/etc/sv\" && for service in \"$0\"/etc/sv/*; do : >\"$service/down\"; done";
    assert_eq!(run(sh(copy).arg(&root).arg(services())), prints(""));
    fs::write(root.join("run/utmp"), facts::utmp()).unwrap();
    let messages = UnixDatagram::bind(root.join("dev/log")).unwrap();

    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut command = prepared("unshare");
    command.args(["--mount", "--pid", "--fork", "--kill-child", "sh"]);
    command
        .arg(here.join("sandbox.sh"))
        .arg(&root)
        .arg(example("daemon"))
        .arg(example("pose"))
        .args(directories);
    let errors = fs::File::create(scratch.path().join("errors")).unwrap();
    command.stdout(errors.try_clone().unwrap()).stderr(errors);
    let mut child = command.spawn().unwrap();
    // Many services share a machine that may be busy: they have more time than one.
    let status = (0..3).find_map(|_| status_of(&mut child));
    let _ = child.kill(); // it has ended, or has taken too long
    let _ = child.wait();
    let errors = text(&scratch.path().join("errors"));
    if (status, &*errors) != (Some(0), "") {
        return Err(format!("{programs:?}: {status:?} {errors}{}", facts::incomplete(&root)));
    }
    if programs != Programs::Theirs {
        assert_no_peer(&root);
    }
    messages.set_nonblocking(true).unwrap();
    let mut buffer = [0; 2048];
    let mut received = Vec::new();
    while let Ok(length) = messages.recv(&mut buffer) {
        received.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
    }
    Ok(facts::of(&root, &received))
}

/// Puts links to our programs into PATH, and returns the directories to which they lead; `program` is the file of
/// a link.
fn link_ours(root: &Path, program: fn(&'static str) -> &'static str) -> Vec<PathBuf> {
    let links = catena::LINKS.iter().map(|link| (link.name, program(link.name)));
    let others = catena::PROGRAMS.iter().map(|program| (program.name, program.name));
    let mut directories: Vec<PathBuf> = Vec::new();
    for (name, program) in links.chain(others).chain(NAMES.iter().copied()) {
        let file = crate::support::program(program).canonicalize().unwrap();
        let directory = file.parent().unwrap().to_owned();
        let known = directories.iter().position(|other| *other == directory).unwrap_or_else(|| {
            directories.push(directory);
            directories.len() - 1
        });
        let place = format!("/opt/{}/{}", known + 1, file.file_name().unwrap().to_str().unwrap());
        symlink(place, root.join("usr/local/bin").join(name)).unwrap();
    }
    directories
}

/// Asserts that no program of a peer was there to be executed: by what the files are, not by their names.
fn assert_no_peer(root: &Path) {
    let programs = |directory: &Path| -> Vec<PathBuf> {
        fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
    };
    let of_peer = |file: &PathBuf| {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        PEERS.split_whitespace().any(|peer| peer == name)
            || name.starts_with("s6-")
            || name.contains("execline")
    };
    let directories = ["/usr/bin", "/usr/sbin", "/bin", "/sbin", "/usr/local/bin", "/usr/lib/execline/bin"];
    let peers: Vec<PathBuf> =
        directories.iter().flat_map(|place| programs(Path::new(place))).filter(of_peer).collect();
    let peers: Vec<Vec<u8>> =
        peers.iter().filter(|file| !file.starts_with(bin())).flat_map(fs::read).collect();
    for place in ["usr/bin", "usr/local/bin", "usr/local/sbin", "usr/local/tools", "usr/local/libexec"] {
        for file in programs(&root.join(place)) {
            // A link leads to a program of ours in a directory that is mounted no more, or to another of these.
            if let (false, Ok(content)) = (file.is_symlink(), fs::read(&file)) {
                assert!(!peers.contains(&content), "{}", file.display());
            }
        }
    }
}

fn copy_theirs(root: &Path) -> Vec<PathBuf> {
    for name in PEERS.split_whitespace() {
        let file = peer(name).unwrap();
        install(Path::new(&file), &root.join("usr/local/bin").join(name));
    }
    for (name, text) in STAND_INS {
        script(&root.join("usr/local/bin").join(name), text);
    }
    Vec::new()
}

fn write_settings(root: &Path) {
    let mut passwd = "root:x:0:0:root:/root:/bin/sh\n".to_owned();
    let mut group = "root:x:0:\n".to_owned();
    for (name, id) in ACCOUNTS {
        writeln!(passwd, "{name}:x:{id}:{id}:{name}:/home/{name}:/bin/sh").unwrap();
        writeln!(group, "{name}:x:{id}:").unwrap();
    }
    for (name, id, members) in GROUPS {
        writeln!(group, "{name}:x:{id}:{members}").unwrap();
    }
    let mut scenarios = String::new();
    for (name, steps) in SCENARIOS {
        writeln!(scenarios, "( {steps}\necho complete\n) >/out/{name} 2>&1 &").unwrap();
    }
    let mut directories = String::new();
    for (path, owner) in DIRECTORIES {
        let id = ACCOUNTS.iter().find(|(name, _)| name == owner).map_or(0, |(_, id)| *id);
        writeln!(directories, "{path} {id}").unwrap();
    }
    let lines = |words: &str| words.split_whitespace().fold(String::new(), |text, word| text + word + "\n");
    for (file, content) in [
        ("passwd", passwd),
        ("group", group),
        ("scenarios", scenarios),
        ("directories", directories),
        ("sbin", lines(STAY)),
        ("tools", lines(END)),
        ("libexec", lines(BACKGROUND)),
        ("driver", include_str!("driver.sh").to_owned()),
        ("nsswitch.conf", "passwd: files\ngroup: files\n".to_owned()),
        ("hostname", "host.example.org\n".to_owned()),
        ("nftables.conf", "flush ruleset\n".to_owned()),
    ] {
        fs::write(root.join("etc").join(file), content).unwrap();
    }
}
