//! Durability is real, not the page cache: a child process runs a store whose disk is slow, fails
//! or is full, and what it reported is compared with what its disk holds.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tempfile::TempDir;
use wxhook::clock::{Clock, SystemClock, Timestamp};
use wxhook::id::{AppId, OpenId, PushId};
use wxhook::protocol::push::{DedupeKey, Kind};
use wxhook::store::embedded::{Embedded, Settings, View};
use wxhook::store::{
    Accepted, Attempt, Ended, Filter, Health, Inbox, NewPush, Next, Settlement, StoreError, Ticket,
};

use crate::support::open_store;

pub(crate) mod shim;

/// What the child is to do.
const SCENARIO: &str = "WXHOOK_TEST_SCENARIO";
/// Where the child's store is.
const DIRECTORY: &str = "WXHOOK_TEST_DIRECTORY";

const DELAY: Duration = Duration::from_millis(300);

fn open(directory: &Path) -> Arc<Embedded> {
    let settings = Settings {
        reserve_bytes: 0,
        ..Settings::new(directory.join("data"))
    };
    open_store(
        &settings,
        &(Arc::new(SystemClock::start()) as Arc<dyn Clock>),
    )
}

fn push(number: u32, body_bytes: usize) -> NewPush {
    let mut key = [0; 16];
    key[..4].copy_from_slice(&number.to_be_bytes());
    NewPush {
        account: AppId::parse("wx0123456789abcdef").unwrap(),
        user: OpenId::new("oUser"),
        kind: Kind::Message,
        key: DedupeKey(key),
        body: Bytes::from(vec![b'x'; body_bytes]),
        received_at: Timestamp::from_seconds(1_700_000_000),
        verified: "secure",
        malformed: None,
        ticket: None,
    }
}

type Verdict = Result<Accepted, StoreError>;

/// Hands all of them over at once, and waits for every outcome.
async fn accept(store: &Embedded, pushes: impl Iterator<Item = NewPush>) -> Vec<Verdict> {
    let waiting: Vec<_> = pushes
        .map(|push| {
            let room = Arc::clone(store.room()).try_acquire_owned().unwrap();
            let (ticket, outcome) = Ticket::once();
            store.accept(push, room, ticket);
            outcome
        })
        .collect();
    futures_util::future::join_all(waiting).await
}

