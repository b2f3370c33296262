//! What a test mostly wants to know about a platform that was used.

use std::collections::HashSet;

use super::Delivery;
use super::Platform;

impl Platform {
    /// How many access tokens were minted, as far as they are kept.
    pub fn minted(&self) -> usize {
        self.tokens().count()
    }

    /// How many calls went to this path, as far as they are kept: none to `/cgi-bin/token` where only
    /// the stable endpoint may be asked.
    pub fn calls_to(&self, path: &str) -> usize {
        self.calls_after(0).filter(|call| call.path == path).count()
    }

    /// Messages that reached a user whom the very same message had reached before: none, where every
    /// message differs.
    pub fn delivered_again(&self) -> Vec<&Delivery> {
        let mut seen = HashSet::new();
        self.deliveries_after(0)
            .filter(|delivery| !seen.insert((&delivery.open_id, &delivery.body)))
            .collect()
    }
}
