//! What the shells complete is written from the same tables as `--help`: the files of completions/ are generated here,
//! and checked in, so that builds and packages need nothing for them.
//!
//! For each program: its options with what they do, and each operand by the name that the usage line gives it; behind
//! the operands of a link any command, with its own completion.

use std::fmt::Write;
use std::fs;

use common::link::Options;
use common::options;

use super::{described, files, house, names, sorted};
use crate::support::*;

const UPDATE: &str = "UPDATE=1 cargo test --locked --test e2e docs::completions";

/// What may stand for an argument or operand.
#[derive(Clone, PartialEq)]
enum Kind {
    Directory,
    File,
    Account,
    Command,
    Fd,
    OneOf(Vec<String>),
    /// Numbers, characters, names of the user's own: nothing to offer.
    Free,
}

/// Arguments for which nothing is offered; of the last two svctl's own functions know.
const FREE: &[&str] = &[
    "adjustment",
    "address",
    "argv0",
    "arg",
    "backlog",
    "bytes",
    "c",
    "char",
    "chars",
    "cpus",
    "ident",
    "increment",
    "len",
    "knob=value",
    "line",
    "mask",
    "milliseconds",
    "mode",
    "name",
    "lines",
    "port",
    "path",
    "prefix",
    "priority",
    "ready",
    "text",
    "time",
    "seconds",
    "value",
    "command",
    "service",
    "set",
    "word",
];

impl Kind {
    /// By the name of an argument in a usage line.
    fn of(name: &str) -> Self {
        match name {
            "dir" | "root" | "statedir" => Self::Directory,
            "file" | "path" => Self::File,
            "account" => Self::Account,
            "fd" | "to" | "from" => Self::Fd,
            "realprog" => Self::Command,
            "signal" => Self::OneOf(signals()),
            "facility" => Self::OneOf(facilities()),
            "link" => Self::OneOf([names(), vec!["explain".to_owned()]].concat()),
            "level" => Self::OneOf((0..8).map(|level| common::level::name(level).to_owned()).collect()),
            "class" => Self::OneOf(["none", "realtime", "best-effort", "idle"].map(str::to_owned).to_vec()),
            "dialect" => Self::OneOf(["docker", "execline", "systemd"].map(str::to_owned).to_vec()),
            free if FREE.contains(&free) => Self::Free,
            other => panic!("tests/docs/completions.rs: say in Kind::of or FREE what a {other} is"),
        }
    }
}

/// Whether nobody calls it by its name: `svctl log` and `catena explain` are what is written.
fn is_executed_by_another(name: &str) -> bool {
    name.starts_with("svctl-") || name == "catena-explain"
}

fn signals() -> Vec<String> {
    (1..=64).filter_map(common::signals::name).chain(["clear"]).map(str::to_owned).collect()
}

fn facilities() -> Vec<String> {
    let text = catena::sissylog::facility::NAMES;
    let (single, _) = text.split_once(" local0").unwrap();
    let local = (0..8).map(|i| format!("local{i}"));
    single.split(' ').map(str::to_owned).chain(local).collect()
}

/// An option: `-t`, `-tt` or `--json`.
#[derive(Clone)]
struct Opt {
    word: String,
    argument: Option<String>,
    help: String,
}

struct Program {
    name: String,
    options: Vec<Opt>,
    /// Names and kinds of the operands; the last may come more than once.
    operands: Vec<(String, Kind)>,
    repeated: bool,
    /// How many operands stand in front of a command, if one does.
    command: Option<usize>,
    /// Whether an option may be given more than once.
    again: bool,
}

