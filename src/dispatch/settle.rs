//! The end of an attempt: what is committed, and what becomes of the push and its lane.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::dispatch::attempt::Verdict;
use crate::dispatch::live::{Live, SendError};
use crate::store::{Attempt, Ended, Next, Part, Settlement, StoredPush};

/// What follows from an attempt's end.
#[derive(Debug)]
pub(crate) struct Conclusion {
    pub(crate) settlement: Settlement,
    /// How long until the next attempt, when there is one.
    pub(crate) retry_in: Option<Duration>,
}

/// When things happened, for the record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) started_at: Timestamp,
    pub(crate) ended_at: Timestamp,
}

/// Draws the conclusion: done, again, or dead. `delay` is the schedule's for the attempt's number.
pub(crate) fn conclude(
    push: &StoredPush,
    live: &Live,
    verdict: Verdict,
    times: Times,
    delay: impl FnOnce(u32) -> Option<Duration>,
) -> Conclusion {
    let number = push.attempts.saturating_add(1);
    let Reading {
        ended,
        error,
        after,
        parts,
    } = read(verdict, live);
    let reason = error.clone().unwrap_or_default();
    let (next, retry_in) = match ended {
        Ended::Well => (Next::Done, None),
        Ended::GaveUp => (Next::Dead { reason }, None),
        Ended::Failed | Ended::TimedOut | Ended::Panicked if live.spoke() => {
            let reason = format!("{reason} (not tried again: a message was already sent)");
            (Next::Dead { reason }, None)
        }
        Ended::Failed | Ended::TimedOut | Ended::Panicked => match delay(number) {
            None => (Next::Dead { reason }, None),
            Some(scheduled) => {
                let delay = after.unwrap_or(scheduled);
                let delay = in_time(delay, times.ended_at, live.closes_at());
                let at = times.ended_at.after(delay);
                (Next::Retry { at, reason }, Some(delay))
            }
        },
    };
    let attempt = Attempt {
        number,
        started_at: times.started_at,
        ended_at: times.ended_at,
        route: live.route().to_owned(),
        ended,
        error,
    };
    Conclusion {
        settlement: settlement(push, next, attempt, parts),
        retry_in,
    }
}

/// How long before its window closes an attempt is made at the latest: it must still be answered.
const LAST_CALL: Duration = Duration::from_secs(5);

/// The delay, shortened where a reply after it would come too late for the window, and one before it
/// would not. What is too late already waits as it was to.
fn in_time(delay: Duration, now: Timestamp, closes_at: Option<Timestamp>) -> Duration {
    let left = closes_at.map(|at| at.since(now));
    let latest = left.and_then(|left| left.checked_sub(LAST_CALL));
    match latest {
        Some(latest) if !latest.is_zero() => delay.min(latest),
        _ => delay,
    }
}

/// The end of a push that was started too often without an outcome: it is not started again.
pub(crate) fn bury(push: &StoredPush, now: Timestamp) -> Settlement {
    let reason = format!(
        "it was started {} times without an outcome: it may be what ends the process",
        push.starts
    );
    let attempt = Attempt {
        number: push.attempts.saturating_add(1),
        started_at: now,
        ended_at: now,
        route: "-".to_owned(),
        ended: Ended::GaveUp,
        error: Some(reason.clone()),
    };
    settlement(push, Next::Dead { reason }, attempt, Vec::new())
}

fn settlement(push: &StoredPush, next: Next, attempt: Attempt, parts: Vec<Part>) -> Settlement {
    Settlement {
        push: push.id,
        run: push.run,
        next,
        attempt,
        parts,
    }
}

/// A verdict, as the store's words have it.
struct Reading {
    ended: Ended,
    error: Option<String>,
    /// The delay that the handler asked for.
    after: Option<Duration>,
    parts: Vec<Part>,
}

fn read(verdict: Verdict, live: &Live) -> Reading {
    let failed = |ended, error, after| Reading {
        ended,
        error: Some(error),
        after,
        parts: Vec::new(),
    };
    match verdict {
        Verdict::Well(messages) => match live.parts(messages) {
            Some(parts) => Reading {
                ended: Ended::Well,
                error: None,
                after: None,
                parts,
            },
            None => failed(Ended::GaveUp, SendError::TooMany.to_string(), None),
        },
        Verdict::Failed { error, after } => failed(Ended::Failed, error, after),
        Verdict::GaveUp { error } => failed(Ended::GaveUp, error, None),
        Verdict::TimedOut { error } => failed(Ended::TimedOut, error, None),
        Verdict::Panicked { error } => failed(Ended::Panicked, error, None),
    }
}

/// What an attempt under way is, for the engine.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) push: StoredPush,
    pub(crate) started_at: Timestamp,
    pub(crate) phase: Phase,
}

/// How far an attempt is.
#[derive(Debug)]
pub(crate) enum Phase {
    /// The store marks its start.
    Marking,
    /// The handlers' threads have it.
    UnderWay {
        live: Arc<Live>,
        /// Dropping it cancels the handler.
        #[expect(dead_code, reason = "held for its drop")]
        task: async_executor::Task<()>,
    },
    /// It has ended; a send of it is still open.
    Ending,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retry_that_would_come_too_late_for_its_window_comes_in_time() {
        let now = Timestamp::from_seconds(1_700_000_000);
        let seconds = Duration::from_secs;
        for (name, delay, left, expected) in [
            ("not known", 60, None, 60),
            ("long enough", 60, Some(172_800), 60),
            ("too short", 60, Some(30), 25),
            ("just long enough", 10, Some(15), 10),
            ("nearly over", 60, Some(5), 60),
            ("over", 60, Some(0), 60),
        ] {
            let closes_at = left.map(|left| now.after(seconds(left)));
            let found = in_time(seconds(delay), now, closes_at);
            assert_eq!(found, seconds(expected), "{name}");
        }
    }
}
