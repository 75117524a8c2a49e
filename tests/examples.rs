//! The service directories of examples/services: each is copied as it stands and run, with the daemon and the configuration of
//! Debian's package, in a mount and a network namespace of the test's own, where its port is free and /run is empty.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::Signal;

use crate::needs;
use crate::support::*;

fn services() -> PathBuf {
    house().join("examples/services")
}

/// Root, who may make these namespaces.
fn namespaces_of_its_own() -> Result<(), String> {
    mounts()?;
    let possible = run(prepared("unshare").args(["--mount", "--net", "true"])).status == 0;
    if possible { Ok(()) } else { Err("a network namespace".into()) }
}

/// The accounts that the page says to make.
fn accounts() -> Accounts {
    let page = source("examples/services/README.md");
    let line = page.lines().find_map(|line| line.trim().strip_prefix("for account in ")).unwrap();
    let names = line.split_once(';').unwrap().0.split(' ');
    let [mut users, mut groups] = ["/etc/passwd", "/etc/group"].map(|file| fs::read_to_string(file).unwrap());
    for (id, name) in (5401..).zip(names) {
        writeln!(users, "{name}:x:{id}:{id}::/nonexistent:/usr/sbin/nologin").unwrap();
        writeln!(groups, "{name}:x:{id}:").unwrap();
    }
    Accounts::of(&users, &groups)
}

/// An empty file system at `place`.
fn empty(place: &str) {
    mount(None::<&str>, place, Some("tmpfs"), MsFlags::empty(), Some("mode=755")).unwrap();
}

/// Processes in the network namespace of this thread, without this one.
fn left() -> Vec<u32> {
    let own = fs::read_link("/proc/thread-self/ns/net").unwrap();
    let all = fs::read_dir("/proc").unwrap().flatten();
    let pids = all.filter_map(|process| process.file_name().to_str()?.parse().ok());
    let inside =
        |pid: &u32| lives(*pid) && fs::read_link(format!("/proc/{pid}/ns/net")).is_ok_and(|net| net == own);
    pids.filter(|pid| *pid != std::process::id()).filter(inside).collect()
}

/// A copy of one of the directories in a scratch directory, and its supervisor.
struct Example {
    name: String,
    scratch: tempfile::TempDir,
    supervisor: Option<Child>,
    _accounts: Accounts,
}

impl Example {
    /// Takes this thread into namespaces of its own, and copies the directory.
    fn copy(name: &str) -> Self {
        let accounts = accounts();
        own_mounts();
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        accounts.mount();
        empty("/run");
        assert_eq!(run(&mut sh("ip link set lo up")), prints(""));
        let scratch = open_directory();
        // Accounts other than root execute these.
        fs::create_dir(scratch.path().join("bin")).unwrap();
        for name in ["catena", "svlog"] {
            install(&program(name), &scratch.path().join("bin").join(name));
        }
        let copy = run(prepared("cp").arg("-pR").arg(services().join(name)).arg(scratch.path()));
        assert_eq!(copy, prints(""));
        Self { name: name.to_owned(), scratch, supervisor: None, _accounts: accounts }
    }

    /// Lets svrun run it, and waits until it is ready.
    fn start(&mut self) {
        assert_eq!(self.svctl("lint -s"), prints(""));
        self.supervise("svrun", &self.name.clone());
        self.does("-w 60 wait ready");
    }

    fn supervise(&mut self, program: &str, directory: &str) {
        let said = fs::File::create(self.scratch.path().join("said")).unwrap();
        self.supervisor = Some(self.command(program).arg(directory).stderr(said).spawn().unwrap());
    }

    fn of(name: &str) -> Self {
        let mut example = Self::copy(name);
        example.start();
        example
    }

    fn command(&self, name: &str) -> Command {
        let mut command = prepared(program(name));
        let path = command.get_envs().find(|(name, _)| *name == "PATH").unwrap().1.unwrap();
        let path = format!("{}/bin:{}", self.scratch.path().display(), path.to_str().unwrap());
        command.env("PATH", path).current_dir(self.scratch.path());
        command
    }

    fn svctl(&self, words: &str) -> Outcome {
        let mut command = self.command("svctl");
        run(command.env("SVWAIT", "60").args(words.split(' ')).arg(format!("./{}", self.name)))
    }

    /// That a command succeeds.
    #[track_caller]
    fn does(&self, words: &str) {
        let outcome = self.svctl(words);
        assert_eq!((outcome.status, &*outcome.stderr), (0, ""), "{outcome:?}\n{}", self.log());
    }

