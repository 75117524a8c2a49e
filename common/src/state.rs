//! What a program inherits from the process that becomes it, but its words and its environment: read in one place, as
//! items with a name, and written as lines and as JSON.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, RawFd};
use std::os::unix::ffi::OsStringExt;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::resource::{RLIM_INFINITY, Resource as R, getrlimit};
use nix::sys::stat::{SFlag, major, minor, stat};
use nix::unistd::{getcwd, getgroups, getpgrp, getpid, getppid, getresgid, getresuid, getsid};

use crate::cpus::Cpus;
use crate::exit::Exit;
use crate::fds;
use crate::procfs::This;
use crate::quantity::number;
use crate::signals;
use crate::sys::{errno, fd, file, ids, process, state as raw};
use crate::text::{Text, quote};
use crate::word::shown;

/// One thing that a program inherits.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// What it is.
    pub key: &'static str,
    /// Which one of several, as the number of a fd; else empty.
    pub part: Vec<u8>,
    /// Its value, by the [`Kind`] of the key; behind [`UNKNOWN`] why it could not be read.
    pub value: Vec<u8>,
}

/// How a value is held, and written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Digits, which a minus may precede.
    Number,
    /// One word, of which `none` is null in JSON.
    Word,
    /// `yes` or `no`.
    Truth,
    /// Words with blanks between.
    Words,
    /// Numbers with blanks between.
    Numbers,
    /// A path, or other bytes.
    Path,
    /// Capabilities, as a mask in hexadecimal digits.
    Capabilities,
    /// Signals, likewise.
    Signals,
    /// Real, effective and saved.
    Ids,
    /// Soft and hard, digits or `unlimited`.
    Limit,
    /// A fd: access, other words, the file, and the address of a socket, with tabs between.
    File,
}

/// In front of a value that could not be read.
pub const UNKNOWN: u8 = b'?';

/// All keys, in their order, and what their values are.
pub const KEYS: &[(&str, Kind)] = &[
    ("pid", Kind::Number),
    ("parent", Kind::Number),
    ("group", Kind::Number),
    ("session", Kind::Number),
    ("terminal", Kind::Word),
    ("uid", Kind::Ids),
    ("gid", Kind::Ids),
    ("groups", Kind::Numbers),
    ("capabilities", Kind::Capabilities),
    ("securebits", Kind::Words),
    ("no-new-privs", Kind::Truth),
    ("seccomp", Kind::Word),
    ("limit", Kind::Limit),
    ("signals", Kind::Signals),
    ("parent-death", Kind::Word),
    ("timer", Kind::Word),
    ("umask", Kind::Word),
    ("cwd", Kind::Path),
    ("root", Kind::Path),
    ("nice", Kind::Number),
    ("policy", Kind::Word),
    ("priority", Kind::Number),
    ("ioprio", Kind::Word),
    ("cpus", Kind::Word),
    ("oom", Kind::Number),
    ("cgroup", Kind::Path),
    ("namespace", Kind::Number),
    ("fd", Kind::File),
];

const LIMITS: [(R, &str); 16] = [
    (R::RLIMIT_AS, "as"),
    (R::RLIMIT_CORE, "core"),
    (R::RLIMIT_CPU, "cpu"),
    (R::RLIMIT_DATA, "data"),
    (R::RLIMIT_FSIZE, "fsize"),
    (R::RLIMIT_LOCKS, "locks"),
    (R::RLIMIT_MEMLOCK, "memlock"),
    (R::RLIMIT_MSGQUEUE, "msgqueue"),
    (R::RLIMIT_NICE, "nice"),
    (R::RLIMIT_NOFILE, "nofile"),
    (R::RLIMIT_NPROC, "nproc"),
    (R::RLIMIT_RSS, "rss"),
    (R::RLIMIT_RTPRIO, "rtprio"),
    (R::RLIMIT_RTTIME, "rttime"),
    (R::RLIMIT_SIGPENDING, "sigpending"),
    (R::RLIMIT_STACK, "stack"),
];

/// The capabilities by their numbers, without `CAP_`.
const CAPABILITIES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

