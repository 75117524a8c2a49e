//! catena-explain: run a chain in a child, with nothing executed at its end, and say what each of its links changes. A
//! program of its own, which `catena explain` executes: it is large, and seldom needed.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use common::{Chain, Cli, Exit, Link, OrFail, Outcome, Short, fds, options, poll, process, shown, signals};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag};
use nix::sys::stat::Mode;
use nix::sys::wait::WaitStatus;
use nix::unistd::{chdir, pipe2};

use report::Report;
use script::{Act, How, Script};
use step::{Channel, Naming};
use told::Record;

mod difference;
mod program;
mod report;
mod script;
mod step;
mod told;
mod traps;

/// The program.
pub const PROGRAM: Link = Link {
    name: "catena-explain",
    usage: "[-s] [--] link... prog... | script",
    summary: "say what each link of a chain changes, and execute nothing at its end",
    options: options![("-s", "print also the whole state that the program would inherit")],
    opens: false,
    lent: None,
    run,
};

/// How much of a script is read.
const MOST: usize = 1 << 20;

/// What ends this program, and the child with it.
const ENDING: [i32; 4] = [signals::HUP, signals::INT, signals::QUIT, signals::TERM];

fn run(cli: &mut Cli) -> Outcome<'_> {
    if let Some(channel) = Channel::of(cli.first()) {
        return step::run(cli, channel);
    }
    let mut report = Report::default();
    while let Some(option) = cli.option()? {
        match option {
            Short('s') => report.whole = true,
            other => return Err(Exit::unexpected(other)),
        }
    }
    let chain = cli.rest()?;
    let (naming, script) = match script_in(chain)? {
        Some(path) => (Naming::ByFile, Some(read(&path, chain, &mut report)?)),
        None => (Naming::ByName, None),
    };
    let (pipe, end) = pipe2(OFlag::O_CLOEXEC).or_fail("create a pipe")?;
    let (alive, life) = pipe2(OFlag::O_CLOEXEC).or_fail("create a pipe")?;
    let ending = signals::mask_of(&ENDING);
    let blocked = signals::exchange_mask(ending | signals::blocked().or_fail("read the signal mask")?);
    let blocked = blocked.or_fail("block signals")?;
    let Some(child) = process::fork().or_fail("fork")? else {
        drop((pipe, alive));
        signals::exchange_mask(blocked).or_fail("restore the signal mask")?;
        let channel = Channel::open(end, life, naming)?;
        if let Some(script) = script {
            for act in script.acts {
                carry_out(act, chain)?;
            }
        }
        return step::go(chain, channel);
    };
    drop((end, life));
    let arrived = signals::as_fd(&ENDING).or_fail("create a signalfd")?;
    let ended = listen(&pipe, arrived.as_fd(), &mut report);
    if ended.is_some() {
        // It may wait, and nobody would be told.
        let _ = process::kill_child(child, signals::KILL);
    }
    let status = process::wait_for(child);
    if let Some(signal) = ended {
        return Err(Exit::answer(128 + signal, ""));
    }
    let how = match status {
        Ok(WaitStatus::Signaled(_, signal, _)) => {
            ["was ended by SIG", signals::name(signal as i32).unwrap_or("?")].concat()
        }
        Ok(WaitStatus::Exited(_, status)) => ["has ended with status ", &status.to_string()].concat(),
        _ => "has ended".into(),
    };
    let (text, status) = report.end(&how);
    let _ = fds::write_all(1, text.as_bytes());
    Err(Exit::answer(status, ""))
}

/// The script that is meant instead of a chain: one word that leads to a file, or to a directory with a `run`.
fn script_in(chain: &Chain) -> Result<Option<CString>, Exit> {
    let mut words = chain.words.clone();
    let (Some(word), None) = (words.next(), words.next()) else { return Ok(None) };
    let bytes = word.to_bytes();
    if !bytes.contains(&b'/') {
        return Ok(None);
    }
    let inside = CString::new([bytes, b"/run"].concat()).unwrap_or_default();
    let path = if Path::new(std::ffi::OsStr::from_bytes(bytes)).is_dir() { inside } else { word.to_owned() };
    let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    // What cannot be read is a program, of which is said what becomes of it.
    let Ok(file) = fds::open(AT_FDCWD, &path, flags, Mode::empty()) else { return Ok(None) };
    let head = fds::read_up_to(file, 2).or_fail(format_args!("read {}", shown(bytes)))?;
    Ok((head == b"#!").then_some(path))
}

