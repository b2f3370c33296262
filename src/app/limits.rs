//! The platform's limits beside the calls: where counts are kept, and what is done about them in time.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::StartError;
use crate::api::Api;
use crate::clock::Clock;
use crate::config::{AccountSettings, Config, CounterStoreKind};
use crate::id::AppId;
use crate::quota::Quotas;
use crate::store::counters::Counters;
use crate::store::embedded::EmbeddedCounters;
use crate::store::memory_counters::MemoryCounters;
#[cfg(feature = "redis")]
use crate::store::redis::RedisCounters;

/// How long a start waits for what was counted before.
const LOAD_LIMIT: Duration = Duration::from_secs(2);

/// How often it is looked whether something is due.
const LOOK: Duration = Duration::from_secs(5);

/// Opens the store of counts; one that is on another machine is not connected to yet.
pub(super) fn open_counter_store(
    config: &Config,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<dyn Counters>, StartError> {
    Ok(match &config.quota.store {
        CounterStoreKind::Embedded => {
            EmbeddedCounters::open(&config.store.data_dir, Arc::clone(clock))?
        }
        CounterStoreKind::Memory => MemoryCounters::new(Arc::clone(clock)),
        #[cfg(feature = "redis")]
        CounterStoreKind::Redis(address) => Arc::new(RedisCounters::open(address.expose())?),
    })
}

/// Finds what was counted before, and looks after the limits until `stop` says so.
pub(super) fn look_after(
    config: &Config,
    (api, quotas): (&Arc<Api>, &Arc<Quotas>),
    stop: &watch::Receiver<bool>,
    runtime: &Runtime,
) {
    let app_id = |account: &AccountSettings| account.credentials.app_id().clone();
    let accounts: Vec<AppId> = config.accounts.values().map(app_id).collect();
    let loaded = runtime.block_on(async {
        let loading = quotas.load(&accounts);
        tokio::time::timeout(LOAD_LIMIT, loading).await
    });
    match loaded {
        Ok(Ok(())) => tracing::debug!("What was counted before this start is known."),
        Ok(Err(error)) => tracing::warn!(error = %error,
            "What was counted before this start is not known yet; it is found with the first calls."),
        Err(_elapsed) => tracing::warn!(
            "The store of counts does not answer; what was counted before is found with the first calls."
        ),
    }
    let (api, mut stop) = (Api::clone(api), stop.clone());
    runtime.spawn(async move {
        loop {
            let look = async {
                tokio::time::sleep(LOOK).await;
                api.look_after_limits().await;
            };
            tokio::select! {
                () = look => {}
                // Without anybody to say stop, there is nobody to work for.
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    });
}
