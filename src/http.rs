//! The listeners: the webhook that WeChat calls, and the admin listener for operators.
//!
//! The public listener knows the accounts' paths, and `/healthz` if that is switched on. [`webhook`] is the only place in
//! the house that says `success`.

use std::net::SocketAddr;
use std::time::Duration;

pub mod admin;
mod api;
mod body;
pub mod client;
mod component;
mod door;
mod file;
pub mod freshness;
mod gate;
mod guard;
mod jssdk;
pub mod network;
pub(crate) mod operate;
mod passive;
mod quota;
mod rejection;
mod release_check;
mod replay;
pub mod server;
pub mod source;
pub mod standing;
mod token;
pub mod webhook;

use network::Network;
pub use server::{Listeners, Running};
use source::AllowList;

/// Where and how pushes are received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The public listener.
    pub listen: SocketAddr,
    /// The admin listener; loopback by default, because it tells about the inside.
    pub admin_listen: SocketAddr,
    /// Threads of the public listener; 0 is one for each core.
    pub workers: usize,
    /// From the first byte of a request that we see to the first byte of its answer.
    pub request_budget: Duration,
    /// How far a signed timestamp may lie from our clock.
    pub freshness_window: Duration,
    /// Open connections of the public listener; more wait in the kernel's queue. Above three quarters every
    /// answer closes its connection.
    pub max_connections: usize,
    /// Whether the public listener answers `/healthz`, too.
    pub public_healthz: bool,
    /// From where pushes may come, beside a right signature.
    pub allow_list: AllowList,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
}

/// Where WeChat's pushes are awaited. WeChat itself calls ports 80 and 443 only, so a proxy is in front.
pub const DEFAULT_LISTEN: &str = "0.0.0.0:8080";
/// Where operators and probes are awaited.
pub const DEFAULT_ADMIN_LISTEN: &str = "127.0.0.1:8081";
/// WeChat drops the connection after 5 s and repeats the push; our answer must be on its way before.
///
/// Source: the push guide of the official documentation, read 2026-11.
pub const DEFAULT_REQUEST_BUDGET: Duration = Duration::from_secs(4);
/// A signature says nothing about its age but the timestamp that it covers.
pub const DEFAULT_FRESHNESS_WINDOW: Duration = Duration::from_secs(600);
/// A few thousand connections are ample for any account; each costs some kilobytes.
pub const DEFAULT_MAX_CONNECTIONS: usize = 16_384;
/// Bytes of the longest push body that is read. The largest real ones are lists of some ten kilobytes.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([0, 0, 0, 0], 8080)),
            admin_listen: SocketAddr::from(([127, 0, 0, 1], 8081)),
            workers: 0,
            request_budget: DEFAULT_REQUEST_BUDGET,
            freshness_window: DEFAULT_FRESHNESS_WINDOW,
            max_connections: DEFAULT_MAX_CONNECTIONS,
            public_healthz: false,
            allow_list: AllowList::default(),
            trusted_proxies: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_the_documented_ones() {
        let settings = Settings::default();
        assert_eq!(settings.listen.to_string(), DEFAULT_LISTEN);
        assert_eq!(settings.admin_listen.to_string(), DEFAULT_ADMIN_LISTEN);
    }
}
