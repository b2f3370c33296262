//! The bot's time: tokio's, which is paused, counted from a moment of the wall clock.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::clock::{Clock, Timestamp};

/// A clock that goes as a tokio runtime's time does.
#[derive(Debug, Clone)]
pub(super) struct PausedClock {
    runtime: Handle,
    began: Instant,
    wall: Timestamp,
}

impl PausedClock {
    /// A clock of this runtime's time, which is `wall` now.
    pub(super) fn starting_at(wall: Timestamp, runtime: Handle) -> Self {
        let began = {
            let _entered = runtime.enter();
            Instant::now()
        };
        Self {
            runtime,
            began,
            wall,
        }
    }
}

impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        self.wall.after(self.monotonic())
    }

    fn monotonic(&self) -> Duration {
        // Whatever thread asks: elsewhere it would be told another runtime's time.
        let _entered = self.runtime.enter();
        Instant::now().saturating_duration_since(self.began)
    }
}
