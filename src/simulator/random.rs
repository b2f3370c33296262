//! Repeatable randomness: what the simulator draws follows from its seed.

/// SplitMix64: small, fast, and good enough for nonces that need not be secret.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from zero up to, not including, `end`. The tiny bias does not matter here.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// A fraction from 0 up to, not including, 1.
    pub(crate) fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// So many letters, digits, `-` and `_`, as ids and tickets have.
    pub(crate) fn letters(&mut self, count: usize) -> String {
        const ALPHABET: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut letter = || char::from(ALPHABET[self.below(64) as usize]);
        (0..count).map(|_| letter()).collect()
    }

    /// Sixteen lower-case hex digits, the form in which WeChat writes the random start of an envelope.
    pub(crate) fn hex_digits(&mut self) -> [u8; 16] {
        let bits = self.next();
        std::array::from_fn(|at| b"0123456789abcdef"[(bits >> (4 * at)) as usize & 15])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same() {
        let mut one = Random::new(7);
        let mut other = Random::new(7);
        assert_eq!(one.next(), other.next());
        assert_eq!(one.hex_digits(), other.hex_digits());
        assert!((0.0..1.0).contains(&one.fraction()));
        assert!(one.below(10) < 10);
    }
}
