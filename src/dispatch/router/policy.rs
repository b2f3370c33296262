//! What a route asks for beside its handler: when it is tried again, and how its messages are sent.

use std::panic::Location;
use std::time::Duration;

use super::{Fixture, RouteError, Router};
use crate::dispatch::schedule::Attempts;

/// What a route asks for. The default asks for nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Policy {
    /// A schedule of its own.
    pub(crate) attempts: Option<Attempts>,
    /// How long an attempt may take.
    pub(crate) time_limit: Option<Duration>,
    /// How many handlers of it may run at once.
    pub(crate) at_once: Option<usize>,
    /// Whether it is run only for users who can be answered.
    pub(crate) only_in_window: bool,
    /// How long the request of its push waits for the handler; as its account says when none.
    pub(crate) passive_within: Option<Duration>,
    /// Whether it is tried again after it has said something.
    pub(crate) resumable: bool,
    /// Whether a message is sent again when its answer was not seen.
    pub(crate) at_least_once: bool,
}

impl<S> Router<S> {
    /// The route just before, or each of the group just before, may be tried again after it has said something with
    /// [`Reply::send`](crate::dispatch::Reply::send): its handler says the same again, in the same
    /// order, and what was said already is not sent a second time. Not for answers that differ from try
    /// to try, such as those of a language model: the second would go on where the first stopped.
    #[must_use]
    #[track_caller]
    pub fn resumable(self) -> Self {
        self.of_latest("resumable", |fixture| fixture.policy.resumable = true)
    }

    /// A message of the route or group just before is sent again when its answer was not seen, for as long as
    /// `dispatch.send_patience`, and after the end of the process: its user may get it twice. Without
    /// this such a message is *unknown* and is not repeated.
    #[must_use]
    #[track_caller]
    pub fn at_least_once(self) -> Self {
        self.of_latest("at_least_once", |fixture| {
            fixture.policy.at_least_once = true;
        })
    }

    /// Changes what stands just before: a route, or the routes of a group.
    #[track_caller]
    pub(super) fn of_latest(mut self, what: &'static str, change: impl Fn(&mut Fixture)) -> Self {
        let latest = self.entries.get_mut(self.latest..).unwrap_or_default();
        if latest.is_empty() {
            let at = Location::caller();
            self.faults.push(RouteError::NoRoute { what, at });
            return self;
        }
        for entry in latest {
            change(&mut entry.fixture);
        }
        self
    }
}
