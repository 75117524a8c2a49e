//! The recipes of distributions, and what starts a tree at boot: each is read by the tool that it is for, where that is here,
//! or by what does the same, and the files that it installs are those of `make install`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::needs;
use crate::support::*;

fn recipe(file: &str) -> String {
    source(Path::new("packaging").join(file))
}

fn version() -> String {
    value(&source("Cargo.toml"), "version = ").trim_matches('"').to_owned()
}

/// A tarball, and the directory `sent` beside it with the recipes as they are sent to the distributions.
fn stamped(directory: &Path) -> PathBuf {
    let tarball = directory.join(format!("catena-{}-bare.tar.gz", version()));
    fs::write(&tarball, "bytes").unwrap();
    let mut stamp = prepared(house().join("packaging/stamp"));
    assert_eq!(run(stamp.arg(&tarball).arg(directory.join("sent"))), prints(""));
    tarball
}

/// What follows `name` at the start of a line.
fn value<'a>(text: &'a str, name: &str) -> &'a str {
    let found = text.lines().find_map(|line| line.trim_start().strip_prefix(name));
    found.unwrap_or_else(|| panic!("no line begins with {name} in:\n{text}"))
}

/// What `make install` installs from: the programs under test, as `make` puts what it has built.
struct Built(TempDir);

impl Built {
    fn new() -> Self {
        let directory = open_directory();
        let programs = directory.path().join("bin");
        fs::create_dir(&programs).unwrap();
        for shim in fs::read_dir(house().join("bins/main")).unwrap() {
            let name = shim.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned();
            symlink(program(&name), programs.join(name)).unwrap();
        }
        fs::write(directory.path().join("svdir"), "/etc/service\n").unwrap();
        Self(directory)
    }

    /// Runs a command whose make installs these, and is no part of one that has started us.
    fn run(&self, command: &mut Command) -> Outcome {
        run(command.env("MAKEFLAGS", format!("BUILD={}", self.0.path().display())).env_remove("MAKELEVEL"))
    }

    /// The packages that a recipe makes, by a script that does what the tool that reads it does, and what it prints.
    fn packages(
        &self,
        shell: &str,
        script: &str,
        recipe: &str,
        at: &Path,
    ) -> (BTreeMap<String, BTreeSet<String>>, TempDir) {
        let root = open_directory();
        let mut install = prepared(shell);
        install.arg(house().join("tests/packaging").join(script)).arg(house().join("packaging").join(recipe));
        let outcome = self.run(install.arg(root.path()).current_dir(at));
        assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
        outcome.stdout.lines().for_each(assert_describes);
        (packages(root.path()), root)
    }

    /// What `make install` installs for a package beside all others, with these words.
    fn installs(&self, words: &str) -> BTreeSet<String> {
        let root = open_directory();
        let targets = "install install-runit-names install-daemontools-names";
        let mut make = sh(&format!(
            "make -s DESTDIR='{}' PREFIX=/usr BASE=others {words} {targets}",
            root.path().display()
        ));
        assert_eq!(self.run(make.current_dir(house())), prints(""));
        files(root.path())
    }
}

/// The same once for all tests, without variables of their own.
fn installed() -> &'static BTreeSet<String> {
    static INSTALLED: OnceLock<BTreeSet<String>> = OnceLock::new();
    INSTALLED.get_or_init(|| Built::new().installs(""))
}

fn without_daemontools_names() -> BTreeSet<String> {
    let is_one = |file: &&String| file.starts_with("usr/libexec/catena/daemontools/");
    installed().iter().filter(|file| !is_one(file)).cloned().collect()
}

/// The files below a directory, and the links with what they lead to.
fn files(directory: &Path) -> BTreeSet<String> {
    let list = run_in(directory, "find . ! -type d -printf '%P %l\\n'");
    list.stdout.lines().map(|line| line.trim_end().replacen(' ', " -> ", 1)).collect()
}

/// The packages that a recipe has made in a directory, each with its files.
fn packages(directory: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let names =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.map(|name| (name.clone(), files(&directory.join(name)))).collect()
}

