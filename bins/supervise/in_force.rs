//! The rules of a service directory that are in force, for those who show them.

use std::ffi::CStr;
use std::os::fd::BorrowedFd;

use common::{Voice, shown, signals};

use super::access::{self, NO_READERS, ROOT_ALONE};
use super::machine::{Readiness, Reloading, Rules};
use super::service::{Optional, Remedy, Settings, Step, exists};

/// A rule.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rule {
    /// The file that sets it.
    pub(crate) file: &'static str,
    /// Its value, in words.
    pub(crate) value: String,
    /// Whether that file has set it; else it is the default.
    pub(crate) set: bool,
}

/// The rules of the service in this directory. What is not understood is reported, and the default counts.
pub(crate) fn of(directory: BorrowedFd, voice: Voice) -> Vec<Rule> {
    let mut settings = Settings::default();
    settings.for_all(directory, voice);
    let rules = *settings.rules;
    let fd = settings.notification.map_or_else(|| "none".to_owned(), |fd| fd.to_string());
    let notified = if settings.sd_notify { "yes" } else { "no" };
    let max = if rules.max == 0 { "never give up".to_owned() } else { format!("{} short runs", rules.max) };
    let ready = match (rules.timeout_ready, rules.unready) {
        (time @ 1.., Readiness::Excused) => format!("{}, then continue", limit(time)),
        (time, _) => limit(time),
    };
    let (reload, how) = match rules.reload {
        Reloading::Script => (Optional::Reload, "./reload".to_owned()),
        Reloading::Signal(number) => (Optional::ReloadSignal, signal(number)),
        Reloading::Announced(number) => {
            (Optional::ReloadSignal, format!("{}, then an announcement", signal(number)))
        }
    };
    let rules = [
        (Optional::Delay, delays(&rules)),
        (Optional::Reset, time(rules.reset)),
        (Optional::Max, max),
        (Optional::DownSignal, signal(rules.down_signal)),
        (Optional::TimeoutKill, limit(rules.timeout_kill)),
        (Optional::TimeoutFinish, limit(rules.timeout_finish)),
        (Optional::TimeoutSetup, limit(rules.timeout_setup)),
        (Optional::NotificationFd, fd),
        (Optional::SdNotify, notified.to_owned()),
        (Optional::TimeoutReady, ready),
        (Optional::Watchdog, limit(rules.watchdog)),
        (reload, how),
        (Optional::TimeoutReload, limit(rules.timeout_reload)),
        (Optional::Leftovers, leftovers(&settings.leftovers, directory, voice)),
    ]
    .map(|(which, value)| {
        // Without a way to announce anything there are no limits for it.
        let counts = match which {
            Optional::TimeoutReady => settings.sd_notify || settings.notification.is_some(),
            Optional::Watchdog => settings.sd_notify,
            _ => true,
        };
        let set = counts && settings.takes(which) && exists(directory, which.name());
        Rule { file: word(which.name()), value, set }
    });
    rules.into_iter().chain(people(directory, voice)).collect()
}

/// Whom its supervisor serves.
fn people(directory: BorrowedFd, voice: Voice) -> [Rule; 2] {
    let of = |name: &'static CStr, consequence, default: &str| {
        let mut buffer = [0; 64];
        let group = access::contents(directory, name, consequence, &mut buffer, voice);
        let is_all = |group: &[u8]| name == c"readers" && group == b"*";
        let group = group
            .filter(|group| is_all(group) || access::named(name, group, consequence, voice).is_some())
            .map(|group| match group {
                b"*" => "everybody".to_owned(),
                group => format!("group {}", shown(group)),
            });
        Rule { file: word(name), set: group.is_some(), value: group.unwrap_or_else(|| default.to_owned()) }
    };
    [
        of(c"operators", ROOT_ALONE, "root and the supervisor's user"),
        of(c"readers", NO_READERS, "nobody else"),
    ]
}