/// Runs a scenario in a child of this test binary, with the shim in it.
fn run_child(scenario: &str, directory: &Path, environment: &[(&str, PathBuf)]) {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args([
            "--exact",
            "durability::a_child_plays_its_scenario",
            "--nocapture",
        ])
        .env(SCENARIO, scenario)
        .env(DIRECTORY, directory)
        .env("LD_PRELOAD", shim::build_shim())
        .env(shim::LOG, directory.join("syncs"));
    for (name, value) in environment {
        child.env(name, value);
    }
    let output = child.output().unwrap();
    assert!(
        output.status.success(),
        "{scenario}: {}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
}

/// Not a test of its own: without a scenario there is nothing to do.
#[tokio::test]
async fn a_child_plays_its_scenario() {
    let Some(scenario) = std::env::var_os(SCENARIO) else {
        return;
    };
    let directory = PathBuf::from(std::env::var_os(DIRECTORY).unwrap());
    match scenario.to_str().unwrap() {
        "slow disk" => accept_on_a_slow_disk(&directory).await,
        "failing log" => fail_the_log(&directory).await,
        "full disk" => fill_the_disk(&directory).await,
        "failing main file" => fail_the_main_file(&directory).await,
        other => panic!("no scenario is named {other}"),
    }
}

async fn accept_on_a_slow_disk(directory: &Path) {
    let store = open(directory);
    let clock = SystemClock::start();
    let outcomes = accept(&store, (0..20).map(|number| push(number, 100))).await;
    let took = clock.monotonic();
    assert!(outcomes.iter().all(Result::is_ok));
    assert!(
        took >= DELAY,
        "acknowledged after {took:?}, before any sync"
    );

    let began = clock.monotonic();
    let [Ok(Accepted::Stored(id))] = accept(&store, [push(99, 100)].into_iter()).await[..] else {
        panic!("it is new");
    };
    store.replay(id, clock.now()).await.unwrap_err();
    let again = accept(&store, [push(99, 100)].into_iter()).await;
    assert!(matches!(again[..], [Ok(Accepted::Repeat(first))] if first == id));
    assert!(clock.monotonic() - began >= DELAY * 2);
}

/// What the child reports as stored.
fn report(directory: &Path, verdicts: &[(u32, Verdict)]) {
    let mut lines = String::new();
    for (number, verdict) in verdicts {
        if let Ok(Accepted::Stored(id)) = verdict {
            lines.push_str(&format!("{number} {id}\n"));
        }
    }
    fs::write(directory.join("stored"), lines).unwrap();
}

fn reported(directory: &Path) -> Vec<(u32, PushId)> {
    let text = fs::read_to_string(directory.join("stored")).unwrap();
    let line = |line: &str| {
        let (number, id) = line.split_once(' ').unwrap();
        (number.parse().unwrap(), PushId(id.parse().unwrap()))
    };
    text.lines().map(line).collect()
}

async fn fail_the_log(directory: &Path) {
    let store = open(directory);
    let good = accept(&store, (0..3).map(|number| push(number, 100))).await;
    fs::write(directory.join("trigger"), "").unwrap();
    let bad = accept(&store, (3..8).map(|number| push(number, 100))).await;
    let verdicts: Vec<_> = (0..).zip(good.into_iter().chain(bad)).collect();
    report(directory, &verdicts);

    let stored = verdicts.iter().filter(|(_, verdict)| verdict.is_ok());
    assert_eq!(stored.count(), 3);
    for (number, verdict) in &verdicts[3..] {
        assert!(matches!(verdict, Err(StoreError::Poisoned(_))), "{number}");
    }
    assert_stays_poisoned(&store, directory).await;
}

async fn fail_the_main_file(directory: &Path) {
    let store = open(directory);
    fs::write(directory.join("trigger"), "").unwrap();
    let mut verdicts = Vec::new();
    // Each push fills a page and more: a checkpoint is due after a thousand of them at the latest.
    for chunk in 0..40_u32 {
        let numbers = chunk * 50..(chunk + 1) * 50;
        let outcomes = accept(&store, numbers.clone().map(|number| push(number, 4_000))).await;
        verdicts.extend(numbers.zip(outcomes));
    }
    report(directory, &verdicts);
    let stored = verdicts
        .iter()
        .filter(|(_, verdict)| verdict.is_ok())
        .count();
    assert!((100..=1_050).contains(&stored), "{stored} were stored");
    assert_stays_poisoned(&store, directory).await;
}

async fn fill_the_disk(directory: &Path) {
    let settings = Settings {
        reserve_bytes: 64 * 1024,
        ..Settings::new(directory.join("data"))
    };
    let store = open_store(
        &settings,
        &(Arc::new(SystemClock::start()) as Arc<dyn Clock>),
    );
    let mut health = store.health();
    let good = accept(&store, (0..3).map(|number| push(number, 100))).await;
    let Ok(Accepted::Stored(first)) = good[0] else {
        panic!("it is new");
    };
    fs::write(directory.join("trigger"), "").unwrap();
    let bad = accept(&store, (3..6).map(|number| push(number, 100))).await;
    let refused = |verdict: &Verdict| matches!(verdict, Err(StoreError::Refusing(_)));
    assert!(bad.iter().all(refused), "{bad:?}");
    assert!(matches!(*health.borrow_and_update(), Health::Refusing(_)));

    // Outcomes go into the space that was kept back, and repeats need none.
    store.settle(settlement(first)).await.unwrap();
    let again = accept(&store, [push(0, 100)].into_iter()).await;
    assert!(matches!(again[..], [Ok(Accepted::Repeat(id))] if id == first));

    fs::remove_file(directory.join("trigger")).unwrap();
    let recovered = health.wait_for(|health| *health == Health::Ready);
    tokio::time::timeout(Duration::from_secs(30), recovered)
        .await
        .unwrap()
        .unwrap();
    let later = accept(&store, (3..6).map(|number| push(number, 100))).await;
    let verdicts: Vec<_> = (0..).zip(good.into_iter().chain(later)).collect();
    assert!(verdicts.iter().all(|(_, verdict)| verdict.is_ok()));
    report(directory, &verdicts);
}

fn settlement(push: PushId) -> Settlement {
    let at = Timestamp::from_seconds(1_700_000_000);
    Settlement {
        push,
        run: 1,
        next: Next::Done,
        attempt: Attempt {
            number: 1,
            started_at: at,
            ended_at: at,
            route: "echo".to_owned(),
            ended: Ended::Well,
            error: None,
            out_of_order: false,
        },
        parts: Vec::new(),
        conversation: None,
    }
}

async fn assert_stays_poisoned(store: &Embedded, directory: &Path) {
    assert!(matches!(*store.health().borrow(), Health::Poisoned(_)));
    // The disk seems well again, and is not trusted.
    fs::remove_file(directory.join("trigger")).unwrap();
    let syncs = shim::read_log(&directory.join("syncs")).len();
    let later = accept(store, [push(9_999, 100)].into_iter()).await;
    assert!(matches!(later[..], [Err(StoreError::Poisoned(_))]));
    let poisoned = |error| matches!(error, StoreError::Poisoned(_));
    assert!(poisoned(store.start(PushId(1)).await.unwrap_err()));
    assert!(poisoned(store.list(Filter::default()).await.unwrap_err()));
    store.close().await;
    assert!(matches!(*store.health().borrow(), Health::Poisoned(_)));
    let after = shim::read_log(&directory.join("syncs"));
    assert_eq!(after[syncs..], [], "it synced again");
    assert!(directory.join("data/wxhook.poisoned").exists());
}

/// Opens what the child left, and finds everything that it reported, and nothing twice.
async fn assert_tells_the_truth(directory: &Path, numbers: u32) {
    let reported = reported(directory);
    let store = open(directory);
    assert_eq!(*store.health().borrow(), Health::Ready);
    assert!(!directory.join("data/wxhook.poisoned").exists());
    let kept: BTreeSet<_> = store
        .list(Filter::default())
        .await
        .unwrap()
        .iter()
        .map(|push| push.id)
        .collect();
    for (number, id) in &reported {
        assert!(kept.contains(id), "{number} was reported and is lost");
    }
    let again = accept(&store, (0..numbers).map(|number| push(number, 100))).await;
    for (number, verdict) in (0..).zip(again) {
        match (
            reported.iter().find(|(other, _)| *other == number),
            verdict.unwrap(),
        ) {
            (Some((_, first)), Accepted::Repeat(id)) => assert_eq!(*first, id, "{number}"),
            // Refused, and yet on the disk: its repeat is a repeat.
            (None, Accepted::Repeat(id)) => assert!(kept.contains(&id), "{number}"),
            (None, Accepted::Stored(id)) => assert!(!kept.contains(&id), "{number}"),
            (Some(_), Accepted::Stored(_)) => panic!("{number} was stored twice"),
        }
    }
    let all = store.list(Filter::default()).await.unwrap();
    assert_eq!(all.len(), numbers as usize);
}

#[test]
fn nothing_is_acknowledged_before_its_sync() {
    let directory = TempDir::new().unwrap();
    let delay = DELAY.as_millis().to_string().into();
    run_child("slow disk", directory.path(), &[(shim::DELAY_MS, delay)]);
}

#[tokio::test]
async fn a_failing_sync_of_the_log_fails_everyone_and_the_next_start_tells_the_truth() {
    let directory = TempDir::new().unwrap();
    let trigger = directory.path().join("trigger");
    run_child(
        "failing log",
        directory.path(),
        &[(shim::FAIL_WAL, trigger)],
    );
    assert_eq!(reported(directory.path()).len(), 3);
    assert_tells_the_truth(directory.path(), 8).await;
}

#[tokio::test]
async fn after_a_power_cut_at_the_failing_sync_everything_acknowledged_is_there() {
    let directory = TempDir::new().unwrap();
    let trigger = directory.path().join("trigger");
    run_child(
        "failing log",
        directory.path(),
        &[(shim::FAIL_WAL, trigger)],
    );
    // What was never synced is gone, and so are the index in memory and perhaps the marker.
    let syncs = shim::read_log(&directory.path().join("syncs"));
    let mut log_syncs = syncs.iter().filter(|sync| sync.file == "wal");
    let synced = log_syncs.rfind(|sync| sync.ok).unwrap().size;
    let data = directory.path().join("data");
    let log = fs::OpenOptions::new()
        .write(true)
        .open(data.join("wxhook.db-wal"))
        .unwrap();
    assert!(log.metadata().unwrap().len() > synced);
    log.set_len(synced).unwrap();
    fs::remove_file(data.join("wxhook.db-shm")).unwrap();
    fs::remove_file(data.join("wxhook.poisoned")).unwrap();
    assert_tells_the_truth(directory.path(), 8).await;
}

#[tokio::test]
async fn a_failing_sync_of_the_main_file_poisons_within_one_checkpoint() {
    let directory = TempDir::new().unwrap();
    let trigger = directory.path().join("trigger");
    run_child(
        "failing main file",
        directory.path(),
        &[(shim::FAIL_MAIN, trigger)],
    );
    let syncs = shim::read_log(&directory.path().join("syncs"));
    let failed = syncs.iter().filter(|sync| !sync.ok);
    assert_eq!(
        failed.count(),
        1,
        "the main file was synced again after it failed"
    );
    assert_tells_the_truth(directory.path(), 2_000).await;
}

#[tokio::test]
async fn a_full_disk_refuses_new_pushes_takes_outcomes_and_recovers_by_itself() {
    let directory = TempDir::new().unwrap();
    let trigger = directory.path().join("trigger");
    let reserve = directory.path().join("data/wxhook.reserve");
    let environment = [(shim::FULL, trigger), (shim::RESERVE, reserve)];
    run_child("full disk", directory.path(), &environment);
    assert_tells_the_truth(directory.path(), 6).await;
}

#[tokio::test]
async fn a_view_reads_beside_a_live_store_and_after_it() {
    let directory = TempDir::new().unwrap();
    let data = directory.path().join("data");
    assert!(
        View::open(&data)
            .unwrap_err()
            .to_string()
            .contains("holds no store")
    );
    let store = open(directory.path());
    let view = View::open(&data).unwrap();
    for number in 0..3 {
        accept(&store, [push(number, 100)].into_iter()).await;
        let seen = view.list(&Filter::default()).unwrap();
        assert_eq!(seen.len(), number as usize + 1);
    }
    let first = view.list(&Filter::default()).unwrap().remove(0);
    assert_eq!(view.story(first.id).unwrap().unwrap().push, first);
    store.crash();
    drop(store);
    let after = View::open(&data).unwrap();
    assert_eq!(after.list(&Filter::default()).unwrap().len(), 3);
}
