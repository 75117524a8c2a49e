//! chroot.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use nix::errno::Errno;
use tempfile::TempDir;

use crate::needs;
use crate::support::*;

/// A directory that can be a root: all that it has is a static busybox, under the names of some of its
/// programs.
fn new_root() -> TempDir {
    let root = open_directory();
    let fill = "mkdir bin && install -m 755 \"$(command -v busybox)\" bin/busybox && cd bin &&
        for name in sh echo stat; do ln -s busybox $name; done";
    assert_eq!(run_in(root.path(), fill), prints(""));
    root
}

/// chroot, with `root` before it in PATH what it is inside.
fn inside(root: &Path) -> Command {
    let mut command = link("chroot");
    command.arg(root).env("PATH", "/bin");
    command
}

/// A copy of chroot that every account may execute, in `directory`, started by setpriv with `options`.
fn by_setpriv(directory: &TempDir, options: &[&str]) -> Command {
    let copy = directory.path().join("chroot");
    install(&bin().join("chroot"), &copy);
    let mut command = prepared("setpriv");
    command.args(options).arg(copy);
    command
}

const NOBODY: [&str; 3] = ["--reuid=65534", "--regid=65534", "--clear-groups"];

/// The message where the system refuses to change the root.
fn not_allowed(root: &Path) -> Outcome {
    let refused = format!("unable to change root to {}: {}", root.display(), says(Errno::EPERM));
    let hint = "only root may: put chroot right after setuidgid, which lends it the right, or before it";
    fails(111, format!("chroot: fatal: {refused}\nchroot: hint: {hint}\n"))
}

#[test]
fn the_directory_is_the_root_and_the_current_directory_of_what_runs() {
    needs!(root(), tool("busybox"));
    let root = new_root();
    let directory = fs::metadata(root.path()).unwrap();
    let line = format!("{}:{}\n", directory.dev(), directory.ino());
    assert_eq!(
        run(inside(root.path()).args(["sh", "-c", "stat -c %d:%i / . ..; pwd"])),
        prints(format!("{line}{line}{line}/\n"))
    );
}

#[test]
fn the_root_may_be_named_in_any_way() {
    needs!(root(), tool("busybox"));
    let root = new_root();
    let (parent, name) = (root.path().parent().unwrap(), root.path().file_name().unwrap());
    let other = open_directory();
    symlink(root.path(), other.path().join("link")).unwrap();
    let words = ["sh", "-c", "pwd; echo /*"];
    let inside = prints("/\n/bin\n");
    let chroot = |directory: &Path, root: &Path| {
        run(link("chroot").arg(root).args(words).env("PATH", "/bin").current_dir(directory))
    };
    assert_eq!(chroot(parent, Path::new(name)), inside);
    assert_eq!(chroot(root.path(), Path::new(".")), inside);
    assert_eq!(chroot(&root.path().join("bin"), Path::new("..")), inside);
    assert_eq!(chroot(Path::new("/"), &root.path().join("")), inside);
    assert_eq!(chroot(other.path(), Path::new("link")), inside);
    fs::rename(other.path().join("link"), other.path().join("-link")).unwrap();
    let mut command = link("chroot");
    command.args(["--", "-link"]).args(words).env("PATH", "/bin").current_dir(other.path());
    assert_eq!(run(&mut command), inside);
}

#[test]
fn its_name_is_looked_up_once() {
    needs!(root(), tool("strace"));
    // Else it could be one directory for the root and another for the current directory.
    let (root, scratch) = (open_directory(), open_directory());
    let log = scratch.path().join("log");
    let mut traced = prepared("strace");
    traced.args(["-qq", "-e", "trace=%file,fchdir", "-o"]).arg(&log).arg(bin().join("chroot"));
    assert_eq!(run(traced.arg(root.path()).arg("/no/program")).status, 127);
    let log = fs::read_to_string(&log).unwrap();
    let name = root.path().to_str().unwrap();
    let calls = log.lines().filter(|line| !line.starts_with("execve(") && line.contains(name));
    assert_eq!(calls.count(), 1, "{log}");
}

#[test]
fn the_root_that_is_there_may_be_the_root() {
    needs!(root());
    assert_eq!(run(link("chroot").args(["/", "sh", "-c", "pwd"])), prints("/\n"));
}

#[test]
fn one_chroot_may_follow_another() {
    needs!(root(), tool("busybox"));
    let root = new_root();
    let mut command = link("chroot");
    command.arg("/").arg(bin().join("chroot")).arg(root.path()).args(["sh", "-c", "pwd; echo /*"]);
    assert_eq!(run(command.env("PATH", "/bin")), prints("/\n/bin\n"));
}

