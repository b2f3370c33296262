//! The engine over the real in-memory inbox, with handlers as users write them and a courier in
//! place of the platform.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod accounts;
mod calls;
mod chaos;
mod fairness;
pub(crate) mod kit;
mod lanes;
mod layers;
mod plain;
mod policies;
mod renders;
mod replies;
mod resends;
mod restarts;
mod retries;
mod windows;
