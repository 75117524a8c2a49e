use super::*;

/// The variables of a file, each as `NAME=value` in Rust escapes, or where and why there are none.
fn read(dialect: Dialect, content: &[u8]) -> Result<Vec<String>, String> {
    let shown = |variable: &Variable| match &variable.value {
        Some(value) => format!("{}={}", variable.name.to_bytes().escape_ascii(), value.escape_ascii()),
        None => variable.name.to_bytes().escape_ascii().to_string(),
    };
    let variables = dialect.variables(content);
    variables
        .map(|all| all.iter().map(shown).collect())
        .map_err(|flaw| format!("{}: {}", flaw.line, flaw.problem))
}

/// Checks rows of a content and its variables in each of execline, systemd and docker; an error begins with a digit.
fn check(rows: &[(&[u8], [&str; 3])]) {
    for (content, expected) in rows {
        for (dialect, expected) in
            [Dialect::Execline, Dialect::Systemd, Dialect::Docker].into_iter().zip(expected)
        {
            let found = read(dialect, content).map_or_else(|error| error, |all| all.join(" | "));
            assert_eq!(found, *expected, "{dialect:?}: {}", content.escape_ascii());
        }
    }
}

const NO_EQUALS: &str = "1: no = in it";
const NAME: &str = "1: not a variable name";
const OPEN: &str = "1: a quote that does not end";
const RETURN: &str = "1: a carriage return would become part of the value";
const ESCAPE: &str = "1: a backslash outside of quotes that escapes nothing";
const BEHIND: &str = "1: text behind a quoted value";

#[test]
fn lines_of_names_and_values() {
    check(&[
        (b"", ["", "", ""]),
        (b"\n \t\n", ["", "", ""]),
        (b"K=v", ["K=v", "K=v", "K=v"]),
        (b"K=v\nL=w\nK=x\n", ["K=v | L=w | K=x"; 3]),
        (b"K=\n", ["K=", "K=", "K="]),
        (b"K= \t\n", ["K=", "K=", r"K= \t"]),
        (b" \tK=v w  \n", ["K=v w", "K=v w", "K=v w  "]),
        (b"K = v\n", ["K=v", "K=v", NAME]),
        (b"K=a=b=\n", ["K=a=b="; 3]),
        (b"K=$X `id` $(id) ~ * & ;\n", ["K=$X `id` $(id) ~ * & ;"; 3]),
        (b"K\n", [NO_EQUALS, NO_EQUALS, "K"]),
        (b"K", [NO_EQUALS, NO_EQUALS, "K"]),
        (b"K v\n", [NO_EQUALS, NO_EQUALS, NAME]),
        (b"\n\nL\nM=\n", ["3: no = in it", "3: no = in it", "L | M="]),
        (b"K=v\x0b\x0c\n", [r"K=v\x0b", r"K=v\x0b\x0c", r"K=v\x0b\x0c"]),
        (b"\x0cK=v\n", ["K=v", NAME, "K=v"]),
    ]);
}

#[test]
fn names() {
    check(&[
        (b"=v\n", [NAME; 3]),
        (b" =v\n", [NAME; 3]),
        (b"a b=v\n", [NAME; 3]),
        (b"export K=v\n", [NAME; 3]),
        (b"_k9=v\n", ["_k9=v"; 3]),
        (b"9k=v\n", ["9k=v", NAME, "9k=v"]),
        (b"k-x.y#z=v\n", ["k-x.y#z=v", NAME, "k-x.y#z=v"]),
        (b"\"K\"=v\n", [NAME, NAME, "\\\"K\\\"=v"]),
        (b"K'=v\n", [NAME, NAME, r"K\'=v"]),
        (b"K?=v\n", [NAME, NAME, "K?=v"]),
        (b"K\\\nL=v\n", [NO_EQUALS, NO_EQUALS, r"K\\ | L=v"]),
        ("\u{e9}=v\n".as_bytes(), [r"\xc3\xa9=v", NAME, r"\xc3\xa9=v"]),
        ("\u{a0}K=v\n".as_bytes(), [r"\xc2\xa0K=v", NAME, "K=v"]),
    ]);
    let hint = |content: &[u8]| Dialect::Execline.variables(content).unwrap_err().hint.is_some();
    assert!(hint(b"export K=v\n") && hint(b"export\tK=v\n") && !hint(b"exports K=v\n"));
}

