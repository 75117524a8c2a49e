//! The command `list`: a table of services.

use std::io::{IsTerminal, stdout};
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::{Env, Error, shown};
use nix::errno::Errno;
use nix::sys::stat::stat;

use super::json::{Value, of_service, quoted};
use super::look;
use super::names::Names;
use super::out::{Out, print};
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

/// What to list, and how.
pub(super) struct List<'a> {
    pub(super) names: &'a Names,
    /// Whether to list the logs of the services too.
    pub(super) logs: bool,
    pub(super) colours: bool,
}

/// Whether colours are seen and wanted.
pub(super) fn colours(env: &Env) -> bool {
    let unwanted = env.get(c"NO_COLOR").is_some_and(|value| !value.is_empty());
    stdout().is_terminal() && !unwanted && env.get(c"TERM").is_none_or(|term| term != c"dumb")
}

impl List<'_> {
    /// Prints the table of these services, or of those in SVDIR.
    pub(super) fn show(&self, services: &[&'static [u8]], out: &mut Out) -> Result<Error, Error> {
        let mut rows = Vec::new();
        let named = services.iter().map(|name| name.to_vec()).collect();
        for name in if services.is_empty() { self.all()? } else { named } {
            match look::status(self.names, &name) {
                Ok(Some(status)) => self.add(&name, &status, &mut rows, out)?,
                // That nobody serves it is a state as any other.
                Ok(None) => absent(&name, "no supervisor", &mut rows, out)?,
                Err(trouble) if trouble.is_absence() => absent(&name, "no supervisor", &mut rows, out)?,
                Err(trouble) if trouble.errno == Some(Errno::EACCES) => {
                    absent(&name, "no access", &mut rows, out)?;
                    let _ = self.names.enter(&name); // for what its hint looks at
                    out.hint(trouble.advice(self.names, &name));
                }
                Err(trouble) => out.trouble(self.names, &name, &trouble)?,
            }
        }
        if rows.is_empty() { Ok(out.exit()) } else { print(&table(&rows, self.colours)).map(|()| out.exit()) }
    }

    /// The names of the services in SVDIR, sorted.
    fn all(&self) -> Result<Vec<Vec<u8>>, Error> {
        let svdir = self.names.svdir();
        let refused = |errno| {
            Error::system(format_args!("read {}", shown(svdir)), errno)
                .hint("services are where SVDIR says, or name them")
        };
        self.names.enter_svdir().map_err(refused)?;
        let entries = std::fs::read_dir(".").map_err(|error| refused(errno(&error)))?;
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(|error| refused(errno(&error)))?.file_name();
            let hidden = name.as_bytes().starts_with(b".");
            if !hidden && std::fs::metadata(&name).is_ok_and(|data| data.is_dir()) {
                names.push(name.as_bytes().to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    fn add(&self, name: &[u8], status: &Status, rows: &mut Vec<Row>, out: &mut Out) -> Result<(), Error> {
        if out.json {
            out.done("", name, status)?;
        } else {
            rows.push(row(name, status));
        }
        if self.logs && self.names.enter(name).is_ok() && stat(c"log").is_ok() {
            let log = [name, b"/log"].concat();
            match look::status(self.names, &log) {
                Ok(Some(status)) if out.json => out.done("", &log, &status)?,
                Ok(Some(status)) => rows.push(row(&log, &status)),
                _ => absent(&log, "no supervisor", rows, out)?,
            }
        }
        Ok(())
    }
}

fn errno(error: &std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::UnknownErrno, Errno::from_raw)
}

/// A service whose state is not to be had.
fn absent(name: &[u8], why: &str, rows: &mut Vec<Row>, out: &Out) -> Result<(), Error> {
    if out.json {
        let object = format!("{{\"ok\":false,\"error\":{},\"hint\":null}}", quoted(why.as_bytes()));
        return print(of_service(name, &object).as_bytes());
    }
    let nothing = || "-".to_owned();
    let cells =
        [shown(name).to_string(), why.to_owned(), nothing(), nothing(), nothing(), nothing(), nothing()];
    rows.push(Row(cells, RED));
    Ok(())
}

fn row(name: &[u8], status: &Status) -> Row {
    let value = Value::parse(&status.json).unwrap_or(Value::Null);
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
        State::Run => GREEN,
        State::Down if status.want != Some(Want::Up) => PLAIN,
        _ => YELLOW,
    };
    let ready = match value.get("ready") {
        Value::Bool(true) => "yes",
        Value::Bool(false) => "no",
        _ => "-",
    };
    let restarts = value.get("restarts").digits();
    let cells = [
        shown(name).to_string(),
        state,
        or(status.pid != 0, status.pid.to_string()),
        age(status.seconds),
        or(!restarts.is_empty(), restarts.to_owned()),
        ready.to_owned(),
        last(value.get("death")),
    ];
    Row(cells, colour)
}

/// The last death, and how long ago that was.
fn last(last: &Value) -> String {
    if *last == Value::Null {
        return "-".to_owned();
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    format!("{}, {} ago", death(last), age(now.saturating_sub(last.get("time").whole())))
}

/// How a process died.
pub(super) fn death(death: &Value) -> String {
    let core = if death.get("core").is_true() { " (core dumped)" } else { "" };
    match (death.get("signal"), death.get("code").digits()) {
        (Value::Text(signal), _) => {
            let sig = if signal.starts_with(|c: char| c.is_ascii_digit()) { "signal " } else { "SIG" };
            format!("{sig}{}{core}", shown(signal))
        }
        (Value::Number(signal), _) => format!("signal {signal}{core}"),
        (_, "") => "unknown".to_owned(),
        (_, code) => format!("exit {code}"),
    }
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
    fn a_death_is_told_as_the_log_tells_it() {
        for (object, text) in [
            (r#"{"code":1,"signal":null,"core":false}"#, "exit 1"),
            (r#"{"code":null,"signal":"SEGV","core":true}"#, "SIGSEGV (core dumped)"),
            (r#"{"code":null,"signal":"40","core":false}"#, "signal 40"),
            (r#"{"code":null,"signal":null,"core":false}"#, "unknown"),
        ] {
            assert_eq!(death(&Value::parse(object).unwrap()), text);
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
