//! The multi-call program: `catena` by name and through its links. Whatever it applies in one process, the
//! program at the end finds what the single-purpose programs would have left, executed one by one.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::sync::Mutex;
use std::thread;

use catena::LINKS;
use common::Link;
use nix::errno::Errno;
use tempfile::TempDir;

use crate::common_rules::{before_prog, refusal, set_id};
use crate::support::*;
use crate::{all_or_nothing, needs, transparency};

/// How a chain is called.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    /// As single-purpose programs, each a file of its own: what the other ways must equal.
    Separate,
    /// Through symbolic links to `catena`.
    Symbolic,
    /// Through hard links to it.
    Hard,
    /// `catena` and the names of the links.
    Named,
}
use Way::{Hard, Named, Separate, Symbolic};

const EACH: [Way; 3] = [Symbolic, Hard, Named];
const LINKED: [Way; 2] = [Symbolic, Hard];

/// A program in front of a chain that makes it nobody's, with three capabilities.
const LENT: &str = "setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=+setuid,+setgid,+setpcap \
                    --ambient-caps=+setuid,+setgid,+setpcap";

/// A directory, which is `@` in what follows, with a directory of programs for each way: `@/bin` is the one in
/// use.
struct House {
    directory: TempDir,
    /// Programs in front of the chains.
    before: String,
    path: String,
}

/// What a chain left, and which files were executed after the first of it.
type Seen = (Outcome, Vec<String>);

impl House {
    fn new() -> Self {
        let path = "@/bin:/usr/sbin:/usr/bin:/sbin:/bin".into();
        let house = Self { directory: open_directory(), before: String::new(), path };
        for directory in ["Separate", "Symbolic", "Hard"] {
            fs::create_dir(house.at(directory)).unwrap();
            install(&bin().join("catena"), &house.at(directory).join("catena"));
        }
        symlink("Symbolic", house.at("Named")).unwrap();
        for Link { name, .. } in &LINKS {
            install(&bin().join(name), &house.at("Separate").join(name));
            symlink("catena", house.at("Symbolic").join(name)).unwrap();
            fs::hard_link(house.at("Hard/catena"), house.at("Hard").join(name)).unwrap();
        }
        for name in ["pose", "state"] {
            install(&example(name), &house.at(name));
        }
        house
    }

    fn behind(mut self, before: &str) -> Self {
        self.before = before.into();
        self
    }

    fn searching(mut self, path: &str) -> Self {
        self.path = path.into();
        self
    }

    fn at(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }

    fn text(&self, text: &str) -> String {
        text.replace('@', self.directory.path().to_str().unwrap())
    }

    fn write(&self, file: &str, content: &str) {
        fs::create_dir_all(self.at(file).parent().unwrap()).unwrap();
        fs::write(self.at(file), self.text(content)).unwrap();
    }

    /// A script, executable by everybody.
    fn script(&self, file: &str, content: &str) {
        fs::create_dir_all(self.at(file).parent().unwrap()).unwrap();
        script(&self.at(file), &self.text(content));
    }

    fn mode(&self, file: &str, mode: u32) {
        fs::set_permissions(self.at(file), Permissions::from_mode(mode)).unwrap();
    }

    /// Runs a chain of words without blanks.
    fn run(&self, way: Way, chain: &str) -> Seen {
        let _ = fs::remove_file(self.at("bin"));
        symlink(format!("{way:?}"), self.at("bin")).unwrap();
        let chain = if way == Named { format!("catena {chain}") } else { chain.into() };
        let mut command = prepared("strace");
        command.args(["-qq", "-e", "trace=execve", "-e", "signal=none", "-o"]).arg(self.at("log"));
        let words = format!("{} @/bin/{chain}", self.before);
        command.args(words.split_whitespace().map(|word| self.text(word)));
        let outcome = run(command.current_dir(&self.directory).env("PATH", self.text(&self.path)));
        let log = fs::read_to_string(self.at("log")).unwrap();
        let log = log.replace(self.directory.path().to_str().unwrap(), "@");
        let done = log.lines().filter(|line| line.starts_with("execve(\"") && line.ends_with(" = 0"));
        let files: Vec<_> = done.map(|line| line.split('"').nth(1).unwrap().to_owned()).collect();
        let first = format!("@/bin/{}", chain.split(' ').next().unwrap());
        let place = files.iter().position(|file| *file == first);
        (outcome, place.map_or(vec![], |place| files[place + 1..].to_vec()))
    }

    /// Runs the chain in each of the ways, after the separate programs, and says where one of them leaves
    /// something else, or executes other files than these, or than the program if none are given.
    fn compare(&self, ways: &[Way], chain: &str, files: Option<&[&str]>) -> Result<Outcome, String> {
        let (expected, mut program) = self.run(Separate, chain);
        program.retain(|file| !file.starts_with("@/bin/"));
        let program = program.iter().map(String::as_str).collect::<Vec<_>>();
        for way in ways {
            let (outcome, executed) = self.run(*way, chain);
            if outcome != expected {
                let differences = differences(&expected.stdout, &outcome.stdout);
                let [found, expected] =
                    [&outcome, &expected].map(|one| format!("{} {}", one.status, one.stderr));
                return Err(format!("{way:?}: {chain}: {found} instead of {expected}{differences}"));
            }
            let again =
                executed_again(chain).map(|file| if LINKED.contains(way) { file } else { OWN.into() });
            let again = again.iter().map(String::as_str).chain(program.iter().copied()).collect::<Vec<_>>();
            if executed != files.unwrap_or(&again) {
                return Err(format!("{way:?}: {chain}: executed {executed:?}"));
            }
        }
        Ok(expected)
    }