impl Program {
    fn new(name: &str, usage: &str, options: Options) -> Self {
        let own = options.rows().map(|(option, help)| {
            let (word, argument) =
                option.split_once(' ').map_or((option, None), |(word, name)| (word, Some(name)));
            Opt { word: word.to_owned(), argument: argument.map(str::to_owned), help: help.to_owned() }
        });
        let common = [("--help", "print the usage"), ("--version", "print the version")];
        let common = common.map(|(word, help)| Opt { word: word.into(), argument: None, help: help.into() });
        let operands = operands(usage);
        let at = operands.iter().position(|operand| operand == "prog...");
        let listed = &operands[..at.unwrap_or(operands.len())];
        Self {
            name: name.to_owned(),
            options: own.chain(common).collect(),
            operands: listed
                .iter()
                .map(|name| name.trim_end_matches('.'))
                .map(|name| (name.to_owned(), Kind::of(name)))
                .collect(),
            repeated: listed.last().is_some_and(|name| name.ends_with("...")),
            command: at,
            again: usage.contains("] ... "),
        }
    }

    /// The name as a name of a function.
    fn function(&self) -> String {
        self.name.replace('-', "_")
    }

    fn head(&self, shell: &str) -> String {
        format!(
            "# Completion of {} for {shell}, made from what its --help says.\n# After a change: {UPDATE}",
            self.name
        )
    }

    /// Those that no other program has.
    fn own_options(&self) -> Vec<Opt> {
        let common = ["--help", "--version"];
        self.options.iter().filter(|option| !common.contains(&&*option.word)).cloned().collect()
    }

