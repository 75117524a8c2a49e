//! The command line.

use std::ffi::CStr;
use std::iter;

use common::{Cli, Exit, Short, Words, shown};

use super::config::{Config, Dialect};
use super::lines::{STAMPED, Stamp};

/// The least number of bytes that are read at a time. Larger batches are hardly faster, and cost memory.
const BATCH: usize = 12 << 10;

/// The operand that is the standard output.
const STDOUT: &CStr = c"-";

/// The options and operands.
#[derive(Debug)]
pub(super) struct Options {
    pub(super) stamp: Stamp,
    /// Each byte's replacement, if any is replaced.
    replaced: Option<Vec<u8>>,
    /// How many bytes of a line patterns see.
    pub(super) length: usize,
    /// How many bytes are read at a time.
    pub(super) batch: usize,
    pub(super) verbose: bool,
    pub(super) directories: Vec<Wanted>,
    /// What each line begins with on the standard output, if that is where the log goes, and no directory.
    pub(super) stdout: Option<Vec<u8>>,
}

/// A log directory that the command line names.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) path: &'static CStr,
    /// What its settings are if it has no `config`, or if that is not read.
    pub(super) config: Config,
}

impl Options {
    #[inline(never)] // out of the way of what runs on
    pub(super) fn parse(cli: &mut Cli) -> Result<(Self, Words), Exit> {
        let (mut stamps, mut by, mut these, mut length, mut batch, mut verbose) =
            (0, None, None, 1000, BATCH, false);
        let mut name = None;
        while let Some(option) = cli.option()? {
            match option {
                Short('t') => stamps += 1,
                Short('r') => by = Some(cli.value()?.to_vec()),
                Short('R') => these = Some(cli.value()?.to_vec()),
                Short('l') => length = size(cli)?,
                Short('b') => batch = size(cli)?,
                Short('p') => name = Some(cli.word()?),
                Short('v') => verbose = true,
                other => return Err(Exit::unexpected(other)),
            }
        }
        let by = match by.as_deref() {
            None => these.is_some().then_some(b'_'),
            Some([c]) => Some(*c),
            Some(_) => return Err(Exit::usage("-r takes one character")),
        };
        if batch <= length {
            return Err(Exit::usage("-b must be more than -l"));
        }
        let these = these.unwrap_or_default();
        let plain = |byte: &u8| *byte == b'\n' || (b' '..=b'~').contains(byte) && !these.contains(byte);
        let replaced = by.map(|c| (0..=255).map(|byte| if plain(&byte) { byte } else { c }).collect());
        let first = cli.operand("dir")?.0;
        let rest = cli.rest_or_nothing().take();
        let operands = iter::once(first).chain(rest.words);
        let mut directories: Vec<_> =
            operands.map(|path| Wanted { path, config: Config::default() }).collect();
        let mut stdout = None;
        if directories.iter().any(|wanted| wanted.path == STDOUT) {
            if directories.len() > 1 {
                return Err(Exit::usage("- is the standard output, beside which there is no dir"));
            }
            directories.clear();
            stdout = Some(name.map_or(Vec::new(), |name| [name.to_bytes(), b": "].concat()));
        } else if name.is_some() {
            return Err(Exit::usage("-p goes with - alone; a dir has its prefix in config"));
        }
        let stamp = [Stamp::None, Stamp::Tai, Stamp::Utc("_"), Stamp::Utc("T")][stamps.min(3)];
        let batch = batch.max(BATCH);
        Ok((Self { stamp, replaced, length, batch, verbose, directories, stdout }, rest.env.into_words()))
    }

    /// Those of a script of multilog.
    pub(super) fn of_script(stamp: Stamp, directories: Vec<Wanted>) -> Self {
        Self {
            stamp,
            replaced: None,
            length: STAMPED,
            batch: BATCH,
            verbose: false,
            directories,
            stdout: None,
        }
    }

    /// Whether a log directory that cannot be used is the end.
    pub(super) fn needs_all(&self) -> bool {
        self.directories.iter().any(|wanted| wanted.config.dialect == Dialect::Multilog)
    }

    /// Whether any byte is replaced.
    pub(super) fn replaces(&self) -> bool {
        self.replaced.is_some()
    }

    /// Replaces as `-r` and `-R` demand. Newlines stay.
    pub(super) fn replace(&self, bytes: &mut [u8]) {
        if let Some(replaced) = &self.replaced {
            for byte in bytes {
                *byte = replaced[usize::from(*byte)];
            }
        }
    }
}

/// The value of the option just read, a number of bytes.
fn size(cli: &mut Cli) -> Result<usize, Exit> {
    let value = cli.value()?.to_vec();
    let size = common::quantity::number(&value).filter(|size| (1..=1 << 30).contains(size));
    size.ok_or_else(|| Exit::usage(format_args!("not a number of bytes: {}", shown(&value))))
}
