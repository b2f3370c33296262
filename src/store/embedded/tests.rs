use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use rusqlite::Connection;
use tempfile::TempDir;

use super::paths::Paths;
use super::*;
use crate::clock::{Clock, ManualClock};
use crate::id::{AppId, OpenId};
use crate::protocol::push::{DedupeKey, Kind};
use crate::store::{Accepted, Attempt, Ended, Next, PartState, PushState};

const NOW: i64 = 1_700_000_000;

fn settings(directory: &Path) -> Settings {
    Settings {
        reserve_bytes: 0,
        ride: Duration::from_millis(1),
        ..Settings::new(directory)
    }
}

fn open_at(settings: Settings, seconds: i64) -> Result<Arc<Embedded>, OpenError> {
    Embedded::open(settings, Arc::new(ManualClock::at(seconds)))
}

fn open(directory: &Path) -> Arc<Embedded> {
    open_at(settings(directory), NOW).unwrap()
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
        received_at: Timestamp::from_seconds(NOW),
        verified: "secure",
        malformed: None,
        ticket: None,
    }
}

async fn accept(store: &Embedded, push: NewPush) -> Result<Accepted, StoreError> {
    let room = Arc::clone(store.room()).acquire_owned().await.unwrap();
    let (ticket, outcome) = Ticket::once();
    store.accept(push, room, ticket);
    outcome.await
}

async fn store_one(store: &Embedded, number: u32) -> PushId {
    match accept(store, push(number, 100)).await {
        Ok(Accepted::Stored(id)) => id,
        other => panic!("{number} is new, and yet {other:?}"),
    }
}

fn settlement(push: PushId, next: Next, parts: &[PartState]) -> Settlement {
    let at = Timestamp::from_seconds(NOW);
    let part = |(ordinal, state): (u32, &PartState)| Part {
        key: PartKey {
            push,
            run: 1,
            ordinal,
        },
        account: AppId::parse("wx0123456789abcdef").unwrap(),
        to: OpenId::new("oUser"),
        message: Bytes::from_static(b"{}"),
        state: *state,
        error_code: None,
        rid: None,
        detail: None,
        changed_at: at,
        passive: None,
        at_least_once: false,
    };
    Settlement {
        push,
        run: 1,
        next,
        attempt: Attempt {
            number: 1,
            started_at: at,
            ended_at: at,
            route: "echo".into(),
            ended: Ended::Well,
            error: None,
            out_of_order: false,
        },
        parts: (0..).zip(parts).map(part).collect(),
        conversation: None,
    }
}

fn dead() -> Next {
    let reason = "gave up".to_owned();
    Next::Dead { reason }
}

async fn states(store: &Embedded) -> Vec<(PushId, PushState)> {
    let all = store.list(Filter::default()).await.unwrap();
    all.iter().map(|push| (push.id, push.state)).collect()
}

#[test]
fn the_sqlite_inside_has_no_log_reset_race() {
    // Before 3.51.3 a checkpoint could race with the log's restart.
    assert!(rusqlite::version_number() >= 3_051_003);
}

#[test]
fn a_second_process_is_told_who_holds_the_directory() {
    let directory = TempDir::new().unwrap();
    let first = open(directory.path());
    let error = open_at(settings(directory.path()), NOW).unwrap_err();
    let text = error.to_string();
    let holder = format!("process {}", std::process::id());
    assert!(
        text.contains(&holder) && text.contains("data directory of its own"),
        "{text}"
    );
    drop(first);
    open(directory.path());
}

#[test]
fn files_that_are_not_ours_or_newer_are_refused_with_a_remedy() {
    for (name, sql, expected) in [
        (
            "newer",
            "PRAGMA user_version = 99",
            "written by a newer version",
        ),
        (
            "another program's",
            "PRAGMA application_id = 7",
            "database of another program",
        ),
        (
            "nameless",
            "PRAGMA application_id = 0; CREATE TABLE a (b)",
            "database of another program",
        ),
    ] {
        let directory = TempDir::new().unwrap();
        drop(open(directory.path()));
        let paths = Paths::new(directory.path());
        let connection = Connection::open(paths.database()).unwrap();
        connection.execute_batch(sql).unwrap();
        drop(connection);
        let text = open_at(settings(directory.path()), NOW)
            .unwrap_err()
            .to_string();
        assert!(text.contains(expected), "{name}: {text}");
        let text = View::open(directory.path()).unwrap_err().to_string();
        assert!(text.contains(expected), "{name}: {text}");
    }
}

