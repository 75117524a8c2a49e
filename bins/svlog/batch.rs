//! A batch: bytes of the input that are being written, to one directory after the other.

use common::Text;

use super::alerts::Alerts;
use super::directory::{Delivered, Directory};
use super::lines::Place;
use super::record::Record;
use super::shared::Shared;

/// The end of a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum End {
    /// That of a line, or of a piece of a line that goes on.
    Plain,
    /// That of the last line, which the input does not end: it is ended in the log.
    Unended,
}

/// A batch.
#[derive(Debug)]
pub(super) struct Batch {
    /// How many bytes of the input.
    length: usize,
    end: End,
    stamp: Text<32>,
    /// How many directories have it; it is the turn of the next one.
    done: usize,
    stage: Stage,
    /// The text for the directory whose turn it is.
    text: Vec<u8>,
}

/// How far it has come in the directory whose turn it is.
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// The directory is to be prepared, and the text to be made.
    Due,
    /// The preparation has this result, and the text is made but for alerts; the log is at this place after it.
    Made(nix::Result<()>, Place),
    /// The text is whole, and could not be written: the directory is to be prepared again.
    Tried(Place),
}

impl Batch {
    /// Decides how much of `input` is one batch: no rotation falls into it. `text` is room for the text.
    pub(super) fn plan(
        input: &[u8],
        end: End,
        stamp: Text<32>,
        text: Vec<u8>,
        directories: &mut [Directory],
        mut record: Option<&mut Record>,
        shared: Shared,
    ) -> Self {
        let mut new = Self { length: input.len(), end, stamp, done: 0, stage: Stage::Due, text };
        let alone = directories.len() == 1;
        for directory in directories {
            let prepared = directory.prepare(shared, record.as_deref_mut());
            if prepared.is_err() && !alone {
                continue;
            }
            new.text.clear();
            let room = new.text.capacity();
            let enough = |bytes, place| directory.is_enough(bytes, place, shared);
            let maker = directory.maker(new.stamp.bytes(), shared.length);
            let input = &input[..new.length];
            let (length, after) = maker.make(directory.place(), input, room, enough, &mut new.text);
            new.length = length;
            if alone {
                new.stage = Stage::Made(prepared, after);
            }
        }
        if new.length < input.len() {
            new.end = End::Plain;
        }
        new
    }

    /// How many bytes of the input.
    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// The stamp of its lines.
    pub(super) fn stamp(&self) -> &[u8] {
        self.stamp.bytes()
    }

    /// How many directories, from the first on, have it.
    pub(super) fn done(&self) -> usize {
        self.done
    }

    /// The room for the text of the next batch.
    pub(super) fn into_text(self) -> Vec<u8> {
        self.text
    }

    /// Writes it, these bytes of the input, to the directory whose turn it is.
    pub(super) fn write_to(
        &mut self,
        directory: &mut Directory,
        bytes: &[u8],
        mut record: Option<&mut Record>,
        alerts: &mut Alerts,
        shared: Shared,
    ) -> Delivered {
        let prepared = match self.stage {
            Stage::Made(prepared, _) => prepared,
            Stage::Due | Stage::Tried(_) => directory.prepare(shared, record.as_deref_mut()),
        };
        let after = match self.stage {
            Stage::Due => {
                let after = self.make(directory, bytes, shared);
                self.complete(directory, bytes, after, alerts, shared)
            }
            Stage::Made(_, after) => self.complete(directory, bytes, after, alerts, shared),
            Stage::Tried(after) => after,
        };
        let entry = directory.entry(self.text.len(), after);
        if let Some(record) = record.as_deref_mut() {
            record.file(directory.id(), entry);
        }
        let delivered = directory.deliver(prepared, &self.text, after, shared);
        match (delivered, record) {
            (Delivered::Done, Some(record)) => {
                record.wrote(directory.id(), directory.size().saturating_sub(entry.offset));
            }
            (Delivered::Stuck(_), Some(record)) => record.forget(directory.id()),
            _ => {}
        }
        if let Delivered::Done = delivered {
            self.done += 1;
            self.stage = Stage::Due;
        } else {
            self.stage = Stage::Tried(after);
        }
        delivered
    }

    /// Makes the text, all of it. Returns where the log is after it.
    fn make(&mut self, directory: &Directory, bytes: &[u8], shared: Shared) -> Place {
        self.text.clear();
        let maker = directory.maker(self.stamp.bytes(), shared.length);
        maker.make(directory.place(), bytes, usize::MAX / 2, |_, _| false, &mut self.text).1
    }

    /// Ends the last line, and passes on the lines that go elsewhere. Returns where the log is after the text.
    fn complete(
        &mut self,
        directory: &Directory,
        bytes: &[u8],
        mut after: Place,
        alerts: &mut Alerts,
        shared: Shared,
    ) -> Place {
        if self.end == End::Unended && after.within {
            if after.selected {
                self.text.push(b'\n');
            }
            after.within = false;
        }
        let maker = directory.maker(self.stamp.bytes(), shared.length);
        if maker.alerts() {
            alerts.pass_on(&maker, directory.place().within, bytes, shared.signals);
            if !after.within {
                alerts.move_unsent(&mut self.text); // never into the middle of a line
            }
        }
        after
    }
}
