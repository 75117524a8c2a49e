//! redirfd.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::libc::{O_ACCMODE, O_APPEND, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY, SYS_openat};

use crate::support::*;

/// What redirfd says where it cannot open `file`.
fn cannot_open(file: &str, errno: Errno) -> Outcome {
    fails(111, format!("redirfd: fatal: unable to open {file}: {}\n", says(errno)))
}

/// A new directory with a file `f` that has some content.
fn directory_with_file() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("f"), "one\ntwo\n").unwrap();
    directory
}

fn content(directory: impl AsRef<Path>, file: &str) -> String {
    fs::read_to_string(directory.as_ref().join(file)).unwrap()
}

#[test]
fn r_opens_for_reading() {
    let directory = directory_with_file();
    assert_eq!(run_in(&directory, "redirfd -r 0 f cat"), prints("one\ntwo\n"));
    assert_eq!(run_in(&directory, "redirfd -r 7 f sh -c 'cat <&7'"), prints("one\ntwo\n"));
    assert_eq!(run_in(&directory, "redirfd -r 0 g echo x"), cannot_open("g", Errno::ENOENT));
    assert_eq!(
        run_in(&directory, "redirfd -r 0 . ls -a /proc/self/fd/0/"),
        prints(".\n..\nf\n"),
        "a directory too"
    );
    assert_eq!(run_in(&directory, "ls"), prints("f\n"));
}

#[test]
fn w_creates_a_file_or_cuts_it() {
    let directory = directory_with_file();
    assert_eq!(
        run_in(&directory, "redirfd -w 1 f echo new; redirfd -w 1 g echo new; cat f g"),
        prints("new\nnew\n")
    );
    assert_eq!(run_in(&directory, "redirfd -w 1 . echo x"), cannot_open(".", Errno::EISDIR));
    assert_eq!(run_in(&directory, "redirfd -w 1 no/f echo x"), cannot_open("no/f", Errno::ENOENT));
    assert_eq!(run_in(&directory, "redirfd -w 1 f/g echo x"), cannot_open("f/g", Errno::ENOTDIR));
}

#[test]
fn u_opens_for_both_and_creates_nothing() {
    let directory = directory_with_file();
    assert_eq!(
        run_in(&directory, "redirfd -u 0 f sh -c 'read line; echo \"$line\"; echo 2 >&0'"),
        prints("one\n")
    );
    // What dash reads ahead moves the place for writing; where it is does not matter here.
    assert_eq!(run_in(&directory, "redirfd -u 1 f printf ONE; cat f | head -n 1"), prints("ONE\n"));
    assert_eq!(run_in(&directory, "redirfd -u 0 g echo x"), cannot_open("g", Errno::ENOENT));
    assert_eq!(run_in(&directory, "ls"), prints("f\n"));
}

#[test]
fn a_creates_a_file_or_appends_to_it() {
    let directory = directory_with_file();
    let script = "redirfd -a 1 f echo three; redirfd -a 1 g echo new; cat f g";
    assert_eq!(run_in(&directory, script), prints("one\ntwo\nthree\nnew\n"));
    // What others append meanwhile is not written over.
    assert_eq!(
        run_in(&directory, "redirfd -a 1 g sh -c 'echo a; echo b >>g; echo c'; cat g"),
        prints("new\na\nb\nc\n")
    );
}

#[test]
fn x_creates_a_file_that_is_not_there() {
    let directory = directory_with_file();
    assert_eq!(run_in(&directory, "redirfd -x 1 g echo new; cat g"), prints("new\n"));
    assert_eq!(run_in(&directory, "redirfd -x 1 f echo x"), cannot_open("f", Errno::EEXIST));
    assert_eq!(run_in(&directory, "ln -s nowhere l; redirfd -x 1 l echo x"), cannot_open("l", Errno::EEXIST));
    assert_eq!(content(&directory, "f"), "one\ntwo\n");
    assert_eq!(run_in(&directory, "ls"), prints("f\ng\nl\n"));
}

#[test]
fn the_mask_decides_on_the_mode_of_a_new_file() {
    let directory = directory_with_file();
    for (mask, mode) in [("0", "666"), ("027", "640"), ("077", "600")] {
        for option in ["-w", "-a", "-x"] {
            let script = format!("umask {mask}; redirfd {option} 9 new stat -c %a new; rm new");
            assert_eq!(run_in(&directory, &script), prints(format!("{mode}\n")));
        }
    }
    let file = directory.path().join("f");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o604)).unwrap();
    assert_eq!(run_in(&directory, "umask 0; redirfd -w 9 f redirfd -a 9 f redirfd -u 9 f true"), prints(""));
    assert_eq!(file.metadata().unwrap().mode() & 0o7777, 0o604);
}

