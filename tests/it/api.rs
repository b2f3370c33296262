//! The client of the platform's API: what it asks for, and what it never does twice.

mod delivery;
mod played;
mod script;
mod ticket;
mod token;
mod transport;