    fn words(&self) -> String {
        self.options.iter().map(|option| option.word.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// A regular expression for a word of options the last of which has its value in the next word.
    fn before_value(&self) -> Option<String> {
        let letters = |with: bool| -> String {
            let letters = self.options.iter().filter(|option| option.argument.is_some() == with);
            let letters =
                letters.filter_map(|option| option.word.strip_prefix('-')).filter(|word| word.len() == 1);
            letters.collect()
        };
        let (alone, with) = (letters(false), letters(true));
        let alone = if alone.is_empty() { alone } else { format!("[{alone}]*") };
        let short = (!with.is_empty()).then(|| format!("-{alone}[{with}]"));
        let long = self.options.iter().filter(|option| option.argument.is_some());
        let long = long.filter(|option| option.word.starts_with("--")).map(|option| option.word.clone());
        let all: Vec<String> = short.into_iter().chain(long).collect();
        match &all[..] {
            [] => None,
            [one] => Some(format!("^{one}$")),
            several => Some(format!("^({})$", several.join("|"))),
        }
    }

    /// The options whose values are of this kind, as `dt`.
    fn with_values(&self, kind: &Kind) -> Option<String> {
        let of = |option: &&Opt| option.argument.as_deref().is_some_and(|name| Kind::of(name) == *kind);
        let letters: String = self.options.iter().filter(of).map(|option| &option.word[1..]).collect();
        (!letters.is_empty()).then_some(letters)
    }
}

/// The operands of a usage line, those of its first form: `file prog...` of `[-t seconds] file prog... | -c file`.
fn operands(usage: &str) -> Vec<String> {
    let mut operands = Vec::new();
    let (mut depth, mut in_option) = (0, None);
    for word in usage.split_whitespace() {
        let opened = word.chars().take_while(|c| *c == '[').count();
        depth += opened;
        let bare = word.trim_matches(['[', ']']);
        if bare.starts_with('-') && opened > 0 {
            in_option = in_option.or(Some(depth));
        }
        if bare == "|" && depth == 0 {
            break;
        }
        if in_option.is_none() && !bare.starts_with('-') && bare != "..." {
            operands.push(bare.to_owned());
        }
        depth -= word.chars().rev().take_while(|c| *c == ']').count();
        in_option = in_option.filter(|within| depth >= *within);
    }
    operands
}

#[test]
fn operands_are_what_is_no_option() {
    let of = |usage| operands(usage).join(" ");
    assert_eq!(of("[-nNxX] [-t seconds] [-d fd] file prog... | -c file"), "file prog...");
    assert_eq!(of("-r|-w [-n] fd file prog..."), "fd file prog...");
    assert_eq!(of("[-H | -h] [-a -c value] ... prog..."), "prog...");
    assert_eq!(of("[-p] [ident [facility]]"), "ident facility");
    assert_eq!(of("root [prog...]"), "root prog...");
    assert_eq!(of("[-t | -tt] dir..."), "dir...");
    assert_eq!(of(""), "");
}

/// As it stands between single quotes in bash and zsh.
fn quoted(text: &str) -> String {
    text.replace('\'', r"'\''")
}

fn bash(program: &Program) -> String {
    let list = |from: &str| format!("mapfile -t COMPREPLY < <(compgen {from} -- \"$cur\")");
    let offer = |kind: &Kind| match kind {
        Kind::Directory => format!("compopt -o filenames 2>/dev/null\n\t\t{}", list("-d")),
        Kind::File => format!("compopt -o filenames 2>/dev/null\n\t\t{}", list("-f")),
        Kind::Account => list("-u"),
        Kind::Command => list("-c"),
        Kind::OneOf(words) => list(&format!("-W '{}'", words.join(" "))),
        Kind::Fd | Kind::Free => ":".to_owned(),
    };
    // What is offered for each operand, by its number.
    let mut cases = String::new();
    let mut case =
        |pattern: &str, action: &str| write!(cases, "\t{pattern})\n\t\t{action}\n\t\t;;\n").unwrap();
    if let Some(letters) = program.with_values(&Kind::Directory) {
        let test = format!("[[ ${{COMP_WORDS[COMP_CWORD - 1]}} == -*[{letters}] ]] || return");
        case(
            "-*",
            &format!(
                "{test}
		{}",
                offer(&Kind::Directory)
            ),
        );
    } else if program.before_value().is_some() {
        case("-*", ": # the value of an option");
    }
    case("0:-*", &list(&format!("-W '{}'", program.words())));
    for (at, (_, kind)) in program.operands.iter().enumerate() {
        let last = program.repeated && at + 1 == program.operands.len();
        case(&if last { "*".to_owned() } else { format!("{at}:*") }, &offer(kind));
    }
    if let Some(at) = program.command {
        let place = if at == 0 { "i".to_owned() } else { format!("i + {at}") };
        let command = include_str!("command.bash").trim_end().replace("@PLACE@", &place);
        case("*", &command.replace("$((i))", "$i"));
    }
    let value = program.before_value().map_or_else(String::new, |pattern| {
        format!("\t\tif [[ ${{COMP_WORDS[i]}} =~ {pattern} ]]; then i=$((i + 1)); fi\n")
    });
    let account = match program.operands.first() {
        Some((_, Kind::Account)) => include_str!("account.bash"),
        _ => "",
    };
    include_str!("any.bash")
        .replace("@HEAD@", &program.head("bash"))
        .replace("@FUNCTION@", &program.function())
        .replace("@NAME@", &program.name)
        .replace("@VALUE@", &value)
        .replace("@ACCOUNT@", account)
        .replace("@CASES@", &cases)
}

/// The options as `_arguments` takes them, a line each.
fn arguments(program: &Program) -> String {
    let prefix = |option: &Opt| match option.word.as_str() {
        "--help" | "--version" => "(- *)",
        _ if program.again => "*",
        _ => "",
    };
    let lines = program.options.iter().map(|option| {
        let help = quoted(&option.help).replace('[', r"\[").replace(']', r"\]");
        let value = option
            .argument
            .as_deref()
            .map_or_else(String::new, |name| format!(":{name}:{}", action(&Kind::of(name))));
        format!("\t'{}{}[{help}]{value}' \\\n", prefix(option), option.word)
    });
    lines.collect()
}

/// How zsh finds these.
fn action(kind: &Kind) -> String {
    match kind {
        Kind::Directory => "_path_files -/".to_owned(),
        Kind::File => "_files".to_owned(),
        Kind::Account => "_users".to_owned(),
        Kind::Command => "_command_names -e".to_owned(),
        Kind::Fd => "_file_descriptors".to_owned(),
        Kind::OneOf(words) => format!("({})", words.join(" ")),
        Kind::Free => "{true}".to_owned(), // a message would stand beside options that begin as the word does
    }
}

fn zsh(program: &Program) -> String {
    // Several letters behind a dash are several options, or one.
    let one = |option: &Opt| option.word.starts_with("--") || option.word.len() == 2;
    let stacked = if program.options.iter().all(one) { " -s" } else { "" };
    let mut specs = arguments(program);
    for (at, (name, kind)) in program.operands.iter().enumerate() {
        let number = if program.repeated && at + 1 == program.operands.len() {
            "*".to_owned()
        } else {
            (at + 1).to_string()
        };
        writeln!(specs, "\t'{number}:{name}:{}' \\", action(kind)).unwrap();
    }
    if let Some(at) = program.command {
        // The words from the command on: those of the operands, or those of this spec.
        let colons = if at < program.operands.len() { "::" } else { ":::" };
        writeln!(specs, "\t'*{colons}prog: _normal' \\").unwrap();
    }
    format!(
        "#compdef {}\n{}\n\n_arguments -S{stacked} -A '-*' \\\n{}\n",
        program.name,
        program.head("zsh"),
        specs.trim_end_matches([' ', '\\', '\n'])
    )
}

/// As it stands between single quotes in fish.
fn fish_quoted(text: &str) -> String {
    text.replace('\'', r"\'")
}

/// The options of a program as fish takes them, under this condition.
fn switches(program: &Program, condition: &str) -> String {
    let lines = program.options.iter().map(|option| {
        let word = match option.word.strip_prefix("--") {
            Some(long) => format!("-l {long}"),
            None if option.word.len() > 2 => format!("-o {}", &option.word[1..]),
            None => format!("-s {}", &option.word[1..]),
        };
        let value = match option.argument.as_deref().map(Kind::of) {
            None => "",
            Some(Kind::Directory) => " -x -a '(__fish_complete_directories)'",
            Some(_) => " -x",
        };
        format!("complete -c {}{condition} {word}{value} -d '{}'\n", program.name, fish_quoted(&option.help))
    });
    lines.collect()
}

fn fish(program: &Program) -> String {
    let (name, function) = (&program.name, program.function());
    let value = program.before_value().map_or_else(String::new, |pattern| {
        format!("        string match -qr -- '{pattern}' $words[1]; and set words $words[2..-1]\n")
    });
    let mut completions = switches(program, &format!(" -n 'test (count (__{function}_operands)) -eq 0'"));
    for (at, (_, kind)) in program.operands.iter().enumerate() {
        let offered = match kind {
            Kind::Directory => "-a '(__fish_complete_directories)'".to_owned(),
            Kind::File => "-F".to_owned(),
            Kind::Account => "-a '(__fish_complete_users)'".to_owned(),
            Kind::Command => "-a '(__fish_complete_command)'".to_owned(),
            Kind::OneOf(words) => format!("-a '{}'", words.join(" ")),
            Kind::Fd | Kind::Free => continue,
        };
        let relation = if program.repeated && at + 1 == program.operands.len() { "-ge" } else { "-eq" };
        writeln!(
            completions,
            "complete -c {name} -n 'test (count (__{function}_operands)) {relation} {at}' {offered}"
        )
        .unwrap();
    }
    let mut command = String::new();
    if let Some(at) = program.command {
        let from = at.max(program.operands.len());
        let condition = format!("'test (count (__{function}_operands)) -ge {from}'");
        writeln!(completions, "complete -c {name} -n {condition} -a '(__{function}_command)'").unwrap();
        command = format!(
            "function __{function}_command\n    # As the command alone would be completed.\n    \
             complete -C (string join ' ' -- (__{function}_operands)[{}..-1] (commandline -ct))\nend\n\n",
            at + 1
        );
    }
    include_str!("any.fish")
        .replace("@HEAD@", &program.head("fish"))
        .replace("@FUNCTION@", &function)
        .replace("@NAME@", name)
        .replace("@VALUE@", &value)
        .replace("@COMMAND@", &command)
        .replace("@COMPLETIONS@", &completions)
}

/// The commands of svctl with what they do, as its --help lists them.
fn commands() -> Vec<(String, String)> {
    let help = run(link("svctl").arg("--help")).stdout;
    let rows = help
        .split_once("commands:\n")
        .unwrap()
        .1
        .lines()
        .filter(|line| line.starts_with(' '))
        .map(|row| row.trim_start().split_once("  ").unwrap());
    rows.map(|(word, help)| (word.to_owned(), help.trim_start().to_owned())).collect()
}

/// The programs that are commands of svctl, by their words.
fn apart() -> Vec<(&'static str, Program)> {
    let own = |link: &'static common::Link| {
        let word = link.name.strip_prefix("svctl-")?;
        // No command, which svctl executes under the names of other packages; and one whose line svctl reads itself.
        if ["svc", "help"].contains(&word) {
            return None;
        }
        Some((word, Program::new(link.name, link.usage, link.options)))
    };
    described().filter_map(own).collect()
}

/// What a command of svctl takes: services, directories, or what nobody can offer.
fn kind(program: &Program) -> &'static str {
    match program.operands.first() {
        Some((name, _)) if name == "service" => "service",
        Some((_, Kind::Directory)) => "dir",
        _ => "free",
    }
}

