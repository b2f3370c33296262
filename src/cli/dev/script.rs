//! The conversation that `dev` plays, and what it says about it. Every line states what was seen.

use std::time::Duration;

use super::PATIENCE;
use super::columns::Columns;
use super::stage::{Stage, user};
use crate::cli::output::Failure;
use crate::id::PushId;
use crate::protocol::push::Push as ReadPush;
use crate::simulator::pusher::{Gesture, Push, PushReport, Verdict};
use crate::store::{Filter, StoredPush};

/// How often the store and the platform are looked at while something is awaited.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// After an answer, a second one would come within this time.
const SECOND_ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// follow → welcome; a slow look-up, its push repeated; a menu click.
pub(super) async fn conversation(stage: &mut Stage, columns: &Columns) -> Result<(), Failure> {
    columns.user("小明 follows the account 关注")?;
    let seen = stage.delivery_count();
    let follow = stage.pusher.make(Gesture::Follow, user().as_str());
    send(stage, columns, &follow, "subscribe").await?;
    await_answer(stage, columns, seen).await?;

    columns.user("小明: 查 1001")?;
    let seen = stage.delivery_count();
    let question = stage
        .pusher
        .make(Gesture::Text("查 1001".to_owned()), user().as_str());
    let stored = send(stage, columns, &question, "text").await?;
    columns.server("the handler is running; it needs 8 s, WeChat would have waited 5")?;
    columns.server("the same push again, as WeChat does when an answer got lost:")?;
    repeat(stage, columns, &question, stored).await?;
    await_answer(stage, columns, seen).await?;
    await_silence(stage, columns, seen).await?;

    columns.user("小明 taps the menu: 我的订单")?;
    let seen = stage.delivery_count();
    let click = stage.pusher.make(
        Gesture::Click {
            key: "ORDER".to_owned(),
        },
        user().as_str(),
    );
    send(stage, columns, &click, "CLICK").await?;
    await_answer(stage, columns, seen).await
}

/// A slow look-up, SIGKILL in the middle of its handler, a new start.
pub(super) async fn crash(stage: &mut Stage, columns: &Columns) -> Result<(), Failure> {
    columns.user("小明: 查 1001")?;
    let seen = stage.delivery_count();
    let question = stage
        .pusher
        .make(Gesture::Text("查 1001".to_owned()), user().as_str());
    let stored = send(stage, columns, &question, "text").await?;
    columns.server("the handler is running; it needs 8 s")?;
    tokio::time::sleep(Duration::from_secs(2)).await;

    let pid = stage.pid();
    stage.kill_server().await?;
    columns.server(&format!(
        "kill -9 {pid}: the server is gone, in mid-handler"
    ))?;
    let before = state_of(stage, stored)?;
    columns.server(&format!(
        "on disk: push {stored} is {}",
        before.state.name()
    ))?;
    stage.restart_server().await?;
    columns.server(&format!(
        "started again (process {}); it finds the push and runs its handler from the beginning",
        stage.pid()
    ))?;
    columns.server("the same push again, because WeChat may have missed our success:")?;
    repeat(stage, columns, &question, stored).await?;
    await_answer(stage, columns, seen).await?;
    await_silence(stage, columns, seen).await
}

/// Sends a push and tells what came of it; gives the id under which it is stored.
async fn send(
    stage: &mut Stage,
    columns: &Columns,
    push: &Push,
    what: &str,
) -> Result<PushId, Failure> {
    let before = newest(stage)?;
    let report = stage.pusher.push(push).await;
    let milliseconds = milliseconds(&report);
    accepted(&report)?;
    let id = newest(stage)?;
    if id == before {
        return Err(Failure::failed(
            "the server said success but the push is not in its store",
        ));
    }
    columns.server(&format!(
        "POST {what}: verified, decrypted, stored as {id}, synced; success after {milliseconds:.1} ms"
    ))?;
    Ok(id)
}

