//! One token for an account, whoever asks: the stores that processes share, and what they must do.

pub(crate) mod conformance;
pub(crate) mod herd;
mod keepers;
pub(crate) mod stage;
mod stores;
