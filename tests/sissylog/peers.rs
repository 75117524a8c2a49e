//! A syslogd of another package, and the output of other programs.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::Child;

use super::harness::*;
use crate::needs;
use crate::support::*;

/// A syslogd, which writes into the file `messages`.
struct Syslogd(Child);

impl Syslogd {
    fn start(world: &World, script: &str) -> Self {
        Self(world.command(script, &[]).spawn().unwrap())
    }
}

impl Drop for Syslogd {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn busyboxs_syslogd_understands_the_messages() {
    needs!(mounts(), tool("busybox"));
    understands(r#"exec busybox syslogd -n -O "$D/messages""#);
}

#[test]
fn socklog_understands_the_messages() {
    needs!(mounts(), tool("socklog"));
    understands(r#"exec socklog unix /dev/log >"$D/messages" 2>/dev/null"#);
}

/// Asserts that a syslogd finds facility, level, name and text in what sissylog sends.
fn understands(script: &str) {
    let world = World::new();
    let _syslogd = Syslogd::start(&world, script);
    let listens = || UnixDatagram::unbound().unwrap().connect(world.path("dev/log")).is_ok();
    assert!(in_time(listens), "{script}");
    let input = "emergency: 0\n<1>1\nfatal: 2\nERROR: 3\nwarn: 4\nnotice: 5\nhé: 6\ntrace: 7\n";
    assert_eq!(world.run(&["web", "local5"], input), prints(""));
    assert_eq!(world.run(&["web", "authpriv"], "bell \x07"), prints(""));
    let lines = || {
        let text = text(&world.path("messages"));
        let lines = text.lines().filter_map(|line| {
            line.split_once(" web: ").map(|(left, right)| {
                let priority = left.split(' ').find(|word| word.contains('.')).unwrap_or_default();
                (priority.trim_end_matches(':').to_owned(), right.to_owned())
            })
        });
        lines.collect::<Vec<_>>()
    };
    assert!(in_time(|| lines().len() == 9), "{:?}", lines());
    let expected = [
        ("local5.emerg", "emergency: 0"),
        ("local5.alert", "1"),
        ("local5.crit", "fatal: 2"),
        ("local5.err", "ERROR: 3"),
        ("local5.warn", "warn: 4"),
        ("local5.notice", "notice: 5"),
        ("local5.info", "hé: 6"),
        ("local5.debug", "trace: 7"),
        ("authpriv.info", "bell \\x07"),
    ];
    assert_eq!(lines(), expected.map(|(priority, text)| (priority.to_owned(), text.to_owned())));
}

/// Logs as `Log::Any` does with its adapter Daemontools: each line of a message has the level in front but
/// for info, newlines at the end are cut off, and there is no level for which it writes nothing.
const LOG_ANY: &str = r#"
$| = 1;
sub say_it {
    my ($level, $message) = @_;
    $message =~ s/\n+\z//;
    my $prefix = $level eq 'info' ? '' : "$level: ";
    print map { "$prefix$_\n" } split /\n/, $message;
}
say_it($_, "$_ it is\nand\tmore\n\n") for qw(emergency alert critical error warning notice info debug trace);
say_it('warning', "caf\xc3\xa9\n\nafter an empty line");
say_it('info', '');
say_it('info', 'with a colon: x');
"#;

#[test]
fn a_perl_program_logs_with_its_levels() {
    needs!(mounts(), tool("perl"));
    let world = World::new();
    let mut syslogd = world.syslogd(Kind::Datagrams);
    fs::write(world.path("program.pl"), LOG_ANY).unwrap();
    let pipeline = r#"perl program.pl | "$B/sissylog" app local2"#;
    let mut running = world.start_as(pipeline, &[]);
    let mut expected: Vec<(u8, String)> = vec![];
    let levels = [0, 1, 2, 3, 4, 5, 6, 7, 7];
    let names = ["emergency", "alert", "critical", "error", "warning", "notice", "info", "debug", "trace"];
    for (name, level) in names.into_iter().zip(levels) {
        let prefix = if name == "info" { String::new() } else { format!("{name}: ") };
        expected.push((level, format!("{prefix}{name} it is")));
        expected.push((level, format!("{prefix}and\tmore")));
    }
    for line in ["café", "", "after an empty line"] {
        expected.push((4, format!("warning: {line}")));
    }
    expected.push((6, "with a colon: x".into()));
    let messages = syslogd.take(expected.len());
    let found: Vec<_> = messages.iter().map(|message| (message.level, message.text.clone())).collect();
    assert_eq!(found, expected);
    assert!(messages.iter().all(|message| message.facility == 18 && message.ident == "app: "));
    assert_eq!(running.ended(), 0);
    assert_eq!((world.stderr(), syslogd.rest()), (String::new(), vec![]));
}
