//! A token that the platform refused, by whichever name its user knows it.

use subtle::ConstantTimeEq as _;

use crate::secret::AccessToken;
use crate::token::Lease;

/// A token that the platform refused, by whichever name its user knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Suspect {
    /// The token itself.
    Token(AccessToken),
    /// The SHA-256 of the token.
    Digest([u8; 32]),
    /// The generation with which it was given.
    Generation(u64),
}

impl Suspect {
    /// Whether the suspect is the token of this lease.
    pub fn is(&self, lease: &Lease) -> bool {
        match self {
            Self::Token(token) => *token == lease.token,
            Self::Digest(digest) => digest.ct_eq(&lease.token.digest()).into(),
            Self::Generation(generation) => *generation == lease.generation,
        }
    }
}
