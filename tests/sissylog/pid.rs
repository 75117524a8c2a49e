//! `-p`: the pid of the service.

use std::fs;
use std::io::Write;

use nix::errno::Errno;

use super::harness::*;
use crate::needs;
use crate::support::*;

#[test]
fn it_is_looked_for_where_supervisors_write_it() {
    needs!(mounts());
    let world = World::new();
    let mut syslogd = world.syslogd(Kind::Datagrams);
    for directory in ["supervise", "log"] {
        fs::create_dir(world.path(directory)).unwrap();
    }
    let mut running = world.start_as(r#"cd log; exec "$B/sissylog" -p <../pipe"#, &[]);
    let mut writer = world.writer();
    let mut ident = |files: &[(&str, &[u8])]| {
        for (name, content) in files {
            fs::write(world.path(&format!("supervise/{name}.new")), content).unwrap();
            fs::rename(
                world.path(&format!("supervise/{name}.new")),
                world.path(&format!("supervise/{name}")),
            )
            .unwrap();
        }
        writer.write_all(b"a line\n").unwrap();
        let message = syslogd.next();
        assert_eq!(message.text, "a line");
        message.ident
    };
    assert_eq!(ident(&[]), "sissylog: ");
    assert_eq!(ident(&[]), "sissylog: ");
    let trouble = "unable to read ../supervise/pid or ../supervise/status: No such file or directory";
    assert_eq!(world.stderr(), format!("sissylog: warning: {trouble}\n"), "once");
    // daemontools: 18 bytes.
    assert_eq!(ident(&[("status", b"@@@@@@@@nnnn\x39\x30\0\0\0u")]), "sissylog[12345]: ");
    assert_eq!(ident(&[("status", b"@@@@@@@@nnnn\x3a\x30\0\0\0u")]), "sissylog[12346]: ");
    // runit: the file counts.
    assert_eq!(ident(&[("pid", b"77\n")]), "sissylog[77]: ");
    // Where no process runs these are the last words of the last.
    assert_eq!(ident(&[("pid", b"")]), "sissylog[77]: ");
    assert_eq!(ident(&[("pid", b"4294967295\n")]), "sissylog[4294967295]: ");
    drop(writer);
    assert_eq!(running.ended(), 0);
}

#[test]
fn where_it_is_log_run_itself_its_ident_is_the_name_of_the_service() {
    needs!(mounts());
    let world = World::new();
    let mut syslogd = world.syslogd(Kind::Datagrams);
    let mut ident = |directory: &str, name: &str, words: &str| {
        let script = format!(
            "mkdir -p {directory}; ln -s \"$B/sissylog\" {directory}/{name}; cd {directory}; echo a | ./{name} {words}"
        );
        let seen = run(&mut world.command(&script, &[]));
        let ident = (seen.status == 0).then(|| syslogd.next().ident);
        (ident, seen.stderr)
    };
    let some = |ident: &str| (Some(ident.to_owned()), String::new());
    assert_eq!(ident("web/log", "run", ""), some("web: "));
    assert_eq!(ident("a/deep/log", "run", ""), some("deep: "));
    // What has no place in an ident has none here either.
    assert_eq!(ident("$(printf 'b\\033x')/log", "run", ""), some("b\\x1bx: "));
    let long = "l".repeat(250);
    assert_eq!(ident(&format!("{long}/log"), "run", ""), some(&format!("{}: ", &long[..200])));
    // Elsewhere it is no service's, and a script may give it a name.
    assert_eq!(ident("web/other", "run", ""), some("sissylog: "));
    assert_eq!(ident("c/log", "sissylog", ""), some("sissylog: "));
    assert_eq!(ident("d/log", "run", "own"), some("own: "));
    // Its messages have its own name.
    let (none, stderr) = ident("e/log", "run", "web nowhere");
    assert!(none.is_none() && stderr.starts_with("sissylog: no such facility: nowhere"), "{stderr}");
}

#[test]
fn a_pid_is_read_only_from_a_file_of_the_state() {
    needs!(mounts());
    let world = World::new();
    let mut syslogd = world.syslogd(Kind::Datagrams);
    // The owner of the state makes a link, a FIFO or a file without end of it.
    for (attack, errno) in [
        ("echo 4711 >other; ln -s ../other supervise/pid", Errno::ELOOP),
        ("mkfifo supervise/pid", Errno::EEXIST),
        ("echo 4711 >other; ln other supervise/pid", Errno::EEXIST),
    ] {
        assert_eq!(
            run_in(world.scratch.path(), "rm -rf log supervise other; mkdir log supervise"),
            prints("")
        );
        assert_eq!(run_in(world.scratch.path(), attack), prints(""));
        let seen = run(&mut world.command("cd log; echo a | \"$B/sissylog\" -p", &[]));
        assert_eq!(syslogd.next().ident, "sissylog: ", "{attack}");
        let trouble = "unable to read ../supervise/pid or ../supervise/status";
        let expected = format!("sissylog: warning: {trouble}: {}\n", says(errno));
        assert_eq!((seen.status, seen.stderr), (0, expected));
    }
    assert_eq!(run_in(world.scratch.path(), "rm supervise/pid; truncate -s 1T supervise/pid"), prints(""));
    let seen = run(&mut world.command("cd log; echo a | \"$B/sissylog\" -p", &[]));
    assert_eq!((seen, &*syslogd.next().ident), (prints(""), "sissylog: "));
}
