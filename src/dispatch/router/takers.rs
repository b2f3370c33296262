//! Who would take pushes of the past.

use super::plan::Plan;
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
        let fixture = |index: usize| self.fixtures.get(index);
        let fixture = fixture(self.plan.winner(push, facts, fixture)?.index)?;
        Some((fixture.name(), !fixture.rule.takes_any_kind()))
    }
}
