//! The chapter catena-hardening(7): its script is taken from the page, and each of its steps is seen to stop what the page says that it
//! stops, when it is added and not before. In a mount and a network namespace of the test's own, at the page's own paths.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use crate::needs;
use crate::support::*;

const USERS: &str = "root:x:0:0:root:/root:/bin/sh\nwww:x:5301:5301::/srv/web:/bin/sh\n";
const GROUPS: &str = "root:x:0:\nwww:x:5301:\nadm:x:5302:www\nssl-cert:x:5303:www\n";

/// What the program tries, and the last step of the page with which it can. Step 0 is the program as root.
const LAST_POSSIBLE: &[(&str, usize)] = &[
    ("write a file of root's", 0),
    ("use a low port", 0),
    ("read the logs of adm", 1),
    ("raise a limit", 3),
    ("run a set-id program", 4),
    ("make a user namespace", 6),
    ("see files outside", 6),
    ("see other processes", 6),
    ("run what it has written", 7),
    ("write elsewhere", 7),
    ("read elsewhere", 7),
    ("connect", 7),
    ("listen", 7),
    ("see the network", 8),
    ("read its pages", usize::MAX),
    ("read its key", usize::MAX),
    ("write its data", usize::MAX),
];

/// Prints what of that it can do, a line each, and then `done`. It runs with any /bin/sh, in the new root with busybox's.
const PROGRAM: &str = r#"#!/bin/sh
for top in /srv/web ''; do [ -d "$top/data" ] && break; done
b=$top/bin/busybox
can() {
	name=$1
	shift
	if "$@" >"$top/data/said" 2>&1; then echo "$name"; fi
}
write() { (: >>"$1"); }
raise() { (ulimit -n 300); }
copied() { "$b" cp "$b" "$top/data/busybox" && "$top/data/busybox" true; }
# The port is taken: whoever may listen is told so.
in_use() { "$b" nc -l -p "$1" 2>&1 | "$b" grep 'in use'; }
lo_is_up() { "$b" ifconfig lo | "$b" grep UP; }
can "write a file of root's" write /srv/other/root
can 'use a low port' in_use 81
can 'read the logs of adm' "$b" cat /srv/other/adm
can 'raise a limit' raise
can 'run a set-id program' "$top/bin/set-id-cat" /srv/other/root
can 'make a user namespace' "$b" unshare -U "$b" true
can 'see files outside' [ -e /srv/other ]
can 'see other processes' [ -e /proc/1 ]
can 'run what it has written' copied
can 'write elsewhere' write "$top/spool/file"
can 'read elsewhere' "$b" cat "$top/notes"
can 'connect' "$b" nc 127.0.0.1 8081 -e "$b" true
can 'listen' in_use 8081
can 'see the network' lo_is_up
can 'read its pages' "$b" cat "$top/pages/index"
can 'read its key' "$b" cat "$top/pages/key"
can 'write its data' write "$top/data/file"
echo done
exec "$b" sleep 600
"#;

fn page() -> String {
    source("man/catena-hardening.7")
}

/// A subsection of the page.
fn subsection(heading: &str) -> String {
    let page = page();
    let text = page.split_once(&format!(".Ss {heading}\n")).unwrap_or_else(|| panic!("no {heading}")).1;
    text.split("\n.S").next().unwrap().to_owned()
}

/// The displays of a text, as a reader sees them.
fn displays(text: &str) -> Vec<String> {
    let displays = text.split(".Bd -literal -offset indent\n").skip(1);
    displays.map(|text| text.split(".Ed").next().unwrap().replace("\\e", "\\")).collect()
}

/// The command lines of a text, each as one line.
fn lines(text: &str) -> Vec<String> {
    let short = text.lines().filter_map(|line| line.strip_prefix(".Dl ")).map(str::to_owned);
    short.chain(displays(text).iter().map(|display| joined(display))).collect()
}

