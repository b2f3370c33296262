//! What a route asks for beside its handler: when it is tried again, and how its messages are sent.

use std::panic::Location;
use std::time::Duration;

use super::{RouteError, Router};
use crate::dispatch::LATEST_PASSIVE;
use crate::dispatch::schedule::{Attempts, ScheduleError};

/// What a route asks for. The default asks for nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Policy {
    /// A schedule of its own.
    pub(crate) attempts: Option<Attempts>,
    /// Whether it is tried again after it has said something.
    pub(crate) resumable: bool,
    /// Whether a message is sent again when its answer was not seen.
    pub(crate) at_least_once: bool,
    /// How long the request of the push waits for the handler; as its account says when none.
    pub(crate) passive_within: Option<Duration>,
}

impl<S> Router<S> {
    /// When failed pushes of the routes *before* it are tried again, of those that no earlier layer
    /// concerns: `.layer(Attempts::after(["2s", "1m"]))`. The others follow `dispatch.attempts`.
    ///
    /// A schedule that cannot be read, or that concerns no route, is reported at start, with the routes.
    #[must_use]
    #[track_caller]
    pub fn layer(mut self, attempts: Result<Attempts, ScheduleError>) -> Self {
        let at = Location::caller();
        let attempts = match attempts {
            Ok(attempts) => attempts,
            Err(source) => {
                self.faults.push(RouteError::Schedule { at, source });
                return self;
            }
        };
        let mut concerned = 0;
        for entry in &mut self.entries {
            if entry.policy.attempts.is_none() {
                entry.policy.attempts = Some(attempts.clone());
                concerned += 1;
            }
        }
        if concerned == 0 {
            let what = "the layer";
            self.faults.push(RouteError::NoRoute { what, at });
        }
        self
    }

    /// The route just before may be tried again after it has said something with
    /// [`Reply::send`](crate::dispatch::Reply::send): its handler says the same again, in the same
    /// order, and what was said already is not sent a second time. Not for answers that differ from try
    /// to try, such as those of a language model: the second would go on where the first stopped.
    #[must_use]
    #[track_caller]
    pub fn resumable(self) -> Self {
        self.of_last("resumable", |policy| policy.resumable = true)
    }

    /// A message of the route just before is sent again when its answer was not seen, for as long as
    /// `dispatch.send_patience`, and after the end of the process: its user may get it twice. Without
    /// this such a message is *unknown* and is not repeated.
    #[must_use]
    #[track_caller]
    pub fn at_least_once(self) -> Self {
        self.of_last("at_least_once", |policy| policy.at_least_once = true)
    }

    /// What the route just before returns within this time, from when the push came, is the answer to the
    /// push itself: a passive reply (被动回复). It costs no call and needs no sending window. What comes
    /// later, what such a reply cannot say, and all but the first message go out as customer messages.
    /// Zero: never; otherwise as `reply.passive_within` says. WeChat waits 5 s: at most
    /// [`LATEST_PASSIVE`](crate::dispatch::LATEST_PASSIVE).
    #[must_use]
    #[track_caller]
    pub fn passive_within(self, within: Duration) -> Self {
        let within = within.min(LATEST_PASSIVE);
        self.of_last("passive_within", |policy| {
            policy.passive_within = Some(within);
        })
    }

    #[track_caller]
    fn of_last(mut self, what: &'static str, ask: impl FnOnce(&mut Policy)) -> Self {
        match self.entries.last_mut() {
            Some(entry) => ask(&mut entry.policy),
            None => {
                let at = Location::caller();
                self.faults.push(RouteError::NoRoute { what, at });
            }
        }
        self
    }
}