/// Asserts that each package has something, that none has what another one has, and that together they have what make
/// installs, and this in addition.
fn assert_installs(packages: &BTreeMap<String, BTreeSet<String>>, make: &BTreeSet<String>, others: &[&str]) {
    let mut expected = make.clone();
    expected.extend(others.iter().map(|file| (*file).to_owned()));
    let found: Vec<&String> = packages.values().flatten().collect();
    let listed = |files: Vec<&String>| files.into_iter().fold(String::new(), |all, file| all + file + "\n");
    let (expected, mut sorted) = (listed(expected.iter().collect()), found);
    sorted.sort();
    let found = listed(sorted);
    assert!(expected == found, "{}", differences(&expected, &found));
    assert!(packages.values().all(|files| !files.is_empty()), "{packages:?}");
}

/// The names of the packages that have a file at this place.
fn owners<'a>(packages: &'a BTreeMap<String, BTreeSet<String>>, place: &str) -> Vec<&'a str> {
    let has = |files: &BTreeSet<String>| files.iter().any(|file| file.starts_with(place));
    packages.iter().filter(|(_, files)| has(files)).map(|(name, _)| name.as_str()).collect()
}

/// Of packages that share a machine with all others: names that no other package has, with the pages of these.
fn assert_beside_all_others(make: &BTreeSet<String>) {
    let names = |place: &str| -> Vec<&str> {
        let below = make.iter().filter_map(|file| file.strip_prefix(place));
        below.map(|file| file.split([' ', '.']).next().unwrap()).collect()
    };
    assert_eq!(
        names("usr/bin/"),
        ["catena", "pidlock", "setsid-free", "sissylog", "svctl", "svlog", "svrun", "svtree"]
    );
    for page in names("usr/share/man/man1/").into_iter().chain(names("usr/share/man/man8/")) {
        let own =
            names("usr/bin/").contains(&page) || page.starts_with("catena-") || page.starts_with("svctl-");
        assert!(own, "the page {page} is that of another package, or will be");
    }
}

/// A short description as xlint, abuild's and namcap want it.
fn assert_describes(line: &str) {
    let (package, words) = line.split_once(": ").unwrap();
    assert!(words.starts_with(|first: char| first.is_ascii_uppercase()), "{package}: {words}: no capital");
    assert!(
        !words.starts_with("A ") && !words.starts_with("An ") && !words.starts_with("The "),
        "{line}: an article"
    );
    assert!(!words.ends_with('.'), "{line}: a final dot");
    assert!(words.len() <= 72, "{line}: more than 72 letters");
}

/// The names of the variables of a shell recipe, in their order, without those of functions.
fn variables(recipe: &str) -> Vec<&str> {
    let is_name = |name: &&str| name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_');
    recipe.lines().filter_map(|line| Some(line.split_once('=')?.0)).filter(is_name).collect()
}

/// Asserts that the variables of a recipe are in this order; not all of these have to be there.
fn assert_in_order(recipe: &str, order: &str) {
    let places: Vec<usize> = variables(recipe)
        .into_iter()
        .map(|name| {
            order
                .split_whitespace()
                .position(|other| other == name)
                .unwrap_or_else(|| panic!("{name} has no place"))
        })
        .collect();
    assert!(places.is_sorted(), "{:?} should be in the order of {order}", variables(recipe));
}

fn assert_tidy(file: &str) {
    for (line, number) in recipe(file).lines().zip(1..) {
        assert!(!line.ends_with([' ', '\t']), "{file}:{number}: a blank at the end");
        assert!(!line.starts_with("  "), "{file}:{number}: indented by blanks");
        assert!(!line.contains('`'), "{file}:{number}: $() instead of `");
    }
}

/// shellcheck with what the tool that reads a recipe sets, or reads itself, left out.
fn shellcheck(dialect: &str, file: &str) {
    let mut command = prepared("shellcheck");
    command
        .args(["--shell", dialect, "--exclude=SC2034,SC2154,SC2164,SC2317"])
        .arg(house().join("packaging").join(file));
    assert_eq!(run(&mut command), prints(""));
}

#[test]
fn each_recipe_has_the_version_of_cargo_toml() {
    let version = version();
    for (file, name) in [
        ("void/template", "version="),
        ("alpine/APKBUILD", "pkgver="),
        ("arch/PKGBUILD", "pkgver="),
        ("nix/package.nix", "version = "),
    ] {
        assert_eq!(value(&recipe(file), name).trim_matches(['"', ';']), version, "{file}: {name}");
    }
}