/// A command line in one line.
fn joined(lines: &str) -> String {
    lines.replace("\\\n", " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The whole script: what is before its chain, the links, and the program.
fn script_of_the_page() -> (String, Vec<String>, String) {
    let script = displays(&subsection("The whole script")).remove(0);
    let (head, chain) = script.split_once("exec \\\n").unwrap();
    let chain = chain.replace("\\\n    ", " "); // what is indented more goes on with the same link
    let mut links: Vec<String> = chain.split("\\\n").map(joined).collect();
    let program = links.pop().unwrap();
    (head.to_owned(), links, program)
}

/// The links that the steps of the page add, in its order.
fn steps() -> Vec<Vec<String>> {
    let page = page();
    let before = page.split(".Ss The whole script\n").next().unwrap();
    let steps = before.split("\n.Ss ").skip(1).map(lines);
    // A whole command line is another way to do the same.
    steps.map(|lines| lines.into_iter().filter(|line| !line.starts_with("exec ")).collect()).collect()
}

/// The script of the page with its steps up to this one.
fn up_to(step: usize) -> String {
    let (head, links, program) = script_of_the_page();
    let mut words = vec!["exec".to_owned()];
    let mut with: Vec<String> = Vec::new();
    for added in steps().into_iter().take(step).flatten() {
        // A step may make that of another stricter.
        with.retain(|other| name(other) != name(&added));
        with.push(added);
    }
    let has_root = with.iter().any(|link| name(link) == "chroot");
    for link in &links {
        words.extend(with.iter().find(|other| name(other) == name(link)).cloned());
    }
    let top = if has_root { "" } else { "/srv/web" };
    words.push(format!("{top}{program}"));
    format!("{head}{}\n", words.join(" "))
}

fn name(link: &str) -> &str {
    link.split(' ').next().unwrap()
}

/// What the page takes for granted, in namespaces of this thread.
struct World {
    _accounts: Accounts,
    links: tempfile::TempDir,
    /// At the ports 81 and 8081.
    _listeners: [TcpListener; 2],
}

impl World {
    fn new() -> Self {
        let accounts = Accounts::of(USERS, GROUPS);
        let links = open_directory();
        let names = script_of_the_page().1.into_iter().map(|link| name(&link).to_owned());
        for name in names {
            install(&program(&name), &links.path().join(name));
        }
        own_mounts();
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        accounts.mount();
        for place in ["/srv", "/usr/local"] {
            let none = None::<&str>;
            mount(none, place, Some("tmpfs"), MsFlags::empty(), Some("mode=755")).unwrap();
        }
        let setup = r#"set -e
            umask 022
            busybox ifconfig lo up
            mkdir -p /usr/local/libexec/catena
            mount --bind "$1" /usr/local/libexec/catena
            mkdir -p /srv/other /srv/run /srv/web/bin /srv/web/pages /srv/web/data
            mkdir -m 1777 /srv/web/spool
            echo notes >/srv/web/notes
            echo page >/srv/web/pages/index
            for file in /srv/other/root /srv/other/adm /srv/web/pages/key; do echo secret >$file; done
            chmod 600 /srv/other/root
            chgrp adm /srv/other/adm; chgrp ssl-cert /srv/web/pages/key
            chmod 640 /srv/other/adm /srv/web/pages/key
            install -m 755 "$(command -v busybox)" /srv/web/bin/busybox
            ln -s busybox /srv/web/bin/sh
            install -m 4755 "$(command -v cat)" /srv/web/bin/set-id-cat"#;
        assert_eq!(run(sh(setup).arg("sh").arg(links.path())), prints(""));
        chown("/srv/web/data", Some(5301), Some(5301)).unwrap();
        script(Path::new("/srv/web/bin/mydaemon"), PROGRAM);
        let listeners = [81, 8081].map(|port| TcpListener::bind(("127.0.0.1", port)).unwrap());
        Self { _accounts: accounts, links, _listeners: listeners }
    }
}

/// Starts a run script in a [`World`].
fn start(text: &str) -> Daemon {
    let file = Path::new("/srv/run/run");
    script(file, text);
    // What a program that was root has left.
    assert_eq!(run(&mut sh("rm -f /srv/web/data/* /srv/web/spool/*")), prints(""));
    let mut command = prepared(file);
    command.current_dir("/srv/run").env("SECRET", "of another").stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut can = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        match line.unwrap() {
            line if line == "done" => {
                wait_until_in(child.id(), ASLEEP);
                return Daemon { child, can };
            }
            line => can.push(line),
        }
    }
    panic!("{text}\nended, and had said {can:?}");
}

/// A program that has said what it can.
struct Daemon {
    child: Child,
    can: Vec<String>,
}

impl Daemon {
    fn proc(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.child.id()))
    }

    /// The lines of a file in /proc: their first words, and the rest with single blanks.
    fn table(&self, file: &str, names: usize) -> BTreeMap<String, String> {
        let text = fs::read_to_string(self.proc(file)).unwrap();
        let lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        lines
            .filter(|words| words.len() > names)
            .map(|words| (words[..names].join(" "), words[names..].join(" ")))
            .collect()
    }

    fn environment(&self) -> Vec<String> {
        let bytes = fs::read(self.proc("environ")).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        text.split_terminator('\0').map(str::to_owned).collect()
    }

    /// Asserts that it is in the state of this step.
    fn assert_state(&self, step: usize) {
        let status = self.table("status", 1);
        let is = |name: &str, expected: &str| {
            assert_eq!(status.get(name).map(String::as_str), Some(expected), "step {step}: {name}");
        };
        if step >= 1 {
            is("Uid:", "5301 5301 5301 5301");
            is("Gid:", "5301 5301 5301 5301");
            is("Groups:", if step == 1 { "5301 5302 5303" } else { "5301 5303" });
            for set in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
                is(set, "0000000000000000");
            }
        }
        assert_eq!(status["CapBnd:"] == "0000000000000000", step >= 6, "step {step}");
        is("NoNewPrivs:", if step >= 5 { "1" } else { "0" });
        let limits = self.table("limits", 3);
        for (name, limit) in [
            ("Max core file", "size 0 0 bytes"),
            ("Max open files", "256 256 files"),
            ("Max processes 50", "50 processes"),
        ] {
            assert_eq!(
                limits.get(name).is_some_and(|found| found == limit),
                step >= 4,
                "step {step}: {name}: {limits:?}"
            );
        }
        let root = fs::metadata(self.proc("root/.")).unwrap();
        let web = fs::metadata("/srv/web").unwrap();
        assert_eq!((root.dev(), root.ino()) == (web.dev(), web.ino()), step >= 7, "step {step}");
        if step >= 7 {
            let cwd = fs::metadata(self.proc("cwd/.")).unwrap();
            assert_eq!((cwd.dev(), cwd.ino()), (web.dev(), web.ino()));
        }
        for (kind, since) in [("net", 9), ("ipc", 9), ("mnt", usize::MAX)] {
            let own = fs::read_link(format!("/proc/thread-self/ns/{kind}")).unwrap();
            let its = fs::read_link(self.proc(&format!("ns/{kind}"))).unwrap();
            assert_eq!(its != own, step >= since, "step {step}: {kind}");
        }
        let environment = self.environment();
        let passed = [
            format!("LISTEN_PID={}", self.child.id()),
            "LISTEN_FDS=1".to_owned(),
            "LISTEN_FDNAMES=http".to_owned(),
        ];
        for variable in &passed {
            assert_eq!(environment.contains(variable), step >= 3, "step {step}: {environment:?}");
        }
        let connected = TcpStream::connect(("127.0.0.1", 80));
        assert_eq!(connected.is_ok(), step >= 3, "step {step}: {connected:?}");
        if step >= 10 {
            is("Umask:", "0027");
            let mut names: Vec<&str> =
                environment.iter().map(|variable| variable.split('=').next().unwrap()).collect();
            names.sort_unstable();
            let shell = ["OLDPWD", "PWD", "SHLVL", "_"]; // set by the program's own shell
            names.retain(|name| !shell.contains(name));
            assert_eq!(names, ["LISTEN_FDNAMES", "LISTEN_FDS", "LISTEN_PID", "PATH"]);
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it has ended
        let _ = self.child.wait(); // and is waited for
    }
}