/// What the shells are told of the programs that are commands of svctl.
fn commands_apart(programs: &[(&str, Program)]) -> [String; 3] {
    let bash = |(word, program): &(&str, Program)| {
        let value = program.before_value().unwrap_or_else(|| "^$".to_owned());
        format!(
            "\t{word})\n\t\toptions='{}' value='{value}' kind={}\n\t\t;;\n",
            program.words(),
            kind(program)
        )
    };
    let zsh = |(word, program): &(&str, Program)| {
        let operand = match kind(program) {
            "service" => "*:service:_svctl_services",
            "dir" => "*:dir:_path_files -/",
            _ => "*: :{true}",
        };
        let arguments = arguments(program).replace("\t'", "\t\t\t\t'");
        format!(
            "\t\t{word})\n\t\t\t_arguments -S -A '-*' \\\n{arguments}\t\t\t\t'{operand}'\n\t\t\treturn\n\t\t\t;;\n"
        )
    };
    let fish = |(word, program): &(&str, Program)| {
        let condition = format!(" -n '__svctl_runs {word}'");
        let mut lines = switches(
            &Program { options: program.own_options(), ..Program::new("svctl", "", options![]) },
            &condition,
        );
        if kind(program) == "dir" {
            writeln!(lines, "complete -c svctl{condition} -a '(__fish_complete_directories)'").unwrap();
        }
        lines
    };
    [
        programs.iter().map(bash).collect(),
        programs.iter().map(zsh).collect(),
        programs.iter().map(fish).collect(),
    ]
}

