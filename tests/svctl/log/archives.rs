//! The files of a log directory: archives of all kinds, in their order.

use std::os::unix::fs::symlink;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::super::harness::*;
use super::*;
use crate::needs;

#[test]
fn archives_come_in_the_order_of_their_names_before_current() {
    let house = House::new();
    let old = archive(9).replace(".s", ".u");
    log(
        &house,
        "web",
        &[("current", "5\n"), ("previous", "4\n"), (&archive(1), "1\n"), (&archive(2), "2\n")],
    );
    house.write(&format!("web/log/main/{old}"), "3\n");
    house.write(&format!("web/log/main/{}", archive(3).replace(".s", ".t")), "of a processor that runs\n");
    house.write("web/log/main/state", "x\n");
    assert_eq!(shows(&house, &["web"]), "1\n2\n3\n4\n5\n");
    assert_eq!(shows(&house, &["-n2", "web"]), "4\n5\n");
    assert_eq!(shows(&house, &["-n4", "web"]), "2\n3\n4\n5\n");
}

#[test]
fn an_archive_that_is_processed_and_not_yet_removed_comes_once() {
    let house = House::new();
    log(&house, "web", &[(&archive(1), "1\n"), (&archive(1).replace(".s", ".u"), "1\n"), ("current", "2\n")]);
    assert_eq!(shows(&house, &["web"]), "1\n2\n");
}

#[test]
fn compressed_archives_are_unpacked() {
    needs!(tool("gzip"));
    let house = House::new();
    let all = ["one", "two", "three", "four", "five", "six"];
    log(
        &house,
        "web",
        &[
            (&archive(1), &lines(0, &all[..2])),
            (&archive(3), &lines(2, &all[2..4])),
            ("current", &lines(4, &all[4..])),
        ],
    );
    let mut packers = vec!["gzip"];
    packers.extend(["zstd", "xz", "bzip2"].into_iter().filter(|packer| tool(packer).is_ok()));
    for packer in packers {
        let pack = format!(
            "cd web/log/main && for file in @*; do {packer} -dc <$file >x 2>/dev/null || cp $file x; {packer} -c <x >y && mv y $file; done; rm x"
        );
        assert_eq!(run_in(house.at("."), &pack), prints(""), "{packer}");
        assert_eq!(texts(&house, &["web"]), all, "{packer}");
        for count in 1..6 {
            assert_eq!(texts(&house, &["-n", &count.to_string(), "web"]), all[6 - count..], "{packer}");
        }
        let chosen = |words: &[&str]| texts(&house, &[words, &["web"]].concat());
        assert_eq!(chosen(&["--since", "2026-11-22 10:30:02"]), all[1..]);
        assert_eq!(chosen(&["--until", "2026-11-22 10:30:04"]), all[..3]);
        assert_eq!(chosen(&["-n1", "--until", "2026-11-22 10:30:04"]), all[2..3]);
        assert_eq!(chosen(&["-g", "e"]), ["one", "three", "five"]);
        // For the next one.
        let unpack =
            format!("cd web/log/main && for file in @*; do {packer} -dc <$file >x && mv x $file; done");
        assert_eq!(run_in(house.at("."), &unpack), prints(""));
    }
}

#[test]
fn what_is_processed_and_has_no_name_yet_is_shown() {
    needs!(tool("gzip"));
    let house = House::new();
    log(&house, "web", &[(&archive(1), "1\n"), ("previous", "2\n"), ("processed", ""), ("current", "3\n")]);
    assert_eq!(shows(&house, &["web"]), "1\n2\n3\n");
    assert_eq!(run_in(house.at("web/log/main"), "gzip -c <previous >processed && rm previous"), prints(""));
    assert_eq!(shows(&house, &["web"]), "1\n2\n3\n");
    assert_eq!(shows(&house, &["-n2", "web"]), "2\n3\n");
}

