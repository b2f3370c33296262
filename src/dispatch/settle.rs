//! The end of an attempt: what is committed, and what becomes of the push and its lane.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::dispatch::attempt::Verdict;
use crate::dispatch::live::{Live, SendError};
use crate::dispatch::schedule::Attempts;
use crate::store::{Attempt, ConversationChange, Ended, Next, Part, Settlement, StoredPush};

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

/// What decides whether and when a failed push is tried again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms<'a> {
    /// The schedule of its route.
    pub(crate) attempts: &'a Attempts,
    /// Whether it is tried again though it has said something: what it has said is not said again.
    pub(crate) resumable: bool,
    /// When its user can no longer be answered, as far as that is known.
    pub(crate) closes_at: Option<Timestamp>,
}

/// A last try comes so long before the user can no longer be answered.
const CLOSING_MARGIN: Duration = Duration::from_secs(10);

impl Terms<'_> {
    /// How long to wait after the `failures`-th failure. A try that would come when its user can no longer
    /// be answered is made while that is still possible; if it is not, nothing is gained by haste.
    fn delay(&self, push: &StoredPush, failures: u32, now: Timestamp) -> Option<Duration> {
        let chance = (push.id.0.unsigned_abs() ^ u64::from(failures)).wrapping_mul(GOLDEN) >> 32;
        let delay = self.attempts.delay(failures, chance)?;
        let left = self
            .closes_at
            .and_then(|at| at.since(now).checked_sub(CLOSING_MARGIN));
        Some(
            left.filter(|left| !left.is_zero())
                .map_or(delay, |left| delay.min(left)),
        )
    }
}

/// Spreads neighbouring numbers: 2^64 divided by the golden ratio.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// Whether the user's newer pushes did not wait for this one: it let them pass until its next try, which
/// the store tells by the time of that, or it is replayed long after them.
fn is_out_of_order(push: &StoredPush) -> bool {
    push.run > 1 || push.retry_at.is_some()
}

/// Draws the conclusion: done, again, or dead.
pub(crate) fn conclude(
    push: &StoredPush,
    live: &Live,
    verdict: Verdict,
    times: Times,
    terms: Terms<'_>,
) -> Conclusion {
    let number = push.attempts.saturating_add(1);
    let Reading {
        ended,
        error,
        after,
        parts,
        conversation,
    } = read(verdict, live);
    let reason = error.clone().unwrap_or_default();
    let (next, retry_in) = match ended {
        Ended::Well => (Next::Done, None),
        Ended::GaveUp => (Next::Dead { reason }, None),
        Ended::Failed | Ended::TimedOut | Ended::Panicked if live.spoke() && !terms.resumable => {
            let reason = format!("{reason} (not tried again: a message was already sent)");
            (Next::Dead { reason }, None)
        }
        Ended::Failed | Ended::TimedOut | Ended::Panicked => {
            match terms.delay(push, number, times.ended_at) {
                None => (Next::Dead { reason }, None),
                Some(scheduled) => {
                    let delay = after.unwrap_or(scheduled);
                    let at = times.ended_at.after(delay);
                    (Next::Retry { at, reason }, Some(delay))
                }
            }
        }
    };
    let attempt = Attempt {
        number,
        started_at: times.started_at,
        ended_at: times.ended_at,
        route: live.route().to_owned(),
        ended,
        error,
        out_of_order: is_out_of_order(push),
    };
    Conclusion {
        settlement: Settlement {
            parts,
            conversation,
            ..settlement(push, next, attempt)
        },
        retry_in,
    }
}

/// Why a push is given up that was started too often without an outcome.
pub(crate) fn started_too_often(push: &StoredPush) -> String {
    format!(
        "it was started {} times without an outcome: it may be what ends the process",
        push.starts
    )
}

/// Why a push is given up that comes too late.
pub(crate) fn stale(age: Duration, limit: Duration) -> String {
    format!(
        "stale: it was {} s old when its turn came, and dispatch.stale_after is {} s; a replay handles it",
        age.as_secs(),
        limit.as_secs()
    )
}

