//! What the output is read on: a terminal with its width, its colours and its letters, or anything else.

use std::borrow::Cow;
use std::ffi::CStr;
use std::io::{IsTerminal, stdout};

use common::{Env, shown, terminal};

use super::colour;

/// What the output is read on.
pub(super) struct Screen {
    /// How many columns and rows it has; none where it is no terminal.
    pub(super) size: Option<(usize, usize)>,
    pub(super) colours: bool,
    /// Whether it shows all letters; else those of ASCII alone.
    pub(super) utf8: bool,
    /// Whether it can be drawn on again.
    pub(super) moves: bool,
}

impl Screen {
    pub(super) fn of(env: &Env) -> Self {
        let size = stdout().is_terminal().then(size);
        Self {
            size,
            colours: colour::wanted(env),
            // What is no terminal gets the bytes as they are.
            utf8: size.is_none() || is_utf8(env),
            moves: size.is_some() && !colour::is_dumb(env),
        }
    }

    /// Looks again how large it is.
    pub(super) fn measure(&mut self) {
        self.size = self.size.map(|_| size());
    }

    pub(super) fn columns(&self) -> Option<usize> {
        self.size.map(|(columns, _)| columns)
    }

    /// Bytes from outside, on one line.
    pub(super) fn text(&self, bytes: impl AsRef<[u8]>) -> String {
        let is_plain = |byte: &u8| matches!(byte, b' '..=b'~');
        // As nearly all of it is.
        if bytes.as_ref().iter().all(is_plain) {
            return String::from_utf8_lossy(bytes.as_ref()).into_owned();
        }
        let text = shown(&bytes).to_string();
        if self.utf8 || text.is_ascii() {
            return text;
        }
        let mut escaped = String::new();
        for character in text.chars() {
            if character.is_ascii() {
                escaped.push(character);
            } else {
                let mut bytes = [0; 4];
                let bytes = character.encode_utf8(&mut bytes).bytes();
                escaped.extend(bytes.map(|byte| format!("\\x{byte:02x}")));
            }
        }
        escaped
    }

    /// The beginning of a text, in so many columns; where something is left out it ends with a sign for that.
    pub(super) fn cut<'t>(&self, text: &'t str, columns: usize) -> Cow<'t, str> {
        if width(text) <= columns {
            return text.into();
        }
        let sign = if self.utf8 { "…" } else { "..." };
        let sign = if width(sign) <= columns { sign } else { "" };
        let (mut used, mut short) = (width(sign), String::new());
        for character in text.chars() {
            used += width_of(character);
            if used > columns {
                break;
            }
            short.push(character);
        }
        (short + sign).into()
    }

    /// A text in a colour, as ECMA-48 numbers it; plain for an empty one.
    pub(super) fn coloured<'t>(&self, text: &'t str, colour: &str) -> Cow<'t, str> {
        if self.colours && !colour.is_empty() {
            format!("\x1b[{colour}m{text}\x1b[m").into()
        } else {
            text.into()
        }
    }

    /// What stands before a process of a tree, by the levels above it: whether more follow on each.
    pub(super) fn branch(&self, more: &[bool]) -> String {
        let [last, bar, fork, end] =
            if self.utf8 { ["   ", "│  ", "├─ ", "└─ "] } else { ["   ", "|  ", "|- ", "`- "] };
        let mut text = String::new();
        if let Some((own, above)) = more.split_last() {
            text.extend(above.iter().map(|more| if *more { bar } else { last }));
            text.push_str(if *own { fork } else { end });
        }
        text
    }
}

/// The size of the terminal; one that does not know it has that of all old ones.
fn size() -> (usize, usize) {
    let (columns, rows) = terminal::window(stdout()).unwrap_or_default();
    let or = |size: u16, usual| if size == 0 { usual } else { usize::from(size) };
    (or(columns, 80), or(rows, 24))
}

