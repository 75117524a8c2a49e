//! The loop: looks at the input, has it written to every log directory, and takes it out of the pipe. In each
//! round the pipe comes before the signals, as [`super::requests`] says.

use std::mem;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

use common::input::{Due, Input, More};
use common::signals::{self, ALRM, CHLD, HUP, INT, QUIT, TERM};
use common::{Text, Voice, Words, clock, fds, memory, poll, process};
use nix::sys::stat::fstat;

use super::alerts::Alerts;
use super::batch::{Batch, End};
use super::directory::{Delivered, Directory};
use super::options::{Options, Wanted};
use super::outlets::Outlets;
use super::record::Record;
use super::requests::Requests;
use super::shared::Shared;
use super::site::beside;

/// The signals that mean something to us.
pub(super) const SIGNALS: [i32; 6] = [TERM, INT, QUIT, HUP, ALRM, CHLD];

/// The longest that the exit waits for processors, in milliseconds.
const LAST: u64 = 5000;

/// The consequence of having no record.
const TWICE: &[u8] = b"lines that are being written when svlog is killed may come twice";

/// The next step.
enum Next {
    /// More of the same.
    Work,
    /// To wait for input.
    Input,
    /// To wait until then: there is no going on before.
    Time(u64),
    /// To leave.
    Exit,
}

/// The logger.
pub(super) struct Logger {
    options: Options,
    voice: Voice,
    env: Words,
    signals: OwnedFd,
    input: Input,
    directories: Vec<Directory>,
    record: Option<Record>,
    batch: Option<Batch>,
    /// The input as it is in the pipe, where something is replaced in it.
    raw: Vec<u8>,
    /// Room for what a batch writes, while there is no batch.
    text: Vec<u8>,
    alerts: Alerts,
    outlets: Outlets,
    requests: Requests,
    status: i32,
}

impl Logger {
    /// Opens everything. `None`: there is nothing to log to, which has been reported.
    #[inline(never)] // out of the way of what runs on
    pub(super) fn start(
        options: Options,
        mut outlets: Outlets,
        voice: Voice,
        env: Words,
        signals: OwnedFd,
    ) -> nix::Result<Option<Self>> {
        let mut input = Input::new(options.batch)?;
        let open = |wanted: &Wanted| Directory::open(wanted.path, &wanted.config, voice, options.verbose);
        let mut directories: Vec<Directory> = options.directories.iter().filter_map(open).collect();
        let missing = options.directories.len() - directories.len();
        if missing > 0 && (directories.is_empty() || options.needs_all()) {
            return Ok(None);
        }
        let mut record = None;
        if let Some(first) = directories.first().filter(|_| input.is_pipe()) {
            let pipe = fstat(fds::stdin())?;
            record = Record::open(first.fd(), options.directories.len(), &pipe).unwrap_or_else(|errno| {
                first.voice().unable_so(&[b"make batch"], errno, beside(errno, TWICE));
                None
            });
        }
        if let Some(record) = &mut record {
            record.compare(&mut input);
        }
        for directory in &mut directories {
            if let Err(errno) = directory.start(record.as_mut()) {
                let consequence = beside(errno, b"retrying every second");
                directory.voice().unable_so(&[b"open current"], errno, consequence);
            }
        }
        directories.iter().skip(1).for_each(|directory| Record::discard(directory.fd()));
        if directories.first().is_some_and(|first| first.place().within) {
            outlets.go_on_within();
        }
        if directories.iter().all(Directory::has_started) {
            record.iter_mut().for_each(Record::ready);
        }
        Ok(Some(Self {
            text: Vec::with_capacity(options.batch + options.batch / 4),
            options,
            voice,
            env,
            signals,
            input,
            directories,
            record,
            batch: None,
            raw: Vec::new(),
            alerts: Alerts::default(),
            outlets,
            requests: Requests::default(),
            status: 0,
        }))
    }

    /// Logs until a signal or the end of the input. Returns the exit status.
    pub(super) fn run(mut self) -> i32 {
        let shared = shared(&self.options, &self.env, &self.signals);
        for directory in &mut self.directories {
            directory.process(shared); // what the last one has left
        }
        memory::give_back(); // what only the start has needed
        let mut next = Next::Work;
        loop {
            let (now, due) = self.tick();
            let until = |time: u64| Duration::from_millis(time.saturating_sub(now));
            let (time, wanted) = match next {
                Next::Work => (Some(Duration::ZERO), false),
                Next::Input => (due.map(until).into_iter().chain(self.input.patience()).min(), true),
                Next::Time(then) => (Some(until(due.map_or(then, |due| due.min(then)))), false),
                Next::Exit => return self.leave(),
            };
            self.wait(time, wanted);
            next = self.step();
        }
    }

    /// Has the directories do what is due. Returns the time, and when the next thing is.
    fn tick(&mut self) -> (u64, Option<u64>) {
        let (done, shared) = (self.done(), shared(&self.options, &self.env, &self.signals));
        let directories = self.directories.iter_mut().enumerate();
        (shared.now, directories.filter_map(|(i, directory)| directory.tick(shared, i < done)).min())
    }