/// The name of one of our files, all of which are ASCII.
fn word(name: &'static CStr) -> &'static str {
    name.to_str().unwrap_or_default()
}

fn signal(number: i32) -> String {
    signals::name(number).map_or_else(|| number.to_string(), |name| format!("SIG{name}"))
}

fn delays(rules: &Rules) -> String {
    let delays = &rules.delays[..rules.delay_count];
    if delays.is_empty() {
        return "1s after a run of less than a second, else 0s".to_owned();
    }
    delays.iter().map(|delay| time((*delay).into())).collect::<Vec<_>>().join(" ")
}

fn limit(milliseconds: u64) -> String {
    if milliseconds == 0 { "never".to_owned() } else { time(milliseconds) }
}

/// Milliseconds, as the files have them.
fn time(milliseconds: u64) -> String {
    match milliseconds {
        whole if whole % 1000 == 0 => format!("{}s", whole / 1000),
        part => format!("{part}ms"),
    }
}

fn leftovers(remedy: &Remedy, directory: BorrowedFd, voice: Voice) -> String {
    if let Remedy::Cgroup(path) = remedy {
        return format!("the cgroup {} is killed", shown(path.of(directory, voice).bytes()));
    }
    let words = remedy.steps().iter().flatten().map(|step| match step {
        Step::Signal(number) => signal(*number),
        Step::Wait(wait) => time(*wait),
    });
    let words: Vec<String> = words.collect();
    if words.is_empty() { "named in the log, and left alone".to_owned() } else { words.join(" ") }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_rule_has_its_value_and_says_whether_a_file_has_set_it() {
        let scratch = tempfile::tempdir().unwrap();
        for (file, text) in [
            ("restart-delay", "1 250ms 30"),
            ("restart-max", "many"),
            ("down-signal", "quit"),
            ("timeout-kill", "5s"),
            ("leftovers", "term 2s kill"),
            ("sd-notify", ""),
            ("timeout-ready", "1500 continue"),
            ("reload-signal", "usr1 notify"),
            ("operators", "0\n"),
            ("readers", "*"),
        ] {
            std::fs::write(scratch.path().join(file), text).unwrap();
        }
        let directory = std::fs::File::open(scratch.path()).unwrap();
        let rules = of(directory.as_fd(), Voice { called: b"svctl", directory: b"", part: b"" });
        let rule = |file| {
            let rule = rules.iter().find(|rule| rule.file == file).unwrap();
            (rule.value.clone(), rule.set)
        };
        for (file, value, set) in [
            ("restart-delay", "1s 250ms 30s", true),
            ("restart-reset", "10s", false),
            ("restart-max", "never give up", false),
            ("down-signal", "SIGQUIT", true),
            ("timeout-kill", "5s", true),
            ("timeout-finish", "never", false),
            ("notification-fd", "none", false),
            ("sd-notify", "yes", true),
            ("timeout-ready", "1500ms, then continue", true),
            ("leftovers", "SIGTERM 2s SIGKILL", true),
            ("reload-signal", "SIGUSR1, then an announcement", true),
            ("timeout-reload", "30s", false),
            ("operators", "group 0", true),
            ("readers", "everybody", true),
        ] {
            assert_eq!(rule(file), (value.to_owned(), set), "{file}");
        }
    }

    #[test]
    fn the_cgroup_that_is_killed_is_named_in_full() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = std::fs::File::open(scratch.path()).unwrap();
        for (text, value) in [
            ("cgroup", "the cgroup ./web is killed"),
            ("cgroup /services/db", "the cgroup /services/db is killed"),
        ] {
            std::fs::write(scratch.path().join("leftovers"), text).unwrap();
            let rules =
                of(directory.as_fd(), Voice { called: b"svctl", directory: b"/service/web", part: b"" });
            let rule = rules.iter().find(|rule| rule.file == "leftovers").unwrap();
            assert_eq!((&*rule.value, rule.set), (value, true));
        }
    }

    #[test]
    fn a_script_that_reloads_stands_in_place_of_the_signal() {
        let scratch = tempfile::tempdir().unwrap();
        let rules = || {
            let directory = std::fs::File::open(scratch.path()).unwrap();
            let voice = Voice { called: b"svctl", directory: b"", part: b"" };
            let rules = of(directory.as_fd(), voice);
            let has = |rule: &&Rule| ["reload", "reload-signal", "operators", "readers"].contains(&rule.file);
            let words = |rule: &Rule| (rule.file, rule.value.clone(), rule.set);
            rules.iter().filter(has).map(words).collect::<Vec<_>>()
        };
        let rule = |file, value: &str, set| (file, value.to_owned(), set);
        let alone = rule("operators", "root and the supervisor's user", false);
        let nobody = rule("readers", "nobody else", false);
        assert_eq!(rules(), [rule("reload-signal", "SIGHUP", false), alone.clone(), nobody.clone()]);
        std::fs::write(scratch.path().join("reload"), "").unwrap();
        std::fs::write(scratch.path().join("reload-signal"), "usr1").unwrap();
        assert_eq!(rules(), [rule("reload", "./reload", true), alone, nobody]);
    }
}