#[test]
fn what_is_sent_to_a_distribution_has_the_version_and_the_checksums() {
    needs!(tool("sha256sum"));
    let directory = open_directory();
    let tarball = stamped(directory.path());
    let sent = |file: &str| text(&directory.path().join("sent").join(file));
    let sum =
        |program: &str| run(prepared(program).arg(&tarball)).stdout.split(' ').next().unwrap().to_owned();
    assert_eq!(value(&sent("void/template"), "checksum="), sum("sha256sum"));
    assert_eq!(value(&sent("arch/PKGBUILD"), "sha256sums="), format!("('{}')", sum("sha256sum")));
    let sums = format!("sha512sums=\"\n{}  catena-{}-bare.tar.gz\n\"\n", sum("sha512sum"), version());
    assert!(sent("alpine/APKBUILD").ends_with(&sums), "{}", sent("alpine/APKBUILD"));
    assert_eq!(sent("void/files/catena/run"), recipe("starters/sv/catena/run"));
}

#[test]
fn the_recipe_of_void() {
    needs!(tool("shellcheck"), tool("make"), tool("bash"));
    let template = recipe("void/template");
    assert_tidy("void/template");
    shellcheck("bash", "void/template");
    assert!(template.starts_with("# Template file for 'catena'\npkgname=catena\n"), "{template}");
    assert_in_order(
        &template,
        "pkgname version revision archs build_style build_helper make_build_args make_install_args make_install_target \
         conf_files make_dirs hostmakedepends makedepends depends checkdepends short_desc maintainer license homepage \
         changelog distfiles checksum",
    );
    assert_eq!(value(&template, "hostmakedepends="), "\"cargo\"");
    assert_eq!(value(&template, "checksum=").len(), 64);
    assert_eq!(value(&template, "make_dirs="), "\"/etc/catena/service 0755 root root\"");

    let (packages, _) = Built::new().packages("bash", "void.bash", "void/template", house());
    let make = without_daemontools_names();
    assert_beside_all_others(&make);
    let others = [
        "etc/sv/catena/run",
        "etc/sv/catena/supervise -> /run/runit/supervise.catena",
        "usr/share/licenses/catena/LICENSE",
    ];
    assert_installs(&packages, &make, &others);
    assert_eq!(owners(&packages, "usr/libexec/catena/runit/"), ["catena-runit"]);
}

#[test]
fn the_recipe_of_alpine() {
    needs!(tool("shellcheck"), tool("make"));
    let apkbuild = recipe("alpine/APKBUILD");
    assert_tidy("alpine/APKBUILD");
    shellcheck("dash", "alpine/APKBUILD");
    assert_in_order(
        apkbuild.split("\nprepare()").next().unwrap(),
        "pkgname pkgver pkgrel pkgdesc url arch license depends makedepends checkdepends install subpackages source \
         builddir options",
    );
    assert_eq!(value(&apkbuild, "makedepends="), "\"cargo cargo-auditable\"");
    assert!(value(&apkbuild, "options=").starts_with("\"net\""));
    for (function, words) in
        [("prepare", "cargo fetch --target=\"$CTARGET\" --locked"), ("check", "cargo test --frozen")]
    {
        let body =
            apkbuild.split(&format!("\n{function}() {{\n")).nth(1).unwrap().split("\n}").next().unwrap();
        assert!(body.contains(words), "{function}:\n{body}");
    }

    let (packages, root) = Built::new().packages("sh", "alpine.sh", "alpine/APKBUILD", house());
    let make = without_daemontools_names();
    assert_installs(&packages, &make, &["etc/init.d/catena", "usr/share/licenses/catena/LICENSE"]);
    assert!(root.path().join("catena/etc/catena/service").is_dir());
    for (place, owner) in [
        ("usr/share/man/", "catena-doc"),
        ("usr/share/bash-completion/", "catena-bash-completion"),
        ("usr/share/zsh/", "catena-zsh-completion"),
        ("usr/share/fish/", "catena-fish-completion"),
        ("etc/init.d/", "catena-openrc"),
        ("usr/libexec/catena/runit/", "catena-runit"),
        ("usr/bin/", "catena"),
    ] {
        assert_eq!(owners(&packages, place), [owner], "{place}");
    }
}

