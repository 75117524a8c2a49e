//! The scheduling policy, sched(7): which rules give a process the CPU.

use std::ffi::c_int;

use nix::errno::Errno;

use crate::caps;
use crate::exit::Exit;
use crate::quantity::number;
use crate::sys::process;

/// A policy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Policy {
    /// That of all who have asked for no other: a share, by the niceness.
    Other,
    /// In real time, until it waits.
    Fifo,
    /// In real time, in turn with those of the same priority.
    RoundRobin,
    /// A share, as of one who always computes.
    Batch,
    /// What others leave.
    Idle,
}

impl Policy {
    /// The priority that `text` asks for, among those that this policy has: from 1 to 99 in real time, 0 alone for the
    /// others. Anything else is a usage error.
    pub fn priority(self, text: &[u8]) -> Result<u8, Exit> {
        let (first, last, problem) = match self {
            Self::Fifo | Self::RoundRobin => (1, 99, "not a priority from 1 to 99"),
            Self::Other | Self::Batch | Self::Idle => (0, 0, "not 0, the only priority of this policy"),
        };
        let priority = number(text).filter(|priority| (first..=last).contains(priority));
        priority.ok_or_else(|| Exit::value(problem, text))
    }

    fn number_and_name(self) -> (c_int, &'static str) {
        match self {
            Self::Other => (libc::SCHED_OTHER, "SCHED_OTHER"),
            Self::Fifo => (libc::SCHED_FIFO, "SCHED_FIFO"),
            Self::RoundRobin => (libc::SCHED_RR, "SCHED_RR"),
            Self::Batch => (libc::SCHED_BATCH, "SCHED_BATCH"),
            Self::Idle => (libc::SCHED_IDLE, "SCHED_IDLE"),
        }
    }
}

/// Which processes get the policy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Heirs {
    /// The process, and all that it starts.
    All,
    /// The process alone: what it starts has an ordinary one.
    None,
}

/// Sets the policy. `hint` says what to do where the right to it is missing.
pub fn set(policy: Policy, priority: u8, heirs: Heirs, hint: &'static str) -> Result<(), Exit> {
    let (number, name) = policy.number_and_name();
    let flag = if heirs == Heirs::None { libc::SCHED_RESET_ON_FORK } else { 0 };
    process::set_policy(number | flag, priority).map_err(|errno| {
        let action = format_args!("set policy {name} {priority}");
        let error = Exit::system(action, errno);
        if errno == Errno::EPERM { error.hint(caps::hint("CAP_SYS_NICE", hint)) } else { error }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_has_the_priorities_of_the_kernel() {
        for policy in [Policy::Other, Policy::Fifo, Policy::RoundRobin, Policy::Batch, Policy::Idle] {
            let (number, name) = policy.number_and_name();
            let (first, last) = process::priorities(number).unwrap();
            for priority in 0..=255 {
                let accepted = policy.priority(priority.to_string().as_bytes()).is_ok();
                assert_eq!(accepted, (first..=last).contains(&priority), "{name} {priority}");
            }
        }
        for bad in ["", "-1", "+5", "5x", "0x5", " 5"] {
            assert!(Policy::Fifo.priority(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
