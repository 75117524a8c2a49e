//! A chain in all the ways to call it, and how the tests compare them.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::sync::Mutex;
use std::thread;

use catena::LINKS;
use common::Link;
use nix::errno::Errno;
use tempfile::TempDir;

use crate::common_rules::before_prog;
use crate::support::*;

/// How a chain is called.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Way {
    /// As single-purpose programs, each a file of its own: what the other ways must equal.
    Separate,
    /// Through symbolic links to `catena`.
    Symbolic,
    /// Through hard links to it.
    Hard,
    /// `catena` and the names of the links.
    Named,
}
pub(super) use Way::{Hard, Named, Separate, Symbolic};

pub(super) const EACH: [Way; 3] = [Symbolic, Hard, Named];
pub(super) const LINKED: [Way; 2] = [Symbolic, Hard];

/// A program in front of a chain that makes it nobody's, with three capabilities.
pub(super) const LENT: &str = "setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=+setuid,+setgid,+setpcap \
                    --ambient-caps=+setuid,+setgid,+setpcap";

/// A directory, which is `@` in what follows, with a directory of programs for each way: `@/bin` is the one in
/// use.
pub(super) struct House {
    pub(super) directory: TempDir,
    /// Programs in front of the chains.
    before: String,
    pub(super) path: String,
}

/// What a chain left, and which files were executed after the first of it.
pub(super) type Seen = (Outcome, Vec<String>);

impl House {
    pub(super) fn new() -> Self {
        let path = "@/bin:/usr/sbin:/usr/bin:/sbin:/bin".into();
        let house = Self { directory: open_directory(), before: String::new(), path };
        for directory in ["Separate", "Symbolic", "Hard"] {
            fs::create_dir(house.at(directory)).unwrap();
            install(&bin().join("catena"), &house.at(directory).join("catena"));
        }
        symlink("Symbolic", house.at("Named")).unwrap();
        for Link { name, .. } in LINKS {
            install(&bin().join(name), &house.at("Separate").join(name));
            symlink("catena", house.at("Symbolic").join(name)).unwrap();
            fs::hard_link(house.at("Hard/catena"), house.at("Hard").join(name)).unwrap();
        }
        for name in ["pose", "state"] {
            install(&example(name), &house.at(name));
        }
        house
    }

    pub(super) fn behind(mut self, before: &str) -> Self {
        self.before = before.into();
        self
    }

    pub(super) fn searching(mut self, path: &str) -> Self {
        self.path = path.into();
        self
    }

    pub(super) fn at(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }

    pub(super) fn text(&self, text: &str) -> String {
        with_group(text).replace('@', self.directory.path().to_str().unwrap())
    }

    pub(super) fn write(&self, file: &str, content: &str) {
        fs::create_dir_all(self.at(file).parent().unwrap()).unwrap();
        fs::write(self.at(file), self.text(content)).unwrap();
    }

    /// A script, executable by everybody.
    pub(super) fn script(&self, file: &str, content: &str) {
        fs::create_dir_all(self.at(file).parent().unwrap()).unwrap();
        script(&self.at(file), &self.text(content));
    }

    pub(super) fn mode(&self, file: &str, mode: u32) {
        fs::set_permissions(self.at(file), Permissions::from_mode(mode)).unwrap();
    }

    /// Runs a chain of words without blanks.
    pub(super) fn run(&self, way: Way, chain: &str) -> Seen {
        let _ = fs::remove_file(self.at("bin"));
        symlink(format!("{way:?}"), self.at("bin")).unwrap();
        let chain = if way == Named { format!("catena {chain}") } else { chain.into() };
        let mut command = prepared(example("trace"));
        command.arg(self.at("log")).arg("programs");
        let words = format!("{} @/bin/{chain}", self.before);
        command.args(words.split_whitespace().map(|word| self.text(word)));
        let outcome = run(command.current_dir(&self.directory).env("PATH", self.text(&self.path)));
        let log = fs::read_to_string(self.at("log")).unwrap();
        let log = log.replace(self.directory.path().to_str().unwrap(), "@");
        let files: Vec<_> = log.lines().map(str::to_owned).collect();
        let first = format!("@/bin/{}", chain.split(' ').next().unwrap());
        let place = files.iter().position(|file| *file == first);
        (outcome, place.map_or(vec![], |place| files[place + 1..].to_vec()))
    }

    /// Runs the chain in each of the ways, after the separate programs, and says where one of them leaves
    /// something else, or executes other files than these, or than the program if none are given.
    pub(super) fn compare(
        &self,
        ways: &[Way],
        chain: &str,
        files: Option<&[&str]>,
    ) -> Result<Outcome, String> {
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
    pub(super) fn fused(&self, ways: &[Way], chain: &str) -> Outcome {
        self.compare(ways, chain, None).unwrap_or_else(|difference| panic!("{difference}"))
    }

    /// These files are executed after the first of the chain, and nothing is different.
    pub(super) fn executes(&self, ways: &[Way], chain: &str, files: &[&str]) -> Outcome {
        self.compare(ways, chain, Some(files)).unwrap_or_else(|difference| panic!("{difference}"))
    }
}

/// By name our file is executed by this one.
const OWN: &str = "/proc/self/exe";

/// The link behind a change of ids that opens files, which is executed: it finds the account's own files in /proc
/// so. Those that setuidgid itself applies are none.
fn executed_again(chain: &str) -> Option<String> {
    let words: Vec<&str> = chain.split(' ').take_while(|word| *word != "argv0").collect();
    let changed = words.iter().position(|word| word.starts_with(":65534:"))?;
    let links = words[changed + 1..].iter().filter_map(|word| LINKS.iter().find(|link| link.name == *word));
    let mut opening = links.skip_while(|link| link.lent.is_some()).filter(|link| link.opens);
    opening.next().map(|link| format!("@/bin/{}", link.name))
}

/// Links with valid arguments and a directory of its own for the files of each, and `@/state`.
pub(super) fn chain(house: &House, names: &[&str], account: Option<&str>) -> String {
    let words = names.iter().enumerate().flat_map(|(i, name)| {
        let scratch = house.at(&format!("work{i}"));
        let _ = fs::remove_dir_all(&scratch);
        fs::create_dir(&scratch).unwrap();
        fs::set_permissions(&scratch, Permissions::from_mode(0o1777)).unwrap();
        let mut words = before_prog(name, &scratch);
        if *name == "argv0" {
            words.push("@/state".into()); // what follows is for it to print
        }
        if let ("setuidgid", Some(account)) = (*name, account) {
            *words.last_mut().unwrap() = account.into();
        }
        [vec![(*name).to_owned()], words].concat()
    });
    words.chain(["@/state".to_owned()]).collect::<Vec<_>>().join(" ")
}

/// What is done for each chain, by two workers with a house each.
pub(super) fn for_each<T: Sync, R: Send>(all: &[T], deed: impl Fn(&House, &T) -> R + Sync) -> Vec<R> {
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

pub(super) fn usage() -> String {
    "usage: catena link argument... prog... | explain [-s] [--] link... prog... | --help [link] | --version"
        .into()
}

/// What `catena` says of its links.
pub(super) fn list() -> String {
    let width = LINKS.iter().map(|link| link.name.len()).max().unwrap();
    let rows = LINKS.iter().map(|link| format!("  {:width$}  {}\n", link.name, link.summary));
    format!("{}\n{}", usage(), rows.collect::<String>())
}

pub(super) fn unable_to_run(name: &str, program: &str, errno: Errno) -> String {
    format!("{name}: fatal: unable to run {program}: {}\n", says(errno))
}
