//! The signature of the platform: SHA-1 over byte-sorted parts.

use std::fmt;

use sha1::{Digest as _, Sha1};
use subtle::{Choice, ConstantTimeEq as _};

/// A SHA-1 in the only spelling that the platform uses: 40 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hex40([u8; 40]);

/// Signs: sorts the parts as bytes, without separators, and hashes them.
///
/// The URL signature covers token, timestamp and nonce; `msg_signature` the text of `Encrypt` too.
/// Source: official page "消息推送", section on verifying the server address; recomputed from public captures.
pub fn sign(parts: &[&[u8]]) -> Hex40 {
    // At most four parts occur; sorting them must not cost an allocation on the way of every push.
    let mut few = [&b""[..]; 4];
    match few.get_mut(..parts.len()) {
        Some(sorted) => {
            sorted.copy_from_slice(parts);
            sorted.sort_unstable();
            digest(sorted)
        }
        None => {
            let mut sorted = parts.to_vec();
            sorted.sort_unstable();
            digest(&sorted)
        }
    }
}

fn digest(sorted: &[&[u8]]) -> Hex40 {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut hasher = Sha1::new();
    sorted.iter().for_each(|part| hasher.update(part));
    let mut hex = [0; 40];
    for (pair, byte) in hex.chunks_exact_mut(2).zip(hasher.finalize()) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    Hex40(hex)
}

fn words(digits: &[u8; 40]) -> impl Iterator<Item = u64> {
    let (words, _) = digits.as_chunks();
    words.iter().map(|word| u64::from_ne_bytes(*word))
}

impl Hex40 {
    /// Compares without telling by its duration where the first difference is. Upper case does not match.
    pub fn matches(&self, claimed: &str) -> bool {
        let Ok(claimed) = <&[u8; 40]>::try_from(claimed.as_bytes()) else {
            return false;
        };
        // Eight bytes at a time: comparing single ones in constant time costs as much as a short SHA-1.
        let pairs = words(&self.0).zip(words(claimed));
        let all = |same, (ours, theirs): (u64, u64)| same & ours.ct_eq(&theirs);
        pairs.fold(Choice::from(1), all).into()
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        // Only ASCII digits are ever put in.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Hex40 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Hex40 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hex40({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_sorted_as_bytes_whatever_their_order() {
        let plain = |text: &str| digest(&[text.as_bytes()]).to_string();
        for (name, parts, sorted) in [
            (
                "digits before upper case",
                ["Zz9", "1700000000", "10"],
                "101700000000Zz9",
            ),
            (
                "digit strings, not numbers",
                ["9a", "1700000000", "10"],
                "1017000000009a",
            ),
            ("upper case before underscore", ["_x", "Ab", "ab"], "Ab_xab"),
            ("equal parts", ["7", "7", "1"], "177"),
        ] {
            let [a, b, c] = parts.map(str::as_bytes);
            for order in [[a, b, c], [c, a, b], [b, c, a], [c, b, a]] {
                assert_eq!(sign(&order).to_string(), plain(sorted), "{name}");
            }
        }
        let five: Vec<&[u8]> = vec![b"e", b"d", b"c", b"b", b"a"];
        assert_eq!(sign(&five).to_string(), plain("abcde"));
    }

    #[test]
    fn only_the_exact_lower_case_digits_match() {
        let signature = sign(&[b"weixin", b"1357982061", b"1358161344"]);
        let text = signature.to_string();
        assert_eq!(text, "335b26997f05c82243aad6b10a2d1853637e71a8");
        assert!(signature.matches(&text));
        for wrong in ["", &text[1..], &text.to_uppercase(), &format!("{text}0")] {
            assert!(!signature.matches(wrong), "{wrong}");
        }
    }

    #[test]
    fn every_single_bit_of_what_is_claimed_matters() {
        let signature = sign(&[b"weixin", b"1357982061", b"1358161344"]);
        // The eighth bit makes a byte that is no text, and so nothing that can be claimed.
        for (byte, bit) in (0..40).flat_map(|byte| (0..7).map(move |bit| (byte, bit))) {
            let mut claimed = signature.0;
            claimed[byte] ^= 1 << bit;
            let claimed = std::str::from_utf8(&claimed).unwrap();
            assert!(!signature.matches(claimed), "byte {byte}, bit {bit}");
        }
    }

    #[test]
    fn every_single_bit_of_every_part_matters() {
        let parts = ["mpInboundT0ken", "1718000000", "904211378", "q3V0+/=="];
        let signed = sign(&parts.map(str::as_bytes)).to_string();
        for (index, part) in parts.iter().enumerate() {
            for bit in 0..part.len() * 8 {
                let mut changed = part.as_bytes().to_vec();
                changed[bit / 8] ^= 1 << (bit % 8);
                let mut flipped = parts.map(str::as_bytes);
                flipped[index] = &changed;
                assert!(!sign(&flipped).matches(&signed), "part {index}, bit {bit}");
            }
        }
    }
}
