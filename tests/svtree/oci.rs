//! A tree in a container of an OCI runtime, as container engines start it.
//!
//! The runtime is crun, by packaging/oci/with-cgroup2: beside a cgroup file system of version 1, and where it may make no
//! cgroups, it would refuse. The container has no cgroup of its own.

use std::fs;
use std::process::Command;

use super::harness::*;
use crate::needs;
use crate::support::*;

fn runtime() -> Result<(), String> {
    namespaces()?;
    mounts()?;
    tool("crun")?;
    tool("busybox")
}

/// A command of the runtime about the container of this tree.
fn crun(tree: &Tree, words: &[&str]) -> Command {
    let mut command = tree.adopt(prepared(house().join("packaging/oci/with-cgroup2")));
    command.env("PATH", BASE_PATH);
    command.args(["crun", "--cgroup-manager=disabled", "--root", "containers"]).args(words);
    // The runtime gives the container's account what it gets as stdin, /dev/null too.
    fs::write(tree.path("nothing"), "").unwrap();
    command.stdin(fs::File::open(tree.path("nothing")).unwrap());
    command
}

const SERVICES: [(&str, &str); 5] = [
    ("db/run", "echo start db $$ >>/run/lines; exec /busybox sleep 1000000"),
    ("web/run", "echo start web $(/busybox id -u) >>/run/lines; exec /busybox sleep 1000000"),
    ("web/log/run", "exec /busybox cat"),
    ("web/finish", "echo finish web $* >>/run/lines"),
    (".tree/finish", "echo tree $1 >>/run/lines"),
];

/// A bundle: `rootfs`, an image of few files, and `run`, which is the only place to write to and outlives the container.
fn bundle() -> Tree {
    let tree = Tree::prepare(&[]);
    let root = tree.path("rootfs");
    for directory in ["run", "proc", "dev", "service/db", "service/web/log", "service/.tree"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    assert_eq!(run_in(tree.scratch.path(), "mkdir -m 777 run"), prints(""));
    install_root(&root, &[&bin().join("svtree"), &bin().join("svctl"), "/bin/busybox".as_ref()]);
    for (name, lines) in SERVICES {
        script(&root.join("service").join(name), &format!("#!/busybox sh\n{lines}\n"));
    }
    fs::write(root.join("service/web/needs"), "db\n").unwrap();
    tree
}

/// Has the container execute these words as process 1, as uid 12345 and without capabilities.
fn configure(tree: &Tree, words: &[&str]) {
    let args = words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(",");
    let run = tree.path("run");
    let run = run.display();
    let config = format!(
        r#"{{
        "ociVersion": "1.0.0",
        "process": {{ "user": {{ "uid": 12345, "gid": 12345 }}, "args": [{args}], "cwd": "/", "noNewPrivileges": true,
            "env": ["PATH=/", "SVDIR=/run/state"] }},
        "root": {{ "path": "rootfs", "readonly": true }},
        "mounts": [
            {{ "destination": "/proc", "type": "proc", "source": "proc" }},
            {{ "destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"] }},
            {{ "destination": "/run", "type": "bind", "source": "{run}", "options": ["bind", "noexec", "nosuid"] }}
        ],
        "linux": {{ "namespaces": [{{ "type": "pid" }}, {{ "type": "mount" }}, {{ "type": "ipc" }}, {{ "type": "uts" }}] }}
    }}"#
    );
    fs::write(tree.path("config.json"), config).unwrap();
}

/// The lines that the services wrote.
fn lines(tree: &Tree) -> Vec<String> {
    tree.text("run/lines").lines().map(str::to_owned).collect()
}

fn count(tree: &Tree, line: &str) -> usize {
    lines(tree).iter().filter(|other| *other == line).count()
}

#[test]
fn it_is_started_stopped_checked_and_started_again() {
    needs!(runtime());
    let mut tree = bundle();
    configure(&tree, &["/svtree", "-t", "10m", "-s", "/run/state", "/service"]);
    for (life, signal, status) in
        [(1, "TERM", 0), (2, "KILL", 128 + 9), (3, "QUIT", 0), (4, "37", 0), (5, "INT", 0)]
    {
        tree.spawn(crun(&tree, &["run", "box"]));
        // What db notes comes before or after that: it is up once it is executed.
        let starts = |name: &str| lines(&tree).iter().filter(|line| line.starts_with(name)).count();
        tree.until("the services", || ["start db ", "start web 12345"].map(starts) == [life; 2]);
        let check = crun(&tree, &["exec", "--user", "12345:12345", "box", "/svctl", "-w", "60", "check"])
            .output()
            .unwrap();
        assert_eq!(check.status.code(), Some(0), "{signal}: {check:?} {}", tree.report());
        assert!(crun(&tree, &["kill", "box", signal]).status().unwrap().success(), "{}", tree.report());
        assert_eq!(tree.ended(), status, "{signal}: {}", tree.report());
        let last = lines(&tree).pop().unwrap();
        assert!(if status == 0 { last == "tree 0" } else { last.starts_with("start ") }, "{signal}: {last}");
    }
    assert_eq!(lines(&tree).iter().filter(|line| line.starts_with("start db ")).count(), 5);
    assert_eq!((count(&tree, "finish web 0 0"), count(&tree, "tree 0")), (0, 4));
    assert_eq!(tree.stderr(), "");
}

#[test]
fn its_status_is_that_of_the_program() {
    needs!(runtime());
    let mut tree = bundle();
    for (program, status) in [
        (&["/busybox", "sh", "-c", "exit 7"][..], 7),
        (&["/busybox", "sh", "-c", "kill -9 $$"], 128 + 9),
        (&["/busybox", "true"], 0),
        (&["/none"], 127),
        (&["/service/web/needs"], 126),
    ] {
        for words in [&["/svtree", "--"][..], &["/svtree", "-t", "10m", "-s", "/run/state", "/service", "--"]]
        {
            configure(&tree, &[words, program].concat());
            tree.spawn(crun(&tree, &["run", "box"]));
            assert_eq!(tree.ended(), status, "{words:?} {program:?}: {}", tree.report());
        }
        assert_eq!(lines(&tree).last().unwrap(), &format!("tree {status}"));
    }
}