/// Reads the script, and makes its last line the chain. The directory is that of the script, as under a supervisor.
fn read(path: &CStr, chain: &mut Chain, report: &mut Report) -> Result<Script, Exit> {
    let name = shown(path.to_bytes()).to_string();
    let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let file = fds::open(AT_FDCWD, path, flags, Mode::empty()).or_fail(format_args!("open {name}"))?;
    let text = fds::read_up_to(file, MOST + 1).or_fail(format_args!("read {name}"))?;
    if text.len() > MOST {
        return Err(Exit::usage(format_args!("{name} is longer than {MOST} bytes")));
    }
    if text.contains(&0) {
        return Err(Exit::usage(format_args!(
            "{name} has a NUL byte, which each shell reads in its own way"
        )));
    }
    let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if first.ends_with(b"\r") {
        return Err(Exit::usage(format_args!("{name}: its first line ends with a carriage return")));
    }
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let shell = first.get(2..).unwrap_or_default().split(blank).find(|word| !word.is_empty());
    let shell = shell.and_then(|path| path.rsplit(|byte| *byte == b'/').next()).unwrap_or_default();
    if ![&b"sh"[..], b"dash", b"bash", b"ash", b"ksh"].contains(&shell) {
        return Err(Exit::usage(format_args!("{name} is no script of a shell")));
    }
    let variable = |name: &[u8]| {
        let name = CString::new(name).ok()?;
        chain.env.get(&name).map(|value| value.to_bytes().to_vec())
    };
    let mut script = script::read(&text, variable).map_err(|(line, why)| match line {
        0 => Exit::usage(format_args!("{name}: {why}")),
        line => Exit::usage(format_args!("{name}: line {line} cannot be explained: {why}")),
    })?;
    let directory = path.to_bytes().rsplitn(2, |byte| *byte == b'/').nth(1);
    let directory = directory.map(|directory| if directory.is_empty() { b"/" } else { directory });
    if let Some(directory) = directory {
        script.acts.insert(0, Act::Directory(directory.to_vec()));
    }
    report.script(&name, &script);
    let words = std::mem::take(&mut script.words).into_iter();
    let word = |word| &*Box::leak(CString::new(word).unwrap_or_default().into_boxed_c_str());
    chain.words = words.map(word).collect();
    Ok(script)
}

/// Does what the shell does to itself before the chain.
fn carry_out(act: Act, chain: &mut Chain) -> Result<(), Exit> {
    match act {
        Act::Copy { to, from } => fds::copy_to(from, to).or_fail(format_args!("copy fd {from} to {to}")),
        Act::Close(fd) => fds::close(fd).or_fail(format_args!("close fd {fd}")),
        Act::Open { at, how, file } => {
            let flags = match how {
                How::Read => OFlag::O_RDONLY,
                How::Write => OFlag::O_WRONLY | OFlag::O_CREAT,
                How::Append => OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_APPEND,
                How::Both => OFlag::O_RDWR | OFlag::O_CREAT,
            };
            let path = CString::new(&*file).unwrap_or_default();
            let opened = fds::open(AT_FDCWD, &path, flags, Mode::from_bits_truncate(0o666));
            let opened: OwnedFd = opened.or_fail(format_args!("open {}", shown(&file)))?;
            fds::leave(opened, Some(at)).or_fail(format_args!("open fd {at}"))
        }
        Act::Directory(path) => chdir(Path::new(std::ffi::OsStr::from_bytes(&path)))
            .or_fail(format_args!("change to {}", shown(&path))),
        Act::Mask(digits) => {
            common::mode::parse(&digits, 0).map_or(Ok(()), |mask| common::mode::set(mask).map(drop))
        }
        Act::Set(name, value) => {
            let path = name == b"PATH";
            chain.env.set(&name, &value)?;
            if path {
                chain.search_again();
            }
            Ok(())
        }
    }
}

/// Takes records until the child has none any more. The signal that came before.
fn listen(pipe: &OwnedFd, arrived: BorrowedFd, report: &mut Report) -> Option<i32> {
    let mut received = Vec::new();
    let mut part = vec![0; 1 << 16]; // as much as a pipe holds
    loop {
        let mut watched =
            [poll::watch(pipe.as_raw_fd(), poll::POLLIN), poll::watch(arrived.as_raw_fd(), poll::POLLIN)];
        if poll::poll(&mut watched, None) == Ok(false) {
            continue;
        }
        if watched[1].revents != 0 {
            return signals::next(arrived).next();
        }
        match nix::unistd::read(pipe, &mut part) {
            Ok(0) => return None,
            Ok(count) => received.extend_from_slice(&part[..count]),
            Err(Errno::EINTR) => continue,
            Err(_) => return None,
        }
        while let Some(record) = Record::take(&mut received) {
            let text = report.take(record);
            // What nobody reads need not be said.
            let _ = fds::write_all(1, text.as_bytes());
        }
    }
}
