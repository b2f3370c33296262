//! Counts that processes share: how much of something was used in one period.
//!
//! Whoever counts reserves blocks here and spends them from memory. So a count survives the process
//! that made it: after a kill it is high by what was left of a block, and never low. Nothing here
//! commits together with a push, so this is a trait of its own.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::id::AppId;

/// The largest count. What a store calculates with is exact up to here.
pub const MOST: u64 = (1 << 53) - 1;

/// How long a count is kept after it was last written. The longest period is a month.
pub const KEPT: Duration = Duration::from_secs(40 * 24 * 60 * 60);

/// What one count is stored under.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CounterKey {
    /// The account.
    pub account: AppId,
    /// In which period: a date, or a month.
    pub period: String,
    /// What is counted.
    pub counter: String,
}

/// What is asked of a count, in one step: `owed` is added, the count is raised to `at_least`, and then
/// as much of `want` is granted as fits below `ceiling`. All zero: the count is only read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reservation {
    /// What was used while the store was away. Added whatever the ceiling is.
    pub owed: u64,
    /// What is known to have been used in all.
    pub at_least: u64,
    /// The block that is wished for.
    pub want: u64,
    /// What the count must not exceed by what is granted.
    pub ceiling: u64,
}

/// What became of a [`Reservation`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reserved {
    /// How much was granted, at most what was wished for.
    pub granted: u64,
    /// The count afterwards, with what was granted.
    pub total: u64,
}

impl Reservation {
    /// The count that this makes of `total`. Every store stores exactly this.
    pub fn beside(self, total: u64) -> Reserved {
        let owed = total.saturating_add(self.owed).max(self.at_least).min(MOST);
        let room = self.ceiling.min(MOST).saturating_sub(owed);
        let granted = self.want.min(room);
        Reserved {
            granted,
            total: owed + granted,
        }
    }
}

/// Why a store did not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CountersError {
    /// The store cannot be reached, does not answer in time, or refuses to work. Whether the step was
    /// done is not known.
    #[error("the store of counts is away: {0}")]
    Away(Arc<str>),
}

impl CountersError {
    /// [`CountersError::Away`], for this reason; it must not hold a password.
    pub fn away(reason: impl fmt::Display) -> Self {
        Self::Away(reason.to_string().into())
    }
}

/// The answer to one call of [`Counters`].
pub type Counted<'a, T> = BoxFuture<'a, Result<T, CountersError>>;

/// Where counts are kept for all processes that share them.
///
/// - Each call is one atomic step: of calls made at the same time, by whichever process, one is first.
/// - What a call has stored survives the process, and is durable as [`Counters::durability`] says.
/// - A call answers within a second or so, or fails with [`CountersError::Away`]. A later call works when
///   the store works again.
/// - A call whose future is dropped, or that failed, may have been done or not.
/// - Counts are kept for [`KEPT`] after they were last written.
/// - Must be called within a tokio runtime.
pub trait Counters: Send + Sync + fmt::Debug {
    /// Where counts are kept and who shares them, in one sentence for start-up.
    fn durability(&self) -> &'static str;

    /// Reserves a block, as [`Reservation::beside`] what is stored says.
    fn reserve<'a>(&'a self, key: &'a CounterKey, asked: Reservation) -> Counted<'a, Reserved>;

    /// Takes `amount` off the count again, which the caller reserved and did not spend: only while the
    /// count is not below `known`, the last one that the caller was told. If it is, somebody has set it
    /// anew since, and the block is not part of it any more.
    fn give_back<'a>(&'a self, key: &'a CounterKey, amount: u64, known: u64) -> Counted<'a, ()>;

    /// Sets the count to `new` if it is `expected` at this moment; says whether it was.
    fn replace<'a>(&'a self, key: &'a CounterKey, expected: u64, new: u64) -> Counted<'a, bool>;

    /// Everything counted for an account in one period, sorted by what is counted.
    fn counts<'a>(&'a self, account: &'a AppId, period: &'a str)
    -> Counted<'a, Vec<(String, u64)>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_granted_below_the_ceiling_and_what_is_owed_is_counted_in_any_case() {
        for (name, asked, total, expected) in [
            ("only read", (0, 0, 0, 0), 7, (0, 7)),
            ("a block", (0, 0, 10, 100), 7, (10, 17)),
            ("what is left", (0, 0, 10, 12), 7, (5, 12)),
            ("nothing left", (0, 0, 10, 7), 7, (0, 7)),
            ("above the ceiling before", (0, 0, 10, 5), 7, (0, 7)),
            ("owed", (50, 0, 10, 20), 7, (0, 57)),
            ("owed, and a block", (5, 0, 10, 20), 7, (8, 20)),
            ("raised", (0, 90, 10, 100), 7, (10, 100)),
            ("not lowered", (0, 3, 0, 100), 7, (0, 7)),
            (
                "no end",
                (u64::MAX, u64::MAX, u64::MAX, u64::MAX),
                7,
                (0, MOST),
            ),
        ] {
            let (owed, at_least, want, ceiling) = asked;
            let asked = Reservation {
                owed,
                at_least,
                want,
                ceiling,
            };
            let (granted, total) = (asked.beside(total).granted, asked.beside(total).total);
            assert_eq!((granted, total), expected, "{name}");
        }
    }
}
