//! Who used an account's tokens: of each client of the token service how often, and when last.

use std::fmt;

use crate::clock::Timestamp;
use crate::id::AppId;
use crate::store::tokens::Promise;

/// Clients kept of one account; those that were away longest are forgotten first.
pub const CLIENTS_KEPT: usize = 200;

/// What one client did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientUse {
    /// Its name in the configuration; `admin` for the admin key.
    pub client: String,
    /// How often it read the token.
    pub reads: u64,
    /// When it last did; 1970 for never.
    pub last_read_at: Timestamp,
    /// How often it reported a token that the platform refused.
    pub reports: u64,
    /// When it last did; 1970 for never.
    pub last_report_at: Timestamp,
    /// The code that it last reported; 0 for none.
    pub last_errcode: i64,
}

impl ClientUse {
    /// When the client was last seen.
    pub fn last_at(&self) -> Timestamp {
        self.last_read_at.max(self.last_report_at)
    }

    /// Adds what was counted elsewhere. Every store adds exactly so.
    pub fn add(&mut self, other: &Self) {
        self.reads = self.reads.saturating_add(other.reads);
        self.last_read_at = self.last_read_at.max(other.last_read_at);
        self.reports = self.reports.saturating_add(other.reports);
        if other.last_report_at >= self.last_report_at && other.reports > 0 {
            self.last_report_at = other.last_report_at;
            self.last_errcode = other.last_errcode;
        }
    }
}

/// Where uses are counted, for all processes that share tokens. The same rules as for
/// [`Tokens`](crate::store::tokens::Tokens); but what is counted here decides nothing.
pub trait TokenUsage: Send + Sync + fmt::Debug {
    /// Adds to what is stored, each client once. At most [`CLIENTS_KEPT`] of an account stay.
    fn add<'a>(&'a self, account: &'a AppId, uses: &'a [ClientUse]) -> Promise<'a, ()>;

    /// What is stored, the client that was seen last first.
    fn uses<'a>(&'a self, account: &'a AppId) -> Promise<'a, Vec<ClientUse>>;
}
