//! The programs that keep trees, and how each is started, asked and stopped.

use std::env;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What keeps a tree.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Svtree,
    /// An svrun for each service, started by this program.
    Svruns,
    Runsvdir,
    S6,
    Svscan,
    Supervisord,
    Nitro,
    /// Nothing: the services alone.
    Nothing,
}

/// A column of the table.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) directory: PathBuf,
}

impl Peer {
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.directory.join(program));
        let path = env::var_os("PATH").unwrap_or_default();
        let directories = [self.directory.clone()].into_iter().chain(env::split_paths(&path));
        command.env("PATH", env::join_paths(directories).expect("a PATH"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// What keeps the tree in `place`.
    pub(crate) fn start(&self, place: &Path) -> Command {
        match self.kind {
            Kind::Svtree => with(self.command("svtree"), &[], place),
            Kind::Runsvdir => with(self.command("runsvdir"), &[], place),
            Kind::S6 => with(self.command("s6-svscan"), &["-c", "2000"], place),
            Kind::Svscan => with(self.command("svscan"), &[], place),
            Kind::Supervisord => with(self.command("supervisord"), &["-n", "-c"], &place.join("conf")),
            Kind::Nitro => {
                let mut command = with(self.command("nitro"), &[], place);
                command.env("NITRO_SOCK", place.join(".sock"));
                command
            }
            Kind::Svruns | Kind::Nothing => unreachable!("it is started for each service"),
        }
    }

    /// Asks for a restart of a service.
    pub(crate) fn restart(&self, place: &Path, name: &str) -> Option<Command> {
        let directory = place.join(name);
        Some(match self.kind {
            Kind::Svtree | Kind::Svruns => with(self.command("svctl"), &["term"], &directory),
            Kind::Runsvdir => with(self.command("sv"), &["term"], &directory),
            Kind::S6 => with(self.command("s6-svc"), &["-r"], &directory),
            Kind::Svscan => with(self.command("svc"), &["-t"], &directory),
            Kind::Supervisord => {
                let mut command = with(self.command("supervisorctl"), &["-c"], &place.join("conf"));
                command.args(["restart", name]);
                command
            }
            Kind::Nitro => {
                let mut command = self.command("nitroctl");
                command.args(["restart", name]).env("NITRO_SOCK", place.join(".sock"));
                command
            }
            Kind::Nothing => return None,
        })
    }

    /// What shows all services.
    pub(crate) fn list(&self, place: &Path, names: &[String]) -> Option<Command> {
        let each = |mut command: Command| {
            command.args(names.iter().map(|name| place.join(name)));
            command
        };
        match self.kind {
            Kind::Svtree | Kind::Svruns => {
                let mut command = self.command("svctl");
                command.arg("list").env("SVDIR", place);
                Some(command)
            }
            Kind::Runsvdir => {
                let mut command = self.command("sv");
                command.arg("status");
                Some(each(command))
            }
            Kind::Svscan => Some(each(self.command("svstat"))),
            Kind::Supervisord => {
                let mut command = with(self.command("supervisorctl"), &["-c"], &place.join("conf"));
                command.arg("status");
                Some(command)
            }
            Kind::S6 | Kind::Nitro | Kind::Nothing => None,
        }
    }

    /// Makes it see a new directory, if it does not look itself.
    pub(crate) fn rescan(&self, place: &Path) -> Option<Command> {
        match self.kind {
            Kind::S6 => Some(with(self.command("s6-svscanctl"), &["-a"], place)),
            Kind::Nitro => {
                let mut command = self.command("nitroctl");
                command.arg("rescan").env("NITRO_SOCK", place.join(".sock"));
                Some(command)
            }
            _ => None,
        }
    }

    /// Whether it hosts what appears in its directory, where there are so many.
    pub(crate) fn scans(&self, count: usize) -> bool {
        match self.kind {
            Kind::Svruns | Kind::Supervisord | Kind::Nothing => false,
            Kind::Runsvdir | Kind::Svscan => count < 1000, // the most that they take
            _ => true,
        }
    }
}

pub(crate) fn with(mut command: Command, words: &[&str], place: &Path) -> Command {
    command.args(words).arg(place);
    command
}
/// The configuration of supervisord.
pub(crate) fn configuration(place: &Path, names: &[String], log: bool) -> String {
    let place = place.display();
    let mut text = format!(
        "[supervisord]\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile={place}/pid\nminfds=10000\n\
         [unix_http_server]\nfile={place}/sock\n[supervisorctl]\nserverurl=unix://{place}/sock\n\
         [rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n"
    );
    for name in names {
        let output = if log { format!("{place}/{name}/output") } else { "NONE".into() };
        let _ = write!(
            text,
            "[program:{name}]\ncommand={place}/{name}/run\ndirectory={place}/{name}\nautorestart=true\n\
             redirect_stderr=true\nstdout_logfile={output}\n"
        ); // a String takes everything
    }
    text
}
