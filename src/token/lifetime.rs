//! For how long a token is used, and when it is renewed. Pure.

use std::time::Duration;

/// The remaining life below which a token is used no more: a call must not meet its end on the way.
pub const MINIMUM_REMAINDER: Duration = Duration::from_secs(30);

/// The remaining life below which a token is renewed while it is still used.
///
/// The stable endpoint gives a new token only when at most 300 seconds are left; asked a little
/// later than that, it surely does.
pub const RENEWAL_WINDOW: Duration = Duration::from_secs(290);

/// Pauses between renewals that bring the same token again.
const SAME_AGAIN_PAUSE: Duration = Duration::from_secs(15);

/// When a token, taken at a moment of some clock, is used and renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lifetime {
    whole: Duration,
}

impl Lifetime {
    /// From the `expires_in` of the answer.
    pub(super) const fn new(whole: Duration) -> Self {
        Self { whole }
    }

    /// Whether a token of this age may be used. Short lives are used for two thirds at least.
    pub(super) fn is_usable(self, age: Duration) -> bool {
        let cushion = MINIMUM_REMAINDER.min(self.whole / 3);
        self.whole.saturating_sub(age) > cushion
    }

    /// Whether a token of this age is to be renewed, `since_asked` after the platform was last asked.
    /// Of short lives, the last third is the window.
    pub(super) fn wants_renewal(self, age: Duration, since_asked: Duration) -> bool {
        let window = RENEWAL_WINDOW.min(self.whole / 3);
        let pause = SAME_AGAIN_PAUSE.min(self.whole / 6);
        self.whole.saturating_sub(age) <= window && since_asked >= pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_used_and_renewed_by_their_remaining_life() {
        let seconds = Duration::from_secs;
        for (whole, age, usable, wants_renewal) in [
            (7200, 0, true, false),
            (7200, 6909, true, false),
            (7200, 6910, true, true),
            (7200, 7169, true, true),
            (7200, 7170, false, true),
            (7200, 9000, false, true),
            (300, 199, true, false),
            (300, 200, true, true),
            (300, 269, true, true),
            (300, 270, false, true),
            (30, 19, true, false),
            (30, 20, false, true),
            (1, 0, true, false),
            (1, 1, false, true),
        ] {
            let lifetime = Lifetime::new(seconds(whole));
            let found = (
                lifetime.is_usable(seconds(age)),
                lifetime.wants_renewal(seconds(age), seconds(age)),
            );
            assert_eq!(found, (usable, wants_renewal), "{age} s of {whole} s");
        }
    }

    #[test]
    fn a_renewal_that_brought_the_same_token_is_repeated_after_a_pause() {
        let lifetime = Lifetime::new(Duration::from_secs(7200));
        let age = Duration::from_secs(6950);
        assert!(!lifetime.wants_renewal(age, Duration::from_secs(14)));
        assert!(lifetime.wants_renewal(age, Duration::from_secs(15)));
    }
}