/// How fd 9 of the program is opened after `redirfd OPTIONS 9 FILE`.
fn flags(directory: impl AsRef<Path>, options: &str, file: &str) -> i32 {
    let outcome = run_in(directory, &format!("redirfd {options} 9 {file} cat /proc/self/fdinfo/9"));
    assert_eq!((outcome.status, &*outcome.stderr), (0, ""), "{options}");
    let flags = outcome.stdout.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
    i32::from_str_radix(flags.trim(), 8).unwrap() & (O_ACCMODE | O_APPEND | O_NONBLOCK)
}

#[test]
fn each_mode_has_its_flags_and_n_and_b_their_share_of_them() {
    for (option, mode) in
        [("-r", O_RDONLY), ("-w", O_WRONLY), ("-u", O_RDWR), ("-a", O_WRONLY | O_APPEND), ("-x", O_WRONLY)]
    {
        for (more, blocking) in [("", 0), ("-n", O_NONBLOCK), ("-b", O_NONBLOCK), ("-nb", 0), ("-b -n", 0)] {
            let directory = directory_with_file();
            let file = if option == "-x" { "new" } else { "f" };
            assert_eq!(
                flags(&directory, &format!("{option} {more}"), file),
                mode | blocking,
                "{option} {more}"
            );
        }
    }
}

#[test]
fn of_several_modes_the_last_wins() {
    let directory = directory_with_file();
    for (options, mode) in
        [("-wr", O_RDONLY), ("-r -x -u", O_RDWR), ("-xwa", O_WRONLY | O_APPEND), ("-ar", 0)]
    {
        assert_eq!(flags(&directory, options, "f"), mode, "{options}");
    }
    assert_eq!(content(&directory, "f"), "one\ntwo\n");
    assert_eq!(flags(&directory, "-rxw", "f"), O_WRONLY);
    assert_eq!(content(&directory, "f"), "");
}

#[test]
fn n_opens_a_fifo_without_a_reader() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(run_in(&directory, "mkfifo p"), prints(""));
    for (options, expected) in [
        ("-wn", O_WRONLY | O_NONBLOCK),
        ("-wnb", O_WRONLY),
        ("-an", O_WRONLY | O_APPEND | O_NONBLOCK),
        ("-anb", O_WRONLY | O_APPEND),
        ("-rn", O_RDONLY | O_NONBLOCK),
        ("-rnb", O_RDONLY),
        ("-un", O_RDWR | O_NONBLOCK),
        ("-u", O_RDWR),
    ] {
        assert_eq!(flags(&directory, options, "p"), expected, "{options}");
    }
    // The reader that it was meanwhile is gone: nothing else has the FIFO open.
    assert_eq!(run_in(&directory, "exec redirfd -wn 1 p cat /proc/self/stat"), fails(128 + 13, ""));
    assert_eq!(descriptors(&directory, "redirfd -wnb 0 p", "<&- >&- 2>&-"), ["0 p"]);
    assert!(directory.path().join("p").metadata().unwrap().file_type().is_fifo());
}

#[test]
fn n_is_no_help_where_nothing_can_be_opened() {
    let directory = tempfile::tempdir().unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(directory.path().join("socket")).unwrap();
    for option in ["-wn", "-an", "-rn", "-un", "-w", "-r"] {
        assert_eq!(
            run_in(&directory, &format!("redirfd {option} 1 socket echo x")),
            cannot_open("socket", Errno::ENXIO)
        );
    }
    assert_eq!(run_in(&directory, "redirfd -xn 1 socket echo x"), cannot_open("socket", Errno::EEXIST));
    assert_eq!(run_in(&directory, "mkfifo p; redirfd -xn 1 p echo x"), cannot_open("p", Errno::EEXIST));
}

#[test]
fn a_fifo_without_a_reader_is_waited_for() {
    for options in ["-w", "-a", "-wb"] {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(run_in(&directory, "mkfifo p"), prints(""));
        let writer = Background::start(
            link("redirfd").args([options, "1", "p", "echo", "met"]).current_dir(&directory),
        );
        writer.wait_until_in(&[SYS_openat]);
        let mut text = String::new();
        fs::File::open(directory.path().join("p")).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "met\n");
        assert_eq!(writer.finish(), prints(""));
    }
}

#[test]
fn a_fifo_without_a_writer_is_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(run_in(&directory, "mkfifo p"), prints(""));
    let reader = Background::start(link("redirfd").args(["-r", "0", "p", "cat"]).current_dir(&directory));
    reader.wait_until_in(&[SYS_openat]);
    fs::write(directory.path().join("p"), "met\n").unwrap();
    assert_eq!(reader.finish(), prints("met\n"));
}

