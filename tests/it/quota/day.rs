use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use wxhook::clock::Clock;
use wxhook::quota::{Limit, Quotas, Settings};
use wxhook::store::counters::Counters;
use wxhook::store::embedded::EmbeddedCounters;

use super::child::{child, variable};
use super::stage::{SEND, Stage, account, at, calls, clock_at, limited, quotas, stored};
use wxhook::quota::Purpose;

const ZONES: [(&str, i32); 4] = [
    ("Asia/Shanghai", 8),
    ("Pacific/Kiritimati", 14),
    ("America/Los_Angeles", -8),
    ("Pacific/Pago_Pago", -11),
];

#[test]
fn a_day_of_sends_crosses_midnight_in_beijing_wherever_the_machine_is() {
    let children = ZONES.map(|(zone, hours)| {
        let directory = TempDir::new().unwrap();
        let hours = hours.to_string();
        let environment = [("TZ", zone), ("QUOTA_TEST_HOURS", hours.as_str())];
        let test = "quota::day::a_day_of_sends_in_one_zone";
        (zone, child(test, directory.path(), &environment), directory)
    });
    for (zone, mut child, directory) in children {
        assert!(child.wait().unwrap().success(), "{zone}");
        let done = std::fs::read_to_string(directory.path().join("done")).unwrap();
        assert_eq!(done, zone);
    }
}

#[tokio::test]
#[ignore = "run by a test, in a time zone of its own"]
async fn a_day_of_sends_in_one_zone() {
    let system = jiff::tz::TimeZone::system();
    let november = at("2026-11-25T12:00:00Z").milliseconds();
    let offset = system.to_offset(jiff::Timestamp::from_millisecond(november).unwrap());
    let hours: i32 = variable("QUOTA_TEST_HOURS").parse().unwrap();
    assert_eq!(
        offset.seconds(),
        hours * 3600,
        "the zone is the one that was set"
    );

    let directory = super::child::directory();
    let clock = clock_at("2026-11-25T00:05:00+08:00");
    let open = || {
        let store = EmbeddedCounters::open(&directory, clock.clone()).unwrap() as Arc<dyn Counters>;
        let quotas = quotas(
            &store,
            &(clock.clone() as Arc<dyn Clock>),
            limited(&[(SEND, 200)]),
        );
        (store, quotas)
    };
    let (store, mut counting) = open();
    // Ten minutes between the sends: 144 in the first day, 200 at most in each.
    let end = at("2026-11-26T23:59:59+08:00");
    let mut days: std::collections::BTreeMap<String, u64> = std::collections::BTreeMap::new();
    while clock.now() < end {
        let (sent, refused) = calls(&counting, SEND, Purpose::Interactive, 1).await;
        assert_eq!((sent, refused), (1, None));
        *days.entry(date(clock.now().milliseconds())).or_default() += sent;
        clock.advance(Duration::from_secs(600));
        if clock.now() == at("2026-11-25T12:05:00+08:00") {
            // A start at noon goes on where it was.
            counting.close().await;
            counting = open().1;
        }
    }
    assert_eq!(days["2026-11-25"], 144);
    assert_eq!(days["2026-11-26"], 144);
    for (day, sent) in &days {
        assert_eq!(stored(&*store, day, SEND).await, *sent, "{day}");
    }
    std::fs::write(directory.join("done"), variable("TZ")).unwrap();
}

/// The date in Beijing, by another way than the one that is tested.
fn date(milliseconds: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(milliseconds).unwrap();
    let beijing = jiff::tz::TimeZone::get("Asia/Shanghai").unwrap();
    at.to_zoned_datetime(beijing).date().to_string()
}