/// Whether the terminal shows UTF-8, as locale(7) says: the first of these that is set decides.
fn is_utf8(env: &Env) -> bool {
    let names = [c"LC_ALL", c"LC_CTYPE", c"LANG"];
    let locale = names.into_iter().filter_map(|name| env.get(name)).find(|value| !value.is_empty());
    let locale = locale.map_or(&b""[..], CStr::to_bytes).to_ascii_lowercase();
    locale.ends_with(b"utf-8") || locale.ends_with(b"utf8")
}

/// How many columns a text takes.
pub(super) fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().map(width_of).sum() }
}

/// How many columns a character takes: two for those of East Asia and for pictures, none for one that is drawn on that
/// before it.
fn width_of(character: char) -> usize {
    match character {
        '\u{300}'..='\u{36f}'
        | '\u{483}'..='\u{489}'
        | '\u{591}'..='\u{5bd}'
        | '\u{610}'..='\u{61a}'
        | '\u{64b}'..='\u{65f}'
        | '\u{e31}'
        | '\u{e34}'..='\u{e3a}'
        | '\u{e47}'..='\u{e4e}'
        | '\u{1ab0}'..='\u{1aff}'
        | '\u{1dc0}'..='\u{1dff}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{20d0}'..='\u{20ff}'
        | '\u{302a}'..='\u{302d}'
        | '\u{3099}'..='\u{309a}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{fe20}'..='\u{fe2f}'
        | '\u{feff}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{231a}'..='\u{231b}'
        | '\u{23e9}'..='\u{23ec}'
        | '\u{2614}'..='\u{2615}'
        | '\u{26a1}'
        | '\u{26d4}'
        | '\u{2705}'
        | '\u{2728}'
        | '\u{274c}'
        | '\u{274e}'
        | '\u{2753}'..='\u{2755}'
        | '\u{2757}'
        | '\u{2b50}'
        | '\u{2e80}'..='\u{303e}'
        | '\u{3041}'..='\u{a4cf}'
        | '\u{a960}'..='\u{a97f}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1f64f}'
        | '\u{1f680}'..='\u{1f6c5}'
        | '\u{1f7e0}'..='\u{1f7eb}'
        | '\u{1f900}'..='\u{1f9ff}'
        | '\u{1fa70}'..='\u{1faff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screen(utf8: bool) -> Screen {
        Screen { size: Some((80, 24)), colours: true, utf8, moves: true }
    }

    #[test]
    fn a_text_has_the_width_that_a_terminal_gives_it() {
        for (text, columns) in [
            ("web", 3),
            ("é", 1),
            ("e\u{301}", 1),
            ("日本", 4),
            ("が", 2),
            ("✅🚀🟢", 6),
            ("a\u{202e}b", 2),
            ("", 0),
        ] {
            assert_eq!(width(text), columns, "{text}");
        }
    }

    #[test]
    fn what_is_cut_says_so() {
        for (text, columns, cut) in
            [("abcdef", 6, "abcdef"), ("abcdef", 4, "abc…"), ("日本語", 4, "日…"), ("abc", 0, "")]
        {
            assert_eq!(screen(true).cut(text, columns), cut);
        }
        assert_eq!(screen(false).cut("abcdef", 5), "ab...");
        assert_eq!(screen(false).cut("abcdef", 2), "ab");
    }

    #[test]
    fn a_terminal_without_utf8_gets_ascii() {
        assert_eq!(screen(true).text("é\n"), "é\\n");
        assert_eq!(screen(false).text("aé"), "a\\xc3\\xa9");
        assert_eq!(screen(true).branch(&[true, false]), "│  └─ ");
        assert_eq!(screen(false).branch(&[false, true]), "   |- ");
        assert_eq!(screen(true).branch(&[]), "");
    }

    #[test]
    fn a_colour_is_put_around_a_text() {
        assert_eq!(screen(true).coloured("run", "32"), "\x1b[32mrun\x1b[m");
        assert_eq!(screen(true).coloured("down", ""), "down");
    }
}
