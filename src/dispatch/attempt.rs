//! One attempt: parse, route, run the handler, tell how it ended.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot};

use crate::clock::{Clock, Timestamp};
use crate::dispatch::accounts::Accounts;
use crate::dispatch::answer::{AccountFacts, Answer};
use crate::dispatch::blocking::Pool;
use crate::dispatch::bundle::Bundle;
use crate::dispatch::conversation::Remembered;
use crate::dispatch::error::{Advice, Error, shorten};
use crate::dispatch::extract::{Context, ContextParts, Deadline};
use crate::dispatch::gates::{AtGate, Pass};
use crate::dispatch::live::{Live, Reply};
use crate::dispatch::router::{Facts, Matched, Route, RouteId, Routes};
use crate::dispatch::rules::Found;
use crate::dispatch::schedule::MAX_DELAY;
use crate::dispatch::slots::Slot;
use crate::dispatch::wording::Sayings;
use crate::protocol::push::Push;
use crate::quota::window::Standing;

/// How an attempt ended.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// The handler returned; this is what it says.
    Well(Sayings),
    /// The handler was not run, as its route wants it for users who cannot be answered.
    NotRun { reason: String },
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

/// What an attempt tells the engine.
#[derive(Debug)]
pub(crate) enum Report {
    /// It waits at its route's gate.
    AtGate(AtGate),
    /// It has ended.
    Finished(Finished),
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
    pub(crate) accounts: Accounts,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) timeout: Duration,
    /// How long a conversation is remembered when a handler does not say.
    pub(crate) conversation_expires: Duration,
    pub(crate) pool: Pool,
    pub(crate) reports: mpsc::Sender<Report>,
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
        // The channel holds a report of every attempt that can be under way. It is closed only when the
        // engine has ended.
        drop(self.reports.try_send(Report::Finished(finished)));
    }

    async fn attend(&self) -> Verdict {
        let push = match Push::parse(self.live.account(), &self.body) {
            Ok(push) => Arc::new(push),
            Err(malformed) => {
                let error = format!("the push cannot be read: {malformed}");
                return Verdict::GaveUp { error };
            }
        };
        let remembered = match self.remember().await {
            Ok(remembered) => remembered,
            Err(verdict) => return verdict,
        };
        let matched = self.find(&push, &remembered);
        let is_for_just_such = |matched: &Matched<'_>| !matched.route.takes_any_kind();
        if !matched.as_ref().is_some_and(is_for_just_such)
            && let Some(found) = self.rule(&push)
        {
            self.live.ruled(found.rule.name());
            return self.said(&push, found.answers);
        }
        let Some(matched) = matched else {
            self.live.unrouted();
            return Verdict::Well(Sayings::default());
        };
        let Matched {
            id,
            route,
            captures,
        } = matched;
        let policy = route.policy();
        self.live.routed(route, id);
        let pass = match policy.at_once {
            Some(_) => match self.pass(id).await {
                Ok(pass) => Some(Arc::new(pass)),
                Err(verdict) => return verdict,
            },
            None => None,
        };
        if let (true, Standing::Closed(reason)) = (policy.only_in_window, self.live.standing()) {
            let reason = format!("not handled, as its user cannot be answered: {reason}");
            return Verdict::NotRun { reason };
        }
        let context = Context::new(ContextParts {
            captures,
            // Kept until the handler has ended, or was dropped.
            pass: pass.clone(),
            ..self.context(route, &push, &remembered)
        });
        let called = match route.call(&context) {
            Ok(called) => called,
            Err(rejection) if rejection.is_wrong_kind() && route.takes_any_kind() => {
                return Verdict::Well(Sayings::default());
            }
            Err(rejection) => {
                let error = rejection.to_string();
                return Verdict::GaveUp { error };
            }
        };
        drop(context);
        match called.await {
            Ok(answers) => self.said(&push, answers),
            Err(error) => failed(&error),
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

    /// The route that wins. A step whose handler has no use for this kind of message lets it pass.
    fn find(&self, push: &Arc<Push>, remembered: &Remembered) -> Option<Matched<'_>> {
        let mut facts = self.facts();
        facts.conversation = remembered.stored().cloned();
        let matched = self.routes.find(push, &facts)?;
        if !matched.route.is_step() {
            return Some(matched);
        }
        let context = Context::new(self.context(matched.route, push, remembered));
        if matched.route.suits(&context) {
            return Some(matched);
        }
        facts.conversation = None;
        self.routes.find(push, &facts)
    }

    /// The rule that is meant. Rules come after code that was written for just such pushes.
    fn rule(&self, push: &Push) -> Option<Found<'_>> {
        let rules = self.bundle.rules();
        rules.find(push, &self.account, self.clock.now())
    }

    /// What a handler of this route can ask for, before it is known whether its pattern caught something
    /// and whether it has a gate.
    fn context(&self, route: &Route, push: &Arc<Push>, remembered: &Remembered) -> ContextParts {
        let timeout = route.policy().time_limit.unwrap_or(self.timeout);
        // The engine counts from there.
        let begun = self.live.begun();
        let begun = begun.unwrap_or_else(|| self.clock.monotonic());
        ContextParts {
            push: Arc::clone(push),
            captures: Vec::new(),
            deadline: Deadline::new(begun + timeout, &self.clock),
            reply: Reply::new(&self.live),
            accounts: self.accounts.clone(),
            pool: self.pool.clone(),
            pass: None,
            remembered: remembered.clone(),
        }
    }

    /// Waits until another handler of this route may run. Meanwhile the attempt has no thread and no time.
    async fn pass(&self, route: RouteId) -> Result<Pass, Verdict> {
        self.live.pause();
        let (admit, admitted) = oneshot::channel();
        let at_gate = AtGate {
            ticket: self.ticket,
            route,
            admit,
        };
        // As for its end, there is room.
        drop(self.reports.try_send(Report::AtGate(at_gate)));
        let pass = admitted.await.map_err(|_| Verdict::Failed {
            error: "the engine has ended".to_owned(),
            after: None,
        })?;
        self.live.begin(self.clock.monotonic());
        Ok(pass)
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

    fn said(&self, push: &Push, answers: Vec<Answer>) -> Verdict {
        let messages = match self.bundle.word(answers, push, &self.account) {
            Ok(messages) => messages,
            Err(error) => {
                let error = shorten(error.to_string());
                return Verdict::GaveUp { error };
            }
        };
        match self.live.encode_all(push, &messages) {
            Ok(sayings) => Verdict::Well(sayings),
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
