//! The CPUs on which a process may run, `sched_setaffinity(2)`.

use std::ffi::c_ulong;

use nix::errno::Errno;

use crate::exit::Exit;
use crate::quantity::number;
use crate::sys::process;

/// As many as the kernel can be built for at most.
const MOST: usize = 8192;

const BITS: usize = c_ulong::BITS as usize;

/// A set of CPUs, in the kernel's form.
#[derive(Clone, Debug, PartialEq)]
pub struct Cpus([c_ulong; MOST / BITS]);

impl Cpus {
    /// The CPUs of a list: numbers and ranges with commas between, as `0-3,5`; of a range, every so many behind a colon,
    /// as `0-8:2`. `None` if it is none. One that no kernel has a number for is not there, as others that are not.
    #[must_use]
    pub fn list(text: &[u8]) -> Option<Self> {
        let mut cpus = Self::none();
        for part in text.split(|b| *b == b',') {
            let (first, last, step) = range(part)?;
            // What is larger than any number of a CPU is as good as the largest.
            let near = |number| usize::try_from(number).unwrap_or(MOST).min(MOST);
            (near(first)..=near(last)).step_by(near(step)).for_each(|cpu| cpus.add(cpu));
        }
        Some(cpus)
    }

    /// The CPUs of a mask in hexadecimal digits, whose last bit is CPU 0; with or without `0x` in front; or in groups of
    /// eight digits with commas between, as /proc has them. `None` if it is none, or of no CPU at all.
    #[must_use]
    pub fn mask(text: &[u8]) -> Option<Self> {
        let mut cpus = Self::none();
        let mut groups = text.strip_prefix(b"0x").unwrap_or(text).split(|b| *b == b',');
        let first = groups.next().filter(|group| !group.is_empty())?;
        if groups.clone().any(|group| group.len() != 8) {
            return None;
        }
        let digits = groups.rev().flat_map(|group| group.iter().rev()).chain(first.iter().rev());
        for (place, digit) in digits.enumerate() {
            let bits = char::from(*digit).to_digit(16)?;
            (0..4).filter(|bit| bits >> bit & 1 == 1).for_each(|bit| cpus.add(4 * place + bit));
        }
        Some(cpus).filter(|cpus| cpus.0.iter().any(|word| *word != 0))
    }

    /// Whether this one is in it.
    #[must_use]
    pub fn has(&self, cpu: usize) -> bool {
        self.0.get(cpu / BITS).is_some_and(|word| word >> (cpu % BITS) & 1 == 1)
    }

    /// Those on which this process may run.
    pub(crate) fn own() -> nix::Result<Self> {
        let mut cpus = Self::none();
        process::cpus(&mut cpus.0)?;
        Ok(cpus)
    }

    /// Their numbers, in rising order.
    pub(crate) fn numbers(&self) -> Vec<usize> {
        (0..MOST).filter(|cpu| self.has(*cpu)).collect()
    }

    fn none() -> Self {
        Self([0; MOST / BITS])
    }

    fn add(&mut self, cpu: usize) {
        if let Some(word) = self.0.get_mut(cpu / BITS) {
            *word |= 1 << (cpu % BITS);
        }
    }
}

/// The first, the last and the step of a part of a list.
fn range(part: &[u8]) -> Option<(u64, u64, u64)> {
    let cut = |text: &[u8], at: u8| text.iter().position(|b| *b == at);
    let Some(dash) = cut(part, b'-') else {
        let cpu = number(part)?;
        return Some((cpu, cpu, 1));
    };
    let (first, rest) = (number(&part[..dash])?, &part[dash + 1..]);
    let (last, step) = match cut(rest, b':') {
        Some(colon) => (number(&rest[..colon])?, number(&rest[colon + 1..])?),
        None => (number(rest)?, 1),
    };
    (first <= last && step > 0).then_some((first, last, step))
}

/// Lets this process run on these alone, as far as they are there; it is an error if none is. `asked` is how the
/// command line has them.
pub fn set(cpus: &Cpus, asked: &[u8]) -> Result<(), Exit> {
    process::set_cpus(&cpus.0).map_err(|errno| {
        let error = Exit::system(format_args!("run on the CPUs {} alone", crate::shown(asked)), errno);
        match errno {
            Errno::EINVAL => {
                error.hint("none of them is there, or the cpuset of the cgroup has none of them")
            }
            _ => error,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_numbers_ranges_and_steps() {
        for (text, expected) in [
            ("0", &[0][..]),
            ("007", &[7]),
            ("3,1", &[1, 3]),
            ("0-3,5,7-9:2", &[0, 1, 2, 3, 5, 7, 9]),
            ("0-10:3", &[0, 3, 6, 9]),
            ("2-2", &[2]),
            ("1-9:100", &[1]),
            ("63-65", &[63, 64, 65]),
            ("1023-1025", &[1023, 1024, 1025]),
            ("8190-99999999", &[8190, 8191]),
            ("1,8192", &[1]),
            ("4294967296", &[]),
            ("0-4294967295:4294967295", &[0]),
        ] {
            assert_eq!(
                Cpus::list(text.as_bytes()).map(|cpus| cpus.numbers()),
                Some(expected.to_vec()),
                "{text}"
            );
        }
        for bad in [
            "",
            ",",
            "0,",
            ",0",
            "0,,1",
            "1-0",
            "0-",
            "-1",
            "0:2",
            "0-3:0",
            "0-3:",
            "0-3:1:1",
            "0-1-2",
            "x",
            "0x1",
            "+1",
            " 0",
            "0 ",
            "0, 1",
            "99999999999999999999",
        ] {
            assert_eq!(Cpus::list(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn a_mask_has_hexadecimal_digits() {
        for (text, expected) in [
            ("1", &[0][..]),
            ("0x1", &[0]),
            ("32", &[1, 4, 5]),
            ("fF", &[0, 1, 2, 3, 4, 5, 6, 7]),
            ("0x10000000000000001", &[0, 64]),
            ("3,00000001", &[0, 32, 33]),
            ("00000001,00000000,00000000", &[64]),
        ] {
            assert_eq!(
                Cpus::mask(text.as_bytes()).map(|cpus| cpus.numbers()),
                Some(expected.to_vec()),
                "{text}"
            );
        }
        let far = [b"1".to_vec(), vec![b'0'; MOST / 4]].concat();
        for bad in [
            "",
            "0",
            "0x",
            "0x0",
            "0X1",
            "x",
            "3g",
            "3,",
            "0,3",
            ",00000001",
            "-1",
            "+1",
            " 1",
            "1-3",
            "00000000",
        ] {
            assert_eq!(Cpus::mask(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(Cpus::mask(&far), None);
    }
}
