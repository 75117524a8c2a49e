//! The lines for people.

use std::time::Instant;

use common::clock::local_time;
use common::supervise::key;
use nix::errno::Errno;

use super::{LINES, Whole};
use crate::svctl::amounts::{age, cpu, size};
use crate::svctl::list::tree;
use crate::svctl::names::Names;
use crate::svctl::processes::command;
use crate::svctl::screen::{Screen, width};
use crate::svctl::status::Status;

/// How wide the words in front are.
const LABELS: usize = 10;

/// The lines, as they are made.
struct Page<'a> {
    screen: &'a Screen,
    text: String,
}

impl Page<'_> {
    /// Adds lines with a word in front of the first; nothing where there is none. What does not fit goes on in a next line.
    fn add(&mut self, label: &str, lines: impl IntoIterator<Item = String>) {
        let lines: Vec<String> = lines
            .into_iter()
            .flat_map(|line| match self.room() {
                Some(room) => fold(&line, room),
                None => vec![line],
            })
            .collect();
        self.put(label, &lines);
    }

    /// The same, but what does not fit is cut off.
    fn add_cut(&mut self, label: &str, lines: &[String]) {
        let room = self.room().unwrap_or(usize::MAX);
        let cut = |line: &String| self.screen.cut(line, room).into_owned();
        self.put(label, &lines.iter().map(cut).collect::<Vec<_>>());
    }

    /// How wide a line may be.
    fn room(&self) -> Option<usize> {
        self.screen.columns().map(|columns| columns.saturating_sub(LABELS + 2).max(20))
    }

    fn put(&mut self, label: &str, lines: &[String]) {
        for (at, line) in lines.iter().enumerate() {
            let (label, colon) = if at == 0 { (label, ":") } else { ("", " ") };
            self.text.push_str(format!("{label:>LABELS$}{colon} {line}").trim_end());
            self.text.push('\n');
        }
    }
}

impl Whole {
    /// All of it, in lines for people.
    pub(super) fn page(&self, names: &Names, screen: &Screen) -> String {
        let now = Instant::now();
        let (state, colour) = self.seen.words(screen, now);
        let mut page = Page { screen, text: String::new() };
        let status = self.seen.state.as_ref().ok();
        let name = screen.text(&self.seen.name);
        page.text.extend([&name, ": ", &screen.coloured(&state, colour)]);
        if let Some(status) = status {
            page.text.push_str(&since(status, self.seen.seconds(now).unwrap_or(0)));
        }
        page.text.push('\n');
        page.add("directory", [screen.text(&self.path)]);
        self.add_state(&mut page, names, now);
        self.add_processes(&mut page);
        let need = |need: &crate::svctl::seen::Seen| {
            let (state, _) = need.words(screen, now);
            let ready = match need.state.as_ref().ok().and_then(|status| status.ready) {
                Some(true) => ", ready",
                Some(false) => ", not ready",
                None => "",
            };
            format!("{} ({state}{ready})", screen.text(&need.name))
        };
        page.add("needs", self.needs.iter().map(need));
        page.add("needed by", self.needed_by.iter().map(|name| screen.text(name)));
        let width = self.rules.iter().map(|rule| rule.file.len()).max().unwrap_or(0);
        page.add(
            "rules",
            self.rules.iter().map(|rule| {
                let from = if rule.set { "file" } else { "default" };
                format!("{:<width$}  {}  ({from})", rule.file, rule.value)
            }),
        );
        match &self.deaths {
            Ok(deaths) => page.add("deaths", deaths.iter().map(|line| screen.text(line))),
            Err(Errno::ENOENT) => {}
            Err(errno) => page.add("deaths", [unable(*errno)]),
        }
        match &self.log {
            Ok(lines) => page.add("log", lines.iter().map(|line| screen.text(line))),
            Err(Errno::ENOENT) => {
                page.add("log", [format!("svctl-log, which shows the last {LINES} lines, is not there")]);
            }
            Err(errno) => page.add("log", [unable(*errno)]),
        }
        page.text
    }

