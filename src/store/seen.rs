//! The dedupe keys in memory, in generations that are dropped whole.
//!
//! Keys are hashes: indexing them on disk in their own order would touch a random page for each
//! push. So they are looked up here only, and rebuilt from the rows in the order of arrival.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::id::PushId;
use crate::protocol::push::DedupeKey;

/// How many generations one retention spans. More would forget more exactly, and look up more often.
const GENERATIONS_PER_RETENTION: u32 = 2;

/// A generation is closed early when it holds this part of the cap, so that reaching the cap
/// forgets the oldest quarter and not everything.
const GENERATIONS_PER_CAP: usize = 4;

#[derive(Debug, Clone)]
struct Generation {
    started: Timestamp,
    newest: Timestamp,
    last: PushId,
    keys: HashMap<DedupeKey, PushId>,
}

/// What was dropped: everything up to `upto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dropped {
    /// The newest id whose key was dropped.
    pub(super) upto: PushId,
    /// Keys went before their time, because there were too many.
    pub(super) early: bool,
}

/// The keys of everything accepted within the retention.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    retention: Duration,
    cap: usize,
    generations: VecDeque<Generation>,
    count: usize,
}

impl Seen {
    /// Keeps keys for at least `retention`, and never more than `cap` of them.
    pub(super) const fn new(retention: Duration, cap: usize) -> Self {
        Self {
            retention,
            cap,
            generations: VecDeque::new(),
            count: 0,
        }
    }

    /// The push that has this key.
    pub(super) fn find(&self, key: &DedupeKey) -> Option<PushId> {
        let newest_first = self.generations.iter().rev();
        newest_first
            .filter_map(|generation| generation.keys.get(key))
            .next()
            .copied()
    }

    /// Remembers a key. Ids come in growing order.
    pub(super) fn insert(&mut self, key: DedupeKey, id: PushId, at: Timestamp) {
        let span = self.retention / GENERATIONS_PER_RETENTION;
        let full = (self.cap / GENERATIONS_PER_CAP).max(1);
        let open = self.generations.back().is_some_and(|generation| {
            generation.keys.len() < full && at.since(generation.started) < span
        });
        if !open {
            self.generations.push_back(Generation {
                started: at,
                newest: at,
                last: id,
                keys: HashMap::new(),
            });
        }
        if let Some(generation) = self.generations.back_mut() {
            generation.newest = generation.newest.max(at);
            generation.last = id;
            if generation.keys.insert(key, id).is_none() {
                self.count += 1;
            }
        }
    }

    /// Takes a key out again, because its push was not stored after all.
    pub(super) fn remove(&mut self, key: &DedupeKey) {
        for generation in self.generations.iter_mut().rev() {
            if generation.keys.remove(key).is_some() {
                self.count -= 1;
                return;
            }
        }
    }

    /// Drops the generations whose time is over, and the oldest while there are too many keys.
    pub(super) fn expire(&mut self, now: Timestamp) -> Option<Dropped> {
        let mut dropped: Option<Dropped> = None;
        while let Some(oldest) = self.generations.front() {
            let over = now.since(oldest.newest) > self.retention;
            if !over && self.count < self.cap {
                break;
            }
            self.count -= oldest.keys.len();
            dropped = Some(Dropped {
                upto: oldest.last,
                early: !over || dropped.is_some_and(|before| before.early),
            });
            self.generations.pop_front();
        }
        dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn key(number: u64) -> DedupeKey {
        DedupeKey((u128::from(number) << 7).to_be_bytes())
    }

    #[test]
    fn a_key_is_kept_for_the_retention_and_dropped_soon_after() {
        let start = Timestamp::from_seconds(1_700_000_000);
        let mut seen = Seen::new(20 * MINUTE, 1_000);
        for minute in 0..=60 {
            let now = start.after(minute * MINUTE);
            seen.expire(now);
            seen.insert(key(u64::from(minute)), PushId(i64::from(minute) + 1), now);
            for other in 0..=60 {
                let found = seen.find(&key(u64::from(other))).is_some();
                let age = minute.checked_sub(other);
                match age {
                    None => assert!(!found, "{other} is in the future of {minute}"),
                    Some(0..=20) => assert!(found, "{other} at {minute}"),
                    Some(21..=30) => {}
                    Some(_) => assert!(!found, "{other} at {minute}"),
                }
            }
        }
    }

    #[test]
    fn too_many_keys_push_out_the_oldest_and_say_so() {
        let now = Timestamp::from_seconds(1_700_000_000);
        let mut seen = Seen::new(20 * MINUTE, 100);
        let mut early = None;
        for number in 0..1_000 {
            early = seen.expire(now).or(early);
            seen.insert(key(number), PushId(number as i64 + 1), now);
            assert!(seen.count <= 100);
        }
        assert_eq!(seen.find(&key(999)), Some(PushId(1_000)));
        assert_eq!(seen.find(&key(0)), None);
        assert_eq!(
            early,
            Some(Dropped {
                upto: PushId(900),
                early: true
            })
        );
    }

    #[test]
    fn a_key_that_was_taken_out_is_new_again() {
        let now = Timestamp::from_seconds(1_700_000_000);
        let mut seen = Seen::new(20 * MINUTE, 100);
        seen.insert(key(1), PushId(1), now);
        seen.remove(&key(1));
        assert_eq!((seen.find(&key(1)), seen.count), (None, 0));
    }
}
