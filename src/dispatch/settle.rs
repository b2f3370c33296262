//! The end of an attempt: what is committed, and what becomes of the push and its lane.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::clock::Timestamp;
use crate::dispatch::attempt::Verdict;
use crate::dispatch::live::{Live, MAX_PARTS};
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
    let (ended, error, after, messages) = read(verdict);
    let parts = match ended {
        Ended::Well => live.parts(messages).ok_or_else(|| {
            format!("the push would be answered with more than {MAX_PARTS} messages")
        }),
        _ => Ok(Vec::new()),
    };
    let (ended, error, parts) = match parts {
        Ok(parts) => (ended, error, parts),
        Err(reason) => (Ended::GaveUp, Some(reason), Vec::new()),
    };
    let reason = error.clone().unwrap_or_default();
    let delay = delay(number).map(|scheduled| after.unwrap_or(scheduled));
    let (next, retry_in) = match (ended, delay) {
        (Ended::Well, _) => (Next::Done, None),
        (Ended::GaveUp, _) => (Next::Dead { reason }, None),
        _ if live.spoke() => {
            let reason = format!("{reason} (not tried again: a message was already sent)");
            (Next::Dead { reason }, None)
        }
        (_, None) => (Next::Dead { reason }, None),
        (_, Some(delay)) => {
            let at = times.ended_at.after(delay);
            (Next::Retry { at, reason }, Some(delay))
        }
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

type Reading = (Ended, Option<String>, Option<Duration>, Vec<Bytes>);

fn read(verdict: Verdict) -> Reading {
    match verdict {
        Verdict::Well(messages) => (Ended::Well, None, None, messages),
        Verdict::Failed { error, after } => (Ended::Failed, Some(error), after, Vec::new()),
        Verdict::GaveUp { error } => (Ended::GaveUp, Some(error), None, Vec::new()),
        Verdict::TimedOut { error } => (Ended::TimedOut, Some(error), None, Vec::new()),
        Verdict::Panicked { error } => (Ended::Panicked, Some(error), None, Vec::new()),
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