/// The securebits by their numbers, each with the one that locks it.
const SECUREBITS: [&str; 8] = [
    "noroot",
    "noroot-locked",
    "no-setuid-fixup",
    "no-setuid-fixup-locked",
    "keep-caps",
    "keep-caps-locked",
    "no-cap-ambient-raise",
    "no-cap-ambient-raise-locked",
];

const NAMESPACES: [(&str, &CStr); 8] = [
    ("cgroup", c"ns/cgroup"),
    ("ipc", c"ns/ipc"),
    ("mnt", c"ns/mnt"),
    ("net", c"ns/net"),
    ("pid", c"ns/pid"),
    ("time", c"ns/time"),
    ("user", c"ns/user"),
    ("uts", c"ns/uts"),
];

/// All that a program inherits, in the order of [`KEYS`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State(pub Vec<Item>);

impl State {
    /// The state of this process. What /proc alone knows is unknown where there is none: `this` is a way to it that was
    /// kept. An fd that no program inherits is left out, as are the `hidden` ones.
    pub fn read(this: Option<&This>, hidden: &[RawFd]) -> Result<Self, Exit> {
        let mut state = Self::default();
        state.processes();
        let status = Files(this);
        state.add("terminal", "", status.terminal());
        state.rights();
        for (resource, name) in LIMITS {
            let limit = getrlimit(resource);
            state.add(
                "limit",
                name,
                limit.map(|(soft, hard)| [bound(soft), b" ".to_vec(), bound(hard)].concat()),
            );
        }
        state.add("signals", "ignored", Ok(hex(signals::ignored())));
        state.add("signals", "blocked", signals::blocked().map(hex));
        state.add("signals", "pending", raw::pending().map(hex));
        let death = signals::parent_death_signal();
        state.add(
            "parent-death",
            "",
            death.map(|signal| if signal == 0 { "none".into() } else { signal_name(signal) }),
        );
        for (name, which) in
            [("real", libc::ITIMER_REAL), ("virtual", libc::ITIMER_VIRTUAL), ("prof", libc::ITIMER_PROF)]
        {
            state.add(
                "timer",
                name,
                raw::timer(which).map(|left| match left {
                    0 => b"none".to_vec(),
                    left => Text::<32>::new().seconds(left).bytes().to_vec(),
                }),
            );
        }
        state.places()?;
        state.scheduling();
        state.add("oom", "", status.line(c"oom_score_adj"));
        state.add("cgroup", "", status.line(c"cgroup").map(own_cgroup));
        for (name, file) in NAMESPACES {
            state.add("namespace", name, status.namespace(file));
        }
        state.files(&status, hidden);
        Ok(state)
    }

    /// The value of one item; empty where there is none.
    #[must_use]
    pub fn get(&self, key: &str, part: &str) -> &[u8] {
        let found = self.0.iter().find(|item| item.key == key && item.part == part.as_bytes());
        found.map_or(b"", |item| &item.value)
    }

    /// An item a line: key, part and value.
    #[must_use]
    pub fn lines(&self) -> String {
        let mut text = String::new();
        for item in &self.0 {
            text.push_str(item.key);
            if !item.part.is_empty() {
                text.extend([" ", &shown(&item.part).to_string()]);
            }
            text.extend([" ", &item.text(), "\n"]);
        }
        text
    }

    /// One object, in which the parts of a key are an object too.
    #[must_use]
    pub fn json(&self) -> String {
        let (mut text, mut open) = (String::from("{"), None);
        for (place, item) in self.0.iter().enumerate() {
            let more = open == Some(item.key);
            if open.is_some() && !more {
                text.push('}');
                open = None;
            }
            text.push_str(if place == 0 { "" } else { "," });
            if !more {
                text.extend(["\"", item.key, "\":"]);
            }
            if !item.part.is_empty() {
                text.push_str(if more { "" } else { "{" });
                push_quoted(&mut text, &item.part);
                text.push(':');
                open = Some(item.key);
            }
            item.push_json(&mut text);
        }
        text.push_str(if open.is_some() { "}}\n" } else { "}\n" });
        text
    }

    #[inline(never)] // it is called for each item
    fn add(&mut self, key: &'static str, part: &str, value: nix::Result<Vec<u8>>) {
        let value = value.unwrap_or_else(unknown);
        self.0.push(Item { key, part: part.into(), value });
    }