    fn log(&self) -> String {
        text(&self.scratch.path().join(&self.name).join("log/main/current"))
    }

    /// The configuration that its script `reload` checks.
    fn checked(&self) -> Option<PathBuf> {
        let house = self.scratch.path().join(&self.name);
        let file = match &*self.name {
            "nginx" => "/etc/nginx/nginx.conf".into(),
            "haproxy" => "/etc/haproxy/haproxy.cfg".into(),
            "sshd" => "/etc/ssh/sshd_config".into(),
            "unbound" => "/etc/unbound/unbound.conf".into(),
            "php-fpm" => {
                format!("/etc/php/{}/fpm/php-fpm.conf", text(&house.join("env/PHP_VERSION")).trim()).into()
            }
            "gunicorn" => house.join("wsgi.py"),
            _ => return None,
        };
        Some(file)
    }

    /// That a reload with a broken configuration fails.
    fn refuses(&self, configuration: &Path) {
        let broken = self.scratch.path().join("broken");
        fs::write(&broken, "broken (\n").unwrap();
        mount(Some(&broken), configuration, None::<&str>, MsFlags::MS_BIND, None::<&str>).unwrap();
        let outcome = self.svctl("reload");
        nix::mount::umount(configuration).unwrap();
        let expected = format!("fail: ./{}: reload failed: ./reload exited ", self.name);
        assert!(outcome.stdout.starts_with(&expected), "{outcome:?}\n{}", self.log());
    }

    /// That what `ask` gets is as expected now, after reloads, and after a kill, and that then a stop leaves nothing; in the
    /// log are these texts, in this order.
    fn lives(mut self, ask: impl Fn() -> io::Result<String>, expected: impl Fn(&str) -> bool, log: &[&str]) {
        let asked = |when| {
            let mut answer = ask();
            // Once it is ready it answers. While it reloads it may turn away or lose what comes.
            if when == "after a reload" && answer.is_err() {
                until(when, || {
                    answer = ask();
                    answer.is_ok()
                });
            }
            let as_expected = answer.as_ref().is_ok_and(|answer| expected(answer));
            assert!(as_expected, "{when}: {answer:?}\n{}", self.log());
        };
        asked("after the start");
        let pid = self.pid();
        if self.name == "redis" {
            let outcome = self.svctl("reload");
            assert_eq!(outcome.stdout, "fail: ./redis: reload failed: ./reload exited 1\n", "{outcome:?}");
        } else {
            self.does("reload");
        }
        if let Some(configuration) = self.checked() {
            self.refuses(&configuration);
        }
        assert_eq!(self.pid(), pid, "after a reload");
        asked("after a reload");
        self.does("-v kill");
        assert_ne!(self.pid(), pid, "after a kill");
        self.does("-w 60 wait ready");
        asked("after a kill");
        self.does("-v exit");
        assert_eq!(status_of(self.supervisor.as_mut().unwrap()), Some(0));
        self.supervisor = None;
        until("what the stop leaves", || left().is_empty());
        let text = self.log();
        let mut rest = text.as_str();
        for expected in log.iter().chain(&["killed by SIGKILL"]) {
            let found = rest.find(expected).unwrap_or_else(|| panic!("no {expected} in the log:\n{text}"));
            rest = &rest[found..];
        }
    }

    /// The process of run.
    fn pid(&self) -> String {
        text(&self.scratch.path().join(&self.name).join("supervise/pid"))
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        in_time(|| {
            let left = left();
            for pid in &left {
                let _ = nix::sys::signal::kill(
                    nix::unistd::Pid::from_raw(i32::try_from(*pid).unwrap()),
                    Signal::SIGKILL, // it may have ended
                );
            }
            if let Some(supervisor) = &mut self.supervisor {
                let _ = supervisor.try_wait(); // it has been killed
            }
            left.is_empty()
        });
    }
}

