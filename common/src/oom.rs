//! How likely the kernel kills a process where memory has run out: `proc_pid_oom_score_adj(5)`.

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd::write;

use crate::caps;
use crate::exit::{Exit, OrFail};
use crate::niceness::increment;
use crate::procfs::This;
use crate::text::Text;

/// What `text` asks for: a number from -1000, never, to 1000, first of all. Anything else is a usage error.
pub fn adjustment(text: &[u8]) -> Result<i32, Exit> {
    let number = increment(text).filter(|number| (-1000..=1000).contains(number));
    number.ok_or_else(|| Exit::value("not a number from -1000 to 1000", text))
}

/// Sets it. `hint` says what to do where the right to it is missing.
pub fn adjust(adjustment: i32, hint: &'static str) -> Result<(), Exit> {
    let opened = This::open().and_then(|this| this.file(c"oom_score_adj", OFlag::O_WRONLY));
    let file = match opened {
        Err(Errno::ENOENT) => Err(Exit::system("open /proc/self/oom_score_adj", Errno::ENOENT)
            .hint("it needs a /proc, which a new root directory may not have")),
        other => other.or_fail("open /proc/self/oom_score_adj"),
    }?;
    let mut text = Text::<8>::of(if adjustment < 0 { "-" } else { "" });
    text.number(adjustment.unsigned_abs());
    let written = match write(&file, text.bytes()) {
        Ok(count) if count < text.bytes().len() => Err(Errno::EIO), // half a number is another one
        other => other,
    };
    written.map(drop).map_err(|errno| {
        let error = Exit::system(format_args!("change oom_score_adj to {adjustment}"), errno);
        if errno == Errno::EACCES { error.hint(caps::hint("CAP_SYS_RESOURCE", hint)) } else { error }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_adjustment_is_a_number_that_the_kernel_takes() {
        for (text, value) in [("0", 0), ("-0", 0), ("1000", 1000), ("+5", 5), ("-1000", -1000), ("007", 7)] {
            assert_eq!(adjustment(text.as_bytes()).unwrap(), value, "{text}");
        }
        for bad in ["", "-", "+", "1001", "-1001", "--5", "5x", " 5", "0x5", "99999999999999999999"] {
            assert!(adjustment(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