#[test]
fn comments() {
    check(&[
        (b"#c\nK=v\n", ["K=v"; 3]),
        (b" \t# K=x\nK=v\n", ["K=v"; 3]),
        (b"#", [""; 3]),
        (b"# c\\\nK=v\n", ["K=v"; 3]),
        (b";c\n", [NO_EQUALS, "", ";c"]),
        (b";K=v\n", [";K=v", "", ";K=v"]),
        (b"K=v # c\n", ["K=v # c"; 3]),
        (b"K=#c\n", ["K=#c"; 3]),
        (b"K=\"v\" # c\n", ["K=v # c", BEHIND, "K=\\\"v\\\" # c"]),
        (b"K=\"v\"#c\n", ["K=v#c", "K=v#c", "K=\\\"v\\\"#c"]),
    ]);
}

#[test]
fn quotes() {
    check(&[
        (b"K=\" a b \" \n", ["K= a b ", "K= a b ", "K=\\\" a b \\\" "]),
        (b"K=\"\"\n", ["K=", "K=", "K=\\\"\\\""]),
        (b"K='a b'\n", [r"K=\'a b\'", "K=a b", r"K=\'a b\'"]),
        (b"K='a\\'\n", [ESCAPE, r"K=a\\", r"K=\'a\\\'"]),
        (b"K=a\"b\"\n", ["K=ab", "K=a\\\"b\\\"", "K=a\\\"b\\\""]),
        (b"K=a'b'\n", [r"K=a\'b\'"; 3]),
        (b"K=\"a\"b\n", ["K=ab", "K=ab", "K=\\\"a\\\"b"]),
        (b"K=\"a\"'b'\n", [r"K=a\'b\'", "K=ab", "K=\\\"a\\\"\\'b\\'"]),
        (b"K=\"a\" \"b\"\n", ["K=a b", BEHIND, "K=\\\"a\\\" \\\"b\\\""]),
        (b"K=a \"b \" \n", ["K=a b ", "K=a \\\"b \\\"", "K=a \\\"b \\\" "]),
        (b"K=\" \" x \n", ["K=  x", BEHIND, "K=\\\" \\\" x "]),
        (b"K=\"a\n", [OPEN, OPEN, "K=\\\"a"]),
        (b"K=\"a", [OPEN, OPEN, "K=\\\"a"]),
        (b"K='a\n\nL=b\n", [r"K=\'a | L=b", OPEN, r"K=\'a | L=b"]),
        (b"K=\"a\nb\"\nL=c\n", [OPEN, r"K=a\nb | L=c", "K=\\\"a | b\\\" | L=c"]),
        (b"K='a\nb'\nL\n", ["2: no = in it", "3: no = in it", r"K=\'a | b\' | L"]),
        (b"\nK=\"a\\", ["2: a quote that does not end", "2: a quote that does not end", "K=\\\"a\\\\"]),
    ]);
}

#[test]
fn backslashes_outside_of_quotes() {
    check(&[
        (b"K=a\\\n b \nL=\n", ["K=a b | L=", "K=a b | L=", NAME_2]),
        (b"K= \\\n  b\n", ["K=  b", "K=  b", r"K= \\ | b"]),
        (b"K=a \\\n\n", ["K=a ", "K=a ", r"K=a \\"]),
        (b"K=a\\ \n", ["K=a ", "K=a ", r"K=a\\ "]),
        (b"K=\\\\\n", [r"K=\\", r"K=\\", r"K=\\\\"]),
        (b"K=\\\"a\\\"\n", ["K=\\\"a\\\"", "K=\\\"a\\\"", "K=\\\\\\\"a\\\\\\\""]),
        (b"K=a\\nb\n", [ESCAPE, "K=anb", r"K=a\\nb"]),
        (b"K=a\\=b\n", [ESCAPE, "K=a=b", r"K=a\\=b"]),
        (b"K=a\\#b\n", [ESCAPE, "K=a#b", r"K=a\\#b"]),
        (b"K=a\\", [ESCAPE, ESCAPE, r"K=a\\"]),
    ]);
}

const NAME_2: &str = "2: not a variable name";

