//! A push's life as a person reads it: what happened to it, in the order in which it happened.

use super::output::{Failure, line, local_time};
use crate::clock::Timestamp;
use crate::platform::error::ErrorCode;
use crate::store::{Attempt, Part, PartState, PushState, Replay, StoredPush, Story, Turned};

/// Prints who and what, the timeline, and the document.
pub(super) fn print_story(story: &Story, says: &str) -> Result<(), Failure> {
    let push = &story.push;
    line(format_args!("push      {}", push.id))?;
    line(format_args!("account   {}", push.account))?;
    line(format_args!("user      {}", push.user))?;
    line(format_args!("says      {says}"))?;
    line(format_args!("state     {}", standing(push)))?;
    for (at, event) in timeline(story) {
        line(format_args!("{}  {event}", local_time(at)))?;
    }
    line("document:")?;
    line(String::from_utf8_lossy(&push.body))
}

/// Where the push stands, and what comes next.
fn standing(push: &StoredPush) -> String {
    let reason = because(push.reason.as_deref());
    let next = match (push.state, push.retry_at) {
        (PushState::Retry, Some(at)) => format!(", tried again at {}", local_time(at)),
        (PushState::Pending, _) if push.starts > 0 => {
            format!(", started {} times without an outcome yet", push.starts)
        }
        _ => String::new(),
    };
    format!("{}{reason}{next}", push.state.name())
}

/// What happened, oldest first; of one moment, in the order in which it must have happened.
fn timeline(story: &Story) -> Vec<(Timestamp, String)> {
    let push = &story.push;
    let repeats = match push.repeats {
        0 => String::new(),
        1 => "; it came again once, and was recognised".to_owned(),
        times => format!("; it came again {times} times, and was recognised"),
    };
    let received = format!("received, verified: {}{repeats}", push.verified);
    let mut events = vec![(push.received_at, received)];
    events.extend(
        story
            .replays
            .iter()
            .map(|replay| (replay.at, replayed(replay))),
    );
    let attempts = story.attempts.iter();
    events.extend(attempts.map(|(run, attempt)| (attempt.ended_at, attempted(*run, attempt))));
    let turns = story.turns.iter();
    events.extend(turns.map(|turn| (turn.at, turned(turn.turned))));
    let parts = story.parts.iter();
    events.extend(parts.map(|part| (part.changed_at, replied(part))));
    events.sort_by_key(|(at, _)| *at);
    events
}

fn replayed(replay: &Replay) -> String {
    let forced = match replay.was {
        PushState::Done => " (forced: its replies are sent again)",
        _ => "",
    };
    let was = replay.was.name();
    format!(
        "run {} begins: it was {was}, and is handled again{forced}",
        replay.run
    )
}

fn attempted(run: u32, attempt: &Attempt) -> String {
    let lasted = attempt.ended_at.since(attempt.started_at).as_millis();
    let of_run = match run {
        1 => String::new(),
        run => format!(" of run {run}"),
    };
    let order = match attempt.out_of_order {
        true => ", out of order: newer pushes of this user did not wait for it",
        false => "",
    };
    format!(
        "attempt {}{of_run} by {}: {} after {lasted} ms{}{order}",
        attempt.number,
        attempt.route,
        attempt.ended.name(),
        because(attempt.error.as_deref())
    )
}

/// What was remembered is not told: it may be what the user said.
fn turned(turned: Turned) -> String {
    match turned {
        Turned::Set => "conversation set: where it stands is remembered".to_owned(),
        Turned::Cleared => "conversation cleared: nothing is remembered any more".to_owned(),
    }
}

fn replied(part: &Part) -> String {
    let code = part.error_code.map(|code| format!(" with code {code}"));
    let meaning = part.error_code.map(|code| ErrorCode(code).meaning());
    let detail = part.detail.as_deref().or(meaning);
    let rid = part.rid.as_deref().map(|rid| format!(", rid {rid}"));
    let repeated = match (part.state, part.at_least_once) {
        (PartState::Waiting | PartState::Sending, true) => ", at least once",
        _ => "",
    };
    let (passive, said) = match &part.passive {
        Some(document) if part.message.is_empty() => (" as the answer to the push", document),
        Some(_) => (" as the answer to the push", &part.message),
        None => ("", &part.message),
    };
    format!(
        "reply {} {}{passive}{}{}{}{repeated}: {}",
        part.key.ordinal + 1,
        part.state.name(),
        code.unwrap_or_default(),
        rid.unwrap_or_default(),
        because(detail),
        String::from_utf8_lossy(said)
    )
}

fn because(reason: Option<&str>) -> String {
    reason.map_or_else(String::new, |reason| format!(" ({reason})"))
}
