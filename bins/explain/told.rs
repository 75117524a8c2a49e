//! What the process that applies the links tells the one that prints: records in a pipe.

use std::ffi::CStr;
use std::os::fd::RawFd;

use common::state::{Item, KEYS, State};
use common::{Env, fds};

/// What is inherited: the state, and the entries of the environment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Inherited {
    pub(super) state: State,
    pub(super) env: Vec<Vec<u8>>,
}

impl Inherited {
    /// The value of the first variable of this name.
    pub(super) fn variable(&self, name: &str) -> Option<&[u8]> {
        let is =
            |entry: &&Vec<u8>| entry.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.starts_with(b"="));
        self.env.iter().find(is).map(|entry| &entry[name.len() + 1..])
    }
}

/// What became of a file that is to be executed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Found {
    /// 0 if it would be executed.
    pub(super) status: i32,
    /// The words of the program.
    pub(super) words: Vec<Vec<u8>>,
    /// The file, empty if there is none.
    pub(super) file: Vec<u8>,
    /// What was seen of it: a sentence.
    pub(super) seen: String,
    /// The last of its interpreters, if it is a script; else the file itself.
    pub(super) runs: Vec<u8>,
    /// Whether it was compiled from Go.
    pub(super) is_go: bool,
    /// Whether it is set-id or has capabilities.
    pub(super) gives_rights: bool,
}

#[derive(Debug, PartialEq)]
pub(super) enum Record {
    /// The state as it is now.
    Inherited(Inherited),
    /// A link was applied, with these words, and this root directory if it has changed that.
    Applied { words: Vec<Vec<u8>>, root: Vec<u8> },
    /// Something to say.
    Note(String),
    /// A link has failed.
    Failed { words: Vec<Vec<u8>>, text: String, hint: String, status: i32 },
    /// There are no more links.
    Found(Found),
}

impl Record {
    fn parts(self) -> (u8, Vec<Vec<u8>>) {
        match self {
            Self::Inherited(Inherited { state, env }) => {
                let mut parts = vec![state.0.len().to_string().into_bytes()];
                parts.extend(
                    state.0.into_iter().flat_map(|Item { key, part, value }| [key.into(), part, value]),
                );
                parts.extend(env);
                (b'S', parts)
            }
            Self::Applied { words, root } => (b'L', [vec![root], words].concat()),
            Self::Note(text) => (b'N', vec![text.into_bytes()]),
            Self::Failed { words, text, hint, status } => {
                (b'E', [vec![text.into(), hint.into(), status.to_string().into()], words].concat())
            }
            Self::Found(found) => {
                let truth = |truth| if truth { b"y".to_vec() } else { Vec::new() };
                let parts = vec![
                    found.status.to_string().into(),
                    found.file,
                    found.seen.into(),
                    found.runs,
                    truth(found.is_go),
                    truth(found.gives_rights),
                ];
                (b'P', [parts, found.words].concat())
            }
        }
    }

    fn of(tag: u8, parts: &[Vec<u8>]) -> Option<Self> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let number = |bytes: &[u8]| text(bytes).parse::<i32>().ok();
        Some(match (tag, parts) {
            (b'S', [count, parts @ ..]) => {
                let (items, env) =
                    parts.split_at_checked(text(count).parse::<usize>().ok()?.checked_mul(3)?)?;
                let items = items.chunks_exact(3).filter_map(|item| {
                    let (key, _) = KEYS.iter().find(|(key, _)| key.as_bytes() == item[0])?;
                    Some(Item { key, part: item[1].clone(), value: item[2].clone() })
                });
                Self::Inherited(Inherited { state: State(items.collect()), env: env.to_vec() })
            }
            (b'L', [root, words @ ..]) => Self::Applied { words: words.to_vec(), root: root.clone() },
            (b'N', [note]) => Self::Note(text(note)),
            (b'E', [said, hint, status, words @ ..]) => Self::Failed {
                words: words.to_vec(),
                text: text(said),
                hint: text(hint),
                status: number(status)?,
            },
            (b'P', [status, file, seen, runs, is_go, gives_rights, words @ ..]) => Self::Found(Found {
                status: number(status)?,
                words: words.to_vec(),
                file: file.clone(),
                seen: text(seen),
                runs: runs.clone(),
                is_go: !is_go.is_empty(),
                gives_rights: !gives_rights.is_empty(),
            }),
            _ => return None,
        })
    }

    /// The record as it is sent: the tag, how many parts there are, and each with its length.
    fn bytes(self) -> Vec<u8> {
        let (tag, parts) = self.parts();
        let length = |of: usize| u32::try_from(of).unwrap_or(u32::MAX).to_le_bytes();
        let mut bytes = vec![tag];
        bytes.extend(length(parts.len()));
        for part in parts {
            bytes.extend(length(part.len()));
            bytes.extend(part);
        }
        bytes
    }

    /// Sends it. Where that fails nobody is there to be told.
    pub(super) fn send(self, to: RawFd) {
        let _ = fds::write_all(to, &self.bytes());
    }

    /// Takes the first record out of what was received, if all of it is there.
    pub(super) fn take(received: &mut Vec<u8>) -> Option<Self> {
        let mut at = 1;
        let length = |at: &mut usize| {
            let bytes = received.get(*at..*at + 4)?;
            *at += 4;
            usize::try_from(u32::from_le_bytes(bytes.try_into().ok()?)).ok()
        };
        let count = length(&mut at)?;
        let mut parts = Vec::new();
        for _ in 0..count {
            let size = length(&mut at)?;
            parts.push(received.get(at..at.checked_add(size)?)?.to_vec());
            at += size;
        }
        let tag = received[0];
        received.drain(..at);
        Some(Self::of(tag, &parts).unwrap_or(Self::Note("what was told cannot be read".into())))
    }
}

/// The entries of an environment.
pub(super) fn entries(env: &Env) -> Vec<Vec<u8>> {
    let mut entries = Vec::new();
    env.each(|entry: &CStr| entries.push(entry.to_bytes().to_vec()));
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_received_piece_by_piece() {
        let words = || vec![b"nice".to_vec(), b"".to_vec(), vec![0xff; 300]];
        let item = Item { key: "fd", part: b"3".to_vec(), value: b"read\t\t/x\t".to_vec() };
        let inherited = Inherited { state: State(vec![item]), env: vec![b"A=b".to_vec()] };
        let records = || {
            [
                Record::Inherited(inherited.clone()),
                Record::Applied { words: words(), root: b"/srv".to_vec() },
                Record::Note("x".into()),
                Record::Failed { words: words(), text: "t".into(), hint: String::new(), status: 111 },
                Record::Found(Found { status: 127, words: words(), is_go: true, ..Found::default() }),
            ]
        };
        let bytes: Vec<u8> = records().into_iter().flat_map(Record::bytes).collect();
        let (mut received, mut taken) = (Vec::new(), Vec::new());
        for byte in bytes {
            received.push(byte);
            taken.extend(Record::take(&mut received));
        }
        assert_eq!(taken, records());
        assert_eq!(received, []);
    }
}
