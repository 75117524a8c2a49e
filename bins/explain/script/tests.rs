use super::*;

fn of(text: &str) -> Result<Script, Refusal> {
    let variable = |name: &[u8]| match name {
        b"PATH" => Some(b"/bin".to_vec()),
        b"TWO" => Some(b" one two ".to_vec()),
        b"HOME" => Some(b"/root".to_vec()),
        _ => None,
    };
    read(text.as_bytes(), variable)
}

fn words(text: &str) -> String {
    let script = of(text).unwrap_or_else(|refusal| panic!("{text}: {refusal:?}"));
    let words: Vec<_> = script.words.iter().map(|word| String::from_utf8_lossy(word)).collect();
    ["<", &words.join("><"), ">"].concat()
}

fn refused(text: &str) -> (usize, String) {
    of(text).unwrap_err()
}

#[test]
fn the_last_exec_with_a_program_is_the_chain() {
    for (text, expected) in [
        ("exec prog", "<prog>"),
        ("exec 2>&1\nexec a b\n", "<a><b>"),
        ("exec a\nexec 2>&1\n", "<a>"),
        ("echo x; exec a b # c\n", "<a><b>"),
        ("exec a \\\n\tb \\\n  c\n", "<a><b><c>"),
        ("exec a 'b  c' \"d\\\"e\" f\\ g ''", "<a><b  c><d\"e><f g><>"),
        ("exec a 'b\nc'", "<a><b\nc>"),
        ("exec env - PATH=\"/x:$PATH\" prog", "<env><-><PATH=/x:/bin><prog>"),
        ("exec a $TWO \"$TWO\" x$TWO", "<a><one><two>< one two ><x><one><two>"),
        ("exec a $UNSET b \"$UNSET\"", "<a><b><>"),
        ("exec a ${UNSET:-c} ${TWO:-c}", "<a><c><one><two>"),
        ("X=1\nY=$X-2\nexec a $X $Y", "<a><1><1-2>"),
        ("PATH=/links:$PATH\nexec a $PATH", "<a></links:/bin>"),
        ("[ -r x ] && echo y\nexec a", "<a>"),
        ("exec a >x 2>&1 b", "<a><b>"),
        ("exec a x${TWO}y", "<a><x><one><two><y>"),
        ("exec a\nexec b", "<a>"),
        ("if x; then exec a; fi\nexec b", "<b>"),
        (": \"${X:=abc}\"\nexec a $X", "<a><abc>"),
        (": ${TWO:=abc}\nexec a \"$TWO\"", "<a>< one two >"),
        ("exec a ${X:=b} $X", "<a><b><b>"),
        ("readonly X=5\nexec a $X", "<a><5>"),
        ("command -v x >/dev/null\nexec a $TWO", "<a><one><two>"),
        ("X=$(echo \")\" '(' \\()\nexec a", "<a>"),
        ("Y=${X%\"}\"}\nexec a", "<a>"),
        ("function f {\nexec b\n}\nexec a", "<a>"),
        ("exec find x -exec y {} +", "<find><x><-exec><y><{}><+>"),
        ("exec a b\r\n", "<a><b\r>"),
        ("exec nginx -g 'daemon off;'", "<nginx><-g><daemon off;>"),
    ] {
        assert_eq!(words(text), expected, "{text}");
    }
}

