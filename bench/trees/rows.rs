//! The rows of a table: a life of each tree, and what it costs.

use std::fs;
use std::thread;
use std::time::Duration;

use super::life::Life;
use super::peers::Kind;
use super::support::{Table, proc_number};
use super::tools::{cpu, memory, supervisors};
use super::{Bench, LIFE, number};

/// The rows but for those of all rounds, and their decimals.
const ROWS: [(&str, usize); 11] = [
    ("supervisors", 0),
    ("Private_Dirty of all, kB", 0),
    ("Rss of all, kB", 0),
    ("the machine's memory for a service, without its own, kB", 1),
    ("idle: context switches of all", 0),
    ("status of all {} by the control program, ms", 1),
    ("restart by the control program to the next run, ms", 2),
    ("`kill -9` of a service to the next run, ms", 2),
    ("upgrade until a service can be controlled, ms", 1),
    ("`kill -9` of the tree, and a new one, until then, ms", 1),
    ("a new directory to its first run, ms", 1),
];
const MACHINE: usize = 3;

impl Bench {
    /// The table of this many services.
    pub(crate) fn tree(&self, count: usize, log: bool) {
        let names: Vec<String> = (0..count).map(|i| format!("s{i}")).collect();
        let place = self.work.join("tree");
        let mut table = Table::new(self.peers.iter().map(|peer| peer.name).collect());
        let (mut ups, mut downs, mut costs) = (table.empty(), table.empty(), table.empty());
        let mut rows: Vec<[Option<f64>; ROWS.len()]> = Vec::new();
        for round in 0..number("ROUNDS", 3) {
            for (at, peer) in self.peers.iter().enumerate() {
                if peer.kind == Kind::Nitro && log {
                    rows.push([None; ROWS.len()]);
                    continue;
                }
                // It takes a minute for a thousand.
                if peer.kind == Kind::Supervisord && round > 1 {
                    continue;
                }
                let mut life = self.prepare(peer, &place, &names, log);
                let (before, used) = (memory(), cpu());
                ups[at].push(life.start(&self.work));
                if round == 0 {
                    rows.push(self.figures(&mut life, before));
                }
                downs[at].push(life.stop());
                if round > 0 {
                    costs[at].push(cpu() - used); // of the start and the stop alone
                }
            }
        }
        println!("\n{count} services, {} loggers:\n", if log { "with" } else { "without" });
        let alone = rows.last().and_then(|row| row[MACHINE]);
        for row in &mut rows {
            row[MACHINE] = row[MACHINE].zip(alone).map(|(all, alone)| all - alone);
        }
        table.medians("all run, ms", 0, ups);
        table.medians("all have ended, ms", 0, downs);
        table.medians("CPU of both, services included, ms", 0, costs);
        for (which, (what, decimals)) in ROWS.into_iter().enumerate() {
            let what = what.replace("{}", &count.to_string());
            table.row(what, decimals, rows.iter().map(|row| row[which]).collect());
        }
        table.print();
        let _ = fs::remove_dir_all(place); // as before
    }

    /// The figures of a tree that has just been started.
    fn figures(&self, life: &mut Life, before: f64) -> [Option<f64>; ROWS.len()] {
        thread::sleep(LIFE);
        let mut figures = [None; ROWS.len()];
        let count = f64::from(u32::try_from(life.names.len()).expect("few"));
        figures[MACHINE] = Some((memory() - before) / count);
        if life.peer.kind == Kind::Nothing {
            return figures;
        }
        let supervisors = supervisors();
        let sum = |file: &str, label: &str| {
            let number = |pid: &u32| proc_number(*pid, file, label).map_or(0.0, f64::from);
            supervisors.iter().map(number).sum::<f64>()
        };
        figures[0] = Some(f64::from(u32::try_from(supervisors.len()).expect("few")));
        figures[1] = Some(sum("smaps_rollup", "Private_Dirty:"));
        figures[2] = Some(sum("smaps_rollup", "Rss:"));
        let wakeups = || sum("status", "voluntary_ctxt_switches:");
        let first = wakeups();
        thread::sleep(Duration::from_secs(number("IDLE", 6).try_into().expect("few")));
        figures[4] = Some(wakeups() - first);
        figures[5] = life.lists();
        figures[6] = life.restarts();
        thread::sleep(LIFE);
        figures[7] = life.deaths();
        let comebacks = life.comebacks();
        figures[8] = comebacks.map(|[upgrade, _]| upgrade);
        figures[9] = comebacks.map(|[_, killed]| killed);
        figures[10] = life.new_directories(self);
        figures
    }
}
