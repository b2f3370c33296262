use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::{Notify, Semaphore};
use wxhook::clock::{Clock, SystemClock};
use wxhook::dispatch::{Content, Reply, Router, State};
use wxhook::metric::Counter;
use wxhook::store::embedded::Settings;
use wxhook::store::{Ended, Inbox, PartState, PushState};

use crate::support::open_store;

use super::kit::{House, Platform, eventually, quick};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pushes_that_waited_or_ran_when_a_process_ended_run_in_the_next_one() {
    let house = House::new();
    let entered = Arc::new(Notify::new());
    let inside = Arc::clone(&entered);
    let hang = move || {
        let inside = Arc::clone(&inside);
        async move {
            inside.notify_one();
            std::future::pending::<()>().await;
        }
    };
    let open = house.engine(Router::<()>::new().fallback(hang), (), quick());
    for text in ["1", "2", "3"] {
        house.text("a", text).await;
    }
    entered.notified().await;
    open.kill().await;

    let echo = async |Content(text): Content| text;
    let open = house.engine(Router::<()>::new().fallback(echo), (), quick());
    house.settled().await;
    assert!(open.stop().await.clean);
    assert_eq!(house.platform.calls(), ["a: 1", "a: 2", "a: 3"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_left_unsent_go_out_before_their_users_next_push_runs() {
    let house = House::new();
    *house.platform.gate.lock().unwrap() = Some(Arc::new(Semaphore::new(0)));
    let three = async |Content(text): Content| -> Vec<String> {
        (1..=3).map(|part| format!("{text}.{part}")).collect()
    };
    let open = house.engine(Router::<()>::new().fallback(three), (), quick());
    let first = house.text("a", "1").await;
    house.text("a", "2").await;
    // The first part has left and is not answered when the process ends.
    eventually(async || (house.platform.calls().len() == 1).then_some(())).await;
    open.kill().await;
    assert_eq!(house.story(first).await.push.state, PushState::Done);

    *house.platform.gate.lock().unwrap() = None;
    let open = house.engine(Router::<()>::new().fallback(three), (), quick());
    house.settled().await;
    assert!(open.stop().await.clean);
    assert_eq!(
        house.platform.texts("a"),
        ["1.1", "1.2", "1.3", "2.1", "2.2", "2.3"],
        "nothing twice"
    );
}

async fn twice(reply: Reply, State((runs, gate)): State<(Arc<AtomicU32>, Arc<Notify>)>) {
    let run = runs.fetch_add(1, Ordering::SeqCst);
    reply.send("first").await.unwrap();
    if run == 0 {
        gate.notify_one();
        std::future::pending::<()>().await;
    }
    reply.send("second").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_attempt_gets_the_recorded_result_of_what_the_first_one_sent() {
    let house = House::new();
    let state = (Arc::<AtomicU32>::default(), Arc::<Notify>::default());
    let open = house.engine(Router::new().fallback(twice), state.clone(), quick());
    let id = house.text("a", "go").await;
    state.1.notified().await;
    open.kill().await;
    assert_eq!(house.story(id).await.push.starts, 1);

    let open = house.engine(Router::new().fallback(twice), state.clone(), quick());
    let story = house.until(id, PushState::Done).await;
    assert!(open.stop().await.clean);
    assert_eq!(state.0.load(Ordering::SeqCst), 2);
    assert_eq!(house.platform.texts("a"), ["first", "second"]);
    assert!(story.parts.iter().all(|part| part.state == PartState::Sent));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_that_was_started_too_often_without_an_outcome_is_given_up_unstarted() {
    let house = House::new();
    let id = house.text("a", "poison").await;
    let next = house.text("a", "next").await;
    for _ in 0..5 {
        house.inbox.start(id).await.unwrap();
    }
    let echo = async |Content(text): Content| text;
    let open = house.engine(Router::<()>::new().fallback(echo), (), quick());
    house.until(next, PushState::Done).await;
    assert!(open.stop().await.clean);
    let story = house.story(id).await;
    assert_eq!(story.push.state, PushState::Dead);
    assert_eq!(story.attempts[0].1.ended, Ended::GaveUp);
    assert_eq!(house.count(Counter::PushesDead), 1);
    assert_eq!(house.platform.calls(), ["a: next"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_whose_store_is_closed_ends_with_an_error() {
    let house = House::new();
    let echo = async |Content(text): Content| text;
    let open = house.engine(Router::<()>::new().fallback(echo), (), quick());
    let id = house.text("a", "1").await;
    house.until(id, PushState::Done).await;
    house.inbox.close().await;
    let error = open.fail().await;
    assert_eq!(
        error.to_string(),
        "the engine cannot go on: the store is closed"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_disk_a_crash_leaves_what_was_being_sent_unknown_and_the_rest_is_said_once() {
    let directory = tempfile::tempdir().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let open_store = || open_store(&Settings::new(directory.path()), &clock);
    let platform = Platform::scripted([]);
    *platform.gate.lock().unwrap() = Some(Arc::new(Semaphore::new(0)));
    let two = async |Content(text): Content| -> Vec<String> {
        (1..=2).map(|part| format!("{text}.{part}")).collect()
    };

    let store = open_store();
    let house = House::over(store.clone(), Arc::clone(&platform), Arc::clone(&clock));
    let open = house.engine(Router::<()>::new().fallback(two), (), quick());
    let first = house.text("a", "1").await;
    let second = house.text("a", "2").await;
    eventually(async || (platform.calls().len() == 1).then_some(())).await;
    open.kill().await;
    drop(house);
    store.crash();
    drop(store);

    *platform.gate.lock().unwrap() = None;
    let store = open_store();
    let house = House::over(store.clone(), Arc::clone(&platform), clock);
    let open = house.engine(Router::<()>::new().fallback(two), (), quick());
    house.until(second, PushState::Done).await;
    assert!(open.stop().await.clean);
    assert_eq!(platform.texts("a"), ["1.1", "1.2", "2.1", "2.2"]);
    let states = house.story(first).await.parts.into_iter();
    let states: Vec<_> = states.map(|part| part.state).collect();
    assert_eq!(states, [PartState::Unknown, PartState::Sent]);
    store.close().await;
}
