//! svctl-list: a table of services, once or as it changes.

mod live;

use std::mem;
use std::time::{Duration, Instant};

use common::supervise::key;
use common::{Cli, Exit, Link, Long, Outcome, Short, options, quantity};

use super::json::{self, Value, of_service};
use super::names::Names;
use super::out::{Out, print};
use super::processes::{Of, Reading, command};
use super::screen::Screen;
use super::seen::{Seen, look_at};
use super::services::{Logs, Services};
use super::style::{Dialect, Style};
use super::table::{Cell, Column, Line, Table};
use super::usage::{self, Usage, Usages};
use super::{amounts, prepare};

/// svctl-list: a table of services.
pub const PROGRAM: Link = Link {
    name: "svctl-list",
    usage: "[-tvw] [--down] [--failed] [--json] [service...]",
    summary: "print a table of services",
    options: options![
        ("-t", "print the processes below each service"),
        ("-v", "list loggers too"),
        ("-w", "follow what happens, for so many seconds if a number is the next word"),
        ("--down", "list those alone that are not up"),
        ("--failed", "list those alone that have failed"),
        ("--json", "print a JSON object for each service, one per line"),
    ],
    opens: true,
    lent: None,
    run,
};

/// What is asked for.
struct Asked {
    names: Names,
    services: Vec<&'static [u8]>,
    logs: Logs,
    /// Whether the processes of each service are shown.
    trees: bool,
    /// Where one of these is asked for, other services are left out.
    down: bool,
    failed: bool,
    follows: Follows,
}

/// Whether to go on.
#[derive(Clone, Copy)]
enum Follows {
    No,
    /// For so long at most.
    Yes(Option<Duration>),
}

fn run(cli: &mut Cli) -> Outcome<'_> {
    Err(start(cli).unwrap_or_else(|error| error))
}

fn start(cli: &mut Cli) -> Result<Exit, Exit> {
    prepare()?;
    let mut asked = Asked {
        names: Names::new(cli.env(), Dialect::Own),
        services: Vec::new(),
        logs: Logs::Hidden,
        trees: false,
        down: false,
        failed: false,
        follows: Follows::No,
    };
    let mut json = false;
    loop {
        // The word behind -w may be a number of seconds.
        let mut takes_seconds = false;
        while let Some(option) = cli.option()? {
            takes_seconds = option == Short('w');
            match option {
                Short('h') => return Err(Exit::answer(0, cli.help())),
                Short('t') => asked.trees = true,
                Short('v') => asked.logs = Logs::Shown,
                Short('w') => asked.follows = Follows::Yes(None),
                Long("down") => asked.down = true,
                Long("failed") => asked.failed = true,
                Long("json") => json = true,
                other => return Err(Exit::unexpected(other)),
            }
        }
        let takes_seconds = takes_seconds && !cli.is_ended();
        let Some(word) = cli.operand_among_options() else { break };
        match quantity::seconds(word.to_bytes()).filter(|_| takes_seconds) {
            Some(seconds) => asked.follows = Follows::Yes(Some(seconds)),
            None => asked.services.push(word.to_bytes()),
        }
    }
    let screen = Screen::of(cli.env());
    let mut out = Out::new(Style::Svctl, json);
    match asked.follows {
        Follows::Yes(limit) => live::follow(&asked, limit, screen, &mut out),
        Follows::No => asked.once(&screen, &mut out),
    }
}

impl Asked {
    fn once(&self, screen: &Screen, out: &mut Out) -> Result<Exit, Exit> {
        let now = Instant::now();
        let reading = Reading::begin(if self.services.is_empty() { Of::All } else { Of::Named });
        let seen = self.look(out)?;
        let all: Vec<&Seen> = seen.iter().filter(|seen| self.wants(seen)).collect();
        if all.is_empty() {
            return Ok(out.exit());
        }
        // What needs no process is written while these are read.
        let rows = if out.json { Vec::new() } else { rows(&all, screen, now) };
        let usages = Usages::of_each(reading, &all);
        if out.json {
            for (seen, usage) in all.iter().zip(&usages) {
                print(self.object(seen, usage.as_ref()).as_bytes())?;
            }
        } else {
            let table = self.table(rows, &usages, used(&usages), screen);
            print_lines("", &table.lines(screen))?;
            mem::forget(table); // as below
        }
        // The process ends, which takes it all at once.
        mem::forget((seen, usages));
        Ok(out.exit())
    }

    fn look(&self, out: &mut Out) -> Result<Vec<Seen>, Exit> {
        let services = Services::named_or_all(&self.names, &self.services, self.logs)?;
        look_at(&self.names, &services, self.logs, out)
    }

    fn wants(&self, seen: &Seen) -> bool {
        !(self.down || self.failed) || self.down && seen.is_down() || self.failed && seen.is_failed()
    }

