//! Keeps the list of the addresses from which the platform pushes, for `server.allow_list = ["wechat"]`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::api::Api;
use crate::api::network::CallbackIps;
use crate::clock::{Clock, Timestamp};
use crate::config::{Config, StoreKind};
use crate::http::network::Network;
use crate::http::source::{Callbacks, Sources};
use crate::id::AppId;
use crate::metric::{Counter, Counters};
use crate::store::embedded::write_private;

/// How often the platform is asked: it says itself that once a day is right.
const ASK_EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// When it is asked again after it did not answer.
const ASK_AGAIN: Duration = Duration::from_secs(10 * 60);
/// How soon after a question a push from an unknown address makes us ask once more.
const NOT_BEFORE: Duration = Duration::from_secs(60);

/// The file in the data directory that holds the last good list.
const FILE: &str = "callback-addresses.json";

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    read_at: i64,
    ip_list: Vec<String>,
}

/// Who asks, and where the answer goes.
#[derive(Debug)]
pub(super) struct CallbackAddresses {
    api: Arc<Api>,
    /// Those that have a token; the list is the same for all of them.
    accounts: Vec<AppId>,
    sources: Arc<Sources>,
    clock: Arc<dyn Clock>,
    counters: Arc<Counters>,
    /// `None` where nothing is kept.
    file: Option<PathBuf>,
}

impl CallbackAddresses {
    /// Prepares the upkeep, and takes the list that an earlier process has kept. `None` when the
    /// platform's list is not asked for.
    pub(super) fn prepare(
        config: &Config,
        api: &Arc<Api>,
        sources: &Arc<Sources>,
        clock: &Arc<dyn Clock>,
        counters: &Arc<Counters>,
    ) -> Option<Self> {
        if !sources.allowed().wechat {
            return None;
        }
        let all = config.token_service.is_some();
        let accounts = config
            .accounts
            .values()
            .filter(|account| all || account.app_secret.is_some())
            .map(|account| account.credentials.app_id().clone());
        let keeps = config.store_kind == StoreKind::Embedded;
        let upkeep = Self {
            api: Arc::clone(api),
            accounts: accounts.collect(),
            sources: Arc::clone(sources),
            clock: Arc::clone(clock),
            counters: Arc::clone(counters),
            file: keeps.then(|| config.store.data_dir.join(FILE)),
        };
        upkeep.take_kept();
        Some(upkeep)
    }

    fn take_kept(&self) {
        let Some(path) = &self.file else {
            return;
        };
        match read(path) {
            Ok(Some(callbacks)) => self.sources.learn(callbacks),
            Ok(None) => {}
            Err(error) => tracing::warn!(path = %path.display(), error = %error,
                "The kept list of WeChat's callback addresses cannot be read; it is asked for anew."),
        }
    }

    /// Asks at once, then daily, and sooner when a rightly signed push comes from an unknown address;
    /// until `stop` becomes true or its sender is gone.
    pub(super) async fn keep_up(self, mut stop: watch::Receiver<bool>) {
        loop {
            let pause = if self.ask().await {
                ASK_EVERY
            } else {
                ASK_AGAIN
            };
            let unknown = async {
                tokio::time::sleep(NOT_BEFORE).await;
                self.sources.outdated().await;
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = unknown => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    async fn ask(&self) -> bool {
        let mut problem = "no account has an AppSecret".to_owned();
        for account in &self.accounts {
            let answer = self.api.call(account, &CallbackIps).await;
            match answer.map(|list| list.ip_list) {
                Ok(list) => match networks(&list) {
                    Some(networks) => {
                        self.take(networks, list);
                        return true;
                    }
                    None => problem = "the answer names no address".to_owned(),
                },
                Err(error) => problem = error.to_string(),
            }
        }
        self.counters.add(Counter::AllowListFailures);
        match self.sources.callbacks() {
            Some(kept) => tracing::warn!(
                problem,
                addresses = kept.networks.len(),
                "WeChat did not name its callback addresses; the last list is kept."
            ),
            None => tracing::error!(
                problem,
                "WeChat did not name its callback addresses, and never did: until it does, pushes are taken from \
                 anywhere, by their signature alone."
            ),
        }
        false
    }

    fn take(&self, networks: Vec<Network>, ip_list: Vec<String>) {
        let known = self.sources.callbacks();
        if known.is_none_or(|known| known.networks != networks) {
            tracing::info!(
                addresses = networks.len(),
                "WeChat named the addresses from which it pushes."
            );
        }
        let read_at = self.clock.now();
        self.sources.learn(Callbacks { networks, read_at });
        let kept = Kept {
            read_at: read_at.milliseconds(),
            ip_list,
        };
        if let Some(path) = &self.file
            && let Err(error) = write(path, &kept)
        {
            tracing::warn!(path = %path.display(), error = %error,
                "The list of WeChat's callback addresses is not kept for the next start.");
        }
    }
}

/// The networks of a list, in order; `None` when there is none. What is no network is left out.
fn networks(list: &[String]) -> Option<Vec<Network>> {
    let networks: Vec<Network> = list.iter().filter_map(|text| text.parse().ok()).collect();
    (!networks.is_empty()).then_some(networks)
}

fn read(path: &Path) -> io::Result<Option<Callbacks>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let kept: Kept = serde_json::from_slice(&text).map_err(io::Error::other)?;
    Ok(networks(&kept.ip_list).map(|networks| Callbacks {
        networks,
        read_at: Timestamp::from_milliseconds(kept.read_at),
    }))
}

/// Beside the old one, then in its place: there is always a whole one.
fn write(path: &Path, kept: &Kept) -> io::Result<()> {
    let new = path.with_extension("json.new");
    let text = serde_json::to_vec(kept).map_err(io::Error::other)?;
    write_private(&new, &text)?;
    fs::rename(new, path)
}
