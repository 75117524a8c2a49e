//! The loop: looks at what has come in, has it written to every log directory, and takes it out of the pipe. Of
//! what arrives in one round the pipe comes before the signals, as [`Orders`] says.

use std::net::UdpSocket;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use common::input::{Input, Look, Room};
use common::signals::{self, ALRM, CHLD, HUP, INT, QUIT, TERM};
use common::voice::say;
use common::{Text, Voice, Words, clock, memory, poll, process};
use nix::errno::Errno;
use nix::sys::stat::fstat;

use super::Options;
use super::entrance::{beside, unable};
use super::folder::{Common, Delivered, Folder};
use super::lines::Place;
use super::orders::Orders;
use super::record::Record;

/// The signals that mean something to us.
pub(super) const SIGNALS: [i32; 6] = [TERM, INT, QUIT, HUP, ALRM, CHLD];

/// The longest that the exit waits for processors, in milliseconds.
const LAST: u64 = 5000;

/// What has been seen and is being written.
#[derive(Debug)]
struct Batch {
    /// How many bytes of the input.
    end: usize,
    /// It ends in a line that nobody will end any more.
    finish: bool,
    stamp: Text<32>,
    /// The folder that it is written to now.
    folder: usize,
    /// What is wrong there.
    fault: Option<Errno>,
    /// Where that is in a line behind it, once `out` is what it gets.
    after: Option<Place>,
    /// A try has failed.
    again: bool,
}

/// What is to be done next.
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
    folders: Vec<Folder>,
    record: Option<Record>,
    batch: Option<Batch>,
    /// What has been seen as it is in the pipe, where something is replaced in it.
    raw: Vec<u8>,
    out: Vec<u8>,
    text: Vec<u8>,
    /// What is to be said in the log of lines that could not be sent.
    unsent: Vec<u8>,
    udp: Option<UdpSocket>,
    orders: Orders,
    status: i32,
}

impl Logger {
    /// Opens everything. `None` where there is nothing to log to, which has been told.
    #[inline(never)] // out of the way of what runs on
    pub(super) fn start(
        options: Options,
        voice: Voice,
        env: Words,
        signals: OwnedFd,
    ) -> nix::Result<Option<Self>> {
        let mut input = Input::new(options.batch)?;
        let open = |path: &&'static std::ffi::CStr| Folder::open(path, voice, options.loud);
        let mut folders: Vec<Folder> = options.folders.iter().filter_map(open).collect();
        let Some(first) = folders.first() else { return Ok(None) };
        let mut record = None;
        if input.is_pipe() {
            record = Record::open(first.fd(), options.folders.len(), &fstat(common::fds::stdin())?)
                .unwrap_or_else(|errno| {
                    let so = beside(errno, "what is written when svlog is killed may come twice");
                    unable(first.voice(), "make batch", errno, so);
                    None
                });
        }
        if let Some(record) = &mut record {
            record.compare(&mut input);
        }
        for folder in &mut folders {
            if let Err(errno) = folder.start(record.as_mut()) {
                unable(folder.voice(), "open current", errno, beside(errno, "it is tried again"));
            }
        }
        folders.iter().skip(1).for_each(|folder| Record::discard(folder.fd()));
        if folders.iter().all(|folder| folder.started) {
            record.iter_mut().for_each(Record::ready);
        }
        let out = Vec::with_capacity(options.batch + options.batch / 4);
        let (raw, text, unsent) = (Vec::new(), Vec::new(), Vec::new());
        let (batch, udp, orders, status) = (None, None, Orders::default(), 0);
        Ok(Some(Self {
            options,
            voice,
            env,
            signals,
            input,
            folders,
            record,
            batch,
            raw,
            out,
            text,
            unsent,
            udp,
            orders,
            status,
        }))
    }