#[tokio::test]
async fn a_migration_copies_the_file_first_and_keeps_every_row() {
    let directory = TempDir::new().unwrap();
    let store = open(directory.path());
    let id = store_one(&store, 1).await;
    drop(store);

    let paths = Paths::new(directory.path());
    let mut connection = schema::connect(&paths.database()).unwrap();
    let now = schema::MIGRATIONS.len();
    let mut next = schema::MIGRATIONS.to_vec();
    next.push("ALTER TABLE meta ADD COLUMN note TEXT");
    schema::migrate(&mut connection, &paths, &next).unwrap();
    let newer = schema::check_version(&connection, &paths, now + 1).unwrap();
    assert_eq!(newer, now + 1);
    let older = schema::check_version(&connection, &paths, now);
    assert!(matches!(older, Err(OpenError::Newer { .. })));
    let backup = Connection::open(paths.backup(now as u32)).unwrap();
    for connection in [&connection, &backup] {
        let kept = connection
            .query_one("SELECT max(id) FROM push", [], |row| row.get::<_, i64>(0))
            .unwrap();
        assert_eq!(kept, id.0);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_can_read_what_followers_wrote() {
    use std::os::unix::fs::PermissionsExt as _;
    let parent = TempDir::new().unwrap();
    let directory = parent.path().join("data");
    let store = open(&directory);
    store_one(&store, 1).await;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let paths = Paths::new(&directory);
    assert_eq!(mode(&directory), 0o700);
    assert_eq!(mode(&paths.database()), 0o600);
    assert_eq!(mode(&paths.wal()), 0o600);
    store.crash();
    drop(store);
    poison::mark(&paths, "a sync failed");
    drop(open(&directory));
    assert_eq!(mode(&paths.database()), 0o600);
}

#[tokio::test]
async fn what_is_queued_is_committed_by_a_close_and_nothing_is_taken_after_it() {
    let directory = TempDir::new().unwrap();
    let store = open(directory.path());
    let id = store_one(&store, 1).await;
    let settled = store.settle(settlement(id, Next::Done, &[]));
    store.close().await;
    settled.await.unwrap();
    let late = accept(&store, push(2, 100)).await;
    assert!(matches!(late, Err(StoreError::Closed)));
    assert!(matches!(store.start(id).await, Err(StoreError::Closed)));
    let list = store.list(Filter::default()).await;
    assert!(matches!(list, Err(StoreError::Closed)));
    assert_eq!(*store.health().borrow(), Health::Closed);
    drop(store);
    assert_eq!(
        states(&open(directory.path())).await,
        [(id, PushState::Done)]
    );
}

#[tokio::test]
async fn of_several_at_once_with_one_key_the_first_is_stored_and_the_others_are_its_repeats() {
    let directory = TempDir::new().unwrap();
    let store = open(directory.path());
    // Other pushes lie between them, so that a batch is more than one key.
    let all = (0..8).flat_map(|number| [push(7, 100), push(100 + number, 100)]);
    let outcomes = join_all(all.map(|push| accept(&store, push))).await;
    let of_the_key: Vec<Accepted> = outcomes
        .into_iter()
        .step_by(2)
        .map(Result::unwrap)
        .collect();
    let Accepted::Stored(first) = of_the_key[0] else {
        panic!("the first is new, and yet {of_the_key:?}");
    };
    assert_eq!(of_the_key[1..], [Accepted::Repeat(first); 7]);
    assert_eq!(states(&store).await.len(), 9);
}

#[tokio::test]
async fn more_changes_than_the_queue_holds_wait_for_their_turn() {
    let directory = TempDir::new().unwrap();
    let store = open(directory.path());
    let id = store_one(&store, 1).await;
    let starts = (0..ENGINE_ROOM + 100).map(|_| store.start(id));
    let starts: Vec<_> = starts.collect();
    for outcome in join_all(starts).await {
        outcome.unwrap();
    }
    let story = store.story(id).await.unwrap().unwrap();
    assert_eq!(story.push.starts as usize, ENGINE_ROOM + 100);
}

#[test]
fn a_start_whose_settlement_is_in_the_same_batch_is_not_written() {
    let directory = TempDir::new().unwrap();
    let paths = Paths::new(directory.path());
    let clock = ManualClock::at(NOW);
    let settings = settings(directory.path());
    let (connection, mut memory) = prepare(&paths, &settings, clock.now()).unwrap();
    let id = PushId(1);
    ledger::insert_push(&connection, id, clock.now(), &push(1, 100)).unwrap();

    let semaphore = Arc::new(Semaphore::new(10));
    let change = |change| Command::Change {
        change,
        answer: oneshot::channel().0,
        room: Arc::clone(&semaphore).try_acquire_owned().unwrap(),
    };
    let wrong_run = Settlement {
        run: 2,
        ..settlement(id, Next::Done, &[])
    };
    for (name, settlement, starts, writes) in [
        ("a settlement that is refused", wrong_run, 1, 3),
        ("one that is taken", settlement(id, Next::Done, &[]), 0, 2),
    ] {
        let before = connection.total_changes();
        let commands = [
            change(Change::Start(id)),
            change(Change::Settle(settlement)),
        ];
        let outcomes = batch::commit(&connection, &mut memory, &clock, &commands).unwrap();
        assert!(outcomes[0].is_ok(), "{name}");
        assert_eq!(outcomes[1].is_ok(), starts == 0, "{name}");
        let found: i64 = connection
            .query_one("SELECT starts FROM push", [], |row| row.get(0))
            .unwrap();
        assert_eq!(
            (found, connection.total_changes() - before),
            (starts, writes),
            "{name}"
        );
    }
}

#[tokio::test]
async fn dead_pushes_beyond_their_cap_are_discarded_the_oldest_first_and_the_old_go_with_their_time()
 {
    let directory = TempDir::new().unwrap();
    let store = open(directory.path());
    let ids = join_all((0..5).map(|number| store_one(&store, number))).await;
    for id in &ids {
        store.settle(settlement(*id, dead(), &[])).await.unwrap();
    }
    drop(store);
    let paths = Paths::new(directory.path());
    let settings = Settings {
        dead_cap: 3,
        ..settings(directory.path())
    };
    let at = |after| Timestamp::from_seconds(NOW).after(after);
    let (connection, mut memory) = prepare(&paths, &settings, at(Duration::ZERO)).unwrap();
    let mut sweep = upkeep::Sweep::default();
    let mut step = |after| {
        sweep.restart();
        let step = sweep.step(&connection, &mut memory, &settings, at(after));
        step.unwrap();
        let view = View::open(directory.path()).unwrap();
        let all = view.list(&Filter::default()).unwrap();
        all.iter()
            .map(|push| (push.id, push.state))
            .collect::<Vec<_>>()
    };
    let (gone, kept) = (PushState::Discarded, PushState::Dead);
    let expected = [
        (ids[0], gone),
        (ids[1], gone),
        (ids[2], kept),
        (ids[3], kept),
        (ids[4], kept),
    ];
    assert_eq!(step(Duration::from_secs(1)), expected);
    assert_eq!(step(DONE_RETENTION + Duration::from_secs(1)), expected[2..]);
    assert_eq!(step(DEAD_RETENTION + Duration::from_secs(1)), []);
}

#[tokio::test]
async fn old_handled_pushes_go_and_what_waits_for_somebody_stays() {
    let directory = TempDir::new().unwrap();
    let store = open(directory.path());
    let [done, sent, unknown, waiting, gone_wrong, open_still] =
        join_all((0..6).map(|number| store_one(&store, number)))
            .await
            .try_into()
            .unwrap();
    let verdict = |push, state| PartVerdict {
        key: PartKey {
            push,
            run: 1,
            ordinal: 0,
        },
        state,
        error_code: None,
        rid: None,
        detail: None,
        at: Timestamp::from_seconds(NOW),
    };
    for (push, next, parts) in [
        (done, Next::Done, &[][..]),
        (sent, Next::Done, &[PartState::Sending]),
        (unknown, Next::Done, &[PartState::Sending]),
        (waiting, Next::Done, &[PartState::Waiting]),
        (gone_wrong, dead(), &[]),
    ] {
        store.settle(settlement(push, next, parts)).await.unwrap();
    }
    store.record(verdict(sent, PartState::Sent)).await.unwrap();
    store
        .record(verdict(unknown, PartState::Unknown))
        .await
        .unwrap();
    drop(store);

    let paths = Paths::new(directory.path());
    let settings = settings(directory.path());
    let at = |seconds| Timestamp::from_seconds(NOW).after(seconds);
    let kept = |connection: &Connection, table: &str| -> i64 {
        let sql = format!("SELECT count(*) FROM {table}");
        connection.query_one(&sql, [], |row| row.get(0)).unwrap()
    };
    let (connection, mut memory) = prepare(&paths, &settings, at(Duration::ZERO)).unwrap();
    let mut sweep = upkeep::Sweep::default();

    let early = at(DONE_RETENTION - Duration::from_secs(1));
    memory.seen = Seen::new(DONE_RETENTION * 2, 1_000);
    assert!(
        !sweep
            .step(&connection, &mut memory, &settings, early)
            .unwrap()
    );
    assert_eq!(
        (kept(&connection, "push"), kept(&connection, "seen")),
        (6, 6)
    );

    let late = at(DONE_RETENTION + Duration::from_secs(1));
    assert!(
        !sweep
            .step(&connection, &mut memory, &settings, late)
            .unwrap()
    );
    let sql = "SELECT id FROM push ORDER BY id";
    let mut statement = connection.prepare(sql).unwrap();
    let ids = statement
        .query_map([], |row| row.get(0).map(PushId))
        .unwrap();
    let ids: Vec<_> = ids.map(Result::unwrap).collect();
    assert_eq!(ids, [unknown, waiting, gone_wrong, open_still]);
    assert_eq!(
        (kept(&connection, "part"), kept(&connection, "attempt")),
        (2, 3)
    );
    assert_eq!(
        kept(&connection, "seen"),
        6,
        "rows of keys go by their own time"
    );
}

#[tokio::test]
async fn keys_are_forgotten_after_their_retention_in_memory_and_on_disk() {
    let directory = TempDir::new().unwrap();
    let store = open(directory.path());
    let first = store_one(&store, 1).await;
    drop(store);
    let later = |seconds: u64| NOW + i64::try_from(seconds).unwrap();

    let within = later(settings(directory.path()).seen_retention.as_secs());
    let store = open_at(settings(directory.path()), within).unwrap();
    let again = accept(&store, push(1, 100)).await.unwrap();
    assert_eq!(again, Accepted::Repeat(first));
    drop(store);

    let store = open_at(settings(directory.path()), within + 1).unwrap();
    let new = accept(&store, push(1, 100)).await.unwrap();
    assert!(matches!(new, Accepted::Stored(id) if id > first));
    drop(store);

    let settings = settings(directory.path());
    let now = Timestamp::from_seconds(within + 1);
    let paths = Paths::new(directory.path());
    let (connection, mut memory) = prepare(&paths, &settings, now).unwrap();
    let mut sweep = upkeep::Sweep::default();
    while sweep
        .step(&connection, &mut memory, &settings, now)
        .unwrap()
    {}
    let keys: i64 = connection
        .query_one("SELECT count(*) FROM seen", [], |row| row.get(0))
        .unwrap();
    assert_eq!(keys, 1);
}

#[tokio::test]
async fn a_full_store_refuses_new_pushes_and_still_takes_outcomes_and_repeats() {
    let directory = TempDir::new().unwrap();
    let full = Settings {
        max_bytes: 512 * 1024,
        reserve_bytes: 64 * 1024,
        ..settings(directory.path())
    };
    let store = open_at(full.clone(), NOW).unwrap();
    let reserve = Paths::new(directory.path()).reserve();
    assert_eq!(fs::metadata(&reserve).unwrap().len(), full.reserve_bytes);
    let mut ids = Vec::new();
    let refused = loop {
        match accept(&store, push(ids.len() as u32, 4_000)).await {
            Ok(Accepted::Stored(id)) => ids.push(id),
            other => break other,
        }
    };
    assert!(
        matches!(refused, Err(StoreError::Refusing(_))),
        "{refused:?}"
    );
    assert!(matches!(*store.health().borrow(), Health::Refusing(_)));
    assert!((50..130).contains(&ids.len()), "{} fit", ids.len());

    let again = accept(&store, push(0, 4_000)).await.unwrap();
    assert_eq!(again, Accepted::Repeat(ids[0]));
    for id in &ids {
        store
            .settle(settlement(*id, Next::Done, &[]))
            .await
            .unwrap();
    }
    drop(store);

    // More is allowed, so there is room.
    let more = Settings {
        max_bytes: 1 << 20,
        ..full
    };
    let store = open_at(more, NOW).unwrap();
    store_one(&store, 9_999).await;
    assert_eq!(*store.health().borrow(), Health::Ready);
}

#[tokio::test]
async fn the_low_water_mark_goes_up_with_what_is_settled_and_down_with_a_replay() {
    let directory = TempDir::new().unwrap();
    let store = open(directory.path());
    let mut ids = Vec::new();
    for number in 0..400 {
        match accept(&store, push(number, 8_000)).await.unwrap() {
            Accepted::Stored(id) => ids.push(id),
            Accepted::Repeat(id) => panic!("{id} is new"),
        }
        if number != 390 {
            let last = ids[ids.len() - 1];
            store
                .settle(settlement(last, Next::Done, &[]))
                .await
                .unwrap();
        }
    }
    let mark = || PushId(store.signs.low_water.load(Ordering::Acquire));
    assert!(mark() > ids[100] && mark() <= ids[390], "{:?}", mark());
    let open_ids = async || {
        let page = store.pending(PushId::ZERO, 10).await.unwrap();
        page.pushes.iter().map(|push| push.id).collect::<Vec<_>>()
    };
    assert_eq!(open_ids().await, [ids[390]]);

    store
        .replay(ids[7], Timestamp::from_seconds(NOW))
        .await
        .unwrap();
    assert_eq!(mark(), ids[7]);
    assert_eq!(open_ids().await, [ids[7], ids[390]]);
    let only_pending = Filter {
        state: Some(PushState::Pending),
        ..Filter::default()
    };
    assert_eq!(store.list(only_pending.clone()).await.unwrap().len(), 2);
    store.crash();
    let store = open(directory.path());
    assert_eq!(store.list(only_pending).await.unwrap().len(), 2);
    let page = store.pending(PushId::ZERO, 10).await.unwrap();
    assert_eq!(page.pushes.len(), 2);
}

#[tokio::test]
async fn what_was_accepted_lately_is_read_as_the_file_has_it() {
    let directory = TempDir::new().unwrap();
    let store = open(directory.path());
    let mut ids = vec![PushId::ZERO];
    let check = async |ids: &[PushId]| {
        let view = View::open(directory.path()).unwrap();
        for (after, limit) in ids
            .iter()
            .step_by(7)
            .flat_map(|id| [(*id, 3), (*id, 5_000)])
        {
            let found = store.pending(after, limit).await.unwrap();
            let written = view.pending(after, PushId::ZERO, limit).unwrap();
            assert_eq!(found, written, "{limit} after {after}");
        }
    };
    for number in 0..3_000 {
        ids.push(store_one(&store, number).await);
        let of = |back: usize| ids[ids.len().saturating_sub(back).max(1)];
        match number % 50 {
            7 => drop(store.start(of(3)).await),
            14 => drop(store.settle(settlement(of(9), Next::Done, &[])).await),
            21 => drop(store.replay(of(16), Timestamp::from_seconds(NOW)).await),
            28 => drop(accept(&store, push(number - 4, 100)).await),
            _ => {}
        }
        if number % 499 == 3 {
            check(&ids).await;
        }
    }
    check(&ids).await;
    store.close().await;
    let closed = store.pending(*ids.last().unwrap(), 1).await;
    assert!(matches!(closed, Err(StoreError::Closed)));
}

#[tokio::test]
async fn healing_can_be_cut_off_anywhere_and_begun_again() {
    for (name, cut_off) in [
        ("before the copy", None),
        ("in the copy", Some("unfinished")),
        ("after the copy", Some("finished")),
        ("after the old log was removed", Some("log removed")),
    ] {
        let directory = TempDir::new().unwrap();
        let store = open(directory.path());
        let id = store_one(&store, 1).await;
        store.crash();
        drop(store);
        let paths = Paths::new(directory.path());
        poison::mark(&paths, "a sync failed");
        let copy = || {
            let connection = schema::connect(&paths.database()).unwrap();
            schema::copy_into(&connection, &paths.finished_copy()).unwrap();
        };
        match cut_off {
            Some("unfinished") => fs::write(paths.unfinished_copy(), "half").unwrap(),
            Some("finished") => copy(),
            Some("log removed") => {
                copy();
                fs::remove_file(paths.wal()).unwrap();
            }
            _ => {}
        }
        assert!(
            paths.wal().exists() || cut_off == Some("log removed"),
            "{name}"
        );
        let store = open(directory.path());
        assert_eq!(states(&store).await, [(id, PushState::Pending)], "{name}");
        let again = accept(&store, push(1, 100)).await.unwrap();
        assert_eq!(again, Accepted::Repeat(id), "{name}");
        for waste in [
            paths.marker(),
            paths.unfinished_copy(),
            paths.finished_copy(),
        ] {
            assert!(!waste.exists(), "{name}: {}", waste.display());
        }
    }
}

#[tokio::test]
async fn a_damaged_file_is_not_healed_in_silence() {
    let directory = TempDir::new().unwrap();
    let store = open(directory.path());
    for number in 0..100 {
        store_one(&store, number).await;
    }
    store.close().await;
    drop(store);
    let paths = Paths::new(directory.path());
    let mut bytes = fs::read(paths.database()).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 6_000].fill(0xa5);
    fs::write(paths.database(), bytes).unwrap();
    // Everything is in the main file; the log would hide the damage.
    fs::remove_file(paths.wal()).unwrap();
    poison::mark(&paths, "a sync failed");
    let error = open_at(settings(directory.path()), NOW).unwrap_err();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    assert!(paths.marker().exists());
}

/// A clock on which, while it is slow, a second passes between any two looks.
#[derive(Debug, Default)]
struct SlowClock {
    slow: AtomicBool,
    seconds: AtomicU64,
}

impl Clock for SlowClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(NOW)
    }

    fn monotonic(&self) -> Duration {
        let passed = u64::from(self.slow.load(Ordering::SeqCst));
        Duration::from_secs(self.seconds.fetch_add(passed, Ordering::SeqCst) + passed)
    }
}

#[tokio::test]
async fn a_slow_commit_makes_one_who_cannot_wait_for_the_next_late_but_not_the_one_after() {
    let directory = TempDir::new().unwrap();
    let clock = Arc::new(SlowClock::default());
    let store =
        Embedded::open(settings(directory.path()), Arc::<SlowClock>::clone(&clock)).unwrap();
    clock.slow.store(true, Ordering::SeqCst);
    store_one(&store, 1).await;
    clock.slow.store(false, Ordering::SeqCst);
    let hurried = async |number| {
        let room = Arc::clone(store.room()).acquire_owned().await.unwrap();
        let (ticket, outcome) = Ticket::once();
        let patience = clock.monotonic() + Duration::from_millis(200);
        store.accept(push(number, 100), room, ticket.until(patience));
        outcome.await
    };
    let refused = hurried(2).await;
    assert!(matches!(refused, Err(StoreError::Late)), "{refused:?}");
    let stored = hurried(2).await;
    assert!(matches!(stored, Ok(Accepted::Stored(_))), "{stored:?}");
}
