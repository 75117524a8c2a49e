//! svctl-events: what happens to services, as it happens.

use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::time::Duration;

use common::poll::{POLLERR, POLLIN, watch};
use common::quantity::number;
use common::supervise::{RELOAD_FAILED, key};
use common::{Cli, Exit, Link, Outcome, Text, fds, options, shown};

use super::Request;
use super::conn::{Conn, Received, wait};
use super::death::death;
use super::failure::Failure;
use super::files;
use super::json::{Value, of_service};
use super::names::Names;
use super::out::{Out, print};
use super::place::Place;
use super::services::Services;
use super::status::{Status, hold};
use super::tree::Known;

/// svctl-events: print events of services as they happen.
pub const PROGRAM: Link = Link {
    name: "svctl-events",
    usage: "[-v] [-w seconds] [--json] [service...]",
    summary: "print events of services as they happen",
    options: options![
        ("-v", "as without: there is always a line"),
        ("-w seconds", "as without: it goes on while there is a supervisor"),
        ("--json", "print the JSON objects of the supervisors, one per line"),
    ],
    opens: true,
    lent: None,
    run,
};

/// How long to wait where there is nothing to wait for but events.
const LONG: Duration = Duration::from_secs(1000);

/// Where events come from.
struct Source {
    of: Of,
    conn: Conn,
}

/// Whose events they are.
enum Of {
    Service(Place),
    /// Of all services of a tree: each event names its own.
    Tree,
}

fn run(cli: &mut Cli) -> Outcome<'_> {
    let shown = Request::of_command_line(cli, "events")
        .and_then(|(request, services, mut out)| show(&request.names, &services, &mut out));
    Err(shown.unwrap_or_else(|error| error))
}

/// Prints the state of each of these services, or of all in SVDIR, then a line for each event until all supervisors
/// have left.
fn show(names: &Names, named: &[&[u8]], out: &mut Out) -> Result<Exit, Exit> {
    let mut sources = match Conn::to_tree(names) {
        Ok(conn) if named.is_empty() => vec![Source { of: Of::Tree, conn }],
        // Without a tree, or one that is for us, there is another way to each service.
        _ => each(names, named, out)?,
    };
    for source in &mut sources {
        source.conn.send("events");
    }
    loop {
        let mut open = Vec::new();
        for mut source in sources {
            if source.print_all(names, out)? == Connected::Still {
                open.push(source);
            }
        }
        sources = open;
        if sources.is_empty() {
            return Ok(out.exit());
        }
        // Of stdout only an error is of interest: nobody reads it any more.
        let mut watched = vec![watch(fds::stdout().as_raw_fd(), 0)];
        watched.extend(sources.iter().map(|source| watch(source.conn.fd(), POLLIN)));
        wait(&mut watched, LONG);
        if watched[0].revents & POLLERR != 0 {
            return Err(Exit::answer(111, ""));
        }
    }
}

/// Whether more events may come.
#[derive(PartialEq)]
enum Connected {
    Still,
    NoMore,
}

/// A connection for each service.
fn each(names: &Names, named: &[&[u8]], out: &mut Out) -> Result<Vec<Source>, Exit> {
    let services = match named {
        [] => Services::of(names.all(&Known::default())?),
        named => Services::named(names, named),
    };
    services.allow_fds();
    let mut sources = Vec::new();
    for name in &services.names {
        match names.find(name) {
            Ok(place) => match Conn::open(&place) {
                Some(conn) => sources.push(Source { of: Of::Service(place), conn }),
                None => out.failure(&place, &files::no_socket(&place))?,
            },
            Err(failure) => out.not_found(name, &failure)?,
        }
    }
    Ok(sources)
}

impl Source {
    /// Prints all that has come.
    fn print_all(&mut self, names: &Names, out: &mut Out) -> Result<Connected, Exit> {
        loop {
            let end = match self.conn.receive() {
                Received::Line(line) => match Value::parse(&line) {
                    Some(value @ Value::Object(_)) => {
                        self.print_line(&value.into(), names, out)?;
                        continue;
                    }
                    _ => "no answer that can be understood",
                },
                Received::Nothing => return Ok(Connected::Still),
                Received::Unread => "its supervisor has too many clients",
                Received::End => "the supervisor has left",
            };
            let failure = Failure::fails(end);
            match &self.of {
                Of::Service(place) => out.failure(place, &failure)?,
                Of::Tree => out.not_found(names.svdir(), &failure)?,
            }
            return Ok(Connected::NoMore);
        }
    }

