//! One attempt: parse, route, run the handler, tell how it ended.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use tokio::sync::mpsc;

use crate::clock::{Clock, Timestamp};
use crate::dispatch::accounts::Accounts;
use crate::dispatch::error::{Advice, Error, shorten};
use crate::dispatch::extract::{Context, ContextParts, Deadline};
use crate::dispatch::handler::Called;
use crate::dispatch::live::{Live, Reply};
use crate::dispatch::router::{Facts, Routes};
use crate::dispatch::schedule::MAX_DELAY;
use crate::dispatch::slots::Slot;
use crate::protocol::message::Message;
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
    pub(crate) accounts: Accounts,
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
        let facts = self.facts();
        let Some(matched) = self.routes.find(&push, &facts) else {
            self.live.unrouted();
            return Ok(None);
        };
        let policy = matched.route.policy();
        let name = matched.route.name();
        self.live.routed(name, matched.id, policy.at_least_once);
        let context = Context::new(ContextParts {
            push,
            captures: matched.captures,
            deadline: Deadline::new(self.clock.monotonic() + self.timeout, &self.clock),
            reply: Reply::new(&self.live),
            accounts: self.accounts.clone(),
        });
        match matched.route.call(&context) {
            Ok(called) => Ok(Some(called)),
            Err(rejection) if rejection.is_wrong_kind() && matched.route.takes_any_kind() => {
                Ok(None)
            }
            Err(rejection) => Err(rejection.to_string()),
        }
    }

    /// What routes may go by beside the push.
    fn facts(&self) -> Facts {
        let account = self.live.account();
        let facts = Facts::new(account.clone(), self.clock.now());
        if !self.routes.has_guards() {
            return facts;
        }
        let facts = facts.with_window(self.live.standing());
        match self.accounts.name(account) {
            Some(name) => facts.named(Arc::clone(name)),
            None => facts,
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
