//! Where a request comes from, and whether pushes may come from there.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, RwLock};

use actix_web::HttpRequest;
use tokio::sync::Notify;

use super::network::Network;
use crate::clock::Timestamp;

/// From where pushes may come. Off by default: the signature is what proves where a push comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AllowList {
    /// Whether the addresses that the platform names are on it.
    pub wechat: bool,
    /// What else is.
    pub networks: Vec<Network>,
}

impl AllowList {
    /// Whether anybody is refused by it.
    pub fn is_on(&self) -> bool {
        self.wechat || !self.networks.is_empty()
    }
}

/// The platform's list as it was last seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callbacks {
    /// The addresses.
    pub networks: Vec<Network>,
    /// When the platform named them.
    pub read_at: Timestamp,
}

/// Where requests come from, and who may send pushes. One for the process.
#[derive(Debug)]
pub struct Sources {
    trusted: Vec<Network>,
    allowed: AllowList,
    callbacks: RwLock<Option<Arc<Callbacks>>>,
    outdated: Notify,
}

impl Sources {
    /// Trusts these proxies to say for whom they speak, and allows these sources.
    pub fn new(trusted: Vec<Network>, allowed: AllowList) -> Self {
        Self {
            trusted,
            allowed,
            callbacks: RwLock::default(),
            outdated: Notify::new(),
        }
    }

    /// What is allowed by configuration.
    pub fn allowed(&self) -> &AllowList {
        &self.allowed
    }

    /// The platform's list, if it was ever seen.
    pub fn callbacks(&self) -> Option<Arc<Callbacks>> {
        let callbacks = self.callbacks.read().unwrap_or_else(|e| e.into_inner());
        callbacks.clone()
    }

    /// Takes the platform's list. An empty one says nothing, and is not taken.
    pub fn learn(&self, callbacks: Callbacks) {
        if !callbacks.networks.is_empty() {
            let mut known = self.callbacks.write().unwrap_or_else(|e| e.into_inner());
            *known = Some(Arc::new(callbacks));
        }
    }

    /// Waits until a rightly signed push came from somewhere that is not on the list: the platform may
    /// have new addresses.
    pub async fn outdated(&self) {
        self.outdated.notified().await;
    }

    /// Whether a rightly signed push may come from there. While the platform's list was never seen,
    /// nobody is refused: a list that cannot be had must not shut the platform out.
    pub(super) fn allows(&self, source: Option<IpAddr>) -> bool {
        if !self.allowed.is_on() {
            return true;
        }
        let inside = |networks: &[Network]| {
            source.is_some_and(|source| networks.iter().any(|network| network.contains(source)))
        };
        if inside(&self.allowed.networks) {
            return true;
        }
        let allowed = match self.callbacks() {
            _ if !self.allowed.wechat => false,
            None => true,
            Some(callbacks) => inside(&callbacks.networks),
        };
        if !allowed && self.allowed.wechat {
            self.outdated.notify_one();
        }
        allowed
    }

    /// The address that sent the request: the peer, or, when that is a trusted proxy, the last one in
    /// `X-Forwarded-For` that is not. What stands left of it may be made up.
    pub(super) fn source_of(&self, request: &HttpRequest) -> Option<IpAddr> {
        let peer = request.peer_addr()?.ip().to_canonical();
        if self.trusted.is_empty() {
            return Some(peer);
        }
        let lines: Vec<&str> = request
            .headers()
            .get_all("x-forwarded-for")
            .filter_map(|line| line.to_str().ok())
            .collect();
        Some(self.behind(peer, &lines))
    }

    fn behind(&self, peer: IpAddr, forwarded_for: &[&str]) -> IpAddr {
        let is_trusted = |address| self.trusted.iter().any(|network| network.contains(address));
        let hops = forwarded_for.iter().rev().flat_map(|line| line.rsplit(','));
        let mut last = peer;
        for hop in hops {
            if !is_trusted(last) {
                break;
            }
            // Whoever wrote something else than an address said nothing that can be believed.
            let Some(address) = address_in(hop.trim()) else {
                break;
            };
            last = address;
        }
        last
    }
}

