//! One attempt: parse, route, run the handler, tell how it ended.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt, future};
use tokio::sync::mpsc;

use crate::clock::{Clock, Timestamp};
use crate::dispatch::answer::{AccountFacts, Answer};
use crate::dispatch::bundle::Bundle;
use crate::dispatch::error::{Advice, Error, shorten};
use crate::dispatch::extract::{Context, Deadline};
use crate::dispatch::handler::Called;
use crate::dispatch::live::{Live, Reply};
use crate::dispatch::router::{Matched, Routes};
use crate::dispatch::schedule::MAX_DELAY;
use crate::dispatch::slots::Slot;
use crate::protocol::push::Push;

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
    /// The rules and templates of this attempt, whatever is swapped meanwhile.
    pub(crate) bundle: Arc<Bundle>,
    /// Whom it speaks for.
    pub(crate) account: AccountFacts,
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
        let push = match Push::parse(self.live.account(), &self.body) {
            Ok(push) => Arc::new(push),
            Err(malformed) => {
                let error = format!("the push cannot be read: {malformed}");
                return Verdict::GaveUp { error };
            }
        };
        let called = match self.call(&push) {
            Ok(Some(called)) => called,
            Ok(None) => return Verdict::Well(Vec::new()),
            Err(error) => return Verdict::GaveUp { error },
        };
        match called.await {
            Ok(answers) => self.said(answers, &push),
            Err(error) => failed(&error),
        }
    }

    /// Starts the handler; `None` when none is meant.
    ///
    /// # Errors
    /// Why no attempt can succeed, for people.
    fn call(&self, push: &Arc<Push>) -> Result<Option<Called>, String> {
        if let Some(matched) = self.routes.find_specific(push) {
            return self.start(matched, push);
        }
        let rules = self.bundle.rules();
        if let Some(found) = rules.find(push, &self.account, self.clock.now()) {
            self.live
                .routed(format!("rule {}", found.rule.name()), false);
            return Ok(Some(future::ready(Ok(found.answers)).boxed()));
        }
        match self.routes.find_rest(push) {
            Some(matched) => self.start(matched, push),
            None => {
                self.live.routed("none", false);
                Ok(None)
            }
        }
    }

    fn start(&self, matched: Matched<'_>, push: &Arc<Push>) -> Result<Option<Called>, String> {
        let policy = matched.route.policy();
        self.live.routed(matched.route.name(), policy.at_least_once);
        let context = Context::new(
            Arc::clone(push),
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

    fn said(&self, answers: Vec<Answer>, push: &Push) -> Verdict {
        let messages = match self.bundle.word(answers, push, &self.account) {
            Ok(messages) => messages,
            Err(error) => {
                let error = shorten(error.to_string());
                return Verdict::GaveUp { error };
            }
        };
        match self.live.encode_all(&messages) {
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