    fn processes(&mut self) {
        let session = getsid(None);
        let ids = [
            ("pid", Ok(getpid())),
            ("parent", Ok(getppid())),
            ("group", Ok(getpgrp())),
            ("session", session),
        ];
        for (key, id) in ids {
            self.add(key, "", id.map(|id| signed(id.as_raw().into())));
        }
    }

    fn rights(&mut self) {
        let three = |ids: [u32; 3]| ids.map(|id| signed(id.into())).join(&b' ');
        let uids =
            getresuid().map(|ids| three([ids.real, ids.effective, ids.saved].map(nix::unistd::Uid::as_raw)));
        self.add("uid", "", uids);
        let gids =
            getresgid().map(|ids| three([ids.real, ids.effective, ids.saved].map(nix::unistd::Gid::as_raw)));
        self.add("gid", "", gids);
        let list = |groups: Vec<nix::unistd::Gid>| {
            groups.iter().map(|gid| signed(gid.as_raw().into())).collect::<Vec<_>>()
        };
        self.add("groups", "", getgroups().map(|groups| list(groups).join(&b' ')));
        let sets = ids::capget();
        self.add("capabilities", "bounding", Ok(hex(raw::bounding())));
        self.add("capabilities", "inheritable", sets.map(|sets| hex(sets.inheritable)));
        self.add("capabilities", "permitted", sets.map(|sets| hex(sets.permitted)));
        self.add("capabilities", "effective", sets.map(|sets| hex(sets.effective)));
        self.add("capabilities", "ambient", Ok(hex(raw::ambient())));
        let bits = |bits: i32| {
            let set = SECUREBITS.iter().enumerate().filter(|(bit, _)| bits >> bit & 1 == 1);
            set.map(|(_, name)| *name).collect::<Vec<_>>().join(" ").into_bytes()
        };
        self.add("securebits", "", ids::securebits().map(bits));
        self.add("no-new-privs", "", raw::no_new_privs().map(|set| if set { "yes" } else { "no" }.into()));
        let seccomp = |mode| ["none", "strict", "filter"].get(usize::try_from(mode).unwrap_or(9)).copied();
        self.add("seccomp", "", raw::seccomp().map(|mode| seccomp(mode).unwrap_or("other").into()));
    }

    fn places(&mut self) -> Result<(), Exit> {
        let mask = crate::mode::set(0o777)?;
        crate::mode::set(mask)?;
        let octal = [6, 3, 0].map(|shift| b"01234567"[mask as usize >> shift & 7]);
        self.add("umask", "", Ok(octal.to_vec()));
        self.add("cwd", "", getcwd().map(|path| path.into_os_string().into_vec()));
        // The kernel calls every root `/`: its number says which one it is.
        self.add(
            "root",
            "",
            stat(c"/").map(|file| {
                let mut text = Text::<64>::of("device ");
                text.number(major(file.st_dev)).add(":").number(minor(file.st_dev)).add(" inode ");
                text.number(fds::inode(&file)).bytes().to_vec()
            }),
        );
        Ok(())
    }

    fn scheduling(&mut self) {
        self.add("nice", "", process::niceness().map(|nice| signed(nice.into())));
        self.add(
            "policy",
            "",
            process::policy().map(|policy| {
                const RESET: i32 = 1 << 30;
                let name = ["other", "fifo", "rr", "batch", "other-4", "idle", "deadline", "ext"];
                let name =
                    name.get(usize::try_from(policy & !RESET).unwrap_or(99)).copied().unwrap_or("unknown");
                [name, if policy & RESET == 0 { "" } else { ",reset-on-fork" }].concat().into_bytes()
            }),
        );
        self.add("priority", "", raw::priority().map(|priority| signed(priority.into())));
        self.add(
            "ioprio",
            "",
            process::io_priority().map(|(class, level)| {
                let level = signed(level.into());
                match class {
                    1 => [b"realtime:", &level[..]].concat(),
                    2 => [b"best-effort:", &level[..]].concat(),
                    3 => b"idle".to_vec(),
                    _ => b"none".to_vec(),
                }
            }),
        );
        self.add("cpus", "", Cpus::own().map(|cpus| ranges(&cpus.numbers())));
    }

