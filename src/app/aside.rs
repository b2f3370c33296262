//! Looks regularly at what stands aside until somebody deals with it, and says so in time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::metric::{Gauge, Gauges};
use crate::store::{Aside, Inbox};

/// How often it is looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);

/// Looks until `stop` becomes true or its sender is gone. `cap` is how many dead and malformed pushes
/// are kept; above three quarters of it a warning says so, once until it is below again.
pub(super) async fn watch_over(
    inbox: Arc<dyn Inbox>,
    gauges: Arc<Gauges>,
    cap: u64,
    mut stop: watch::Receiver<bool>,
) {
    let mut look = tokio::time::interval(LOOK_INTERVAL);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut warned = false;
    loop {
        tokio::select! {
            _ = look.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        // A store that cannot be read says so elsewhere.
        let Ok(aside) = inbox.aside().await else {
            continue;
        };
        show(&gauges, aside);
        let kept = aside.dead.saturating_add(aside.malformed);
        let is_much = kept >= cap - cap / 4;
        if is_much && !warned {
            tracing::warn!(
                dead = aside.dead,
                malformed = aside.malformed,
                cap,
                "Many pushes were given up and nobody has dealt with them; beyond the cap the oldest \
                 are discarded. See them with: wxhook dead list"
            );
        }
        warned = is_much;
    }
}

fn show(gauges: &Gauges, aside: Aside) {
    for (gauge, value) in [
        (Gauge::PushesRetrying, aside.retry),
        (Gauge::PushesDeadKept, aside.dead),
        (Gauge::PushesMalformedKept, aside.malformed),
        (Gauge::PartsUnknownKept, aside.unknown_parts),
    ] {
        gauges.set(gauge, value);
    }
}
