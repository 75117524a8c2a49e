//! Which word of a chain is a link of ours, and which is a program.

use nix::errno::Errno;
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use tempfile::TempDir;

use super::harness::*;
use crate::needs;
use crate::support::*;

#[test]
fn a_changed_path_is_that_of_the_link_after_the_next() {
    let house = House::new();
    house.script("other/softlimit", "#!/bin/sh\necho other softlimit $*\n");
    let line = "envdir @/env softlimit -c 0 umask 027 @/state";
    // The next link is searched in the old one.
    house.write("env/PATH", "@/other:@/bin:/usr/bin:/bin");
    assert_eq!(house.fused(&EACH, line).status, 0);
    // The one after it is searched in the new one, and may be another's.
    house.script("other/umask", "#!/bin/sh\necho other umask $*\n");
    let outcome = house.executes(&LINKED, line, &["@/other/umask"]);
    assert_eq!(outcome, prints(house.text("other umask 027 @/state\n")));
    // Or be nowhere.
    for path in ["/nowhere", ""] {
        house.write("env/PATH", &format!("{path}\n"));
        let outcome = house.executes(&LINKED, line, &[]);
        assert_eq!(outcome, fails(127, unable_to_run("softlimit", "umask", Errno::ENOENT)));
    }
    // By name it is ours wherever it is.
    for path in ["/nowhere", "@/other"] {
        house.write("env/PATH", path);
        let (outcome, files) = house.run(Named, line);
        assert_eq!((outcome.status, files), (0, vec!["@/state".to_owned()]));
    }
}

#[test]
fn without_a_path_the_search_is_the_default_one() {
    needs!(tool("env"));
    let house = House::new().behind("env -u PATH");
    let outcome = house.executes(&LINKED, "softlimit -c 0 umask 022 @/state", &[]);
    assert_eq!(outcome, fails(127, unable_to_run("softlimit", "umask", Errno::ENOENT)));
    house.fused(&LINKED, "softlimit -c 0 @/bin/umask 022 @/state");
}

#[test]
fn another_program_of_the_name_of_a_link_is_executed() {
    let house = House::new().searching("@/other:@/bin:/usr/bin:/bin");
    house.script("other/umask", "#!/bin/sh\necho other umask $*\n");
    let line = "softlimit -c 0 umask 027 @/state";
    let outcome = house.executes(&LINKED, line, &["@/other/umask"]);
    assert_eq!(outcome, prints(house.text("other umask 027 @/state\n")));
    // A single-purpose program and a copy of ours are other files too.
    for copy in ["umask", "catena"] {
        install(&bin().join(copy), &house.at("other/umask"));
        assert_eq!(house.executes(&LINKED, line, &["@/other/umask", "@/state"]).status, 0);
    }
}

#[test]
fn files_that_the_search_passes_over_do_not_hide_a_link() {
    let line = "softlimit -c 0 umask 027 @/state";
    let house = House::new().searching("@/none:@/file:@/other:@/more:@/bin:/usr/bin:/bin");
    house.write("file", "");
    fs::create_dir_all(house.at("other/umask")).unwrap();
    house.write("more/umask", "not executable");
    assert_eq!(house.fused(&LINKED, line).status, 0);
    fs::remove_file(house.at("more/umask")).unwrap();
    symlink("none", house.at("more/umask")).unwrap();
    assert_eq!(house.fused(&LINKED, line).status, 0);
    // One that exec tries in vain: it has to be tried.
    fs::remove_file(house.at("more/umask")).unwrap();
    house.script("more/umask", "#!/no/such/interpreter\n");
    assert_eq!(house.executes(&LINKED, line, &["@/bin/umask", "@/state"]).status, 0);
    // And one that ends the search.
    fs::remove_file(house.at("more/umask")).unwrap();
    house.script("more/umask", "no first line\n");
    assert_eq!(house.executes(&LINKED, line, &[]).status, 126);
    fs::remove_file(house.at("more/umask")).unwrap();
    symlink("umask", house.at("more/umask")).unwrap();
    assert_eq!(house.executes(&LINKED, line, &[]).status, 126);
}

#[test]
fn a_program_that_only_a_capability_lets_us_execute_is_executed() {
    needs!(root(), tool("setpriv"));
    for capability in ["dac_override", "dac_read_search"] {
        let before = format!(
            "setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=+{capability} --ambient-caps=+{capability}"
        );
        let house = House::new().behind(&before).searching("@/other:@/bin:/usr/bin:/bin");
        house.script("other/umask", "#!/bin/sh\necho other umask $*\n");
        house.mode("other", 0o700);
        house.mode("other/umask", if capability == "dac_override" { 0o700 } else { 0o755 });
        let outcome = house.executes(&LINKED, "softlimit -c 0 umask 027 @/state", &["@/other/umask"]);
        assert!(outcome.stderr.is_empty() && outcome.stdout.starts_with("other"), "{outcome:?}");
    }
}

