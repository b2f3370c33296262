use std::fs::OpenOptions;
use std::io::Write as _;
use std::sync::Arc;

use tempfile::TempDir;
use wxhook::clock::{Clock, SystemClock};
use wxhook::quota::{LARGEST_BLOCK, Purpose, Settings};
use wxhook::store::counters::Counters;
use wxhook::store::embedded::EmbeddedCounters;

use super::child::{child, directory};
use super::stage::{SEND, account, quotas};
use crate::support::eventually;

const ROUNDS: u64 = 6;

#[tokio::test]
async fn after_a_kill_a_count_is_never_low_and_high_by_one_block_at_most() {
    let directory = TempDir::new().unwrap();
    let made = || std::fs::metadata(directory.path().join("made")).map_or(0, |made| made.len());
    let mut before = (0, 0);
    for round in 1..=ROUNDS {
        let test = "quota::killed::counts_until_it_is_killed";
        let mut child = child(test, directory.path(), &[]);
        let enough = made() + 150 + round * 37;
        eventually("the child makes calls", || (made() >= enough).then_some(()));
        child.kill().unwrap();
        child.wait().unwrap();
        let (made, counted) = (made(), counted(&directory).await);
        let (made_now, counted_now) = (made - before.0, counted - before.1);
        assert!(
            counted_now >= made_now,
            "round {round}: {counted_now} of {made_now}"
        );
        assert!(
            counted_now <= made_now + LARGEST_BLOCK,
            "round {round}: {counted_now} of {made_now}"
        );
        before = (made, counted);
    }
    assert!(before.0 > 1_000, "{} calls", before.0);
}

/// Everything that stands in the store, of whichever day: midnight may pass while this runs.
async fn counted(directory: &TempDir) -> u64 {
    let clock = Arc::new(SystemClock::start());
    let store = EmbeddedCounters::open(directory.path(), clock.clone()).unwrap();
    let today = clock.now().milliseconds();
    let mut sum = 0;
    for day in [today - 86_400_000, today, today + 86_400_000] {
        let at = jiff::Timestamp::from_millisecond(day).unwrap();
        let date = jiff::tz::offset(8).to_datetime(at).date().to_string();
        let counts = store.counts(&account(), &date).await.unwrap();
        sum += counts.iter().map(|(_, total)| total).sum::<u64>();
    }
    sum
}

#[tokio::test]
#[ignore = "run by a test, which kills it"]
async fn counts_until_it_is_killed() {
    let clock = Arc::new(SystemClock::start()) as Arc<dyn Clock>;
    let store = EmbeddedCounters::open(&directory(), clock.clone()).unwrap() as Arc<dyn Counters>;
    let quotas = quotas(&store, &clock, Settings::default());
    let mut made = OpenOptions::new()
        .create(true)
        .append(true)
        .open(directory().join("made"))
        .unwrap();
    loop {
        quotas
            .take(&account(), SEND, Purpose::Interactive)
            .await
            .unwrap();
        // This is the call: one that was made is seen, whenever the process ends.
        made.write_all(b".").unwrap();
    }
}
