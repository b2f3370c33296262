//! How calls are counted and limited: `[quota]`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::account::AccountSettings;
use super::raw::Reader;
use super::rooms::count;
use super::token::{TokenSettings, TokenStoreKind};
use super::value::Problem;
use crate::id::AppId;
use crate::quota::{AccountClass, AccountLimits, Automatic, Calendar, QuotaKey, ROWS, Settings};
#[cfg(feature = "redis")]
use crate::secret::StoreAddress;
#[cfg(feature = "redis")]
use crate::store::redis::RedisCounters;

/// Where counts are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CounterStoreKind {
    /// In the data directory.
    Embedded,
    /// In memory: they begin anew with each start, until the platform's numbers are known.
    Memory,
    /// In Redis, for all processes that have its address.
    #[cfg(feature = "redis")]
    Redis(StoreAddress),
}

/// What `[quota]` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaSettings {
    /// Where counts are kept.
    pub store: CounterStoreKind,
    /// How calls are counted and limited.
    pub quotas: Settings,
}

const STORES: &str = "use \"embedded\", \"memory\", or the address of a Redis server: redis://… or \
                      rediss://…; leave it empty to use the one of token.store";

/// Reads `[quota]`.
pub(super) fn settings(
    reader: &mut Reader,
    accounts: &[(String, AccountSettings)],
    tokens: Option<&TokenSettings>,
) -> Option<QuotaSettings> {
    // An address has a password in it.
    let store = reader.address("quota.store", store);
    let times = count(reader, "quota.times", 1, 1_000);
    let reserve_percent = count(reader, "quota.reserve_percent", 0, 90);
    let reset_at = reader.text("quota.reset_at", time_of_day);
    let grace = reader.duration("quota.reset_grace", "0s", "1h");
    let ask_every = reader.duration("quota.ask_every", "10m", "1d");
    let automatic = automatic(reader);
    let limits = limits(reader, accounts);
    let own: Vec<_> = accounts
        .iter()
        .map(|(name, account)| Some((account.credentials.app_id(), own(reader, name)?)))
        .collect();
    let own: Option<Vec<(&AppId, AccountLimits)>> = own.into_iter().collect();
    let limits = limits.and_then(|limits| Some((limits, own?, u32::try_from(times?).ok()?)));
    let accounts = limits.map(|(limits, own, times)| {
        let timed = |(account, limits)| (account, AccountLimits { times, ..limits });
        let mut limits: BTreeMap<_, _> = limits.into_iter().map(timed).collect();
        for (account, own) in own {
            let limits = limits.entry(account.clone()).or_default();
            limits.limits.extend(own.limits);
            if own.times > 0 {
                limits.times = own.times;
            }
            if own.class == AccountClass::Test {
                limits.class = AccountClass::Test;
            }
        }
        limits
    });
    let quotas = Settings {
        accounts: accounts?,
        reserve_percent: u8::try_from(reserve_percent?).ok()?,
        calendar: Calendar {
            reset_at: reset_at?,
            grace: grace?,
        },
        ask_every: ask_every?,
        automatic: automatic?,
        ..Settings::default()
    };
    let store = match store? {
        Some(store) => store,
        None => beside_tokens(&tokens?.store),
    };
    Some(QuotaSettings { store, quotas })
}

/// Counts are shared by those who share tokens; MySQL keeps none, so they stay in the data directory.
fn beside_tokens(tokens: &TokenStoreKind) -> CounterStoreKind {
    match tokens {
        TokenStoreKind::Embedded => CounterStoreKind::Embedded,
        TokenStoreKind::Memory => CounterStoreKind::Memory,
        #[cfg(feature = "redis")]
        TokenStoreKind::Redis(address) => CounterStoreKind::Redis(address.clone()),
        #[cfg(feature = "mysql")]
        TokenStoreKind::Mysql(_) => CounterStoreKind::Embedded,
    }
}

fn store(text: &str) -> Result<CounterStoreKind, Problem> {
    match text {
        "embedded" => Ok(CounterStoreKind::Embedded),
        "memory" => Ok(CounterStoreKind::Memory),
        address if address.starts_with("redis://") || address.starts_with("rediss://") => {
            redis(address)
        }
        _ => Err(Problem::new("is not a store of counts", STORES)),
    }
}

#[cfg(feature = "redis")]
fn redis(address: &str) -> Result<CounterStoreKind, Problem> {
    RedisCounters::open(address).map_err(|error| {
        let remedy = "mend it; write what has a meaning in addresses as %XX in a password";
        Problem::new(error.to_string(), remedy)
    })?;
    Ok(CounterStoreKind::Redis(StoreAddress::new(address)))
}

#[cfg(not(feature = "redis"))]
fn redis(_address: &str) -> Result<CounterStoreKind, Problem> {
    Err(Problem::new(
        "names a Redis server, and this wxhook was built without Redis",
        "build it with --features redis, or use \"embedded\"",
    ))
}

fn automatic(reader: &mut Reader) -> Option<Automatic> {
    let keys = reader.list("quota.clear_automatically", |text| match text.trim() {
        "" => Ok(None),
        name => key(name).map(Some),
    });
    let before = reader.text("quota.clear_before", time_of_day);
    let keep = count(reader, "quota.clears_kept", 0, 50);
    Some(Automatic {
        keys: keys?.into_iter().flatten().collect(),
        before: before?,
        keep: u64::try_from(keep?).ok()?,
    })
}

