//! Clears without a person: only where the operator wants them, and never all of them.

use super::calendar::time_of_day;
use super::key::QuotaKey;
use super::{Limit, Quotas, within};
use crate::id::AppId;
use crate::store::counters::{CounterKey, Reservation};

impl Quotas {
    /// The keys that are used up, and are to be cleared now without a person. Each is named once a day,
    /// to one of all processes that share the counts.
    pub async fn automatic_clears(&self) -> Vec<(AppId, QuotaKey)> {
        let automatic = &self.parts.settings.automatic;
        if automatic.keys.is_empty() || time_of_day(self.now().wall) >= automatic.before {
            return Vec::new();
        }
        let mut due = Vec::new();
        for (account, status) in self.used_up() {
            let is_meant = automatic.keys.contains(&status.key)
                && matches!(status.obstacle, Some((Limit::Day, _)));
            if is_meant
                && self.has_clears_to_spare(&account).await
                && self.is_first_today(&account, status.key).await
            {
                due.push((account, status.key));
            }
        }
        due
    }

    /// Whether more clears are left than are to be kept, of the one kind and, for when that is refused,
    /// of the other.
    async fn has_clears_to_spare(&self, account: &AppId) -> bool {
        let keep = self.parts.settings.automatic.keep;
        let statuses = self.status(account).await;
        let left = |key| {
            let found = statuses.iter().find(|status| status.key == key);
            found.and_then(|status| status.remain()).unwrap_or(0)
        };
        left(QuotaKey::CLEAR_ALL) > keep && left(QuotaKey::CLEAR_ONE) > keep
    }

    async fn is_first_today(&self, account: &AppId, key: QuotaKey) -> bool {
        let counter = CounterKey {
            account: account.clone(),
            period: self.today(),
            counter: format!("automatic_clear:{key}"),
        };
        let asked = Reservation {
            want: 1,
            ceiling: 1,
            ..Reservation::default()
        };
        // A store that does not answer does not say that nobody else clears.
        let first = within(self.parts.store.reserve(&counter, asked)).await;
        first.is_ok_and(|reserved| reserved.granted == 1)
    }
}