/// The end of a push that is not started.
pub(crate) fn bury(push: &StoredPush, reason: String, now: Timestamp) -> Settlement {
    let attempt = Attempt {
        number: push.attempts.saturating_add(1),
        started_at: now,
        ended_at: now,
        route: "-".to_owned(),
        ended: Ended::GaveUp,
        error: Some(reason.clone()),
        out_of_order: is_out_of_order(push),
    };
    settlement(push, Next::Dead { reason }, attempt)
}

/// One that says nothing.
fn settlement(push: &StoredPush, next: Next, attempt: Attempt) -> Settlement {
    Settlement {
        push: push.id,
        run: push.run,
        next,
        attempt,
        parts: Vec::new(),
        conversation: None,
    }
}

/// A verdict, as the store's words have it.
struct Reading {
    ended: Ended,
    error: Option<String>,
    /// The delay that the handler asked for.
    after: Option<Duration>,
    parts: Vec<Part>,
    conversation: Option<ConversationChange>,
}

fn read(verdict: Verdict, live: &Live) -> Reading {
    let failed = |ended, error, after| Reading {
        ended,
        error: Some(error),
        after,
        parts: Vec::new(),
        conversation: None,
    };
    match verdict {
        Verdict::Well(sayings) => match live.parts(sayings) {
            Some(parts) => Reading {
                ended: Ended::Well,
                error: None,
                after: None,
                parts,
                conversation: live.turned(),
            },
            None => failed(Ended::GaveUp, SendError::TooMany.to_string(), None),
        },
        Verdict::NotRun { reason } => Reading {
            ended: Ended::Well,
            error: Some(reason),
            after: None,
            parts: Vec::new(),
            conversation: None,
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
    use bytes::Bytes;

    use super::*;
    use crate::id::{AppId, OpenId, PushId};
    use crate::protocol::push::{DedupeKey, Kind};
    use crate::store::NewPush;

    fn push() -> StoredPush {
        let new = NewPush {
            account: AppId::parse("wx0123456789abcdef").unwrap(),
            user: OpenId::new("oUser"),
            kind: Kind::Message,
            key: DedupeKey([0; 16]),
            body: Bytes::new(),
            received_at: Timestamp::from_seconds(1_700_000_000),
            verified: "secure",
            malformed: None,
            ticket: None,
        };
        StoredPush::new(PushId(1 << 40), new)
    }

    #[test]
    fn a_try_is_made_while_its_user_can_be_answered_and_not_hurried_when_that_is_over() {
        let now = Timestamp::from_seconds(1_700_000_000);
        let attempts = Attempts::after(["60s"]).unwrap();
        let delay = |left: Option<u64>| {
            let closes_at = left.map(|seconds| now.after(Duration::from_secs(seconds)));
            let terms = Terms {
                attempts: &attempts,
                resumable: false,
                closes_at,
            };
            terms.delay(&push(), 1, now).unwrap().as_secs()
        };
        let scheduled = delay(None);
        assert!((60..72).contains(&scheduled), "{scheduled}");
        for (name, left, expected) in [
            ("open for long", 3_600, scheduled),
            ("closing soon", 40, 30),
            ("just enough", 11, 1),
            ("too late for that", 10, scheduled),
            ("closed", 0, scheduled),
        ] {
            assert_eq!(delay(Some(left)), expected, "{name}");
        }
    }

    #[test]
    fn what_let_others_pass_or_runs_again_is_out_of_order() {
        let first = push();
        let late = StoredPush {
            retry_at: Some(Timestamp::from_seconds(1_700_000_060)),
            ..push()
        };
        let replayed = StoredPush { run: 2, ..push() };
        let marks = [first, late, replayed].map(|push| is_out_of_order(&push));
        assert_eq!(marks, [false, true, true]);
    }
}
