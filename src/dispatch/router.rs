//! Which handler a push goes to.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use crate::dispatch::conversation::ConversationType;
use crate::dispatch::extract::{Context, Rejection};
use crate::dispatch::handler::{Called, Handler};
use crate::protocol::push::{Push, PushType};

mod check;
mod explain;
mod facts;
mod group;
mod guard;
mod hours;
mod layer;
mod plan;
mod policy;
mod routes;
mod rule;
mod step;
mod takers;
#[cfg(test)]
mod tests;
mod wrap;

pub(crate) use check::summary;
pub use check::{RouteError, RouteErrors};
pub use explain::{Candidate, Explanation, Outcome, Place};
pub use facts::Facts;
pub use guard::{Guard, account, guard};
pub use hours::{Hours, HoursError, between};
pub(crate) use hours::{SHANGHAI_OFFSET, minute_of_day};
pub use layer::{AtOnce, Layer, OnlyInWindow, PassiveWithin, TimeLimit};
pub use routes::Routes;
pub(crate) use routes::{Matched, Route, RouteId};
use rule::Rule;
pub use rule::{Pattern, Specificity, TextRule, pattern};
pub use step::Step;
pub(crate) use takers::Takers;

use self::policy::Policy;

/// Routes: plain data until [`Router::with_state`] gives them their state.
///
/// The most specific route whose guards agree wins, wherever it stands: a step of a conversation, an exact
/// text, a menu key, a pattern (in the order of registration), a typed push, `unknown` for what has no
/// type of its own, `fallback` for what is left. A push that no route takes is done without an answer.
///
/// What is written after a route concerns what stands before it: [`layer`](Router::layer) and
/// [`wrap`](Router::wrap) all routes so far, [`guard`](Router::guard), [`resumable`](Router::resumable)
/// and [`at_least_once`](Router::at_least_once) the route or group just before. Groups are routers of
/// their own, put in by [`nest`](Router::nest) or [`merge`](Router::merge).
pub struct Router<S> {
    entries: Vec<Entry<S>>,
    /// Where what was added last begins: a route or a group.
    latest: usize,
    faults: Vec<RouteError>,
}

type Suits<S> = Box<dyn Fn(&Context, &S) -> bool + Send + Sync>;
type Start<S> = Box<dyn Fn(&Context, &S) -> Result<Called, Rejection> + Send + Sync>;

struct Entry<S> {
    fixture: Fixture,
    /// Whether a push is of a kind that its handler can take.
    suits: Suits<S>,
    start: Start<S>,
}

/// What a route is beside its handler.
#[derive(Debug)]
struct Fixture {
    rule: Rule,
    at: &'static Location<'static>,
    /// The groups it is in, from the outermost on.
    groups: Vec<Arc<str>>,
    guards: Vec<Guard>,
    /// Where the functions around its handler were put there, from the innermost on.
    around: Vec<&'static Location<'static>>,
    policy: Policy,
    /// The types of conversations that it asks for.
    conversations: Vec<ConversationType>,
}

impl Fixture {
    /// The name under which people meet the route.
    fn name(&self) -> String {
        let groups = self.groups.iter();
        let groups: String = groups.map(|group| format!("{group}: ")).collect();
        groups + &self.rule.name()
    }

    /// The first guard that does not let the push.
    fn closed_by(&self, push: &Push, facts: &Facts) -> Option<&Guard> {
        self.guards.iter().find(|guard| !guard.lets(push, facts))
    }

    /// Whether it takes whatever another of the same rule could take.
    fn covers(&self, other: &Self) -> bool {
        let among = |guard: &Guard| other.guards.iter().any(|theirs| theirs.is(guard));
        self.guards.iter().all(among)
    }
}

impl<S> Default for Router<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Router<S> {
    /// No routes.
    pub fn new() -> Self {
        Self {
            entries: Vec::new(),
            latest: 0,
            faults: Vec::new(),
        }
    }