/// The three of svctl, which know its commands and where services are.
fn svctl(program: &Program, apart: &[(&str, Program)]) -> [String; 3] {
    let commands = commands();
    let words: Vec<&str> = commands.iter().map(|(word, _)| word.as_str()).collect();
    let rows = |row: &dyn Fn(&str, &str) -> String| -> String {
        commands.iter().map(|(word, help)| row(word, help)).collect()
    };
    let [bash_apart, zsh_apart, fish_apart] = commands_apart(apart);
    let elsewhere = |known: &dyn Fn(&Program) -> bool| -> String {
        let known = apart.iter().filter(|(_, program)| known(program));
        known.flat_map(|(word, _)| [" ", word]).collect()
    };
    let base = match elsewhere(&|_| true) {
        none if none.is_empty() => none,
        words => format!(" -n 'not __svctl_runs{words}'"),
    };
    let fill = |template: &str, shell: &str, commands: &str, options: &str, apart: &str| {
        template
            .replace("@APART@", apart)
            .replace("@OTHERS@", &elsewhere(&|program| kind(program) != "service"))
            .replace("@HEAD@", &program.head(shell))
            .replace("@COMMANDS@", commands)
            .replace("@OPTIONS@", options)
            .replace("@ARGUMENTS@", &arguments(program).replace("\t'", "\t\t'"))
    };
    let described = rows(&|word, help| format!("\t\t'{word}:{}'\n", quoted(help)));
    let offered = rows(&|word, help| {
        format!("complete -c svctl -n __svctl_wants_command -a {word} -d '{}'\n", fish_quoted(help))
    });
    [
        fill(include_str!("svctl.bash"), "bash", &words.join(" "), &program.words(), &bash_apart),
        fill(include_str!("svctl.zsh"), "zsh", &described, &program.words(), &zsh_apart),
        fill(include_str!("svctl.fish"), "fish", &offered, &switches(program, &base), &fish_apart),
    ]
}