/// An address, perhaps with a port, as proxies write it.
fn address_in(hop: &str) -> Option<IpAddr> {
    let bare = hop
        .strip_prefix('[')
        .and_then(|hop| hop.strip_suffix(']'))
        .unwrap_or(hop);
    let address = match bare.parse::<IpAddr>() {
        Ok(address) => address,
        Err(_) => hop.parse::<SocketAddr>().ok()?.ip(),
    };
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(texts: &[&str]) -> Vec<Network> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn only_trusted_proxies_are_believed_and_only_up_to_the_first_stranger() {
        let sources = Sources::new(networks(&["127.0.0.1", "10.0.0.0/8"]), AllowList::default());
        for (name, peer, lines, expected) in [
            ("no header", "127.0.0.1", &[][..], "127.0.0.1"),
            (
                "a stranger's header",
                "192.0.2.9",
                &["203.0.113.1"],
                "192.0.2.9",
            ),
            ("one hop", "127.0.0.1", &["203.0.113.1"], "203.0.113.1"),
            (
                "what the client made up stands left",
                "127.0.0.1",
                &["198.51.100.1, 203.0.113.1"],
                "203.0.113.1",
            ),
            (
                "two trusted hops",
                "127.0.0.1",
                &["198.51.100.1, 203.0.113.1, 10.1.2.3"],
                "203.0.113.1",
            ),
            (
                "two lines",
                "127.0.0.1",
                &["198.51.100.1", "203.0.113.1,10.1.2.3"],
                "203.0.113.1",
            ),
            ("all trusted", "127.0.0.1", &["10.1.2.3"], "10.1.2.3"),
            (
                "nonsense",
                "127.0.0.1",
                &["203.0.113.1, unknown"],
                "127.0.0.1",
            ),
            (
                "with a port",
                "127.0.0.1",
                &["203.0.113.1:4711"],
                "203.0.113.1",
            ),
            (
                "in brackets",
                "127.0.0.1",
                &["[2001:db8::1]"],
                "2001:db8::1",
            ),
            (
                "in brackets with a port",
                "127.0.0.1",
                &["[2001:db8::1]:80"],
                "2001:db8::1",
            ),
            (
                "mapped",
                "127.0.0.1",
                &["::ffff:203.0.113.1"],
                "203.0.113.1",
            ),
        ] {
            let source = sources.behind(address(peer), lines);
            assert_eq!(source, address(expected), "{name}");
        }
    }

    #[test]
    fn a_list_that_was_never_seen_or_is_empty_refuses_nobody() {
        let wechat = AllowList {
            wechat: true,
            networks: networks(&["192.0.2.0/24"]),
        };
        let sources = Sources::new(Vec::new(), wechat);
        let seen = |texts: &[&str]| Callbacks {
            networks: networks(texts),
            read_at: Timestamp::from_seconds(1),
        };
        let anybody = Some(address("198.51.100.1"));
        assert!(sources.allows(anybody));
        sources.learn(seen(&[]));
        assert!(sources.allows(anybody), "an empty list is none");
        sources.learn(seen(&["203.0.113.0/24"]));
        assert!(!sources.allows(anybody));
        assert!(!sources.allows(None));
        assert!(sources.allows(Some(address("203.0.113.7"))));
        assert!(
            sources.allows(Some(address("192.0.2.7"))),
            "by configuration"
        );
        sources.learn(seen(&[]));
        assert!(!sources.allows(anybody), "the last good list is kept");
        assert!(sources.allows(Some(address("203.0.113.7"))));
    }

    #[tokio::test]
    async fn a_push_from_an_unknown_address_asks_for_a_newer_list() {
        let wechat = AllowList {
            wechat: true,
            networks: Vec::new(),
        };
        let sources = Sources::new(Vec::new(), wechat);
        sources.learn(Callbacks {
            networks: networks(&["203.0.113.0/24"]),
            read_at: Timestamp::from_seconds(1),
        });
        assert!(!sources.allows(Some(address("198.51.100.1"))));
        sources.outdated().await;
    }

    #[test]
    fn without_a_list_everybody_is_allowed_and_with_networks_alone_only_those() {
        let off = Sources::new(Vec::new(), AllowList::default());
        assert!(off.allows(Some(address("198.51.100.1"))) && off.allows(None));
        let own = AllowList {
            wechat: false,
            networks: networks(&["203.0.113.0/24"]),
        };
        let own = Sources::new(Vec::new(), own);
        assert!(own.allows(Some(address("203.0.113.1"))));
        assert!(!own.allows(Some(address("198.51.100.1"))));
    }
}
