//! What a program that holds many services asks of each of them.

use std::os::fd::OwnedFd;

use super::{CLIENTS, DOORS, Door, Supervised};
use crate::supervise::access::Rights;
use crate::supervise::adopted::Adopted;
use crate::supervise::clients::Line;
use crate::supervise::fresh::Fresh;
use crate::supervise::machine::Phase;
use crate::supervise::now::Now;
use crate::supervise::parts::Parts;
use crate::supervise::process::Process;
use crate::supervise::report;
use common::Voice;
use common::supervise::{Control, Part, Report, Want};

/// How many children a service has at most: those of [`Supervised::pids`].
pub(crate) const CHILDREN: usize = 5;

impl Supervised {
    /// A bit for each of the places of [`Supervised::watch`], counting from the lowest, whose file nobody has asked
    /// this of before: a file that was closed may have had its number. One that is not watched now may be among
    /// them. For epoll(7), which knows files, and forgets a number when that is closed: what has left a place is to
    /// be taken out before what has come is put in, since it may have got the same number.
    pub(crate) fn renewed(&mut self) -> u32 {
        let Parts { service, logger } = &mut self.parts;
        let [fifo, notify] = service.notify.renewed();
        let death = |adopted: &mut Option<Box<Adopted>>| adopted.as_deref_mut().is_some_and(Adopted::is_new);
        let fresh = |fd: Option<&mut Fresh>| fd.is_some_and(Fresh::take_new);
        let doors: [(Door, bool); DOORS] = [
            (Door::Death, death(&mut service.adopted)),
            (Door::LogDeath, logger.as_mut().is_some_and(|logger| death(&mut logger.adopted))),
            (Door::Control, fresh(service.fresh_control())),
            (Door::LogControl, fresh(logger.as_mut().and_then(|logger| logger.fresh_control()))),
            (Door::Socket, fresh(self.socket.as_mut())),
            (Door::Fifo, fifo),
            (Door::Notify, notify),
        ];
        let bit = |place: usize, new: bool| u32::from(new) << place;
        let doors = doors.into_iter().map(|(door, new)| bit(door as usize, new));
        let clients = (0..CLIENTS).map(|i| bit(DOORS + i, self.clients.is_new(i)));
        doors.chain(clients).fold(0, |bits, bit| bits | bit)
    }

    /// The pids of its children, 0 where there is none: a process of the service, its control script or its
    /// ./reload, and those of the logger. One that was adopted is among them, as it becomes a child of this process where that is the reaper
    /// of orphans; a child that was started later under its number is another.
    pub(crate) fn pids(&self) -> [u32; CHILDREN] {
        let of = |part| self.parts.get(part).map_or([0; 3], Process::pids);
        let ([run, script, reload], [logger, its_script, _]) = (of(Part::Service), of(Part::Log));
        [run, script, reload, logger, its_script]
    }

    /// Whether the death of a child that is nobody's may concern it: it waits for the end of what run left behind.
    /// [`Supervised::lost`] is to learn of each such death while it does.
    pub(crate) fn awaits_leftovers(&self) -> bool {
        self.parts.service.awaits_leftovers()
    }

    /// Lets another client in than those of the socket: one end of a stream that does not wait, as of socketpair(2),
    /// whose other end the program has, or has given to somebody who may do this. False where all places are taken by clients that
    /// wait for something: then it is closed.
    pub(crate) fn add_client(&mut self, client: OwnedFd, rights: Rights, now: Now) -> bool {
        self.clients.add(client, rights, now).is_some()
    }

    /// Kills what runs of it: the time for its stop is over. With `log` its logger, too.
    pub(crate) fn kill(&self, log: bool) {
        for process in self.parts.iter().filter(|process| log || process.part == Part::Service) {
            process.kill(&self.shared);
        }
    }

    /// Its messages begin so from now on.
    pub(crate) fn speak_as(&mut self, voice: Voice) {
        self.shared.voice = voice;
    }

    /// Whether it is down for good, and its logger reads the rest.
    pub(crate) fn drains(&self) -> bool {
        self.draining.is_some()
    }

    /// The pid of its logger; 0: it does not run.
    pub(crate) fn logger_pid(&self) -> u32 {
        self.parts.logger_pid()
    }

    /// Whether it is wanted up.
    pub(crate) fn is_wanted(&self) -> bool {
        self.parts.service.machine.want == Want::Up
    }

    /// Whether run runs.
    pub(crate) fn runs(&self) -> bool {
        self.parts.service.machine.phase == Phase::Run
    }

    /// Asks for it to be up.
    pub(crate) fn up(&mut self, now: Now) {
        self.command(Part::Service, Control::Up, now);
    }

    /// Whether clients cannot read yet what has changed: [`Supervised::show`] is due before the wait.
    pub(crate) fn is_unshown(&self) -> bool {
        self.parts.iter().any(|process| process.unshown)
    }

    /// Lets clients read what has changed.
    pub(crate) fn show(&mut self, now: Now) {
        self.save(now);
    }

