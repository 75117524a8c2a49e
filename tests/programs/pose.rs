#![cfg_attr(not(test), no_main)]
//! pose: puts its process into one odd state and executes the rest, unchanged but for that: what the tests
//! run a link under. A state that no safe call makes is made by another program in front of the rest.

use std::ffi::{CStr, CString};
use std::fs::{self, File};
use std::path::PathBuf;

use caps::{CapSet, Capability};
use common::limits::{self, Value, Which};
use common::{Cli, Env, Exit, Link, OrFail, Outcome, Words, fds, process, shown, signals};
use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::resource::Resource;
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Pid, chdir, setpgid};

const POSE: Link = Link {
    name: "pose",
    usage: "state[=value] prog...",
    summary: "run a program in a state",
    options: common::options![],
    opens: false,
    lent: None,
    run,
};

common::main!(POSE);

/// States that another program makes.
const BEFORE: [(&str, &[&CStr]); 15] = [
    ("pipe-ignored", &[c"env", c"--ignore-signal=PIPE"]),
    ("hup-ignored", &[c"env", c"--ignore-signal=HUP"]),
    ("all-ignored", &[c"env", c"--ignore-signal"]),
    ("all-blocked", &[c"env", c"--block-signal"]),
    ("pending", &[c"env", c"--block-signal=USR1", c"sh", c"-c", c"kill -USR1 $$; exec \"$@\"", c"sh"]),
    ("nice", &[c"/usr/bin/nice", c"-n7"]), // not the link, as the next ones
    ("batch", &[c"/usr/bin/chrt", c"-b", c"0"]),
    ("one-processor", &[c"/usr/bin/taskset", c"1"]),
    ("personality", &[c"setarch", c"--addr-no-randomize", c"--addr-compat-layout"]),
    ("leader", &[c"setsid"]),
    ("securebits", &[c"setpriv", c"--securebits"]), // with the value
    ("no-root", &[c"setpriv", LENT, LENT_ON, c"--securebits=+noroot"]),
    ("real-time-death", &[c"setpriv", c"--pdeathsig=RTMIN+6"]),
    ("account", &[c"setpriv", c"--reuid=65534", c"--regid=65534", c"--clear-groups"]),
    (
        "timers",
        &[c"perl", c"-MTime::HiRes=:DEFAULT,setitimer,ITIMER_REAL,ITIMER_VIRTUAL,ITIMER_PROF", c"-e", TIMERS],
    ),
];

const LENT: &CStr = c"--inh-caps=+setuid,+setgid,+setpcap,+sys_chroot";
const LENT_ON: &CStr = c"--ambient-caps=+setuid,+setgid,+setpcap,+sys_chroot";
const TIMERS: &CStr =
    c"setitimer($_, 1000) for ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF; exec {$ARGV[0]} @ARGV";

fn run(cli: &mut Cli) -> Outcome<'_> {
    cli.no_options()?;
    let state = cli.operand("state")?.0.to_str().map_err(|_| Exit::usage("not UTF-8"))?;
    let (state, value) = state.split_once('=').unwrap_or((state, ""));
    let chain = cli.rest()?;
    if let Some((_, before)) = BEFORE.iter().find(|(name, _)| *name == state) {
        let value = (!value.is_empty()).then(|| leaked(value));
        chain.words = before.iter().copied().chain(value).chain(chain.words.clone()).collect();
        return Ok(chain);
    }
    match state {
        "words" => {
            let more = more_words(value)?;
            chain.words = chain.words.clone().chain(more).collect();
        }
        "env" => chain.env = Env::new(entries(value)?.into_iter().collect()),
        _ => deed(state, value)?,
    }
    Ok(chain)
}

fn leaked(text: impl Into<Vec<u8>>) -> &'static CStr {
    Box::leak(CString::new(text).unwrap_or_default().into_boxed_c_str())
}

fn unknown(value: &str) -> Exit {
    Exit::usage(format_args!("no such state: {}", shown(value)))
}

fn more_words(value: &str) -> Result<Vec<&'static CStr>, Exit> {
    match value {
        "odd" => Ok(vec![c"", c"--", c"-x", c"caf\xe9 \xff\xfe", c"a\nb\t\x01", c"", c"=", c""]),
        "many" => Ok((0..2000).map(|i| leaked(format!("word {i}"))).collect()),
        "long" => Ok(vec![leaked("x".repeat(100_000))]),
        _ => Err(unknown(value)),
    }
}

fn entries(value: &str) -> Result<Vec<&'static CStr>, Exit> {
    match value {
        "none" => Ok(vec![]),
        "odd" => Ok(vec![
            c"PATH=/usr/bin:/bin",
            c"no-equals",
            c"A=1",
            c"",
            c"A=2",
            c"=",
            c"=x",
            c"A=1",
            c"caf\xe9=\xff\xfe",
            c"",
            c"B=a=b\n\x01",
            c"A",
            c"PATH=/nowhere",
            c"",
        ]),
        "many" => Ok((0..3000).map(|i| leaked(format!("NAME{i}=value {i}"))).collect()),
        _ => Err(unknown(value)),
    }
}