async fn repeat(
    stage: &mut Stage,
    columns: &Columns,
    push: &Push,
    stored: PushId,
) -> Result<(), Failure> {
    let report = stage.pusher.push(push).await;
    accepted(&report)?;
    let deadline = stage.clock.monotonic() + PATIENCE;
    while state_of(stage, stored)?.repeats == 0 {
        if stage.clock.monotonic() > deadline {
            return Err(Failure::failed("the repeated push was not recognised"));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    if newest(stage)? != stored {
        return Err(Failure::failed(
            "the repeated push was stored a second time",
        ));
    }
    columns.server(&format!(
        "recognised as a repeat of {stored}; success after {:.1} ms, nothing is stored or run twice",
        milliseconds(&report)
    ))
}

fn accepted(report: &PushReport) -> Result<(), Failure> {
    match report.verdict() {
        Verdict::Success => Ok(()),
        verdict => Err(Failure::failed(format!(
            "WeChat would not accept this answer: {verdict}"
        ))),
    }
}

fn milliseconds(report: &PushReport) -> f64 {
    report
        .attempts
        .last()
        .map_or(0.0, |attempt| attempt.took.as_secs_f64() * 1_000.0)
}

/// Waits for the next message to the user, and shows it.
async fn await_answer(stage: &mut Stage, columns: &Columns, seen: u64) -> Result<(), Failure> {
    let began = stage.clock.monotonic();
    loop {
        if let Some(delivery) = stage.delivered(seen).first() {
            let text = delivery.content.as_deref().unwrap_or("(no text)");
            let waited = stage.clock.monotonic().saturating_sub(began);
            columns.row(
                &format!("公众号: {text}"),
                &format!(
                    "the reply was sent as a customer message after {:.2} s",
                    waited.as_secs_f64()
                ),
            )?;
            return Ok(());
        }
        if let Some(status) = stage.server_ended() {
            return Err(Failure::failed(format!(
                "the server ended by itself: {status}"
            )));
        }
        if stage.clock.monotonic().saturating_sub(began) > PATIENCE {
            return Err(Failure::failed("no reply came"));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Makes sure that the answer came once.
async fn await_silence(stage: &mut Stage, columns: &Columns, seen: u64) -> Result<(), Failure> {
    tokio::time::sleep(SECOND_ANSWER_WITHIN).await;
    match stage.delivered(seen).len() {
        1 => columns.server("one push, one answer"),
        count => Err(Failure::failed(format!("{count} answers came to one push"))),
    }
}

/// Shows what others do, until the process is told to stop.
pub(super) async fn watch(stage: &mut Stage, columns: &Columns) -> Result<(), Failure> {
    let (mut newest, mut delivered) = (newest(stage)?, stage.delivery_count());
    loop {
        tokio::time::sleep(LOOK_EVERY * 5).await;
        if let Some(status) = stage.server_ended() {
            return Err(Failure::failed(format!(
                "the server ended by itself: {status}"
            )));
        }
        let filter = Filter {
            after: newest,
            limit: Some(SHOWN_AT_ONCE),
            ..Filter::default()
        };
        for push in stage.view()?.list(&filter).map_err(Failure::failed)? {
            newest = push.id;
            columns.row(&said(&push), &format!("stored as {}", push.id))?;
        }
        let deliveries = stage.delivered(delivered);
        for delivery in deliveries.iter().rev().take(SHOWN_AT_ONCE).rev() {
            let text = delivery.content.as_deref().unwrap_or("(no text)");
            columns.row(
                &format!("公众号: {text}"),
                "the reply was sent as a customer message",
            )?;
        }
        delivered = deliveries.last().map_or(delivered, |last| last.number);
    }
}

/// Under load only the newest are shown.
const SHOWN_AT_ONCE: usize = 20;

fn said(push: &StoredPush) -> String {
    let parsed = ReadPush::parse(&push.account, &push.body).ok();
    let text = |path| parsed.as_ref().and_then(|parsed| parsed.fields().get(path));
    match (text("Content"), text("Event"), text("EventKey")) {
        (Some(content), _, _) => format!("{}: {content}", push.user),
        (None, Some(event), key) => format!("{}: {event} {}", push.user, key.unwrap_or_default()),
        _ => push.user.to_string(),
    }
}

fn newest(stage: &Stage) -> Result<PushId, Failure> {
    let filter = Filter {
        limit: Some(1),
        ..Filter::default()
    };
    let newest = stage.view()?.list(&filter).map_err(Failure::failed)?;
    Ok(newest.last().map_or(PushId::ZERO, |push| push.id))
}

fn state_of(stage: &Stage, id: PushId) -> Result<StoredPush, Failure> {
    let story = stage.view()?.story(id).map_err(Failure::failed)?;
    let story = story.ok_or_else(|| Failure::failed(format!("push {id} is not in the store")))?;
    Ok(story.push)
}