/// Root, who may make these namespaces, and a kernel with Landlock.
fn namespaces_and_landlock() -> Result<(), String> {
    mounts()?;
    if run(prepared("unshare").args(["--mount", "--net", "--ipc", "true"])).status != 0 {
        return Err("a network namespace".into());
    }
    if run(link("landlock").args(["-C", "none", "true"])).status != 0 {
        return Err("Landlock with TCP ports".into());
    }
    Ok(())
}

#[test]
fn the_whole_script_is_the_steps() {
    let (head, links, program) = script_of_the_page();
    assert_eq!(head, "#!/bin/sh\nPATH=/usr/local/libexec/catena:$PATH\nexec 2>&1\n");
    assert_eq!(program, "/bin/mydaemon");
    let whole = up_to(usize::MAX);
    assert_eq!(whole, format!("{head}exec {} {program}\n", links.join(" ")));
    assert_eq!(steps().len(), 10);
}

#[test]
fn each_step_stops_what_the_page_says_and_the_script_ends_in_all_of_it() {
    needs!(namespaces_and_landlock(), tool("busybox"));
    let _world = World::new();
    let mut user_namespaces = true;
    for step in 0..=steps().len() {
        let daemon = start(&up_to(step));
        daemon.assert_state(step);
        let possible = |(name, last): &(&str, usize)| (step <= *last).then(|| (*name).to_owned());
        let mut expected: Vec<String> = LAST_POSSIBLE.iter().filter_map(possible).collect();
        // An administrator may have denied them to accounts, and a container its root.
        let name = "make a user namespace".to_owned();
        user_namespaces &= step > 1 || daemon.can.contains(&name);
        expected.retain(|possible| user_namespaces || *possible != name);
        assert_eq!(daemon.can, expected, "step {step}: {}", up_to(step));
    }
}

