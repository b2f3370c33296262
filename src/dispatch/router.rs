//! Which handler a push goes to.

use std::collections::HashMap;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use regex::Regex;

use crate::dispatch::extract::{Context, Rejection};
use crate::dispatch::handler::{Called, Handler};
use crate::protocol::push::{Click, Push, PushType, Typed};

mod check;
mod policy;
#[cfg(test)]
mod tests;

pub use check::{RouteError, RouteErrors};
pub(crate) use policy::Policy;

/// A regular expression that a text message must match. Named groups become
/// [`Captures`](crate::dispatch::Captures).
///
/// The syntax is that of the `regex` crate; matching takes linear time, whatever users write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(String);

/// A pattern for [`Router::text`]. Whether it is valid is checked at start, with the routes.
pub fn pattern(regex: impl Into<String>) -> Pattern {
    Pattern(regex.into())
}

/// What a text must be: exactly this, or matching a [`Pattern`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TextRule {
    /// Exactly this text, blanks included.
    Exact(String),
    /// Any text that matches.
    Pattern(Pattern),
}

impl From<&str> for TextRule {
    fn from(text: &str) -> Self {
        Self::Exact(text.to_owned())
    }
}

impl From<String> for TextRule {
    fn from(text: String) -> Self {
        Self::Exact(text)
    }
}

impl From<Pattern> for TextRule {
    fn from(pattern: Pattern) -> Self {
        Self::Pattern(pattern)
    }
}

/// Routes: plain data until [`Router::with_state`] gives them their state.
///
/// The most specific route wins, wherever it stands: an exact text, a menu key, a pattern (in the
/// order of registration), a typed push, `unknown` for what has no type of its own, `fallback` for
/// what is left. A push that no route takes is done without an answer.
pub struct Router<S> {
    entries: Vec<Entry<S>>,
    faults: Vec<RouteError>,
}

/// Whether a push is of a type.
type Fits = fn(&Push) -> bool;
type BoundStart = Box<dyn Fn(&Context) -> Result<Called, Rejection> + Send + Sync>;
type Start<S> = Box<dyn Fn(&Context, &S) -> Result<Called, Rejection> + Send + Sync>;

struct Entry<S> {
    rule: Rule,
    at: &'static Location<'static>,
    start: Start<S>,
    policy: Policy,
}

#[derive(Debug)]
enum Rule {
    Exact(String),
    Click(String),
    Pattern(String),
    Typed { name: &'static str, fits: Fits },
    Unknown,
    Fallback,
}

impl Rule {
    /// The name under which people meet the route.
    fn name(&self) -> String {
        match self {
            Self::Exact(text) => format!("text {text:?}"),
            Self::Click(key) if key.is_empty() => "click \"\"".to_owned(),
            Self::Click(key) => format!("click {key}"),
            Self::Pattern(regex) => format!("text /{regex}/"),
            Self::Typed { name, .. } => format!("on {name}"),
            Self::Unknown => "unknown".to_owned(),
            Self::Fallback => "fallback".to_owned(),
        }
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
            let state = Arc::clone(&state);
            Route {
                name: entry.rule.name().into(),
                takes_any_kind: matches!(entry.rule, Rule::Unknown | Rule::Fallback),
                start: Box::new(move |context| (entry.start)(context, &state)),
                policy: entry.policy,
            }
        });
        Ok(Routes(Arc::new(Table {
            routes: bound.collect(),
            plan,
        })))
    }

    /// Who takes which pushes, without a state.
    ///
    /// # Errors
    /// As [`Router::check`].
    pub(crate) fn takers(&self) -> Result<Takers, RouteErrors> {
        let names = self.entries.iter().map(|entry| entry.rule.name());
        Ok(Takers {
            plan: self.plan()?,
            names: names.collect(),
        })
    }

    #[track_caller]
    fn route<I>(mut self, rule: Rule, handler: impl Handler<S, I>) -> Self {
        self.entries.push(Entry {
            rule,
            at: Location::caller(),
            start: Box::new(move |context, state| handler.start(context, state)),
            policy: Policy::default(),
        });
        self
    }
}

impl<S> fmt::Debug for Router<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.entries.iter().map(|entry| entry.rule.name());
        f.debug_list().entries(names).finish()
    }
}

