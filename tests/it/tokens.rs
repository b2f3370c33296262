//! One token for an account, whoever asks: the stores that processes share, and what they must do.

pub(crate) mod conformance;
mod stores;
