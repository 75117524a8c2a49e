//! The commands of a script, as they are written.

/// A piece of a word.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    Literal(Vec<u8>),
    Variable {
        name: Vec<u8>,
        quoted: bool,
        default: Option<Vec<u8>>,
    },
    /// A variable that gets a value unless it has one; `None` if that is not a plain one.
    Default {
        name: Vec<u8>,
        value: Option<Vec<u8>>,
    },
    /// What only a shell can know.
    Unknown(&'static str),
}

pub(super) type Pieces = Vec<Piece>;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Redirection {
    pub(super) fd: Option<i32>,
    pub(super) operator: Vec<u8>,
    pub(super) target: Pieces,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Command {
    pub(super) line: usize,
    pub(super) assignments: Vec<(Vec<u8>, Pieces)>,
    pub(super) words: Vec<Pieces>,
    pub(super) redirections: Vec<Redirection>,
    /// How many compound commands are around it.
    pub(super) depth: usize,
    /// Whether it is run only if the command before it says so.
    pub(super) depends: bool,
    pub(super) piped: bool,
}

impl Command {
    pub(super) fn name(&self) -> Option<&[u8]> {
        match self.words.first().map(Vec::as_slice) {
            Some([Piece::Literal(name)]) => Some(name),
            _ => None,
        }
    }

    /// Whether it is run in any case, and by the shell itself.
    pub(super) fn is_sure(&self) -> bool {
        self.depth == 0 && !self.depends && !self.piped
    }

    pub(super) fn is_empty(&self) -> bool {
        self.words.is_empty() && self.assignments.is_empty() && self.redirections.is_empty()
    }
}

/// `NAME=value`.
pub(super) fn assignment(word: &Pieces) -> Option<(Vec<u8>, Pieces)> {
    let (Piece::Literal(first), rest) = word.split_first()? else { return None };
    let equals = first.iter().position(|byte| *byte == b'=')?;
    let (name, value) = (&first[..equals], &first[equals + 1..]);
    let is_name = name.first().is_some_and(|byte| !byte.is_ascii_digit())
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    is_name.then(|| (name.to_vec(), [vec![Piece::Literal(value.to_vec())], rest.to_vec()].concat()))
}

/// How a command begins, for a message.
pub(super) fn begins(command: &Command) -> String {
    let text = |piece: &Piece| match piece {
        Piece::Literal(text) => String::from_utf8_lossy(text).into_owned(),
        Piece::Variable { name, .. } | Piece::Default { name, .. } => {
            ["$", &String::from_utf8_lossy(name)].concat()
        }
        Piece::Unknown(_) => "...".into(),
    };
    let words = command.words.iter().take(2).map(|word| word.iter().map(text).collect::<String>());
    words.collect::<Vec<_>>().join(" ")
}
