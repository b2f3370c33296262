//! One token for an account, whoever asks: the stores that processes share, and what they must do.

pub(crate) mod conformance;
#[cfg(feature = "redis")]
mod fleet;
pub(crate) mod herd;
mod keepers;
#[cfg(feature = "redis")]
mod kept;
#[cfg(feature = "redis")]
mod outages;
#[cfg(feature = "redis")]
mod processes;
#[cfg(feature = "redis")]
mod secured;
pub(crate) mod stage;
mod stores;
