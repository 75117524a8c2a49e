//! The processes of this machine, and which of them descend from which: /proc, read once.

use std::time::Duration;

use common::beside::Beside;
use common::memory::Turns;
use common::procfs;
use common::quantity::number;
use nix::errno::Errno;

/// How much of a command line is read.
const COMMAND: usize = 1 << 14;
/// How many numbers a process is.
const NUMBERS: usize = 4;

/// A process as /proc/PID/stat shows it, `proc_pid_stat(5)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Process {
    pub(super) pid: u32,
    parent: u32,
    /// The processor's time that it and those of its children have used that have ended.
    pub(super) cpu: Duration,
    /// The bytes of its memory that are in RAM, shared ones included, as far as the kernel has added them up; none where it
    /// has added up nothing yet.
    memory: Option<u64>,
}

impl Process {
    /// The bytes of its memory that are in RAM, shared ones included. The kernel adds up what each processor has counted
    /// only now and then: of a small process it has nothing yet, and is asked for the exact number.
    pub(super) fn memory(&self) -> u64 {
        self.memory.unwrap_or_else(|| memory_of(self.pid))
    }

    /// In numbers, for another process of ours.
    fn pack(&self) -> [u64; NUMBERS] {
        let cpu = u64::try_from(self.cpu.as_millis()).unwrap_or(u64::MAX);
        [self.pid.into(), self.parent.into(), cpu, self.memory.unwrap_or(u64::MAX)]
    }

    /// Those of [`pack`].
    fn unpack_all(text: &mut &[u8]) -> Option<Vec<Self>> {
        let (count, rest) = text.split_first_chunk()?;
        let bytes = usize::from_ne_bytes(*count).checked_mul(NUMBERS * size_of::<u64>())?;
        let (all, rest) = rest.split_at_checked(bytes)?;
        *text = rest;
        all.chunks_exact(NUMBERS * size_of::<u64>()).map(Self::unpack).collect()
    }

    fn unpack(bytes: &[u8]) -> Option<Self> {
        let number = |at: usize| bytes.get(at * 8..)?.first_chunk().copied().map(u64::from_ne_bytes);
        Some(Self {
            pid: number(0)?.try_into().ok()?,
            parent: number(1)?.try_into().ok()?,
            cpu: Duration::from_millis(number(2)?),
            memory: Some(number(3)?).filter(|memory| *memory != u64::MAX),
        })
    }

    /// What /proc/PID/stat says, with pages of so many bytes.
    fn parse(pid: u32, stat: &[u8], page: u64) -> Option<Self> {
        // The name in parentheses may hold anything, also parentheses and blanks.
        let rest = stat.get(stat.iter().rposition(|byte| *byte == b')')? + 2..)?;
        let mut fields = rest.split(|byte| *byte == b' ');
        // Those that wait to be waited for count with their parent.
        if matches!(fields.next()?, b"Z" | b"X") {
            return None;
        }
        let parent = number(fields.next()?)?;
        let mut next = |skip: usize| number::<u64>(fields.nth(skip)?);
        // The kernel counts a hundred ticks a second, whatever its own are.
        let ticks = next(9)? + next(0)? + next(0).unwrap_or(0) + next(0).unwrap_or(0);
        let cpu = Duration::from_millis(ticks.saturating_mul(10));
        let memory = match (next(5)?, next(0)?) {
            // A thread of the kernel has no memory.
            (1.., 0) => None,
            (_, pages) => Some(pages.saturating_mul(page)),
        };
        Some(Self { pid, parent, cpu, memory })
    }
}

/// The bytes of a process that are in RAM, `proc_pid_statm(5)`; none of one that has ended.
fn memory_of(pid: u32) -> u64 {
    let mut buffer = [0; 128];
    let text = procfs::beginning_of(pid, "statm", &mut buffer).unwrap_or_default();
    let pages = text.split(|byte| *byte == b' ').nth(1).and_then(number::<u64>);
    pages.unwrap_or(0).saturating_mul(common::memory::page())
}

/// All processes, by their pids.
#[derive(Default)]
pub(super) struct Processes {
    all: Vec<Process>,
    /// Parent and place of each, by the parent.
    children: Vec<(u32, usize)>,
}

impl Processes {
    /// Reads them: none where /proc is not there.
    pub(super) fn read() -> Self {
        Self::of(scan())
    }

    fn of(mut all: Vec<Process>) -> Self {
        // As /proc has them.
        if !all.is_sorted_by_key(|process| process.pid) {
            all.sort_unstable_by_key(|process| process.pid);
        }
        let mut children: Vec<_> = all.iter().enumerate().map(|(at, process)| (process.parent, at)).collect();
        children.sort_unstable();
        Self { all, children }
    }

