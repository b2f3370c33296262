use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde::Deserialize;
use wxhook::dispatch::{
    Attempts, Captures, Content, Deadline, Error, Router, Settings, State, pattern,
};
use wxhook::metric::Counter;
use wxhook::protocol::message::Text;
use wxhook::protocol::push::Kind;
use wxhook::store::{Ended, PushState, Story};

use super::kit::{House, LONG, quick};

fn endings(story: &Story) -> Vec<(u32, Ended)> {
    let attempts = story.attempts.iter();
    attempts.map(|(_, a)| (a.number, a.ended)).collect()
}

/// Fails as often as the text says, then answers.
async fn fail(
    Content(text): Content,
    State(failures): State<Arc<AtomicU32>>,
) -> Result<String, Error> {
    let wanted: u32 = text.parse()?;
    match failures.fetch_add(1, Ordering::SeqCst) {
        count if count < wanted => Err(Error::new(format!("failure {}", count + 1))),
        count => Ok(format!("after {count}")),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_push_is_tried_again_before_its_users_next_one() {
    let house = House::new();
    let open = house.engine(
        Router::new().fallback(fail),
        Arc::<AtomicU32>::default(),
        quick(),
    );
    let first = house.text("a", "2").await;
    let second = house.text("a", "0").await;
    house.until(second, PushState::Done).await;
    let story = house.story(first).await;
    assert_eq!(
        endings(&story),
        [(1, Ended::Failed), (2, Ended::Failed), (3, Ended::Well)]
    );
    let first_attempt = &story.attempts[0].1;
    assert_eq!(first_attempt.error.as_deref(), Some("failure 1"));
    assert_eq!(first_attempt.route, "fallback");
    assert!(
        story
            .attempts
            .iter()
            .all(|(_, attempt)| !attempt.out_of_order)
    );
    assert!(open.stop().await.clean);
    assert_eq!(house.platform.calls(), ["a: after 2", "a: after 3"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_beyond_the_hold_lets_the_users_next_push_pass() {
    let house = House::new();
    let settings = Settings {
        lane_hold: Duration::ZERO,
        ..quick()
    };
    let open = house.engine(
        Router::new()
            .fallback(fail)
            .layer(Attempts::after(["300ms"])),
        Arc::<AtomicU32>::default(),
        settings,
    );
    let first = house.text("a", "1").await;
    let second = house.text("a", "0").await;
    house.until(second, PushState::Done).await;
    assert_eq!(house.story(first).await.push.state, PushState::Retry);
    let story = house.until(first, PushState::Done).await;
    let late: Vec<_> = story.attempts.iter().map(|(_, a)| a.out_of_order).collect();
    assert_eq!(
        late,
        [false, true],
        "the second try came after newer pushes"
    );
    assert!(open.stop().await.clean);
    assert_eq!(house.platform.calls(), ["a: after 1", "a: after 2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_that_keeps_failing_is_dead_after_its_schedule_and_can_be_replayed() {
    let house = House::new();
    let failures = Arc::<AtomicU32>::default();
    let open = house.engine(Router::new().fallback(fail), Arc::clone(&failures), quick());
    let id = house.text("a", "3").await;
    let story = house.until(id, PushState::Dead).await;
    assert_eq!(endings(&story).len(), 3);
    assert_eq!(story.push.reason.as_deref(), Some("failure 3"));
    assert_eq!(house.count(Counter::PushesDead), 1);
    assert_eq!(house.count(Counter::AttemptsFailed), 3);

    // Something newer has been handled, so that the cursor is beyond it.
    let newer = house.text("b", "0").await;
    house.until(newer, PushState::Done).await;
    open.replays.replay(id, true).await.unwrap();
    let story = house.until(id, PushState::Done).await;
    assert_eq!(story.push.run, 2);
    assert!(open.stop().await.clean);
    assert_eq!(house.platform.texts("a"), ["after 4"]);
}

#[derive(Debug, Deserialize)]
struct Query {
    no: u8,
}

async fn misbehave(Content(text): Content, deadline: Deadline) -> Result<Text, Error> {
    match text.as_str() {
        "give up" => Err(Error::new("no such order").give_up()),
        "wait" => Err(Error::new("busy").retry_after(Duration::from_secs(3_600))),
        "panic" => panic!("out of tea"),
        "hang" => {
            assert!(deadline.remaining() <= LONG);
            std::future::pending().await
        }
        "too long" => Ok(Text::new("长".repeat(1_000))),
        other => Ok(Text::new(other)),
    }
}

async fn order(Captures(query): Captures<Query>) -> String {
    query.no.to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_way_of_failing_is_recorded_with_its_reason_and_harms_nobody_else() {
    let house = House::new();
    let router = Router::<()>::new()
        .text(pattern(r"^查(?<no>\d+)$"), order)
        .fallback(misbehave)
        .layer(Attempts::after([""; 0]));
    let settings = Settings {
        handler_timeout: Duration::from_millis(200),
        ..quick()
    };
    let open = house.engine(router, (), settings);
    for (text, ended, reason) in [
        ("give up", Ended::GaveUp, "no such order"),
        ("wait", Ended::Failed, "busy"),
        ("panic", Ended::Panicked, "the handler panicked: out of tea"),
        ("hang", Ended::TimedOut, "the handler took more than 0.2 s"),
        (
            "too long",
            Ended::GaveUp,
            "the message cannot be sent: the text has 3000 bytes; at most 2048 are allowed",
        ),
        (
            "查999",
            Ended::GaveUp,
            "the pattern's groups are not what is asked for: group \"no\": number too large to fit in target type",
        ),
    ] {
        let id = house.text("a", text).await;
        let story = house.until(id, PushState::Dead).await;
        assert_eq!(endings(&story), [(1, ended)], "{text}");
        assert_eq!(story.push.reason.as_deref(), Some(reason), "{text}");
    }
    let id = house.text("b", "hello").await;
    house.until(id, PushState::Done).await;
    assert!(open.stop().await.clean);
    assert_eq!(house.platform.calls(), ["b: hello"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fallback_for_texts_is_not_meant_for_events_and_leaves_no_dead_push() {
    let house = House::new();
    let open = house.engine(Router::<()>::new().fallback(misbehave), (), quick());
    let id = house.event("a", "brand_new_event").await;
    let story = house.until(id, PushState::Done).await;
    assert_eq!(endings(&story), [(1, Ended::Well)]);
    assert!(house.platform.calls().is_empty());
    assert!(open.stop().await.clean);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_blocks_beyond_its_time_is_taken_as_timed_out_and_its_late_answer_is_ignored()
 {
    let house = House::new();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = Arc::new(std::sync::Mutex::new(released));
    let (back, came_back) = std::sync::mpsc::channel();
    let block = move || {
        let released = Arc::clone(&released);
        let back = back.clone();
        async move {
            released.lock().unwrap().recv_timeout(LONG).unwrap();
            back.send(()).unwrap();
            "too late"
        }
    };
    let settings = Settings {
        handler_timeout: Duration::from_millis(50),
        blocked_after: Duration::from_millis(10),
        ..quick()
    };
    let router = Router::<()>::new()
        .text("block", block)
        .fallback(misbehave)
        .layer(Attempts::after([""; 0]));
    let open = house.engine(router, (), settings);
    let id = house.text("a", "block").await;
    let next = house.text("a", "next").await;
    let story = house.until(id, PushState::Dead).await;
    assert_eq!(endings(&story), [(1, Ended::TimedOut)]);
    house.until(next, PushState::Done).await;
    release.send(()).unwrap();
    came_back.recv_timeout(LONG).unwrap();
    assert!(open.stop().await.clean);
    assert_eq!(house.platform.calls(), ["a: next"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_malformed_push_that_can_be_read_now_is_handled_when_it_is_replayed() {
    let house = House::new();
    let open = house.engine(Router::<()>::new().fallback(async || "read"), (), quick());
    let readable = house
        .malformed("<MsgType>text</MsgType><Content>hello</Content>")
        .await;
    let unreadable = house.malformed("<MsgId>2</MsgId>").await;
    open.replays.replay(readable, false).await.unwrap();
    let story = house.until(readable, PushState::Done).await;
    assert_eq!(
        (story.push.kind, story.push.user.as_str()),
        (Kind::Message, "a")
    );
    let error = open.replays.replay(unreadable, false).await.unwrap_err();
    assert!(
        error.to_string().contains("still cannot be read"),
        "{error}"
    );
    let handled = open.replays.replay(readable, false).await.unwrap_err();
    assert!(handled.to_string().contains("--force"), "{handled}");
    open.replays.replay(readable, true).await.unwrap();
    let story = house.until(readable, PushState::Done).await;
    assert_eq!(story.push.run, 3);
    assert!(open.stop().await.clean);
    assert_eq!(house.platform.texts("a"), ["read", "read"]);
}
