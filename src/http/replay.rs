//! Which body came with which signature: in plaintext mode the signature does not cover the body, so
//! whoever saw one signed request could put any body behind it.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Mutex;
use std::time::Duration;

/// Signatures that one account remembers at most, about 80 bytes each. Beyond it the oldest are
/// forgotten early: with the default window that begins at 200 plaintext pushes a second.
pub(super) const REMEMBERED: usize = 262_144;

/// The recent signatures of one account, each with the body that it came with.
///
/// A repeat by the platform has the same body, or a nonce of its own; both pass. Nobody but who knows
/// the token can make a signature that is not remembered yet, so nobody else can push one out.
#[derive(Debug)]
pub(super) struct Replays {
    kept_for: Duration,
    capacity: usize,
    hasher: RandomState,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    bodies: HashMap<u128, u64>,
    order: VecDeque<(Duration, u128)>,
}

impl Replays {
    /// Remembers each signature for as long as its timestamp can be fresh: twice the window.
    pub(super) fn new(freshness_window: Duration) -> Self {
        Self::bounded(freshness_window, REMEMBERED)
    }

    fn bounded(freshness_window: Duration, capacity: usize) -> Self {
        Self {
            kept_for: freshness_window.saturating_mul(2),
            capacity,
            hasher: RandomState::new(),
            seen: Mutex::default(),
        }
    }

    /// Whether this body may come with this signature, at this moment of the monotonic clock: the
    /// signature is new, or came with the same body. The body is compared by a hash whose key nobody
    /// outside this process knows.
    pub(super) fn admit(&self, signature: u128, body: &[u8], now: Duration) -> bool {
        let body = self.hasher.hash_one(body);
        let mut seen = self.seen.lock().unwrap_or_else(|e| e.into_inner());
        seen.forget(|at, kept| now.saturating_sub(at) > self.kept_for || kept > self.capacity);
        if let Some(known) = seen.bodies.get(&signature) {
            return *known == body;
        }
        seen.bodies.insert(signature, body);
        seen.order.push_back((now, signature));
        true
    }
}

impl Seen {
    fn forget(&mut self, is_over: impl Fn(Duration, usize) -> bool) {
        while let Some((at, signature)) = self.order.front()
            && is_over(*at, self.order.len())
        {
            self.bodies.remove(signature);
            self.order.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(600);

    #[test]
    fn a_signature_passes_with_its_own_body_as_often_as_it_comes_and_with_no_other() {
        let replays = Replays::new(WINDOW);
        for (name, signature, body, at, passes) in [
            ("the first", 7, "one", 0, true),
            ("its repeat", 7, "one", 5, true),
            ("another body", 7, "two", 6, false),
            ("another body, again", 7, "two", 7, false),
            ("the right one after that", 7, "one", 8, true),
            ("another signature", 8, "two", 9, true),
            ("as long as it can be fresh", 7, "two", 1_200, false),
            (
                "when no timestamp can be fresh any more",
                7,
                "two",
                1_201,
                true,
            ),
        ] {
            let admitted = replays.admit(signature, body.as_bytes(), Duration::from_secs(at));
            assert_eq!(admitted, passes, "{name}");
        }
    }

    #[test]
    fn only_so_many_signatures_are_remembered_the_newest_of_them() {
        let replays = Replays::bounded(WINDOW, 100);
        for signature in 0..1_000 {
            assert!(replays.admit(signature, b"one", Duration::ZERO));
        }
        let seen = replays.seen.lock().unwrap();
        assert_eq!((seen.bodies.len(), seen.order.len()), (101, 101));
        drop(seen);
        assert!(!replays.admit(999, b"two", Duration::ZERO));
        assert!(replays.admit(0, b"two", Duration::ZERO));
    }
}
