//! Daily quotas, minute limits, and what clears them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;

use super::Answer;
use super::Call;
use super::Platform;
use super::answer::Refusal;
use super::calendar;
use super::calendar::Meter;
use super::endpoint::Endpoint;
use super::endpoint::Handled;
use super::endpoint::Method;
use super::endpoint::Visit;
use super::endpoint::open;
use super::endpoint::post;
use super::endpoint::text;
use crate::clock::Timestamp;
use crate::simulator::random::Random;

mod row;

pub use row::QuotaRow;

pub(super) const ENDPOINTS: &[Endpoint] = &[
    post("/cgi-bin/clear_quota", clear),
    open(Method::Post, "/cgi-bin/clear_quota/v2", clear_by_secret).with_secret(),
    post("/cgi-bin/openapi/quota/clear", clear_one),
    post("/cgi-bin/openapi/quota/get", show),
];

/// Which of the two tables holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountKind {
    /// The table for new accounts.
    #[default]
    New,
    /// The table for test accounts (测试号). What is missing in it has no limit here.
    Test,
}

/// How calls are counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quotas {
    /// Which table holds.
    pub kind: AccountKind,
    /// By what its figures are multiplied: accounts of more than 100,000, a million or ten million followers
    /// have more. By how much stands only in each account's console.
    pub tier: u64,
    /// Whether a call that was refused counts. Not documented; the cautious assumption is that it does.
    pub count_failed: bool,
    /// By how many per cent the figures that are shown may be wrong; the platform speaks of about 1.
    pub display_error_percent: u64,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            kind: AccountKind::New,
            tier: 1,
            count_failed: true,
            display_error_percent: 0,
        }
    }
}

/// Clears of all counters within a month, by console, `clear_quota` and `clear_quota/v2` together.
pub const CLEARS_PER_MONTH: u64 = 10;

/// Clears of one counter within a month.
pub const PATH_CLEARS_PER_MONTH: u64 = 50;

/// Changes one row's limits: what is missing stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QuotaOrder {
    /// Calls within a day.
    pub daily_limit: Option<u64>,
    /// Calls within a minute.
    pub per_minute: Option<u64>,
    /// Calls that were made today.
    pub used: Option<u64>,
}

#[derive(Debug, Default)]
struct Account {
    order: QuotaOrder,
    today: Meter,
    this_minute: Meter,
}

/// What one account has used.
#[derive(Debug)]
pub(super) struct Ledger {
    settings: Quotas,
    rows: BTreeMap<QuotaRow, Account>,
    clears: Meter,
    path_clears: Meter,
}

impl Ledger {
    pub(super) fn new(settings: Quotas) -> Self {
        Self {
            settings,
            rows: BTreeMap::new(),
            clears: Meter::default(),
            path_clears: Meter::default(),
        }
    }

    fn daily_limit(&self, row: QuotaRow) -> Option<u64> {
        let ordered = self.rows.get(&row).and_then(|row| row.order.daily_limit);
        ordered.or_else(|| {
            let limit = match self.settings.kind {
                AccountKind::New => row.for_new_account(),
                AccountKind::Test => row.for_test_account(),
            };
            limit.map(|limit| limit.saturating_mul(self.settings.tier))
        })
    }

    fn per_minute(&self, row: QuotaRow) -> Option<u64> {
        let ordered = self.rows.get(&row).and_then(|row| row.order.per_minute);
        ordered.or(row.per_minute())
    }

    /// Counts one call, or says which limit stands against it.
    pub(super) fn take(&mut self, now: Timestamp, row: QuotaRow) -> Result<(), Refusal> {
        let daily = self.daily_limit(row).unwrap_or(u64::MAX);
        let per_minute = self.per_minute(row).unwrap_or(u64::MAX);
        let account = self.rows.entry(row).or_default();
        if account.today.count(calendar::day(now)) >= daily {
            return Err(Refusal::code(45009));
        }
        if !account.this_minute.take(calendar::minute(now), per_minute) {
            return Err(Refusal::code(45011));
        }
        account.today.take(calendar::day(now), daily);
        Ok(())
    }

    /// A counted call was refused.
    pub(super) fn failed(&mut self, now: Timestamp, row: QuotaRow) {
        if let Some(account) = self.rows.get_mut(&row)
            && !self.settings.count_failed
        {
            let today = calendar::day(now);
            let count = account.today.count(today).saturating_sub(1);
            account.today.set(today, count);
        }
    }

    pub(super) fn order(&mut self, now: Timestamp, row: QuotaRow, order: QuotaOrder) {
        let account = self.rows.entry(row).or_default();
        account.order.daily_limit = order.daily_limit.or(account.order.daily_limit);
        account.order.per_minute = order.per_minute.or(account.order.per_minute);
        if let Some(used) = order.used {
            account.today.set(calendar::day(now), used);
        }
    }

