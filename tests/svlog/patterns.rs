//! Which lines a pattern matches: the plain ones, and the odd ones as svlogd has them.

use super::harness::*;
use crate::support::*;

both!(svlog;
    a_line_must_match_to_its_end,
    a_plus_matches_a_character_once_or_more,
    a_plus_or_star_behind_a_star_is_what_the_star_looks_for,
    a_star_matches_up_to_the_next_character,
    the_last_match_wins,
    a_line_that_ends_within_a_plus_matches,
);

/// Asserts which of these lines a pattern matches. The shortest come first: svlogd looks behind the end of a
/// line, where it has what is left of a longer one.
fn matches(of: Program, pattern: &str, matched: &[&str], others: &[&str]) {
    let mut all = [matched, others].concat();
    all.sort_by_key(|line| line.len());
    let text = |lines: &[&str]| lines.iter().map(|line| [line, "\n"].concat()).collect::<Vec<_>>().concat();
    let expected: Vec<&str> = all.iter().filter(|line| matched.contains(line)).copied().collect();
    let log = fed(of, &[], &format!("-*\n+{pattern}\n"), text(&all));
    assert_eq!(log.all(), text(&expected), "{pattern}");
}

fn a_line_must_match_to_its_end(of: Program) {
    matches(of, "", &[""], &["a", " "]);
    matches(of, "a", &["a"], &["", "A", "aa", "ab", "ba"]);
    matches(of, "a b#", &["a b#"], &["a b", "a b# "]);
    matches(of, "a.[b]?$", &["a.[b]?$"], &["axb", "ab"]);
    matches(of, "\\*", &["\\", "\\*"], &["", "*"]);
    matches(of, "\u{e4}*", &["\u{e4}", "\u{e4}b"], &["a", "\u{fc}"]);
}

fn a_star_matches_up_to_the_next_character(of: Program) {
    matches(of, "*", &["", "a", "abc", "*"], &[]);
    matches(of, "a*", &["a", "ab", "aa"], &["", "ba"]);
    // The first of them, and no other one.
    matches(of, "*a", &["a", "ba", "bba"], &["", "b", "ab", "baa", "bab"]);
    matches(of, "*a*", &["a", "ba", "ab", "bab"], &["", "b"]);
    matches(of, "a*b", &["ab", "aab", "acb"], &["", "a", "b", "abb", "acbb", "abc"]);
    matches(of, "a*bc", &["abc", "axbc"], &["ab", "abbc", "abxbc"]);
    matches(of, "*: *: pid *", &["x: info: pid 1", "a b: : pid "], &["x: pid 1", "x: y: z: pid 1"]);
    let line = "tcpsvd: info: pid 1977 from 10.4.1.14";
    matches(of, "*pid*", &["pid", " pid"], &[line]);
    matches(of, "*: *: pid *", &[line], &[]);
}

fn a_plus_matches_a_character_once_or_more(of: Program) {
    matches(of, "+a", &["a", "aa", "aaa"], &["b", "ab", "ba", "aab"]);
    matches(of, "+ab", &["ab", "aab"], &["b", "abb", "abc", "aac", "aabb"]);
    matches(of, "+a*", &["a", "aa", "ab", "aabc"], &["b", "ba"]);
    matches(of, "x+ay", &["xay", "xaaay"], &["xy", "xby", "xayy"]);
    matches(of, "+++", &["+", "++", "+++"], &["a", "a+", "+a"]);
    matches(of, "+*", &["*", "**", "***"], &["a", "a*", "*a"]);
    matches(of, "+*b", &["*b", "**b"], &["b", "ab", "*bb", "*a"]);
    // It takes all there are, and leaves none to what follows.
    matches(of, "+aab", &[], &["ab", "aab", "aaab"]);
}

fn a_line_that_ends_within_a_plus_matches(of: Program) {
    matches(of, "+ab", &["a", "aa"], &["b"]);
    matches(of, "+aa", &["a", "aa", "aaa"], &["b", "aab"]);
    matches(of, "+abc*d", &["a", "aa", "abcd"], &["ab", "abc"]);
    matches(of, "x+a+b", &["xa", "xaa", "xab", "xaabb"], &["x", "xb", "xaba"]);
    matches(of, "+*b", &["*", "**"], &[]);
}

fn a_plus_or_star_behind_a_star_is_what_the_star_looks_for(of: Program) {
    // And it is itself again then.
    matches(of, "**", &["*", "a*", "a*b", "**"], &["", "a", "ab"]);
    matches(of, "***", &["*", "a*", "a*b", "**", "a**"], &["", "a", "ab"]);
    matches(of, "**b", &["*b", "a*b", "a*cb"], &["", "b", "ab", "*", "a*cbb"]);
    matches(of, "*+a", &[], &["a", "+a", "b+a", "a+a", "+"]);
    matches(of, "*++", &["+", "a+", "a++"], &["", "a", "a+b", "+a"]);
    // A plus at the end stands for nothing.
    matches(of, "*+", &[], &["a", "+", "a+", "a+b"]);
    matches(of, "a+", &[], &["b", "aa", "a+", "ab"]);
    matches(of, "+", &[], &["a", "+", "++"]);
}

fn the_last_match_wins(of: Program) {
    let input = "a\nb\nab\nba\n";
    for (config, selected) in [
        ("+a\n", "a\nb\nab\nba\n"),
        ("-a\n", "b\nab\nba\n"),
        ("-*\n", ""),
        ("-*\n+a*\n", "a\nab\n"),
        ("+a*\n-*\n", ""),
        ("-a*\n+*b\n-b\n", "ab\nba\n"),
        ("-*\n+*\n-a\n", "b\nab\nba\n"),
        ("-*\n# +*\n +*\n+b*\n", "b\nba\n"),
        // Those of the one kind do not touch the other.
        ("-*\ne*\n+a\nEa\n", "a\n"),
    ] {
        assert_eq!(fed(of, &[], config, input).all(), selected, "{config:?}");
    }
}
