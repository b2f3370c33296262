//! What is wrong with routes, all of it at once, at start.

use std::collections::HashMap;
use std::fmt;
use std::panic::Location;

use regex::Regex;

use super::hours::HoursError;
use super::plan::Plan;
use super::rule::Rule;
use super::{Entry, Fixture, Router};
use crate::dispatch::schedule::ScheduleError;

/// Why a route cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RouteError {
    /// Another route takes everything that this one could take.
    #[error("{route} at {at} can never win: {winner} at {winner_at} takes the same pushes")]
    NeverWins {
        /// The route's name.
        route: String,
        /// Where it stands.
        at: &'static Location<'static>,
        /// The route that wins.
        winner: String,
        /// Where that stands.
        winner_at: &'static Location<'static>,
    },
    /// An empty text or menu key.
    #[error("{route} at {at} can never win: it is empty")]
    Empty {
        /// The route's name.
        route: String,
        /// Where it stands.
        at: &'static Location<'static>,
    },
    /// The pattern is no regular expression, or one that would need too much memory.
    #[error(
        "{route} at {at} has a pattern that cannot be read: {}",
        summary(source)
    )]
    Pattern {
        /// The route's name.
        route: String,
        /// Where it stands.
        at: &'static Location<'static>,
        /// What is wrong with it.
        source: regex::Error,
    },
    /// The times of a layer cannot be read.
    #[error("the attempts at {at} cannot be read: {source}")]
    Schedule {
        /// Where the layer stands.
        at: &'static Location<'static>,
        /// What is wrong with them.
        source: ScheduleError,
    },
    /// The time limit of a layer cannot be read.
    #[error("the time of the layer at {at} cannot be read: {source}")]
    TimeLimit {
        /// Where the layer stands.
        at: &'static Location<'static>,
        /// What is wrong with it.
        source: ScheduleError,
    },
    /// A layer that would let no handler run.
    #[error("AtOnce(0) at {at} lets no handler run: write 1 or more")]
    NoneAtOnce {
        /// Where the layer stands.
        at: &'static Location<'static>,
    },
    /// The hours of a guard cannot be read.
    #[error("the hours at {at} cannot be read: {source}")]
    Hours {
        /// Where the guard stands.
        at: &'static Location<'static>,
        /// What is wrong with them.
        source: HoursError,
    },
    /// A wish that no route stands before.
    #[error("{what} at {at} concerns no route: write it after those that it is for")]
    NoRoute {
        /// The wish.
        what: &'static str,
        /// Where it stands.
        at: &'static Location<'static>,
    },
}

impl RouteError {
    /// The place that is to be changed.
    fn at(&self) -> &'static Location<'static> {
        match self {
            Self::NeverWins { at, .. }
            | Self::Empty { at, .. }
            | Self::Pattern { at, .. }
            | Self::Schedule { at, .. }
            | Self::TimeLimit { at, .. }
            | Self::NoneAtOnce { at }
            | Self::Hours { at, .. }
            | Self::NoRoute { at, .. } => at,
        }
    }
}

/// The last line of a pattern's error: those before it draw a picture.
pub(crate) fn summary(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.trim_start_matches("error: ").to_owned()
}

/// Everything that is wrong with a router, in the order of registration.
#[derive(Debug, Clone)]
pub struct RouteErrors(Vec<RouteError>);

impl RouteErrors {
    /// Each of them; at least one.
    pub fn iter(&self) -> impl Iterator<Item = &RouteError> {
        self.0.iter()
    }
}

impl fmt::Display for RouteErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the routes cannot be used:")?;
        self.0.iter().try_for_each(|error| write!(f, "\n  {error}"))
    }
}

impl std::error::Error for RouteErrors {}

impl<S> Router<S> {
    pub(super) fn plan(&self) -> Result<Plan, RouteErrors> {
        let mut plan = Plan::default();
        let mut faults = self.faults.clone();
        let mut seen: HashMap<String, Vec<&Fixture>> = HashMap::new();
        for (index, Entry { fixture, .. }) in self.entries.iter().enumerate() {
            let at = fixture.at;
            let alike = seen.entry(fixture.rule.name()).or_default();
            if let Some(winner) = alike.iter().find(|earlier| earlier.covers(fixture)) {
                faults.push(RouteError::NeverWins {
                    route: fixture.name(),
                    at,
                    winner: winner.name(),
                    winner_at: winner.at,
                });
                continue;
            }
            alike.push(fixture);
            if let Err(fault) = plan.add(&fixture.rule, index, at) {
                faults.push(fault);
            }
        }
        faults.sort_by_key(|fault| {
            let at = fault.at();
            (at.file(), at.line(), at.column())
        });
        match faults.is_empty() {
            true => Ok(plan),
            false => Err(RouteErrors(faults)),
        }
    }
}

impl Plan {
    fn add(
        &mut self,
        rule: &Rule,
        index: usize,
        at: &'static Location<'static>,
    ) -> Result<(), RouteError> {
        match rule {
            Rule::Step(step) => self.steps.push((step.clone(), index)),
            Rule::Exact(text) | Rule::Click(text) | Rule::Pattern(text) if text.is_empty() => {
                return Err(RouteError::Empty {
                    route: rule.name(),
                    at,
                });
            }
            Rule::Exact(text) => self.exact.entry(text.clone()).or_default().push(index),
            Rule::Click(key) => self.clicks.entry(key.clone()).or_default().push(index),
            Rule::Pattern(text) => {
                let regex = Regex::new(text).map_err(|source| RouteError::Pattern {
                    route: rule.name(),
                    at,
                    source,
                })?;
                self.patterns.push((regex, index));
            }
            Rule::Typed { fits, .. } => self.typed.push((*fits, index)),
            Rule::Unknown => self.unknown.push(index),
            Rule::Fallback => self.fallback.push(index),
        }
        Ok(())
    }
}