    /// A text message: exactly this text, or one that matches a [`pattern`].
    #[must_use]
    #[track_caller]
    pub fn text<I>(self, rule: impl Into<TextRule>, handler: impl Handler<S, I>) -> Self {
        let rule = match rule.into() {
            TextRule::Exact(text) => Rule::Exact(text),
            TextRule::Pattern(Pattern(regex)) => Rule::Pattern(regex),
        };
        self.route(rule, handler)
    }

    /// Any push of a type: `.on::<Subscribe, _>(welcome)`.
    #[must_use]
    #[track_caller]
    pub fn on<T: PushType, I>(self, handler: impl Handler<S, I>) -> Self {
        let rule = Rule::Typed {
            name: T::NAME,
            fits: |push| T::of(push).is_some(),
        };
        self.route(rule, handler)
    }

    /// A tap on the menu button with this key.
    #[must_use]
    #[track_caller]
    pub fn click<I>(self, key: impl Into<String>, handler: impl Handler<S, I>) -> Self {
        self.route(Rule::Click(key.into()), handler)
    }

    /// Whatever this version has no type for, new platform events among it.
    #[must_use]
    #[track_caller]
    pub fn unknown<I>(self, handler: impl Handler<S, I>) -> Self {
        self.route(Rule::Unknown, handler)
    }

    /// Whatever no other route takes. A handler whose arguments need a certain kind of push, such as
    /// `Content`, gets only that kind here.
    #[must_use]
    #[track_caller]
    pub fn fallback<I>(self, handler: impl Handler<S, I>) -> Self {
        self.route(Rule::Fallback, handler)
    }

    /// Checks every route without a state.
    ///
    /// # Errors
    /// [`RouteErrors`] has all that is wrong: routes that can never win, patterns and times that cannot be read.
    pub fn check(&self) -> Result<(), RouteErrors> {
        self.plan().map(|_| ())
    }

    /// Gives the routes their state.
    ///
    /// # Errors
    /// As [`Router::check`].
    pub fn with_state(self, state: S) -> Result<Routes, RouteErrors>
    where
        S: Send + Sync + 'static,
    {
        let plan = self.plan()?;
        let state = Arc::new(state);
        let bound = self.entries.into_iter().map(|entry| {
            let (state, same) = (Arc::clone(&state), Arc::clone(&state));
            Route {
                name: entry.fixture.name().into(),
                takes_any_kind: entry.fixture.rule.takes_any_kind(),
                suits: Box::new(move |context| (entry.suits)(context, &same)),
                start: Box::new(move |context| (entry.start)(context, &state)),
                fixture: entry.fixture,
            }
        });
        Ok(Routes::new(bound.collect(), plan))
    }

    /// Which route takes a push, and why no other does: a pure question, for which no state is needed.
    ///
    /// # Errors
    /// As [`Router::check`].
    pub fn explain(&self, push: &Push, facts: &Facts) -> Result<Explanation, RouteErrors> {
        let plan = self.plan()?;
        let fixture = |index: usize| self.entries.get(index).map(|entry| &entry.fixture);
        Ok(explain::explain(&plan, fixture, push, facts))
    }

    /// Who takes which pushes, without a state.
    ///
    /// # Errors
    /// As [`Router::check`].
    pub(crate) fn takers(self) -> Result<Takers, RouteErrors> {
        let plan = self.plan()?;
        let fixtures = self.entries.into_iter().map(|entry| entry.fixture);
        Ok(Takers::new(plan, fixtures.collect()))
    }

    #[track_caller]
    fn route<I>(mut self, rule: Rule, handler: impl Handler<S, I>) -> Self {
        let mut conversations = handler.conversations();
        if let Rule::Step(step) = &rule {
            conversations.push(step.of());
        }
        self.latest = self.entries.len();
        let same = handler.clone();
        self.entries.push(Entry {
            fixture: Fixture {
                rule,
                at: Location::caller(),
                groups: Vec::new(),
                guards: Vec::new(),
                around: Vec::new(),
                policy: Policy::default(),
                conversations,
            },
            suits: Box::new(move |context, state| same.suits(context, state)),
            start: Box::new(move |context, state| handler.start(context, state)),
        });
        self
    }
}

impl<S> fmt::Debug for Router<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.entries.iter().map(|entry| entry.fixture.name());
        f.debug_list().entries(names).finish()
    }
}