    /// Waits for a signal, for input where it is wanted, or for `time` at most; handles signals.
    fn wait(&mut self, time: Option<Duration>, input: bool) {
        let input = if input { self.input.watched() } else { -1 };
        let mut fds = [poll::watch(self.signals.as_raw_fd(), poll::POLLIN), poll::watch(input, poll::POLLIN)];
        // If the kernel has no memory for it, nothing was waited for, and all is checked again.
        if poll::poll_for(&mut fds, time).is_err() || fds[0].revents == 0 {
            return;
        }
        // All that are there: those of one moment are carried out in the order of their kinds.
        while signals::next(self.signals.as_fd()).map(|signal| self.signal(signal)).count() > 0 {}
    }

    /// How many directories, from the first on, have the batch that is still in the pipe.
    fn done(&self) -> usize {
        self.batch.as_ref().map_or(0, Batch::done)
    }

    fn signal(&mut self, signal: i32) {
        if signal == CHLD {
            return self.reap();
        }
        let before = if self.input.is_pipe() { self.input.unread() } else { self.input.bytes().len() };
        match signal {
            HUP => self.requests.reload = Some(before),
            ALRM => self.requests.rotate = Some(before),
            _ if self.requests.leave.is_none() => {
                if self.options.verbose {
                    self.voice.info(&[b"exiting on a signal"]);
                }
                self.requests.leave = Some(before);
            }
            _ => {}
        }
        if self.batch.is_some() {
            self.carry_out_at_once();
        }
    }

    fn reap(&mut self) {
        let shared = shared(&self.options, &self.env, &self.signals);
        // The error is ECHILD: there is none left.
        while let Ok(Some((pid, status))) = process::reap() {
            self.directories.iter_mut().for_each(|directory| directory.ended(pid, status, shared));
        }
    }

    /// Carries out the requests before which nothing is to be written any more. Whether there is a directory
    /// left.
    fn carry_out(&mut self) -> bool {
        if self.requests.reload.take_if(|before| *before == 0).is_some() {
            self.reload();
        }
        if self.requests.rotate.take_if(|before| *before == 0).is_some() {
            self.rotate();
        }
        !self.directories.is_empty() || self.options.directories.is_empty()
    }

    /// Where nothing can be written: what a request asks for may be what helps.
    fn carry_out_at_once(&mut self) {
        // The rest of it has to wait until the batch is written.
        if self.requests.reload.take_if(|before| *before > 0).is_some() {
            self.requests.reload = Some(0);
            self.directories.iter_mut().for_each(Directory::configure);
        }
        if self.requests.rotate.take().is_some() {
            self.rotate();
        }
    }

    fn rotate(&mut self) {
        let (done, shared) = (self.done(), shared(&self.options, &self.env, &self.signals));
        for (i, directory) in self.directories.iter_mut().enumerate() {
            directory.rotate_now(shared, i < done);
        }
    }

    /// Finds out which of the directories can be used now.
    fn reload(&mut self) {
        self.outlets.reload();
        let shared = shared(&self.options, &self.env, &self.signals);
        self.directories.retain_mut(|directory| {
            let usable = directory.reload(shared);
            if !usable && !directory.close() {
                self.status = 111;
            }
            usable
        });
        for Wanted { path, config } in &self.options.directories {
            if !self.directories.iter().any(|directory| directory.is_at(path)) {
                self.directories.extend(Directory::open(path, config, self.voice, self.options.verbose));
            }
        }
    }

    /// Goes on as far as it gets.
    fn step(&mut self) -> Next {
        if self.batch.is_none() {
            if !self.carry_out() {
                self.voice.fatal(&[b"no functional log directories"], None);
                self.status = 111;
                return Next::Exit;
            }
            match self.look() {
                Ok(None) => {}
                // The rest is no whole line: it comes after the request.
                Ok(Some(_)) if self.requests.are_there() => {
                    self.requests.hurry();
                    return Next::Work;
                }
                Ok(Some(next)) => return next,
                Err(errno) => {
                    self.voice.fatal(&[b"read the input"], errno);
                    self.status = 111;
                    return Next::Exit;
                }
            }
        }
        match self.write() {
            // Neither after a request to leave nor at the end of the input does it wait for room.
            Some(_) if self.requests.leave.is_some() || self.input.has_ended() => Next::Exit,
            Some(then) => {
                self.carry_out_at_once();
                Next::Time(then)
            }
            None => Next::Work,
        }
    }

