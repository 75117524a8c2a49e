//! The command `list`: a table of services.

use std::io::{IsTerminal, stdout};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::supervise::key;
use common::{Env, Exit, shown};
use nix::errno::Errno;

use super::death::death;
use super::failure::Failure;
use super::hint::advice;
use super::json::{self, Value, of_service};
use super::look;
use super::names::Names;
use super::out::{Out, print};
use super::place::Place;
use super::services::{Logs, Services};
use super::status::{State, Status, Want};

const HEAD: [&str; 7] = ["NAME", "STATE", "PID", "SINCE", "RESTARTS", "READY", "LAST DEATH"];
/// The column that has a colour.
const STATE: usize = 1;

/// How a state is shown on a terminal, as ECMA-48 numbers it.
const GREEN: &str = "32";
const YELLOW: &str = "33";
const RED: &str = "31";
const PLAIN: &str = "";

/// A line of the table, and the colour of its state.
struct Row([String; HEAD.len()], &'static str);

/// A list to print.
pub(super) struct List<'a> {
    pub(super) names: &'a Names,
    pub(super) services: &'a Services,
    /// Whether to list the logs of the services too.
    pub(super) logs: Logs,
    pub(super) colours: bool,
}

/// Whether colours are seen and wanted.
pub(super) fn colours(env: &Env) -> bool {
    let unwanted = env.get(c"NO_COLOR").is_some_and(|value| !value.is_empty());
    stdout().is_terminal() && !unwanted && env.get(c"TERM").is_none_or(|term| term != c"dumb")
}

impl List<'_> {
    /// Prints the table.
    pub(super) fn show(&self, out: &mut Out) -> Result<Exit, Exit> {
        let mut rows = Vec::new();
        for name in &self.services.names {
            // Of one that its tree has told of, no directory is needed.
            if let Some(status) = self.services.known.of(name).filter(|_| self.logs == Logs::Hidden) {
                show(name, status, &mut rows, out)?;
                continue;
            }
            match self.names.find(name) {
                Ok(place) => self.look(&place, &mut rows, out)?,
                Err(Failure { errno: Some(Errno::EACCES), .. }) => {
                    absent(name, "no access", &mut rows, out)?;
                }
                Err(failure) => out.not_found(name, &failure)?,
            }
        }
        if rows.is_empty() { Ok(out.exit()) } else { print(&table(&rows, self.colours)).map(|()| out.exit()) }
    }

    fn look(&self, place: &Place, rows: &mut Vec<Row>, out: &mut Out) -> Result<(), Exit> {
        match look::status_of(place, &self.services.known) {
            Ok(Some(status)) => self.add(place, &status, rows, out),
            // That it has no supervisor is a state as any other.
            Ok(None) => absent(&place.name, "no supervisor", rows, out),
            Err(failure) if failure.is_absence() => absent(&place.name, "no supervisor", rows, out),
            Err(failure) if failure.errno == Some(Errno::EACCES) => {
                absent(&place.name, "no access", rows, out)?;
                out.hint(advice(&failure, place));
                Ok(())
            }
            Err(failure) => out.failure(place, &failure),
        }
    }

    fn add(&self, place: &Place, status: &Status, rows: &mut Vec<Row>, out: &mut Out) -> Result<(), Exit> {
        show(&place.name, status, rows, out)?;
        if self.logs == Logs::Hidden || place.has(c"log") != Ok(true) {
            return Ok(());
        }
        match place.log().map(|log| (look::status_of(&log, &self.services.known), log)) {
            Ok((Ok(Some(status)), log)) => show(&log.name, &status, rows, out),
            _ => absent(&[&place.name[..], b"/log"].concat(), "no supervisor", rows, out),
        }
    }
}

fn show(name: &[u8], status: &Status, rows: &mut Vec<Row>, out: &Out) -> Result<(), Exit> {
    if out.json {
        return print(of_service(name, &status.said).as_bytes());
    }
    rows.push(row(name, status));
    Ok(())
}