#[tokio::test]
async fn what_is_used_up_returns_after_midnight_in_beijing_and_a_grace() {
    let stage = Stage::new("2026-11-25T23:00:00+08:00", limited(&[(SEND, 30)]));
    let (made, refused) = stage.calls(SEND, 100).await;
    let refused = refused.unwrap();
    assert_eq!((made, refused.used, refused.limit), (30, 30, Limit::Day));
    assert_eq!(refused.returns_at, at("2026-11-26T00:01:30+08:00"));
    assert_eq!(
        refused.to_string(),
        "the quota custom_send is used up for today (30 calls); it returns at \
         2026-11-26 00:01:30 (Beijing), or when it is cleared: wxhook quota clear"
    );
    for (now, open) in [
        ("2026-11-25T23:59:59+08:00", false),
        ("2026-11-26T00:00:00+08:00", false),
        ("2026-11-26T00:01:29+08:00", false),
        ("2026-11-26T00:01:30+08:00", true),
    ] {
        stage.clock.set_wall(at(now));
        let (made, refused) = stage.calls(SEND, 1).await;
        assert_eq!((made == 1, refused.is_none()), (open, open), "{now}");
    }
    assert_eq!(stage.stored("2026-11-25", SEND).await, 30);
    assert_eq!(stage.stored("2026-11-26", SEND).await, 1);
}

#[tokio::test]
async fn a_process_that_starts_within_the_grace_knows_what_was_used_up_yesterday() {
    let stage = Stage::new("2026-11-25T23:59:00+08:00", limited(&[(SEND, 30)]));
    assert_eq!(stage.calls(SEND, 100).await.0, 30);
    stage.wait(80);
    let started = stage.another(limited(&[(SEND, 30)]));
    started.load(&[account()]).await.unwrap();
    let (made, refused) = calls(&started, SEND, Purpose::Interactive, 1).await;
    assert_eq!(made, 0);
    assert_eq!(refused.unwrap().returns_at, at("2026-11-26T00:01:30+08:00"));
    stage.wait(70);
    assert_eq!(calls(&started, SEND, Purpose::Interactive, 1).await.0, 1);
}

#[tokio::test]
async fn a_process_that_starts_in_the_day_knows_what_was_used_before() {
    let stage = Stage::new("2026-11-25T10:00:00+08:00", limited(&[(SEND, 30)]));
    assert_eq!(stage.calls(SEND, 30).await.0, 30);
    let started = stage.another(limited(&[(SEND, 30)]));
    started.load(&[account()]).await.unwrap();
    assert_eq!(started.used_up().len(), 1);
    assert_eq!(calls(&started, SEND, Purpose::Interactive, 1).await.0, 0);
}

#[tokio::test]
async fn a_clock_that_is_set_back_finds_the_count_of_the_day_that_it_says() {
    let stage = Stage::new("2026-11-25T22:00:00+08:00", limited(&[(SEND, 10)]));
    assert_eq!(stage.calls(SEND, 6).await.0, 6);
    stage.clock.set_wall(at("2026-11-26T08:00:00+08:00"));
    assert_eq!(stage.calls(SEND, 99).await.0, 10);
    stage.clock.set_wall(at("2026-11-25T22:00:00+08:00"));
    assert_eq!(stage.calls(SEND, 99).await.0, 4);
    assert_eq!(stage.stored("2026-11-25", SEND).await, 10);
}

#[tokio::test]
async fn months_are_those_of_beijing() {
    let key = wxhook::quota::QuotaKey::CLEAR_ALL;
    let stage = Stage::new("2026-11-30T15:00:00Z", Settings::default());
    let (made, refused) = stage.calls(key, 99).await;
    let refused = refused.unwrap();
    assert_eq!((made, refused.limit), (10, Limit::Month));
    assert_eq!(refused.returns_at, at("2026-12-01T00:01:30+08:00"));
    stage.wait(3600 + 90);
    assert_eq!(stage.calls(key, 99).await.0, 10);
    assert_eq!(stage.stored("2026-11", key).await, 10);
    assert_eq!(stage.stored("2026-12", key).await, 10);
}

#[tokio::test]
async fn a_close_leaves_an_exact_count() {
    let stage = Stage::new("2026-11-25T10:00:00+08:00", Settings::default());
    assert_eq!(stage.calls(SEND, 142).await.0, 142);
    let quotas: &Quotas = &stage.quotas;
    assert!(stage.stored("2026-11-25", SEND).await > 142);
    quotas.close().await;
    assert_eq!(stage.stored("2026-11-25", SEND).await, 142);
}
