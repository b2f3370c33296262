//! What routes ask for around their handlers: time, numbers, windows, and code of the user's own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;
use wxhook::dispatch::{
    AtOnce, Attempts, Content, Deadline, Error, Handled, IntoReply, Next, OnlyInWindow, Reply,
    Router, Settings, State, TimeLimit,
};
use wxhook::store::{Ended, PushState};
use wxhook::{Message, OpenId, Text, Unsubscribe};

use super::kit::{House, Platform, quick, with_windows};
use super::windows::old_house;

fn once() -> Attempts {
    Attempts::after([""; 0]).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_has_the_time_that_its_layer_gives_it_and_others_the_settings() {
    async fn left(deadline: Deadline) -> String {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let whole = deadline.remaining() + Duration::from_millis(200);
        format!("about {} s", whole.as_secs_f64().round())
    }
    let house = House::new();
    let router = Router::<()>::new()
        .text("short", std::future::pending::<()>)
        .layer(TimeLimit("30ms"))
        .text("long", left)
        .layer(TimeLimit("20s"))
        .fallback(std::future::pending::<()>)
        .layer(once());
    let settings = Settings {
        handler_timeout: Duration::from_millis(100),
        ..quick()
    };
    let open = house.engine(router, (), settings);
    let dead = |text: &'static str| {
        let house = &house;
        async move {
            let id = house.text(text, text).await;
            let story = house.until(id, PushState::Dead).await;
            assert_eq!(story.attempts[0].1.ended, Ended::TimedOut, "{text}");
            story.push.reason.unwrap()
        }
    };
    assert_eq!(dead("short").await, "the handler took more than 0.03 s");
    assert_eq!(dead("other").await, "the handler took more than 0.1 s");
    let long = house.text("long", "long").await;
    house.until(long, PushState::Done).await;
    assert!(open.stop().await.clean);
    assert_eq!(house.platform.texts("long"), ["about 20 s"]);
}