    /// All the links of the chain are applied in one process, and nothing is different.
    fn fused(&self, ways: &[Way], chain: &str) -> Outcome {
        self.compare(ways, chain, None).unwrap_or_else(|difference| panic!("{difference}"))
    }

    /// These files are executed after the first of the chain, and nothing is different.
    fn executes(&self, ways: &[Way], chain: &str, files: &[&str]) -> Outcome {
        self.compare(ways, chain, Some(files)).unwrap_or_else(|difference| panic!("{difference}"))
    }
}

/// By name our file is executed by this one.
const OWN: &str = "/proc/self/exe";

/// The link behind a change of ids that opens files, which is executed: it finds the account's own files in /proc so. The chroot that setuidgid itself applies is none.
fn executed_again(chain: &str) -> Option<String> {
    let words: Vec<&str> = chain.split(' ').collect();
    let changed = words.iter().position(|word| word.starts_with(":65534:"))?;
    let opens = |word: &str| LINKS.iter().any(|link| link.name == word && link.opens);
    let behind = words[changed + 1..].iter().enumerate();
    let mut opening = behind.filter(|(i, word)| opens(word) && (*i > 0 || **word != "chroot"));
    opening.next().map(|(_, word)| format!("@/bin/{word}"))
}

/// Links with valid arguments and an own directory for the files of each, and `@/state`.
fn chain(house: &House, names: &[&str], account: Option<&str>) -> String {
    let words = names.iter().enumerate().flat_map(|(i, name)| {
        let scratch = house.at(&format!("work{i}"));
        let _ = fs::remove_dir_all(&scratch);
        fs::create_dir(&scratch).unwrap();
        fs::set_permissions(&scratch, Permissions::from_mode(0o777)).unwrap();
        let mut words = before_prog(name, &scratch);
        if let ("setuidgid", Some(account)) = (*name, account) {
            *words.last_mut().unwrap() = account.into();
        }
        [vec![(*name).to_owned()], words].concat()
    });
    words.chain(["@/state".to_owned()]).collect::<Vec<_>>().join(" ")
}

/// What is done for each chain, by two workers with a house each.
fn for_each<T: Sync, R: Send>(all: &[T], deed: impl Fn(&House, &T) -> R + Sync) -> Vec<R> {
    let rest = Mutex::new(all.iter());
    let work = || {
        let house = House::new();
        let next = || rest.lock().unwrap().next();
        std::iter::from_fn(|| Some(deed(&house, next()?))).collect::<Vec<R>>()
    };
    thread::scope(|scope| {
        let workers = [scope.spawn(work), scope.spawn(work)];
        workers.map(|worker| worker.join().unwrap()).into_iter().flatten().collect()
    })
}

fn usage() -> String {
    "usage: catena link argument... prog... | --help [link] | --version".into()
}

/// What `catena` says of its links.
fn list() -> String {
    let width = LINKS.iter().map(|link| link.name.len()).max().unwrap();
    let rows = LINKS.iter().map(|link| format!("  {:width$}  {}\n", link.name, link.summary));
    format!("{}\n{}", usage(), rows.collect::<String>())
}

fn unable_to_run(name: &str, program: &str, errno: Errno) -> String {
    format!("{name}: fatal: unable to run {program}: {}\n", says(errno))
}

// The program itself.

#[test]
fn alone_it_lists_its_links() {
    assert_eq!(run(&mut link("catena")), prints(list()));
    assert_eq!(run(link("catena").arg("--help")), prints(list()));
}

