//! Why a call is not made: typed, with the time when it can be.

use std::fmt;

use super::calendar::in_beijing;
use super::key::QuotaKey;
use crate::clock::Timestamp;
use crate::id::AppId;

/// Which limit a call met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// The calls of the day.
    Day,
    /// The calls of the month.
    Month,
    /// The calls of a minute.
    Minute,
    /// What is left of the day is kept for interactive calls.
    Reserve,
}

impl Limit {
    /// The word used everywhere.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
            Self::Minute => "minute",
            Self::Reserve => "reserve",
        }
    }
}

/// A call that was not made, because the platform would refuse it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exhausted {
    /// The account.
    pub account: AppId,
    /// What is used up.
    pub key: QuotaKey,
    /// Which limit it is.
    pub limit: Limit,
    /// What was used of the day or month, with what other processes have reserved.
    pub used: u64,
    /// When calls are made again.
    pub returns_at: Timestamp,
}

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, used) = (self.key, self.used);
        match self.limit {
            Limit::Day => write!(f, "the quota {key} is used up for today ({used} calls)")?,
            Limit::Month => write!(
                f,
                "the quota {key} is used up for this month ({used} calls)"
            )?,
            Limit::Minute => write!(f, "the calls of {key} in this minute are used up")?,
            Limit::Reserve => write!(
                f,
                "what is left of the quota {key} today is kept for replies ({used} calls are used)"
            )?,
        }
        write!(f, "; it returns at {}", in_beijing(self.returns_at))?;
        match self.limit {
            Limit::Day => f.write_str(", or when it is cleared: wxhook quota clear"),
            Limit::Month | Limit::Minute | Limit::Reserve => Ok(()),
        }
    }
}

impl std::error::Error for Exhausted {}