    fn add_state(&self, page: &mut Page, names: &Names, now: Instant) {
        let screen = page.screen;
        let enabled = match self.seen.enabled {
            Some(true) => "yes".to_owned(),
            Some(false) => "no, there is a file down".to_owned(),
            None => format!("not known: it is not in {}", screen.text(names.svdir())),
        };
        page.add("enabled", [enabled]);
        let Ok(status) = &self.seen.state else { return };
        let said = |key| status.said.get(key).text();
        let want = match said(key::WANT) {
            "" => None,
            want => Some(screen.text(want)),
        };
        page.add("wanted", want);
        page.add("ready", status.ready.map(|ready| if ready { "yes" } else { "no" }.to_owned()));
        page.add(
            "status",
            Some(said(key::STATUS)).filter(|text| !text.is_empty()).map(|text| screen.text(text)),
        );
        page.add("next start", self.seen.next(now).map(|next| format!("in {}", age(next))));
        let restarts = status.said.get(key::RESTARTS).digits();
        let loops = if status.is_crash_loop() { ", crash loop" } else { "" };
        page.add("restarts", Some(format!("{restarts}{loops}")).filter(|_| !restarts.is_empty()));
        let supervisor = status.supervisor();
        // It may have left meanwhile.
        let of_supervisor = command(supervisor).unwrap_or_default().line();
        let line = format!("{supervisor} {}", screen.text(of_supervisor));
        page.add("supervisor", Some(line.trim_end().to_owned()).filter(|_| supervisor != 0));
    }

    fn add_processes(&self, page: &mut Page) {
        let screen = page.screen;
        if let Some(usage) = &self.usage {
            page.add_cut("processes", &tree(usage, screen));
            page.add("memory", [size(usage.memory)]);
            page.add("cpu", [cpu(usage.cpu)]);
            page.add("cgroup", usage.cgroup.as_ref().map(|path| screen.text(path)));
        } else {
            let pid = self.seen.state.as_ref().map_or(0, |status| status.pid);
            page.add("pid", Some(pid.to_string()).filter(|_| pid != 0));
        }
        match &self.sockets {
            Ok(sockets) => page.add(
                "listens",
                sockets.iter().map(|socket| {
                    format!("{} {} (pid {})", socket.kind, screen.text(&socket.address), socket.pid)
                }),
            ),
            Err(errno) => page.add("listens", [unable(*errno)]),
        }
    }
}

/// A text in lines of so many columns, broken at blanks where that is possible; those behind the first stand further in.
fn fold(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_inclusive(' ') {
        let used = lines.last().map_or(0, |line| width(line));
        if used > 2 && used + width(word.trim_end()) > columns {
            lines.push("  ".to_owned());
        }
        for character in word.chars() {
            let line = lines
                .last_mut()
                .filter(|line| width(line) + width(character.encode_utf8(&mut [0; 4])) <= columns);
            match line {
                Some(line) => line.push(character),
                None if character == ' ' => {}
                None => lines.push(format!("  {character}")),
            }
        }
    }
    lines.iter().map(|line| line.trim_end().to_owned()).collect()
}

/// Since when it is so, in local time, and for how long.
fn since(status: &Status, seconds: u64) -> String {
    let since: u64 = status.said.get(key::SINCE).whole();
    let local = i64::try_from(since).ok().filter(|since| *since != 0).and_then(local_time);
    local.map_or_else(
        || format!(" for {}", age(seconds)),
        |at| {
            let (month, minute) = (at.month + 1, at.minute);
            let date = format!(
                "{:04}-{month:02}-{:02} {:02}:{minute:02}:{:02}",
                at.year, at.day, at.hour, at.second
            );
            format!(" since {date}, for {}", age(seconds))
        },
    )
}

fn unable(errno: Errno) -> String {
    format!("unable to look: {}", common::exit::reason(errno))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_goes_on_below() {
        for (text, lines) in [
            ("short", vec!["short"]),
            ("", vec![""]),
            ("one two three four", vec!["one two", "  three", "  four"]),
            ("a-word-that-is-longer", vec!["a-word-tha", "  t-is-lon", "  ger"]),
            ("a  b", vec!["a  b"]),
            ("日本語日本語", vec!["日本語日本", "  語"]),
        ] {
            assert_eq!(fold(text, 10), lines);
        }
    }
}
