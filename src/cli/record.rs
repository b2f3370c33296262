//! A push as JSON: one shape for `decode` and `inbox`, relied on from outside.

use serde_json::{Value, json};

use crate::id::AppId;
use crate::protocol::push::{DedupeKey, Fields, Kind, Push};
use crate::store::{Attempt, Part, PushState, Replay, StoredPush, Story, Turn};

/// What the store knows about a push, or nothing for one that was only decoded.
pub(super) struct Facts<'a> {
    pub(super) id: Option<String>,
    pub(super) account: &'a AppId,
    pub(super) dedupe_key: DedupeKey,
    pub(super) state: Option<PushState>,
    pub(super) malformed: Option<&'a str>,
}

/// The contract's object: ids are strings, `fields` is lossless, `typed` is null for unknown kinds.
pub(super) fn push_json(facts: &Facts<'_>, push: Option<&Push>) -> Value {
    let mut object = json!({
        "id": facts.id,
        "account": facts.account.as_str(),
        "kind": push.map_or(Kind::Malformed, Push::kind).name(),
        "msg_type": push.map(Push::msg_type),
        "event": push.and_then(Push::event),
        "from": push.map(|push| push.from().as_str()),
        "to": push.map(Push::to),
        "create_time": push.and_then(Push::create_time),
        "msg_id": push.and_then(Push::msg_id),
        "dedupe_key": facts.dedupe_key.to_string(),
        "state": facts.state.map(PushState::name),
        "typed": push.map(Push::typed),
        "fields": push.map(Push::fields).unwrap_or(&Fields::default()),
    });
    if let Some(reason) = facts.malformed {
        object["malformed"] = reason.into();
    }
    object
}

/// A stored push as JSON.
pub(super) fn stored_json(stored: &StoredPush) -> Value {
    let facts = Facts {
        id: Some(stored.id.to_string()),
        account: &stored.account,
        dedupe_key: stored.key,
        state: Some(stored.state),
        malformed: (stored.kind == Kind::Malformed)
            .then_some(stored.reason.as_deref())
            .flatten(),
    };
    let push = match stored.kind {
        Kind::Malformed => None,
        _ => Push::parse(&stored.account, &stored.body).ok(),
    };
    push_json(&facts, push.as_ref())
}

/// A stored push with all that happened to it.
pub(super) fn story_json(story: &Story) -> Value {
    let mut object = stored_json(&story.push);
    let push = &story.push;
    object["received_at"] = push.received_at.milliseconds().into();
    object["verified"] = push.verified.as_str().into();
    object["run"] = push.run.into();
    object["repeats"] = push.repeats.into();
    object["reason"] = push.reason.as_deref().into();
    object["retry_at"] = push
        .retry_at
        .map(crate::clock::Timestamp::milliseconds)
        .into();
    object["attempts"] = story.attempts.iter().map(attempt_json).collect();
    object["replays"] = story.replays.iter().map(replay_json).collect();
    object["turns"] = story.turns.iter().map(turn_json).collect();
    object["parts"] = story.parts.iter().map(part_json).collect();
    if push.kind == Kind::Malformed {
        object["body"] = String::from_utf8_lossy(&push.body).into();
    }
    object
}

fn attempt_json((run, attempt): &(u32, Attempt)) -> Value {
    json!({
        "run": run,
        "number": attempt.number,
        "started_at": attempt.started_at.milliseconds(),
        "ended_at": attempt.ended_at.milliseconds(),
        "route": attempt.route,
        "ended": attempt.ended.name(),
        "error": attempt.error,
        "out_of_order": attempt.out_of_order,
    })
}

/// What a part says: the call's JSON, or the document where only a passive reply can say it.
fn said(part: &Part) -> Value {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into();
    match &part.passive {
        Some(document) if part.message.is_empty() => text(document),
        _ => serde_json::from_slice(&part.message).unwrap_or_else(|_| text(&part.message)),
    }
}

fn replay_json(replay: &Replay) -> Value {
    json!({
        "run": replay.run,
        "at": replay.at.milliseconds(),
        "was": replay.was.name(),
        "forced": replay.was == PushState::Done,
    })
}

/// How the conversation was changed, not what was remembered.
fn turn_json(turn: &Turn) -> Value {
    json!({
        "run": turn.run,
        "attempt": turn.attempt,
        "at": turn.at.milliseconds(),
        "conversation": turn.turned.name(),
    })
}

fn part_json(part: &Part) -> Value {
    json!({
        "run": part.key.run,
        "ordinal": part.key.ordinal,
        "state": part.state.name(),
        "at_least_once": part.at_least_once,
        "passive": part.passive.is_some(),
        "to": part.to.as_str(),
        "message": said(part),
        "error_code": part.error_code,
        "rid": part.rid,
        "detail": part.detail,
        "changed_at": part.changed_at.milliseconds(),
    })
}
