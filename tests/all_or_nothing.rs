//! Law 3: whichever system call of a link fails, the program runs in exactly the promised state or not at
//! all. `tests/programs/trace.rs` makes each call from a link's own execve to the program's fail in turn, those of the
//! loader and of libc's start-up too, with one errno after the other.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::sync::Mutex;
use std::thread;

use nix::errno::Errno::{self, EINTR, EIO, ENOENT, EPERM};
use nix::mount::{MsFlags, mount};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::landlock::landlock;
use crate::needs;
use crate::support::*;

/// The account that runs a line.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Caller {
    Anybody,
    Root,
    /// Root where /etc has an account `apache` in three groups, and `@/root` has a /proc.
    Host,
    /// Not root, but with `CAP_SYS_CHROOT`.
    Capable,
    /// With a controlling terminal.
    Terminal,
    /// Who has a kernel with Landlock.
    Kernel,
}
use Caller::{Anybody, Capable, Host, Kernel, Root, Terminal};

/// The lines, `@` being the test's directory. `@/bin/state` is a program outside of the root directory `@/root`,
/// inside of it, and inside of `@` if that were the root: it runs in the wrong one too.
const LINES: &[(Caller, &str)] = &[
    (Anybody, "chpst -b name @/bin/state"),
    (Anybody, "chpst -P -e @/env -C / -n 1 -L @/lock -0 -o 70 -m 900000000 @/bin/state"),
    (Host, "chpst -U apache:third -u apache:more:third -l @/new @/bin/state"),
    (Host, "chpst -/ @/root -C @/bin -u :5001:5002 -t 99 @/bin/state"),
    (Capable, "chpst -/ @/root @/bin/state"),
    (Root, "pose death chpst -u :5001:5002 @/bin/state"),
    (Root, "pose ambient chpst -u :5001:5002 @/bin/state"),
    (Anybody, "argv0 @/bin/state @/bin/state"),
    (Anybody, "argv0 state name"),
    (Anybody, "caps -B none @/bin/state"),
    (Root, "caps none @/bin/state"),
    (Root, "caps -i ^chown,%kill,!mknod @/bin/state"),
    (Capable, "caps -B sys_chroot @/bin/state"),
    (Root, "cgroup ./catena-tests @/bin/state"),
    (Root, "cgroup -k cgroup.max.depth=7 -k cgroup.max.descendants=9 /catena-tests @/bin/state"),
    (Anybody, "chdir @/env @/bin/state"),
    (Anybody, "choom -n 1000 @/bin/state"),
    (Anybody, "chrt -b 0 @/bin/state"),
    (Anybody, "chrt -R -o 0 @/bin/state"),
    (Host, "chroot @/root @/bin/state"),
    (Capable, "chroot @/root @/bin/state"),
    (Anybody, "emptyenv @/bin/state"),
    (Anybody, "emptyenv -p -k NAME @/bin/state"),
    (Anybody, "emptyenv -oP @/bin/state"),
    (Anybody, "envdir @/env @/bin/state"),
    (Anybody, "envdir -f -c : -p X_ @/env @/bin/state"),
    (Anybody, "envdir -I @/none @/bin/state"),
    (Anybody, "envfile @/conf @/bin/state"),
    (Anybody, "envfile -I @/none @/bin/state"),
    (Anybody, "envfile -d systemd @/conf @/bin/state"),
    (Anybody, "envfile - @/bin/state"),
    (Anybody, "envuidgid :5:6 @/bin/state"),
    (Host, "envuidgid apache @/bin/state"),
    (Host, "envuidgid -s apache @/bin/state"),
    (Anybody, "export NAME value @/bin/state"),
    (Anybody, "fdclose 0 @/bin/state"),
    (Anybody, "fdclose 300 @/bin/state"),
    (Anybody, "fdmove 5 0 @/bin/state"),
    (Anybody, "fdmove -c 5 0 @/bin/state"),
    (Anybody, "fdmove 0 0 @/bin/state"),
    (Root, "fdown 1 :5001:5002 @/bin/state"),
    (Host, "fdown 1 apache:more @/bin/state"),
    (Anybody, "ionice -c 3 @/bin/state"),
    (Kernel, "landlock -W / @/bin/state"),
    (Kernel, "landlock -b -i -W / -W @/none -f @/rules -C none @/bin/state"),
    (Anybody, "listen -b 5 tcp:0.0.0.0:0 @/bin/state"),
    (Anybody, "listen -m 600 -r unix:@/socket @/bin/state"),
    (Root, "listen -m 660 -o :5001:5002 unix:@/new @/bin/state"),
    (Root, "setuidgid :5001:5002 listen -r unix:@/new @/bin/state"),
    (Root, "mkrundir -m 2750 -o :5001:5002 @/made/below @/bin/state"),
    (Anybody, "mkrundir -m 750 @/made @/bin/state"),
    (Host, "mkrundir -o apache:more @/made @/bin/state"),
    (Root, "mkrundir -m 700 -o :5001:5002 @/root/link/there @/bin/state"),
    (Anybody, "nice @/bin/state"),
    (Anybody, "nice -n 0 @/bin/state"),
    (Anybody, "no-new-privs @/bin/state"),
    (Anybody, "pdeathsig USR2 @/bin/state"),
    (Anybody, "pose death pdeathsig clear @/bin/state"),
    (Anybody, "pgrphack @/bin/state"),
    (Anybody, "pose group pgrphack @/bin/state"),
    (Terminal, "pgrphack @/bin/state"),
    (Anybody, "pidlock @/pid @/bin/state"),
    (Anybody, "pidlock @/new @/bin/state"),
    (Anybody, "pidlock -n -d 9 @/pid @/bin/state"),
    (Anybody, "pidlock -t 99 @/pid @/bin/state"),
    (Anybody, "redirfd -r 0 @/file @/bin/state"),
    (Anybody, "redirfd -w 5 @/file @/bin/state"),
    (Anybody, "redirfd -w 5 @/new @/bin/state"),
    (Anybody, "redirfd -u 5 @/file @/bin/state"),
    (Anybody, "redirfd -a 5 @/new @/bin/state"),
    (Anybody, "redirfd -x 5 @/new @/bin/state"),
    (Anybody, "redirfd -rb 5 @/file @/bin/state"),
    (Anybody, "redirfd -rnb 0 @/fifo @/bin/state"),
    (Anybody, "redirfd -wn 5 @/fifo @/bin/state"),
    (Anybody, "redirfd -wnb 5 @/fifo @/bin/state"),
    (Anybody, "setlock @/new @/bin/state"),
    (Anybody, "setlock @/lock @/bin/state"),
    (Anybody, "setlock -n @/lock @/bin/state"),
    (Anybody, "setlock -r @/lock @/bin/state"),
    (Anybody, "setlock -d 9 @/lock @/bin/state"),
    (Anybody, "setlock -t 99 @/lock @/bin/state"),
    (Anybody, "setlock -t 99.5 -r -d 9 @/lock @/bin/state"),
    (Anybody, "pose out pose closed=012 setlock -t 99 @/lock @/bin/state"),
    (Anybody, "setsid-free @/bin/state"),
    (Terminal, "setsid-free @/bin/state"),
    (Root, "setuidgid :0:0:7 @/bin/state"),
    (Capable, "setuidgid :65534:65534 @/bin/state"), // who it is already
    (Root, "setuidgid :5001:5002:5003 @/bin/state"),
    (Root, "setuidgid :5001:5002 caps -B chown,net_bind_service @/bin/state"),
    (Root, "setuidgid :5001:5002 caps -i ^kill,!mknod @/bin/state"),
    (Host, "setuidgid apache @/bin/state"),
    (Host, "setuidgid -s -e apache @/bin/state"),
    (Host, "setuidgid apache:third:more @/bin/state"),
    (Host, "setuidgid apache chroot @/root @/bin/state"),
    (Root, "setuidgid :5001:5002 nice -n 1 no-new-privs caps chown choom -n 500 softlimit -c 7 @/bin/state"),
    (Root, "setuidgid :5001:5002 landlock -W / chrt -b 0 ionice -c idle listen unix:@/new @/bin/state"),
    (Host, "setuidgid :5001:5002 caps net_bind_service nice -n 1 chroot @/root @/bin/state"),
    (Host, "setuidgid -s :5001:5002 chroot @/root @/bin/state"),
    (Root, "pose death setuidgid :5001:5002 @/bin/state"),
    (Root, "pose ambient setuidgid :5001:5002 @/bin/state"),
    (Host, "pose ambient setuidgid :5001:5002 chroot @/root @/bin/state"),
    (Host, "pose death setuidgid :5001:5002 chroot @/root @/bin/state"),
    (Anybody, "pose deaf sigclean @/bin/state"),
    (Anybody, "pose pipe-ignored sigclean -k @/bin/state"),
    (Anybody, "softlimit -m 900000000 -o 70 @/bin/state"),
    (Anybody, "softlimit -H -c 4096 -h -o 70 -s 8000000 -t = @/bin/state"),
    (Anybody, "taskset -c 0 @/bin/state"),
    (Anybody, "umask 027 @/bin/state"),
    (Anybody, "umask g-w,o= @/bin/state"),
    (Anybody, "umask 027 state"), // the last directory of PATH has it
    (Anybody, "unexport HOME @/bin/state"),
    (Anybody, "unshare @/bin/state"), // with an option: tests/unshare.rs
];

