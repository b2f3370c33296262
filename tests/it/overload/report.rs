//! What came of many pushes.

use std::fmt;
use std::time::Duration;

/// How one push was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Stored(Duration),
    /// 503.
    Refused(Duration),
    /// Anything else, a broken connection for example.
    Strange,
}

#[derive(Debug, Default)]
pub(super) struct Report {
    stored: Vec<Duration>,
    refused: Vec<Duration>,
    strange: usize,
}

impl Report {
    pub(super) fn note(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Stored(took) => self.stored.push(took),
            Outcome::Refused(took) => self.refused.push(took),
            Outcome::Strange => self.strange += 1,
        }
    }

    pub(super) fn stored(&self) -> usize {
        self.stored.len()
    }

    pub(super) fn refused(&self) -> usize {
        self.refused.len()
    }

    pub(super) fn strange(&self) -> usize {
        self.strange
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
            "{} stored (median {:?}, longest {:?}), {} refused (median {:?}), {} strange",
            self.stored(),
            median(&self.stored),
            self.longest_success(),
            self.refused(),
            median(&self.refused),
            self.strange
        )
    }
}