/// Where each rule leads: indices into the routes.
#[derive(Debug, Default)]
struct Plan {
    exact: HashMap<String, usize>,
    clicks: HashMap<String, usize>,
    patterns: Vec<(Regex, usize)>,
    typed: Vec<(Fits, usize)>,
    unknown: Option<usize>,
    fallback: Option<usize>,
}

impl Plan {
    /// A route for just such pushes: they come before rules.
    fn find_specific(&self, push: &Push) -> Option<(usize, Vec<(String, String)>)> {
        let specific = match push.typed() {
            Typed::Text(text) => self.find_text(&text.content),
            Typed::Click(Click { key, .. }) => {
                let index = self.clicks.get(key).copied();
                index.map(|index| (index, Vec::new()))
            }
            _ => None,
        };
        specific.or_else(|| {
            let typed = self.typed.iter().find(|(fits, _)| fits(push));
            typed.map(|(_, index)| (*index, Vec::new()))
        })
    }

    /// A route for what is left: rules come before them.
    fn find_rest(&self, push: &Push) -> Option<usize> {
        let unknown = match push.typed() {
            Typed::Other => self.unknown,
            _ => None,
        };
        unknown.or(self.fallback)
    }

    fn find_text(&self, content: &str) -> Option<(usize, Vec<(String, String)>)> {
        if let Some(index) = self.exact.get(content) {
            return Some((*index, Vec::new()));
        }
        self.patterns.iter().find_map(|(regex, index)| {
            let captures = regex.captures(content)?;
            let named = regex.capture_names().flatten().filter_map(|name| {
                let text = captures.name(name)?.as_str();
                Some((name.to_owned(), text.to_owned()))
            });
            Some((*index, named.collect()))
        })
    }
}

/// Who takes which pushes, for looking at pushes of the past.
pub(crate) struct Takers {
    plan: Plan,
    names: Vec<String>,
}

impl Takers {
    /// The route that comes before every rule.
    pub(crate) fn specific(&self, push: &Push) -> Option<&str> {
        let (index, _) = self.plan.find_specific(push)?;
        self.names.get(index).map(String::as_str)
    }

    /// The route that takes what no rule takes.
    pub(crate) fn rest(&self, push: &Push) -> Option<&str> {
        let index = self.plan.find_rest(push)?;
        self.names.get(index).map(String::as_str)
    }
}

/// Checked routes with their state: what the engine runs. Cheap to clone.
#[derive(Clone)]
pub struct Routes(Arc<Table>);

struct Table {
    routes: Vec<Route>,
    plan: Plan,
}

/// One route, whatever its state.
pub(crate) struct Route {
    name: Arc<str>,
    takes_any_kind: bool,
    start: BoundStart,
    policy: Policy,
}

impl Route {
    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    pub(crate) fn name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    /// Whether pushes of every kind come here, so that a handler may turn out not to be meant.
    pub(crate) fn takes_any_kind(&self) -> bool {
        self.takes_any_kind
    }

    pub(crate) fn call(&self, context: &Context) -> Result<Called, Rejection> {
        (self.start)(context)
    }
}

/// A route and what its pattern found.
pub(crate) struct Matched<'a> {
    pub(crate) route: &'a Route,
    pub(crate) captures: Vec<(String, String)>,
}

impl Routes {
    /// The route for just such pushes that wins: it comes before every rule.
    pub(crate) fn find_specific(&self, push: &Push) -> Option<Matched<'_>> {
        let (index, captures) = self.0.plan.find_specific(push)?;
        let route = self.0.routes.get(index)?;
        Some(Matched { route, captures })
    }

    /// The route for what neither another route nor a rule takes.
    pub(crate) fn find_rest(&self, push: &Push) -> Option<Matched<'_>> {
        let route = self.0.routes.get(self.0.plan.find_rest(push)?)?;
        Some(Matched {
            route,
            captures: Vec::new(),
        })
    }

    /// What the route of this name asks for.
    pub(crate) fn policy(&self, name: &str) -> Option<&Policy> {
        let route = self.0.routes.iter().find(|route| &*route.name == name);
        route.map(Route::policy)
    }

    /// The name of the route that wins, as attempts record it: `text "帮助"`, `click ORDER`,
    /// `on subscribe`; `None` when nobody takes the push. Without rules: a rule comes before `unknown` and
    /// `fallback`.
    pub fn explain(&self, push: &Push) -> Option<String> {
        self.find_specific(push)
            .or_else(|| self.find_rest(push))
            .map(|matched| matched.route.name.to_string())
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