    fn files(&mut self, files: &Files, hidden: &[RawFd]) {
        for at in files.numbers() {
            // One that does not survive exec is nobody's.
            if hidden.contains(&at) || fd::is_cloexec(at) != Ok(false) {
                continue;
            }
            self.add("fd", &String::from_utf8_lossy(&signed(at.into())), files.file(at));
        }
    }
}

impl Item {
    /// What its value is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        KEYS.iter().find(|(key, _)| *key == self.key).map_or(Kind::Path, |(_, kind)| *kind)
    }

    /// The value as a line has it.
    #[must_use]
    pub fn text(&self) -> String {
        if let [UNKNOWN, why @ ..] = &*self.value {
            return ["unknown: ", &shown(why).to_string()].concat();
        }
        match self.kind() {
            Kind::Capabilities => capability_words(mask(&self.value)),
            Kind::Signals => none_if_empty(signal_words(mask(&self.value)).join(" ")),
            Kind::Words | Kind::Numbers => none_if_empty(shown(&self.value).to_string()),
            Kind::Ids => {
                let text = shown(&self.value).to_string();
                let mut ids = text.split(' ');
                let first = ids.next().unwrap_or_default();
                if ids.all(|id| id == first) { first.to_owned() } else { text }
            }
            Kind::File => {
                let words = file_parts(&self.value).into_iter().filter(|word| !word.is_empty());
                words.map(|word| shown(word).to_string()).collect::<Vec<_>>().join(" ")
            }
            _ => shown(&self.value).to_string(),
        }
    }

    fn push_json(&self, text: &mut String) {
        if self.value.first() == Some(&UNKNOWN) {
            return text.push_str("null");
        }
        let words = || self.value.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
        match self.kind() {
            Kind::Number => text.push_str(&String::from_utf8_lossy(&self.value)),
            Kind::Truth => text.push_str(if self.value == b"yes" { "true" } else { "false" }),
            Kind::Word if self.value == b"none" => text.push_str("null"),
            Kind::Word | Kind::Path => push_quoted(text, &self.value),
            Kind::Words => push_list(text, words(), push_quoted),
            Kind::Numbers => push_list(text, words(), push_digits),
            Kind::Capabilities => {
                let names = names_in(mask(&self.value));
                push_list(text, names.iter().map(String::as_bytes), push_quoted);
            }
            Kind::Signals => {
                let names = signal_words(mask(&self.value));
                push_list(text, names.iter().map(String::as_bytes), push_quoted);
            }
            Kind::Ids => push_members(text, &["real", "effective", "saved"], words()),
            Kind::Limit => push_members(text, &["soft", "hard"], words()),
            Kind::File => {
                let [access, flags, file, address] = file_parts(&self.value);
                text.push_str("{\"access\":");
                push_quoted(text, access);
                text.push_str(",\"flags\":");
                push_list(
                    text,
                    flags.split(|byte| *byte == b' ').filter(|word| !word.is_empty()),
                    push_quoted,
                );
                text.push_str(",\"file\":");
                push_quoted(text, file);
                text.push_str(",\"address\":");
                match address {
                    b"" => text.push_str("null"),
                    address => push_quoted(text, address),
                }
                text.push('}');
            }
        }
    }
}

/// The files of this process in /proc, where there are any.
struct Files<'a>(Option<&'a This>);