    /// The state of a part as its own clients get it, if there is such a part.
    pub(crate) fn describe(&self, part: Part, now: Now) -> Option<Report<'_>> {
        Some(report::status(&self.parts.view(part, &self.shared)?, now))
    }

    /// Whether [`Supervised::take_events`] is asked for after each turn: nothing is kept otherwise.
    pub(crate) fn listen(&mut self, listens: bool) {
        self.clients.listen(listens);
    }

    /// The lines that clients which follow the events of a part have got since this was asked last.
    pub(crate) fn take_events(&mut self) -> Vec<(Part, Line)> {
        self.clients.take_heard()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    use std::path::Path;

    use common::poll::{self, pollfd, watch};
    use common::supervise::json::Value;
    use common::supervise::key;

    use super::super::{Ending, FIXED_FDS, Next, Show};
    use super::*;
    use crate::supervise::tests::{NO_PLACE, open, open_with, options};

    /// What `service` waits for, in the order of the places.
    fn watched(service: &Supervised) -> [pollfd; FIXED_FDS] {
        let mut watched = [watch(-1, 0); FIXED_FDS];
        service.watch(&mut watched, Now::read());
        watched
    }

    /// Lets a service that starts nothing handle what has come.
    fn turn(service: &mut Supervised) {
        let mut its = watched(service);
        poll::poll(&mut its, Some(0)).unwrap();
        assert_eq!(service.ready(&its, Now::read()), None);
        service.fire_timers(Now::read());
        assert_eq!(service.settle(Show::Now, Now::read()), Next::Wait);
    }

    #[test]
    fn a_file_that_has_got_the_number_of_another_is_shown_as_new_once() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("down"), "").unwrap();
        let mut service = open(directory.path());
        let (control, socket, first) = (1 << 2, 1 << 4, 1 << 7);
        assert_eq!((service.renewed(), service.renewed()), (control | socket, 0));

        let connect = || UnixStream::connect(directory.path().join("supervise/socket")).unwrap();
        let mut numbers = Vec::new();
        for _ in 0..2 {
            let client = connect();
            turn(&mut service);
            assert_eq!((service.renewed(), service.renewed()), (first, 0));
            numbers.push(watched(&service)[7].fd);
            // A child that the test beside this one has just forked has a copy of it until it executes something.
            client.shutdown(std::net::Shutdown::Both).unwrap();
            drop(client);
            turn(&mut service);
            assert_eq!((service.renewed(), watched(&service)[7].fd), (0, -1));
        }
        assert!(numbers.iter().all(|number| *number >= 0), "{numbers:?}");

        fs::remove_dir_all(directory.path().join("supervise")).unwrap();
        let before = watched(&service)[2].fd;
        service.parts.service.unsaved = true;
        service.parts.service.machine.want = Want::Up; // something to write
        assert_eq!(service.settle(Show::Now, Now::read()), Next::Wait);
        assert_eq!(service.settle(Show::Now, Now::read()), Next::Wait);
        assert_eq!(service.renewed(), control | socket);
        assert!(before >= 0 && watched(&service)[2].fd >= 0);
        assert_eq!((service.pids(), service.awaits_leftovers()), ([0; 5], false));
    }

    #[test]
    fn one_without_a_place_for_its_state_waits_for_nothing_while_it_is_down() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("down"), "").unwrap();
        let mut service = open_with(directory.path(), Some(Path::new(NO_PLACE)), options());
        turn(&mut service);
        assert!(watched(&service).iter().all(|place| place.fd < 0));
        assert_eq!((service.renewed(), service.deadline(Now::read())), (0, None));
        assert!(!service.is_adoptable());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_client_that_is_handed_in_is_answered_and_none_can_take_the_place_of_one_that_waits() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("down"), "").unwrap();
        let mut service = open(directory.path());
        let mut handed = Vec::new();
        let mut hand_in = |service: &mut Supervised, request: &str| {
            let (ours, mut theirs) = UnixStream::pair().unwrap();
            ours.set_nonblocking(true).unwrap();
            theirs.set_nonblocking(true).unwrap();
            theirs.write_all(request.as_bytes()).unwrap();
            let taken = service.add_client(ours.into(), Rights::Control, Now::read());
            turn(service);
            let mut answer = String::new();
            // It is not at its end: what has come so far.
            let _ = theirs.read_to_string(&mut answer);
            handed.push(theirs);
            (taken, answer)
        };
        let (taken, answer) = hand_in(&mut service, "status\n");
        let shown = |answer: &str| {
            Value::parse(answer.trim_end()).map(|object| object.get(key::STATE).text().to_owned())
        };
        assert_eq!((taken, shown(&answer)), (true, Some("down".to_owned())), "{answer}");
        let mut described = service.describe(Part::Service, Now::read()).unwrap().object();
        assert_eq!(shown(str::from_utf8(described.line()).unwrap()), shown(&answer));
        assert!(service.describe(Part::Log, Now::read()).is_none());
        for _ in 0..CLIENTS {
            assert_eq!(hand_in(&mut service, "wait up\n"), (true, String::new()));
        }
        assert!(!hand_in(&mut service, "status\n").0);
        service.listen(true);
        service.stop();
        assert_eq!(service.ready(&watched(&service), Now::read()), None);
        let heard = service.take_events();
        let words: Vec<_> = heard.iter().map(|(part, line)| (*part, str::from_utf8(line).unwrap())).collect();
        assert!(
            matches!(words[..], [(Part::Service, line)] if line.starts_with("{\"event\":\"want\"")),
            "{words:?}"
        );
        assert_eq!(
            (service.take_events().len(), service.settle(Show::Now, Now::read())),
            (0, Next::Over(Ending::Asked))
        );
    }
}
