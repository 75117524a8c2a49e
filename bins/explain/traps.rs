//! The traps that are known: what goes wrong behind a chain although each of its links works. One table, of functions
//! of what was seen, which ask the system nothing.

use common::state::mask;

use super::told::{Found, Inherited};

/// A link that was applied, or has failed.
#[derive(Debug, Default)]
pub(super) struct Step {
    /// Its words.
    pub(super) words: Vec<Vec<u8>>,
    pub(super) before: Inherited,
    /// As it was before, if it has failed.
    pub(super) after: Inherited,
    /// Why it has failed.
    pub(super) failed: Option<String>,
}

/// All that was seen of a chain.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) steps: Vec<Step>,
    /// What the program is, if the chain came that far.
    pub(super) program: Option<Found>,
    /// What it inherits.
    pub(super) last: Inherited,
    /// How this system says that something is not allowed.
    pub(super) denied: String,
}

/// A trap: what to say where a chain goes into it.
pub(super) type Trap = fn(&Seen) -> Option<String>;

/// All of them, by name.
pub(super) const TRAPS: &[(&str, Trap)] = &[
    ("address-space", address_space),
    ("home", home),
    ("shell", shell),
    ("unreadable", unreadable),
    ("lock", lock),
    ("background", background),
    ("root-capabilities", root_capabilities),
    ("no-new-privs", no_new_privs),
];

/// What each of these says, in their order.
pub(super) fn all(seen: &Seen) -> Vec<String> {
    TRAPS.iter().filter_map(|(_, trap)| trap(seen)).collect()
}

/// Programs that reserve much more address space than they use.
const RESERVING: [&str; 10] =
    ["node", "nodejs", "deno", "bun", "java", "chrome", "chromium", "electron", "beam.smp", "erl"];

/// A limit of the address space, and a runtime that reserves gigabytes of it.
fn address_space(seen: &Seen) -> Option<String> {
    let found = seen.program.as_ref()?;
    let limit = seen.last.state.get("limit", "as");
    let soft = limit.split(|byte| *byte == b' ').next()?;
    let limited = seen
        .steps
        .iter()
        .any(|step| step.after.state.get("limit", "as") != step.before.state.get("limit", "as"));
    let runtime = [&found.runs, &found.file].into_iter().find(|file| is_one_of(file, &RESERVING));
    let what = match runtime {
        Some(file) => text(base(file)),
        None if found.is_go => "a Go program".into(),
        None => return None,
    };
    (limited && soft != b"unlimited").then(|| {
        format!(
            "{what} reserves much more address space than it uses, and fails at a limit of {} bytes: use softlimit -d, \
             or a cgroup",
            text(soft)
        )
    })
}

/// The ids are an account's, and HOME is still root's.
fn home(seen: &Seen) -> Option<String> {
    seen.program.as_ref()?;
    let home = seen.last.variable("HOME")?;
    let first = seen.steps.first()?;
    let of_root = home == b"/root" || home.starts_with(b"/root/");
    let dropped = uid(&first.before) == b"0" && uid(&seen.last) != b"0";
    (dropped && of_root && first.before.variable("HOME") == Some(home))
        .then(|| format!("HOME is still {}, root's: use setuidgid -e, or set it in an envdir", text(home)))
}

const SHELLS: [&str; 8] = ["sh", "bash", "dash", "ash", "ksh", "mksh", "zsh", "busybox"];

/// The program is a shell with a line of its own.
fn shell(seen: &Seen) -> Option<String> {
    let found = seen.program.as_ref()?;
    let [name, arguments @ ..] = &found.words[..] else { return None };
    if seen.steps.is_empty() || !is_one_of(name, &SHELLS) || !arguments.iter().any(|word| word == b"-c") {
        return None;
    }
    Some(format!(
        "{} stands between the links and what it runs: what it does is not explained, and it sets PWD and may drop \
         variables whose names are no shell's",
        text(base(name))
    ))
}

