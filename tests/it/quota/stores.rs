use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use tempfile::TempDir;
use wxhook::clock::{Clock, ManualClock};
use wxhook::id::AppId;
use wxhook::store::counters::{CounterKey, Counters, KEPT, MOST, Reservation, Reserved};
use wxhook::store::embedded::EmbeddedCounters;
use wxhook::store::memory_counters::MemoryCounters;

static KEYS: AtomicU32 = AtomicU32::new(0);

fn fresh_account() -> AppId {
    let number = KEYS.fetch_add(1, Ordering::Relaxed);
    AppId::parse(&format!("wx{:08x}{number:08x}", std::process::id())).unwrap()
}

fn key(account: &AppId, period: &str, counter: &str) -> CounterKey {
    CounterKey {
        account: account.clone(),
        period: period.to_owned(),
        counter: counter.to_owned(),
    }
}

fn want(want: u64, ceiling: u64) -> Reservation {
    Reservation {
        want,
        ceiling,
        ..Reservation::default()
    }
}

async fn read(store: &dyn Counters, key: &CounterKey) -> u64 {
    let read = store.reserve(key, Reservation::default()).await;
    read.unwrap().total
}

/// Plays every promise of the trait on `store`.
pub(crate) async fn conforms(store: &dyn Counters) {
    every_reservation_is_what_the_rule_says(store).await;
    of_many_at_once_no_unit_is_granted_twice(store).await;
    a_block_is_given_back_while_the_count_still_has_it(store).await;
    a_count_is_set_anew_by_one_who_knows_it(store).await;
    counts_are_apart_and_listed(store).await;
}

async fn every_reservation_is_what_the_rule_says(store: &dyn Counters) {
    let key = key(&fresh_account(), "2026-11-25", "custom_send");
    let mut total = 0;
    for (owed, at_least, want, ceiling) in [
        (0, 0, 0, 0),
        (0, 0, 100, 500_000),
        (7, 0, 100, 500_000),
        (0, 499_950, 100, 500_000),
        (0, 3, 100, 500_000),
        (25, 0, 1, 500_000),
        (0, 0, 0, 0),
        (0, MOST - 10, 100, MOST),
        (u64::MAX, 0, 100, u64::MAX),
    ] {
        let asked = Reservation {
            owed,
            at_least,
            want,
            ceiling,
        };
        let expected = asked.beside(total);
        assert_eq!(
            store.reserve(&key, asked).await.unwrap(),
            expected,
            "{asked:?}"
        );
        total = expected.total;
    }
    assert_eq!(total, MOST);
}

async fn of_many_at_once_no_unit_is_granted_twice(store: &dyn Counters) {
    let key = key(&fresh_account(), "2026-11", "clear_quota_total");
    let wishes = (0..50).map(|_| store.reserve(&key, want(3, 100)));
    let granted = join_all(wishes).await.into_iter().map(Result::unwrap);
    assert_eq!(granted.map(|reserved| reserved.granted).sum::<u64>(), 100);
    let last = store.reserve(&key, want(3, 100)).await.unwrap();
    let expected = Reserved {
        granted: 0,
        total: 100,
    };
    assert_eq!(last, expected);
}

async fn a_block_is_given_back_while_the_count_still_has_it(store: &dyn Counters) {
    let key = key(&fresh_account(), "2026-11-25", "custom_send");
    let mine = store.reserve(&key, want(40, 1_000)).await.unwrap();
    let other = store.reserve(&key, want(60, 1_000)).await.unwrap();
    store.give_back(&key, 15, mine.total).await.unwrap();
    assert_eq!(read(store, &key).await, 85);
    // The other one was told 100: somebody has made the count smaller since, so its block may be out.
    store.give_back(&key, 60, other.total).await.unwrap();
    assert_eq!(read(store, &key).await, 85);
    store.give_back(&key, 500, 85).await.unwrap();
    assert_eq!(read(store, &key).await, 0);
    store.give_back(&key, 1, 0).await.unwrap();
    assert_eq!(read(store, &key).await, 0);
}

