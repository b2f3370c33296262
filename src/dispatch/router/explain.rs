//! Why a push goes where it goes.

use std::fmt;
use std::panic::Location;

use serde::Serialize;

use super::plan::Plan;
use super::rule::Specificity;
use super::{Facts, Fixture, Guard};
use crate::protocol::push::Push;

/// Which route takes a push, and why no other does.
///
/// Its `Display` is for people, its `Serialize` for programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// The route that takes it; `None`: nobody does, and the push is done without an answer.
    pub winner: Option<Candidate>,
    /// The other routes whose rules fit, in the order in which routes are asked: from the most specific
    /// on, of equally specific ones the first registered first.
    pub others: Vec<Candidate>,
}

/// A route whose rule fits the push.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Candidate {
    /// The route's name, as attempts record it: `text "帮助"`, `click ORDER`, `on subscribe`.
    pub route: String,
    /// Where it was registered.
    pub at: Place,
    /// How specific it is.
    pub specificity: Specificity,
    /// Where functions were put around its handler, from the innermost on.
    pub around: Vec<Place>,
    /// What became of it.
    pub outcome: Outcome,
    /// The outcome and its reason, for people.
    pub why: String,
}

/// What became of a route whose rule fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// It takes the push.
    Wins,
    /// It comes before the winner, and a guard of it does not let the push.
    PassedOver,
    /// The winner is more specific; whether its own guards would let the push is then not asked.
    LessSpecific,
    /// The winner is as specific, and was registered before it.
    RegisteredLater,
}

/// Where a route was registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Place {
    /// The source file, as the compiler was given it.
    pub file: &'static str,
    /// The line in it, from 1.
    pub line: u32,
}

impl From<&'static Location<'static>> for Place {
    fn from(at: &'static Location<'static>) -> Self {
        Self {
            file: at.file(),
            line: at.line(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// Asks every route whose rule fits, where the engine stops at the first that takes the push.
pub(super) fn explain<'a>(
    plan: &Plan,
    fixture: impl Fn(usize) -> Option<&'a Fixture>,
    push: &Push,
    facts: &Facts,
) -> Explanation {
    let fitting = plan
        .fitting(push, facts)
        .filter_map(|fitting| fixture(fitting.index));
    let mut explanation = Explanation {
        winner: None,
        others: Vec::new(),
    };
    for fixture in fitting {
        let closed_by = fixture.closed_by(push, facts);
        let (outcome, why) = judge(fixture, closed_by, explanation.winner.as_ref());
        let candidate = Candidate {
            route: fixture.name(),
            at: fixture.at.into(),
            specificity: fixture.rule.specificity(),
            around: fixture.around.iter().map(|at| Place::from(*at)).collect(),
            outcome,
            why,
        };
        match outcome {
            Outcome::Wins => explanation.winner = Some(candidate),
            _ => explanation.others.push(candidate),
        }
    }
    explanation
}

fn judge(
    fixture: &Fixture,
    closed_by: Option<&Guard>,
    winner: Option<&Candidate>,
) -> (Outcome, String) {
    let mine = fixture.rule.specificity();
    match winner {
        None if let Some(guard) = closed_by => {
            let why = format!("passed over, because this is not so: {}", guard.text());
            (Outcome::PassedOver, why)
        }
        None => {
            let why = format!("it wins: {} is the most specific that fits", mine.name());
            (Outcome::Wins, why)
        }
        Some(winner) if winner.specificity < mine => {
            let theirs = winner.specificity.name();
            let why = format!("less specific: {theirs} comes before {}", mine.name());
            (Outcome::LessSpecific, why)
        }
        Some(winner) => {
            let why = format!("as specific, and registered after {}", winner.at);
            (Outcome::RegisteredLater, why)
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.winner {
            Some(winner) => {
                write!(f, "{winner}")?;
                for place in &winner.around {
                    write!(f, "\n  around its handler: {place}")?;
                }
            }
            None => f.write_str("no route takes it: the push is done without an answer")?,
        }
        if !self.others.is_empty() {
            f.write_str("\nother routes that fit, in the order in which they are asked:")?;
        }
        self.others
            .iter()
            .try_for_each(|other| write!(f, "\n  {other}"))
    }
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}: {}", self.route, self.at, self.why)
    }
}