#[test]
fn completions_are_those_of_the_options_and_commands() {
    let update = std::env::var_os("UPDATE").is_some();
    let all = described().map(|link| Program::new(link.name, link.usage, link.options));
    // Its own page and help have no list of options.
    let catena = Program { command: Some(0), ..Program::new("catena", "link prog...", options![]) };
    let mut names = Vec::new();
    // Those that svctl executes are not in PATH, and completed as its commands.
    for program in all.filter(|program| !is_executed_by_another(&program.name)).chain([catena]) {
        let name = &program.name;
        let scripts = if name == "svctl" {
            svctl(&program, &apart())
        } else {
            [bash(&program), zsh(&program), fish(&program)]
        };
        for (name, script) in
            [format!("{name}.bash"), format!("_{name}"), format!("{name}.fish")].into_iter().zip(scripts)
        {
            let file = house().join("completions").join(&name);
            if update {
                fs::write(&file, &script).unwrap();
            }
            assert!(
                fs::read_to_string(&file).is_ok_and(|text| text == script),
                "completions/{name}: run {UPDATE}"
            );
            names.push(name);
        }
    }
    assert_eq!(files("completions", ""), sorted(names), "completions/: remove what is of no program");
}

/// Three programs as commands of svctl, each with another kind of operands.
#[test]
fn a_command_of_svctl_that_is_a_program_of_its_own_has_its_own_options() {
    let log = Program::new(
        "svctl-log",
        "[-f] [-n bytes] [--until milliseconds] [service...]",
        options![("-f", "follow"), ("-n bytes", "how many"), ("--until milliseconds", "up to")],
    );
    let lint = Program::new("svctl-lint", "[-s] [dir...]", options![("-s", "strict")]);
    let new = Program::new("svctl-new", "name prog...", options![]);
    let svctl =
        |apart: &[(&str, Program)]| svctl(&Program::new("svctl", "", options![("-v", "talk")]), apart);
    let [bash, zsh, fish] = svctl(&[("log", log), ("lint", lint), ("new", new)]);
    assert!(bash.contains(
        "\tlog)\n\t\toptions='-f -n --until --help --version' value='^(-[f]*[n]|--until)$' kind=service\n"
    ));
    assert!(bash.contains("\tlint)\n\t\toptions='-s --help --version' value='^$' kind=dir\n"));
    assert!(bash.contains("kind=free\n"));
    assert!(zsh.contains("\t\tlog)\n\t\t\t_arguments -S -A '-*' \\\n\t\t\t\t'-f[follow]' \\\n"), "{zsh}");
    assert!(zsh.contains("\t\t\t\t'*:dir:_path_files -/'\n"), "{zsh}");
    assert!(fish.contains("complete -c svctl -n '__svctl_runs log' -s n -x -d 'how many'\n"), "{fish}");
    assert!(fish.contains("complete -c svctl -n 'not __svctl_runs log lint new' -s v -d 'talk'\n"), "{fish}");
    assert!(fish.contains("and not __svctl_runs rescan help lint new\n"), "{fish}");
}
