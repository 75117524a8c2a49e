//! Resource limits, setrlimit(2).

use nix::errno::Errno;
use nix::sys::resource::{RLIM_INFINITY, Resource, Resource as R, getrlimit, rlim_t};

use crate::exit::Exit;
use crate::procfs;
use crate::quantity::number;
use crate::sys::process::set_limit;

/// The resources that a letter of daemontools' softlimit limits; `None` if it has no such letter.
#[must_use]
pub fn resources(letter: char) -> Option<&'static [Resource]> {
    Some(match letter {
        'a' => &[R::RLIMIT_AS],
        'c' => &[R::RLIMIT_CORE],
        'd' => &[R::RLIMIT_DATA],
        'f' => &[R::RLIMIT_FSIZE],
        'l' => &[R::RLIMIT_MEMLOCK],
        'm' => &[R::RLIMIT_DATA, R::RLIMIT_STACK, R::RLIMIT_MEMLOCK, R::RLIMIT_AS],
        'o' => &[R::RLIMIT_NOFILE],
        'p' => &[R::RLIMIT_NPROC],
        'r' => &[R::RLIMIT_RSS],
        's' => &[R::RLIMIT_STACK],
        't' => &[R::RLIMIT_CPU],
        _ => return None,
    })
}

/// What to make a limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// This value.
    Number(rlim_t),
    /// What the hard limit is.
    Hard,
    /// No limit.
    Unlimited,
}

impl Value {
    /// Reads decimal digits, `=` or `unlimited`; `None` for anything else.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        match text {
            b"=" => Some(Self::Hard),
            b"unlimited" => Some(Self::Unlimited),
            digits => number(digits).map(Self::Number),
        }
    }

    fn or_hard(self, hard: rlim_t) -> rlim_t {
        match self {
            Self::Number(number) => number,
            Self::Hard => hard,
            Self::Unlimited => RLIM_INFINITY,
        }
    }
}

/// Which of the two limits to change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Which {
    /// The soft limit, to at most the hard one.
    Soft,
    /// The hard limit; the soft one where it would be above.
    Hard,
    /// Both.
    Both,
}

const RAISED: &str = "only CAP_SYS_RESOURCE raises a hard limit, which root may lack in a container: put softlimit right \
    after setuidgid, which lends it, or before it";

/// Sets a limit.
pub fn set(resource: Resource, which: Which, value: Value) -> Result<(), Exit> {
    let failed = |errno| Exit::system(format_args!("set {resource:?}"), errno);
    let (soft, hard) = getrlimit(resource).map_err(failed)?;
    let value = value.or_hard(hard);
    let (soft, hard) = match which {
        Which::Soft => (value.min(hard), hard),
        Which::Hard => (soft.min(value), value),
        Which::Both => (value, value),
    };
    set_limit(resource, soft, hard).map_err(|errno| match most_files() {
        Some(most) if errno == Errno::EPERM && resource == Resource::RLIMIT_NOFILE && hard > most => {
            failed(errno).hint(format!("the hard limit would be more than fs.nr_open, which is {most}"))
        }
        _ if errno == Errno::EPERM => failed(errno).hint(RAISED),
        _ => failed(errno),
    })
}

/// How many open files a process may have at most, whoever it is: `fs.nr_open`, `proc_sys_fs(5)`. `None` where
/// /proc does not say: it is for a hint.
fn most_files() -> Option<rlim_t> {
    let mut buffer = [0; 32];
    number(procfs::read(c"/proc/sys/fs/nr_open", &mut buffer).ok()?.trim_ascii_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_a_number_the_hard_limit_or_none() {
        assert_eq!(Value::parse(b"0"), Some(Value::Number(0)));
        assert_eq!(Value::parse(b"18446744073709551615"), Some(Value::Number(u64::MAX)));
        assert_eq!(Value::parse(b"="), Some(Value::Hard));
        assert_eq!(Value::parse(b"unlimited"), Some(Value::Unlimited));
        for bad in ["", "-", "-1", "1k", "0x10", "=1", "hard", "Unlimited", "18446744073709551616"] {
            assert_eq!(Value::parse(bad.as_bytes()), None, "{bad}");
        }
    }
}
