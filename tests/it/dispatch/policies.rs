//! What routes and operators ask for beside handling: schedules, going on, twice rather than never.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;
use wxhook::api::Delivery;
use wxhook::clock::{Clock, SystemClock};
use wxhook::dispatch::{Attempts, Content, Error, Reply, Router, Settings, State};
use wxhook::store::embedded::Settings as StoreSettings;
use wxhook::store::{Ended, Inbox, PartState, PushState};

use super::kit::{House, Platform, eventually, quick};
use crate::support::open_store;

async fn echo(Content(text): Content) -> String {
    text
}

async fn never() -> Result<(), Error> {
    Err(Error::new("never"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_layer_concerns_the_routes_before_it_that_have_none() {
    let house = House::new();
    let router = Router::<()>::new()
        .text("once", never)
        .layer(Attempts::after([""; 0]))
        .text("twice", never)
        .layer(Attempts::after(["1ms"]))
        .fallback(never);
    let open = house.engine(router, (), quick());
    for (text, attempts) in [("once", 1), ("twice", 2), ("as the settings say", 3)] {
        let id = house.text("a", text).await;
        let story = house.until(id, PushState::Dead).await;
        assert_eq!(story.attempts.len(), attempts, "{text}");
    }
    assert!(open.stop().await.clean);
}

/// Says one thing, fails the first time, says another.
async fn go_on(reply: Reply, State(tries): State<Arc<AtomicU32>>) -> Result<&'static str, Error> {
    reply.send("first").await?;
    match tries.fetch_add(1, Ordering::SeqCst) {
        0 => Err(Error::new("not yet")),
        _ => Ok("second"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resumable_route_goes_on_and_says_nothing_twice_and_any_other_is_given_up() {
    for (resumable, expected) in [(true, &["first", "second"][..]), (false, &["first"])] {
        let house = House::new();
        let router = Router::new().fallback(go_on);
        let router = match resumable {
            true => router.resumable(),
            false => router,
        };
        let open = house.engine(router, Arc::<AtomicU32>::default(), quick());
        let id = house.text("a", "hello").await;
        let state = match resumable {
            true => PushState::Done,
            false => PushState::Dead,
        };
        let story = house.until(id, state).await;
        let endings: Vec<_> = story.attempts.iter().map(|(_, a)| a.ended).collect();
        match resumable {
            true => assert_eq!(endings, [Ended::Failed, Ended::Well]),
            false => assert_eq!(endings, [Ended::Failed]),
        }
        assert!(open.stop().await.clean);
        assert_eq!(house.platform.texts("a"), expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_whose_answer_is_lost_is_sent_again_only_by_a_route_that_asks_for_it() {
    for (at_least_once, calls, state) in
        [(true, 2, PartState::Sent), (false, 1, PartState::Unknown)]
    {
        let lost = Delivery::Unknown {
            reason: "the answer was lost".to_owned(),
        };
        let house = House::with(Platform::scripted([lost]));
        let router = Router::<()>::new().fallback(echo);
        let router = match at_least_once {
            true => router.at_least_once(),
            false => router,
        };
        let open = house.engine(router, (), quick());
        let id = house.text("a", "hello").await;
        house.until(id, PushState::Done).await;
        assert!(open.stop().await.clean);
        let story = house.story(id).await;
        assert_eq!(story.parts[0].state, state);
        assert_eq!(house.platform.texts("a").len(), calls);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_a_crash_interrupted_is_sent_again_only_by_a_route_that_asks_for_it() {
    let directory = tempfile::tempdir().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let settings = StoreSettings::new(directory.path());
    let router = || {
        Router::<()>::new()
            .text("again", echo)
            .at_least_once()
            .fallback(echo)
    };
    let store = open_store(&settings, &clock);
    let platform = Platform::scripted([]);
    *platform.gate.lock().unwrap() = Some(Arc::new(Semaphore::new(0)));
    let inbox = Arc::clone(&store) as Arc<dyn Inbox>;
    let house = House::over(inbox, Arc::clone(&platform), Arc::clone(&clock));
    let open = house.engine(router(), (), quick());
    let ids = [
        house.text("a", "again").await,
        house.text("b", "once").await,
    ];
    // Both have left, and neither is answered.
    eventually(async || (platform.calls().len() == 2).then_some(())).await;
    open.kill().await;
    store.crash();
    drop((house, store));

    *platform.gate.lock().unwrap() = None;
    let inbox = open_store(&settings, &clock) as Arc<dyn Inbox>;
    let house = House::over(inbox, Arc::clone(&platform), clock);
    let open = house.engine(router(), (), quick());
    eventually(async || (platform.calls().len() == 3).then_some(())).await;
    assert!(open.stop().await.clean);
    let states =
        [house.story(ids[0]).await, house.story(ids[1]).await].map(|story| story.parts[0].state);
    assert_eq!(states, [PartState::Sent, PartState::Unknown]);
    assert_eq!(platform.texts("a"), ["again", "again"]);
    assert_eq!(platform.texts("b"), ["once"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waited_too_long_is_held_as_stale_and_handled_when_it_is_replayed() {
    let house = House::new();
    let old = house.text("a", "old").await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    let settings = Settings {
        stale_after: Some(Duration::from_millis(300)),
        ..quick()
    };
    let open = house.engine(Router::<()>::new().fallback(echo), (), settings);
    let story = house.until(old, PushState::Dead).await;
    let reason = story.push.reason.as_deref().unwrap();
    assert!(reason.starts_with("stale: it was 0 s old"), "{reason}");
    let new = house.text("a", "new").await;
    house.until(new, PushState::Done).await;
    open.replays.replay(old, false).await.unwrap();
    let story = house.until(old, PushState::Done).await;
    assert!(
        story
            .attempts
            .iter()
            .any(|(run, attempt)| *run == 2 && attempt.out_of_order)
    );
    assert_eq!(
        (story.replays[0].run, story.replays[0].was),
        (2, PushState::Dead)
    );
    assert!(open.stop().await.clean);
    assert_eq!(house.platform.calls(), ["a: new", "a: old"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_dead_pushes_are_replayed_in_their_users_order_and_discarded_ones_too() {
    const PUSHES: usize = 200;
    let house = House::new();
    let open_shop = Arc::<AtomicU32>::default();
    let shop = async |Content(text): Content, State(open): State<Arc<AtomicU32>>| match open
        .load(Ordering::SeqCst)
    {
        0 => Err(Error::new("the shop is closed").give_up()),
        _ => Ok(text),
    };
    let settings = Settings {
        lane_pushes: 4,
        ..quick()
    };
    let open = house.engine(
        Router::new().fallback(shop),
        Arc::clone(&open_shop),
        settings,
    );
    let mut ids = Vec::new();
    for number in 0..PUSHES {
        ids.push(
            house
                .text(["a", "b"][number % 2], &number.to_string())
                .await,
        );
    }
    for id in &ids {
        house.until(*id, PushState::Dead).await;
    }
    open.replays.discard(ids[0]).await.unwrap();
    assert_eq!(house.story(ids[0]).await.push.state, PushState::Discarded);
    assert_eq!(house.inbox.aside().await.unwrap().dead, PUSHES as u64 - 1);
    open_shop.store(1, Ordering::SeqCst);
    for id in &ids {
        open.replays.replay(*id, false).await.unwrap();
    }
    house.settled().await;
    assert!(open.stop().await.clean);
    for (user, first) in [("a", 0), ("b", 1)] {
        let expected: Vec<_> = (first..PUSHES).step_by(2).map(|n| n.to_string()).collect();
        assert_eq!(house.platform.texts(user), expected, "{user}");
    }
}