/// A link opens a file that the account of an earlier link may not.
fn unreadable(seen: &Seen) -> Option<String> {
    let step = seen.steps.last()?;
    let error = step.failed.as_ref()?;
    let opens = ["envdir", "envfile", "redirfd", "setlock", "pidlock", "chpst", "chdir"];
    let changed =
        seen.steps.iter().find(|step| step.failed.is_none() && uid(&step.before) != uid(&step.after))?;
    let denied = !seen.denied.is_empty() && error.contains(&seen.denied);
    (denied && is_one_of(step.words.first()?, &opens)).then(|| {
        let (link, account) = (text(base(&step.words[0])), text(&changed.words.join(&b' ')));
        format!("{link} opens files as the account of '{account}', which may not: put {link} in front of it")
    })
}

/// A lock is gone before the program begins.
fn lock(seen: &Seen) -> Option<String> {
    seen.program.as_ref()?;
    let lockers = ["setlock", "pidlock", "chpst"];
    let locked = |of: &Inherited| {
        let fds = of.state.0.iter().filter(|item| item.key == "fd");
        let locked = fds.filter(|item| {
            let flags = item.value.split(|byte| *byte == b'\t').nth(1).unwrap_or_default();
            flags.split(|byte| *byte == b' ').any(|word| word == b"locked")
        });
        locked.map(|item| item.part.clone()).collect::<Vec<_>>()
    };
    let last = locked(&seen.last);
    let loses = |step: &&Step| {
        let before = locked(&step.before);
        is_one_of(step.words.first().map_or(b"", |word| word), &lockers)
            && locked(&step.after).iter().any(|fd| !before.contains(fd) && !last.contains(fd))
    };
    let step = seen.steps.iter().find(loses)?;
    let words = text(&step.words.join(&b' '));
    Some(format!(
        "the lock of '{words}' is released before the program begins: a link behind it closes its fd"
    ))
}

/// Programs that put themselves into the background unless an option says otherwise, and these options: a word of the
/// command line begins with one of them. An option of one letter may stand among others behind one dash.
const DAEMONS: &[(&[&str], &[&str])] = &[
    (&["nginx"], &["daemon off", "-t", "-T", "-v", "-V", "-s"]),
    (&["sshd"], &["-D", "-d", "-i", "-t", "-T", "-G"]),
    (&["apache2", "httpd"], &["-DFOREGROUND", "FOREGROUND", "-DNO_DETACH", "NO_DETACH", "-X", "-t", "-v"]),
    (&["cron", "fcron", "acpid"], &["-f", "-d", "--foreground", "--nodaemon"]),
    (&["crond"], &["-n", "-f", "-d"]),
    (&["atd", "snmpd", "cupsd"], &["-f", "-d", "-F"]),
    (&["anacron"], &["-d"]),
    (&["chronyd"], &["-n", "-d", "-q", "-Q"]),
    (&["ntpd", "openntpd"], &["-n", "-d", "-q"]),
    (&["dhclient"], &["-d"]),
    (&["dhcpcd"], &["-B", "--nobackground", "-T"]),
    (&["dhcpd"], &["-d", "-f", "-t"]),
    (&["named"], &["-f", "-g", "-v"]),
    (&["dnsmasq"], &["-k", "-d", "--keep-in-foreground", "--no-daemon", "--test"]),
    (&["rsyslogd"], &["-n", "-N"]),
    (&["smbd", "nmbd", "winbindd"], &["-F", "--foreground", "-i", "--interactive"]),
    (&["rpcbind"], &["-f", "-d"]),
    (&["rpc.statd", "rpc.mountd", "rpc.idmapd"], &["-F", "--foreground", "-f", "-d"]),
    (&["slapd"], &["-d"]),
    (&["dovecot"], &["-F"]),
    (&["inetd"], &["-d", "-i", "-f", "-s", "--debug"]),
    (&["xinetd"], &["-dontfork", "-stayalive", "-d"]),
    (&["bluetoothd"], &["-n", "--nodetach"]),
    (&["php-fpm"], &["-F", "--nodaemonize", "-t"]),
    (&["proftpd"], &["-n", "--nodaemon"]),
    (&["transmission-daemon"], &["-f", "--foreground"]),
    (&["pppd"], &["nodetach", "updetach"]),
    (&["lighttpd"], &["-D", "-t"]),
    (&["pulseaudio"], &["--daemonize=no", "-n"]),
];