impl Files<'_> {
    fn this(&self) -> nix::Result<&This> {
        self.0.ok_or(Errno::ENOENT)
    }

    fn content(&self, name: &CStr) -> nix::Result<Vec<u8>> {
        fds::read_up_to(self.this()?.file(name, OFlag::O_RDONLY)?, 1 << 16)
    }

    fn line(&self, name: &CStr) -> nix::Result<Vec<u8>> {
        self.content(name).map(|text| text.trim_ascii_end().to_vec())
    }

    fn namespace(&self, name: &CStr) -> nix::Result<Vec<u8>> {
        let path = self.this()?.path(name)?.into_vec();
        let digits = path.split(|byte| *byte == b'[').nth(1).and_then(|rest| rest.strip_suffix(b"]"));
        digits.map(<[u8]>::to_vec).ok_or(Errno::EINVAL)
    }

    /// The controlling terminal, by the number in the file stat.
    fn terminal(&self) -> nix::Result<Vec<u8>> {
        let text = self.content(c"stat")?;
        let end = text.iter().rposition(|byte| *byte == b')').ok_or(Errno::EINVAL)?;
        let field = text[end + 1..].split(|byte| *byte == b' ').nth(5).and_then(number::<u64>);
        let device = field.ok_or(Errno::EINVAL)?;
        let (class, at) = (device >> 8 & 0xfff, device & 0xff | device >> 12 & 0xfff00);
        let mut text = Text::<32>::new();
        Ok(match (class, at) {
            (0, 0) => text.add("none"),
            (4, ..64) => text.add("tty").number(at),
            (4, _) => text.add("ttyS").number(at - 64),
            (136..144, _) => text.add("pts/").number((class - 136) << 20 | at),
            _ => text.number(class).add(":").number(at),
        }
        .bytes()
        .to_vec())
    }

    /// The fds, as /proc lists them, or by looking.
    fn numbers(&self) -> Vec<RawFd> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
        let list =
            self.this().and_then(|this| this.file(c"fd", flags)).and_then(|list| file::names(list.as_fd()));
        let Ok(names) = list else { return (0..1 << 16).filter(|fd| fd::is_open(*fd)).collect() };
        // The kernel lists them in their order.
        names.iter().filter_map(|name| number(name.to_bytes())).collect()
    }

    fn file(&self, at: RawFd) -> nix::Result<Vec<u8>> {
        let flags = raw::file_flags(at)?;
        let access = match flags & libc::O_ACCMODE {
            _ if flags & libc::O_PATH != 0 => "path",
            libc::O_RDONLY => "read",
            libc::O_WRONLY => "write",
            _ => "read-write",
        };
        let mut words = Vec::new();
        for (flag, name) in [(libc::O_APPEND, "append"), (libc::O_NONBLOCK, "nonblocking")] {
            if flags & flag != 0 {
                words.push(name);
            }
        }
        let name = |directory: &str| CString::new([directory.as_bytes(), &signed(at.into())].concat());
        let link = |directory| name(directory).map_err(|_| Errno::EINVAL);
        let information = link("fdinfo/").and_then(|name| self.content(&name)).unwrap_or_default();
        if information.split(|byte| *byte == b'\n').any(|line| line.starts_with(b"lock:")) {
            words.push("locked");
        }
        let path = link("fd/").and_then(|name| self.this()?.path(&name));
        let path = path.map_or_else(|_| kind_of(at).as_bytes().to_vec(), OsStringExt::into_vec);
        let mut address = Vec::new();
        if let Ok(socket) = raw::socket(at) {
            if socket.listens {
                words.push("listening");
            }
            if !socket.kind.is_empty() && !socket.address.is_empty() {
                address = [socket.kind.as_bytes(), b":", &socket.address].concat();
            }
        }
        Ok([access.as_bytes(), words.join(" ").as_bytes(), &path, &address].join(&b'\t'))
    }
}

/// The parts of a [`Kind::File`]: only of a socket has the last one, and only the name of what is none can have a tab.
fn file_parts(value: &[u8]) -> [&[u8]; 4] {
    let tab = |byte: &u8| *byte == b'\t';
    let mut parts = value.splitn(3, tab);
    let mut next = || parts.next().unwrap_or_default();
    let (access, flags, rest) = (next(), next(), next());
    let end = rest.iter().position(tab).filter(|_| rest.starts_with(b"socket"));
    let (file, address) =
        rest.split_at(end.unwrap_or_else(|| rest.strip_suffix(b"\t").unwrap_or(rest).len()));
    [access, flags, file, address.strip_prefix(b"\t").unwrap_or(address)]
}

/// What is open there, where /proc does not say which.
fn kind_of(at: RawFd) -> &'static str {
    let Ok(kind) = fd::kind(at) else { return "unknown" };
    let kinds = [
        (SFlag::S_IFREG, "file"),
        (SFlag::S_IFDIR, "directory"),
        (SFlag::S_IFIFO, "pipe"),
        (SFlag::S_IFSOCK, "socket"),
        (SFlag::S_IFCHR, "device"),
        (SFlag::S_IFBLK, "device"),
    ];
    kinds.iter().find(|(flag, _)| flag.bits() == kind).map_or("other", |(_, name)| name)
}

