use std::collections::HashMap;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use wxhook::dispatch::{Content, Router, Settings, State};
use wxhook::id::OpenId;
use wxhook::metric::Counter;
use wxhook::store::PushState;

use super::kit::{House, LONG, quick};

/// What each user's handlers did: begin and end of each text.
type Diary = Arc<Mutex<HashMap<String, Vec<(String, bool)>>>>;

async fn note(user: OpenId, Content(text): Content, State(diary): State<Diary>) {
    let write = |is_end| {
        let mut diary = diary.lock().unwrap();
        let page = diary.entry(user.to_string()).or_default();
        page.push((text.clone(), is_end));
    };
    write(false);
    // Some take longer than others, by what they say.
    let number: u64 = text.parse().unwrap();
    tokio::time::sleep(Duration::from_millis(
        (number * 7 + user.as_str().len() as u64) % 5,
    ))
    .await;
    write(true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_users_pushes_never_overlap_and_keep_their_order_whatever_they_take() {
    let house = House::new();
    let diary = Diary::default();
    // A small lane, so that most pushes are put aside and fetched again.
    let settings = Settings {
        lane_pushes: 3,
        pushes_in_memory: 200,
        ..quick()
    };
    let open = house.engine(Router::new().fallback(note), Arc::clone(&diary), settings);
    for number in 0..20 {
        for user in 0..50 {
            house
                .text(&format!("user{user}"), &number.to_string())
                .await;
        }
    }
    house.settled().await;
    let expected: Vec<_> = (0..20)
        .flat_map(|number| [(number.to_string(), false), (number.to_string(), true)])
        .collect();
    let diary = diary.lock().unwrap().clone();
    assert_eq!(diary.len(), 50);
    for (user, page) in diary {
        assert_eq!(page, expected, "{user}");
    }
    assert_eq!(house.count(Counter::AttemptsDone), 1_000);
    assert!(open.stop().await.clean);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_users_backlog_is_put_aside_and_lets_others_pass() {
    let house = House::new();
    let (release, released) = mpsc::channel::<()>();
    let released = Arc::new(Mutex::new(released));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let busy = move |user: OpenId, Content(text): Content| {
        let released = Arc::clone(&released);
        let log = Arc::clone(&log);
        async move {
            if text == "0" {
                released.lock().unwrap().recv_timeout(LONG).unwrap();
            }
            log.lock().unwrap().push(format!("{user} {text}"));
        }
    };
    let settings = Settings {
        lane_pushes: 4,
        pushes_in_memory: 64,
        ..quick()
    };
    for number in 0..300 {
        house.text("busy", &number.to_string()).await;
    }
    let open = house.engine(Router::<()>::new().fallback(busy), (), settings);
    let other = house.text("other", "hello").await;
    house.until(other, PushState::Done).await;
    assert_eq!(*seen.lock().unwrap(), ["other hello"]);

    release.send(()).unwrap();
    house.settled().await;
    let expected: Vec<_> = (0..300).map(|number| format!("busy {number}")).collect();
    assert_eq!(seen.lock().unwrap()[1..], expected);
    assert!(open.stop().await.clean);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handlers_that_block_every_thread_do_not_stop_other_users() {
    let house = House::new();
    let (release, released) = mpsc::channel::<()>();
    let released = Arc::new(Mutex::new(released));
    let (enter, entered) = mpsc::channel();
    let block = move |Content(text): Content| {
        let released = Arc::clone(&released);
        let enter = enter.clone();
        async move {
            if text == "block" {
                enter.send(()).unwrap();
                released.lock().unwrap().recv_timeout(LONG).unwrap();
            }
        }
    };
    let settings = Settings {
        handler_threads: 2,
        blocked_after: Duration::from_millis(20),
        ..quick()
    };
    let open = house.engine(Router::<()>::new().fallback(block), (), settings);
    for user in ["a", "b", "c"] {
        house.text(user, "block").await;
    }
    for _ in 0..3 {
        entered.recv_timeout(LONG).unwrap();
    }
    let other = house.text("d", "go").await;
    house.until(other, PushState::Done).await;
    assert!(house.count(Counter::HandlerThreadsReplaced) >= 1);
    for _ in 0..3 {
        release.send(()).unwrap();
    }
    house.settled().await;
    assert!(open.stop().await.clean);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_waits_for_what_runs_and_takes_up_nothing_more() {
    let house = House::new();
    let gate = Arc::new(tokio::sync::Notify::new());
    let entered = Arc::new(tokio::sync::Notify::new());
    let (inner_gate, inner_entered) = (Arc::clone(&gate), Arc::clone(&entered));
    let wait = move || {
        let (gate, entered) = (Arc::clone(&inner_gate), Arc::clone(&inner_entered));
        async move {
            entered.notify_one();
            gate.notified().await;
            "done"
        }
    };
    let open = house.engine(Router::<()>::new().fallback(wait), (), quick());
    let first = house.text("a", "1").await;
    let second = house.text("a", "2").await;
    entered.notified().await;
    open.tell_to_stop();
    // What comes now is stored, and left for the next process.
    let third = house.text("b", "3").await;
    gate.notify_one();
    assert!(open.stop().await.clean);
    assert_eq!(house.platform.calls(), ["a: done"]);
    assert_eq!(house.story(first).await.push.state, PushState::Done);
    assert_eq!(house.story(second).await.push.state, PushState::Pending);
    assert_eq!(house.story(third).await.push.state, PushState::Pending);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_ends_after_its_grace_though_a_handler_does_not() {
    let house = House::new();
    let entered = Arc::new(tokio::sync::Notify::new());
    let inside = Arc::clone(&entered);
    let forever = move || {
        let inside = Arc::clone(&inside);
        async move {
            inside.notify_one();
            std::future::pending::<()>().await;
        }
    };
    let settings = Settings {
        stop_grace: Duration::from_millis(20),
        ..quick()
    };
    let open = house.engine(Router::<()>::new().fallback(forever), (), settings);
    let id = house.text("a", "1").await;
    entered.notified().await;
    let stopped = open.stop().await;
    assert_eq!((stopped.clean, stopped.running), (false, 1));
    assert_eq!(house.story(id).await.push.state, PushState::Pending);
    assert_eq!(house.story(id).await.push.starts, 1);
}