#[test]
fn what_only_a_shell_can_know_is_refused_with_its_line() {
    for (text, line, why) in [
        ("", 0, "no line that begins with exec"),
        ("exec 2>&1\n", 0, "no line that begins with exec"),
        ("\nexec a $(b)", 2, "the output of a command"),
        ("exec a `b`", 1, "the output of a command"),
        ("exec a $1", 1, "a parameter of the shell"),
        ("exec a ${X%y}", 1, "an expansion"),
        ("exec a *", 1, "a pattern"),
        ("exec a ~/x", 1, "a home directory"),
        (". ./conf\n\nexec a $OPTS", 3, "$OPTS, whose value is not known from line 1 on"),
        ("[ -r c ] && . ./c\nexec a $OPTS", 2, "$OPTS, whose value is not known from line 1 on"),
        ("X=$(y)\nexec a $X", 2, "$X, whose value is not known from line 1 on"),
        ("if true; then X=1; fi\nexec a $X", 2, "$X, whose value is not known from line 1 on"),
        ("exec a | b", 1, "a pipeline"),
        ("exec a &", 1, "the background"),
        ("cat <<E\nx\nE\nexec a", 1, "a here-document"),
        ("exec a 'b", 1, "a quote has no end"),
        ("exec -a b c", 1, "options of exec"),
        ("exit 0\nexec a", 0, "no line that begins with exec"),
        ("X='/e*'\nexec a $X", 2, "a pattern of file names"),
        ("IFS=:\nX=b:c\nexec a $X", 3, "IFS"),
        ("declare X=1\nexec a $X", 2, "$X, whose value is not known from line 1 on"),
        ("x && : ${X:=1}\nexec a $X", 2, "$X, whose value is not known from line 1 on"),
        ("export -n HOME\nexec a $HOME", 2, "$HOME, whose value is not known from line 1 on"),
        ("exec a {b,c}", 1, "a list in braces"),
        ("exec a $'b\\'c'", 1, "a quote of bash"),
        ("exec env PATH=~/x:$PATH a", 1, "a home directory"),
        ("exec a <(b)", 1, "a process substitution"),
    ] {
        let (at, what) = refused(text);
        assert!(at == line && what.contains(why), "{text}: {at} {what}");
    }
}

#[test]
fn what_the_shell_does_to_itself_is_done_and_the_rest_is_named() {
    let script =
        of("#!/bin/sh\nset -e\nexec 2>&1 </dev/null\ncd /srv || exit 1\numask 027\nexport A=b HOME=/x\n\
        mkdir -p /run/x\nulimit -n 9\nQUIET=1\nexec >>log a 3>&-\n")
        .unwrap();
    let set = |name: &str, value: &str| Act::Set(name.into(), value.into());
    assert_eq!(
        script.acts,
        [
            Act::Copy { to: 2, from: 1 },
            Act::Open { at: 0, how: How::Read, file: "/dev/null".into() },
            Act::Directory("/srv".into()),
            Act::Mask("027".into()),
            set("A", "b"),
            set("HOME", "/x"),
            Act::Open { at: 1, how: How::Append, file: "log".into() },
            Act::Close(3),
        ]
    );
    assert_eq!(script.left_out, [(7, "mkdir -p".to_owned()), (8, "ulimit -n".to_owned())]);
    assert_eq!((script.line, script.conditional), (10, false));
    assert!(of("if x; then\nexec a\nfi").unwrap().conditional);
    assert!(of("x || exec a").unwrap().conditional);
}

#[test]
fn the_environment_is_that_which_the_shell_makes() {
    let of = |text: &str| of(text).unwrap();
    let set = |name: &str, value: &str| Act::Set(name.into(), value.into());
    assert_eq!(
        of("set -ea\nA=1\nset +a\nB=2\nset -o allexport\nC=3\nexec a").acts,
        [set("A", "1"), set("C", "3")]
    );
    assert_eq!(of("export NONE\nNONE=1\nexec a").acts, [set("NONE", "1")]);
    assert_eq!(of("cd -\ncd / &\nexec 2>&1 | x\nexport -p\nexec a").acts, []);
    let unknown = of("PATH=$(x)\nOTHER=$(x)\nexec a");
    assert_eq!((unknown.acts, unknown.left_out), (vec![], vec![(1, "PATH=...".to_owned())]));
}

#[test]
fn no_script_ends_the_program() {
    let text = "if [ -r ./c ]; then . ./c; fi\nexec env -i A=\"$B\" ${C:-d} `e` $(f) 'g' >h 2>&1 <<i | j &\n";
    let mut random = 0x9e37_79b9_u32;
    for _ in 0..5_000 {
        let mut bytes = text.as_bytes().to_vec();
        for _ in 0..3 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let [from, place, ..] = random.to_be_bytes().map(usize::from);
            let (from, place) = (from % bytes.len(), place % bytes.len());
            bytes[place] = bytes[from];
        }
        let _ = read(&bytes, |_| None);
    }
}
