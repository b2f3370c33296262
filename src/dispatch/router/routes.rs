//! Checked routes with their state: what the engine runs.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::explain::{Explanation, explain};
use super::plan::Plan;
use super::policy::Policy;
use super::rule::Rule;
use super::{Facts, Fixture};
use crate::dispatch::conversation::ConversationType;
use crate::dispatch::extract::{Context, Rejection};
use crate::dispatch::handler::Called;
use crate::protocol::push::Push;

pub(super) type BoundSuits = Box<dyn Fn(&Context) -> bool + Send + Sync>;
pub(super) type BoundStart = Box<dyn Fn(&Context) -> Result<Called, Rejection> + Send + Sync>;

/// Checked routes with their state: what the engine runs. Cheap to clone.
#[derive(Clone)]
pub struct Routes(Arc<Table>);

struct Table {
    routes: Vec<Route>,
    plan: Plan,
    has_guards: bool,
    conversations: Vec<ConversationType>,
}

/// One route, whatever its state.
pub(crate) struct Route {
    pub(super) fixture: Fixture,
    pub(super) name: Arc<str>,
    pub(super) takes_any_kind: bool,
    pub(super) suits: BoundSuits,
    pub(super) start: BoundStart,
}

impl Route {
    pub(crate) fn policy(&self) -> &Policy {
        &self.fixture.policy
    }

    pub(crate) fn name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    /// Whether pushes of every kind come here, so that a handler may turn out not to be meant.
    pub(crate) fn takes_any_kind(&self) -> bool {
        self.takes_any_kind
    }

    /// Whether it goes by where a conversation stands.
    pub(crate) fn is_step(&self) -> bool {
        matches!(self.fixture.rule, Rule::Step(_))
    }

    /// Whether the push is of a kind that its handler can take.
    pub(crate) fn suits(&self, context: &Context) -> bool {
        (self.suits)(context)
    }

    pub(crate) fn call(&self, context: &Context) -> Result<Called, Rejection> {
        (self.start)(context)
    }
}

/// The number of a route. Names may be shared, by routes that take the same pushes at different times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RouteId(usize);

/// A route and what its pattern found.
pub(crate) struct Matched<'a> {
    pub(crate) id: RouteId,
    pub(crate) route: &'a Route,
    pub(crate) captures: Vec<(String, String)>,
}

impl Routes {
    pub(super) fn new(routes: Vec<Route>, plan: Plan) -> Self {
        let has_guards = routes.iter().any(|route| !route.fixture.guards.is_empty());
        let asked = routes.iter().flat_map(|route| &route.fixture.conversations);
        let conversations = ConversationType::each_once(asked);
        Self(Arc::new(Table {
            routes,
            plan,
            has_guards,
            conversations,
        }))
    }

    /// The route that wins.
    pub(crate) fn find(&self, push: &Push, facts: &Facts) -> Option<Matched<'_>> {
        let fixture = |index: usize| self.0.routes.get(index).map(|route| &route.fixture);
        let fitting = self.0.plan.winner(push, facts, fixture)?;
        let route = self.0.routes.get(fitting.index)?;
        Some(Matched {
            id: RouteId(fitting.index),
            route,
            captures: fitting.captures(push),
        })
    }

    /// Every type of conversation that a route asks for: if none does, no conversation need be read.
    pub(crate) fn conversations(&self) -> &[ConversationType] {
        &self.0.conversations
    }

    /// Whether any route has guards, so that the facts are looked at.
    pub(crate) fn has_guards(&self) -> bool {
        self.0.has_guards
    }

    /// Routes of which only so many handlers may run at once.
    pub(crate) fn bounded(&self) -> impl Iterator<Item = (RouteId, usize)> {
        let routes = self.0.routes.iter().enumerate();
        routes.filter_map(|(index, route)| Some((RouteId(index), route.policy().at_once?)))
    }

    /// The shortest time that any route gives its attempts.
    pub(crate) fn shortest_limit(&self) -> Option<Duration> {
        let limits = self.0.routes.iter().map(|route| route.policy().time_limit);
        limits.flatten().min()
    }

    /// The longest time that a route wants the request of its push to wait; zero when none does.
    pub fn longest_passive(&self) -> Duration {
        let routes = self.0.routes.iter();
        let asked = routes.filter_map(|route| route.policy().passive_within);
        asked.max().unwrap_or_default()
    }

    /// What a route asks for.
    pub(crate) fn policy(&self, id: RouteId) -> Option<&Policy> {
        self.0.routes.get(id.0).map(Route::policy)
    }

    /// Which route takes a push, and why no other does. Nothing is run.
    pub fn explain(&self, push: &Push, facts: &Facts) -> Explanation {
        let fixture = |index: usize| self.0.routes.get(index).map(|route| &route.fixture);
        explain(&self.0.plan, fixture, push, facts)
    }

    #[doc(hidden)]
    /// For measuring: the name of the route that takes a push, as [`explain`](Self::explain) without its reasons; `None` when nobody
    /// does. Rules are not asked.
    pub fn taker(&self, push: &Push, facts: &Facts) -> Option<&str> {
        self.find(push, facts).map(|matched| &*matched.route.name)
    }

    /// The names of all routes, in the order of registration.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.routes.iter().map(|route| &*route.name)
    }
}

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}
