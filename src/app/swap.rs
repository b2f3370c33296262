//! Templates and rules are read at start, and again whenever their files change.
//!
//! The files are looked at every few seconds: that works for every file system and every way of replacing
//! files, mounted ConfigMaps included, where notices of changes do not. A change counts when it has come to
//! rest, so that a copy that is half done is not taken for a state of its own.

use std::sync::Arc;

use tokio::sync::watch;

use super::StartError;
use crate::dispatch::{Bundle, BundleSettings, Bundles};
use crate::metric::{Counter, Counters, Gauge, Gauges};
use crate::template::{Faults, Look};

/// The bundle of the start, and what its files looked like.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) bundles: Bundles,
    seen: Look,
}

/// Reads the first bundle. There is none before it to be kept, so it must be whole.
pub(super) fn open(settings: &BundleSettings) -> Result<Opened, StartError> {
    // Before it is read: what changes meanwhile is seen as a change.
    let seen = settings.look();
    let bundle = settings.read().map_err(StartError::Bundle)?;
    tracing::info!(
        templates = bundle.templates().names().count(),
        rules = bundle.rules().iter().len(),
        directory = %settings.directory.display(),
        "Templates and rules are read."
    );
    Ok(Opened {
        bundles: Bundles::new(bundle, &settings.accounts),
        seen,
    })
}

/// Looks until `stop` becomes true or its sender is gone.
pub(super) async fn watch_over(
    opened: Opened,
    settings: BundleSettings,
    counted: (Arc<Counters>, Arc<Gauges>),
    mut stop: watch::Receiver<bool>,
) {
    let Opened { bundles, mut seen } = opened;
    let settings = Arc::new(settings);
    let mut look = tokio::time::interval(settings.look_every);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    // What differed at the last look; it is read when it is still so.
    let mut changing = None;
    loop {
        tokio::select! {
            _ = look.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let looking = Arc::clone(&settings);
        let Ok(now) = tokio::task::spawn_blocking(move || looking.look()).await else {
            continue;
        };
        if now == seen {
            changing = None;
            continue;
        }
        if changing.as_ref() != Some(&now) {
            changing = Some(now);
            continue;
        }
        changing = None;
        let reading = Arc::clone(&settings);
        // If they change while they are read, the next look differs from this one.
        seen = now;
        match tokio::task::spawn_blocking(move || reading.read()).await {
            Ok(read) => take(&bundles, read, &counted),
            Err(error) => tracing::error!(
                %error,
                "Templates or rules have changed and could not be read; the old ones stay."
            ),
        }
    }
}

/// Uses what was read, or keeps what there is.
fn take(bundles: &Bundles, read: Result<Bundle, Faults>, counted: &(Arc<Counters>, Arc<Gauges>)) {
    let (counters, gauges) = counted;
    match read {
        Ok(bundle) => {
            tracing::info!(
                templates = bundle.templates().names().count(),
                rules = bundle.rules().iter().len(),
                "Templates and rules have changed; the new ones are used from now on."
            );
            bundles.swap(bundle);
            counters.add(Counter::BundlesSwapped);
            gauges.set(Gauge::BundleBroken, 0);
        }
        Err(faults) => {
            tracing::error!(
                faults = faults.0.len(),
                error = %faults.0.first().map(ToString::to_string).unwrap_or_default(),
                "Templates or rules have changed and cannot be used, so the old ones stay. See all faults \
                 with: wxhook render --check"
            );
            bundles.refuse(faults);
            gauges.set(Gauge::BundleBroken, 1);
        }
    }
}