    fn used(&self, now: Timestamp, row: QuotaRow) -> u64 {
        let account = self.rows.get(&row);
        account.map_or(0, |account| account.today.count(calendar::day(now)))
    }

    fn clear_all(&mut self, now: Timestamp) -> Result<(), Refusal> {
        if !self.clears.take(calendar::month(now), CLEARS_PER_MONTH) {
            return Err(Refusal::code(48006));
        }
        for account in self.rows.values_mut() {
            account.today = Meter::default();
        }
        Ok(())
    }

    fn clear_one(&mut self, now: Timestamp, row: Option<QuotaRow>) -> Result<(), Refusal> {
        let month = calendar::month(now);
        if !self.path_clears.take(month, PATH_CLEARS_PER_MONTH) {
            return Err(Refusal::code(45009));
        }
        if let Some(account) = row.and_then(|row| self.rows.get_mut(&row)) {
            account.today = Meter::default();
        }
        Ok(())
    }

    /// What `openapi/quota/get` tells. A limit of 0 means that there is none.
    fn shown(&self, now: Timestamp, row: Option<QuotaRow>, random: &mut Random) -> Value {
        let limit = row.and_then(|row| self.daily_limit(row)).unwrap_or(0);
        let used = row.map_or(0, |row| self.used(now, row));
        let spread = used * self.settings.display_error_percent / 100;
        let used = match limit {
            0 => 0,
            limit => (used + random.below(2 * spread + 1) - spread).min(limit),
        };
        let quota = json!({ "daily_limit": limit, "used": used, "remain": limit - used });
        let mut shown = json!({ "errcode": 0, "errmsg": "ok", "quota": quota });
        if let Some(count) = row.and_then(|row| self.per_minute(row)) {
            let rate = json!({ "call_count": count, "refresh_second": 60 });
            shown["rate_limit"] = rate.clone();
            shown["component_rate_limit"] = rate;
        }
        shown
    }

    /// Every row that was used or ordered, and the clears of this month.
    pub(super) fn view(&self, now: Timestamp) -> Value {
        let rows = self.rows.keys().map(|row| {
            let counted = json!({
                "used": self.used(now, *row),
                "daily_limit": self.daily_limit(*row),
                "per_minute": self.per_minute(*row),
            });
            (row.key().to_owned(), counted)
        });
        let month = calendar::month(now);
        json!({
            "rows": rows.collect::<serde_json::Map<_, _>>(),
            "clears_this_month": self.clears.count(month),
            "path_clears_this_month": self.path_clears.count(month),
        })
    }
}

/// `POST /cgi-bin/clear_quota`
fn clear(visit: &mut Visit<'_>) -> Handled {
    let request = visit.json()?;
    if text(&request, "appid") != Some(visit.account.app_id.as_str()) {
        return Err(Refusal::code(40013));
    }
    visit.state.quota.clear_all(visit.now)?;
    Ok(Answer::ok())
}

/// `POST /cgi-bin/clear_quota/v2`: by AppID and AppSecret, in the body or in the query; the official page
/// shows both.
fn clear_by_secret(platform: &mut Platform, now: Timestamp, call: &Call) -> Handled {
    let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
    let given = |name: &str| {
        let in_body = text(&body, name).map(str::to_owned);
        in_body.or_else(|| call.parameter(name))
    };
    let app_id = given("appid").ok_or(Refusal::code(41002))?;
    let accounts = &platform.settings.accounts;
    let place = accounts
        .iter()
        .position(|account| account.app_id.as_str() == app_id)
        .ok_or(Refusal::code(40013))?;
    let secret = given("appsecret").ok_or(Refusal::code(41004))?;
    if !accounts[place].secret.matches(&secret) {
        return Err(Refusal::code(40125));
    }
    platform.states[place].quota.clear_all(now)?;
    Ok(Answer::ok())
}

/// The row of a `cgi_path`, if its calls are counted: 76021 when there is no such path, 76022 for paths
/// that are not looked after here.
fn row_of(request: &Value) -> Result<Option<QuotaRow>, Refusal> {
    let path = text(request, "cgi_path").ok_or(Refusal::code(76021))?;
    if path.starts_with("/sns/") {
        return Err(Refusal::code(76022));
    }
    let endpoint = Endpoint::at(path).ok_or(Refusal::code(76021))?;
    Ok(endpoint.row())
}

/// `POST /cgi-bin/openapi/quota/clear`
fn clear_one(visit: &mut Visit<'_>) -> Handled {
    let row = row_of(&visit.json()?)?;
    visit.state.quota.clear_one(visit.now, row)?;
    Ok(Answer::ok())
}

/// `POST /cgi-bin/openapi/quota/get`
fn show(visit: &mut Visit<'_>) -> Handled {
    let row = row_of(&visit.json()?)?;
    let shown = visit.state.quota.shown(visit.now, row, visit.random);
    Ok(Answer {
        code: Some(0),
        ..Answer::json(shown.to_string())
    })
}
