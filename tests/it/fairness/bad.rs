//! Handlers that misbehave, and one that tells how long its push has waited.

use std::time::Duration;

use wxhook::{Content, Router};

/// How long the handler that blocks keeps its thread.
const BLOCKED: Duration = Duration::from_secs(10);

pub(crate) fn routes() -> Router<()> {
    Router::new()
        .text("block", block)
        .text("panic", panic)
        .text("never end", never_end)
        .text("crowd", crowd)
        .fallback(waited)
}

async fn block() {
    let (_keep, silence) = std::sync::mpsc::channel::<()>();
    let _ = silence.recv_timeout(BLOCKED);
}

async fn panic() {
    panic!("out of tea");
}

async fn never_end() {
    std::future::pending().await
}

/// One of many of the same user.
async fn crowd() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// Answers with the microseconds since the time that the text names: when it was pushed.
async fn waited(Content(pushed): Content) -> String {
    let pushed: u64 = pushed.parse().unwrap();
    microseconds().saturating_sub(pushed).to_string()
}

/// Microseconds since 1970: the one clock that both processes have.
#[expect(
    clippy::disallowed_methods,
    reason = "a wait of milliseconds between two processes is measured"
)]
pub(super) fn microseconds() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    u64::try_from(since.unwrap().as_micros()).unwrap()
}
