//! What waits to be written in one piece.

/// Bytes that wait to be written. Lines are short: to call memcpy for each takes longer than to copy them.
pub(super) struct Piece {
    bytes: Vec<u8>,
    length: usize,
}

impl Piece {
    /// No bytes, with room for so many.
    pub(super) fn new(room: usize) -> Self {
        Self { bytes: vec![0; room], length: 0 }
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        let end = self.length + bytes.len();
        if end > self.bytes.len() {
            self.bytes.resize(end, 0);
        }
        copy(&mut self.bytes[self.length..end], bytes);
        self.length = end;
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// Takes all of it away.
    pub(super) fn clear(&mut self) {
        self.length = 0;
    }
}

/// How many bytes are copied at once.
const STEP: usize = 32;

/// Copies bytes to as many.
fn copy(to: &mut [u8], from: &[u8]) {
    match from.len() {
        0 => {}
        1 => ends::<1>(to, from),
        2 | 3 => ends::<2>(to, from),
        4..8 => ends::<4>(to, from),
        8..16 => ends::<8>(to, from),
        16..STEP => ends::<16>(to, from),
        length => {
            // The last step may overlap that before it.
            let last = length - STEP;
            let mut at = 0;
            loop {
                first::<STEP>(&mut to[at..], &from[at..]);
                if at == last {
                    break;
                }
                at = last.min(at + STEP);
            }
        }
    }
}

/// Copies the first and the last bytes, so many each.
#[allow(clippy::inline_always, reason = "a program that is built to be small would call it for each step")]
#[inline(always)]
fn ends<const N: usize>(to: &mut [u8], from: &[u8]) {
    let last = from.len() - N;
    first::<N>(to, from);
    first::<N>(&mut to[last..], &from[last..]);
}

/// Copies the first bytes, so many.
#[allow(clippy::inline_always, reason = "a program that is built to be small would call it for each step")]
#[inline(always)]
fn first<const N: usize>(to: &mut [u8], from: &[u8]) {
    if let (Some(to), Some(from)) = (to.first_chunk_mut::<N>(), from.first_chunk::<N>()) {
        *to = *from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_all_lengths_are_added_whole() {
        let text: Vec<u8> = (0..=255).collect();
        for room in [0, 1000, 40_000] {
            let (mut piece, mut whole) = (Piece::new(room), Vec::new());
            for length in 0..=text.len() {
                piece.add(&text[..length]);
                whole.extend(&text[..length]);
                assert!(piece.bytes() == whole, "{length}");
            }
            piece.clear();
            assert_eq!(piece.bytes(), b"");
            piece.add(b"new");
            assert_eq!(piece.bytes(), b"new");
        }
    }
}
