//! The file `config` of a log directory.

use std::ffi::CString;
use std::net::{Ipv4Addr, SocketAddrV4};

/// What a log directory is to be like. `config`, a line each, names what is not as here.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// `sSIZE[k|m]`: the size in bytes at which `current` is rotated; 0: never.
    pub size: u64,
    /// `nNUM`: how many archives are kept; 0: all.
    pub keep: u64,
    /// `NMIN`: how many of them are kept though the disk be full.
    pub least: u64,
    /// `tSECONDS[m|h|d]`: the age at which `current` is rotated; 0: any.
    pub age: u64,
    /// `!COMMAND`: what each archive is worked up with.
    pub processor: Option<CString>,
    /// `uADDRESS[:PORT]`: where each line is sent too.
    pub udp: Option<SocketAddrV4>,
    /// `U` in place of `u`: only there.
    pub udp_only: bool,
    /// `pPREFIX`: what stands before each line.
    pub prefix: Vec<u8>,
    /// `+PATTERN`, `-PATTERN`, `ePATTERN`, `EPATTERN`.
    pub rules: Vec<Rule>,
    /// `oPOLICY`: what happens where nothing can be written.
    pub full: Full,
}

/// A line of `config` that selects lines of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// `+`: to the log; `-`: not; `e`: to stderr; `E`: not.
    pub kind: u8,
    /// The lines that it is for.
    pub pattern: Vec<u8>,
}

/// What happens where nothing can be written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Full {
    /// Lines wait, and so does who writes them.
    Block,
    /// The oldest archive goes, then the next, until there is room.
    Oldest,
    /// New lines are dropped, and counted.
    New,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            size: 1_000_000,
            keep: 10,
            least: 10,
            age: 0,
            processor: None,
            udp: None,
            udp_only: false,
            prefix: Vec::new(),
            rules: Vec::new(),
            full: Full::Block,
        }
    }
}

impl Config {
    /// Reads the text of a `config`; `complain` is told each line that means nothing, for which the default
    /// stays. Lines that begin with another letter are passed over, as svlogd does with ours.
    #[must_use]
    pub fn parse(text: &[u8], mut complain: impl FnMut(&[u8])) -> Self {
        let mut config = Self::default();
        for line in text.split(|byte| *byte == b'\n') {
            let Some((letter, value)) = line.split_first() else { continue };
            if config.set(*letter, value).is_none() {
                complain(line);
            }
        }
        config
    }

    fn set(&mut self, letter: u8, value: &[u8]) -> Option<()> {
        match letter {
            b's' => self.size = quantity(value, &[(b'k', 1 << 10), (b'm', 1 << 20)])?,
            b'n' => self.keep = quantity(value, &[])?,
            b'N' => self.least = quantity(value, &[])?,
            b't' => self.age = quantity(value, &[(b'm', 60), (b'h', 3600), (b'd', 86_400)])?,
            b'!' if !value.is_empty() => self.processor = Some(CString::new(value).ok()?),
            b'u' | b'U' => {
                self.udp = Some(address(value)?);
                self.udp_only |= letter == b'U';
            }
            b'p' => value.clone_into(&mut self.prefix),
            b'+' | b'-' | b'e' | b'E' => self.rules.push(Rule { kind: letter, pattern: value.to_owned() }),
            b'o' => {
                self.full = match value.trim_ascii() {
                    b"block" => Full::Block,
                    b"oldest" => Full::Oldest,
                    b"new" => Full::New,
                    _ => return None,
                }
            }
            _ => {}
        }
        Some(())
    }
}

/// A number with the factor that the letter behind it stands for. What follows is passed over, as svlogd
/// does.
fn quantity(text: &[u8], factors: &[(u8, u64)]) -> Option<u64> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(digits);
    let number: u64 = common::cli::number(digits)?;
    let factor = factors.iter().find(|(letter, _)| rest.first() == Some(letter));
    number.checked_mul(factor.map_or(1, |(_, factor)| *factor))
}

fn address(text: &[u8]) -> Option<SocketAddrV4> {
    let end = text.iter().position(|byte| !byte.is_ascii_digit() && !b".:".contains(byte));
    let mut parts = text[..end.unwrap_or(text.len())].split(|byte| *byte == b':');
    let mut bytes = parts.next()?.split(|byte| *byte == b'.');
    let mut next = || common::cli::number::<u8>(bytes.next()?);
    let address = Ipv4Addr::new(next()?, next()?, next()?, next()?);
    if bytes.next().is_some() {
        return None;
    }
    let port = parts.next().map_or(Some(514), common::cli::number::<u16>)?;
    (port != 0).then(|| SocketAddrV4::new(address, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (Config, Vec<String>) {
        let mut bad = Vec::new();
        let config =
            Config::parse(text.as_bytes(), |line| bad.push(String::from_utf8(line.to_owned()).unwrap()));
        (config, bad)
    }

    #[test]
    fn each_letter_sets_what_it_stands_for() {
        let text = "# a comment\n\ns10k\nn3\nN2\nt2m\n!gzip -9\nu1.2.3.4:99\npfoo: \n-*\n+a b*\nex\nEy\no oldest\nzzz";
        let (config, bad) = parsed(text);
        assert_eq!(bad, [""; 0]);
        let rule = |kind, pattern: &str| Rule { kind, pattern: pattern.into() };
        let expected = Config {
            size: 10_240,
            keep: 3,
            least: 2,
            age: 120,
            processor: Some(c"gzip -9".to_owned()),
            udp: Some(SocketAddrV4::new(Ipv4Addr::new(1, 2, 3, 4), 99)),
            udp_only: false,
            prefix: b"foo: ".to_vec(),
            rules: vec![rule(b'-', "*"), rule(b'+', "a b*"), rule(b'e', "x"), rule(b'E', "y")],
            full: Full::Oldest,
        };
        assert_eq!(config, expected);
    }

    #[test]
    fn the_last_of_a_kind_wins_and_what_is_bad_leaves_the_default() {
        let (config, bad) =
            parsed("s1m\ns5 bytes\nnx\nN\nt1w\nU1.2.3\nU1.2.3.4.5\nU1.2.3.4:0\nofoo\nonew\n!\n");
        assert_eq!((config.size, config.keep, config.least, config.age), (5, 10, 10, 1));
        assert_eq!((config.udp, config.full, config.processor), (None, Full::New, None));
        assert_eq!(bad, ["nx", "N", "U1.2.3", "U1.2.3.4.5", "U1.2.3.4:0", "ofoo"]);
        let (config, bad) = parsed("s99999999999999999999\ns18446744073709551615m\nU127.0.0.1");
        assert_eq!((config.size, bad.len(), config.udp_only), (1_000_000, 2, true));
        assert_eq!(config.udp.map(|address| address.port()), Some(514));
    }
}