/// The lines of links that fork: the first for the calls of the parent, the second for those of the child, which is to
/// have all that a child does not inherit. The numbers of its calls are those of decoys in the process that becomes its
/// parent.
const FORKING: [&str; 2] = [
    "fghack @/bin/state",
    "pose decoys pose subreaper pose death env --ignore-signal=CHLD fghack @/bin/state",
];

const ERRORS: [Errno; 4] = [EIO, ENOENT, EPERM, EINTR];

/// Results that say: done, but less than asked for.
const SHORT: [(&str, i32); 3] = [("pwrite64", 0), ("pwrite64", 1), ("readlink", 0)];

#[test]
fn whichever_call_fails_the_program_runs_as_promised_or_not_at_all() {
    for link in catena::LINKS {
        let lines = LINES.iter().map(|(_, line)| *line).chain(FORKING);
        let has = lines.flat_map(|line| line.split(' ')).any(|word| word == link.name);
        assert!(has, "tests/all_or_nothing.rs: add a line of {} to LINES", link.name);
    }
    needs!(injections());
    let verdicts = inject_everywhere(LINES, furnished);
    let count = verdicts.len();
    tell(&format!("all_or_nothing: {count} injections"));
    let wrong: Vec<String> = verdicts.into_iter().filter_map(Result::err).collect();
    assert!(wrong.is_empty(), "{} of {count} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(of_all(count) >= 1000, "{count}");
    needs!(root(), tool("script"));
    assert!(of_all(count) >= 2000, "{count}");
}

/// Makes every system call of every line fail, each in a directory made so.
pub(crate) fn inject_everywhere(
    lines: &[(Caller, &'static str)],
    furnished: impl Fn() -> tempfile::TempDir + Sync,
) -> Vec<Result<(), String>> {
    let lines = Mutex::new(lines.iter().enumerate());
    let work = || {
        let directory = furnished(); // its own: nobody else has the locks
        let at = |text: &str| with_group(text).replace('@', directory.path().to_str().unwrap());
        let startup = Line::new(&at, Anybody, "fdclose 300 @/bin/state").startup();
        let mut verdicts = Vec::new();
        loop {
            let Some((turn, (caller, line))) = lines.lock().unwrap().next() else { return verdicts };
            let inject = || Line::new(&at, *caller, line).inject_all(startup, turn);
            verdicts.extend(match caller {
                _ if !possible(*caller) || !line.split(' ').all(is_possible) => continue,
                Host => in_place_of_accounts(&at, inject),
                _ => inject(),
            });
        }
    };
    thread::scope(|scope| {
        let workers = [scope.spawn(work), scope.spawn(work)];
        workers.map(|worker| worker.join().unwrap()).into_iter().flatten().collect()
    })
}

/// The namespaces of the tests, as `uts:[4026531838]`.
fn namespaces() -> Vec<String> {
    let links = fs::read_dir("/proc/self/ns").unwrap().flatten();
    links.filter_map(|link| Some(fs::read_link(link.path()).ok()?.display().to_string())).collect()
}

/// A tracer of this machine's processes.
pub(crate) fn injections() -> Result<(), String> {
    let known = cfg!(any(target_arch = "x86", target_arch = "x86_64"));
    if known { Ok(()) } else { Err("the registers of x86".into()) }
}

/// Does this, and all that it starts, where /etc has the accounts of the directory, and its root a /proc.
fn in_place_of_accounts<T: Send>(
    at: &(impl Fn(&str) -> String + Sync),
    deed: impl FnOnce() -> T + Send,
) -> T {
    let deed = || {
        own_mounts();
        for (from, to) in [("@/passwd", "/etc/passwd"), ("@/group", "/etc/group"), ("/proc", "@/root/proc")] {
            mount(Some(&*at(from)), &*at(to), None::<&str>, MsFlags::MS_BIND, None::<&str>).unwrap();
        }
        deed()
    };
    thread::scope(|scope| scope.spawn(deed).join().unwrap())
}

fn possible(caller: Caller) -> bool {
    match caller {
        Anybody => true,
        Kernel => landlock().is_ok(),
        Terminal => tool("script").is_ok(),
        Root | Host | Capable => root().is_ok(),
    }
}

/// A directory that has what the lines name, and where every account may execute the links.
pub(crate) fn furnished() -> tempfile::TempDir {
    let directory = open_directory();
    let at = |name: &str| directory.path().join(name);
    fs::set_permissions(at(""), PermissionsExt::from_mode(0o1777)).unwrap(); // trace writes as the caller
    for name in ["bin", "env", "root", "root/proc", "run", "run/there"] {
        fs::create_dir(at(name)).unwrap();
    }
    let long = "long ".repeat(500);
    for (name, content) in [("PLAIN", "value\nmore\n"), ("PATH", ""), ("LONG", &long), ("NUL", "a\0b")] {
        fs::write(at("env").join(name), content).unwrap();
    }
    symlink("../run", at("root/link")).unwrap();
    fs::write(at("file"), "content\n").unwrap();
    fs::write(at("lock"), "").unwrap();
    fs::write(at("conf"), format!("SHORT = value\nPATH=\nLONG=\"{long}\"\n")).unwrap();
    fs::write(at("rules"), "# all\nrwx /\nbind 80\n").unwrap();
    mkfifo(&at("fifo"), Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    let accounts = "root:x:0:0::/root:/bin/sh\napache:x:5001:5001::/home/apache:/bin/bash\n";
    fs::write(at("passwd"), accounts).unwrap();
    fs::write(at("group"), "root:x:0:\napache:x:5001:\nmore:x:5002:apache\nthird:x:5003:x,apache\n").unwrap();
    for link in catena::LINKS {
        install(&bin().join(link.name), &at("bin").join(link.name));
    }
    for name in ["pose", "state", "trace"] {
        install(&example(name), &at("bin").join(name));
    }
    for root in [at("root"), at("")] {
        install_root(&root, &[&example("state")]);
        let inside = root.join(at("bin").strip_prefix("/").unwrap());
        fs::create_dir_all(&inside).unwrap();
        fs::rename(root.join("state"), inside.join("state")).unwrap();
    }
    directory
}

/// One line, and what it does if nothing fails.
struct Line<'a> {
    at: &'a dyn Fn(&str) -> String,
    caller: Caller,
    text: &'static str,
    /// The links in it, of which the first is executed, unless `catena` is.
    links: Vec<&'static str>,
    /// The system calls in the order in which they are made, from those of `trace` itself on.
    calls: Vec<Call>,
    /// Of these the first that the link makes.
    own: usize,
    control: Outcome,
}

impl<'a> Line<'a> {
    fn new(at: &'a dyn Fn(&str) -> String, caller: Caller, line: &'static str) -> Self {
        let links = line.split(' ').filter(|word| catena::LINKS.iter().any(|link| link.name == *word));
        let links = links.collect();
        let mut new = Self { at, caller, text: line, links, calls: vec![], own: 0, control: prints("") };
        new.control = new.run("calls");
        assert_eq!((new.control.status, &*new.control.stderr), (0, ""), "{line}");
        assert_ne!(new.control.stdout, "", "{line}");
        new.calls = new.log();
        let began = |program: &str| {
            let program = at(program);
            new.calls.iter().position(|call| call.executed.as_ref() == Some(&program)).unwrap()
        };
        let first = if new.named() { "catena" } else { new.links[0] };
        new.own = began(&format!("@/bin/{first}")) + 1;
        let ended = began("@/bin/state");
        new.calls.truncate(ended + 1);
        new
    }

    /// Whether its links are names to `catena` and no programs.
    fn named(&self) -> bool {
        self.text.split(' ').any(|word| word == "catena")
    }

    /// How many calls are made before `main`.
    fn startup(&self) -> usize {
        self.calls.len() - self.own - 2 // one of fdclose and one of exec
    }

    /// Runs the line under `trace` with this task.
    fn run(&self, task: &str) -> Outcome {
        let at = self.at;
        for left in ["@/new", "@/log", "@/socket"] {
            let _ = fs::remove_file(at(left));
        }
        leave_a_socket(at("@/socket"));
        for left in ["@/made/below", "@/made", "@/run/there"] {
            let _ = fs::remove_dir(at(left));
        }
        fs::create_dir(at("@/run/there")).unwrap();
        fs::write(at("@/pid"), "1234567890123\n").unwrap();
        let program = |word: &str| {
            let ours = ["pose", "catena"].contains(&word) || !self.named() && self.links.contains(&word);
            if ours { at(&format!("@/bin/{word}")) } else { at(word) }
        };
        let mut words = vec![at("@/log"), task.to_owned()];
        words.extend(self.text.split(' ').map(program));
        let trace = at("@/bin/trace");
        let mut command = match self.caller {
            Anybody | Root | Host | Kernel => prepared(&trace),
            Capable => {
                let mut command = prepared("setpriv");
                command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
                command.args(["--inh-caps=+sys_chroot", "--ambient-caps=+sys_chroot", &trace]);
                command
            }
            Terminal => {
                let mut command = prepared("script");
                let files = at("</dev/null >@/out 2>@/err");
                command.args(["-qec", &format!("{trace} {} {files}", words.join(" ")), "/dev/null"]);
                words.clear();
                command
            }
        };
        command.args(words).current_dir(at("@")).env_remove("LD_LIBRARY_PATH");
        command.env("PATH", at(&format!("{BASE_PATH}:@/missing:@/file:@/bin")));
        let outcome = run(&mut command);
        let read = |name: &str| fs::read_to_string(at(name)).unwrap();
        let (stdout, stderr) = match self.caller {
            Terminal => (read("@/out"), read("@/err")),
            _ => (outcome.stdout, outcome.stderr),
        };
        // What each run has another of: of new namespaces it counts that they are new.
        let old: Vec<String> = namespaces();
        let stdout = stdout.lines().filter(|item| !item.starts_with("session")).map(|item| {
            let new = item.starts_with("namespace") && !old.iter().any(|old| item.ends_with(old.as_str()));
            let item = if new { item.split('[').next().unwrap_or_default() } else { item };
            format!("{item}\n")
        });
        let stdout = stdout.collect();
        Outcome { stdout, stderr, ..outcome }
    }

    fn log(&self) -> Vec<Call> {
        let log = fs::read_to_string((self.at)("@/log")).unwrap();
        log.lines().map(Call::parse).collect()
    }

    /// Makes every call of the link fail in every way, and every call of its start-up in one: that is the
    /// same in all lines, which take turns with the ways.
    fn inject_all(&self, startup: usize, turn: usize) -> Vec<Result<(), String>> {
        let mut verdicts = Vec::new();
        let mut cases = turn..;
        for place in self.own..self.calls.len() {
            let name = &*self.calls[place].name;
            let in_startup = place < self.own + startup;
            let errors = ERRORS.map(|errno| (format!("{errno:?}"), -(errno as i32)));
            let short = SHORT.iter().filter(|(call, _)| *call == name);
            let short = short.map(|(_, result)| (format!("returns {result}"), *result));
            for (way, (error, result)) in errors.into_iter().chain(short).enumerate() {
                // close(2) has closed the fd where it says EINTR, which trace does not, and musl knows.
                let untrue = name == "close" && result == -(EINTR as i32);
                if untrue
                    || in_startup && way != turn % ERRORS.len()
                    || !cases.next().is_some_and(is_of_share)
                {
                    continue;
                }
                let verdict = self.inject(place, result, in_startup);
                verdicts.push(verdict.map_err(|why| {
                    let count = self.calls[self.own..=place].iter().filter(|call| call.name == name).count();
                    format!("{}: {name}, number {count} of the link: {error}: {why}", self.text)
                }));
            }
        }
        verdicts
    }

    fn inject(&self, place: usize, result: i32, in_startup: bool) -> Result<(), String> {
        let name = &*self.calls[place].name;
        let outcome = self.run(&format!("{place}={result}"));
        if self.log().first().is_none_or(|failed| failed.name != name) {
            return Err("was not made to fail".into());
        }
        if outcome == self.control {
            return self.pid_file().and_then(|()| self.directory());
        }
        // Where the loader, or a link with several deeds, cannot close a file of its own, which exec will, the lowest
        // fds for locks are 4 and 5.
        let lower = outcome.stdout.replace(" 4 ", " 3 ").replace(" 5 ", " 4 ");
        if name == "close" && lower == self.control.stdout {
            return self.pid_file().and_then(|()| self.directory());
        }
        if !outcome.stdout.is_empty() {
            let differences = differences(&self.control.stdout, &outcome.stdout);
            return Err(format!("ran otherwise: {} {}{differences}", outcome.status, outcome.stderr));
        }
        // Where memory is used up the program speaks, which does not know whose turn it is.
        let mut names = self.links.iter().copied().chain(self.named().then_some("catena"));
        let link = names.any(|name| outcome.stderr.starts_with(&format!("{name}: fatal: ")));
        let refused = [111, 126, 127].contains(&outcome.status) && (link || self.text.contains("closed=012"));
        let killed = outcome.status > 128 && !outcome.stderr.contains("panicked");
        let by_loader = in_startup && (outcome.status == 127 || killed);
        // What libc does to look up an account: it may give up, or take an errno that brk never has for an
        // address.
        let by_libc = self.caller == Host && killed;
        // A link that cannot ask for its parent must take it for dead.
        let by_death = self.text.contains("death") && outcome.status == 128 + 12;
        let fine = refused || by_loader || by_libc || by_death;
        let complaint = outcome.stderr.lines().find(|line| !line.is_empty()).unwrap_or_default();
        if fine { Ok(()) } else { Err(format!("{} {complaint}", outcome.status)) }
    }

    /// After a run of pidlock its file holds a pid and nothing else.
    fn pid_file(&self) -> Result<(), String> {
        if !self.text.contains("pidlock @/pid") {
            return Ok(());
        }
        let content = fs::read_to_string((self.at)("@/pid")).unwrap();
        let pid = content.strip_suffix('\n').filter(|pid| pid.len() < 10 && pid.parse::<u32>().is_ok());
        pid.map(drop).ok_or(format!("ran with a pid file that says {content:?}"))
    }

    /// After a run of mkrundir there is the directory, as the line has it.
    fn directory(&self) -> Result<(), String> {
        let (directory, owner, mode) = match self.text.split(' ').collect::<Vec<_>>()[..] {
            ["mkrundir", "-m", "2750", ..] => ("@/made/below", Some((5001, 5002)), 0o2750),
            ["mkrundir", "-m", "750", ..] => ("@/made", None, 0o750),
            ["mkrundir", "-o", ..] => ("@/made", Some((5001, 5002)), 0o755),
            ["mkrundir", ..] => ("@/run/there", Some((5001, 5002)), 0o700),
            _ => return Ok(()),
        };
        let found = fs::symlink_metadata((self.at)(directory)).map_err(|error| error.to_string())?;
        let right = owner.is_none_or(|owner| owner == (found.uid(), found.gid()));
        let all = right && found.is_dir() && found.mode() & 0o7777 == mode;
        if all { Ok(()) } else { Err(format!("ran with a directory of another owner or mode: {found:?}")) }
    }
}

#[test]
fn whichever_call_of_a_parent_or_its_child_fails_the_program_runs_as_promised_or_not_at_all() {
    needs!(tool("strace"), tool("env"));
    let directory = furnished();
    let at = |text: &str| with_group(text).replace('@', directory.path().to_str().unwrap());
    let [parent, child] = FORKING;
    // The program is not to be met: it runs untraced, or makes more calls of each kind than the child.
    let [parent, child] = [Sides::new(&at, parent, &["-b", "execve"]), Sides::new(&at, child, &[])];
    let mut verdicts = parent.inject_all(&parent.of_parent);
    let both = verdicts.len();
    verdicts.extend(child.inject_all(&child.of_child));
    let wrong: Vec<String> = verdicts.iter().filter_map(|verdict| verdict.clone().err()).collect();
    tell(&format!("all_or_nothing: {both} injections into a parent, {} into a child", verdicts.len() - both));
    assert!(wrong.is_empty(), "{} of {} are wrong:\n{}", wrong.len(), verdicts.len(), wrong.join("\n"));
    for name in ["close", "execve", "prctl", "rt_sigaction", "rt_sigprocmask"] {
        assert!(child.of_child.iter().any(|call| call == name), "{name}: {:?}", child.of_child);
    }
    assert!(both >= 60 && verdicts.len() - both >= 30, "{both} of {}", verdicts.len());
}

/// A line whose link forks.
struct Sides<'a> {
    at: &'a dyn Fn(&str) -> String,
    line: &'static str,
    options: &'a [&'static str],
    /// The calls of the process that strace starts, from its own execve on.
    of_parent: Vec<String>,
    /// Those of its child, up to the program's execve.
    of_child: Vec<String>,
    control: Outcome,
}

impl<'a> Sides<'a> {
    fn new(at: &'a dyn Fn(&str) -> String, line: &'static str, options: &'a [&'static str]) -> Self {
        let mut new = Self { at, line, options, of_parent: vec![], of_child: vec![], control: prints("") };
        new.control = new.run(&["-e", "signal=none"]);
        assert_eq!((new.control.status, &*new.control.stderr), (0, ""), "{line}");
        let log = new.log();
        let first = log.split(' ').next().unwrap().to_owned();
        let mut executed = false;
        for line in log.lines() {
            let (pid, call) = line.split_once(' ').unwrap();
            let name = call.trim_start().split('(').next().unwrap();
            if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') || executed && pid != first {
                continue; // an end, a call that goes on, or the program's own
            }
            executed |= pid != first && call.contains(&format!("execve(\"{}\"", at("@/bin/state")));
            if pid == first { &mut new.of_parent } else { &mut new.of_child }.push(name.to_owned());
        }
        assert!(executed, "{log}");
        new.of_parent.remove(0); // strace's own
        new
    }

    fn run(&self, options: &[&str]) -> Outcome {
        let at = self.at;
        let mut command = prepared("timeout"); // for a parent that waits for nobody
        command.args(["--foreground", "-s", "KILL", "60", "strace", "-f", "-o", &at("@/log")]).args(options);
        let ours = |word: &str| ["fghack", "pose"].contains(&word);
        let program = |word: &str| if ours(word) { at(&format!("@/bin/{word}")) } else { at(word) };
        command.args(self.line.split(' ').map(program)).current_dir(at("@")).env_remove("LD_LIBRARY_PATH");
        run(&mut command)
    }

    fn log(&self) -> String {
        fs::read_to_string((self.at)("@/log")).unwrap()
    }

    /// Makes each of these calls fail in every way.
    fn inject_all(&self, calls: &[String]) -> Vec<Result<(), String>> {
        let mut verdicts = Vec::new();
        for (i, name) in calls.iter().enumerate() {
            let count = calls[..=i].iter().filter(|call| *call == name).count();
            for error in ERRORS {
                // A call that does not return, and one that the kernel lets fail with nothing done.
                if name == "exit_group" || (&**name, error) == ("close", EINTR) {
                    continue;
                }
                let what = format!("{name}:error={error:?}:when={count}");
                let verdict = self.inject(name, &what);
                verdicts.push(verdict.map_err(|why| format!("{}: {what}: {why}", self.line)));
            }
        }
        verdicts
    }

    fn inject(&self, name: &str, what: &str) -> Result<(), String> {
        let (trace, inject) = (format!("trace={name}"), format!("inject={what}"));
        let outcome = self.run(&[self.options, &["-e", &trace, "-e", &inject]].concat());
        let log = self.log();
        let injected = |line: &str| line.contains("(INJECTED)");
        if !log.lines().any(injected) {
            // How often a parent wakes up while it waits is another number in each run.
            let waits = ["ppoll", "read", "wait4"].contains(&name) && outcome == self.control;
            return if waits { Ok(()) } else { Err("was not made to fail".into()) };
        }
        let Outcome { status, stdout, stderr } = &outcome;
        if !stdout.is_empty() && *stdout != self.control.stdout {
            return Err(format!(
                "ran otherwise: {status} {stderr}{}",
                differences(&self.control.stdout, stdout)
            ));
        }
        let by_link = [111, 126, 127].contains(status) && stderr.starts_with("fghack: fatal: ");
        let by_loader = *status == 127 || *status > 128 && !stderr.contains("panicked") && stderr.is_empty();
        // One that cannot ask for its parent must take it for dead.
        let by_death = self.line.contains("death") && *status == 128 + 12;
        let fine = outcome == self.control || by_link || by_loader && stdout.is_empty() || by_death;
        if fine { Ok(()) } else { Err(format!("{status} {stderr}")) }
    }
}