    /// Looks for a batch. `None`: there is one.
    fn look(&mut self) -> nix::Result<Option<Next>> {
        if self.requests.leave == Some(0) {
            return Ok(Some(Next::Exit));
        }
        let more = if self.requests.leave.is_some() { More::NotAwaited } else { More::Awaited };
        let (seen, end) = match self.input.due(more)? {
            Due::Lines(seen) => (seen, End::Plain),
            Due::Unended(seen) => (seen, End::Unended),
            Due::Nothing => return Ok(Some(Next::Input)),
            Due::Over => return Ok(Some(Next::Exit)),
        };
        self.plan(seen, end);
        Ok(None)
    }

    /// Makes a batch of the first `seen` bytes, or as many of them as are one.
    fn plan(&mut self, seen: usize, end: End) {
        let Self { options, env, signals, input, directories, record, batch, raw, text, outlets, .. } = self;
        let shared = shared(options, env, signals);
        let bytes = &mut input.bytes()[..seen];
        raw.clear();
        if options.replaces() {
            raw.extend_from_slice(bytes);
        }
        options.replace(bytes);
        let stamp = shared.stamp.text(clock::wall());
        let new = Batch::plan(bytes, end, stamp, mem::take(text), directories, record.as_mut(), shared);
        if let Some(Err(errno)) = record.as_ref().map(Record::check) {
            self.voice.unable_so(&[b"use batch"], errno, TWICE);
            *record = None;
        }
        if let Some(record) = record {
            let bytes = if raw.is_empty() { bytes } else { raw };
            record.begin(&bytes[..new.length()]);
        }
        outlets.pass_on(&input.bytes()[..new.length()], new.stamp(), shared.signals);
        *batch = Some(new);
    }

    /// Writes the batch to the directories that do not have it yet, and takes it out of the pipe. Where it
    /// cannot be written: the time at which that is tried again.
    fn write(&mut self) -> Option<u64> {
        let Self { options, env, signals, input, directories, record, batch, alerts, .. } = self;
        let shared = shared(options, env, signals);
        let writing = batch.as_mut()?;
        let length = writing.length();
        let bytes = &input.bytes()[..length];
        while let Some(directory) = directories.get_mut(writing.done()) {
            if let Delivered::Stuck(then) =
                writing.write_to(directory, bytes, record.as_mut(), alerts, shared)
            {
                return Some(then);
            }
        }
        if let Err(errno) = input.consume(length, record.as_mut().map(Record::mark)) {
            self.voice.unable_so(
                &[b"remove the batch from the pipe"],
                errno,
                b"another process reads from it",
            );
        }
        record.iter_mut().for_each(Record::end);
        for directory in directories {
            directory.after_batch(shared);
        }
        self.text = batch.take().map(Batch::into_text).unwrap_or_default();
        self.requests.written(length);
        None
    }

    /// Closes all cleanly. Returns the exit status.
    #[inline(never)] // out of the way too
    fn leave(mut self) -> i32 {
        let asked = self.requests.leave.replace(0).is_some();
        self.wait_for_processors();
        self.outlets.write();
        let shared = shared(&self.options, &self.env, &self.signals);
        let within = self.directories.iter().any(|directory| directory.place().within);
        // Where a line goes on in the pipe, the next logger has to know where it was.
        let goes_on =
            self.batch.is_none() && within && !self.input.is_closed() && !self.input.is_only_reader();
        for directory in &mut self.directories {
            if self.batch.is_none() && !goes_on {
                directory.end_line();
            }
            // It is closed whatever its log can say.
            let said = directory.report_dropped(shared);
            if !directory.close() || !said {
                self.status = 111;
            }
        }
        if self.batch.is_some() {
            self.leave_batch(asked);
        } else if let Some(record) = self.record.filter(|_| !goes_on) {
            record.remove();
        }
        self.status
    }

    fn wait_for_processors(&mut self) {
        let end = clock::monotonic() + LAST;
        loop {
            let shared = shared(&self.options, &self.env, &self.signals);
            let run = |directory: &mut Directory| directory.process_unless_failed(shared);
            let running = self.directories.iter_mut().map(run).filter(|running| *running).count();
            if running == 0 || shared.now >= end {
                return;
            }
            self.wait(Some(Duration::from_millis(end - shared.now)), false);
        }
    }

    /// Where the pipe goes on, the next logger writes the batch: some of the directories may have it already, so
    /// that the record stays. A signal that `asked` to leave counts on that; at the end of the input there may
    /// be none.
    fn leave_batch(&mut self, asked: bool) {
        let goes_on = !self.input.is_only_reader();
        if goes_on && asked {
            return;
        }
        let mut text = Text::<96>::new();
        text.number(self.input.unread().max(self.input.bytes().len()) as u64);
        text.add(" bytes could not be written; ");
        text.add(if goes_on { "they stay in the pipe for another reader" } else { "they are lost" });
        self.voice.warning(&[text.bytes()]);
        self.status = 111;
    }
}

fn shared<'a>(options: &Options, env: &'a Words, signals: &'a OwnedFd) -> Shared<'a> {
    let (stamp, length) = (options.stamp, options.length);
    Shared { now: clock::monotonic(), env, signals: signals.as_fd(), stamp, length }
}