#[test]
fn a_damaged_archive_is_reported_and_shown_as_far_as_it_goes() {
    needs!(tool("gzip"));
    let house = House::new();
    let name = archive(1);
    log(&house, "web", &[(&name, "1\n2\n"), (&archive(0), "0\n"), ("current", "3\n")]);
    let damage = format!("cd web/log/main && gzip -c {name} | head -c -4 >x && mv x {name}");
    assert_eq!(run_in(house.at("."), &damage), prints(""));
    for (words, expected) in
        [(&["web"][..], "0\n1\n2\n3\n"), (&["-n2", "web"], "2\n3\n"), (&["-g", "2"], "2\n")]
    {
        let outcome = run(&mut command(&house, words));
        assert_eq!((outcome.status, &*outcome.stdout), (1, expected), "{words:?}");
        let warning = "warning: web: a compressed archive is damaged, so lines of it are left out\n";
        assert_eq!(outcome.stderr, warning, "{words:?}");
    }
}

#[test]
fn compressed_archives_are_left_out_where_nothing_unpacks_them() {
    let house = House::new();
    log(&house, "web", &[("current", "new\n")]);
    for second in [1, 2] {
        fs::write(house.at("web/log/main").join(archive(second)), b"\x1f\x8b\x08 and so on").unwrap();
    }
    let ours = format!("{0}:{0}/../libexec/catena", bin().display());
    let outcome = run(command(&house, &["web"]).env("PATH", ours));
    assert_eq!((outcome.status, &*outcome.stdout), (1, "new\n"));
    let why = says(nix::errno::Errno::ENOENT);
    let expected = format!("warning: web: unable to execute gzip, so archives are left out: {why}\n");
    assert_eq!(outcome.stderr, expected, "once");
}

#[test]
fn what_is_no_log_file_is_not_read_and_holds_nothing_up() {
    let house = House::new();
    house.write("secret", "secret\n");
    log(&house, "web", &[(&archive(2), "2\n"), ("current", "3\n")]);
    let main = house.at("web/log/main");
    symlink(house.at("secret"), main.join(archive(1))).unwrap();
    mkfifo(&main.join(archive(0)), Mode::from_bits_truncate(0o600)).unwrap();
    let outcome = run(&mut command(&house, &["web"]));
    assert_eq!((outcome.status, &*outcome.stdout), (2, "2\n3\n"));
    assert!(
        outcome
            .stderr
            .lines()
            .all(|line| line.starts_with("warning: web: unable to open a file of its log: "))
    );
    fs::remove_file(main.join("current")).unwrap();
    symlink(house.at("secret"), main.join("current")).unwrap();
    let outcome = run(&mut command(&house, &["web"]));
    assert_eq!((outcome.status, &*outcome.stdout), (1, ""), "{}", outcome.stderr);
}

#[test]
fn the_link_of_another_account_is_not_followed() {
    needs!(root());
    let house = House::new();
    log(&house, "web", &[("current", "1\n")]);
    let main = house.at("web/log/main");
    fs::rename(&main, house.at("elsewhere")).unwrap();
    symlink(house.at("elsewhere"), &main).unwrap();
    assert_eq!(shows(&house, &["web"]), "1\n", "that of root is");
    let owner = Some(nix::unistd::Uid::from_raw(65_534));
    nix::unistd::fchownat(nix::fcntl::AT_FDCWD, &main, owner, None, nix::fcntl::AtFlags::AT_SYMLINK_NOFOLLOW)
        .unwrap();
    let outcome = run(&mut command(&house, &["web"]));
    assert_eq!((outcome.status, &*outcome.stdout), (1, ""), "{}", outcome.stderr);
}

#[test]
fn a_line_that_is_longer_than_any_block_is_shown_whole_in_pieces() {
    let house = House::new();
    let long = "x".repeat(1 << 20);
    log(&house, "web", &[("current", &format!("before\n{long}\nbehind\n"))]);
    let shown = shows(&house, &["web"]);
    assert!(shown.replace('\n', "") == format!("before{long}behind"));
    assert_eq!(shows(&house, &["-n1", "web"]), "behind\n");
}

#[test]
fn the_usual_places_are_those_of_the_page() {
    for place in ["log", "log/main"] {
        let house = House::new();
        house.write("web/run", "");
        house.write(&format!("web/{place}/current"), "line\n");
        assert_eq!(shows(&house, &["web"]), "line\n", "{place}");
    }
}
