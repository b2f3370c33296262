//! One attempt: parse, route, run the handler, tell how it ended.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use tokio::sync::mpsc;

use crate::clock::{Clock, Timestamp};
use crate::dispatch::conversation::Remembered;
use crate::dispatch::error::{Advice, Error, shorten};
use crate::dispatch::extract::{Context, Deadline};
use crate::dispatch::handler::Called;
use crate::dispatch::live::{Live, Reply};
use crate::dispatch::router::{Route, Routes};
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
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) timeout: Duration,
    /// How long a conversation is remembered when a handler does not say.
    pub(crate) conversation_expires: Duration,
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
        let called = match self.call().await {
            Ok(Some(called)) => called,
            Ok(None) => return Verdict::Well(Vec::new()),
            Err(verdict) => return verdict,
        };
        match called.await {
            Ok(messages) => self.said(&messages),
            Err(error) => failed(&error),
        }
    }

    /// Starts the handler; `None` when none is meant.
    ///
    /// # Errors
    /// How the attempt ends without it.
    async fn call(&self) -> Result<Option<Called>, Verdict> {
        let push = Push::parse(self.live.account(), &self.body)
            .map_err(|malformed| gave_up(format_args!("the push cannot be read: {malformed}")))?;
        let push = Arc::new(push);
        let remembered = self.remember().await?;
        if let Some(step) = self.routes.step(&push, remembered.stored()) {
            let context = self.context(&push, Vec::new(), &remembered);
            match step.call(&context) {
                // It lets the push pass.
                Err(rejection) if rejection.is_wrong_kind() => {}
                called => {
                    self.routed(step);
                    return called.map(Some).map_err(gave_up);
                }
            }
        }
        let Some(matched) = self.routes.find(&push) else {
            self.live.routed("none", false);
            return Ok(None);
        };
        self.routed(matched.route);
        let context = self.context(&push, matched.captures, &remembered);
        match matched.route.call(&context) {
            Ok(called) => Ok(Some(called)),
            Err(rejection) if rejection.is_wrong_kind() && matched.route.takes_any_kind() => {
                Ok(None)
            }
            Err(rejection) => Err(gave_up(rejection)),
        }
    }

    /// Where the user's conversation stands, when there is a user and a route that asks for it.
    async fn remember(&self) -> Result<Remembered, Verdict> {
        let types = self.routes.conversations();
        let expires = self.conversation_expires;
        if types.is_empty() || self.live.to().as_str().is_empty() {
            return Ok(Remembered::nothing(&self.live, expires));
        }
        let read = Remembered::read(&self.live, types, expires).await;
        read.map_err(|error| Verdict::Failed {
            error: format!("the conversation cannot be read: {error}"),
            after: None,
        })
    }

    fn routed(&self, route: &Route) {
        let at_least_once = route.policy().at_least_once;
        self.live.routed(route.name(), at_least_once);
    }

    fn context(
        &self,
        push: &Arc<Push>,
        captures: Vec<(String, String)>,
        remembered: &Remembered,
    ) -> Context {
        Context::new(
            Arc::clone(push),
            captures,
            Deadline::new(self.clock.monotonic() + self.timeout, &self.clock),
            Reply::new(&self.live),
            remembered.clone(),
        )
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

fn gave_up(reason: impl ToString) -> Verdict {
    Verdict::GaveUp {
        error: reason.to_string(),
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