    fn print_line(&self, value: &Rc<Value>, names: &Names, out: &mut Out) -> Result<(), Exit> {
        let name = match &self.of {
            Of::Service(place) => &place.name[..],
            Of::Tree => value.get(key::NAME).text().as_bytes(),
        };
        if out.json {
            return print(of_service(name, value).as_bytes());
        }
        if let Some(status) = Status::from_object(value) {
            return match &self.of {
                Of::Service(place) => out.done("", place, &status),
                // What is normal is in the files of its directory, which may be gone again.
                Of::Tree => match names.find_in_svdir(name) {
                    Some(place) => out.done("", &place, &status),
                    None => print(&[&status.line(name, None, out.style.dialect())[..], b"\n"].concat()),
                },
            };
        }
        match value.get(key::ERROR).text() {
            "" => print(format!("{} {}: {}\n", date(value), shown(name), happened(value)).as_bytes()),
            error => out.not_found(name, &Failure::fails(shown(error).to_string())),
        }
    }
}

/// An event in words.
fn happened(event: &Value) -> String {
    let pid = event.get(key::PID).digits();
    let lived = event.get(key::LIVED).digits();
    match event.get(key::EVENT).text() {
        "death" => format!("run (pid {pid}) ended after {lived}s: {}", death(event)),
        "finished" => format!("finish ended: {}", death(event)),
        "finish" => format!("finish started (pid {pid})"),
        "start" => format!("run started (pid {pid})"),
        "setup" => format!("setup started (pid {pid})"),
        "status" => format!("status \"{}\"", shown(event.get(key::STATUS).text())),
        RELOAD_FAILED => format!("{RELOAD_FAILED}: {}", shown(event.get(key::REASON).text())),
        "want" => format!("want {}", shown(event.get(key::WANT).text())),
        "paused" if event.get(key::PAUSED).is_true() => "paused".to_owned(),
        "paused" => "continued".to_owned(),
        "hold" => match (hold(event).as_str(), event.get(key::NEXT).digits()) {
            ("", _) => "not held back any more".to_owned(),
            (hold, "") => shown(hold).to_string(),
            (hold, next) => format!("{}, next start in {next}s", shown(hold)),
        },
        other => shown(other).to_string(),
    }
}

/// When it happened, as `2026-11-22T10:00:00.123Z`.
fn date(event: &Value) -> String {
    let time = event.get(key::TIME);
    let millis = time.digits().split('.').nth(1).unwrap_or("").chars().chain("000".chars()).take(3);
    let millis = number(millis.collect::<String>().as_bytes()).unwrap_or(0);
    String::from_utf8_lossy(Text::<32>::new().date(time.whole(), millis).bytes()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_date() {
        let date = |time: &str| date(&Value::parse(&format!("{{\"time\":{time}}}")).unwrap());
        assert_eq!(date("0"), "1970-01-01T00:00:00.000Z");
        assert_eq!(date("951782400.5"), "2000-02-29T00:00:00.500Z");
        assert_eq!(date("1795341661.123456"), "2026-11-22T10:01:01.123Z");
        assert_eq!(date("4107542399"), "2100-02-28T23:59:59.000Z");
        assert_eq!(date("13574563200"), "2400-02-29T00:00:00.000Z");
    }

    #[test]
    fn events_have_words() {
        for (event, words) in [
            (r#"{"event":"start","pid":7}"#, "run started (pid 7)"),
            (r#"{"event":"setup","pid":7}"#, "setup started (pid 7)"),
            (r#"{"event":"done"}"#, "done"),
            (r#"{"event":"ready","pid":7}"#, "ready"),
            (
                r#"{"event":"death","pid":7,"code":null,"signal":"SEGV","core":true,"lived":3.2}"#,
                "run (pid 7) ended after 3.2s: SIGSEGV (core dumped)",
            ),
            (r#"{"event":"finished","code":0,"signal":null}"#, "finish ended: exit 0"),
            (r#"{"event":"want","want":"down"}"#, "want down"),
            (r#"{"event":"reloaded","pid":7}"#, "reloaded"),
            (
                r#"{"event":"reload failed","pid":7,"reason":"./reload exited 3"}"#,
                "reload failed: ./reload exited 3",
            ),
            (r#"{"event":"paused","paused":false}"#, "continued"),
            (r#"{"event":"hold","hold":"backing off","next":1.5}"#, "backing off, next start in 1.5s"),
            (r#"{"event":"hold","hold":"gave up","next":null}"#, "gave up"),
            (r#"{"event":"hold","hold":null,"needs":null,"next":null}"#, "not held back any more"),
            (r#"{"event":"hold","hold":"waiting for","needs":"db","next":null}"#, "waiting for db"),
            (r#"{"event":"status","pid":7,"status":"3 of 4\u009b1m"}"#, "status \"3 of 4\\xc2\\x9b1m\""),
            (r#"{"event":"new\nthing"}"#, "new\\nthing"),
        ] {
            assert_eq!(happened(&Value::parse(event).unwrap()), words);
        }
    }
}
