//! What is known of one key, for people and for `/readyz`.

use super::exhausted::Limit;
use super::figures::Figures;
use super::key::{QuotaKey, Span};
use super::pace::Rate;
use crate::clock::Timestamp;

/// Who says what the limit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LimitFrom {
    /// The operator's configuration.
    Setting,
    /// The platform, asked about this account.
    Platform,
    /// The published table.
    Published,
    /// The platform refused the call after this one.
    Refusal,
}

impl LimitFrom {
    /// The word used everywhere.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Setting => "setting",
            Self::Platform => "platform",
            Self::Published => "published",
            Self::Refusal => "refusal",
        }
    }
}

/// What is known of one key of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyStatus {
    /// The key.
    pub key: QuotaKey,
    /// For what its limit is.
    pub span: Span,
    /// The day or month that is counted, as Beijing names it.
    pub period: String,
    /// The limit and who says so; `None` where none is known.
    pub limit: Option<(u64, LimitFrom)>,
    /// What is used, as far as is known here: what other processes have reserved counts as used.
    pub used: u64,
    /// What this process has reserved and not used yet.
    pub reserved: u64,
    /// The platform's numbers, and when they were asked for.
    pub platform: Option<(Figures, Timestamp)>,
    /// Which limit refuses calls now, and when they are made again.
    pub obstacle: Option<(Limit, Timestamp)>,
    /// Calls in a minute.
    pub rate: Option<Rate>,
    /// Whether the store of counts did not answer when it was last asked.
    pub store_is_away: bool,
}

impl KeyStatus {
    /// What is left, where a limit is known.
    pub fn remain(&self) -> Option<u64> {
        self.limit.map(|(limit, _)| limit.saturating_sub(self.used))
    }
}
