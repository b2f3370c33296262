//! What keeps authentic but worthless requests of a plaintext account from filling the disk.

use std::sync::Mutex;
use std::time::Duration;

/// Malformed pushes of a plaintext account that are stored at once: its signature does not cover the
/// body, so one that never reached this process fits any body.
pub(super) const MALFORMED_BURST: u32 = 60;
/// After a burst, one more malformed push is stored in each such period.
pub(super) const MALFORMED_PERIOD: Duration = Duration::from_secs(10);
/// Bytes of the largest malformed push of a plaintext account that is stored.
pub(super) const MALFORMED_BYTES: usize = 64 * 1024;

/// Lets a burst through, then one in each period.
#[derive(Debug)]
pub(super) struct Throttle {
    state: Mutex<(u32, Duration)>,
}

impl Throttle {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::new((MALFORMED_BURST, Duration::ZERO)),
        }
    }

    /// Whether one more may pass at this moment of the monotonic clock.
    pub(super) fn pass(&self, now: Duration) -> bool {
        let mut state = self.state.lock().unwrap_or_else(|e| e.into_inner());
        let (left, since) = *state;
        let periods = now.saturating_sub(since).as_millis() / MALFORMED_PERIOD.as_millis();
        let earned = u32::try_from(periods).unwrap_or(u32::MAX);
        let left = left.saturating_add(earned).min(MALFORMED_BURST);
        let since = since + MALFORMED_PERIOD.saturating_mul(earned);
        *state = (left.saturating_sub(1), since);
        left > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_then_one_for_each_period() {
        let throttle = Throttle::new();
        let start = Duration::from_secs(5);
        let passed = (0..1_000).filter(|_| throttle.pass(start)).count();
        assert_eq!(passed, MALFORMED_BURST as usize);
        let later = start + MALFORMED_PERIOD;
        assert!(throttle.pass(later));
        assert!(!throttle.pass(later));
        let much_later = later + MALFORMED_PERIOD * 1_000;
        let passed = (0..1_000).filter(|_| throttle.pass(much_later)).count();
        assert_eq!(passed, MALFORMED_BURST as usize);
    }
}