#[derive(Clone, Default)]
struct Kitchen {
    cooking: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

/// Takes a while, and notes how many do at the same time.
async fn cook(State(kitchen): State<Kitchen>) {
    let cooking = kitchen.cooking.fetch_add(1, Ordering::SeqCst) + 1;
    kitchen.most.fetch_max(cooking, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(30)).await;
    kitchen.cooking.fetch_sub(1, Ordering::SeqCst);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_many_handlers_of_a_route_run_at_once_and_those_who_wait_have_their_time_still() {
    let (house, kitchen) = (House::new(), Kitchen::default());
    let router = Router::new()
        .text("cook", cook)
        .layer(AtOnce(2))
        .layer(TimeLimit("300ms"))
        .layer(once());
    let open = house.engine(router, kitchen.clone(), quick());
    let mut orders = Vec::new();
    // Together they take twice as long as one of them may.
    for user in 0..40 {
        orders.push(house.text(&user.to_string(), "cook").await);
    }
    for id in orders {
        house.until(id, PushState::Done).await;
    }
    assert_eq!(kitchen.most.load(Ordering::SeqCst), 2);
    assert!(open.stop().await.clean);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_a_busy_route_takes_no_place_from_other_routes_and_is_awaited_at_a_stop() {
    async fn slow(State(oven): State<Arc<Semaphore>>, Content(_): Content) -> &'static str {
        oven.acquire().await.unwrap().forget();
        "done"
    }
    let (house, oven) = (House::new(), Arc::new(Semaphore::new(0)));
    let router = Router::new()
        .text("slow", slow)
        .layer(AtOnce(1))
        .fallback(async |Content(text): Content| text);
    let settings = Settings {
        handlers: 2,
        ..quick()
    };
    let open = house.engine(router, Arc::clone(&oven), settings);
    for user in 0..50 {
        house.text(&format!("slow{user}"), "slow").await;
    }
    let quick = house.text("quick", "hello").await;
    house.until(quick, PushState::Done).await;
    // Its own next push waits behind the one that waits.
    house.text("slow0", "after it").await;
    open.tell_to_stop();
    oven.add_permits(50);
    assert!(open.stop().await.clean);
    let served =
        (0..50).filter(|user| house.platform.texts(&format!("slow{user}"))[..1] == ["done"]);
    assert_eq!(served.count(), 50);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_is_not_run_for_a_user_who_surely_cannot_be_answered() {
    async fn farewell(_: Unsubscribe, State(runs): State<Arc<AtomicUsize>>) -> &'static str {
        runs.fetch_add(1, Ordering::SeqCst);
        "再见"
    }
    async fn hello(State(runs): State<Arc<AtomicUsize>>) -> &'static str {
        runs.fetch_add(1, Ordering::SeqCst);
        "你好"
    }
    let (house, _) = old_house(Platform::scripted([])).await;
    let runs = Arc::<AtomicUsize>::default();
    let router = Router::new()
        .on::<Unsubscribe, _>(farewell)
        .fallback(hello)
        .layer(OnlyInWindow);
    let open = house.engine(router, Arc::clone(&runs), with_windows());
    let greeted = house.text("a", "hello").await;
    house.until(greeted, PushState::Done).await;
    let gone = house.event("a", "unsubscribe").await;
    let story = house.until(gone, PushState::Done).await;
    let attempt = &story.attempts[0].1;
    assert_eq!(
        (attempt.ended, attempt.route.as_str()),
        (Ended::Well, "on unsubscribe")
    );
    let reason = attempt.error.as_deref().unwrap();
    assert!(
        reason.starts_with("not handled, as its user cannot be answered: "),
        "{reason}"
    );
    assert!(open.stop().await.clean);
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    assert_eq!(house.platform.texts("a"), ["你好"]);
}

async fn signed(next: Next) -> Handled {
    let mut said = next.run().await?;
    said.push(Message::from(Text::new("-- the shop")).into());
    Ok(said)
}

async fn only_known(next: Next, user: Option<OpenId>, Content(text): Content) -> Handled {
    match user {
        Some(user) if user.as_str() == "stranger" => format!("not for you: {text}").into_reply(),
        _ => next.run().await,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn functions_around_handlers_may_change_what_is_said_or_say_something_else() {
    async fn help(State(runs): State<Arc<AtomicUsize>>) -> &'static str {
        runs.fetch_add(1, Ordering::SeqCst);
        "help"
    }
    async fn broken() -> Result<(), Error> {
        Err(Error::new("broken").give_up())
    }
    let (house, runs) = (House::new(), Arc::<AtomicUsize>::default());
    let router = Router::new()
        .text("help", help)
        .text("broken", broken)
        .wrap(only_known)
        .wrap(signed)
        .fallback(help);
    let open = house.engine(router, Arc::clone(&runs), quick());
    for (user, text) in [
        ("friend", "help"),
        ("stranger", "help"),
        ("stranger", "else"),
    ] {
        let id = house.text(user, text).await;
        house.until(id, PushState::Done).await;
    }
    let broken = house.text("friend", "broken").await;
    let story = house.until(broken, PushState::Dead).await;
    assert_eq!(story.push.reason.as_deref(), Some("broken"));
    assert!(open.stop().await.clean);
    assert_eq!(house.platform.texts("friend"), ["help", "-- the shop"]);
    let stranger = ["not for you: help", "-- the shop", "help"];
    assert_eq!(house.platform.texts("stranger"), stranger);
    assert_eq!(runs.load(Ordering::SeqCst), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_function_around_a_handler_sends_itself_comes_before_the_reply() {
    async fn wait_please(next: Next, reply: Reply) -> Handled {
        reply.send("wait").await?;
        next.run().await
    }
    let house = House::new();
    let router = Router::<()>::new()
        .fallback(async |Content(text): Content| text)
        .wrap(wait_please);
    let open = house.engine(router, (), quick());
    let id = house.text("a", "hello").await;
    house.until(id, PushState::Done).await;
    assert!(open.stop().await.clean);
    assert_eq!(house.platform.texts("a"), ["wait", "hello"]);
}