/// makepkg refuses root, and wants to own its directory.
fn makepkg(directory: &Path, words: &[&str]) -> Outcome {
    let mut command = prepared(if root().is_ok() { "setpriv" } else { "env" });
    if root().is_ok() {
        command.args(["--reuid=4240", "--regid=4240", "--clear-groups"]);
    }
    // It looks for pacman, which Debian has in another package, and needs it to install what is missing.
    run(command.arg("makepkg").args(words).current_dir(directory).env("PACMAN", "true").env("LANG", "C"))
}

#[test]
fn the_recipe_of_arch() {
    needs!(tool("shellcheck"), tool("make"), tool("makepkg"));
    assert_tidy("arch/PKGBUILD");
    shellcheck("bash", "arch/PKGBUILD");
    let version = version();

    // Read by makepkg, which also compares the checksum of what would be sent.
    let directory = open_directory();
    fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o777)).unwrap();
    stamped(directory.path());
    fs::copy(directory.path().join("sent/arch/PKGBUILD"), directory.path().join("PKGBUILD")).unwrap();
    let printed = makepkg(directory.path(), &["--printsrcinfo"]);
    assert_eq!((printed.status, printed.stderr.as_str()), (0, ""));
    for (name, expected) in [
        ("pkgbase = ", "catena"),
        ("pkgver = ", &version),
        ("license = ", "ISC"),
        ("makedepends = ", "cargo"),
    ] {
        assert_eq!(value(&printed.stdout, name), expected, "{name}");
    }
    assert_describes(&format!("catena: {}", value(&printed.stdout, "pkgdesc = ")));
    let verified = makepkg(directory.path(), &["--verifysource", "--nodeps"]);
    assert!(verified.status == 0 && verified.stderr.contains("bare.tar.gz ... Passed"), "{verified:?}");

    let built = Built::new();
    let place = open_directory();
    symlink(house(), place.path().join(format!("catena-{version}"))).unwrap();
    let (packages, root) = built.packages("bash", "arch.bash", "arch/PKGBUILD", place.path());
    let make = built.installs("LIBEXECDIR=/usr/lib");
    let others = [
        "usr/lib/systemd/system/catena.service",
        "usr/lib/sysusers.d/catena.conf",
        "usr/share/licenses/catena/LICENSE",
    ];
    assert_installs(&packages, &make, &others);
    assert!(root.path().join("catena/etc/catena/service").is_dir());
}

#[test]
fn the_recipe_of_nix() {
    needs!(tool("nix-instantiate"), tool("make"), tool("bash"), tool("jq"));
    let scratch = open_directory();
    // What nixpkgs has of all that the package names, so that it is evaluated as it is there.
    let expression = format!(
        "import {} {{
            lib = {{ cleanSource = source: toString source; licenses.isc = \"ISC\"; platforms.linux = \"linux\"; }};
            installShellFiles = \"installShellFiles\";
            rustPlatform.buildRustPackage = attributes:
                attributes // {{ cargoLock.lockFile = toString attributes.cargoLock.lockFile; }};
        }}",
        house().join("packaging/nix/package.nix").display()
    );
    let mut nix = prepared("nix-instantiate");
    for (name, directory) in
        [("NIX_STORE_DIR", "store"), ("NIX_STATE_DIR", "state"), ("NIX_LOG_DIR", "log"), ("HOME", "home")]
    {
        nix.env(name, scratch.path().join(directory));
    }
    let evaluated = run(nix.args(["--eval", "--strict", "--json", "--expr", &expression]));
    assert_eq!(evaluated.status, 0, "{}", evaluated.stderr);
    let attribute = |path: &str| {
        let mut jq = sh("printf %s \"$0\" | jq -r \"$1\"");
        let outcome = run(jq.arg(&evaluated.stdout).arg(path));
        assert_eq!(outcome.status, 0, "{path}: {}", outcome.stderr);
        outcome.stdout.trim_end().to_owned()
    };
    assert_eq!(attribute(".pname + .version"), format!("catena{}", version()));
    assert_eq!(attribute(".src"), house().display().to_string());
    assert_eq!(attribute(".cargoLock.lockFile"), house().join("Cargo.lock").display().to_string());
    assert_eq!(attribute(".meta.mainProgram + .meta.platforms + .meta.license"), "catenalinuxISC");
    assert_describes(&format!("catena: {}", attribute(".meta.description")));

    // What cargo has built is in $out/bin when the script is executed, in the source.
    let (built, root) = (Built::new(), open_directory());
    let out = root.path().join("catena");
    fs::create_dir(&out).unwrap();
    fs::rename(built.0.path().join("bin"), out.join("bin")).unwrap();
    let source = root.path().join("source");
    fs::create_dir(&source).unwrap();
    for entry in fs::read_dir(house()).unwrap() {
        let entry = entry.unwrap();
        symlink(entry.path(), source.join(entry.file_name())).unwrap();
    }
    let script = root.path().join("postInstall");
    fs::write(&script, attribute(".postInstall")).unwrap();
    let mut install = prepared("bash");
    install.arg(house().join("tests/packaging/nix.bash")).arg(&script).arg(root.path()).current_dir(&source);
    let outcome = run(install.env("CATENA_SVDIR", attribute(".env.CATENA_SVDIR")));
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
    let make = installed().iter().map(|file| file.strip_prefix("usr/").unwrap().to_owned()).collect();
    let made = BTreeMap::from([("catena".to_owned(), files(&out))]);
    assert_installs(&made, &make, &[]);
}