/// A service whose state cannot be known.
fn absent(name: &[u8], why: &str, rows: &mut Vec<Row>, out: &Out) -> Result<(), Exit> {
    if out.json {
        return print(of_service(name, &json::failure(why.as_bytes(), None)).as_bytes());
    }
    let nothing = || "-".to_owned();
    let cells =
        [shown(name).to_string(), why.to_owned(), nothing(), nothing(), nothing(), nothing(), nothing()];
    rows.push(Row(cells, RED));
    Ok(())
}

fn row(name: &[u8], status: &Status) -> Row {
    let or = |known: bool, text: String| if known { text } else { "-".to_owned() };
    let mut state = shown(status.state.word()).to_string();
    if !status.hold.is_empty() {
        state.extend([", ", &shown(&status.hold).to_string()]);
    } else if status.paused && status.pid != 0 {
        state.push_str(", paused");
    }
    let colour = match status.state {
        _ if status.hold == "gave up" => RED,
        _ if !status.hold.is_empty() || status.paused => YELLOW,
        State::Run | State::Done => GREEN,
        State::Down if status.want != Some(Want::Up) => PLAIN,
        _ => YELLOW,
    };
    let ready = match status.ready {
        Some(true) => "yes",
        Some(false) => "no",
        None => "-",
    };
    let restarts = status.said.get(key::RESTARTS).digits();
    let cells = [
        shown(name).to_string(),
        state,
        or(status.pid != 0, status.pid.to_string()),
        age(status.seconds),
        or(!restarts.is_empty(), restarts.to_owned()),
        ready.to_owned(),
        last(status.said.get(key::DEATH)),
    ];
    Row(cells, colour)
}

/// The last death, and how long ago that was.
fn last(last: &Value) -> String {
    if *last == Value::Null {
        return "-".to_owned();
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    format!("{}, {} ago", death(last), age(now.saturating_sub(last.get(key::TIME).whole())))
}

/// Seconds, in the two largest units.
fn age(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{minutes}m{:02}s", seconds % 60),
        3600..86_400 => format!("{hours}h{:02}m", minutes % 60),
        _ => format!("{days}d{:02}h", hours % 24),
    }
}

/// The table, each column as wide as its widest cell; numbers are on the right.
fn table(rows: &[Row], colours: bool) -> Vec<u8> {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row.0[column].chars().count());
        cells.chain([HEAD[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let mut text = String::new();
    let head = Row(HEAD.map(str::to_owned), PLAIN);
    for Row(cells, colour) in [&head].into_iter().chain(rows) {
        let mut line = String::new();
        for (column, cell) in cells.iter().enumerate() {
            let blanks = " ".repeat(widths[column] - cell.chars().count());
            let right = matches!(HEAD[column], "PID" | "SINCE" | "RESTARTS");
            let (before, after) = if right { (&*blanks, "") } else { ("", &*blanks) };
            match *colour {
                colour if colours && column == STATE && colour != PLAIN => {
                    line.extend(["\x1b[", colour, "m", cell, "\x1b[m", after, "  "]);
                }
                _ => line.extend([before, cell, after, "  "]),
            }
        }
        text.extend([line.trim_end(), "\n"]);
    }
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_two_units() {
        for (seconds, text) in
            [(0, "0s"), (59, "59s"), (60, "1m00s"), (3599, "59m59s"), (3661, "1h01m"), (90_000, "1d01h")]
        {
            assert_eq!(age(seconds), text);
        }
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let cells =
            |name: &str, state: &str| [name, state, "7", "1s", "-", "-", "exit 1, 1s ago"].map(str::to_owned);
        let rows = [Row(cells("a", "run"), GREEN), Row(cells("longer", "down"), PLAIN)];
        let text = |colours| String::from_utf8(table(&rows, colours)).unwrap();
        assert_eq!(
            text(false),
            "NAME    STATE  PID  SINCE  RESTARTS  READY  LAST DEATH\n\
             a       run      7     1s         -  -      exit 1, 1s ago\n\
             longer  down     7     1s         -  -      exit 1, 1s ago\n"
        );
        assert_eq!(text(true).replace("\x1b[32m", "").replace("\x1b[m", ""), text(false));
    }
}
