//! Handlers that take longer over their answers than users like to wait.

use std::time::Duration;

use wxhook::{Click, Error, Reply, Router};

/// How long they take.
const WHILE: Duration = Duration::from_secs(3);

pub(crate) fn routes() -> Router<()> {
    Router::new()
        .text("answer", answer)
        .text("say nothing", say_nothing)
        .text("fail", fail)
        .text("speak late", speak_late)
        .text("speak early", speak_early)
        .on::<Click, _>(click)
        .fallback(async || "at once")
}

async fn answer() -> &'static str {
    tokio::time::sleep(WHILE).await;
    "after all"
}

async fn say_nothing() {
    tokio::time::sleep(WHILE).await;
}

async fn fail() -> Result<(), Error> {
    tokio::time::sleep(WHILE).await;
    Err(Error::new("out of tea").give_up())
}

/// The message takes the indicator away; nothing is left to be taken away at the end.
async fn speak_late(reply: Reply) -> Result<(), Error> {
    tokio::time::sleep(WHILE).await;
    reply.send("that was it").await?;
    Ok(())
}

async fn speak_early(reply: Reply) -> Result<&'static str, Error> {
    reply.send("a moment").await?;
    tokio::time::sleep(WHILE).await;
    Ok("here it is")
}

async fn click(_: Click) -> &'static str {
    tokio::time::sleep(WHILE).await;
    "tapped"
}