    /// The object of a service, as a line.
    fn object(&self, seen: &Seen, usage: Option<&Usage>) -> String {
        let mut more = usage::members(usage);
        if self.trees {
            more.push(("tree", usage.map_or(Value::Null, usage::tree)));
        }
        of_service(&seen.name, &json::with(&seen.object(), more))
    }

    /// The table; `cpu` is what that column has.
    fn table(
        &self,
        rows: Vec<Row>,
        usages: &[Option<Usage>],
        cpu: Vec<Option<String>>,
        screen: &Screen,
    ) -> Table {
        let mut lines = Vec::with_capacity(rows.len());
        for ((mut row, usage), cpu) in rows.into_iter().zip(usages).zip(cpu) {
            let usage = usage.as_ref();
            row.add(usage, cpu, screen);
            lines.push(Line::Row(row.cells, row.colour));
            if let Some(usage) = usage.filter(|_| self.trees) {
                lines.extend(tree(usage, screen).into_iter().map(|line| Line::Below(format!("  {line}"))));
            }
        }
        Table { columns: COLUMNS, coloured: 1, cut: (COMMAND, 16), lines }
    }
}

/// What services have used of the processors until now.
fn used(usages: &[Option<Usage>]) -> Vec<Option<String>> {
    usages.iter().map(|usage| usage.as_ref().map(|usage| amounts::cpu(usage.cpu))).collect()
}

fn print_lines(gap: &str, lines: &[String]) -> Result<(), Exit> {
    print((gap.to_owned() + &lines.join("\n") + "\n").as_bytes())
}

const fn column(head: &'static str, right: bool, rank: Option<u8>) -> Column {
    Column { head, right, rank }
}

/// Which of them give way first, a page says.
const COLUMNS: &[Column] = &[
    column("NAME", false, None),
    column("STATE", false, None),
    column("ENABLED", false, Some(1)),
    column("PID", true, Some(8)),
    column("COMMAND", false, Some(6)),
    column("FOR", true, Some(9)),
    column("RESTARTS", true, Some(3)),
    column("READY", false, Some(2)),
    column("CPU", true, Some(5)),
    column("MEM", true, Some(7)),
    column("LAST DEATH", false, Some(4)),
];

/// The columns that tell of processes.
const COMMAND: usize = 4;
const CPU: usize = 8;
const MEMORY: usize = 9;

/// The cells of a service, and the colour of its state.
struct Row {
    cells: Vec<Cell>,
    colour: &'static str,
}

/// The rows of services as they are `now`, without what their processes are and use.
fn rows(all: &[&Seen], screen: &Screen, now: Instant) -> Vec<Row> {
    all.iter().map(|seen| Row::new(seen, screen, now)).collect()
}

impl Row {
    fn new(seen: &Seen, screen: &Screen, now: Instant) -> Self {
        let yes = |truth: Option<bool>| cell(truth.map(|truth| if truth { "yes" } else { "no" }));
        let status = seen.status();
        let (state, colour) = seen.words(screen, now);
        let restarts = status.map(|status| status.said.get(key::RESTARTS).digits().to_owned());
        let cells = vec![
            screen.text(&seen.name).into(),
            state.into(),
            yes(seen.enabled),
            cell(seen.running().map(|status| status.pid.to_string())),
            NONE.into(),
            cell(seen.seconds(now).map(amounts::age)),
            cell(restarts.filter(|restarts| !restarts.is_empty())),
            yes(status.and_then(|status| status.ready)),
            NONE.into(),
            NONE.into(),
            cell(seen.last_death()),
        ];
        Self { cells, colour }
    }

    fn add(&mut self, usage: Option<&Usage>, cpu: Option<String>, screen: &Screen) {
        let command = usage.filter(|usage| !usage.command.is_empty()).map(|usage| usage.command.line());
        self.cells[COMMAND] = cell(command.map(|command| screen.text(command)));
        self.cells[CPU] = cell(cpu);
        self.cells[MEMORY] = cell(usage.map(|usage| amounts::size(usage.memory)));
    }
}

/// What is in a column where there is nothing.
const NONE: &str = "-";

/// What is in a column.
fn cell(what: Option<impl Into<Cell>>) -> Cell {
    what.map_or_else(|| NONE.into(), Into::into)
}

/// The processes of a service, a line each, with what they use.
pub(super) fn tree(usage: &Usage, screen: &Screen) -> Vec<String> {
    let mut lines = Vec::new();
    // Whether more follow, on each level.
    let mut more: Vec<bool> = Vec::new();
    for (at, (depth, process)) in usage.family.iter().enumerate() {
        let behind = usage.family[at + 1..].iter().take_while(|(other, _)| other >= depth);
        let follows = behind.into_iter().any(|(other, _)| other == depth);
        more.truncate(depth.saturating_sub(1));
        if *depth > 0 {
            more.push(follows);
        }
        // It may have ended meanwhile.
        let command = command(process.pid).unwrap_or_default().line();
        let (pid, command) = (process.pid, screen.text(command));
        lines.push(format!("{}{pid} {command}", screen.branch(&more)).trim_end().to_owned());
    }
    lines
}