#[test]
fn a_word_with_a_slash_is_that_file() {
    let house = House::new();
    house.script("umask", "#!/bin/sh\necho other umask $*\n");
    let line = "softlimit -c 0 ./umask 027 @/state";
    let outcome = house.executes(&EACH, line, &["./umask"]);
    assert_eq!(outcome, prints(house.text("other umask 027 @/state\n")));
    let line = "softlimit -c 0 @/bin/umask 027 @/state";
    assert_eq!(house.fused(&LINKED, line).status, 0);
    assert_eq!(house.executes(&[Named], line, &["@/bin/umask", "@/state"]).status, 0);
}

#[test]
fn any_other_name_is_a_program() {
    let house = House::new();
    for way in LINKED {
        let directory = house.at(&format!("{way:?}"));
        fs::hard_link(directory.join("catena"), directory.join("umask.old")).unwrap();
        let line = "softlimit -c 0 umask.old umask 022 @/state";
        let (outcome, files) = house.run(way, line);
        assert_eq!((outcome.status, &*files), (0, &["@/bin/umask.old".to_owned(), "@/state".into()][..]));
        let line = "softlimit -c 0 catena umask 022 @/state";
        let (outcome, files) = house.run(way, line);
        assert_eq!((outcome.status, &*files), (0, &["@/bin/catena".to_owned(), "@/state".into()][..]));
    }
}

#[test]
fn the_name_that_a_process_was_given_says_which_link_it_is() {
    let directory = TempDir::new().unwrap();
    symlink(bin().join("catena"), directory.path().join("umask")).unwrap();
    let called =
        |name: &str, words: &[&str]| run(prepared(directory.path().join("umask")).arg0(name).args(words));
    let shows = ["sh", "-c", "umask"];
    for name in ["umask", "-umask", "x-umask", "/no/such/umask", "\u{e9}umask"] {
        assert_eq!(called(name, &[&["0027"], &shows[..]].concat()), prints("0027\n"), "{name}");
    }
    // Any other is `catena`, and the link comes next.
    for name in ["", "catena", "frob", "umask/", "umask.old", "UMASK"] {
        assert_eq!(called(name, &[&["umask", "0027"], &shows[..]].concat()), prints("0027\n"), "{name}");
        let message = format!("catena: no link is called 0027\ncatena: {}\n", usage());
        assert_eq!(called(name, &[&["0027"], &shows[..]].concat()), fails(100, message), "{name}");
    }
    // And another link's name is that link.
    let outcome = called("softlimit", &["-c", "7", "sh", "-c", "ulimit -c"]);
    assert_eq!(outcome.status, 0, "{outcome:?}");
}

#[test]
fn without_a_true_proc_nothing_is_fused_through_links() {
    needs!(root(), tool("unshare"));
    let house = House::new().behind("/usr/bin/unshare --mount --propagation=private @/without");
    let line = "softlimit -c 0 umask 022 setuidgid :65534:65533 umask 027 @/state";
    let files = ["@/bin/umask", "@/bin/setuidgid", "@/bin/umask", "@/state"];
    fs::create_dir_all(house.at("fake/self")).unwrap();
    let own = "mkdir -p /proc/self && ln -s @/bin/catena /proc/self/exe";
    for mount in [
        "mount -t tmpfs none /proc".to_owned(),
        format!("mount -t tmpfs none /proc && {own}"),
        "mount --bind @/fake /proc && ln -sf @/bin/catena @/fake/self/exe".into(),
        "mount -t tmpfs none /proc/$$ && ln -s @/bin/catena /proc/$$/exe".into(),
    ] {
        house.script("without", &format!("#!/bin/sh\n{mount} && exec $*\n"));
        let outcome = house.executes(&LINKED, line, &files);
        assert_eq!(outcome.status, 0, "{mount}: {outcome:?}");
        // By name nothing needs to be known.
        assert_eq!(house.run(Named, line), (outcome, vec!["@/state".into()]), "{mount}");
    }
    // Another process's file is not ours.
    house.script("without", "#!/bin/sh\nmount --bind /proc/1 /proc/$$ && exec $*\n");
    let outcome = house.executes(&LINKED, line, &files);
    assert_eq!(outcome.status, 0, "{outcome:?}");
}
