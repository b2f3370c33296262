//! One attempt: parse, route, run the handler, tell how it ended. And when a failed one is repeated.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use tokio::sync::mpsc;

use crate::clock::{Clock, Timestamp};
use crate::dispatch::error::{Advice, Error, shorten};
use crate::dispatch::extract::{Context, Deadline};
use crate::dispatch::handler::Called;
use crate::dispatch::live::{Live, Reply};
use crate::dispatch::router::Routes;
use crate::dispatch::slots::Slot;
use crate::protocol::message::Message;
use crate::protocol::push::Push;

/// When a push whose handler failed is tried again: after the first failure, the second, and so on.
/// After one failure more it is dead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempts {
    delays: Vec<Duration>,
}

/// Why a list of times is not a schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// One of the times is not a number with a unit.
    #[error("{text:?} is not a time: write a whole number and ms, s, m or h, for example \"10s\"")]
    NotATime {
        /// What was written.
        text: String,
    },
    /// One of the times is longer than a retry makes sense.
    #[error("{text:?} is too long: at most 168h")]
    TooLong {
        /// What was written.
        text: String,
    },
    /// More times than a schedule may have.
    #[error("{count} times are too many: at most {MAX_RETRIES}")]
    TooMany {
        /// How many were written.
        count: usize,
    },
}

/// Times a schedule may have.
const MAX_RETRIES: usize = 20;
/// The longest delay: a week.
const MAX_DELAY: Duration = Duration::from_secs(168 * 60 * 60);

impl Attempts {
    /// Reads a schedule such as `["2s", "10s", "1m"]`; an empty one means: never again.
    ///
    /// # Errors
    /// [`ScheduleError`] names the text that is not a time.
    pub fn after<I>(times: I) -> Result<Self, ScheduleError>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let delays: Vec<_> = times
            .into_iter()
            .map(|text| parse_delay(text.as_ref()))
            .collect::<Result<_, _>>()?;
        match delays.len() {
            count if count > MAX_RETRIES => Err(ScheduleError::TooMany { count }),
            _ => Ok(Self { delays }),
        }
    }

    /// How long to wait after the `failures`-th failure; `None`: give up.
    pub(crate) fn delay(&self, failures: u32) -> Option<Duration> {
        let index = usize::try_from(failures.checked_sub(1)?).ok()?;
        self.delays.get(index).copied()
    }
}

impl Default for Attempts {
    /// After 2 s, 10 s and 1 minute.
    fn default() -> Self {
        Self {
            delays: [2, 10, 60].map(Duration::from_secs).to_vec(),
        }
    }
}

fn parse_delay(text: &str) -> Result<Duration, ScheduleError> {
    let not_a_time = || ScheduleError::NotATime {
        text: text.to_owned(),
    };
    let unit_at = text
        .find(|c: char| !c.is_ascii_digit())
        .ok_or_else(not_a_time)?;
    let (number, unit) = text.split_at(unit_at);
    let milliseconds: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(not_a_time()),
    };
    let number: u64 = number.parse().map_err(|_| not_a_time())?;
    let delay = Duration::from_millis(number.saturating_mul(milliseconds));
    match delay > MAX_DELAY {
        true => Err(ScheduleError::TooLong {
            text: text.to_owned(),
        }),
        false => Ok(delay),
    }
}

/// How an attempt ended.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// The handler returned; these are the messages it says, as the platform takes them.
    Well(Vec<Bytes>),
    /// It failed and is to be tried again, after this time if one was asked for.
    Failed {
        error: String,
        after: Option<Duration>,
    },
    /// It is useless to try again.
    GaveUp { error: String },
    /// It took too long.
    TimedOut { error: String },
    /// It panicked.
    Panicked { error: String },
}

/// An attempt's end, on its way to the engine.
#[derive(Debug)]
pub(crate) struct Finished {
    /// Which attempt of the engine's it was.
    pub(crate) ticket: Slot,
    pub(crate) verdict: Verdict,
    pub(crate) ended_at: Timestamp,
}

