//! The way out for a command, where no server runs: the same parts, for as long as the command lasts.

use std::sync::Arc;

use tokio::runtime::Handle;

use super::{Outward, StartError};
use crate::api::Api;
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, StoreKind};
use crate::metric::Counters;
use crate::quota::Quotas;
use crate::store::embedded::DirectoryLock;

/// The API client of a command. It holds the data directory: a server must not count quotas and keep
/// tokens there meanwhile.
#[derive(Debug)]
pub(crate) struct Direct {
    pub(crate) api: Api,
    quotas: Arc<Quotas>,
    _held: Option<DirectoryLock>,
}

impl Direct {
    /// Puts the parts together. Calls nobody.
    ///
    /// # Errors
    /// [`StartError`]; that the directory is held tells by whom.
    pub(crate) fn open(config: &Config, runtime: &Handle) -> Result<Self, StartError> {
        let _held = match config.store_kind {
            StoreKind::Embedded => Some(DirectoryLock::hold(&config.store.data_dir)?),
            StoreKind::Memory => None,
        };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let _inside = runtime.enter();
        let outward = Outward::new(config, &clock, &Arc::new(Counters::default()))?;
        Ok(Self {
            api: Api::clone(&outward.api),
            quotas: outward.quotas,
            _held,
        })
    }

    /// Gives back what was reserved of quotas and not used: the counts are exact for whoever comes next.
    pub(crate) async fn close(&self) {
        self.quotas.close().await;
    }
}