    fn place(&self, pid: u32) -> Result<usize, usize> {
        self.all.binary_search_by_key(&pid, |process| process.pid)
    }

    /// A process and all that descend from it, each behind its parent, and how far each is from the first.
    pub(super) fn family(&self, pid: u32) -> Vec<(usize, Process)> {
        let mut family = Vec::new();
        let Ok(first) = self.place(pid) else { return family };
        let mut next = vec![(0, first)];
        // Pids that were used again while they were read may descend from themselves.
        while let Some((depth, at)) = next.pop().filter(|_| family.len() < self.all.len()) {
            family.push((depth, self.all[at]));
            let pid = self.all[at].pid;
            let begin = self.children.partition_point(|(parent, _)| *parent < pid);
            let own = self.children[begin..].iter().take_while(|(parent, _)| *parent == pid);
            // The last first: it is a stack.
            let behind = next.len();
            next.extend(own.map(|(_, at)| (depth + 1, *at)));
            next[behind..].reverse();
        }
        family
    }
}

/// How many there are, and each, for another process of ours.
fn pack(all: &[Process]) -> Vec<u8> {
    let mut text = all.len().to_ne_bytes().to_vec();
    text.extend(all.iter().flat_map(Process::pack).flat_map(u64::to_ne_bytes));
    text
}

fn scan() -> Vec<Process> {
    let (mut all, page) = (Vec::new(), common::memory::page());
    // Without /proc nothing is known of them, which the columns show.
    let _ = procfs::each(|pid, stat| all.extend(Process::parse(pid, stat, page)));
    all
}

/// Of which services something is wanted.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Of {
    /// Of a few.
    Named,
    All,
}

/// All processes, while they are read beside this one.
pub(super) struct Reading(nix::Result<Beside>);

impl Reading {
    /// `of` is whose exact memory is wanted.
    pub(super) fn begin(of: Of) -> Self {
        Self(Beside::begin(|question| {
            let mut all = scan();
            if of == Of::All {
                for process in &mut all {
                    process.memory = Some(process.memory());
                }
            }
            let mut text = pack(&all);
            // Where it cannot be read nobody waits for more.
            let Ok((pids, turns)) = question.wait() else { return text };
            let pids = pids.chunks_exact(size_of::<u32>()).filter_map(|pid| pid.first_chunk());
            let pids: Vec<u32> = pids.copied().map(u32::from_ne_bytes).collect();
            each(&pids, &turns, |at, words| text.extend(words.pack(at)));
            text
        }))
    }

    /// The processes, of which there are to be these, and their command lines, which are empty of one that has ended. What
    /// was not read beside this one is read now: all, where a process is missing, which may have started since.
    pub(super) fn end(self, pids: &[u32]) -> (Processes, Vec<Words>) {
        if pids.is_empty() {
            return Default::default();
        }
        let mut commands: Vec<Words> = pids.iter().map(|_| Words::default()).collect();
        let text = self.0.and_then(|mut beside| {
            beside.ask(&pids.iter().copied().flat_map(u32::to_ne_bytes).collect::<Vec<_>>())?;
            each(pids, beside.turns(), |at, words| commands[at] = words);
            beside.end()
        });
        // Without a child all are missing.
        let text = text.unwrap_or_default();
        let mut rest = &text[..];
        let early = Processes::of(Process::unpack_all(&mut rest).unwrap_or_default());
        while let Some((at, words)) = Words::unpack(&mut rest) {
            commands[at] = words;
        }
        let is_whole = pids.iter().all(|pid| early.place(*pid).is_ok());
        for (words, pid) in commands.iter_mut().zip(pids).filter(|(words, _)| words.is_empty()) {
            *words = command(*pid).unwrap_or_default();
        }
        (if is_whole { early } else { Processes::read() }, commands)
    }
}

/// Reads the command lines of these whose turn comes here.
fn each(pids: &[u32], turns: &Turns, mut report: impl FnMut(usize, Words)) {
    loop {
        let at = turns.next();
        let Some(pid) = pids.get(at) else { return };
        report(at, command(*pid).unwrap_or_default());
    }
}

/// A command line: words, with a NUL between them.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Words(Vec<u8>);

impl Words {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn each(&self) -> impl Iterator<Item = &[u8]> {
        self.0.split(|byte| *byte == 0)
    }

