//! What `simulate push` prints.

use std::io;
use std::io::Write;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::simulator::pusher::Attempt;
use crate::simulator::pusher::Identity;
use crate::simulator::pusher::LoadPlan;
use crate::simulator::pusher::LoadReport;
use crate::simulator::pusher::Push;
use crate::simulator::pusher::PushReport;
use crate::simulator::pusher::Verdict;
use crate::simulator::pusher::Verification;

/// Bytes of an answer that are shown; what is longer is cut.
const SHOWN_BYTES: usize = 2000;

/// The percentiles of a latency table.
const PERCENTILES: [f64; 4] = [50.0, 90.0, 99.0, 99.9];

fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

pub(super) fn verification(
    out: &mut dyn Write,
    json: bool,
    verification: &Verification,
) -> io::Result<()> {
    let took = milliseconds(verification.took);
    let (is_right, status) = (verification.is_right, verification.status);
    if json {
        let line = json!({ "is_right": is_right, "status": status, "took_ms": took });
        return writeln!(out, "{line}");
    }
    let status = status.map_or("no answer".to_owned(), |status| format!("HTTP {status}"));
    let verdict = if is_right {
        "the right echo"
    } else {
        "not the right echo"
    };
    writeln!(out, "answer   {status}, {verdict}, after {took} ms")
}

pub(super) fn attempts(
    out: &mut dyn Write,
    identity: &Identity,
    push: &Push,
    pushed: &PushReport,
) -> io::Result<()> {
    writeln!(out, "pushed   {} ({} mode)", identity.url, identity.mode)?;
    writeln!(out, "user     {}", push.open_id)?;
    for attempt in &pushed.attempts {
        let took = milliseconds(attempt.took);
        writeln!(out, "answer   {}, after {took} ms", attempt.verdict)?;
        if matches!(attempt.verdict, Verdict::Invalid(_)) {
            writeln!(out, "         {:?}", shown(attempt))?;
        }
    }
    if let Some(sees) = pushed.verdict().user_sees() {
        writeln!(out, "user sees  {sees}")?;
    }
    out.flush()
}

fn shown(attempt: &Attempt) -> String {
    let end = attempt.body.len().min(SHOWN_BYTES);
    String::from_utf8_lossy(&attempt.body[..end]).into_owned()
}

pub(super) fn received(
    out: &mut dyn Write,
    received: Option<&[Value]>,
    waited: Duration,
) -> io::Result<()> {
    let Some(received) = received else {
        return Ok(());
    };
    for delivery in received {
        let kind = delivery["message_type"].as_str().unwrap_or_default();
        let content = delivery["content"].as_str().unwrap_or(kind);
        writeln!(out, "reply    {content}")?;
    }
    if received.is_empty() && !waited.is_zero() {
        let seconds = waited.as_secs();
        writeln!(out, "reply    none within {seconds} s")?;
    }
    out.flush()
}

pub(super) fn push_json(
    out: &mut dyn Write,
    identity: &Identity,
    push: &Push,
    pushed: &PushReport,
    received: Option<&[Value]>,
) -> io::Result<()> {
    let attempts: Vec<Value> = pushed.attempts.iter().map(attempt_json).collect();
    let line = json!({
        "url": identity.url,
        "mode": identity.mode,
        "open_id": push.open_id,
        "document": push.document,
        "attempts": attempts,
        "verdict": pushed.verdict().class(),
        "user_sees": pushed.verdict().user_sees(),
        "replies": received,
    });
    writeln!(out, "{line}")?;
    out.flush()
}

fn attempt_json(attempt: &Attempt) -> Value {
    json!({
        "verdict": attempt.verdict.class(),
        "explanation": attempt.verdict.to_string(),
        "status": attempt.status,
        "took_ms": milliseconds(attempt.took),
        "body": shown(attempt),
    })
}

pub(super) fn load(
    out: &mut dyn Write,
    json: bool,
    plan: &LoadPlan,
    loaded: &LoadReport,
    replies: Option<u64>,
) -> io::Result<()> {
    match json {
        true => load_json(out, plan, loaded, replies),
        false => load_table(out, plan, loaded, replies),
    }?;
    out.flush()
}

fn load_json(
    out: &mut dyn Write,
    plan: &LoadPlan,
    loaded: &LoadReport,
    replies: Option<u64>,
) -> io::Result<()> {
    let classes = Verdict::CLASSES.iter().zip(loaded.answers);
    let answers: serde_json::Map<String, Value> = classes
        .map(|(class, count)| ((*class).to_owned(), count.into()))
        .collect();
    let latency = &loaded.latency_microseconds;
    let percentile = |at| latency.value_at_percentile(at);
    let line = json!({
        "pushes": loaded.total(),
        "connections": plan.connections,
        "users": plan.users,
        "wall_seconds": loaded.wall_time.as_secs_f64(),
        "per_second": loaded.rate(),
        "deliveries": loaded.deliveries,
        "answers": answers,
        "first_problem": loaded.first_problem,
        "latency_us": {
            "p50": percentile(50.0), "p90": percentile(90.0), "p99": percentile(99.0),
            "p99_9": percentile(99.9), "max": latency.max(),
        },
        "replies": replies,
    });
    writeln!(out, "{line}")
}

fn load_table(
    out: &mut dyn Write,
    plan: &LoadPlan,
    loaded: &LoadReport,
    replies: Option<u64>,
) -> io::Result<()> {
    writeln!(
        out,
        "{} pushes of {} users over {} connections in {:.3} s: {:.0} per second",
        loaded.total(),
        plan.users,
        plan.connections.min(plan.users),
        loaded.wall_time.as_secs_f64(),
        loaded.rate()
    )?;
    for (class, count) in Verdict::CLASSES.iter().zip(loaded.answers) {
        if count > 0 {
            writeln!(out, "  {class:<14}{count:>10}")?;
        }
    }
    if let Some(problem) = &loaded.first_problem {
        writeln!(out, "  first problem: {problem}")?;
    }
    if let Some(replies) = replies {
        writeln!(out, "  replies       {replies:>10}")?;
        if replies < loaded.good() {
            writeln!(
                out,
                "  (of a burst of one user's messages not each can be answered: docs/windows.md; \
                 `wxhook inbox show ID` says why)"
            )?;
        }
    }
    writeln!(out, "answer after, in ms")?;
    let latency = &loaded.latency_microseconds;
    for percentile in PERCENTILES {
        let value = latency.value_at_percentile(percentile) as f64 / 1000.0;
        writeln!(out, "  p{percentile:<13}{value:>10.3}")?;
    }
    writeln!(
        out,
        "  max           {:>10.3}",
        latency.max() as f64 / 1000.0
    )
}