/// What one attempt needs; runs on the handlers' threads.
pub(crate) struct Job {
    pub(crate) ticket: Slot,
    pub(crate) body: Bytes,
    pub(crate) live: Arc<Live>,
    pub(crate) routes: Routes,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) timeout: Duration,
    pub(crate) outcomes: mpsc::Sender<Finished>,
}

impl Job {
    /// Runs the attempt and reports its end.
    pub(crate) async fn run(self) {
        self.live.begin(self.clock.monotonic());
        let verdict = match AssertUnwindSafe(self.attend()).catch_unwind().await {
            Ok(verdict) => verdict,
            Err(panic) => Verdict::Panicked {
                error: panic_text(panic.as_ref()),
            },
        };
        self.live.close();
        let finished = Finished {
            ticket: self.ticket,
            verdict,
            ended_at: self.clock.now(),
        };
        // The channel holds an outcome of every attempt that can be under way. It is closed only
        // when the engine has ended.
        drop(self.outcomes.try_send(finished));
    }

    async fn attend(&self) -> Verdict {
        let called = match self.call() {
            Ok(Some(called)) => called,
            Ok(None) => return Verdict::Well(Vec::new()),
            Err(error) => return Verdict::GaveUp { error },
        };
        match called.await {
            Ok(messages) => self.said(&messages),
            Err(error) => failed(&error),
        }
    }

    /// Starts the handler; `None` when none is meant.
    ///
    /// # Errors
    /// Why no attempt can succeed, for people.
    fn call(&self) -> Result<Option<Called>, String> {
        let push = Push::parse(self.live.account(), &self.body)
            .map_err(|malformed| format!("the push cannot be read: {malformed}"))?;
        let push = Arc::new(push);
        let Some(matched) = self.routes.find(&push) else {
            self.live.routed("none");
            return Ok(None);
        };
        self.live.routed(matched.route.name());
        let context = Context::new(
            push,
            matched.captures,
            Deadline::new(self.clock.monotonic() + self.timeout, &self.clock),
            Reply::new(&self.live),
        );
        match matched.route.call(&context) {
            Ok(called) => Ok(Some(called)),
            Err(rejection) if rejection.is_wrong_kind() && matched.route.takes_any_kind() => {
                Ok(None)
            }
            Err(rejection) => Err(rejection.to_string()),
        }
    }

    fn said(&self, messages: &[Message]) -> Verdict {
        match self.live.encode_all(messages) {
            Ok(parts) => Verdict::Well(parts),
            Err(error) => Verdict::GaveUp {
                error: error.to_string(),
            },
        }
    }
}

fn failed(error: &Error) -> Verdict {
    let text = error.text();
    match error.advice() {
        Advice::Retry => Verdict::Failed {
            error: text,
            after: None,
        },
        Advice::RetryAfter(delay) => Verdict::Failed {
            error: text,
            after: Some(delay.min(MAX_DELAY)),
        },
        Advice::GiveUp => Verdict::GaveUp { error: text },
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a value that is no text".to_owned());
    shorten(format!("the handler panicked: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_read_and_wrong_texts_are_named() {
        let schedule = Attempts::after(["500ms", "2s", "1m", "1h"]).unwrap();
        let delays: Vec<_> = (0..6).map(|failures| schedule.delay(failures)).collect();
        let expected = [500, 2_000, 60_000, 3_600_000].map(|ms| Some(Duration::from_millis(ms)));
        assert_eq!(delays[1..5], expected);
        assert_eq!((delays[0], delays[5]), (None, None));
        for text in ["", "2", "s", "2 s", "-2s", "2d", "99999999999999999999s"] {
            let expected = ScheduleError::NotATime {
                text: text.to_owned(),
            };
            assert_eq!(Attempts::after([text]), Err(expected), "{text:?}");
        }
        assert!(matches!(
            Attempts::after(["18446744073709551615h"]),
            Err(ScheduleError::TooLong { .. })
        ));
        assert_eq!(
            Attempts::after(["1s"; 21]),
            Err(ScheduleError::TooMany { count: 21 })
        );
    }
}
