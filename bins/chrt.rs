//! chrt: run a program with another scheduling policy.

use common::caps::Set;
use common::policy::{self, Heirs, Policy};
use common::{Cli, Exit, Link, Outcome, Short, options};

/// The link.
pub const LINK: Link = Link {
    name: "chrt",
    usage: "[-f|-r|-o|-b|-i] [-R] priority prog...",
    summary: "run a program with another scheduling policy",
    options: options![
        ("-f", "in real time, first in, first out: SCHED_FIFO"),
        ("-r", "in real time, round-robin: SCHED_RR; so without any of these"),
        ("-o", "the usual policy: SCHED_OTHER"),
        ("-b", "as one who always computes: SCHED_BATCH"),
        ("-i", "when nobody else wants the CPU: SCHED_IDLE"),
        ("-R", "what the program starts has the usual policy"),
    ],
    opens: false,
    lent: Some(|_| Set::SYS_NICE),
    run,
};

const HINT: &str = "only root may: put chrt before or right behind setuidgid";

fn run(cli: &mut Cli) -> Outcome<'_> {
    let (mut policy, mut heirs) = (Policy::RoundRobin, Heirs::All);
    while let Some(option) = cli.option()? {
        match option {
            Short('f') => policy = Policy::Fifo,
            Short('r') => policy = Policy::RoundRobin,
            Short('o') => policy = Policy::Other,
            Short('b') => policy = Policy::Batch,
            Short('i') => policy = Policy::Idle,
            Short('R') => heirs = Heirs::None,
            other => return Err(Exit::unexpected(other)),
        }
    }
    let priority = policy.priority(cli.operand("priority")?.0.to_bytes())?;
    let chain = cli.rest()?;
    policy::set(policy, priority, heirs, HINT)?;
    Ok(chain)
}
