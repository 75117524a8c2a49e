//! The state of a process as an object: what a supervisor with a socket says, and a client of one without.

use super::object::key;
use super::{Death, Object, State, Want};

/// The state of a process. Times are in milliseconds, instants in seconds since 1970 and nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report<'a> {
    /// What runs.
    pub state: State,
    /// 0: none.
    pub pid: u32,
    /// What is wanted, if that is known.
    pub want: Option<Want>,
    /// Since when it is so.
    pub since: (u64, u32),
    /// For how long.
    pub age: u64,
    /// Whether it was stopped by a signal and not continued.
    pub paused: bool,
    /// Whether the stop signal was sent.
    pub term: bool,
    /// Why it does not run, [`super::Hold::words`], and by which file, [`super::Hold::reason`].
    pub hold: (&'a str, &'a str),
    /// The names of what it waits for, with blanks between.
    pub needs: &'a [u8],
    /// How long until the next start.
    pub next: Option<u64>,
    /// Whether the service is ready; none where it cannot say so.
    pub ready: Option<bool>,
    /// Whether a reload is under way; none where nobody knows.
    pub reloading: Option<bool>,
    /// What it says of itself.
    pub words: &'a [u8],
    /// How often run was started after it had died.
    pub restarts: Option<u32>,
    /// How many short runs there were in a row.
    pub short: Option<u32>,
    /// How run died last.
    pub death: Option<LastDeath>,
    /// The control script that was run last and failed, by its letter.
    pub control: Option<(u8, Death)>,
    /// Whether there is a logger.
    pub log: Option<bool>,
    /// The pid of the supervisor.
    pub supervisor: Option<u32>,
}

/// The last death of run.
#[derive(Clone, Copy, Debug)]
pub struct LastDeath {
    /// When.
    pub time: (u64, u32),
    /// Whose.
    pub pid: u32,
    /// How.
    pub how: Death,
    /// After how many milliseconds.
    pub lived: u64,
    /// Whether it had got the stop signal.
    pub stopped: bool,
}

impl Report<'_> {
    /// The object.
    #[must_use]
    pub fn object(&self) -> Object {
        let mut object = Object::answer(true);
        object
            .text(key::STATE, self.state.word())
            .number(key::PID, Some(self.pid).filter(|pid| *pid != 0))
            .text(key::WANT, self.want.map_or("", Want::word))
            .instant(key::SINCE, self.since)
            .seconds(key::SECONDS, Some(self.age))
            .truth(key::PAUSED, Some(self.paused))
            .truth(key::TERM, Some(self.term))
            .text(key::HOLD, self.hold.0)
            .text(key::REASON, self.hold.1)
            .text(key::NEEDS, self.needs)
            .seconds(key::NEXT, self.next)
            .truth(key::READY, self.ready)
            .truth(key::RELOADING, self.reloading)
            .text(key::STATUS, self.words)
            .number(key::RESTARTS, self.restarts)
            .number(key::SHORT, self.short)
            .object(key::DEATH, self.death, |object, death| {
                object.instant(key::TIME, death.time).number(key::PID, Some(death.pid)).death(death.how);
                object.seconds(key::LIVED, Some(death.lived)).truth(key::STOPPED, Some(death.stopped));
            })
            .object(key::CONTROL, self.control, |object, (letter, how)| {
                object.text(key::SCRIPT, [letter]).death(how);
            })
            .truth(key::LOG, self.log)
            .number(key::SUPERVISOR, self.supervisor);
        object
    }
}

#[cfg(test)]
mod tests {
    use super::super::json::Value;
    use super::super::{Hold, Status};
    use super::*;

    fn line(report: &Report) -> String {
        String::from_utf8(report.object().line().to_owned()).unwrap()
    }

    #[test]
    fn what_is_not_known_is_null() {
        assert_eq!(
            line(&Report::default()),
            "{\"ok\":true,\"state\":\"down\",\"pid\":null,\"want\":null,\"since\":0.000,\"seconds\":0.000,\
             \"paused\":false,\"term\":false,\"hold\":null,\"reason\":null,\"needs\":null,\"next\":null,\"ready\":null,\
             \"reloading\":null,\"status\":null,\"restarts\":null,\"short\":null,\"death\":null,\"control\":null,\"log\":null,\
             \"supervisor\":null}\n"
        );
    }

    #[test]
    fn what_is_known_is_read_again_even_where_all_of_it_is_as_long_as_it_can_be() {
        let time = (u64::MAX, 999_999_999);
        let how = Death::Signal(64, true);
        let hold = Hold::GaveUp;
        let report = Report {
            state: State::Finish,
            pid: u32::MAX,
            want: Some(Want::Exit),
            since: time,
            age: u64::MAX,
            paused: true,
            term: true,
            hold: (hold.words(), hold.reason()),
            needs: &[1; 120],
            next: Some(u64::MAX),
            ready: Some(true),
            reloading: Some(true),
            words: &[1; 80],
            restarts: Some(u32::MAX),
            short: Some(u32::MAX),
            death: Some(LastDeath { time, pid: u32::MAX, how, lived: u64::MAX, stopped: true }),
            control: Some((b'h', how)),
            log: Some(true),
            supervisor: Some(u32::MAX),
        };
        let value = Value::parse(&line(&report)).unwrap();
        assert_eq!(State::from_word(value.get(key::STATE).text()), report.state);
        assert_eq!(Want::from_word(value.get(key::WANT).text()), report.want);
        assert_eq!(value.get(key::REASON).text(), "restart-max");
        assert_eq!(value.get(key::STATUS).text().as_bytes(), report.words);
        assert_eq!(value.get(key::DEATH).get(key::LIVED).digits(), "18446744073709551.615");
        assert_eq!(value.get(key::CONTROL).get(key::SCRIPT).text(), "h");
        assert_eq!(value.get(key::SUPERVISOR).whole::<u32>(), u32::MAX);
        assert_eq!(Status::label(time)[8..], 999_999_999_u32.to_be_bytes());
    }
}