/// Closes all descriptors that are greater.
fn close_above(last: i32) -> Result<(), Exit> {
    let open = fs::read_dir("/proc/self/fd").map_err(failed)?.flatten();
    let numbers: Vec<i32> = open.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    for fd in numbers.into_iter().filter(|fd| *fd > last) {
        let _ = fds::close(fd); // that of the listing is closed already
    }
    Ok(())
}

fn deed(state: &str, value: &str) -> Result<(), Exit> {
    match state {
        "out" => {
            // Above it there is nothing, so that its place among the pipes is the same whatever comes to be there.
            close_above(77)?;
            fds::copy_to(1, 77).or_fail("copy stdout")?;
            // A fd to open as well: one program fewer in each of thousands of chains.
            if value.is_empty() { Ok(()) } else { deed("open", value) }
        }
        "closed" if value == "rest" => close_above(2),
        "deaf" => {
            // Raw calls, unlike env's: no signal is the C library's own.
            signals::ignore(!signals::mask_of(&[signals::KILL, signals::STOP]))
                .or_fail("ignore all signals")?;
            signals::block_all().or_fail("block all signals")
        }
        "decoys" => {
            decoys();
            Ok(())
        }
        "closed" => {
            value.bytes().try_for_each(|digit| fds::close(i32::from(digit - b'0'))).or_fail("close a fd")
        }
        "open" => {
            let file = File::open("/dev/null").map_err(failed)?;
            fds::leave(file.into(), value.parse().ok()).or_fail("open a fd")
        }
        "umask" => {
            umask(
                u32::from_str_radix(value, 8).ok().and_then(Mode::from_bits).ok_or_else(|| unknown(value))?,
            );
            Ok(())
        }
        "limits" => [
            (Resource::RLIMIT_NOFILE, Which::Both, 90),
            (Resource::RLIMIT_STACK, Which::Soft, 1 << 20),
            (Resource::RLIMIT_CORE, Which::Both, 4097),
            (Resource::RLIMIT_FSIZE, Which::Soft, 1 << 30),
            (Resource::RLIMIT_CPU, Which::Soft, 100),
            (Resource::RLIMIT_SIGPENDING, Which::Hard, 99),
        ]
        .into_iter()
        .try_for_each(|(resource, which, value)| limits::set(resource, which, Value::Number(value))),
        "gone" => {
            // The current directory, of which no name is left.
            let directory =
                PathBuf::from(format!("{}/pose.{}", std::env::temp_dir().display(), std::process::id()));
            fs::create_dir(&directory).map_err(failed)?;
            chdir(&directory).or_fail("enter a directory")?;
            fs::remove_dir(&directory).map_err(failed)
        }
        "group" => setpgid(Pid::from_raw(0), Pid::from_raw(0)).or_fail("make a process group"),
        "oom" => fs::write("/proc/self/oom_score_adj", "321").map_err(failed),
        "core-filter" => fs::write("/proc/self/coredump_filter", "0x5").map_err(failed),
        "timerslack" => prctl::set_timerslack(123_456).or_fail("set the timer slack"),
        "subreaper" => prctl::set_child_subreaper(true).or_fail("become a subreaper"),
        "no-new-privs" => prctl::set_no_new_privs().or_fail("set no_new_privs"),
        "thp" => prctl::set_thp_disable(true).or_fail("disable huge pages"),
        "death" => prctl::set_pdeathsig(Signal::SIGUSR2).or_fail("set the parent-death signal"),
        "ambient" => change_caps(|| {
            caps::raise(None, CapSet::Inheritable, Capability::CAP_CHOWN)?;
            caps::raise(None, CapSet::Inheritable, Capability::CAP_NET_BIND_SERVICE)?;
            caps::raise(None, CapSet::Ambient, Capability::CAP_NET_BIND_SERVICE)
        }),
        "bounding" => change_caps(|| caps::drop(None, CapSet::Bounding, Capability::CAP_MKNOD)),
        _ => Err(unknown(state)),
    }
}

/// Makes some calls of each kind that a child makes of its own: a failure that is injected into the first of a kind
/// meets these, and not its parent. Whatever comes of them, nothing has changed.
fn decoys() {
    let none: Words = [].into_iter().collect();
    for _ in 0..8 {
        let _ = signals::block(&[]);
        let _ = fds::close(999);
        let _ = prctl::get_dumpable();
        let _ = signals::set_ignored(signals::CHLD, false);
        let _ = process::execve(c"/none", &none, &none);
    }
}

fn change_caps(change: impl Fn() -> Result<(), caps::errors::CapsError>) -> Result<(), Exit> {
    change().map_err(|error| Exit::fatal(format_args!("unable to change capabilities: {error}")))
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(error: std::io::Error) -> Exit {
    Exit::system("make the state", Errno::from_raw(error.raw_os_error().unwrap_or(0)))
}
