use std::time::Duration;

use super::{faults, file, loaded};
use crate::config::CounterStoreKind;
use crate::id::AppId;
use crate::quota::{AccountClass, QuotaKey, Settings};

const SHOP: &str = "[accounts.shop]\napp_id = \"wxa\"\ntoken = \"token123\"\n\
                    [accounts.club]\napp_id = \"wxb\"\ntoken = \"token123\"\n";

#[test]
fn quotas_are_read_for_each_account() {
    let text = format!(
        "{SHOP}[quota]\ntest_accounts = [\"club\"]\ntimes = 10\nreset_at = \"06:30\"\n\
         limits = [\"wxa/custom_send=7\", \"custom_send = 9\", \"menu_get=5\"]\n\
         clear_automatically = [\"custom_send\"]\n"
    );
    let quota = loaded(&file(&text)).quota;
    let limits = |account: &str| {
        let account = &quota.quotas.accounts[&AppId::parse(account).unwrap()];
        let limits = account
            .limits
            .iter()
            .map(|(key, limit)| (key.name(), *limit));
        (account.class, account.times, limits.collect::<Vec<_>>())
    };
    assert_eq!(
        limits("wxa"),
        (
            AccountClass::New,
            10,
            vec![("custom_send", 7), ("menu_get", 5)]
        )
    );
    assert_eq!(
        limits("wxb"),
        (
            AccountClass::Test,
            10,
            vec![("custom_send", 9), ("menu_get", 5)]
        )
    );
    let reset_at = quota.quotas.calendar.reset_at;
    assert_eq!(reset_at, Duration::from_secs(6 * 3600 + 30 * 60));
    assert_eq!(quota.quotas.automatic.keys, [QuotaKey::CUSTOM_SEND]);
    assert_eq!(quota.store, CounterStoreKind::Embedded);
}

#[test]
fn what_quotas_say_by_default_is_what_the_room_says() {
    let one = file("[accounts.shop]\napp_id = \"wxa\"\ntoken = \"token123\"\n");
    let quota = loaded(&one).quota.quotas;
    let default = Settings::default();
    assert!(quota.automatic.keys.is_empty());
    let expected = Settings {
        accounts: [(AppId::parse("wxa").unwrap(), Default::default())].into(),
        automatic: quota.automatic.clone(),
        ..default
    };
    assert_eq!(quota, expected);
}

#[test]
fn counts_are_kept_where_tokens_are_unless_another_store_is_named() {
    for (token, quota, expected) in [
        ("embedded", "", "Embedded"),
        ("memory", "", "Memory"),
        ("memory", "embedded", "Embedded"),
        #[cfg(feature = "redis")]
        (
            "redis://h:6379/0",
            "",
            "Redis(StoreAddress(16 bytes, redacted))",
        ),
        #[cfg(feature = "redis")]
        (
            "embedded",
            "rediss://h:6379/0",
            "Redis(StoreAddress(17 bytes, redacted))",
        ),
        #[cfg(feature = "mysql")]
        ("mysql://h/d", "", "Embedded"),
    ] {
        let text = format!("{SHOP}[token]\nstore = \"{token}\"\n[quota]\nstore = \"{quota}\"\n");
        let found = loaded(&file(&text)).quota.store;
        assert_eq!(format!("{found:?}"), expected, "{token} {quota}");
    }
}

#[test]
fn wrong_quotas_are_named_with_what_would_be_right() {
    let text = format!(
        "{SHOP}[quota]\nstore = \"postgres://wx:hunter2@h/d\"\ntest_accounts = [\"shp\"]\ntimes = 0\n\
         limits = [\"custom_sent=5\"]\nreserve_percent = 91\nreset_at = \"24:00\"\n\
         reset_grace = \"2h\"\nask_every = \"1m\"\nclear_automatically = [\"menu\"]\n\
         clear_before = \"8:00\"\nclears_kept = 51\n"
    );
    let told = faults(&file(&text)).to_string();
    assert!(!told.contains("hunter2"), "{told}");
    insta::assert_snapshot!(told, @r#"
    quota.store (file wxhook.toml, line 8): is not a store of counts; use "embedded", "memory", or the address of a Redis server: redis://… or rediss://…; leave it empty to use the one of token.store
    quota.times = "0" (file wxhook.toml, line 10): is out of range; choose a value from 1 to 1000
    quota.reserve_percent = "91" (file wxhook.toml, line 12): is out of range; choose a value from 0 to 90
    quota.reset_at = "24:00" (file wxhook.toml, line 13): is not a time of day; write it like "20:00"
    quota.reset_grace = "2h" (file wxhook.toml, line 14): is out of range; choose a value from 0s to 1h
    quota.ask_every = "1m" (file wxhook.toml, line 15): is out of range; choose a value from 10m to 1d
    quota.clear_automatically = "menu" (file wxhook.toml, line 16): "menu" is not a quota; docs/quotas.md lists them; the nearest is "mass"
    quota.clear_before = "8:00" (file wxhook.toml, line 17): is not a time of day; write it like "20:00"
    quota.clears_kept = "51" (file wxhook.toml, line 18): is out of range; choose a value from 0 to 50
    quota.test_accounts = "shp" (file wxhook.toml, line 9): "shp" is not an account; name one of [accounts.NAME]
    quota.limits = "custom_sent=5" (file wxhook.toml, line 11): "custom_sent" is not a quota; docs/quotas.md lists them; the nearest is "custom_send"
    "#);
    for limit in [
        "custom_send",
        "custom_send=-1",
        "custom_send=1e9",
        "x/custom_send=1",
    ] {
        let text = format!("{SHOP}[quota]\nlimits = [\"{limit}\"]\n");
        let faults = faults(&file(&text)).to_string();
        assert!(faults.contains("quota.limits"), "{limit}: {faults}");
    }
}