    /// With its place among others and its length in front, for another process of ours.
    fn pack(&self, at: usize) -> Vec<u8> {
        [&at.to_ne_bytes()[..], &self.0.len().to_ne_bytes(), &self.0].concat()
    }

    fn unpack(text: &mut &[u8]) -> Option<(usize, Self)> {
        let (at, rest) = text.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (words, rest) = rest.split_at_checked(usize::from_ne_bytes(*length))?;
        *text = rest;
        Some((usize::from_ne_bytes(*at), Self(words.to_owned())))
    }

    /// With blanks between them.
    pub(super) fn line(&self) -> Vec<u8> {
        self.0.iter().map(|byte| if *byte == 0 { b' ' } else { *byte }).collect()
    }
}

/// The command line of a process; none of one that has ended.
pub(super) fn command(pid: u32) -> nix::Result<Words> {
    const SHORT: usize = 512;
    let mut buffer = [0; SHORT];
    let mut text = procfs::beginning_of(pid, "cmdline", &mut buffer)?;
    let whole;
    if text.len() == SHORT {
        whole = procfs::file_of(pid, "cmdline", COMMAND)?;
        text = &whole;
    }
    // A program that shows its state there leaves the rest of the old words as NULs.
    let end = text.iter().rposition(|byte| *byte != 0).ok_or(Errno::ESRCH)?;
    Ok(Words(text[..=end].to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u32, parent: u32) -> Process {
        Process { pid, parent, cpu: Duration::ZERO, memory: None }
    }

    #[test]
    fn what_a_process_has_used_is_in_its_stat() {
        let line = |vsize, rss| {
            format!("7 (a) Z (b c)) S 3 4 5 6 7 8 9 10 11 12 100 20 3 1 17 18 19 20 777 {vsize} {rss} 24")
        };
        for (vsize, rss, memory) in [(22, 5, Some(5 << 12)), (22, 0, None), (0, 0, Some(0))] {
            let expected = Process { pid: 7, parent: 3, cpu: Duration::from_millis(1240), memory };
            assert_eq!(Process::parse(7, line(vsize, rss).as_bytes(), 1 << 12), Some(expected));
        }
        assert!(process(std::process::id(), 0).memory() > 0);
        for bad in [&b""[..], b"7 (a)", b"7 (a) S 3", b"7 (a) Z 3 4 5 6 7 8 9 1 1 1 1 2 3 1 1 1 1 2 7 2 5"] {
            assert_eq!(Process::parse(7, bad, 1), None);
        }
    }

    #[test]
    fn all_is_the_same_behind_a_pipe() {
        let processes = [Some(5 << 40), None].map(|memory| Process {
            pid: 7,
            parent: 3,
            cpu: Duration::from_millis(1240),
            memory,
        });
        let commands = [(7, b"a\0b".to_vec()), (0, Vec::new())].map(|(at, words)| (at, Words(words)));
        let mut text = pack(&processes);
        text.extend(commands.iter().flat_map(|(at, words)| words.pack(*at)));
        let mut rest = &text[..];
        assert_eq!(Process::unpack_all(&mut rest).as_deref(), Some(&processes[..]));
        for command in commands {
            assert_eq!(Words::unpack(&mut rest), Some(command));
        }
        assert_eq!(Words::unpack(&mut rest), None);
        assert_eq!(Process::unpack_all(&mut &text[..70]), None);
    }

    #[test]
    fn a_family_is_in_the_order_of_descent() {
        let all = [(10, 1), (12, 10), (11, 10), (20, 1), (30, 11), (13, 12)];
        let processes = Processes::of(all.map(|(pid, parent)| process(pid, parent)).to_vec());
        let family = |pid| {
            processes.family(pid).iter().map(|(depth, process)| (*depth, process.pid)).collect::<Vec<_>>()
        };
        assert_eq!(family(10), [(0, 10), (1, 11), (2, 30), (1, 12), (2, 13)]);
        assert_eq!(family(20), [(0, 20)]);
        assert!(family(99).is_empty());
    }

    #[test]
    fn a_family_ends_where_a_process_seems_to_descend_from_itself() {
        let processes =
            Processes::of([(10, 20), (11, 11), (20, 10)].map(|(pid, of)| process(pid, of)).to_vec());
        for pid in [10, 11, 20] {
            assert!(processes.family(pid).len() <= 3);
        }
    }

    #[test]
    fn our_own_command_line_is_found() {
        let own = command(std::process::id()).unwrap();
        assert!(own.each().next().is_some_and(|word| !word.is_empty()));
        assert!(command(0).is_err());
    }
}
