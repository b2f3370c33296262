//! The client of the platform's API: what it asks for, and what it never does twice.

mod counted;
mod delivery;
mod downloads;
mod egress;
mod endpoints;
mod failover;
mod hosts;
mod logs;
pub(crate) mod played;
mod proxy;
mod script;
mod ticket;
mod token;
mod transport;
