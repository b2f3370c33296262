//! Faults on order: which calls fail, and how.

use serde::Deserialize;
use serde::Serialize;

use super::Call;
use super::Shape;
use crate::simulator::random::Random;

/// Makes some calls fail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// Only calls to this path; all when missing.
    #[serde(default)]
    pub path: Option<String>,
    /// Only calls to this `Host`, with or without its port; all when missing.
    #[serde(default)]
    pub host: Option<String>,
    /// Only messages to this user; all calls when missing.
    #[serde(default)]
    pub open_id: Option<String>,
    /// Which of those calls; the next one when missing.
    #[serde(default)]
    pub when: When,
    /// What happens to them.
    pub fault: Fault,
}

/// Which of the matching calls fail.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum When {
    /// The next so many.
    Next(u64),
    /// Only that one, counted from now and from 1.
    Nth(u64),
    /// Every one.
    Always,
    /// Each with this probability, from 0 to 1.
    Probability(f64),
}

impl Default for When {
    fn default() -> Self {
        Self::Next(1)
    }
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fault {
    /// The platform answers this code and does nothing.
    Code {
        /// The `errcode`; 40001 is the token that was replaced elsewhere, −1 the busy platform.
        code: i64,
        /// The `errmsg`; the platform's own words when missing.
        #[serde(default)]
        message: Option<String>,
    },
    /// The connection is reset and nothing is done.
    Reset,
    /// Nothing is done and nothing is answered; the connection is reset in the end.
    Hang {
        /// Milliseconds until the reset.
        milliseconds: u64,
    },
    /// A gateway answers 502 with an HTML page, and nothing is done.
    BadGateway,
    /// A gateway answers 504 with an HTML page, and nothing is done.
    GatewayTimeout,
    /// The call is carried out, and its answer comes deformed.
    Shape(Shape),
    /// The call is carried out, but its answer comes late.
    Delay {
        /// Milliseconds by which it is late.
        milliseconds: u64,
    },
    /// The call is carried out, a message *is delivered*, but the answer never arrives.
    LostAnswer {
        /// Milliseconds until the connection is reset.
        #[serde(default)]
        after_milliseconds: u64,
    },
    /// The call is carried out and answered; some time later its connection is reset, idle by then or
    /// with the next call on it.
    ResetLater {
        /// Milliseconds until the reset.
        after_milliseconds: u64,
    },
    /// The call is carried out; half of the answer arrives.
    HalfAnswer,
    /// The call is carried out, and its answer comes compressed, although nobody asked for that.
    Gzip,
    /// The call is carried out, and its answer has fewer bytes than it announces.
    WrongLength,
    /// The call is carried out, and the `Date` of its answer is off.
    Date {
        /// By so many seconds; negative for the past.
        skew_seconds: i64,
    },
}

/// Why a rule was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FaultError {
    /// There are enough rules.
    #[error("there are {MAX_FAULT_RULES} fault rules already")]
    TooMany,
    /// A probability outside 0 to 1.
    #[error("a probability lies between 0 and 1")]
    Probability,
    /// No call is the zeroth, and no rule for the next zero calls does anything.
    #[error("calls are counted from 1")]
    Zero,
}

/// Rules that can be in force at once.
pub const MAX_FAULT_RULES: usize = 1000;

#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Active>);

#[derive(Debug)]
struct Active {
    rule: FaultRule,
    seen: u64,
}

impl Faults {
    pub(super) fn add(&mut self, rule: FaultRule) -> Result<(), FaultError> {
        match rule.when {
            When::Probability(chance) if !(0.0..=1.0).contains(&chance) => {
                return Err(FaultError::Probability);
            }
            When::Next(0) | When::Nth(0) => return Err(FaultError::Zero),
            _ if self.0.len() >= MAX_FAULT_RULES => return Err(FaultError::TooMany),
            _ => {}
        }
        self.0.push(Active { rule, seen: 0 });
        Ok(())
    }

    /// Whether a rule looks at the user, so that the body must be read first.
    pub(super) fn look_at_users(&self) -> bool {
        self.0.iter().any(|active| active.rule.open_id.is_some())
    }

    /// The fault of the first rule that strikes. A call that a rule strikes is not counted by those after it.
    pub(super) fn applying(
        &mut self,
        random: &mut Random,
        call: &Call,
        open_id: Option<&str>,
    ) -> Option<Fault> {
        let struck = self
            .0
            .iter_mut()
            .position(|active| active.rule.concerns(call, open_id) && active.strikes(random));
        let fault = struck.map(|at| self.0[at].rule.fault.clone());
        self.0.retain(|active| !active.is_spent());
        fault
    }
}

impl FaultRule {
    fn concerns(&self, call: &Call, open_id: Option<&str>) -> bool {
        let name = call
            .host
            .rsplit_once(':')
            .map_or(call.host.as_str(), |(name, _)| name);
        let is_host = |wanted: &str| wanted == call.host || wanted == name;
        let path_fits = self
            .path
            .as_deref()
            .is_none_or(|wanted| wanted == call.path)
            && self.host.as_deref().is_none_or(is_host);
        let user_fits = self.open_id.is_none() || self.open_id.as_deref() == open_id;
        path_fits && user_fits
    }
}

impl Active {
    fn strikes(&mut self, random: &mut Random) -> bool {
        self.seen += 1;
        match self.rule.when {
            When::Next(count) => self.seen <= count,
            When::Nth(nth) => self.seen == nth,
            When::Always => true,
            When::Probability(chance) => random.fraction() < chance,
        }
    }

    fn is_spent(&self) -> bool {
        match self.rule.when {
            When::Next(count) => self.seen >= count,
            When::Nth(nth) => self.seen >= nth,
            When::Always | When::Probability(_) => false,
        }
    }
}