#[test]
fn the_other_way_to_a_low_port_gives_one_capability() {
    needs!(namespaces_and_landlock(), tool("busybox"));
    let _world = World::new();
    let lines = lines(&subsection("A socket from before"));
    let daemon = start(&format!("{}{}\n", script_of_the_page().0, lines[1]));
    assert!(daemon.can.contains(&"use a low port".to_owned()), "{:?}", daemon.can);
    assert!(!daemon.can.contains(&"write a file of root's".to_owned()), "{:?}", daemon.can);
    let status = daemon.table("status", 1);
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
        assert_eq!(status[set], "0000000000000400", "{set}");
    }
}

#[test]
fn explain_says_of_the_script_what_happens() {
    needs!(namespaces_and_landlock(), tool("busybox"));
    let world = World::new();
    for name in ["catena", "catena-explain"] {
        install(&program(name), &world.links.path().join(name));
    }
    script(Path::new("/srv/run/run"), &displays(&subsection("The whole script"))[0]);
    let line = lines(&subsection("The whole script")).remove(0); // the script itself comes behind it
    let mut command = sh(&format!("PATH=/usr/local/libexec/catena:$PATH; {line}"));
    let outcome = run(command.current_dir("/srv/run"));
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""), "{}", outcome.stdout);
    for link in script_of_the_page().1 {
        assert!(outcome.stdout.lines().any(|line| line.starts_with(&link)), "{link}: {}", outcome.stdout);
    }
}

/// What systemd says of these files in `directory`.
fn verified(directory: &Path, files: &[String]) -> String {
    let mut verify = prepared("systemd-analyze");
    let outcome =
        run(verify.args(["verify", "--man=no"]).args(files.iter().map(|file| directory.join(file))));
    assert_eq!(outcome.stdout, "");
    outcome.stderr
}

#[test]
fn systemd_knows_the_unit() {
    needs!(tool("systemd-analyze"));
    let directory = open_directory();
    let units = displays(&subsection("As a unit of systemd"));
    let files = units.iter().map(|unit| unit.lines().next().unwrap().trim_start_matches("# ").to_owned());
    let files: Vec<String> = files.collect();
    assert_eq!(files, ["web.socket", "web.service"]);
    for (file, unit) in files.iter().zip(&units) {
        let unit = unit.replace("RootDirectory=/srv/web", "RootDirectory=/");
        fs::write(directory.path().join(file), unit.replace("/bin/mydaemon", "/bin/true")).unwrap();
    }
    let said = verified(directory.path(), &files);
    let of_these = said.lines().filter(|line| files.iter().any(|file| line.contains(file)));
    assert_eq!(of_these.collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn systemd_knows_every_directive_of_the_list() {
    needs!(tool("systemd-analyze"));
    let list = subsection("Directive by directive").replace("\\\n", "");
    let items = list.lines().filter_map(|line| line.strip_prefix(".It Sy "));
    let directives = items.flat_map(|item| item.split(" , ")).filter(|directive| !directive.contains("..."));
    let directives: Vec<String> =
        directives.map(|directive| directive.trim().split('=').next().unwrap().to_owned()).collect();
    assert!(directives.len() > 80, "{directives:?}");
    assert_eq!(unknown_to_systemd(directives), Vec::<String>::new());
}

/// Those of these directives that no unit of systemd has.
pub(crate) fn unknown_to_systemd(mut unknown: Vec<String>) -> Vec<String> {
    // A file for each, since one that cannot be empty ends its file.
    for (section, ending) in [
        ("Service", "service"),
        ("Socket", "socket"),
        ("Unit", "service"),
        ("Install", "service"),
        ("Timer", "timer"),
        ("Path", "path"),
    ] {
        let directory = open_directory();
        let file = |directive: &String| {
            let file = format!("of-{directive}.{ending}");
            fs::write(directory.path().join(&file), format!("[{section}]\n{directive}=\n")).unwrap();
            file
        };
        let said = verified(directory.path(), &unknown.iter().map(file).collect::<Vec<_>>());
        assert!(said.lines().count() >= unknown.len(), "{said}"); // each of them lacks something
        unknown
            .retain(|directive| said.contains(&format!("Unknown key '{directive}' in section [{section}]")));
    }
    unknown
}

#[test]
fn an_account_without_an_entry_needs_none() {
    needs!(root());
    let page = page();
    let line = page.lines().find_map(|line| line.strip_prefix(".Ql setuidgid ")).unwrap();
    let line = line.trim_end_matches(';').trim();
    let outcome = run(&mut sh(&format!("setuidgid {line} id -u")));
    assert_eq!(outcome, prints("61184\n"));
}
