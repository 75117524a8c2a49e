//! Resource limits, setrlimit(2).

use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, rlim_t, setrlimit};

use crate::cli::number;

/// What to make a limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// So much.
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

/// Sets a limit. EPERM where it would raise a hard limit without `CAP_SYS_RESOURCE`.
pub fn set(resource: Resource, which: Which, value: Value) -> nix::Result<()> {
    let (soft, hard) = getrlimit(resource)?;
    let value = value.or_hard(hard);
    let (soft, hard) = match which {
        Which::Soft => (value.min(hard), hard),
        Which::Hard => (soft.min(value), value),
        Which::Both => (value, value),
    };
    setrlimit(resource, soft, hard)
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