#[test]
fn the_program_is_searched_inside() {
    needs!(root(), tool("busybox"));
    let (root, outside) = (new_root(), open_directory());
    script(&outside.path().join("here"), "#!/bin/sh\necho outside\n");
    let path = format!("{}:/programs", outside.path().display());
    let missing = fails(
        127,
        format!(
            "chroot: fatal: unable to run here inside {}: {}\n",
            root.path().display(),
            says(Errno::ENOENT)
        ),
    );
    let mut command = inside(root.path());
    command.arg("here").env("PATH", &path);
    assert_eq!(run(&mut command), missing);
    fs::create_dir(root.path().join("programs")).unwrap();
    script(&root.path().join("programs/here"), "#!/bin/sh\necho inside\n");
    assert_eq!(run(&mut command), prints("inside\n"));
    // An empty element is the current directory, which is / now, whatever it was.
    script(&root.path().join("here"), "#!/bin/sh\necho in /\n");
    assert_eq!(run(command.env("PATH", "").current_dir(outside.path())), prints("in /\n"));
    let mut command = inside(root.path());
    command.arg("programs/here").current_dir(outside.path());
    assert_eq!(run(&mut command), prints("inside\n"));
    // Without PATH it is searched in /bin and /usr/bin.
    assert_eq!(run(inside(root.path()).args(["echo", "ran"]).env_remove("PATH")), prints("ran\n"));
}

#[test]
fn a_program_that_misses_its_interpreter_inside_gives_127_with_the_reason() {
    needs!(root(), tool("busybox"));
    let root = new_root();
    script(&root.path().join("bin/script"), "#!/usr/bin/env sh\n");
    let reason = format!("unable to run script inside {}: {}", root.path().display(), says(Errno::ENOENT));
    let hint = "the file is there: the interpreter in its first line is not";
    assert_eq!(
        run(inside(root.path()).arg("script")),
        fails(127, format!("chroot: fatal: {reason}\nchroot: hint: {hint}\n"))
    );
}

#[test]
fn without_a_program_the_users_shell_runs_interactively() {
    needs!(root(), tool("busybox"));
    let root = new_root();
    let show = "#!/bin/busybox sh\necho \"$0\" \"$#\" \"$@\"; pwd\n";
    fs::remove_file(root.path().join("bin/sh")).unwrap();
    script(&root.path().join("bin/sh"), show);
    script(&root.path().join("bin/zsh"), show);
    for (shell, ran) in [
        (Some("/bin/zsh"), "/bin/zsh"),
        (Some("zsh"), "/bin/zsh"), // found in PATH
        (Some(""), "/bin/sh"),     // as ${SHELL:-/bin/sh}
        (None, "/bin/sh"),
    ] {
        for end in [&[][..], &["--"]] {
            let mut command = link("chroot");
            command.args(end).arg(root.path()).env("PATH", "/bin").env_remove("SHELL");
            command.envs(shell.map(|shell| ("SHELL", shell)));
            assert_eq!(run(&mut command), prints(format!("{ran} 1 -i\n/\n")), "{shell:?}");
        }
    }
    let missing = fails(
        127,
        format!(
            "chroot: fatal: unable to run /no/shell inside {}: {}\n",
            root.path().display(),
            says(Errno::ENOENT)
        ),
    );
    assert_eq!(run(inside(root.path()).env("SHELL", "/no/shell")), missing);
}

#[test]
fn a_root_that_is_no_directory_is_refused() {
    let directory = TempDir::new().unwrap();
    for (name, reason) in [
        ("missing", Errno::ENOENT),
        ("missing/directory", Errno::ENOENT),
        ("", Errno::ENOENT),
        ("file", Errno::ENOTDIR),
        ("file/", Errno::ENOTDIR),
        ("file/directory", Errno::ENOTDIR),
        ("link-to-file", Errno::ENOTDIR),
        ("dangling", Errno::ENOENT),
        ("loop", Errno::ELOOP),
    ] {
        fs::write(directory.path().join("file"), "").unwrap();
        for (to, from) in [("file", "link-to-file"), ("missing", "dangling"), ("loop", "loop")] {
            let _ = symlink(to, directory.path().join(from)); // it may be there
        }
        let outcome = run(link("chroot").args([name, "echo", "ran"]).current_dir(directory.path()));
        let message = format!("chroot: fatal: unable to open directory {name}: {}\n", says(reason));
        assert_eq!(outcome, fails(111, message));
    }
    // The same where there is no program: the shell does not run either.
    let outcome = run(link("chroot").arg("missing").current_dir(directory.path()));
    let message = format!("chroot: fatal: unable to open directory missing: {}\n", says(Errno::ENOENT));
    assert_eq!(outcome, fails(111, message));
}

#[test]
fn the_name_of_a_root_is_shown_on_one_line() {
    let message = format!("unable to open directory /a\\nb\\x1b: {}", says(Errno::ENOENT));
    assert_eq!(
        run(link("chroot").args(["/a\nb\x1b", "echo", "ran"])),
        fails(111, format!("chroot: fatal: {message}\n"))
    );
}

