//! The status bytes.

use std::time::Duration;

/// What clients read: the 20 bytes of `supervise/status`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Status {
    pub(crate) seconds: u64,
    pub(crate) nanoseconds: u32,
    pub(crate) pid: u32,
    pub(crate) paused: u8,
    pub(crate) want: char,
    pub(crate) term: u8,
    pub(crate) state: u8,
}

impl Status {
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; 20] = bytes.try_into().ok()?;
        Some(Self {
            seconds: u64::from_be_bytes(bytes[..8].try_into().unwrap()),
            nanoseconds: u32::from_be_bytes(bytes[8..12].try_into().unwrap()),
            pid: u32::from_le_bytes(bytes[12..16].try_into().unwrap()),
            paused: bytes[16],
            want: bytes[17].into(),
            term: bytes[18],
            state: bytes[19],
        })
    }

    /// The bytes after the time and the pid.
    pub(crate) fn flags(&self) -> (u8, char, u8, u8) {
        (self.paused, self.want, self.term, self.state)
    }

    /// Whether it says what the text of the file `stat` says.
    pub(crate) fn agrees(&self, text: &str) -> bool {
        let has = |word| text.contains(word);
        let state = ["down", "run", "finish"].iter().position(|word| text.starts_with(word)).unwrap();
        let want = if has("want ") { 'd' } else { 'u' };
        usize::from(self.state) == state
            && (self.paused == 1) == has(", paused")
            && (self.term == 1) == has(", got TERM")
            && (state == 0 || self.want == want)
    }

    /// The same, with other flags.
    pub(crate) fn with(self, (paused, want, term, state): (u8, char, u8, u8)) -> Self {
        Self { paused, want, term, state, ..self }
    }

    /// The time, as the time since 1970.
    pub(crate) fn time(&self) -> Duration {
        Duration::new(self.seconds - ((1 << 62) + 10), self.nanoseconds)
    }
}
