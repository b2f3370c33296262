//! Who would take pushes of the past.

use super::plan::Plan;
use super::rule::Rule;
use super::{Facts, Fixture};
use crate::protocol::push::Push;

/// Which routes take which pushes, without a state.
pub(crate) struct Takers {
    plan: Plan,
    fixtures: Vec<Fixture>,
}

impl Takers {
    pub(super) fn new(plan: Plan, fixtures: Vec<Fixture>) -> Self {
        Self { plan, fixtures }
    }

    /// The name of the route that wins, and whether it is one for just such pushes, which comes before
    /// every rule.
    pub(crate) fn find(&self, push: &Push, facts: &Facts) -> Option<(String, bool)> {
        let mut fitting = self.plan.fitting(push, facts);
        let fixture = fitting.find_map(|fitting| {
            let fixture = self.fixtures.get(fitting.index)?;
            fixture.closed_by(push, facts).is_none().then_some(fixture)
        })?;
        let is_specific = !matches!(fixture.rule, Rule::Unknown | Rule::Fallback);
        Some((fixture.name(), is_specific))
    }
}
