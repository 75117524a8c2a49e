//! count: says its pid and a number on stdout, again and again, the number counting up from 0.

use std::io::{self, Write};
use std::thread::sleep;
use std::time::Duration;

fn main() -> io::Result<()> {
    let mut stdout = io::stdout();
    for number in 0_u64.. {
        // One write for each line, as of every program whose lines arrive whole.
        stdout.write_all(format!("{} {number}\n", std::process::id()).as_bytes())?;
        sleep(Duration::from_micros(500));
    }
    Ok(())
}