    /// Logs until it is told to leave, or the input ends. Returns the exit status.
    pub(super) fn run(mut self) -> i32 {
        for folder in &mut self.folders {
            let common = common(&self.options, &self.env);
            folder.process(clock::monotonic(), common); // what the last one has left
        }
        memory::give_back(); // what only the start has needed
        let mut next = Next::Work;
        loop {
            let now = clock::monotonic();
            let common = common(&self.options, &self.env);
            let busy = self.busy();
            let folders = self.folders.iter_mut().enumerate();
            let due = folders.filter_map(|(i, folder)| folder.tick(now, common, i < busy)).min();
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

    /// Waits for a signal, for input where it is wanted, or for so long; sees to signals.
    fn wait(&mut self, time: Option<Duration>, input: bool) {
        let input = if input { self.input.watched() } else { -1 };
        let mut fds = [poll::watch(self.signals.as_raw_fd(), poll::POLLIN), poll::watch(input, poll::POLLIN)];
        // Where the kernel has no memory for it nothing has been waited for, and all is looked at again.
        if poll::poll_for(&mut fds, time).is_err() || fds[0].revents == 0 {
            return;
        }
        // All that are there: those of one moment are obeyed in the order of their kinds.
        while signals::next(self.signals.as_fd()).map(|signal| self.signal(signal)).count() > 0 {}
    }

    /// How many folders, from the first on, have the batch that is still in the pipe.
    fn busy(&self) -> usize {
        self.batch.as_ref().map_or(0, |batch| batch.folder)
    }

    fn signal(&mut self, signal: i32) {
        if signal == CHLD {
            return self.reap();
        }
        let before = if self.input.is_pipe() { self.input.unread() } else { self.input.bytes().len() };
        match signal {
            HUP => self.orders.configure = Some(before),
            ALRM => self.orders.rotate = Some(before),
            _ if self.orders.leave.is_none() => {
                if self.options.loud {
                    self.voice.info(&[b"told to leave"]);
                }
                self.orders.leave = Some(before);
            }
            _ => {}
        }
        if self.batch.is_some() {
            self.obey_at_once();
        }
    }

    fn reap(&mut self) {
        let now = clock::monotonic();
        let common = common(&self.options, &self.env);
        // What fails is ECHILD: there is none left.
        while let Ok(Some((pid, status))) = process::reap() {
            for folder in &mut self.folders {
                if folder.ended(pid, status, now) {
                    folder.process(now, common);
                }
            }
        }
    }

    /// Obeys what nothing stands before any more. Whether there is a folder left then.
    fn obey(&mut self) -> bool {
        if self.orders.configure.take_if(|before| *before == 0).is_some() {
            self.look_again();
        }
        if self.orders.rotate.take_if(|before| *before == 0).is_some() {
            self.rotate();
        }
        !self.folders.is_empty()
    }

    /// Where nothing can be written: what an order asks for may be what helps.
    fn obey_at_once(&mut self) {
        // The rest of it has to wait until the batch is written.
        if self.orders.configure.take_if(|before| *before > 0).is_some() {
            self.orders.configure = Some(0);
            self.folders.iter_mut().for_each(Folder::configure);
        }
        if self.orders.rotate.take().is_some() {
            self.rotate();
        }
    }

    fn rotate(&mut self) {
        let (now, busy) = (clock::monotonic(), self.busy());
        let common = common(&self.options, &self.env);
        for (i, folder) in self.folders.iter_mut().enumerate() {
            folder.rotate_now(now, common, i < busy);
        }
    }

    /// After SIGHUP: which of the folders can be used now?
    fn look_again(&mut self) {
        let (now, common) = (clock::monotonic(), common(&self.options, &self.env));
        self.folders.retain_mut(|folder| {
            let usable = folder.again(now, common);
            if !usable && !folder.close() {
                self.status = 111;
            }
            usable
        });
        for path in &self.options.folders {
            if !self.folders.iter().any(|folder| folder.is_at(path)) {
                self.folders.extend(Folder::open(path, self.voice, self.options.loud));
            }
        }
    }

    /// Goes on as far as it gets.
    fn step(&mut self) -> Next {
        if self.batch.is_none() {
            if !self.obey() {
                self.voice.fatal(&[b"no functional log directories"], None);
                self.status = 111;
                return Next::Exit;
            }
            match self.look() {
                Ok(None) => {}
                // What is there is no whole line: it comes after the order.
                Ok(Some(_)) if self.orders.are_there() => {
                    self.orders.hurry();
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
            // Who is told to leave does not wait for room, nor does who has come to the end.
            Some(_) if self.orders.leave.is_some() || self.input.has_ended() => Next::Exit,
            Some(then) => {
                self.obey_at_once();
                Next::Time(then)
            }
            None => Next::Work,
        }
    }

    /// Looks for a batch. `None`: there is one.
    fn look(&mut self) -> nix::Result<Option<Next>> {
        if self.orders.leave == Some(0) {
            return Ok(Some(Next::Exit));
        }
        match self.input.look()? {
            Look::End => return Ok(Some(Next::Exit)),
            Look::Nothing if self.orders.leave.is_some() => return Ok(Some(Next::Exit)),
            Look::Nothing => return Ok(Some(Next::Input)),
            Look::Bytes => {}
        }
        let stamp = self.options.stamp.text(clock::wall());
        let mut finish = false;
        let end = match self.input.bytes().iter().rposition(|byte| *byte == b'\n') {
            Some(last) => last + 1,
            None if self.input.look_further() == Room::Full => self.input.bytes().len(),
            None if self.input.is_closed() || self.orders.leave.is_some() && self.input.is_only_reader() => {
                finish = true;
                self.input.bytes().len()
            }
            None if self.orders.leave.is_some() => return Ok(Some(Next::Exit)), // the next logger gets it whole
            None => return Ok(Some(Next::Input)),
        };
        self.plan(end, finish, stamp);
        Ok(None)
    }

    /// Decides how much of what has been seen is one batch: no rotation falls into it.
    fn plan(&mut self, seen: usize, finish: bool, stamp: Text<32>) {
        let Self { options, env, input, folders, record, raw, out, batch, .. } = self;
        let (now, common) = (clock::monotonic(), common(options, env));
        let bytes = &mut input.bytes()[..seen];
        raw.clear();
        if options.replaced.is_some() {
            raw.extend_from_slice(bytes);
        }
        options.replace(bytes);
        let alone = folders.len() == 1;
        let mut new = Batch { end: seen, finish, stamp, folder: 0, fault: None, after: None, again: !alone };
        for folder in folders.iter_mut() {
            new.fault = folder.prepare(now, common, record.as_mut()).err();
            if new.fault.is_some() {
                continue;
            }
            out.clear();
            let (room, length) = (out.capacity(), common.length);
            let enough = |bytes, place| folder.is_enough(bytes, place, length);
            let maker = folder.maker(new.stamp.bytes(), length);
            let (end, after) = maker.make(folder.place, &bytes[..new.end], room, enough, out);
            new.end = end;
            new.after = Some(after).filter(|_| alone);
        }
        new.finish &= new.end == seen;
        if let Some(Err(errno)) = record.as_ref().map(Record::check) {
            let so = "what is written when svlog is killed may come twice";
            unable(self.voice, "use batch", errno, so);
            *record = None;
        }
        if let Some(record) = record {
            record.begin(if raw.is_empty() { &bytes[..new.end] } else { &raw[..new.end] });
        }
        *batch = Some(new);
    }

    /// Writes the batch to the folders that do not have it yet, and takes it out of the pipe. Returns until
    /// when to wait where it cannot be written.
    fn write(&mut self) -> Option<u64> {
        let Self { options, env, signals, input, folders, record, out, text, unsent, udp, .. } = self;
        let batch = self.batch.as_mut()?;
        let (now, common) = (clock::monotonic(), common(options, env));
        let bytes = &input.bytes()[..batch.end];
        while let Some(folder) = folders.get_mut(batch.folder) {
            if batch.again {
                batch.fault = folder.prepare(now, common, record.as_mut()).err();
            }
            let maker = folder.maker(batch.stamp.bytes(), common.length);
            let mut after = batch.after.unwrap_or_else(|| {
                out.clear();
                maker.make(folder.place, bytes, usize::MAX / 2, |_, _| false, out).1
            });
            if !batch.again || batch.after.is_none() {
                if batch.finish && after.within {
                    if after.selected {
                        out.push(b'\n');
                    }
                    after.within = false;
                }
                if maker.alerts() {
                    maker.alert(
                        folder.place.within,
                        bytes,
                        text,
                        |line| shout(signals.as_fd(), line),
                        |line| {
                            if folder.send(udp, line) {
                                return;
                            }
                            unsent.extend_from_slice(b"warning: failure sending through udp: ");
                            unsent.extend_from_slice(line);
                        },
                    );
                    if !after.within {
                        out.append(unsent); // never into the middle of a line
                    }
                }
            }
            batch.after = Some(after);
            let entry = folder.entry(out.len(), after);
            if let Some(record) = record {
                record.file(folder.id, entry);
            }
            match folder.deliver(batch.fault, out, now, common) {
                Delivered::Done => {
                    if let Some(record) = record {
                        record.wrote(folder.id, folder.size.saturating_sub(entry.offset));
                    }
                }
                Delivered::Again => {
                    batch.again = true;
                    continue;
                }
                Delivered::Stuck => {
                    if let Some(record) = record {
                        record.forget(folder.id);
                    }
                    batch.again = true;
                    return folder.stuck;
                }
            }
            folder.place = after;
            folder.wrote = out.len();
            (batch.after, batch.again) = (None, true);
            batch.folder += 1;
        }
        let (end, taken) = (batch.end, input.consume(batch.end, record.as_mut().map(Record::mark)));
        if let Err(errno) = taken {
            self.voice
                .unable(&[b"take from the pipe what has been written: another process reads from it"], errno);
        }
        if let Some(record) = record {
            record.end();
        }
        for folder in folders.iter_mut() {
            folder.after(now, common);
        }
        self.batch = None;
        self.orders.written(end);
        None
    }

    /// Leaves all in order. Returns the exit status.
    #[inline(never)] // out of the way too
    fn leave(mut self) -> i32 {
        let told = self.orders.leave.replace(0).is_some();
        let end = clock::monotonic() + LAST;
        let mut running = true;
        while running && clock::monotonic() < end {
            let (now, common) = (clock::monotonic(), common(&self.options, &self.env));
            running = false;
            for folder in &mut self.folders {
                running |= !folder.processor.has_failed() && folder.process(now, common);
            }
            if running {
                self.wait(Some(Duration::from_millis(end.saturating_sub(now))), false);
            }
        }
        let within = self.folders.iter().any(|folder| folder.place.within);
        // Where a line goes on in the pipe, the next logger has to know where it was.
        let goes_on =
            self.batch.is_none() && within && !self.input.is_closed() && !self.input.is_only_reader();
        for folder in &mut self.folders {
            if folder.place.within && self.batch.is_none() && !goes_on {
                let _ = folder.end_line(); // else the next one does it
            }
            if !folder.confess(common(&self.options, &self.env)) || !folder.close() {
                self.status = 111;
            }
        }
        match &self.batch {
            None if goes_on => {}
            None => {
                if let Some(record) = self.record {
                    record.remove();
                }
            }
            Some(_) => {
                // Where the pipe goes on, the next logger writes it: some of the folders may have it already, so that
                // the record stays. Who was told to leave counts on that; at the end of the input there may be none.
                let goes_on = !self.input.is_only_reader();
                if !(goes_on && told) {
                    let mut text = Text::<96>::new();
                    text.number(self.input.unread().max(self.input.bytes().len()) as u64);
                    text.add(" bytes could not be written, and ");
                    text.add(if goes_on { "stay in the pipe for who else reads it" } else { "are lost" });
                    self.voice.warning(&[text.bytes()]);
                    self.status = 111;
                }
            }
        }
        self.status
    }
}

/// Writes a line to stderr, and waits for who reads it, if need be, until a signal comes. In pieces for which
/// there is room where there is any.
fn shout(signals: BorrowedFd, line: &[u8]) {
    for piece in line.chunks(4096) {
        let mut fds = [poll::watch(2, poll::POLLOUT), poll::watch(signals.as_raw_fd(), poll::POLLIN)];
        if poll::poll(&mut fds, None).is_ok() && fds[0].revents == 0 {
            return;
        }
        say(piece);
    }
}

fn common<'a>(options: &Options, env: &'a Words) -> Common<'a> {
    Common { env, stamp: options.stamp, length: options.length }
}
