//! The client of the platform's API: what it asks for, and what it never does twice.

#![expect(
    clippy::unwrap_used,
    reason = "in a test's helpers too, a panic is the report"
)]

mod delivery;
mod played;
mod script;
mod token;
mod transport;