/// Programs that do so if an option asks for it.
const ASKED: &[(&[&str], &[&str])] = &[
    (&["memcached"], &["-d"]),
    (&["haproxy"], &["-D"]),
    (&["dbus-daemon"], &["--fork"]),
    (&["openvpn", "git-daemon", "rsync"], &["--daemon", "--detach"]),
    (&["wpa_supplicant", "hostapd"], &["-B"]),
    (&["redis-server", "mysqld"], &["--daemonize yes", "--daemonize"]),
];

/// The program puts itself into the background, where a supervisor takes it for dead.
fn background(seen: &Seen) -> Option<String> {
    let found = seen.program.as_ref()?;
    let [name, arguments @ ..] = &found.words[..] else { return None };
    let held = seen.steps.iter().any(|step| step.words.first().is_some_and(|word| base(word) == b"fghack"));
    let row = |table: &'static [(&[&str], &'static [&'static str])]| {
        table.iter().find(|(names, _)| is_one_of(name, names)).map(|(_, options)| *options)
    };
    let has = |option: &&str| {
        arguments.iter().any(|word| {
            let letter = option.strip_prefix('-').filter(|letter| letter.len() == 1);
            let grouped = letter.is_some_and(|letter| {
                word.starts_with(b"-") && !word.starts_with(b"--") && {
                    let letters = word.iter().skip(1).take_while(|byte| byte.is_ascii_alphabetic());
                    letters.copied().any(|byte| byte == letter.as_bytes()[0])
                }
            });
            grouped || word.starts_with(option.as_bytes())
        })
    };
    let forks = match (row(DAEMONS), row(ASKED)) {
        (Some(options), _) => !options.iter().any(has),
        (None, Some(options)) => options.iter().any(has),
        (None, None) => false,
    };
    (forks && !held).then(|| {
        let name = text(base(name));
        let instead = match (row(DAEMONS), row(ASKED)) {
            (Some([first, ..]), _) => ["give it '", first, "', or put fghack in front of it"].concat(),
            (_, Some([first, ..])) => ["leave out '", first, "'"].concat(),
            _ => String::new(),
        };
        format!(
            "{name} puts itself into the background, where its supervisor and its locks lose it: {instead}"
        )
    })
}

/// Root gets back by exec what a link has taken from it.
fn root_capabilities(seen: &Seen) -> Option<String> {
    seen.program.as_ref()?;
    let step = seen.steps.iter().find(|step| step.words.first().is_some_and(|word| base(word) == b"caps"))?;
    let set = |part| mask(seen.last.state.get("capabilities", part));
    let bits = seen.last.state.get("securebits", "");
    let is_root = uid(&seen.last) == b"0" && !bits.split(|byte| *byte == b' ').any(|bit| bit == b"noroot");
    let kept = step.words.iter().skip(1).any(|word| word.starts_with(b"-") && word.contains(&b'B'));
    (is_root && kept && set("bounding") != 0 && set("permitted") == set("bounding")).then(|| {
        "root has its whole bounding set again after the exec: leave out caps -B, or change the account"
            .into()
    })
}

/// A program that is to get rights by its file, and cannot.
fn no_new_privs(seen: &Seen) -> Option<String> {
    let found = seen.program.as_ref()?;
    (found.gives_rights && seen.last.state.get("no-new-privs", "") == b"yes").then(|| {
        let file = text(&found.file);
        format!("{file} is set-id or has capabilities, which it does not get after no-new-privs or landlock")
    })
}

fn uid(of: &Inherited) -> &[u8] {
    of.state.get("uid", "").split(|byte| *byte == b' ').nth(1).unwrap_or_default()
}

fn base(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

fn is_one_of(path: &[u8], names: &[&str]) -> bool {
    names.iter().any(|name| name.as_bytes() == base(path))
}

fn text(bytes: &[u8]) -> String {
    common::shown(bytes).to_string()
}

#[cfg(test)]
mod tests;