#[test]
fn backslashes_in_double_quotes() {
    check(&[
        (b"K=\"\\\"\\\\\"\n", ["K=\\\"\\\\", "K=\\\"\\\\", "K=\\\"\\\\\\\"\\\\\\\\\\\""]),
        (b"K=\"a\\\nb\"\n", ["K=ab", "K=ab", "K=\\\"a\\\\ | b\\\""]),
    ]);
    for (escapes, execline, systemd) in [
        (r"\a\b\t\n\v\f\r", r"\x07\x08\t\n\x0b\x0c\r", r"\\a\\b\\t\\n\\v\\f\\r"),
        (r"\$\`\'\?\q\#\=\ ", r"$`\'?q#= ", r"$`\\\'\\?\\q\\#\\=\\ "),
        (r"\x41\x4aB", "AJB", r"\\x41\\x4aB"),
        (r"\xfF", r"\xff", r"\\xfF"),
        (r"\101\1\12\1010\18\8", r"A\x01\nA0\x0188", r"\\101\\1\\12\\1010\\18\\8"),
        (r"\377", r"\xff", r"\\377"),
        (r"\u0041", "u0041", r"\\u0041"),
    ] {
        let content = format!("K=\"{escapes}\"\n");
        let read = |dialect| read(dialect, content.as_bytes()).unwrap();
        assert_eq!(read(Dialect::Execline), [format!("K={execline}")]);
        assert_eq!(read(Dialect::Systemd), [format!("K={systemd}")]);
    }
    for (escape, problem) in [
        (r"\0", NO_CHARACTER),
        (r"\x00", NO_CHARACTER),
        (r"\400", NO_CHARACTER),
        (r"\777", NO_CHARACTER),
        (r"\x", "not two hexadecimal digits behind \\x"),
        (r"\x4", "not two hexadecimal digits behind \\x"),
        (r"\x4g", "not two hexadecimal digits behind \\x"),
    ] {
        let content = format!("\nK=\"{escape}\"\n");
        assert_eq!(read(Dialect::Execline, content.as_bytes()), Err(format!("2: {problem}")), "{escape}");
    }
}

#[test]
fn a_carriage_return_never_becomes_part_of_a_value_by_accident() {
    check(&[
        (b"K=v\r\nL=w\r\n\r\n#c\r\n", ["K=v | L=w"; 3]),
        (b"K=\"v\"\r\n", ["K=v", "K=v", "K=\\\"v\\\""]),
        (b"K=v\r", ["K=v"; 3]),
        (b"K=v\r\r\n", ["K=v", "K=v", RETURN]),
        (b"K\r\r\n", [NO_EQUALS, NO_EQUALS, RETURN]),
        (b"#\r\r\n \r\r\n", [""; 3]),
        (b"K=a\\\r\nL=b\r\n", [RETURN, RETURN, r"K=a\\ | L=b"]),
        (b"K=\"a\\\r\nb\"\n", [RETURN, RETURN, "K=\\\"a\\\\ | b\\\""]),
        (b"K='a\r\nb'\n", [r"2: no = in it", RETURN, r"K=\'a | b\'"]),
        (b"K=\"a\r\nb\"\n", [RETURN, RETURN, "K=\\\"a | b\\\""]),
        // In a line it is a byte as others; for systemd it ends the line.
        (b"K=a\rL=b\n", [r"K=a\rL=b", "K=a | L=b", r"K=a\rL=b"]),
        (b"K\r=v\n", ["K=v", NO_EQUALS, r"K\r=v"]),
    ]);
    let flaw = Dialect::Docker.variables(b"K=v\r\r\n").unwrap_err();
    assert!(flaw.hint.unwrap().contains("tr -d"));
}

#[test]
fn bytes_that_are_no_text() {
    const NUL: &str = "2: a NUL, which no variable can have";
    const MARK: &str = "1: a byte order mark, which is not part of a name";
    check(&[
        (b"\nK=a\0b\n", [NUL; 3]),
        (b"\n#\0", [NUL; 3]),
        (b"\nK\0=v", [NUL; 3]),
        (b"\nK=\xff\xe9\n", [r"K=\xff\xe9", "2: not UTF-8", "2: not UTF-8"]),
        (b"# caf\xe9\nK=v\n", ["K=v", "K=v", "1: not UTF-8"]),
        (b"\xef\xbb\xbfK=v\n", [MARK, MARK, "K=v"]),
        (b"\xef\xbb\xbf#c\n", [MARK, MARK, ""]),
        ("K=\u{e9}\u{1f600}\n".as_bytes(), [r"K=\xc3\xa9\xf0\x9f\x98\x80"; 3]),
        (b"K=\x01\x7f\x1b\n", [r"K=\x01\x7f\x1b"; 3]),
    ]);
}

#[test]
fn dialects_are_known_by_their_names() {
    assert_eq!(Dialect::named(b"execline"), Some(Dialect::Execline));
    assert_eq!(Dialect::named(b"systemd"), Some(Dialect::Systemd));
    assert_eq!(Dialect::named(b"docker"), Some(Dialect::Docker));
    for other in ["", "sh", "Docker", "docker "] {
        assert_eq!(Dialect::named(other.as_bytes()), None);
    }
}