/// Of the groups of all hierarchies that of the second version, or else all in one line.
fn own_cgroup(text: Vec<u8>) -> Vec<u8> {
    let unified = text.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"0::"));
    unified.map(<[u8]>::to_vec).unwrap_or(text)
}

/// `0-3,8`.
fn ranges(numbers: &[usize]) -> Vec<u8> {
    let mut text = Vec::new();
    for run in numbers.chunk_by(|one, next| one + 1 == *next) {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
        let mut part = Text::<48>::of(if text.is_empty() { "" } else { "," });
        part.number(*first as u64);
        if last > first {
            part.add("-").number(*last as u64);
        }
        text.extend_from_slice(part.bytes());
    }
    text
}

fn unknown(errno: Errno) -> Vec<u8> {
    [&[UNKNOWN], errno::text(errno)].concat()
}

fn bound(value: nix::sys::resource::rlim_t) -> Vec<u8> {
    if value == RLIM_INFINITY {
        b"unlimited".to_vec()
    } else {
        Text::<24>::new().number(value).bytes().to_vec()
    }
}

fn signed(value: i64) -> Vec<u8> {
    let mut text = Text::<24>::of(if value < 0 { "-" } else { "" });
    text.number(value.unsigned_abs()).bytes().to_vec()
}

/// Sixteen digits for a mask.
#[must_use]
pub fn hex(mask: u64) -> Vec<u8> {
    let digits = (0..16).rev().map(|digit| b"0123456789abcdef"[(mask >> (4 * digit) & 15) as usize]);
    digits.collect()
}

/// The mask that [`hex`] has written.
#[must_use]
pub fn mask(digits: &[u8]) -> u64 {
    digits
        .iter()
        .filter_map(|digit| char::from(*digit).to_digit(16))
        .fold(0, |mask, digit| mask << 4 | u64::from(digit))
}

fn signal_name(signal: i32) -> Vec<u8> {
    signals::name(signal).map_or_else(|| signed(signal.into()), Into::into)
}

fn signal_words(mask: u64) -> Vec<String> {
    let set = (1..=64).filter(|signal| mask >> (signal - 1) & 1 == 1);
    set.map(|signal| String::from_utf8_lossy(&signal_name(signal)).into_owned()).collect()
}

/// The names of a set of capabilities.
#[must_use]
pub fn names_in(set: u64) -> Vec<String> {
    let number = |bit: u8| String::from_utf8_lossy(&signed(bit.into())).into_owned();
    let name =
        |bit: u8| CAPABILITIES.get(usize::from(bit)).map_or_else(|| number(bit), |name| (*name).to_owned());
    (0..64).filter(|bit| set >> bit & 1 == 1).map(name).collect()
}

/// The names of a set, or the short way to say them.
fn capability_words(set: u64) -> String {
    let all = raw::all_capabilities();
    let missing = all & !set;
    match (set, missing) {
        (0, _) => "none".to_owned(),
        (_, 0) => "all".to_owned(),
        _ if missing.count_ones() < set.count_ones() => ["all but ", &names_in(missing).join(" ")].concat(),
        _ => names_in(set).join(" "),
    }
}

fn none_if_empty(text: String) -> String {
    if text.is_empty() { "none".to_owned() } else { text }
}

fn push_quoted(text: &mut String, bytes: &[u8]) {
    text.push('"');
    quote(bytes, |part| text.push_str(std::str::from_utf8(part).unwrap_or_default()));
    text.push('"');
}

/// A number, or null for what is none.
fn push_digits(text: &mut String, digits: &[u8]) {
    text.push_str(number::<u64>(digits).and_then(|_| std::str::from_utf8(digits).ok()).unwrap_or("null"));
}

fn push_list<'a>(
    text: &mut String,
    words: impl Iterator<Item = &'a [u8]>,
    push: impl Fn(&mut String, &[u8]),
) {
    text.push('[');
    for (place, word) in words.enumerate() {
        text.push_str(if place == 0 { "" } else { "," });
        push(text, word);
    }
    text.push(']');
}

fn push_members<'a>(text: &mut String, names: &[&str], values: impl Iterator<Item = &'a [u8]>) {
    for (place, (name, value)) in names.iter().zip(values).enumerate() {
        text.extend([if place == 0 { "{\"" } else { ",\"" }, name, "\":"]);
        push_digits(text, value);
    }
    text.push('}');
}