/// The fields of an account's own limits.
pub(super) const OWN: [&str; 3] = ["test", "times", "limits"];

/// Reads what an account says beside `[quota]`. No `times` (0) is those of all.
fn own(reader: &mut Reader, name: &str) -> Option<AccountLimits> {
    let [test, times, limits] = OWN.map(|field| format!("accounts.{name}.quota.{field}"));
    let test = reader.flag(&test);
    let times = count(reader, &times, 0, 1_000);
    let limits = reader.list(&limits, |text| match text.trim() {
        "" => Ok(None),
        text if text.contains('/') => Err(Problem::new(
            format!("{text:?} names an account, and stands in one"),
            "write KEY=NUMBER: custom_send=1000000",
        )),
        text => limit(text, &[]).map(Some),
    });
    let limits = limits?.into_iter().flatten();
    Some(AccountLimits {
        class: match test? {
            true => AccountClass::Test,
            false => AccountClass::New,
        },
        times: u32::try_from(times?).ok()?,
        limits: limits.map(|(_, key, limit)| (key, limit)).collect(),
    })
}

/// What is said of each account: `quota.test_accounts` and `quota.limits`.
fn limits(
    reader: &mut Reader,
    known: &[(String, AccountSettings)],
) -> Option<BTreeMap<AppId, AccountLimits>> {
    let test = reader.list("quota.test_accounts", |text| match text.trim() {
        "" => Ok(None),
        name => account(name, known).map(Some),
    });
    let limits = reader.list("quota.limits", |text| match text.trim() {
        "" => Ok(None),
        text => limit(text, known).map(Some),
    });
    let mut accounts: BTreeMap<AppId, AccountLimits> = known
        .iter()
        .map(|(_, account)| (account.credentials.app_id().clone(), Default::default()))
        .collect();
    for test in test?.into_iter().flatten() {
        accounts.entry(test).or_default().class = AccountClass::Test;
    }
    // What is said of one account wins over what is said of all.
    let (one, all): (Vec<_>, Vec<_>) = limits?
        .into_iter()
        .flatten()
        .partition(|(account, ..)| account.is_some());
    for (_, key, limit) in all {
        for account in accounts.values_mut() {
            account.limits.insert(key, limit);
        }
    }
    for (account, key, limit) in one {
        if let Some(account) = account {
            let account = accounts.entry(account).or_default();
            account.limits.insert(key, limit);
        }
    }
    Some(accounts)
}

/// `KEY=NUMBER`, or `ACCOUNT/KEY=NUMBER`.
fn limit(
    text: &str,
    known: &[(String, AccountSettings)],
) -> Result<(Option<AppId>, QuotaKey, u64), Problem> {
    let remedy = "write KEY=NUMBER or ACCOUNT/KEY=NUMBER: custom_send=1000000";
    let wrong = |problem: &str| Problem::new(format!("{text:?} {problem}"), remedy);
    let (name, number) = text
        .split_once('=')
        .ok_or_else(|| wrong("has no equals sign"))?;
    let number = number
        .trim()
        .parse()
        .ok()
        .filter(|number| *number <= 1_000_000_000_000)
        .ok_or_else(|| wrong("has no whole number up to 1000000000000"))?;
    let (of, name) = match name.split_once('/') {
        Some((of, name)) => (Some(account(of.trim(), known)?), name),
        None => (None, name),
    };
    Ok((of, key(name.trim())?, number))
}

fn key(name: &str) -> Result<QuotaKey, Problem> {
    QuotaKey::find(name).ok_or_else(|| {
        let distance = |row: &&crate::quota::Row| strsim::damerau_levenshtein(row.key.name(), name);
        let nearest = ROWS
            .iter()
            .min_by_key(distance)
            .map_or("", |row| row.key.name());
        Problem::new(
            format!("{name:?} is not a quota"),
            format!("docs/quotas.md lists them; the nearest is \"{nearest}\""),
        )
    })
}

fn account(name: &str, known: &[(String, AccountSettings)]) -> Result<AppId, Problem> {
    let is_meant = |(known, account): &&(String, AccountSettings)| {
        known == name || account.credentials.app_id().as_str() == name
    };
    let found = known.iter().find(is_meant);
    found
        .map(|(_, account)| account.credentials.app_id().clone())
        .ok_or_else(|| {
            Problem::new(
                format!("{name:?} is not an account"),
                "name one of [accounts.NAME]",
            )
        })
}

/// A time of day in Beijing: `20:00`.
fn time_of_day(text: &str) -> Result<Duration, Problem> {
    let wrong = || Problem::new("is not a time of day", "write it like \"20:00\"");
    let (hour, minute) = text.trim().split_once(':').ok_or_else(wrong)?;
    let two_digits = |text: &str| {
        let is_right = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u64>().ok().filter(|_| is_right)
    };
    match (two_digits(hour), two_digits(minute)) {
        (Some(hour @ 0..24), Some(minute @ 0..60)) => {
            Ok(Duration::from_secs(hour * 3600 + minute * 60))
        }
        _ => Err(wrong()),
    }
}