async fn a_count_is_set_anew_by_one_who_knows_it(store: &dyn Counters) {
    let key = key(&fresh_account(), "2026-11-25", "custom_send");
    assert!(!store.replace(&key, 5, 9).await.unwrap());
    assert!(store.replace(&key, 0, 9).await.unwrap());
    assert!(!store.replace(&key, 0, 7).await.unwrap());
    assert_eq!(read(store, &key).await, 9);
    assert!(store.replace(&key, 9, 0).await.unwrap());
    assert_eq!(read(store, &key).await, 0);
    let reserved = store.reserve(&key, want(2, 10)).await.unwrap();
    assert_eq!((reserved.granted, reserved.total), (2, 2));
}

async fn counts_are_apart_and_listed(store: &dyn Counters) {
    let (account, other) = (fresh_account(), fresh_account());
    for (account, period, counter, block) in [
        (&account, "2026-11-25", "menu_get", 2),
        (&account, "2026-11-25", "custom_send", 1),
        (&account, "2026-11-26", "custom_send", 3),
        (&account, "2026-11", "清零 quota:x", 4),
        (&other, "2026-11-25", "custom_send", 5),
    ] {
        let key = key(account, period, counter);
        store.reserve(&key, want(block, 10)).await.unwrap();
    }
    for (account, period, expected) in [
        (
            &account,
            "2026-11-25",
            vec![("custom_send", 1), ("menu_get", 2)],
        ),
        (&account, "2026-11-26", vec![("custom_send", 3)]),
        (&account, "2026-11", vec![("清零 quota:x", 4)]),
        (&account, "2026-10", vec![]),
        (&other, "2026-11-25", vec![("custom_send", 5)]),
    ] {
        let listed = store.counts(account, period).await.unwrap();
        let listed: Vec<(&str, u64)> = listed.iter().map(|(name, n)| (&**name, *n)).collect();
        assert_eq!(listed, expected, "{period}");
    }
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(1_700_000_000))
}

#[tokio::test]
async fn counts_in_memory_conform() {
    let store = MemoryCounters::new(clock() as Arc<dyn Clock>);
    conforms(&*store).await;
}

#[tokio::test]
async fn embedded_counts_conform() {
    let directory = TempDir::new().unwrap();
    let store = EmbeddedCounters::open(directory.path(), clock()).unwrap();
    conforms(&*store).await;
}

#[tokio::test]
async fn embedded_counts_are_shared_by_all_who_open_them_and_outlive_them() {
    let (directory, account) = (TempDir::new().unwrap(), fresh_account());
    let key = key(&account, "2026-11-25", "custom_send");
    let open = || EmbeddedCounters::open(directory.path(), clock()).unwrap();
    let (first, second) = (open(), open());
    first.reserve(&key, want(7, 100)).await.unwrap();
    second.reserve(&key, want(5, 100)).await.unwrap();
    assert_eq!(read(&*first, &key).await, 12);
    drop((first, second));
    assert_eq!(read(&*open(), &key).await, 12);
}

#[tokio::test]
async fn old_counts_are_forgotten_when_a_new_one_begins() {
    let (directory, account) = (TempDir::new().unwrap(), fresh_account());
    let clock = clock();
    let stores = [
        MemoryCounters::new(clock.clone() as Arc<dyn Clock>) as Arc<dyn Counters>,
        EmbeddedCounters::open(directory.path(), clock.clone()).unwrap(),
    ];
    let (old, new) = (
        key(&account, "2023-11-15", "a"),
        key(&account, "2024-01-01", "a"),
    );
    for store in &stores {
        store.reserve(&old, want(7, 100)).await.unwrap();
    }
    clock.advance(KEPT + Duration::from_secs(1));
    for store in &stores {
        assert_eq!(read(&**store, &old).await, 7, "{store:?}");
        store.reserve(&new, want(1, 100)).await.unwrap();
        assert_eq!(read(&**store, &old).await, 0, "{store:?}");
        assert_eq!(read(&**store, &new).await, 1, "{store:?}");
    }
}

#[test]
fn a_file_of_something_else_is_no_store_of_counts() {
    let directory = TempDir::new().unwrap();
    let connection = rusqlite::Connection::open(directory.path().join("counters.db")).unwrap();
    connection.execute_batch("CREATE TABLE other (x)").unwrap();
    let error = EmbeddedCounters::open(directory.path(), clock()).unwrap_err();
    assert!(error.to_string().contains("counters.db"), "{error}");
}
