//! Watching what the local WeChat delivers to its users.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::cli::simulate::SimulateError;
use crate::clock::Clock;
use crate::simulator::pusher::Target;

/// How often the local WeChat is asked.
const PAUSE: Duration = Duration::from_millis(25);

/// How long to look for more when something came: replies may have several parts, and a load's
/// replies go on coming.
const QUIET: Duration = Duration::from_millis(500);

/// Replies after which nobody waits for more.
const MAX_REPLIES: usize = 1000;

/// Deliveries of the local WeChat since a moment.
pub(super) struct Replies {
    target: Target,
    clock: Arc<dyn Clock>,
    seen: u64,
}

#[derive(Debug, Deserialize)]
struct Status {
    deliveries: u64,
}

impl Replies {
    /// What is delivered from now on.
    pub(super) async fn from_now(url: &str, clock: Arc<dyn Clock>) -> Result<Self, SimulateError> {
        let target = Target::parse(url)
            .map_err(|error| SimulateError::Usage(format!("--simulator-url {url}: {error}")))?;
        let mut replies = Self {
            target,
            clock,
            seen: 0,
        };
        replies.seen = replies.delivered().await?;
        Ok(replies)
    }

    /// What one user receives: waits for the first reply, then for a quiet moment.
    pub(super) async fn of(
        &mut self,
        open_id: &str,
        wait: Duration,
    ) -> Result<Vec<Value>, SimulateError> {
        let mut received = Vec::new();
        let mut until = self.clock.monotonic() + wait;
        loop {
            let path = format!("/simulator/deliveries?after={}", self.seen);
            for delivery in self.lines(&path).await? {
                self.seen = delivery["number"].as_u64().unwrap_or(self.seen);
                if delivery["open_id"] == open_id {
                    received.push(delivery);
                    until = self.clock.monotonic() + QUIET;
                }
            }
            if self.clock.monotonic() >= until || received.len() >= MAX_REPLIES {
                return Ok(received);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// How many replies come, up to as many as are expected; waits no longer than `wait` for the next.
    pub(super) async fn counted(
        &mut self,
        expected: u64,
        wait: Duration,
    ) -> Result<u64, SimulateError> {
        let mut count = 0;
        let mut until = self.clock.monotonic() + wait;
        while count < expected && self.clock.monotonic() < until {
            let now = self.delivered().await?.saturating_sub(self.seen);
            if now > count {
                until = self.clock.monotonic() + wait;
            }
            count = now;
            tokio::time::sleep(PAUSE).await;
        }
        Ok(count)
    }

    async fn delivered(&self) -> Result<u64, SimulateError> {
        let body = self.fetch("/simulator/status").await?;
        let status: Status = serde_json::from_str(&body).map_err(|_| self.strange())?;
        Ok(status.deliveries)
    }

    async fn lines(&self, path: &str) -> Result<Vec<Value>, SimulateError> {
        let body = self.fetch(path).await?;
        body.lines()
            .map(|line| serde_json::from_str(line).map_err(|_| self.strange()))
            .collect()
    }

    async fn fetch(&self, path: &str) -> Result<String, SimulateError> {
        match self.target.fetch(path).await {
            Ok((200, body)) => String::from_utf8(body).map_err(|_| self.strange()),
            Ok(_) => Err(self.strange()),
            Err(error) => Err(SimulateError::Failed(format!(
                "the local WeChat does not answer: {error}"
            ))),
        }
    }

    fn strange(&self) -> SimulateError {
        SimulateError::Failed("what listens at the simulator's URL is no local WeChat".to_owned())
    }
}