#[test]
fn the_file_is_on_that_descriptor_alone() {
    for option in ["-r", "-w", "-u", "-a", "-x", "-rn", "-wnb"] {
        for (closed, others) in [
            ("<&- >&- 2>&-", &[][..]),
            (">&- 2>&-", &["0"]),
            ("<&-", &["1", "2"]),
            ("", &["0", "1", "2"]),
            ("7</dev/null", &["0", "1", "2", "7"]),
        ] {
            // 3 is what open gives where 0-2 are open.
            for to in ["0", "1", "2", "3", "4", "7"] {
                let directory = directory_with_file();
                let file = if option == "-x" { "new" } else { "f" };
                let others = others.iter().filter(|fd| **fd != to).map(|fd| format!("{fd} null"));
                let mut expected: Vec<_> = others.chain([format!("{to} {file}")]).collect();
                expected.sort();
                let found = descriptors(&directory, &format!("redirfd {option} {to} {file}"), closed);
                assert_eq!(found, expected, "{option} {to} {closed}");
            }
        }
    }
}

#[test]
fn an_open_descriptor_is_replaced() {
    let directory = directory_with_file();
    assert_eq!(run_in(&directory, "redirfd -r 3 f sh -c 'cat <&3' 3</dev/null"), prints("one\ntwo\n"));
}

#[test]
fn no_message_gets_into_the_file() {
    let directory = directory_with_file();
    let says = says(Errno::ENOENT);
    let message = format!("redirfd: fatal: unable to run no-such-program: {says}\n");
    for to in ["0", "1", "3", "9"] {
        let script = format!("redirfd -w {to} out no-such-program");
        assert_eq!(run_in(&directory, &script), fails(127, &*message));
        assert_eq!(content(&directory, "out"), "", "fd {to}");
        assert_eq!(run_in(&directory, &format!("{script} <&- >&- 2>&-")), fails(127, ""));
        assert_eq!(content(&directory, "out"), "", "fd {to}, with 0-2 closed");
    }
}

#[test]
fn a_message_for_descriptor_2_goes_where_that_is_now() {
    let directory = directory_with_file();
    let says = says(Errno::ENOENT);
    for closed in ["", "2>&-", "<&- >&- 2>&-"] {
        assert_eq!(run_in(&directory, &format!("redirfd -w 2 out no-such-program {closed}")), fails(127, ""));
        let message = format!("redirfd: fatal: unable to run no-such-program: {says}\n");
        assert_eq!(content(&directory, "out"), message, "{closed}");
    }
}

#[test]
fn a_descriptor_that_cannot_be_had_stops_the_chain() {
    let directory = directory_with_file();
    let says = says(Errno::EBADF);
    assert_eq!(
        run_in(&directory, "redirfd -r 99999999 f echo x"),
        fails(111, format!("redirfd: fatal: unable to move f to fd 99999999: {says}\n"))
    );
}

#[test]
fn a_file_that_may_not_be_opened_stops_the_chain() {
    let directory = directory_with_file();
    for option in ["-r", "-w", "-u", "-a"] {
        let mut command = mortal(&format!("chmod 0 f; exec redirfd {option} 1 f echo x"));
        assert_eq!(run(command.current_dir(&directory)), cannot_open("f", Errno::EACCES));
    }
    assert_eq!(run_in(&directory, "chmod 600 f; cat f"), prints("one\ntwo\n"));
}

#[test]
fn a_usage_error_touches_no_file() {
    let directory = directory_with_file();
    for (words, problem) in [
        ("", "missing one of -r -w -u -a -x"),
        ("1 f echo x", "missing one of -r -w -u -a -x"),
        ("-n -b 1 f echo x", "missing one of -r -w -u -a -x"),
        ("-w", "missing fd"),
        ("-w 1", "missing file"),
        ("-w 1 f", "missing prog"),
        ("-q 1 f echo x", "invalid option '-q'"),
        ("-w -1 f echo x", "invalid option '-1'"),
        ("-w -- -1 f echo x", "not a file descriptor: -1"),
        ("-w x f echo x", "not a file descriptor: x"),
        ("-w '' f echo x", "not a file descriptor: the value is empty"),
        ("-w 1x f echo x", "not a file descriptor: 1x"),
        ("-w +1 f echo x", "not a file descriptor: +1"),
        ("-w 2147483648 f echo x", "not a file descriptor: 2147483648"),
        ("-w 4294967297 f echo x", "not a file descriptor: 4294967297"),
    ] {
        assert_eq!(run_in(&directory, &format!("redirfd {words}")), misuse("redirfd", problem), "{words}");
    }
    assert_eq!(run_in(&directory, "ls; cat f"), prints("f\none\ntwo\n"));
    assert_eq!(run_in(&directory, "redirfd -w 1 '' echo x"), cannot_open("", Errno::ENOENT));
}

#[test]
fn options_end_at_the_descriptor() {
    let directory = directory_with_file();
    assert_eq!(run_in(&directory, "redirfd -r 0 f cat -n | tr -s ' ' | cut -f2"), prints("one\ntwo\n"));
    assert_eq!(run_in(&directory, "redirfd -w 1 -r echo -n x; cat ./-r"), prints("x"));
}