#[test]
fn a_directory_without_permissions_is_no_hindrance_to_root_but_to_others() {
    needs!(root(), tool("setpriv"), tool("busybox"));
    let (root, programs) = (new_root(), open_directory());
    let may_chroot = ["--inh-caps=+sys_chroot", "--ambient-caps=+sys_chroot"];
    let mut nobody = by_setpriv(&programs, &[&NOBODY[..], &may_chroot].concat());
    nobody.arg(root.path()).args(["/bin/echo", "ran"]);
    assert_eq!(run(&mut nobody), prints("ran\n"));
    // What it takes is to search the directory, not to read it.
    fs::set_permissions(root.path(), PermissionsExt::from_mode(0o711)).unwrap();
    assert_eq!(run(&mut nobody), prints("ran\n"));
    fs::set_permissions(root.path(), PermissionsExt::from_mode(0o744)).unwrap();
    let message =
        format!("chroot: fatal: unable to enter {}: {}\n", root.path().display(), says(Errno::EACCES));
    assert_eq!(run(&mut nobody), fails(111, message));
    assert_eq!(run(inside(root.path()).args(["echo", "ran"])), prints("ran\n"));
    // Nor is it found behind a directory that may not be searched.
    let closed = TempDir::new().unwrap();
    fs::set_permissions(closed.path(), PermissionsExt::from_mode(0o700)).unwrap();
    let hidden = closed.path().join("root");
    fs::create_dir(&hidden).unwrap();
    let mut nobody = by_setpriv(&programs, &[&NOBODY[..], &may_chroot].concat());
    let message =
        format!("chroot: fatal: unable to open directory {}: {}\n", hidden.display(), says(Errno::EACCES));
    assert_eq!(run(nobody.arg(&hidden).args(["/bin/echo", "ran"])), fails(111, message));
}

#[test]
fn without_root_the_root_directory_cannot_be_changed_and_a_hint_says_what_to_write() {
    let (directory, programs) = (open_directory(), open_directory());
    let by_root = root().is_ok();
    if by_root {
        needs!(tool("setpriv"));
    }
    let without = ["--bounding-set=-sys_chroot"]; // as root in many a container
    for options in [&NOBODY[..], &without] {
        for program in [&["echo", "ran"][..], &[]] {
            let mut chroot = if by_root { by_setpriv(&programs, options) } else { link("chroot") };
            assert_eq!(run(chroot.arg(directory.path()).args(program)), not_allowed(directory.path()));
        }
    }
}

/// The four capability sets that can pass an exec, as /proc shows them; bits are CHROOT and BIND.
const SETS: [&str; 4] = ["CapInh", "CapPrm", "CapEff", "CapAmb"];
const CHROOT: u64 = 1 << 18;
const BIND: u64 = 1 << 10;
const SHOW: [&str; 3] = ["grep", "-E", "^Cap(Inh|Prm|Eff|Amb):"];

#[test]
fn an_account_that_may_change_the_root_loses_that_right_and_no_other() {
    needs!(root(), tool("setpriv"));
    let programs = open_directory();
    let all = |value: u64| prints(SETS.map(|set| format!("{set}:\t{value:016x}\n")).concat());
    for (capabilities, before, after) in [
        ("+sys_chroot", CHROOT, 0),
        ("+sys_chroot,+net_bind_service", CHROOT | BIND, BIND), // another one stays
    ] {
        let inheritable = format!("--inh-caps={capabilities}");
        let ambient = format!("--ambient-caps={capabilities}");
        let options = [&NOBODY[..], &[&inheritable, &ambient]].concat();
        let mut chroot = by_setpriv(&programs, &options);
        chroot.arg("/").args(SHOW).arg("/proc/self/status");
        assert_eq!(run(&mut chroot), all(after));
        // It was there: without chroot the program has it.
        let control = run(prepared("setpriv").args(options).args(SHOW).arg("/proc/self/status"));
        assert_eq!(control, all(before));
    }
}

#[test]
fn root_stays_what_it_is() {
    needs!(root(), tool("setpriv"));
    let show = ["grep", "-E", "^(Uid|Gid|Groups|Cap...):", "/proc/self/status"];
    let capabilities = ["--inh-caps=+sys_chroot", "--ambient-caps=+sys_chroot"];
    for options in [&[][..], &capabilities] {
        let mut chroot = prepared("setpriv");
        chroot.args(options).arg(bin().join("chroot")).arg("/").args(show);
        assert_eq!(run(&mut chroot), run(prepared("setpriv").args(options).args(show)));
    }
}

#[test]
fn root_of_a_user_namespace_may_change_the_root() {
    needs!(root(), tool("unshare"), tool("busybox"));
    let root = new_root();
    let mut command = prepared("unshare");
    command.args(["--user", "--map-root-user"]).arg(bin().join("chroot")).arg(root.path());
    assert_eq!(run(command.args(["/bin/sh", "-c", "pwd; echo /*"])), prints("/\n/bin\n"));
}

#[test]
fn it_needs_no_open_descriptor() {
    needs!(root(), tool("busybox"));
    let root = new_root();
    for (program, status) in [("/bin/sh -c 'exit 7'", 7), ("/no/program", 127)] {
        let closed = format!("exec \"$B/chroot\" \"$ROOT\" {program} 0<&- 1>&- 2>&-");
        assert_eq!(run(sh(&closed).env("ROOT", root.path())), fails(status, ""));
    }
}
