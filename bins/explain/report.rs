//! What is printed: a line for each link, one for the program, and the traps.

use common::shown;
use common::state::UNKNOWN;
use nix::errno::Errno;

use super::difference;
use super::script::Script;
use super::told::{Found, Inherited, Record};
use super::traps::{self, Seen, Step};

/// What has come so far.
#[derive(Default)]
pub(super) struct Report {
    /// Whether the whole state at the end is asked for.
    pub(super) whole: bool,
    seen: Seen,
    /// The state before the link that is applied now.
    before: Option<Inherited>,
    /// A link whose state is still to come, and the root directory that it has changed to.
    pending: Option<(Vec<Vec<u8>>, Vec<u8>)>,
    root: Vec<u8>,
    status: Option<i32>,
    /// Lines that stand in front of all.
    notes: String,
}

impl Report {
    /// Says what is known of a script.
    pub(super) fn script(&mut self, name: &str, script: &Script) {
        let line = script.line.to_string();
        self.notes.extend([name, ": line ", &line, ": ", &words(&script.words), "\n"]);
        if script.conditional {
            self.notes.push_str("note: that line is executed under a condition, which is taken for true\n");
        }
        for (line, text) in &script.left_out {
            self.notes.extend([
                "note: line ",
                &line.to_string(),
                " is not run: ",
                &shown(text.as_bytes()).to_string(),
                "\n",
            ]);
        }
    }

    /// The lines that a record makes.
    pub(super) fn take(&mut self, record: Record) -> String {
        let mut text = std::mem::take(&mut self.notes);
        match record {
            Record::Note(note) => text.extend(["note: ", &note, "\n"]),
            Record::Applied { words, root } => self.pending = Some((words, root)),
            Record::Inherited(now) => self.inherited(now, &mut text),
            Record::Failed { words: failed, text: why, hint, status } => {
                self.status = Some(status);
                if !failed.is_empty() {
                    text.extend([&words(&failed), ": "]);
                }
                text.extend([if status == 0 { "" } else { "fails: " }, why.trim_end(), "\n"]);
                if !hint.is_empty() {
                    text.extend(["hint: ", &hint, "\n"]);
                }
                let before = self.before.clone().unwrap_or_default();
                self.seen.steps.push(Step {
                    words: failed,
                    after: before.clone(),
                    before,
                    failed: Some(why),
                });
            }
            Record::Found(found) => {
                self.status = Some(found.status);
                self.seen.program = Some(found);
            }
        }
        text
    }

    fn inherited(&mut self, mut now: Inherited, text: &mut String) {
        if let Some(before) = &self.before {
            keep_locks(before, &mut now);
        }
        let before = self.before.replace(now.clone());
        self.seen.last = now.clone();
        let (Some(before), pending) = (before, self.pending.take()) else { return };
        let (words_of, root) = pending.clone().unwrap_or_default();
        if !root.is_empty() {
            self.root = [&self.root[..], if root.starts_with(b"/") { b"" } else { b"/" }, &root].concat();
        }
        let mut changes = difference::between(&before, &now, &root);
        let name = words_of.first().map(|word| word.rsplit(|byte| *byte == b'/').next().unwrap_or(word));
        if name == Some(b"landlock") {
            changes.push("confined by landlock, which nothing shows".into());
        }
        match pending {
            Some(_) => {
                let changes =
                    if changes.is_empty() { "changes nothing".to_owned() } else { changes.join("; ") };
                text.extend([&words(&words_of), ": ", &changes, "\n"]);
                self.seen.steps.push(Step { words: words_of, before, after: now, failed: None });
            }
            None if changes.is_empty() => {}
            None => text.extend(["then, by the exec: ", &changes.join("; "), "\n"]),
        }
    }

