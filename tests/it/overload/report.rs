//! What came of many pushes.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// How one push was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    Stored(Duration),
    /// 503.
    Refused(Duration),
    /// Anything else, a broken connection for example, and what it was.
    Strange(String),
}

#[derive(Debug, Default)]
pub(super) struct Report {
    stored: Vec<Duration>,
    refused: Vec<Duration>,
    strange: BTreeMap<String, usize>,
    /// How late the machine let the loader itself be, at worst.
    lag: Duration,
}

impl Report {
    /// The loader was woken so much after it was due.
    pub(super) fn woken_late(&mut self, by: Duration) {
        self.lag = self.lag.max(by);
    }

    pub(super) const fn lag(&self) -> Duration {
        self.lag
    }

    pub(super) fn note(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Stored(took) => self.stored.push(took),
            Outcome::Refused(took) => self.refused.push(took),
            Outcome::Strange(what) => *self.strange.entry(what).or_default() += 1,
        }
    }

    pub(super) fn stored(&self) -> usize {
        self.stored.len()
    }

    pub(super) fn refused(&self) -> usize {
        self.refused.len()
    }

    /// What was neither stored nor refused, and how often.
    pub(super) fn strange(&self) -> &BTreeMap<String, usize> {
        &self.strange
    }

    /// Which part of those answered was stored.
    pub(super) fn share(&self) -> f64 {
        self.stored() as f64 / (self.stored() + self.refused()).max(1) as f64
    }

    pub(super) fn longest_success(&self) -> Duration {
        self.stored.iter().copied().max().unwrap_or_default()
    }
}

fn median(durations: &[Duration]) -> Duration {
    let mut sorted = durations.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} stored (median {:?}, longest {:?}), {} refused (median {:?}), strange: {:?}; the loader was late by {:?}",
            self.stored(),
            median(&self.stored),
            self.longest_success(),
            self.refused(),
            median(&self.refused),
            self.strange,
            self.lag
        )
    }
}
