//! How many refused requests a source has sent of late. Asked only about requests that were refused
//! already: whatever it says, a right signature is never turned away.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Mutex;
use std::time::Duration;

/// Refused requests of one source that are ordinary: scanners, a console with a wrong token.
pub(super) const BURST: u32 = 60;
/// After a burst, one more is ordinary in each such period.
pub(super) const PERIOD: Duration = Duration::from_secs(1);
/// Sources that are told apart at once, about 100 bytes each. While all of them are busy, every other one
/// counts as one that sends too many.
pub(super) const SOURCES: usize = 4_096;
/// How often the log names one source at most.
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// What is thought of a refused request's source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opinion {
    /// It sends no more than others.
    Ordinary,
    /// It sends too many. `say` is true once in a while: then the log may name it.
    Excessive { say: bool },
}

#[derive(Debug)]
struct Bucket {
    left: u32,
    since: Duration,
    said: Option<Duration>,
}

impl Bucket {
    /// The bucket as it has filled up again until now.
    fn refill(&mut self, now: Duration) {
        let periods = now.saturating_sub(self.since).as_millis() / PERIOD.as_millis();
        let earned = u32::try_from(periods).unwrap_or(u32::MAX);
        self.left = self.left.saturating_add(earned).min(BURST);
        self.since += PERIOD.saturating_mul(earned);
    }
}

/// One bucket for each source. IPv6 sources are told apart by their first 64 bits: whoever has one
/// address of such a network has all.
#[derive(Debug, Default)]
pub(super) struct Guard(Mutex<HashMap<IpAddr, Bucket>>);

impl Guard {
    /// Notes a refused request at this moment of the monotonic clock.
    pub(super) fn refused(&self, source: IpAddr, now: Duration) -> Opinion {
        let source = network_of(source);
        let mut buckets = self.0.lock().unwrap_or_else(|e| e.into_inner());
        if buckets.len() >= SOURCES && !buckets.contains_key(&source) {
            buckets.retain(|_, bucket| {
                bucket.refill(now);
                bucket.left < BURST
            });
            if buckets.len() >= SOURCES {
                return Opinion::Excessive { say: false };
            }
        }
        let bucket = buckets.entry(source).or_insert(Bucket {
            left: BURST,
            since: now,
            said: None,
        });
        bucket.refill(now);
        if bucket.left > 0 {
            bucket.left -= 1;
            return Opinion::Ordinary;
        }
        let say = bucket
            .said
            .is_none_or(|said| now.saturating_sub(said) >= SAY_AGAIN);
        if say {
            bucket.said = Some(now);
        }
        Opinion::Excessive { say }
    }
}

fn network_of(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(address) => {
            let network = address.to_bits() & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
        canonical => canonical,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_source_is_excessive_beyond_its_burst_and_ordinary_again_later() {
        let guard = Guard::default();
        let (source, other) = (address("192.0.2.1"), address("192.0.2.2"));
        let start = Duration::from_secs(100);
        for number in 0..BURST {
            assert_eq!(guard.refused(source, start), Opinion::Ordinary, "{number}");
        }
        assert_eq!(
            guard.refused(source, start),
            Opinion::Excessive { say: true }
        );
        assert_eq!(
            guard.refused(source, start),
            Opinion::Excessive { say: false }
        );
        assert_eq!(guard.refused(other, start), Opinion::Ordinary);
        assert_eq!(guard.refused(source, start + PERIOD), Opinion::Ordinary);
        let later = start + Duration::from_secs(61) + PERIOD;
        for _ in 0..BURST {
            assert_eq!(guard.refused(source, later), Opinion::Ordinary);
        }
        assert_eq!(
            guard.refused(source, later),
            Opinion::Excessive { say: true }
        );
    }

    #[test]
    fn the_table_is_bounded_and_who_does_not_fit_counts_as_excessive() {
        let guard = Guard::default();
        let numbered = |number: usize| address(&format!("10.0.{}.{}", number / 256, number % 256));
        for number in 0..SOURCES {
            guard.refused(numbered(number), Duration::ZERO);
        }
        let late = guard.refused(numbered(SOURCES), Duration::ZERO);
        assert_eq!(late, Opinion::Excessive { say: false });
        assert_eq!(guard.0.lock().unwrap().len(), SOURCES);
        let later = guard.refused(numbered(SOURCES), PERIOD);
        assert_eq!(later, Opinion::Ordinary, "the others have recovered");
        assert_eq!(guard.0.lock().unwrap().len(), 1);
    }

    #[test]
    fn addresses_of_one_network_share_a_bucket_and_mapped_ones_are_themselves() {
        assert_eq!(
            network_of(address("2001:db8::1")),
            network_of(address("2001:db8::ffff:1"))
        );
        assert_ne!(
            network_of(address("2001:db8::1")),
            network_of(address("2001:db8:0:1::1"))
        );
        assert_eq!(
            network_of(address("::ffff:192.0.2.1")),
            address("192.0.2.1")
        );
    }
}
