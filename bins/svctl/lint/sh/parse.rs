//! The commands of a script.

use super::read::{Reader, Token};
use super::{Command, Item, Join, List, Simple, Word};

/// How deep commands may be in each other.
const DEPTH: usize = 64;

/// The words that end a list, where a command might begin.
const ENDS: [&[u8]; 8] = [b"then", b"elif", b"else", b"fi", b"do", b"done", b"esac", b"}"];

/// The commands of a script; `None` if it is not understood.
pub(in crate::svctl::lint) fn parse(text: &[u8]) -> Option<List> {
    let mut parser = Parser { reader: Reader::new(text), next: Token::End, depth: 0 };
    parser.advance()?;
    let list = parser.list()?;
    (parser.next == Token::End).then_some(list)
}

struct Parser<'a> {
    reader: Reader<'a>,
    /// What comes next.
    next: Token,
    depth: usize,
}

impl Parser<'_> {
    /// Takes the next token.
    fn advance(&mut self) -> Option<Token> {
        let next = self.reader.token()?;
        Some(std::mem::replace(&mut self.next, next))
    }

    /// Whether this operator is next; then it is taken.
    fn takes(&mut self, operator: &str) -> Option<bool> {
        let is = matches!(self.next, Token::Operator(next) if next == operator);
        if is {
            self.advance()?;
        }
        Some(is)
    }

    /// The word that comes next, if it may be one of the language.
    fn reserved(&self) -> Option<&[u8]> {
        match &self.next {
            Token::Word(word) if word.plain => Some(&word.text),
            _ => None,
        }
    }

    /// Takes this word of the language, which has to be next.
    fn expect(&mut self, word: &[u8]) -> Option<()> {
        (self.reserved() == Some(word)).then_some(())?;
        self.advance().map(drop)
    }

    fn newlines(&mut self) -> Option<()> {
        while self.next == Token::Newline {
            self.advance()?;
        }
        Some(())
    }

    /// Whether what comes next can be no command, so that a list ends there.
    fn ends(&self) -> bool {
        match &self.next {
            Token::End | Token::Operator(")" | ";;" | ";;&" | ";&") => true,
            Token::Word(word) => word.plain && ENDS.contains(&&*word.text),
            _ => false,
        }
    }

    /// What comes up to what can be no command.
    fn list(&mut self) -> Option<List> {
        let mut list = Vec::new();
        loop {
            self.newlines()?;
            if self.ends() {
                return Some(list);
            }
            let mut item = self.item()?;
            let line = self.reader.line;
            if self.takes("&")? {
                item.background = Some(line);
            } else if !self.takes(";")? && self.next != Token::Newline && !self.ends() {
                return None;
            }
            list.push(item);
        }
    }

    fn item(&mut self) -> Option<Item> {
        let mut item = Item { first: self.pipeline()?, rest: Vec::new(), background: None };
        loop {
            let join = if self.takes("&&")? {
                Join::And
            } else if self.takes("||")? {
                Join::Or
            } else {
                return Some(item);
            };
            self.newlines()?;
            item.rest.push((join, self.pipeline()?));
        }
    }

    fn pipeline(&mut self) -> Option<Vec<Command>> {
        let mut commands = Vec::new();
        // What is negated is no last command either: the shell has to wait for it.
        if self.reserved() == Some(b"!") {
            self.advance()?;
            commands.push(Command::Simple(Simple::default()));
        }
        loop {
            commands.push(self.command()?);
            if !self.takes("|")? && !self.takes("|&")? {
                return Some(commands);
            }
            self.newlines()?;
        }
    }

    fn command(&mut self) -> Option<Command> {
        self.depth += 1;
        if self.depth > DEPTH {
            return None;
        }
        let command = match self.reserved() {
            None if self.next == Token::Operator("(") => {
                self.advance()?;
                let list = self.list()?;
                self.takes(")")?.then_some(())?;
                Command::Subshell(list)
            }
            Some(b"{") => {
                self.advance()?;
                let list = self.list()?;
                self.expect(b"}")?;
                Command::Group(list)
            }
            Some(b"if") => self.if_command()?,
            Some(b"case") => self.case_command()?,
            Some(b"for" | b"select") => self.for_command()?,
            Some(b"while" | b"until") => {
                self.advance()?;
                let mut list = self.list()?;
                list.append(&mut self.body()?);
                Command::Loop(list)
            }
            Some(b"function") => {
                self.advance()?;
                let Token::Word(name) = self.advance()? else { return None };
                self.function(name)?
            }
            _ => self.simple()?,
        };
        while self.redirection()? {}
        self.depth -= 1;
        Some(command)
    }

    fn body(&mut self) -> Option<List> {
        self.expect(b"do")?;
        let list = self.list()?;
        self.expect(b"done")?;
        Some(list)
    }

    fn if_command(&mut self) -> Option<Command> {
        let (mut decides, mut bodies) = (Vec::new(), Vec::new());
        self.advance()?;
        loop {
            decides.append(&mut self.list()?);
            self.expect(b"then")?;
            bodies.push(self.list()?);
            match self.reserved()? {
                b"elif" => drop(self.advance()?),
                b"else" => {
                    self.advance()?;
                    bodies.push(self.list()?);
                    break;
                }
                _ => break,
            }
        }
        self.expect(b"fi")?;
        Some(Command::Branches(decides, bodies))
    }

    fn case_command(&mut self) -> Option<Command> {
        let mut bodies = Vec::new();
        self.advance()?;
        let Token::Word(_) = self.advance()? else { return None };
        self.newlines()?;
        self.expect(b"in")?;
        loop {
            self.newlines()?;
            if self.reserved() == Some(b"esac") {
                self.advance()?;
                return Some(Command::Branches(Vec::new(), bodies));
            }
            self.takes("(")?;
            loop {
                let Token::Word(_) = self.advance()? else { return None };
                if !self.takes("|")? {
                    break;
                }
            }
            self.takes(")")?.then_some(())?;
            bodies.push(self.list()?);
            if !self.takes(";;")?
                && !self.takes(";&")?
                && !self.takes(";;&")?
                && self.reserved() != Some(b"esac")
            {
                return None;
            }
        }
    }

    fn for_command(&mut self) -> Option<Command> {
        self.advance()?;
        let Token::Word(_) = self.advance()? else { return None };
        self.newlines()?;
        if self.reserved() == Some(b"in") {
            while let Token::Word(_) = self.next {
                self.advance()?;
            }
        }
        self.takes(";")?;
        self.newlines()?;
        self.body().map(Command::Loop)
    }

    /// Behind the name of a function.
    fn function(&mut self, name: Word) -> Option<Command> {
        if self.takes("(")? {
            self.takes(")")?.then_some(())?;
        }
        self.newlines()?;
        Some(Command::Function(name.text, Box::new(self.command()?)))
    }

    fn simple(&mut self) -> Option<Command> {
        let mut simple = Simple::default();
        let mut redirected = false;
        loop {
            if self.redirection()? {
                redirected = true;
                continue;
            }
            if self.next == Token::Operator("(") && simple.words.len() == 1 && simple.assignments.is_empty() {
                return self.function(simple.words.remove(0));
            }
            if !matches!(self.next, Token::Word(_)) {
                break;
            }
            let Token::Word(word) = self.advance()? else { return None };
            let is_test = word.plain && word.text == b"[[";
            let assigns = simple.words.is_empty() && word.assigns;
            if assigns { &mut simple.assignments } else { &mut simple.words }.push(word);
            if is_test && simple.words.len() == 1 {
                self.pass_test()?;
            }
        }
        let is_something = redirected || !simple.words.is_empty() || !simple.assignments.is_empty();
        is_something.then_some(Command::Simple(simple))
    }

    /// Passes what is between `[[` and `]]`, where operators have another meaning.
    fn pass_test(&mut self) -> Option<()> {
        while self.reserved() != Some(b"]]") {
            (self.advance()? != Token::End).then_some(())?;
        }
        self.advance().map(drop)
    }

    /// Takes a redirection, if one comes next.
    fn redirection(&mut self) -> Option<bool> {
        let Token::Operator(operator) = self.next else { return Some(false) };
        if !operator.contains(['<', '>']) {
            return Some(false);
        }
        self.advance()?;
        let Token::Word(target) = &self.next else { return None };
        if matches!(operator, "<<" | "<<-") {
            self.reader.expect_here(target.text.clone(), operator == "<<-");
        }
        self.advance()?;
        Some(true)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Certainty, each, functions};
    use super::*;

    /// The simple commands of a script, a line each, with their line; `?` in front of those that are not certain, `$` in
    /// place of words that are not literal.
    fn commands(text: &str) -> String {
        let Some(list) = parse(text.as_bytes()) else { return "not understood".into() };
        let mut lines = Vec::new();
        each(&list, Certainty::Always, &mut |simple, certainty| {
            let word = |word: &Word| {
                let text = String::from_utf8_lossy(&word.text).into_owned();
                if word.literal { text } else { "$".to_owned() }
            };
            let words: Vec<String> = simple.words.iter().map(word).collect();
            let maybe = if certainty == Certainty::Maybe { "?" } else { "" };
            lines.push(format!("{maybe}{}", words.join(" ")));
        });
        lines.join("; ")
    }

    #[test]
    fn a_script_is_its_commands() {
        for (text, expected) in [
            ("#!/bin/sh\nexec 2>&1\nexec a 'b c' \"d\"e\\ f \\\n  g # h\n", "exec; exec a b c de f g"),
            ("a; b & c | d && e || f", "a; b; c; d; ?e; ?f"),
            ("a || b\nc", "?a; ?b; c"),
            ("A=1 B=\"$x\" cmd \"$y\" z$1", "cmd $ $"),
            ("if a; then b; elif c; then d; else e; fi >x 2>&1", "?a; ?c; ?b; ?d; ?e"),
            ("case $1 in\n(a|b) c ;;\n*) d\nesac", "?c; ?d"),
            ("for i in a b; do c; done\nwhile :; do d; done", "?c; ?:; ?d"),
            ("f() {\n  a\n}\nfunction g { b; }\nf", "?a; ?b; f"),
            ("cat <<E; a\n$(it's here\nE\nb <<-'F'\n\tx\n\tF\nc", "cat; a; b; c"),
            ("a=$(b \"$(c ')')\" ${d:-)}) e `f ')'` 3<&- g", "e $ g"),
            ("[ -n \"$a\" ] && [[ $b == (c|d) && e ]] && f *", "[ -n $ ]; ?[[; ?f $"),
            ("(a; b) | { c; }", "a; b; c"),
            ("! a", "; a"),
            ("", ""),
            ("#!/bin/sh", ""),
        ] {
            assert_eq!(commands(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_is_not_guessed() {
        for text in
            ["a=(b c)", "if a", "a 'b", "$(a", "a <<E\nb", "a <(b)", "for ((;;)); do a; done", "}", "a)"]
        {
            assert_eq!(commands(text), "not understood", "{text}");
        }
        assert_eq!(commands(&"{ ".repeat(10_000)), "not understood");
        assert_eq!(commands(&"$(".repeat(10_000)), "not understood");
        assert_eq!(commands(&"\"${".repeat(100_000)), "not understood");
    }

    #[test]
    fn whatever_a_script_is_made_of_it_comes_to_an_end() {
        let words = [
            "if", "then", "fi", "case", "in", "esac", "for", "do", "done", "{", "}", "(", ")", "$(", "${",
            "`", "'", "\"", "\\", "\n", ";", ";;", "&", "&&", "|", "||", "<<E", "\nE\n", "2>", ">&", "#",
            "a", "=", "[[", "]]", "!", "function", " ",
        ];
        let mut state = 1_u64;
        for _ in 0..20_000 {
            let mut text = String::new();
            for _ in 0..30 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                text.push_str(words[usize::try_from(state >> 33).unwrap() % words.len()]);
                if state & 1 << 20 != 0 {
                    text.push(' ');
                }
            }
            if let Some(list) = parse(text.as_bytes()) {
                each(&list, Certainty::Always, &mut |_, _| {});
                drop(functions(&list));
            }
        }
    }

    #[test]
    fn functions_are_known_wherever_they_are_defined() {
        let list = parse(b"if a; then f() { g() { b; }; }; fi").unwrap();
        assert_eq!(functions(&list), [b"f", b"g"]);
    }

    #[test]
    fn a_word_knows_its_line() {
        let list = parse(b"a \\\n b\n\nc <<E\n1\n2\nE\nd 'x\ny' e &\n").unwrap();
        let mut lines = Vec::new();
        each(&list, Certainty::Always, &mut |simple, _| {
            lines.extend(simple.words.iter().map(|word| word.line));
        });
        assert_eq!(lines, [1, 2, 4, 8, 8, 9]);
        assert_eq!(list.last().unwrap().background, Some(9));
    }
}
