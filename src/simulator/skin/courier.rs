//! Carries what the platform says by itself to the server URL: how jobs end, who scanned a code.

use std::collections::VecDeque;
use std::time::Duration;

use actix_web::rt;
use serde::Serialize;

use super::Shared;
use crate::simulator::platform::Event;
use crate::simulator::pusher::Pusher;

/// Deliveries that are remembered for inspection, the latest so many.
const REMEMBERED: usize = 10_000;

/// Events taken at once: a mass of them must not be copied whole.
const AT_ONCE: usize = 100;

/// How long nothing is looked at when nothing is known to come.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// What came of one event on its way to the server.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Carried {
    /// The number of the event.
    event: u64,
    /// Its name.
    name: String,
    /// What WeChat makes of the last answer.
    verdict: String,
    /// Whether the server has it.
    is_good: bool,
    /// How often it was sent.
    attempts: usize,
    /// The status of the last answer.
    status: Option<u16>,
}

/// The latest events that were carried, oldest first.
#[derive(Debug, Default)]
pub(super) struct Log(VecDeque<Carried>);

impl Log {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Carried> {
        self.0.iter()
    }

    fn note(&mut self, carried: Carried) {
        if self.0.len() >= REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(carried);
    }
}

/// Carries every event of the pusher's account, in order, one after the other. Never ends.
pub(super) async fn carry(shared: &Shared, mut pusher: Pusher) {
    let mut told = 0;
    loop {
        let events = due(shared, told, pusher.app_id().as_str());
        if events.is_empty() {
            wait(shared).await;
        }
        for event in events {
            told = event.number;
            let report = pusher.tell(&event).await;
            let last = report.attempts.last();
            let carried = Carried {
                event: event.number,
                name: event.event,
                verdict: report.verdict().to_string(),
                is_good: report.verdict().is_good(),
                attempts: report.attempts.len(),
                status: last.and_then(|attempt| attempt.status),
            };
            if !carried.is_good {
                tracing::warn!(
                    push_kind = %carried.name,
                    attempt = carried.attempts,
                    error = %carried.verdict,
                    "The server did not take an event of the local WeChat."
                );
            }
            shared.carried().note(carried);
        }
    }
}

fn due(shared: &Shared, told: u64, app_id: &str) -> Vec<Event> {
    let now = shared.now();
    let mut platform = shared.platform();
    platform.settle(now);
    let own = platform
        .events_after(told)
        .filter(|event| event.app_id == app_id);
    own.take(AT_ONCE).cloned().collect()
}

/// Until the next job ends, or until something happened that may have begun one.
async fn wait(shared: &Shared) {
    let changed = shared.changed();
    let next = shared.platform().next_end();
    let sleep = next.map_or(LONGEST_SLEEP, |next| next.since(shared.now()));
    tokio::select! {
        () = changed => {}
        () = rt::time::sleep(sleep.min(LONGEST_SLEEP)) => {}
    }
}