/// Whether the starter starts svtree with a service, and the service is stopped at the end.
fn boots(starter: &str) {
    let directory = open_directory();
    let said: PathBuf = directory.path().join("said");
    let mut boot = prepared("timeout");
    boot.args(["-s", "KILL", "60", BASE_UNSHARE]);
    boot.args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh"]);
    boot.arg(house().join("tests/packaging/boot.sh")).arg(starter).current_dir(house()).env("SAID", &said);
    let outcome = run(&mut boot);
    assert!(said.exists(), "{outcome:?}");
    assert_eq!(text(&said), "up\nstopped\n", "{outcome:?}");
}

#[test]
fn openrc_starts_and_stops_the_tree() {
    needs!(root(), namespaces(), mounts(), tool("openrc-run"), tool("supervise-daemon"));
    boots("openrc");
}

#[test]
fn the_service_of_runit_starts_and_stops_the_tree() {
    needs!(root(), namespaces(), mounts(), tool("runsv"), tool("sv"));
    boots("runit");
}

#[test]
fn stage_2_of_runit_starts_and_stops_the_tree() {
    needs!(root(), namespaces(), mounts());
    boots("runit-2");
}

#[test]
fn the_line_of_inittab_starts_the_tree_under_busybox() {
    needs!(root(), namespaces(), mounts(), tool("busybox"));
    boots("busybox");
    // sysvinit's line has the same, with an identifier of up to four letters and its runlevels.
    let process = |file: &str| {
        recipe(file).lines().last().unwrap().splitn(4, ':').map(str::to_owned).collect::<Vec<_>>()
    };
    let (sysv, busybox) = (process("starters/inittab"), process("starters/inittab.busybox"));
    assert_eq!(sysv[1..], ["2345", "respawn", &busybox[3].replace("svtree ", "svtree -t 2s ")]);
    assert!((1..=4).contains(&sysv[0].len()), "{sysv:?}");
}

#[test]
fn systemd_has_nothing_to_say_of_the_unit() {
    needs!(tool("systemd-analyze"));
    let directory = open_directory();
    let unit = directory.path().join("catena.service");
    let svtree = program("svtree").display().to_string();
    fs::write(&unit, recipe("starters/catena.service").replace("/usr/bin/svtree", &svtree)).unwrap();
    assert_eq!(run(prepared("systemd-analyze").args(["verify", "--man=no"]).arg(&unit)), prints(""));
}

#[test]
fn systemd_sysusers_makes_the_account_of_loggers() {
    needs!(root(), tool("systemd-sysusers"));
    let root = open_directory();
    let list = root.path().join("usr/lib/sysusers.d");
    fs::create_dir_all(root.path().join("etc")).unwrap();
    fs::create_dir_all(&list).unwrap();
    fs::copy(house().join("packaging/starters/catena.sysusers"), list.join("catena.conf")).unwrap();
    let outcome = run(prepared("systemd-sysusers").arg("--root").arg(root.path()));
    assert_eq!(outcome.status, 0, "{outcome:?}");
    let passwd = text(&root.path().join("etc/passwd"));
    let account: Vec<&str> = passwd.trim_end().split(':').collect();
    assert_eq!((account[0], account[5], account[6]), ("svlog", "/var/log", "/usr/sbin/nologin"));
}
