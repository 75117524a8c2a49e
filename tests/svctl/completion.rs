//! What shells complete, with the scripts that `docs::completions` holds equal to `--help`.

use std::path::Path;

use super::harness::*;
use crate::needs;
use crate::support::*;

/// Accounts with colons; what zsh is seen to complete ends at one here.
const COLONS: [(&str, &str); 2] =
    [("setuidgid :0:0 fdm", "fdmove"), ("envuidgid -s root:root fdm", "fdmove")];

/// A command behind links is completed as if it stood alone.
const CHAINS: [(&str, &str); 4] = [
    ("setuidgid nobody envdir --he", "--help"),
    ("envdir db setuidgid -s nobod", "nobody"),
    ("setlock -nt 5 file redirfd -r 0 fi", "file"),
    ("catena fdclose 9 envdir d", "db"),
];

/// A line, and what the word at its end may become.
const CASES: [(&str, &str); 46] = [
    ("svctl sta", "start status"),
    ("svctl -v forc", "force-reload force-restart force-shutdown force-stop"),
    ("svctl -w 3 ev", "events"),
    ("svctl --js", "--json"),
    ("svctl status ", "db web"),
    ("svctl enable ", "spare"),
    ("svctl disable w", "web"),
    ("svctl help resta", "restart"),
    ("svctl -w 3 up w", "web"),
    ("svctl up db w", "web"),
    ("svctl up web/", "web/log"),
    ("svctl signal US", "USR1 USR2"),
    ("svctl signal TERM d", "db"),
    ("svctl wait -o re", "ready"),
    ("svctl wait up d", "db"),
    ("svctl up ./d", "./db"),
    ("svctl start -w 3 d", "db"),
    ("svctl status --js", "--json"),
    ("svctl -v wait -w 3 re", "ready"),
    ("svctl signal -v US", "USR1 USR2"),
    ("svlog --he", "--help"),
    ("svlog -v d", "db"),
    ("svlog db w", "web"),
    ("sissylog --ve", "--version"),
    ("sissylog -p web auth", "auth authpriv"),
    ("sissylog web sys", "syslog"),
    ("sissylog web local7", "local7"),
    ("svrun -s d", "db"),
    ("svrun -k w", "web"),
    ("setuidgid nobod", "nobody"),
    ("setuidgid -s nobod", "nobody"),
    ("setuidgid --he", "--help"),
    ("envuidgid nobod", "nobody"),
    ("chroot d", "db"),
    ("envdir -", "--help --version -I -c -f -n -p"),
    ("envdir -c x d", "db"),
    ("setlock fi", "file"),
    ("setlock -t 5 fi", "file"),
    ("redirfd -r 0 fi", "file"),
    ("fdclose 9 fdm", "fdmove"),
    ("softlimit -o 5 fdm", "fdmove"),
    ("setlock -nt 5 file fdm", "fdmove"),
    ("redirfd -w 1 file fdm", "fdmove"),
    ("umask 027 fdm", "fdmove"),
    ("catena setsi", "setsid-free"),
    ("catena envd", "envdir"),
];

fn services() -> House {
    let house = House::new();
    house.write("web/log/run", STAYS);
    house.write("db/run", STAYS);
    house.write(".kept/spare/run", STAYS);
    house.write("file", "");
    house
}

fn completion(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("completions").join(name).display().to_string()
}

/// The words that a shell's script prints, sorted.
fn words(house: &House, shell: &str, script: &str, line: &str) -> String {
    let mut command = prepared(shell);
    command.args(["-c", script, shell, line]).current_dir(house.at(".")).env("SVDIR", house.at("."));
    command.env("SVSRC", house.at(".kept"));
    let outcome = run(command.env("HOME", house.at(".")));
    assert_eq!((outcome.status, &*outcome.stderr), (0, ""), "{line}");
    let mut words: Vec<&str> =
        outcome.stdout.lines().map(|word| word.split('\t').next().unwrap().trim_end_matches('/')).collect();
    words.sort_unstable();
    words.dedup();
    words.join(" ")
}

#[test]
fn bash_completes_commands_and_services() {
    needs!(tool("bash"));
    let house = services();
    let script = format!(
        "source {}${{1%% *}}.bash; read -ra COMP_WORDS <<<\"${{1//:/ : }}\"; [[ $1 != *' ' ]] || COMP_WORDS+=('')
         COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _${{1%% *}}; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        completion("")
    );
    for (line, expected) in CASES.into_iter().chain(COLONS) {
        assert_eq!(words(&house, "bash", &script, line), expected, "{line}");
    }
    house.write("a b/run", STAYS);
    assert_eq!(words(&house, "bash", &script, "svctl up a"), "a\\ b");
    assert_eq!(words(&house, "bash", &script, "svctl -w "), "");
    assert_eq!(words(&house, "bash", &script, "setlock -t "), "");
    // bash-completion knows how the command is completed; it needs to know where it stands.
    let script = format!("_command_offset() {{ COMPREPLY=(\"$1\"); }}; {script}");
    for ((line, _), place) in CHAINS.iter().zip(["2", "2", "4", "1"]) {
        assert_eq!(words(&house, "bash", &script, line), place, "{line}");
    }
}

#[test]
fn fish_completes_commands_and_services() {
    needs!(tool("fish"));
    let house = services();
    let script =
        format!("set fish_complete_path {} $fish_complete_path; complete -C $argv[2]", completion(""));
    for (line, expected) in CASES.iter().chain(&COLONS).chain(&CHAINS) {
        let expected = *expected;
        assert_eq!(words(&house, "fish", &script, line), expected, "{line}");
    }
}

#[test]
fn zsh_completes_commands_and_services() {
    needs!(tool("zsh"));
    let house = services();
    // What is completed alone stands on the line, which is then shown: at its start a command is written.
    let script = r#"
        zmodload zsh/zpty
        zpty shell zsh -f -i
        zpty -w shell "PS1=; fpath=($DIRECTORY \$fpath); autoload -Uz compinit; compinit -u; echo loa''ded"
        zpty -r shell seen '*loaded*'
        zpty -n -w shell "$1"$'\t\x01print -r -- "sho""wn:\x05:"\n'
        zpty -r shell seen '*shown:*:*'
        seen=${seen##*shown:} seen=${${seen%%:*}% }
        print -r -- ${seen##* }
    "#;
    let script = script.replace("$DIRECTORY", &completion(""));
    for (line, expected) in CASES.iter().chain(&CHAINS).filter(|(_, expected)| !expected.contains(' ')) {
        assert_eq!(words(&house, "zsh", &script, line), *expected, "{line}");
    }
}

#[test]
fn all_shells_complete_the_commands_that_there_are() {
    let house = services();
    let words = "up down once pause cont hup alarm interrupt quit 1 2 term kill exit start stop restart \
                 try-restart reload shutdown check force-stop force-restart force-reload force-shutdown status \
                 list events wait signal upgrade enable disable help log show new lint";
    for word in words.split(' ') {
        let outcome = house.svctl(&format!("{word} -no-service"));
        assert!(!outcome.stderr.contains("unknown command"), "{word}: {outcome:?}");
        for file in ["svctl.bash", "_svctl", "svctl.fish"] {
            let text = std::fs::read_to_string(completion(file)).unwrap();
            let mut found = text.split(|c: char| c.is_whitespace() || "'\":".contains(c));
            assert!(found.any(|found| found == word), "{file}: {word}");
        }
    }
}