    /// The last lines, and the status that the chain would have ended with. `how` says what became of the child.
    pub(super) fn end(mut self, how: &str) -> (String, i32) {
        let mut text = std::mem::take(&mut self.notes);
        if let Some((applied, _)) = &self.pending {
            text.extend([&words(applied), ": is applied, and what it leaves is not told\n"]);
        }
        let Some(status) = self.status else {
            text.extend(["what comes then is not known: the process ", how, "\n"]);
            return (text, 111);
        };
        if let Some(found) = &self.seen.program {
            text.push_str(&self.program(found));
        }
        self.seen.denied = common::exit::reason(Errno::EACCES).to_string();
        for trap in traps::all(&self.seen) {
            text.extend(["warning: ", &trap, "\n"]);
        }
        if self.whole && self.seen.program.is_some() {
            text.push_str(&self.seen.last.state.lines());
            for entry in &self.seen.last.env {
                text.extend(["env ", &shown(entry).to_string(), "\n"]);
            }
        }
        (text, status)
    }

    fn program(&self, found: &Found) -> String {
        let mut text = [&words(&found.words), ": "].concat();
        if found.status != 0 {
            text.extend(["would not be executed: ", &found.seen, "\n"]);
            return text;
        }
        let id = |key| {
            shown(self.seen.last.state.get(key, "").split(|byte| *byte == b' ').nth(1).unwrap_or_default())
                .to_string()
        };
        text.extend(["would be executed: ", &shown(&found.file).to_string()]);
        text.extend([", as uid ", &id("uid"), ", gid ", &id("gid")]);
        if !self.root.is_empty() {
            text.extend([", in the root ", &shown(&self.root).to_string()]);
        }
        text.extend([", ", &found.seen, "\n"]);
        text
    }
}

/// Where the files in /proc may not be read any more, as under a landlock, nobody knows of a lock; that of a fd that is
/// still the same is not lost.
fn keep_locks(before: &Inherited, now: &mut Inherited) {
    if now.state.get("oom", "").first() != Some(&UNKNOWN) {
        return;
    }
    let without = |value: &[u8]| {
        let words = value.split(|byte| matches!(byte, b'\t' | b' ')).filter(|word| *word != b"locked");
        words.filter(|word| !word.is_empty()).map(<[u8]>::to_vec).collect::<Vec<_>>()
    };
    for item in now.state.0.iter_mut().filter(|item| item.key == "fd") {
        let old = before.state.0.iter().find(|old| old.key == "fd" && old.part == item.part);
        if let Some(old) = old.filter(|old| without(&old.value) == without(&item.value)) {
            item.value.clone_from(&old.value);
        }
    }
}

/// Words as a shell would take them, shortened.
fn words(words: &[Vec<u8>]) -> String {
    const MOST: usize = 72;
    let mut text = String::new();
    for (place, word) in words.iter().enumerate() {
        let plain =
            |byte: &u8| byte.is_ascii_alphanumeric() || b"-_./:=+,%@^!".contains(byte) || *byte >= 0x80;
        let quote = if !word.is_empty() && word.iter().all(plain) { "" } else { "'" };
        text.extend([if place == 0 { "" } else { " " }, quote, &shown(word).to_string(), quote]);
        if text.chars().count() > MOST && place + 1 < words.len() {
            text.push_str(" ...");
            break;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::state::{Item, State};

    #[test]
    fn a_lock_is_not_lost_where_it_cannot_be_seen() {
        let of = |oom: &str, fd: &str| {
            let item = |key, part: &str, value: &str| Item { key, part: part.into(), value: value.into() };
            Inherited { state: State(vec![item("oom", "", oom), item("fd", "3", fd)]), env: Vec::new() }
        };
        let kept = |oom, before, now| {
            let mut now = of(oom, now);
            keep_locks(&of("0", before), &mut now);
            String::from_utf8(now.state.get("fd", "3").to_vec()).unwrap()
        };
        let (locked, other, free) =
            ("write\tnonblocking locked\t/x\t", "write\t\t/y\t", "write\tnonblocking\t/x\t");
        assert_eq!(kept("?denied", locked, free), locked);
        assert_eq!(kept("0", locked, free), free);
        assert_eq!(kept("?denied", locked, other), other);
        assert_eq!(kept("?denied", free, free), free);
    }

    #[test]
    fn words_are_quoted_and_shortened() {
        let of = |text: &[&str]| words(&text.iter().map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>());
        assert_eq!(of(&["nginx", "-g", "daemon off;", ""]), "nginx -g 'daemon off;' ''");
        assert!(of(&["x"; 100]).ends_with(" x ..."));
    }
}
