//! Several processes over one real Redis.

use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use wxhook::clock::Clock;
use wxhook::quota::{Purpose, STORE_PAUSE};
use wxhook::store::counters::Counters;
use wxhook::store::redis::RedisCounters;

use super::child::{child, directory, variable};
use super::stage::{SEND, account, calls, clock_at, limited, quotas, stored};
use super::stores::conforms;
use crate::servers::{Server, Software};

const LIMIT: u64 = 30_000;
const DAY: &str = "2026-11-25";
const NOON: &str = "2026-11-25T12:00:00+08:00";

fn open(url: &str) -> Arc<dyn Counters> {
    Arc::new(RedisCounters::open(url).unwrap())
}

#[tokio::test]
async fn counts_in_redis_conform_and_end_by_themselves() {
    let Some(server) = Server::start(Software::Redis) else {
        return;
    };
    let store = open(&server.url());
    conforms(&*store).await;
    assert_eq!(calls_of(&store, 3).await, 3);
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut keys = redis::cmd("KEYS");
    let names: Vec<String> = keys
        .arg(format!("wxhook:{{{}}}:*", account()))
        .query_async(&mut connection)
        .await
        .unwrap();
    assert_eq!(names, [format!("wxhook:{{{}}}:counts:{DAY}", account())]);
    let mut left = redis::cmd("TTL");
    let left: i64 = left
        .arg(&names[0])
        .query_async(&mut connection)
        .await
        .unwrap();
    assert!((39 * 86_400..=40 * 86_400).contains(&left), "{left}");
}

async fn calls_of(store: &Arc<dyn Counters>, most: u64) -> u64 {
    let clock = clock_at(NOON) as Arc<dyn Clock>;
    let quotas = quotas(store, &clock, limited(&[(SEND, LIMIT)]));
    calls(&quotas, SEND, Purpose::Interactive, most).await.0
}

#[tokio::test]
async fn two_processes_share_one_count_exactly() {
    let Some(server) = Server::start(Software::Redis) else {
        return;
    };
    let directories = [(); 2].map(|()| TempDir::new().unwrap());
    let url = server.url();
    let test = "quota::shared::calls_until_all_is_used_up";
    let children = directories.each_ref().map(|directory| {
        child(
            test,
            directory.path(),
            &[("QUOTA_TEST_REDIS", url.as_str())],
        )
    });
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let made = directories.each_ref().map(|directory| {
        let made = std::fs::read_to_string(directory.path().join("made")).unwrap();
        made.parse::<u64>().unwrap()
    });
    assert_eq!(made[0] + made[1], LIMIT, "{made:?}");
    assert!(made.iter().all(|made| *made > 0), "{made:?}");
    assert_eq!(stored(&*open(&url), DAY, SEND).await, LIMIT);
}

#[tokio::test]
#[ignore = "run by a test, twice at the same time"]
async fn calls_until_all_is_used_up() {
    let store = open(&variable("QUOTA_TEST_REDIS"));
    let clock = clock_at(NOON);
    let quotas = quotas(
        &store,
        &(clock.clone() as Arc<dyn Clock>),
        limited(&[(SEND, LIMIT)]),
    );
    // Eight at a time, as senders are; the other process has a moment to begin.
    let (mut made, account) = (0, account());
    loop {
        let eight = (0..8).map(|_| quotas.take(&account, SEND, Purpose::Interactive));
        let taken = futures_util::future::join_all(eight).await;
        let taken = taken.iter().filter(|taken| taken.is_ok()).count() as u64;
        made += taken;
        if made < 200 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if taken == 0 {
            break;
        }
    }
    std::fs::write(directory().join("made"), made.to_string()).unwrap();
}

#[tokio::test]
async fn while_redis_is_away_each_counts_alone_and_tells_it_afterwards() {
    let Some(mut server) = Server::start(Software::Redis) else {
        return;
    };
    let store = open(&server.url());
    let clock = clock_at(NOON);
    let settings = || limited(&[(SEND, LIMIT)]);
    let as_clock = clock.clone() as Arc<dyn Clock>;
    let (one, two) = (
        quotas(&store, &as_clock, settings()),
        quotas(&store, &as_clock, settings()),
    );
    let call = async |quotas, most| calls(quotas, SEND, Purpose::Interactive, most).await.0;
    assert_eq!((call(&one, 35).await, call(&two, 5).await), (35, 5));
    for outage in 1..=2 {
        match outage {
            1 => server.kill(),
            _ => server.hang(),
        }
        assert_eq!(
            (call(&one, 1_000).await, call(&two, 500).await),
            (1_000, 500)
        );
        let status = one.status(&account()).await;
        let status = status.iter().find(|status| status.key == SEND).unwrap();
        assert!(status.store_is_away, "{status:?}");
        match outage {
            1 => server.restart(),
            _ => server.go_on(),
        }
        clock.advance(STORE_PAUSE + Duration::from_secs(1));
        // Enough that each must ask for a block.
        assert_eq!((call(&one, 31).await, call(&two, 31).await), (31, 31));
    }
    one.close().await;
    two.close().await;
    let counted = stored(&*store, DAY, SEND).await;
    let made = 35 + 5 + 2 * (1_000 + 500 + 31 + 31);
    // A step that was under way when the server hung may have been done and done again.
    assert!((made..=made + 60).contains(&counted), "{counted} of {made}");
}
