//! The engine over the real in-memory inbox, with handlers as users write them and a courier in
//! place of the platform.

pub(crate) mod kit;
mod lanes;
mod replies;
mod restarts;
mod retries;
