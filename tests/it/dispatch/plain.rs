//! Handlers that are no async functions.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use wxhook::dispatch::{
    AtOnce, Attempts, Content, Error, Reply, Router, Settings, State, TimeLimit, blocking, wait_for,
};
use wxhook::metric::Counter;
use wxhook::store::{Ended, PushState};

use super::kit::{House, eventually, quick};

#[derive(Clone)]
struct Bench {
    begun: Arc<AtomicUsize>,
    ended: Arc<AtomicUsize>,
    go: Arc<Mutex<Receiver<()>>>,
}

impl Bench {
    fn new() -> (Self, Sender<()>) {
        let (release, released) = channel();
        let bench = Self {
            begun: Arc::default(),
            ended: Arc::default(),
            go: Arc::new(Mutex::new(released)),
        };
        (bench, release)
    }
}

/// Keeps its thread until it is let go.
fn work(Content(text): Content, State(bench): State<Bench>) -> String {
    bench.begun.fetch_add(1, Ordering::SeqCst);
    bench.go.lock().unwrap().recv().unwrap();
    bench.ended.fetch_add(1, Ordering::SeqCst);
    text
}

async fn until(count: &AtomicUsize, expected: usize) {
    eventually(async || (count.load(Ordering::SeqCst) == expected).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plain_function_waits_on_a_thread_of_its_own_and_replies_like_any_handler() {
    fn report(reply: Reply) -> Result<&'static str, Error> {
        wait_for(reply.send("counting"))?;
        // Timers of tokio run here too.
        wait_for(async { tokio::time::sleep(Duration::from_millis(1)).await });
        Ok("7")
    }
    let (house, (bench, release)) = (House::new(), Bench::new());
    let router = Router::new()
        .text("report", blocking(report))
        .text("work", blocking(work))
        .fallback(async |Content(text): Content| text);
    let settings = Settings {
        handler_threads: 1,
        max_handler_threads: 1,
        blocked_after: Duration::from_millis(10),
        blocking_threads: 3,
        ..quick()
    };
    let open = house.engine(router, bench.clone(), settings);
    let working = house.text("worker", "work").await;
    until(&bench.begun, 1).await;
    for text in ["report", "hello"] {
        let id = house.text("other", text).await;
        house.until(id, PushState::Done).await;
    }
    assert_eq!(house.count(Counter::HandlerThreadsReplaced), 0);
    release.send(()).unwrap();
    house.until(working, PushState::Done).await;
    assert!(open.stop().await.clean);
    assert_eq!(house.platform.texts("other"), ["counting", "7", "hello"]);
    assert_eq!(house.platform.texts("worker"), ["work"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_plain_functions_run_than_there_are_threads_for_them() {
    let (house, (bench, release)) = (House::new(), Bench::new());
    let router = Router::new().fallback(blocking(work));
    let settings = Settings {
        blocking_threads: 2,
        ..quick()
    };
    let open = house.engine(router, bench.clone(), settings);
    for user in 0..5 {
        house.text(&user.to_string(), "work").await;
    }
    until(&bench.begun, 2).await;
    for ended in 1..=5 {
        release.send(()).unwrap();
        until(&bench.ended, ended).await;
        until(&bench.begun, (ended + 2).min(5)).await;
    }
    assert!(open.stop().await.clean);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plain_function_that_panics_or_takes_too_long_has_failed_like_any_handler() {
    fn panics() {
        panic!("out of tea")
    }
    let (house, (bench, release)) = (House::new(), Bench::new());
    let router = Router::new()
        .text("panic", blocking(panics))
        // A backtrace takes its time on a busy machine.
        .layer(TimeLimit("30s"))
        .text("work", blocking(work))
        .layer(AtOnce(1))
        .layer(TimeLimit("50ms"))
        .layer(Attempts::after([""; 0]))
        .fallback(async |Content(text): Content| text);
    let open = house.engine(router, bench.clone(), quick());
    let id = house.text("a", "panic").await;
    let story = house.until(id, PushState::Dead).await;
    assert_eq!(story.attempts[0].1.ended, Ended::Panicked);
    let reason = story.push.reason.unwrap();
    assert_eq!(reason, "the handler panicked: out of tea");

    let late = house.text("a", "work").await;
    let story = house.until(late, PushState::Dead).await;
    assert_eq!(story.attempts[0].1.ended, Ended::TimedOut);
    // It is still at work, so that nobody else is let in; its own user's next push goes on.
    let next = house.text("b", "work").await;
    let same = house.text("a", "hello").await;
    house.until(same, PushState::Done).await;
    assert_eq!(bench.begun.load(Ordering::SeqCst), 1);
    release.send(()).unwrap();
    until(&bench.begun, 2).await;
    release.send(()).unwrap();
    house.until(next, PushState::Done).await;
    assert!(open.stop().await.clean);
    // What the late one returned was not said.
    assert_eq!(house.platform.texts("a"), ["hello"]);
    assert_eq!(house.platform.texts("b"), ["work"]);
}
