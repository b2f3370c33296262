//! What a layer asks of the routes before it.

use std::panic::Location;
use std::time::Duration;

use super::policy::Policy;
use super::{RouteError, Router};
use crate::dispatch::LATEST_PASSIVE;
use crate::dispatch::schedule::{Attempts, ScheduleError, parse_delay};

/// How long one attempt of a route may take, instead of `dispatch.handler_timeout`:
/// `TimeLimit("30s")`. Written like the times of [`Attempts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeLimit<T>(pub T);

/// How many handlers of a route run at once, whatever their users; of each route that the layer concerns,
/// so many. Others wait in the order in which they came, each in its user's lane, without a thread and
/// without a place among `dispatch.handlers`; their time does not run. They do take their place among
/// `dispatch.pushes_in_memory`.
///
/// A handler that was given up because its time was over, and still runs, counts until it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AtOnce(pub usize);

/// The handler is not run when its user surely cannot be answered any more: the push is done, and its
/// attempt says why. For answers that cost something to make. A user of whom nothing is known is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnlyInWindow;

/// What a handler returns within this time, from when its push came, is the answer to the push itself: a
/// passive reply (被动回复): `PassiveWithin("4s")`. It costs no call and uses nothing of a sending window.
/// What comes later, what such a reply cannot say, and all but the first message go out as customer
/// messages. `PassiveWithin("0s")`: never. Otherwise as `reply.passive_within` says. WeChat waits 5 s: at
/// most [`LATEST_PASSIVE`], and what is more counts as that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassiveWithin<T>(pub T);

/// What [`Router::layer`] takes: [`Attempts`], [`TimeLimit`], [`AtOnce`], [`OnlyInWindow`],
/// [`PassiveWithin`].
#[derive(Debug, Clone)]
pub struct Layer(Wish);

#[derive(Debug, Clone)]
enum Wish {
    Attempts(Result<Attempts, ScheduleError>),
    TimeLimit(Result<Duration, ScheduleError>),
    AtOnce(usize),
    OnlyInWindow,
    PassiveWithin(Result<Duration, ScheduleError>),
}

impl From<Attempts> for Layer {
    fn from(attempts: Attempts) -> Self {
        Self(Wish::Attempts(Ok(attempts)))
    }
}

impl From<Result<Attempts, ScheduleError>> for Layer {
    fn from(attempts: Result<Attempts, ScheduleError>) -> Self {
        Self(Wish::Attempts(attempts))
    }
}

impl<T: AsRef<str>> From<TimeLimit<T>> for Layer {
    fn from(TimeLimit(text): TimeLimit<T>) -> Self {
        let limit = parse_delay(text.as_ref()).and_then(|limit| match limit.is_zero() {
            true => Err(ScheduleError::NoTime {
                text: text.as_ref().to_owned(),
            }),
            false => Ok(limit),
        });
        Self(Wish::TimeLimit(limit))
    }
}

impl From<AtOnce> for Layer {
    fn from(AtOnce(most): AtOnce) -> Self {
        Self(Wish::AtOnce(most))
    }
}

impl From<OnlyInWindow> for Layer {
    fn from(_: OnlyInWindow) -> Self {
        Self(Wish::OnlyInWindow)
    }
}

impl<T: AsRef<str>> From<PassiveWithin<T>> for Layer {
    fn from(PassiveWithin(text): PassiveWithin<T>) -> Self {
        let within = parse_delay(text.as_ref()).map(|within| within.min(LATEST_PASSIVE));
        Self(Wish::PassiveWithin(within))
    }
}

impl<S> Router<S> {
    /// Asks something of all routes *before* it, of those of which no earlier layer asked the same: when
    /// failed pushes are tried again (`.layer(Attempts::after(["2s", "1m"]))`), how long an attempt may
    /// take ([`TimeLimit`]), how many handlers of a route run at once ([`AtOnce`]), whether users who
    /// cannot be answered matter ([`OnlyInWindow`]), how soon it answers passively ([`PassiveWithin`]). Without them `dispatch.attempts` and
    /// `dispatch.handler_timeout` hold.
    ///
    /// A layer that cannot be read, or that concerns no route, is reported at start, with the routes.
    #[must_use]
    #[track_caller]
    pub fn layer(mut self, layer: impl Into<Layer>) -> Self {
        let at = Location::caller();
        let Layer(wish) = layer.into();
        let ask: Box<dyn Fn(&mut Policy) -> bool> = match wish {
            Wish::Attempts(Ok(attempts)) => Box::new(move |policy| {
                let is_free = policy.attempts.is_none();
                policy.attempts.get_or_insert_with(|| attempts.clone());
                is_free
            }),
            Wish::TimeLimit(Ok(limit)) => Box::new(move |policy| {
                let is_free = policy.time_limit.is_none();
                policy.time_limit.get_or_insert(limit);
                is_free
            }),
            Wish::AtOnce(most) if most > 0 => Box::new(move |policy| {
                let is_free = policy.at_once.is_none();
                policy.at_once.get_or_insert(most);
                is_free
            }),
            Wish::OnlyInWindow => {
                Box::new(|policy| !std::mem::replace(&mut policy.only_in_window, true))
            }
            Wish::PassiveWithin(Ok(within)) => Box::new(move |policy| {
                let is_free = policy.passive_within.is_none();
                policy.passive_within.get_or_insert(within);
                is_free
            }),
            Wish::Attempts(Err(source)) => {
                self.faults.push(RouteError::Schedule { at, source });
                return self;
            }
            Wish::TimeLimit(Err(source)) | Wish::PassiveWithin(Err(source)) => {
                self.faults.push(RouteError::TimeLimit { at, source });
                return self;
            }
            Wish::AtOnce(_) => {
                self.faults.push(RouteError::NoneAtOnce { at });
                return self;
            }
        };
        let policies = self.entries.iter_mut();
        let concerned = policies.filter_map(|entry| ask(&mut entry.fixture.policy).then_some(()));
        if concerned.count() == 0 {
            let what = "the layer";
            self.faults.push(RouteError::NoRoute { what, at });
        }
        self
    }
}
