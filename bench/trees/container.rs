//! The first service of a container.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::life::next;
use super::support::{Table, sweep};
use super::tools::milliseconds;
use super::{Bench, CONTAINERS};

impl Bench {
    /// From the exec of process 1 to the first instruction of the first service, in a new pid namespace.
    pub(crate) fn container(&self) {
        let place = self.work.join("container");
        self.service(&place, "service", false);
        let stays = self.work.join("stays");
        let (scan, stays) = (place.to_str().expect("a path"), stays.to_str().expect("a path"));
        let build = &self.peers[0].directory;
        let svtree = build.join("svtree");
        let svtree = svtree.to_str().expect("a path");
        let commands: Vec<(&'static str, Vec<&str>)> = vec![
            ("svtree DIR", vec![svtree, scan]),
            ("svtree -- run", vec![svtree, "--", stays]),
            ("tini", vec!["/usr/bin/tini", "--", stays]),
            ("dumb-init", vec!["/usr/bin/dumb-init", "--", stays]),
            ("catatonit", vec!["/usr/bin/catatonit", "--", stays]),
            ("s6-svscan", vec!["/usr/bin/s6-svscan", scan]),
            ("runsvdir", vec!["/usr/bin/runsvdir", scan]),
        ];
        let commands: Vec<_> =
            commands.into_iter().filter(|(_, words)| Path::new(words[0]).is_file()).collect();
        let mut table = Table::new(commands.iter().map(|(name, _)| *name).collect());
        let mut times = table.empty();
        let mut stamps = self.stamps();
        for _ in 0..CONTAINERS {
            for (at, (name, words)) in commands.iter().enumerate() {
                // A container is new: without what its last life has left.
                for state in ["service/supervise", ".tree", ".s6-svscan"] {
                    let _ = fs::remove_dir_all(place.join(state)); // there may be none
                }
                let mut command = Command::new("unshare");
                command.args(["--pid", "--fork", "--mount-proc", "--kill-child"]);
                command.arg(self.work.join("stamp")).args(words).current_dir(&self.work);
                command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
                let mut child = command.spawn().expect("unshare");
                let began = next(&mut stamps, name).time;
                times[at].push(milliseconds(began, next(&mut stamps, name).time));
                child.kill().expect("it lives");
                child.wait().expect("a child");
                sweep();
            }
        }
        println!("\nThe first service of a container:\n");
        table.medians("from the exec of process 1 to its first instruction, ms", 2, times);
        table.print();
    }
}
