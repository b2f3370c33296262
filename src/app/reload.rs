//! Tokens and EncodingAESKeys change without a restart: the configuration is read again on SIGHUP, and when
//! one of its files changed. A broken one changes nothing.

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::config::{Faults, Rotation, Watch};
use crate::http::admin::Admin;
use crate::http::standing::Standing;
use crate::http::webhook::{Role, Webhook};
use crate::metric::{Counter, Counters};

/// How often the files are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// A changed file must stay as it is for so long: whoever writes it may not be done.
const SETTLE: Duration = Duration::from_millis(250);

/// What is told of changes.
pub(super) struct Told {
    pub(super) webhook: Arc<Webhook>,
    pub(super) admin: Arc<Admin>,
    pub(super) counters: Arc<Counters>,
    pub(super) clock: Arc<dyn Clock>,
}

/// Follows the configuration until `stop` becomes true or its sender is gone.
pub(super) async fn follow(
    watch: Watch,
    mut hang_up: Signal,
    told: Told,
    mut stop: watch::Receiver<bool>,
) {
    let mut watch = watch;
    loop {
        let asked = tokio::select! {
            _ = hang_up.recv() => true,
            () = tokio::time::sleep(LOOK_INTERVAL) => false,
            // Without anybody to say stop, there is nobody to work for.
            _ = stop.wait_for(|stop| *stop) => return,
        };
        if !asked {
            let (back, first) = aside(watch, |watch| watch.changed()).await;
            watch = back;
            let Some(first) = first else {
                continue;
            };
            tokio::time::sleep(SETTLE).await;
            let (back, second) = aside(watch, |watch| watch.changed()).await;
            watch = back;
            if second != Some(first) {
                continue;
            }
        }
        let (back, outcome) = aside(watch, Watch::read_again).await;
        watch = back;
        told.standing(&outcome);
        match outcome {
            Ok(rotation) => told.apply(rotation, asked),
            Err(faults) => told.refuse(&faults),
        }
    }
}

/// Reads files where that may take its time: they can be on a volume that hangs.
async fn aside<T: Send + 'static>(
    mut watch: Watch,
    read: impl FnOnce(&mut Watch) -> T + Send + 'static,
) -> (Watch, T) {
    let reading = tokio::task::spawn_blocking(move || {
        let read = read(&mut watch);
        (watch, read)
    });
    match reading.await {
        Ok(read) => read,
        // Its runtime is ending, or it panicked: nothing is followed any longer.
        Err(_) => std::future::pending().await,
    }
}

impl Told {
    fn standing(&self, outcome: &Result<Rotation, Faults>) {
        let (faults, waiting) = match outcome {
            Ok(rotation) => (Vec::new(), rotation.waiting.iter().cloned().collect()),
            Err(faults) => (
                faults.0.iter().map(ToString::to_string).collect(),
                Vec::new(),
            ),
        };
        self.admin.configured(Standing {
            read_at: Some(self.clock.now()),
            faults,
            waiting,
        });
    }

    fn apply(&self, rotation: Rotation, asked: bool) {
        self.counters.add(Counter::ConfigurationReads);
        for (role, changed) in [
            (Role::Account, rotation.accounts),
            (Role::Component, rotation.components),
        ] {
            for (name, credentials) in changed {
                self.webhook.rotate(role, &name, credentials);
            }
        }
        if !rotation.keys.is_empty() {
            tracing::info!(
                settings = rotation.keys.join(" "),
                "Secrets of pushes were changed; they hold from the next push on."
            );
        } else if asked && rotation.waiting.is_empty() {
            tracing::info!("The configuration was read again, and is the one in force.");
        }
        for key in &rotation.dropped {
            tracing::warn!(
                setting = %key,
                "The value before is not kept as the previous one: pushes that WeChat still makes with it are refused."
            );
        }
        if !rotation.waiting.is_empty() {
            let waiting: Vec<String> = rotation.waiting.into_iter().collect();
            tracing::warn!(
                settings = waiting.join(" "),
                "These settings were changed and need a restart; until then the ones before hold."
            );
        }
    }

    fn refuse(&self, faults: &Faults) {
        self.counters.add(Counter::ConfigurationReadsFailed);
        for fault in &faults.0 {
            tracing::error!(
                fault = %fault,
                "The changed configuration is wrong; the one in force stays."
            );
        }
    }
}