#[test]
fn the_help_of_a_link_is_that_of_its_program() {
    needs!(tool("strace"));
    let house = House::new();
    for Link { name, .. } in &LINKS {
        let help = run(link(name).arg("--help"));
        assert_eq!(help.status, 0);
        assert_eq!(run(link("catena").args(["--help", name])), help);
        assert_eq!(run(link("catena").args([name, "--help"])), help);
        for way in LINKED {
            assert_eq!(house.run(way, &format!("{name} --help")), (help.clone(), vec![]));
        }
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    let version = |name| prints(format!("{name} (catena) {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(run(link("catena").arg("--version")), version("catena"));
    assert_eq!(run(link("catena").args(["umask", "--version"])), version("umask"));
}

#[test]
fn an_unknown_link_is_a_usage_error() {
    for (word, shown) in [
        ("frob", "frob"),
        ("-x", "-x"),
        ("--Help", "--Help"),
        ("--help=umask", "--help=umask"),
        ("", ""),
        ("catena", "catena"),
        ("x-umask", "x-umask"),
        ("/bin/umask", "/bin/umask"),
        ("./umask", "./umask"),
        ("umask\n", "umask\\n"),
    ] {
        let message = format!("catena: no link is called {shown}\ncatena: {}\n", usage());
        assert_eq!(run(link("catena").args([word, "022", "echo", "ran"])), fails(100, message));
    }
}

#[test]
fn there_is_no_help_for_what_is_no_link() {
    for word in ["frob", "x-umask"] {
        let message = format!("catena: no link is called {word}\ncatena: {}\n", usage());
        assert_eq!(run(link("catena").args(["--help", word])), fails(100, message));
    }
}

#[test]
fn an_answer_that_cannot_be_written_is_a_failure() {
    for words in ["", "--help", "--version", "--help umask"] {
        let says = says(Errno::ENOSPC);
        let outcome = run(&mut sh(&format!("exec catena {words} >/dev/full")));
        assert_eq!(outcome, fails(111, format!("catena: fatal: unable to write: {says}\n")));
    }
}

#[test]
fn the_links_may_have_a_prefix() {
    needs!(root(), tool("strace"));
    let house = House::new();
    fs::create_dir(house.at("x")).unwrap();
    install(&bin().join("catena"), &house.at("x/x-catena"));
    for name in ["envdir", "setuidgid", "chroot"] {
        symlink("x-catena", house.at("x").join(format!("x-{name}"))).unwrap();
    }
    house.write("env/NAME", "value");
    let house = house.searching("@/x:/usr/bin:/bin");
    let mut catena = link("catena");
    assert_eq!(run(prepared(house.at("x/x-catena")).args([""; 0])), run(&mut catena));
    assert_eq!(run(prepared(house.at("x/x-envdir")).arg("--help")), run(link("envdir").arg("--help")));
    let line = |name: &str| format!("{name} @/env {} :65534:65533 {} / @/state", "x-setuidgid", "x-chroot");
    let control = house.run(Separate, "envdir @/env @/bin/setuidgid :65534:65533 @/bin/chroot / @/state");
    assert_eq!(control.0.status, 0, "{control:?}");
    // The directory of the prefixed ones is the way in use.
    let command = |words: &str| {
        let mut command = prepared("strace");
        command.args(["-qq", "-e", "trace=execve", "-e", "signal=none", "-o"]).arg(house.at("log"));
        command.args(words.split(' ').map(|word| house.text(word)));
        run(command.current_dir(&house.directory).env("PATH", house.text(&house.path)))
    };
    let outcome = command(&line("@/x/x-envdir"));
    assert_eq!(outcome, control.0);
    assert_eq!(fs::read_to_string(house.at("log")).unwrap().matches("execve(\"").count(), 2);
    // By name the names have none.
    let outcome = command("@/x/x-catena envdir @/env setuidgid :65534:65533 chroot / @/state");
    assert_eq!(outcome, control.0);
    assert_eq!(fs::read_to_string(house.at("log")).unwrap().matches("execve(\"").count(), 2);
}

// What is applied in one process leaves what separate programs leave.

#[test]
fn each_pair_leaves_what_separate_programs_leave() {
    needs!(tool("strace"));
    let mut pairs = Vec::new();
    for one in &LINKS {
        for other in &LINKS {
            pairs.push(([one.name, other.name], None));
            if root().is_ok() && [one.name, other.name].contains(&"setuidgid") {
                pairs.push(([one.name, other.name], Some(":65534:65533:65532")));
            }
        }
    }
    let verdicts = for_each(&pairs, |house, (names, account)| {
        house.compare(&[Symbolic, Named], &chain(house, names, *account), None)
    });
    let wrong: Vec<_> = verdicts.iter().filter_map(|verdict| verdict.as_ref().err()).cloned().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let ran = verdicts.iter().flatten().filter(|outcome| outcome.status == 0).count();
    tell(&format!("multicall: {} pairs, of which {ran} ran the program", pairs.len()));
    // Without root no chroot works.
    assert_eq!(ran, if root().is_ok() { 144 + 23 } else { 144 - 23 });
}

#[test]
fn three_and_four_in_a_row_leave_what_separate_programs_leave() {
    needs!(tool("strace"));
    let name = |i: usize| LINKS[i % LINKS.len()].name;
    let mut chains = Vec::new();
    for i in 0..LINKS.len() {
        for account in [None, Some(":65534:65533:65532")].iter().take(if root().is_ok() { 2 } else { 1 }) {
            chains.push((vec![name(i), name(i + 4), name(i + 9)], *account));
            chains.push((vec![name(i), name(i + 11), name(i + 7), name(i + 2)], *account));
        }
    }
    let verdicts = for_each(&chains, |house, (names, account)| {
        house.compare(&EACH, &chain(house, names, *account), None)
    });
    let wrong: Vec<_> = verdicts.iter().filter_map(|verdict| verdict.as_ref().err()).cloned().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let ran = verdicts.iter().flatten().filter(|outcome| outcome.status == 0).count();
    tell(&format!("multicall: {} chains of three and four, of which {ran} ran the program", chains.len()));
    // One has chroot behind setuidgid with a link in between.
    assert_eq!(ran, if root().is_ok() { 47 } else { 17 });
}

#[test]
fn all_of_them_in_one_row() {
    needs!(root(), tool("strace"));
    let house = House::new();
    let names = [
        "umask",
        "setsid-free",
        "envdir",
        "envuidgid",
        "fdclose",
        "redirfd",
        "fdmove",
        "setlock",
        "pidlock",
        "softlimit",
        "setuidgid",
        "chroot",
        "umask",
        "envdir",
    ];
    let outcome = house.fused(&EACH, &chain(&house, &names, Some(":65534:65533:65532")));
    assert_eq!(outcome.status, 0);
    for item in ["uids 65534 65534 65534", "gids 65533 65533 65533", "groups 65532 65533", "cwd /"] {
        assert!(outcome.stdout.lines().any(|line| line == item), "{item}: {}", outcome.stdout);
    }
}

/// Chains in which one link can see what the one before it did.
#[test]
fn a_link_sees_what_the_one_before_it_did() {
    needs!(tool("strace"));
    let house = House::new();
    house.write("env/NAME", "one");
    house.write("more/NAME", "two");
    house.write("more/OTHER", "");
    house.write("file", "");
    for line in [
        "envdir @/env envdir @/more envdir -p X_ @/env @/state",
        "umask 077 umask g+w @/state",
        "umask 027 redirfd -w 5 @/made @/state",
        "softlimit -c 100 softlimit -c = @/state",
        "softlimit -H -o 50 softlimit -o 60 @/state",
        "softlimit -o 20 fdmove -c 30 1 @/state",
        "fdclose 0 setlock @/lock @/state",
        "fdclose 0 redirfd -r 0 @/file fdmove 5 0 @/state",
        "fdclose 2 fdmove -c 2 1 @/state",
        "setlock @/lock pidlock @/pid setlock -d 9 @/other @/state",
        "setlock -t 99 @/lock pidlock -t 99 @/pid @/state",
        "setlock @/lock setlock -n @/lock @/state",
        "setlock @/lock setlock -nx @/lock @/state",
        "setlock @/lock fdclose 3 setlock -n @/lock @/state",
        "setlock -r @/lock setlock -nr @/lock @/state",
        "redirfd -w 6 @/out umask 022 fdmove -c 7 6 @/state",
        "fdmove 8 1 redirfd -w 1 @/out fdmove 1 8 @/state",
        "setsid-free setsid-free @/state",
    ] {
        house.fused(&EACH, line);
    }
    needs!(root());
    for line in [
        "chroot / envuidgid -s root @/state",
        "setuidgid :65534:65533 setuidgid :65534:65533 @/state",
        "setuidgid :65534:65533 setuidgid :65534:65532 @/state",
        "setuidgid :65534:65533 redirfd -w 5 @/forbidden @/state",
        "setuidgid :65534:65533 softlimit -H -o 99999999 @/state",
        "setuidgid :65534:65533 setuidgid :0:0 @/state",
        "setuidgid :65534:65533 umask 022 chroot / @/state",
        "setuidgid :0:5 setuidgid -s root setuidgid :65534:5 @/state",
    ] {
        house.fused(&EACH, line);
    }
}

#[test]
fn the_files_in_proc_are_those_of_the_account_after_a_change_of_ids() {
    needs!(root(), tool("strace"));
    let house = House::new();
    for file in ["oom_score_adj", "coredump_filter", "comm"] {
        let line = format!("setuidgid :65534:65533 redirfd -u 5 /proc/self/{file} echo ran");
        assert_eq!(house.run(Separate, &line).0, prints("ran\n"));
        for way in EACH {
            assert_eq!(house.run(way, &line).0, prints("ran\n"), "{way:?} {file}");
        }
    }
    let line = "setuidgid :65534:65533 redirfd -r 3 /proc/self/environ sh -c 'read -r line <&3; echo ran'";
    assert_eq!(run(sh(&format!("catena {line}")).current_dir("/")).stdout, "ran\n");
}

#[test]
fn by_name_a_link_behind_a_change_of_ids_is_applied_here_where_our_file_cannot_be_executed() {
    needs!(root(), tool("strace"), tool("unshare"));
    let house = House::new().behind("unshare --mount --propagation=private @/without");
    let line = "setuidgid :65534:65533 redirfd -r 3 /dev/null @/state";
    for mount in ["mount -t tmpfs none /proc", "chmod 700 @/Symbolic/catena @/Hard/catena"] {
        house.script("without", &format!("#!/bin/sh\n{mount} && exec $*\n"));
        let (outcome, files) = house.run(Named, line);
        assert_eq!((outcome.status, &*files), (0, &["@/state".to_owned()][..]), "{mount}: {outcome:?}");
    }
}

#[test]
fn no_descriptor_of_ours_is_left() {
    needs!(root(), tool("strace"));
    let house = House::new();
    house.write("env/NAME", "value");
    house.write("file", "");
    let line = "setsid-free envdir @/env setlock @/lock envdir @/env pidlock @/pid redirfd -r 9 @/file \
                setuidgid :65534:65533 chroot / envuidgid -s root @/state";
    let outcome = house.fused(&EACH, line);
    let numbers = |text: &str| {
        let fds = text.lines().filter_map(|line| line.strip_prefix("fd ")?.split(' ').next());
        fds.filter(|number| number.len() == 1).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(numbers(&outcome.stdout), "0 1 2 3 4 9");
    // The lowest numbers are those that the chain left free, not those that a link used meanwhile.
    let outcome = house.fused(&EACH, "setlock @/lock fdclose 3 envdir @/env pidlock @/pid @/state");
    assert_eq!(numbers(&outcome.stdout), "0 1 2 3");
}

#[test]
fn a_link_that_fails_says_what_its_program_says() {
    needs!(tool("strace"));
    let house = House::new();
    house.write("env/NAME", "value");
    house.write("file", "content");
    house.write("plain", "");
    for (line, name, status) in [
        ("umask 027 softlimit -c x @/state", "softlimit", 100),
        ("umask 027 softlimit -Z @/state", "softlimit", 100),
        ("envdir @/env umask 888 @/state", "umask", 100),
        ("envdir @/env umask", "umask", 100),
        ("envdir @/env umask 022", "umask", 100),
        ("envdir", "envdir", 100),
        ("umask 022 envdir @/none softlimit -c 0 @/state", "envdir", 111),
        ("umask 022 softlimit -c 0 fdmove 9 88 @/state", "fdmove", 111),
        ("umask 022 envuidgid no-such-account umask 022 @/state", "envuidgid", 111),
        ("setlock @/lock setlock -n @/lock umask 022 @/state", "setlock", 111),
        ("umask 022 softlimit -c 0 @/none", "softlimit", 127),
        ("umask 022 softlimit -c 0 @/plain", "softlimit", 126),
        ("softlimit -c 0 umask 022 no-such-program", "umask", 127),
    ] {
        let outcome = house.fused(&EACH, line);
        assert_eq!(outcome.status, status, "{line}: {outcome:?}");
        assert!(outcome.stderr.starts_with(&format!("{name}: ")), "{line}: {outcome:?}");
    }
    // What stood before the one that fails is done, what stands behind it is not.
    for (line, content) in
        [("redirfd -w 9 @/file umask 888 @/state", ""), ("umask 888 redirfd -w 9 @/file @/state", "content")]
    {
        for way in EACH {
            house.write("file", "content");
            assert_eq!(house.run(way, line).0, misuse("umask", "invalid mask: 888"));
            assert_eq!(fs::read_to_string(house.at("file")).unwrap(), content, "{way:?} {line}");
        }
    }
}

#[test]
fn an_answer_in_the_middle_ends_the_chain() {
    needs!(tool("strace"));
    let house = House::new();
    for line in
        ["umask 022 softlimit --help", "umask 022 softlimit --version x", "umask 022 pidlock -c @/none"]
    {
        assert_eq!(house.fused(&EACH, line).status, 0);
    }
}

// The laws hold for what is applied in one process.

/// Makes the links in `bin` of a furnished directory links to `catena`.
fn linked(directory: TempDir) -> TempDir {
    let bin = directory.path().join("bin");
    install(&crate::support::bin().join("catena"), &bin.join("catena"));
    for Link { name, .. } in &LINKS {
        fs::remove_file(bin.join(name)).unwrap();
        symlink("catena", bin.join(name)).unwrap();
    }
    directory
}

#[test]
fn they_hand_on_every_state() {
    use transparency::Caller::{Anybody, Root};
    use transparency::{furnished, under_every_state};

    let lines = [
        ("envdir @/empty @/bin/umask 027", "umask", Anybody),
        ("umask 027 @/bin/softlimit -c 0", "umask, limit RLIMIT_CORE", Anybody),
        ("softlimit @/bin/fdmove 60 61", "fd 60, fd 61", Anybody),
        ("fdclose 61 @/bin/setlock -t 99.5 -d 60 @/lock", "fd 61, fd 60, lock 60", Anybody),
        ("setlock -d 60 @/lock @/bin/pidlock -t 9 -d 62 @/pid", "fd 60, lock 60, fd 62, lock 62", Anybody),
        ("redirfd -wnb 60 @/fifo @/bin/setsid-free", "fd 60, group, terminal", Anybody),
        ("fdmove -c 60 77 @/bin/redirfd -a 62 @/file", "fd 60, fd 62", Anybody),
        ("envuidgid :5:6 @/bin/envdir -fn -p ADDED_ @/env", "env UID=, env GID=, env ADDED_", Anybody),
        ("umask 027 @/bin/setuidgid :65534:65533", "umask, ids", Root),
        ("setuidgid :65534:65533 @/bin/umask 027", "umask, ids", Root),
        ("setuidgid :65534:65533 @/bin/setuidgid :65534:65533", "ids", Root),
        ("setuidgid :65534:65533 @/bin/chroot / @/bin/softlimit", "ids, cwd, directory", Root),
        ("chroot / @/bin/setuidgid :65534:65533", "ids, cwd, directory", Root),
        ("setuidgid :0:0 @/bin/envdir @/empty", "Groups, groups", Root),
    ];
    // The same by name.
    let named = lines.map(|(line, changes, caller)| {
        let line = format!("catena {}", line.replace("@/bin/", ""));
        (&*line.leak(), changes, caller)
    });
    let verdicts = under_every_state(&[lines, named].concat(), || linked(furnished()));
    let count = verdicts.len();
    tell(&format!("multicall: {count} pairs of a chain and a state"));
    let wrong: Vec<_> = verdicts.into_iter().filter_map(Result::err).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= 600, "{count}");
    needs!(root());
    assert!(count >= 1200, "{count}");
}

#[test]
fn they_run_the_program_as_promised_or_not_at_all() {
    use all_or_nothing::Caller::{Anybody, Host, Root};
    use all_or_nothing::{furnished, inject_everywhere};

    needs!(tool("strace"));
    let verdicts = inject_everywhere(
        &[
            (Host, "envdir @/env setuidgid apache chroot @/root @/bin/state"),
            (Host, "catena envdir @/env setuidgid apache chroot @/root @/bin/state"),
            (Anybody, "setlock -t 99 @/lock pidlock @/pid redirfd -w 9 @/file @/bin/state"),
            (Anybody, "catena setlock -t 99 @/lock pidlock @/pid redirfd -w 9 @/file @/bin/state"),
            (Anybody, "softlimit -c 0 umask 027 fdmove -c 9 0 @/bin/state"),
            (Root, "pose ambient setuidgid :5001:5002 umask 027 setuidgid :5001:5002 @/bin/state"),
        ],
        || linked(furnished()),
    );
    let count = verdicts.len();
    tell(&format!("multicall: {count} injections"));
    let wrong: Vec<_> = verdicts.into_iter().filter_map(Result::err).collect();
    assert!(wrong.is_empty(), "{} of {count} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= 200, "{count}");
    needs!(root());
    assert!(count >= 500, "{count}");
}

// What is a link of ours, and what a program.

#[test]
fn a_changed_path_is_that_of_the_link_after_the_next() {
    needs!(tool("strace"));
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
    needs!(tool("strace"), tool("env"));
    let house = House::new().behind("env -u PATH");
    let outcome = house.executes(&LINKED, "softlimit -c 0 umask 022 @/state", &[]);
    assert_eq!(outcome, fails(127, unable_to_run("softlimit", "umask", Errno::ENOENT)));
    house.fused(&LINKED, "softlimit -c 0 @/bin/umask 022 @/state");
}

#[test]
fn another_program_of_the_name_of_a_link_is_executed() {
    needs!(tool("strace"));
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
    needs!(tool("strace"));
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
    needs!(root(), tool("strace"), tool("setpriv"));
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
    needs!(tool("strace"));
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
    needs!(tool("strace"));
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

// Root directories.

/// A house with a root directory `@/root` that has `/state`.
fn with_root() -> House {
    let house = House::new();
    for directory in ["root", "root/bin"] {
        fs::create_dir(house.at(directory)).unwrap();
    }
    install_root(&house.at("root"), &[&example("state"), &bin().join("catena"), &bin().join("umask")]);
    for file in ["umask", "catena"] {
        fs::remove_file(house.at("root").join(file)).unwrap(); // the libraries stay
    }
    house
}

#[test]
fn behind_chroot_a_link_is_ours_if_the_new_root_has_our_file() {
    needs!(root(), tool("strace"));
    let house = with_root();
    let line = "softlimit -c 0 chroot @/root umask 027 /state";
    let inside = house.at("root/bin/umask");
    // Nothing there.
    let outcome = house.executes(&LINKED, line, &[]);
    let program = house.text("umask inside @/root");
    assert_eq!(outcome, fails(127, unable_to_run("chroot", &program, Errno::ENOENT)));
    // The single-purpose program.
    install(&bin().join("umask"), &inside);
    let expected = house.executes(&LINKED, line, &["/bin/umask", "/state"]);
    assert!(expected.stdout.contains("umask 027\n") && expected.status == 0, "{expected:?}");
    // A copy of ours.
    fs::remove_file(&inside).unwrap();
    install(&bin().join("catena"), &inside);
    assert_eq!(house.executes(&LINKED, line, &["/bin/umask", "/state"]), expected);
    // Our file under one more name.
    for way in LINKED {
        fs::remove_file(&inside).unwrap();
        fs::hard_link(house.at(&format!("{way:?}/catena")), &inside).unwrap();
        assert_eq!(house.run(way, line), (expected.clone(), vec!["/state".into()]));
    }
    // By name the links need no file.
    fs::remove_file(&inside).unwrap();
    assert_eq!(house.run(Named, line), (expected, vec!["/state".into()]));
}

#[test]
fn our_file_mounted_into_the_new_root_is_ours_unless_it_may_not_be_executed_there() {
    needs!(root(), tool("strace"), tool("unshare"));
    let house = with_root().behind("unshare --mount --propagation=private @/mounted");
    let line = "softlimit -c 0 chroot @/root umask 027 /state";
    house.write("root/bin/umask", "");
    for way in LINKED {
        let mount = format!("mount --bind @/{way:?}/catena @/root/bin/umask");
        house.script("mounted", &format!("#!/bin/sh\n{mount} && exec $*\n"));
        let (outcome, files) = house.run(way, line);
        assert_eq!((outcome.status, &*files), (0, &["/state".to_owned()][..]), "{outcome:?}");
        let noexec = "mount -o remount,bind,noexec @/root/bin/umask";
        house.script("mounted", &format!("#!/bin/sh\n{mount} && {noexec} && exec $*\n"));
        let outcome = house.run(way, line);
        let program = house.text("umask inside @/root");
        let message = unable_to_run("chroot", &program, Errno::EACCES);
        let hint = "chroot: hint: this account may not execute it, or its file system is mounted noexec\n";
        assert_eq!(outcome, (fails(126, format!("{message}{hint}")), vec![]));
    }
}

#[test]
fn a_chroot_lent_to_the_account_may_stand_in_the_middle() {
    needs!(root(), tool("strace"), tool("setpriv"));
    for before in ["", "@/pose ambient", "@/pose death", "setpriv --securebits=+no_setuid_fixup"] {
        let house = with_root().behind(before);
        house.write("env/NAME", "value");
        let line = "envdir @/env softlimit -c 0 setuidgid :65534:65533 chroot @/root umask 027 /state";
        install(&bin().join("umask"), &house.at("root/bin/umask"));
        let expected = house.run(Separate, line).0;
        for item in ["uids 65534 65534 65534", "cwd /", "umask 027", "keepcaps false"] {
            assert!(expected.stdout.lines().any(|line| line == item), "{item}: {expected:?}");
        }
        for set in ["permitted", "effective", "inheritable", "ambient"] {
            assert!(expected.stdout.contains(&format!("\n{set} 0000000000000000\n")), "{set}: {expected:?}");
        }
        for way in EACH {
            let _ = fs::remove_file(house.at("root/bin/umask"));
            if way != Named {
                fs::hard_link(house.at(&format!("{way:?}/catena")), house.at("root/bin/umask")).unwrap();
            }
            assert_eq!(house.run(way, line), (expected.clone(), vec!["/state".into()]), "{way:?}: {before}");
        }
    }
}

#[test]
fn another_chroot_is_executed_and_gets_nothing() {
    needs!(root(), tool("strace"));
    let house = with_root().searching("/usr/sbin:/usr/bin:/sbin:/bin:@/bin");
    let line = "@/bin/setuidgid :65534:65533 chroot @/root @/bin/state";
    let (expected, files) = house.run(Separate, &line.replace("@/bin/", ""));
    assert_eq!(expected.status, 125, "coreutils has its own: {expected:?}");
    for way in LINKED {
        assert_eq!(house.run(way, &line.replace("@/bin/", "")), (expected.clone(), files.clone()));
    }
}

// Accounts and capabilities.

#[test]
fn a_link_that_the_account_may_not_execute_is_not_applied_for_it() {
    needs!(root(), tool("strace"));
    let line = "setuidgid :65534:65533 umask 022 @/state";
    let handed = "setuidgid :65534:65533 chroot / @/state";
    for (closed, hint) in [
        (
            &["Separate", "Symbolic", "Hard"][..],
            "a directory on the way to it may not be searched by this account",
        ),
        (
            &["Separate/umask", "Separate/chroot", "Symbolic/catena", "Hard/catena"],
            "this account may not execute it, or its file system is mounted noexec",
        ),
    ] {
        let house = House::new();
        for file in closed {
            house.mode(file, 0o700);
        }
        for (line, next) in [(line, "umask"), (handed, "chroot")] {
            // Of a name that others have too, theirs is found.
            if next == "chroot" {
                let (expected, files) = house.run(Separate, line);
                assert_eq!(expected.status, 125, "coreutils has its own: {expected:?}");
                for way in LINKED {
                    assert_eq!(house.run(way, line), (expected.clone(), files.clone()), "{way:?}");
                }
                continue;
            }
            let outcome = house.executes(&LINKED, line, &[]);
            let message = unable_to_run("setuidgid", next, Errno::EACCES);
            assert_eq!(outcome, fails(126, format!("{message}setuidgid: hint: {hint}\n")));
        }
        // By name there is no file to execute.
        assert_eq!(house.run(Named, line).1, ["@/state"]);
        assert_eq!(house.run(Named, handed).1, ["@/state"]);
    }
}

#[test]
fn a_change_to_root_goes_through_an_exec() {
    needs!(root(), tool("strace"), tool("setpriv"));
    let house = House::new().behind(LENT);
    let line = "umask 077 setuidgid root softlimit -c 0 umask 022 @/state";
    let outcome = house.executes(&LINKED, line, &["@/bin/softlimit", "@/state"]);
    assert!(outcome.stdout.contains("\nuids 0 0 0\n"), "{outcome:?}");
    assert_eq!(house.executes(&[Named], line, &["/proc/self/exe", "@/state"]), outcome);
    // There and back.
    let line = "setuidgid root setuidgid :65534:65533 umask 022 @/state";
    assert_eq!(house.executes(&LINKED, line, &["@/bin/setuidgid", "@/state"]).status, 0);
    house.executes(&[Named], line, &["/proc/self/exe", "@/state"]);
    // At the end of a chain it is the program that is executed.
    for line in ["umask 077 setuidgid :0:0 @/state", "setuidgid :65534:65533 umask 022 @/state"] {
        assert_eq!(house.fused(&EACH, line).status, 0);
    }
    for bits in ["+noroot", "+no_setuid_fixup", "+noroot,+no_setuid_fixup,+keep_caps_locked"] {
        let before = format!("{LENT} setpriv --securebits={bits}");
        let house = House::new().behind(&before);
        let line = "umask 077 setuidgid root umask 022 @/state";
        house.executes(&LINKED, line, &["@/bin/umask", "@/state"]);
        house.executes(&[Named], line, &["/proc/self/exe", "@/state"]);
    }
}

#[test]
fn the_capabilities_are_those_that_an_exec_would_have_left() {
    needs!(root(), tool("strace"), tool("setpriv"));
    let caps = "+setuid,+setgid,+sys_chroot,+chown,+net_raw";
    let lent =
        format!("setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps={caps} --ambient-caps={caps}");
    for before in [&*lent, "setpriv --inh-caps=+chown", "@/pose ambient", "@/pose no-root", "@/pose bounding"]
    {
        let house = House::new().behind(before);
        for line in [
            "chroot / umask 022 @/state",
            "chroot / setuidgid :65534:65533 umask 022 @/state",
            "setuidgid :65534:65534 umask 022 @/state",
            "setuidgid :65534:65533 chroot / umask 022 @/state",
            "chroot / chroot / @/state",
            "umask 022 setuidgid :5:6 setuidgid :5:6 @/state",
        ] {
            house.fused(&EACH, line);
        }
    }
}

#[test]
fn where_the_real_and_effective_ids_differ_the_end_is_the_same() {
    needs!(root(), tool("strace"), tool("setpriv"));
    for ids in ["--ruid=65534", "--euid=65534", "--rgid=65534", "--egid=65534"] {
        let house = House::new().behind(&format!("setpriv {ids} --clear-groups"));
        let outcome =
            house.executes(&LINKED, "umask 022 softlimit -c 0 @/state", &["@/bin/softlimit", "@/state"]);
        assert_eq!(house.run(Named, "umask 022 softlimit -c 0 @/state").0, outcome);
        // Here the C library of each program that is executed opens a file on a closed fd 0. By name fd 0 stays
        // closed until the program.
        house.executes(&LINKED, "fdclose 0 umask 022 @/state", &["@/bin/umask", "@/state"]);
        let line = "setuidgid :65534:65533 umask 022 softlimit -c 0 @/state";
        if ids == "--euid=65534" {
            assert_eq!(house.fused(&EACH, line).status, 111);
        } else {
            let outcome = house.executes(&LINKED, line, &["@/bin/umask", "@/state"]);
            assert_eq!((outcome.status, house.run(Named, line).0), (0, outcome));
        }
    }
}

#[test]
fn a_set_id_copy_or_one_with_capabilities_is_never_fused() {
    let house = House::new();
    needs!(set_id(house.directory.path()), tool("strace"), tool("setcap"));
    let line = "setuidgid :65534:65533 umask 022 @/state";
    let direct = "umask 022 softlimit -c 0 @/state";
    let files = || [&["Symbolic/catena", "Hard/catena"][..]].concat();
    let setcap = |file: &str, what: &str| {
        assert_eq!(run(prepared("setcap").arg(what).arg(house.at(file))), prints(""));
    };
    for kind in ["4755", "2755", "cap_chown=ep", "cap_setuid=p"] {
        for file in files() {
            house.mode(file, 0o755);
            match u32::from_str_radix(kind, 8) {
                Ok(mode) => house.mode(file, mode),
                Err(_) => setcap(file, kind),
            }
        }
        // Root may run it: the ids are its own already. The account may not.
        for way in LINKED {
            let (outcome, executed) = house.run(way, line);
            assert_eq!((outcome, &*executed), (refusal("catena"), &["@/bin/umask".to_owned()][..]), "{kind}");
            let (outcome, executed) = house.run(way, direct);
            assert_eq!((outcome.status, executed.len()), (0, 2), "{kind}: {outcome:?}");
        }
        // By name nothing of the file's is executed after the change of ids.
        let (outcome, executed) = house.run(Named, line);
        assert_eq!((outcome, &*executed), (house.run(Separate, line).0, &["@/state".to_owned()][..]));
        // Anybody else may not run it in any way.
        let lent = "setpriv --reuid=65534 --regid=65534 --clear-groups";
        let words = format!("{lent} @/Symbolic/catena umask 022 @/state");
        let words: Vec<_> = words.split_whitespace().map(|word| house.text(word)).collect();
        assert_eq!(run(prepared(&words[0]).args(&words[1..])), refusal("catena"), "{kind}");
        for file in files() {
            if kind.starts_with("cap") {
                setcap(file, "-r");
            }
        }
    }
}

// Where /proc does not tell.

#[test]
fn without_a_true_proc_nothing_is_fused_through_links() {
    needs!(root(), tool("strace"), tool("unshare"));
    let house = House::new().behind("unshare --mount --propagation=private @/without");
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
