//! The rules of a service directory that are in force, for those who show them.

use std::os::fd::BorrowedFd;

use common::{Text, Voice, signals};

use super::machine::{Readiness, Rules};
use super::service::{Optional, STEPS, Settings, Step, exists};

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
    settings.for_restart(directory, voice);
    settings.for_stop(directory, voice);
    settings.for_start(directory, voice);
    settings.for_setup(directory, voice);
    let rules = *settings.rules;
    let fd = settings.notification.map_or_else(|| "none".to_owned(), |fd| fd.to_string());
    let notified = if settings.sd_notify { "yes" } else { "no" };
    let max = if rules.max == 0 { "never give up".to_owned() } else { format!("{} short runs", rules.max) };
    let ready = match (rules.timeout_ready, rules.unready) {
        (time @ 1.., Readiness::Excused) => format!("{}, then continue", limit(time)),
        (time, _) => limit(time),
    };
    let signal = signals::name(rules.down_signal);
    let signal = signal.map_or_else(|| rules.down_signal.to_string(), |name| format!("SIG{name}"));
    [
        (Optional::Delay, "restart-delay", delays(&rules)),
        (Optional::Reset, "restart-reset", time(rules.reset)),
        (Optional::Max, "restart-max", max),
        (Optional::DownSignal, "down-signal", signal),
        (Optional::TimeoutKill, "timeout-kill", limit(rules.timeout_kill)),
        (Optional::TimeoutFinish, "timeout-finish", limit(rules.timeout_finish)),
        (Optional::TimeoutSetup, "timeout-setup", limit(rules.timeout_setup)),
        (Optional::NotificationFd, "notification-fd", fd),
        (Optional::SdNotify, "sd-notify", notified.to_owned()),
        (Optional::TimeoutReady, "timeout-ready", ready),
        (Optional::Watchdog, "watchdog", limit(rules.watchdog)),
        (Optional::Leftovers, "leftovers", leftovers(&settings.leftovers)),
    ]
    .map(|(which, file, value)| {
        let mut name = Text::<32>::of(file);
        let name = std::ffi::CStr::from_bytes_with_nul(name.add("\0").bytes()).unwrap_or(c"");
        // Without a way to announce anything there are no limits for it.
        let counts = match which {
            Optional::TimeoutReady => settings.sd_notify || settings.notification.is_some(),
            Optional::Watchdog => settings.sd_notify,
            _ => true,
        };
        Rule { file, value, set: counts && settings.takes(which) && exists(directory, name) }
    })
    .into()
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

fn leftovers(steps: &[Option<Step>; STEPS]) -> String {
    let words = steps.iter().flatten().map(|step| match step {
        Step::Signal(signal) => {
            signals::name(*signal).map_or_else(|| signal.to_string(), |name| format!("SIG{name}"))
        }
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
        ] {
            assert_eq!(rule(file), (value.to_owned(), set), "{file}");
        }
    }
}
