//! What the operator says about the limits of the accounts.

use std::collections::BTreeMap;
use std::time::Duration;

use super::calendar::Calendar;
use super::key::{QuotaKey, Row, Span};
use crate::id::AppId;

/// Hundredths of a daily limit that only interactive calls may use.
pub const RESERVE_PERCENT: u8 = 5;

/// The shortest time between two questions to the platform about one key: each is a call itself.
pub const SHORTEST_ASK_EVERY: Duration = Duration::from_secs(10 * 60);

/// The longest random delay after the minute in which the platform refused a call.
pub const JITTER: Duration = Duration::from_secs(2);

/// Which of the platform's tables holds for an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum AccountClass {
    /// A service account as it begins.
    #[default]
    New,
    /// A test account (测试号).
    Test,
}

/// What is known of one account's limits before the platform is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountLimits {
    /// Which table holds.
    pub class: AccountClass,
    /// How many times the table's daily limits the account has, because it has many followers.
    pub times: u32,
    /// Limits that the operator sets: an upper bound, whatever the platform says.
    pub limits: BTreeMap<QuotaKey, u64>,
}

impl Default for AccountLimits {
    fn default() -> Self {
        Self {
            class: AccountClass::New,
            times: 1,
            limits: BTreeMap::new(),
        }
    }
}

impl AccountLimits {
    /// The published limit of a row, for this account.
    pub(super) fn published(&self, row: &Row) -> Option<u64> {
        let base = match self.class {
            AccountClass::New => row.new,
            AccountClass::Test => row.test,
        };
        match row.span {
            Span::Day => base.map(|base| base.saturating_mul(u64::from(self.times))),
            Span::Month => base,
        }
    }
}

/// When limits are cleared without a person.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Automatic {
    /// The keys whose end has them cleared, once a day each. None by default.
    pub keys: Vec<QuotaKey>,
    /// Only before this time of day in Beijing; later the day's end is near.
    pub before: Duration,
    /// Only while more clears than this are left in the month.
    pub keep: u64,
}

/// How calls are counted and limited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What is known of each account; others are new ones.
    pub accounts: BTreeMap<AppId, AccountLimits>,
    /// Hundredths of a daily limit that are kept for interactive calls. Default: [`RESERVE_PERCENT`].
    pub reserve_percent: u8,
    /// When days begin.
    pub calendar: Calendar,
    /// How often the platform is asked about a key in use. Default: [`SHORTEST_ASK_EVERY`], and never
    /// less.
    pub ask_every: Duration,
    /// The longest random delay after a full minute. Default: [`JITTER`].
    pub jitter: Duration,
    /// When limits are cleared without a person.
    pub automatic: Automatic,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            accounts: BTreeMap::new(),
            reserve_percent: RESERVE_PERCENT,
            calendar: Calendar::default(),
            ask_every: SHORTEST_ASK_EVERY,
            jitter: JITTER,
            automatic: Automatic::default(),
        }
    }
}
