//! For how long a token is used, and when it is renewed: everything as a function of its age. Pure.

use std::time::Duration;

use crate::store::tokens::TokenKind;

/// The remaining life below which a token is used no more: a call must not meet its end on the way.
pub const MINIMUM_REMAINDER: Duration = Duration::from_secs(30);

/// The remaining life below which a token of the stable endpoint is renewed while it is still used.
///
/// That endpoint gives a new token only when at most 300 seconds are left; asked a little later than
/// that, it surely does.
pub const RENEWAL_WINDOW: Duration = Duration::from_secs(290);

/// How far apart the processes of an account begin to renew in the stable endpoint's window.
const STABLE_SPREAD: Duration = Duration::from_secs(30);

/// The age at which a token of the plain endpoint is renewed, if that is not past half its life.
const PLAIN_AGE: Duration = Duration::from_secs(3_600);

/// How far from that age, either way, the processes of an account begin.
const PLAIN_SPREAD: Duration = Duration::from_secs(60);

/// Pauses between renewals that bring the same token again.
const SAME_AGAIN_PAUSE: Duration = Duration::from_secs(15);

/// How often the stable endpoint is asked although nothing is due: it gives the same token again, so
/// this harms nobody, and shows a frozen secret or a whitelist's gap before it matters.
pub const HEARTBEAT: Duration = Duration::from_secs(3_600);

/// How long a copy of a token is used before the store is looked at again, at most.
pub const LONGEST_LOOK: Duration = Duration::from_secs(60);

/// The remaining life below which a token that is still not replaced is a reason for an alarm.
pub const ALARM_REMAINDER: Duration = Duration::from_secs(120);

/// Where in the spread of the processes this one begins: from 0 to 255.
pub(super) type Turn = u8;

/// The latest turn: what begins with it is overdue for every process.
pub(super) const LAST_TURN: Turn = Turn::MAX;

/// When a token is used and renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lifetime {
    whole: Duration,
    kind: TokenKind,
}

impl Lifetime {
    /// From the `expires_in` of the answer.
    pub(super) const fn new(whole: Duration, kind: TokenKind) -> Self {
        Self { whole, kind }
    }

    /// What is left at this age.
    pub(super) fn remaining(self, age: Duration) -> Duration {
        self.whole.saturating_sub(age)
    }

    /// Whether a token of this age may be used. Short lives are used for two thirds at least.
    pub(super) fn is_usable(self, age: Duration) -> bool {
        self.remaining(age) > MINIMUM_REMAINDER.min(self.whole / 3)
    }

    /// The age from which a process with this turn renews. Of short lives, the last third is the
    /// stable endpoint's window.
    pub(super) fn renewal_age(self, turn: Turn) -> Duration {
        let part_of = |spread: Duration| spread * u32::from(turn) / u32::from(Turn::MAX);
        match self.kind {
            TokenKind::Plain => {
                let spread = PLAIN_SPREAD.min(self.whole / 10);
                PLAIN_AGE.min(self.whole / 2) + part_of(spread * 2) - spread
            }
            _ => {
                let window = RENEWAL_WINDOW.min(self.whole / 3);
                let begin = self.whole.saturating_sub(window);
                begin + part_of(STABLE_SPREAD.min(window / 5))
            }
        }
    }

    /// The pause after a renewal that brought the same token.
    pub(super) fn pause(self) -> Duration {
        SAME_AGAIN_PAUSE.min(self.whole / 6)
    }

    /// Whether a token of this age is to be renewed, `since_asked` after the platform was last asked.
    pub(super) fn wants_renewal(self, age: Duration, since_asked: Duration, turn: Turn) -> bool {
        age >= self.renewal_age(turn) && since_asked >= self.pause()
    }

    /// Whether it is time to ask only in order to see whether the platform answers.
    pub(super) fn wants_heartbeat(self, since_asked: Duration) -> bool {
        self.kind == TokenKind::Stable && since_asked >= HEARTBEAT
    }

    /// How long a copy of this age is used before the store is looked at again.
    pub(super) fn look_after(self, age: Duration) -> Duration {
        LONGEST_LOOK.min(self.remaining(age) / 4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stable(seconds: u64) -> Lifetime {
        Lifetime::new(Duration::from_secs(seconds), TokenKind::Stable)
    }

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
            let lifetime = stable(whole);
            let found = (
                lifetime.is_usable(seconds(age)),
                lifetime.wants_renewal(seconds(age), seconds(age), 0),
            );
            assert_eq!(found, (usable, wants_renewal), "{age} s of {whole} s");
        }
    }

    #[test]
    fn processes_begin_apart_and_within_their_spread() {
        for (kind, whole, first, last) in [
            (TokenKind::Stable, 7_200, 6_910, 6_940),
            (TokenKind::Stable, 300, 200, 220),
            (TokenKind::Plain, 7_200, 3_540, 3_660),
            (TokenKind::Plain, 300, 120, 180),
        ] {
            let lifetime = Lifetime::new(Duration::from_secs(whole), kind);
            let ages = [0, LAST_TURN].map(|turn| lifetime.renewal_age(turn).as_secs());
            assert_eq!(ages, [first, last], "{} of {whole} s", kind.name());
        }
    }

    #[test]
    fn a_renewal_that_brought_the_same_token_is_repeated_after_a_pause() {
        let age = Duration::from_secs(6950);
        assert!(!stable(7200).wants_renewal(age, Duration::from_secs(14), 0));
        assert!(stable(7200).wants_renewal(age, Duration::from_secs(15), 0));
    }

    #[test]
    fn only_the_stable_endpoint_is_asked_without_need() {
        for (kind, seconds, expected) in [
            (TokenKind::Stable, 3_599, false),
            (TokenKind::Stable, 3_600, true),
            (TokenKind::Plain, 7_000, false),
        ] {
            let lifetime = Lifetime::new(Duration::from_secs(7_200), kind);
            let found = lifetime.wants_heartbeat(Duration::from_secs(seconds));
            assert_eq!(found, expected, "{} {seconds}", kind.name());
        }
    }
}