/// What is answered to these bytes, up to the end or to `enough`.
fn answer(mut stream: impl Read + Write, question: &[u8], enough: usize) -> io::Result<String> {
    stream.write_all(question)?;
    let mut answer = Vec::new();
    while answer.len() < enough {
        let mut part = [0; 4096];
        match uninterrupted(|| stream.read(&mut part)) {
            Ok(0) => break,
            Ok(count) => answer.extend_from_slice(&part[..count]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset && !answer.is_empty() => break,
            Err(error) => return Err(error),
        }
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// A connection to a port of the namespace, which waits for an answer as a test does.
fn tcp(port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(DEADLINE / 4))?;
    Ok(stream)
}

fn unix(path: &str) -> io::Result<UnixStream> {
    let stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(DEADLINE / 4))?;
    Ok(stream)
}

/// What an HTTP server has at /.
fn http(port: u16) -> impl Fn() -> io::Result<String> {
    move || answer(tcp(port)?, b"GET / HTTP/1.0\r\n\r\n", usize::MAX)
}

#[test]
fn nginx() {
    needs!(namespaces_of_its_own(), tool("nginx"), tool("ip"));
    let log = ["start worker processes", "reconfiguring"];
    Example::of("nginx").lives(http(80), |page| page.starts_with("HTTP/1.1 200 OK\r\n"), &log);
}

#[test]
fn redis() {
    needs!(namespaces_of_its_own(), tool("redis-server"), tool("ip"));
    let mut redis = Example::copy("redis");
    empty("/var/lib/redis");
    assert_eq!(run(&mut sh("chown redis: /var/lib/redis")), prints(""));
    redis.start();
    let ping = || answer(tcp(6379)?, b"PING\r\n", 7);
    redis.lives(ping, |answer| answer == "+PONG\r\n", &["Ready to accept connections", "at its start alone"]);
}

#[test]
#[ignore = "Debian's postgresql is 200 MB: run it by hand"]
fn postgres() {
    needs!(namespaces_of_its_own(), tool("psql"), tool("ip"));
    let mut postgres = Example::copy("postgres");
    // A new cluster, in the place of the one that Debian's package makes.
    empty("/etc/postgresql");
    empty("/var/lib/postgresql");
    let cluster = r#"set -e
        version=$(ls /usr/lib/postgresql | sort -n | tail -n 1)
        echo "$version/main" >postgres/env/PGCLUSTER
        data=/var/lib/postgresql/$version/main
        mkdir -p "$data" "/etc/postgresql/$version"
        chown postgres: "$data"
        ln -s "$data" "/etc/postgresql/$version/main"
        cd /
        setuidgid postgres "/usr/lib/postgresql/$version/bin/initdb" --no-sync --auth trust --no-locale "$data" >/dev/null"#;
    assert_eq!(run_in(postgres.scratch.path(), cluster).status, 0);
    postgres.start();
    let psql = "cd /; exec setuidgid postgres psql -tAc 'select 6*7'";
    let ask = || Ok(run(sh(psql).env_remove("PGPORT")).stdout);
    postgres.lives(ask, |answer| answer == "42\n", &["ready to accept connections", "received SIGHUP"]);
}

#[test]
fn haproxy() {
    needs!(namespaces_of_its_own(), tool("haproxy"), tool("ip"));
    let info = || answer(unix("/run/haproxy/admin.sock")?, b"show info\n", usize::MAX);
    Example::of("haproxy").lives(
        info,
        |info| info.starts_with("Name: HAProxy\n"),
        &["New worker", "Reloading HAProxy"],
    );
}

#[test]
fn unbound() {
    needs!(namespaces_of_its_own(), tool("unbound"), tool("ip"));
    let mut unbound = Example::copy("unbound");
    empty("/var/lib/unbound");
    assert_eq!(run(&mut sh("chown unbound: /var/lib/unbound")), prints(""));
    unbound.start();
    let resolve = || {
        // Which address does localhost have?
        let question = b"\0\x07\x01\0\0\x01\0\0\0\0\0\0\x09localhost\0\0\x01\0\x01";
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.set_read_timeout(Some(DEADLINE / 4))?;
        socket.send_to(question, "127.0.0.1:53")?;
        let mut answer = [0; 512];
        let length = uninterrupted(|| socket.recv(&mut answer))?;
        Ok(format!("{:?}", &answer[length - 4..length]))
    };
    unbound.lives(resolve, |answer| answer == "[127, 0, 0, 1]", &["start of service", "Restart of unbound"]);
}

#[test]
fn php_fpm() {
    let php = || fs::read_dir("/usr/sbin").unwrap().flatten().map(|entry| entry.file_name());
    let php = || php().find_map(|name| Some(name.to_str()?.strip_prefix("php-fpm")?.to_owned()));
    needs!(namespaces_of_its_own(), php().map(|_| ()).ok_or_else(|| "php-fpm".to_owned()), tool("ip"));
    let mut fpm = Example::copy("php-fpm");
    let version = php().unwrap();
    fs::write(fpm.scratch.path().join("php-fpm/env/PHP_VERSION"), &version).unwrap();
    fpm.start();
    // FCGI_GET_VALUES of FCGI_MPXS_CONNS
    let question = [&b"\x01\x09\0\0\0\x11\0\0"[..], b"\x0f\0FCGI_MPXS_CONNS"].concat();
    let socket = format!("/run/php/php{version}-fpm.sock");
    let ask = || answer(unix(&socket)?, &question, 8 + 18);
    fpm.lives(
        ask,
        |answer| answer.contains("FCGI_MPXS_CONNS0"),
        &["ready to handle", "Reloading in progress"],
    );
}

#[test]
fn sshd() {
    needs!(namespaces_of_its_own(), tool("sshd"), tool("ip"));
    let log = ["Server listening on 0.0.0.0 port 22", "Received SIGHUP; restarting"];
    Example::of("sshd").lives(
        || answer(tcp(22)?, b"", 8),
        |banner| banner.starts_with("SSH-2.0-OpenSSH"),
        &log,
    );
}

#[test]
fn node() {
    needs!(namespaces_of_its_own(), tool("node"), tool("ip"));
    Example::of("node").lives(
        http(3000),
        |page| page.ends_with("\r\n\r\nhello\n"),
        &["info: GET /", "reloaded"],
    );
}

#[test]
fn gunicorn() {
    needs!(namespaces_of_its_own(), tool("gunicorn"), tool("ip"));
    Example::of("gunicorn").lives(
        http(8000),
        |page| page.ends_with("\r\n\r\nhello\n"),
        &["Booting worker", "\"GET / HTTP/1.0\" 200", "Handling signal: hup"],
    );
}

#[test]
fn a_daemon_with_log_any() {
    needs!(namespaces_of_its_own(), tool("ip"));
    let there = run(prepared("perl").args(["-MLog::Any", "-e", "1"])).status == 0;
    needs!(if there { Ok(()) } else { Err("the module Log::Any of Perl".to_owned()) });
    let log = ["notice: ready for connections", "info: a connection from 127.0.0.1", "notice: reloaded"];
    Example::of("perl").lives(|| answer(tcp(4000)?, b"", usize::MAX), |line| line == "hello\n", &log);
}

/// On a terminal of the test's own, in the place of tty1.
#[test]
fn a_getty() {
    needs!(namespaces_of_its_own(), tool("agetty"), tool("ip"));
    let mut getty = Example::copy("getty@");
    let pty = Pty::new(80);
    let slave =
        fs::read_link(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&pty.slave))).unwrap();
    // Without terminals, as in a container, another device hides behind it.
    let line = if Path::new("/dev/tty1").exists() { "tty1" } else { "full" };
    mount(Some(&slave), &*format!("/dev/{line}"), None::<&str>, MsFlags::MS_BIND, None::<&str>).unwrap();
    fs::write("/run/utmp", "").unwrap();
    empty("/var/log");
    assert_eq!(getty.svctl("lint -s"), prints(""));
    let link = format!("ln -s getty@ getty@{line}");
    assert_eq!(run_in(getty.scratch.path(), &link), prints(""));
    getty.supervise("svtree", ".");
    getty.name = format!("getty@{line}");
    drop(pty.slave);
    let mut master = pty.master;
    let mut prompts = |count| {
        let mut seen = String::new();
        while seen.matches("login: ").count() < count {
            let mut part = [0; 512];
            match master.read(&mut part) {
                Ok(length) => seen += &String::from_utf8_lossy(&part[..length]),
                // Nobody has the terminal open.
                Err(error) if error.raw_os_error() == Some(nix::libc::EIO) => {}
                Err(error) => panic!("{error}"),
            }
        }
    };
    prompts(1);
    let records = || text(Path::new("/run/utmp")).contains("LOGIN");
    assert!(records());
    getty.does("-v kill");
    prompts(1);
    // The new one has taken the record in utmp over.
    let history = fs::read("/var/log/wtmp").unwrap();
    let of_the_dead = |record: &[u8]| record[..2] == nix::libc::DEAD_PROCESS.to_ne_bytes();
    assert!(history.chunks(size_of::<nix::libc::utmpx>()).any(of_the_dead));
    getty.does("stop");
    send_signal(getty.supervisor.as_ref().unwrap().id(), Signal::SIGTERM);
    assert_eq!(status_of(getty.supervisor.as_mut().unwrap()), Some(0));
    getty.supervisor = None;
    until("what the stop leaves", || left().is_empty());
}

#[test]
fn the_page_has_a_row_for_each() {
    let page = source("examples/services/README.md");
    let rows =
        page.lines().filter_map(|line| Some(line.strip_prefix("| [`")?.split_once("`](")?.0.to_owned()));
    let mut expected: Vec<String> = fs::read_dir(services())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    expected.sort();
    assert_eq!(rows.collect::<Vec<_>>(), expected);
}
