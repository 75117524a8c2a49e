//! kill -9 at any moment, while lines come as fast as can be.

use std::thread;
use std::time::Duration;

use super::differences::log_of;
use crate::needs;
use crate::support::*;
use crate::svlog::harness::*;

#[test]
fn kills_at_full_rate_lose_and_double_nothing() {
    needs!(tool("seq"));
    for (seed, stamp, seven) in [(1, &["t"][..], "+@* *7"), (2, &[], "+*7")] {
        let mut random = Random::new(seed);
        let mut log = log_of(OurMultilog, &[stamp, &["s1000000", "n10000", "./log", "-*", seven]].concat());
        log.set_directories(&["./sevens"]);
        let mut writer = prepared("seq").args(["1", "100000000"]).stdout(log.writer()).spawn().unwrap();
        for _ in 0..30 {
            log.spawn(log.command());
            thread::sleep(Duration::from_micros(random.below(6000) as u64));
            log.kill();
        }
        writer.kill().unwrap();
        writer.wait().unwrap();
        log.spawn(log.command());
        log.finish();
        let numbers = |directory: &str| -> Vec<String> {
            let all = log.all_of(directory);
            all.lines().map(|line| line[26 * stamp.len()..].to_owned()).collect()
        };
        let [mut all, mut sevens] = ["log", "sevens"].map(numbers);
        // The writer was killed in the middle of a line.
        all.pop();
        let expected: Vec<String> = (1..=all.len()).map(|number| number.to_string()).collect();
        assert!(all == expected, "{}", log.report());
        // Those whose first 7 is their last digit.
        let is_seven = |number: &String| number.find('7') == Some(number.len() - 1);
        let expected: Vec<String> = expected.into_iter().filter(is_seven).collect();
        sevens.truncate(expected.len()); // the last one may be that of the line that is no whole one
        assert!(sevens == expected, "{}", log.report());
        assert!(log.archives().iter().all(|name| kind(name) == 's'), "{}", log.report());
        tell(&format!("multilog: 30 kills, {} lines", all.len()));
    }
}
