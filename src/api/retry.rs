//! Whether a call that failed is made again, and when. Pure: time and chance are arguments.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::platform::error::{Class, ErrorCode};
use crate::platform::exchange::{ExchangeError, Repeat};

/// The pauses before a call that may be repeated is made again: three times at most.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
];

/// How often a call that must not be executed twice is made again, when it surely was not executed.
const HARMFUL_REPEATS: usize = 1;

/// The minute's quota is used up: it comes back with the next minute.
const MINUTE_QUOTA: ErrorCode = ErrorCode(45011);

/// "Too fast", of calls that want a minute between them: mass messages (42010), and the same
/// clientmsgid again (45066).
const MINUTE_APART: [i64; 2] = [42010, 45066];

/// What decides whether a call is made again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Situation {
    pub(super) repeat: Repeat,
    /// Whether −1 counts as *not executed*.
    pub(super) busy_means_not_sent: bool,
    /// How often it was made again already.
    pub(super) repeats: usize,
    /// The wall clock, whose minutes are the platform's.
    pub(super) now: Timestamp,
    /// Anything: spreads the callers who wait for the same moment.
    pub(super) chance: u32,
}

/// The pause after which the call is made again, if it is.
pub(super) fn pause(error: &ExchangeError, situation: Situation) -> Option<Duration> {
    let Situation { repeats, .. } = situation;
    let most = match situation.repeat {
        Repeat::Harmless => PAUSES.len(),
        Repeat::Harmful => HARMFUL_REPEATS,
    };
    if repeats >= most || !is_passing(error) || !may_be_made_again(error, situation) {
        return None;
    }
    let base = match error.code() {
        Some(MINUTE_QUOTA) => until_next_minute(situation.now),
        Some(code) if MINUTE_APART.contains(&code.0) => Duration::from_secs(60),
        _ => *PAUSES.get(repeats)?,
    };
    Some(base + spread(base, situation.chance))
}

/// Whether the same call may do better in a moment.
fn is_passing(error: &ExchangeError) -> bool {
    match error {
        ExchangeError::Transport(_) | ExchangeError::Empty => true,
        ExchangeError::Refused { code, .. } => {
            *code == MINUTE_QUOTA || code.class() == Class::Transient
        }
        ExchangeError::Status { status, .. } => *status >= 500,
        // A page with status 200 comes from a portal or a wrong address; it stays.
        ExchangeError::Page { .. } | ExchangeError::Unreadable { .. } | ExchangeError::TooLong => {
            false
        }
    }
}

fn may_be_made_again(error: &ExchangeError, situation: Situation) -> bool {
    match situation.repeat {
        Repeat::Harmless => true,
        Repeat::Harmful => {
            let is_busy = error.code() == Some(ErrorCode::BUSY);
            error.surely_not_executed() || (is_busy && situation.busy_means_not_sent)
        }
    }
}

fn until_next_minute(now: Timestamp) -> Duration {
    let into = now.milliseconds().rem_euclid(60_000);
    Duration::from_millis(u64::try_from(60_000 - into).unwrap_or(60_000))
}

/// Up to a half more for short pauses, up to 3 seconds more for long ones.
fn spread(base: Duration, chance: u32) -> Duration {
    let most = (base / 2).min(Duration::from_secs(3));
    most.mul_f64(f64::from(chance) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::TransportError;

    const NOW: Timestamp = Timestamp::from_milliseconds(1_700_000_000_000);

    fn code(code: i64) -> ExchangeError {
        ExchangeError::Refused {
            code: ErrorCode(code),
            message: String::new(),
            rid: None,
        }
    }

    fn situation(repeat: Repeat, repeats: usize) -> Situation {
        Situation {
            repeat,
            busy_means_not_sent: true,
            repeats,
            now: NOW,
            chance: 0,
        }
    }

    #[test]
    fn every_failure_is_repeated_as_often_as_it_makes_sense() {
        let text = String::new;
        let status = |status| ExchangeError::Status {
            status,
            excerpt: text(),
        };
        let lost = || TransportError::Broken { reason: text() };
        let refused = || TransportError::NotConnected { reason: text() };
        // How often a harmless call is made again, and how often a harmful one.
        for (name, error, harmless, harmful) in [
            ("busy", code(-1), 3, 1),
            ("busy inside", code(61450), 3, 0),
            ("the minute's quota", code(45011), 3, 1),
            ("the day's quota", code(45009), 0, 0),
            ("concurrent tagging", code(45169), 3, 1),
            ("unauthorized", code(48001), 0, 0),
            ("not in the whitelist", code(40164), 0, 0),
            ("risk control", code(89503), 0, 0),
            ("a token", code(40001), 0, 0),
            ("unheard of", code(123_456), 0, 0),
            ("a bad gateway", status(502), 3, 0),
            ("a wrong path", status(404), 0, 0),
            ("no length", status(412), 0, 0),
            ("a lost answer", ExchangeError::Transport(lost()), 3, 0),
            ("no connection", ExchangeError::Transport(refused()), 3, 1),
            ("empty", ExchangeError::Empty, 3, 0),
            ("a page", ExchangeError::Page { excerpt: text() }, 0, 0),
            (
                "no JSON",
                ExchangeError::Unreadable { excerpt: text() },
                0,
                0,
            ),
        ] {
            let repeats = |repeat| {
                (0..)
                    .take_while(|made| pause(&error, situation(repeat, *made)).is_some())
                    .count()
            };
            let found = (repeats(Repeat::Harmless), repeats(Repeat::Harmful));
            assert_eq!(found, (harmless, harmful), "{name}");
        }
    }

    #[test]
    fn busy_is_not_repeated_where_it_may_have_been_executed() {
        let careful = Situation {
            busy_means_not_sent: false,
            ..situation(Repeat::Harmful, 0)
        };
        assert_eq!(pause(&code(-1), careful), None);
    }

    #[test]
    fn pauses_grow_and_a_minutes_quota_is_waited_for() {
        let after = |code_: i64, repeats, milliseconds, chance| {
            let situation = Situation {
                now: Timestamp::from_milliseconds(milliseconds),
                chance,
                ..situation(Repeat::Harmless, repeats)
            };
            pause(&code(code_), situation).unwrap().as_millis()
        };
        assert_eq!(
            [0, 1, 2].map(|repeats| after(-1, repeats, 0, 0)),
            [500, 1000, 2000]
        );
        assert_eq!(
            [0, 1, 2].map(|repeats| after(-1, repeats, 0, u32::MAX)),
            [750, 1500, 3000]
        );
        assert_eq!(after(45011, 0, 59_000, 0), 1_000);
        assert_eq!(after(45011, 2, 60_000, 0), 60_000);
        assert_eq!(after(45011, 0, 61_000, u32::MAX), 62_000);
        assert_eq!(after(45011, 0, -1, 0), 1);
        assert_eq!(after(42010, 0, 0, 0), 60_000);
    }
}
