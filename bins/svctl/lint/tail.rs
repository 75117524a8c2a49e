//! How a run script ends: in a program that takes its place, in one that the shell waits for, or in nothing.

use super::script::last_part;
use super::sh::{Certainty, Command, Join, List, Word, each, functions};

/// Words of the shell that are no programs, and programs that do a deed and end at once: behind them there is nothing
/// for which the shell would stand in the way.
const DONE_AT_ONCE: [&str; 85] = [
    // Of the shell.
    ".", ":", "[", "[[", "alias", "bg", "break", "builtin", "cd", "command", "continue", "declare", "dirs",
    "disown", "echo", "enable", "eval", "exec", "exit", "export", "false", "fc", "fg", "getopts", "hash",
    "jobs", "kill", "let", "local", "logout", "mapfile", "popd", "printf", "pushd", "pwd", "read",
    "readonly", "return", "set", "shift", "shopt", "source", "suspend", "test", "time", "times", "trap",
    "true", "type", "typeset", "ulimit", "umask", "unalias", "unset", "wait", // Programs.
    "cat", "chgrp", "chmod", "chown", "cp", "date", "find", "grep", "install", "ln", "logger", "ls", "mkdir",
    "mkfifo", "mv", "rm", "rmdir", "s6-svc", "sed", "sleep", "sv", "svc", "svctl", "svok", "svstat", "sync",
    "sysctl", "touch", "tr", "usleep",
];

/// What is wrong with the end of a script.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Flaw<'a> {
    /// The shell waits for this program, in whose place it is supervised.
    NoExec(&'a Word),
    /// The last command is in the background, so that the script ends at once; the line of the `&`.
    Background(usize),
}

/// What is wrong with the end of a script. Nothing is said of one that handles signals or waits for what it has started:
/// its shell is there on purpose.
pub(super) fn flaws(script: &List) -> Vec<Flaw<'_>> {
    let mut on_purpose = false;
    each(script, Certainty::Always, &mut |simple, _| {
        on_purpose |= simple
            .words
            .first()
            .is_some_and(|word| word.plain && [&b"trap"[..], b"wait", b"fg"].contains(&&*word.text));
    });
    let mut flaws = Vec::new();
    if !on_purpose {
        look(script, &functions(script), &mut flaws);
    }
    flaws
}

/// Looks at the end of a list, and returns whether it ends in an exec.
fn look<'a>(list: &'a List, functions: &[&[u8]], flaws: &mut Vec<Flaw<'a>>) -> bool {
    let Some(item) = list.last() else { return false };
    if let Some(line) = item.background {
        flaws.push(Flaw::Background(line));
        return false;
    }
    // The other side of || has a meaning of its own: that what was there before has failed.
    let (pipeline, sure) = match item.rest.last() {
        None => (&item.first, true),
        Some((_, pipeline)) => (pipeline, item.rest.iter().all(|(join, _)| *join == Join::And)),
    };
    let [command] = &pipeline[..] else { return false };
    match command {
        Command::Simple(simple) => match simple.words.first() {
            Some(word) if word.plain && word.text == b"exec" => simple.words.len() > 1,
            Some(word) if sure && stays(word, functions) => {
                flaws.push(Flaw::NoExec(word));
                false
            }
            _ => false,
        },
        Command::Group(list) => look(list, functions, flaws),
        Command::Branches(_, bodies) => {
            let mut inside = Vec::new();
            // One that does is the way in which the service runs, and the others are ways to run it too.
            let mut execs = false;
            for body in bodies {
                execs |= look(body, functions, &mut inside);
            }
            if execs {
                flaws.append(&mut inside);
            }
            execs
        }
        Command::Subshell(_) | Command::Loop(_) | Command::Function(..) => false,
    }
}

/// Whether a word is one of the shell, or of a program that ends at once: it may be something else than what is found in
/// PATH.
pub(super) fn is_of_shell(word: &[u8]) -> bool {
    DONE_AT_ONCE.iter().any(|known| known.as_bytes() == word)
}

/// Whether this is the name of a program that runs on.
fn stays(word: &Word, functions: &[&[u8]]) -> bool {
    let name = last_part(&word.text);
    word.literal && !name.is_empty() && !functions.contains(&&*word.text) && !is_of_shell(name)
}

#[cfg(test)]
mod tests {
    use super::super::sh::parse;
    use super::*;

    fn found(script: &str) -> String {
        let script = parse(script.as_bytes()).unwrap();
        let flaws = flaws(&script).into_iter().map(|flaw| match flaw {
            Flaw::NoExec(word) => format!("{} {}", word.line, String::from_utf8_lossy(&word.text)),
            Flaw::Background(line) => format!("{line} &"),
        });
        flaws.collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn the_shell_stands_in_front_of_a_last_command_without_exec() {
        for (script, expected) in [
            ("exec 2>&1\nmydaemon -f\n", "2 mydaemon"),
            ("cd /x && /usr/sbin/mydaemon -f >/dev/null\n# end\n", "1 /usr/sbin/mydaemon"),
            ("A=1 setuidgid www mydaemon", "1 setuidgid"),
            ("if x; then\nexec a\nelse\nb -f\nfi", "4 b"),
            ("case $1 in\n1) exec a;;\n*) { b\n}\nesac\n", "3 b"),
            ("mydaemon &", "1 &"),
            ("exec mydaemon &\n", "1 &"),
            ("if x; then exec a; else b & fi", "1 &"),
        ] {
            assert_eq!(found(script), expected, "{script}");
        }
    }

    #[test]
    fn nothing_is_said_where_the_shell_is_not_in_the_way() {
        for script in [
            "exec mydaemon",
            "exec 2>&1\nexec \\\n setuidgid www \\\n mydaemon",
            "if x; then exec a; else exec b; fi",
            "if x; then exec a; fi\necho no x\nexit 1",
            "case $1 in 1) exec a;; *) exit 1;; esac",
            "main() { exec a; }\nmain \"$@\"",
            "a || exit 1\nexec sleep 600",
            "test ! -f x || exec a\nsv down .",
            "a || b",
            "tai64n | exec multilog ./main",
            "while :; do a; sleep 60; done",
            "\"$@\"",
            "$DAEMON -f",
            ". ./real-run",
            "trap 'kill $child' TERM\na &\nchild=$!\nwait $child\ncleanup",
            "a & b & wait",
            "a &\nexec b",
            "if ! pgrep a; then b; fi",
            "( a )",
            "X=1",
            "exec 2>&1",
            "",
        ] {
            assert_eq!(found(script), "", "{script}");
        }
    }
}
