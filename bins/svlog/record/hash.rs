//! The hash by which a batch is known again.

/// FNV-1a, 64 bits, of whole words in place of bytes, in the order of this machine and the last one filled up
/// with zeros; the high bits are folded into the low ones. The next version must have the same.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let step = |hash: u64, word: [u8; 8]| {
        let hash = (hash ^ u64::from_ne_bytes(word)).wrapping_mul(PRIME);
        hash ^ hash >> 32
    };
    let words = bytes.chunks_exact(8);
    let mut last = [0; 8];
    last[..words.remainder().len()].copy_from_slice(words.remainder());
    let word = |word: &[u8]| word.try_into().unwrap_or(last); // which is eight bytes
    step(words.map(word).fold(BASIS, step), last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn the_hash_is_the_same_in_every_version_and_from_every_compiler() {
        assert_eq!(hash(b""), 0xaf63_bd4c_2962_0a93);
        assert_eq!(hash(b"one\n"), 0xd48d_e25d_17a5_b6e3);
        assert_eq!(hash(b"eight by"), 0xae2f_cec7_1010_95f4);
        assert_eq!(hash(b"a line of the log\nand another one\n"), 0xf15b_fdcf_a265_15f4);
    }

    #[test]
    fn each_byte_counts_wherever_it_stands() {
        let text = [b'x'; 40];
        let changed = |at: usize, bit: u8| {
            let mut text = text;
            text[at] ^= bit;
            hash(&text)
        };
        let mut all: Vec<u64> = (0..40).flat_map(|at| [1, 64, 128].map(|bit| changed(at, bit))).collect();
        all.push(hash(&text));
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 3 * 40 + 1);
    }
}
