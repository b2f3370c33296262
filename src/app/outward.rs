//! The way out: the API client, and where its tokens come from.

use std::sync::Arc;

use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::limits::open_counter_store;
use super::{StartError, admin_key, system};
use crate::api::{Api, ApiParts};
use crate::clock::Clock;
use crate::config::{AccountSettings, Config, TokenService, TokenStoreKind};
use crate::http::admin::AdminParts;
use crate::metric::Counters;
use crate::platform::Platform;
use crate::platform::skew::ClockSkew;
use crate::quota::{QuotaParts, Quotas};
use crate::store::copies::PlainCopies;
use crate::store::embedded::EmbeddedTokens;
use crate::store::memory_tokens::MemoryTokens;
#[cfg(feature = "mysql")]
use crate::store::mysql::MysqlTokens;
#[cfg(feature = "redis")]
use crate::store::redis::{RedisCopies, RedisTokens};
use crate::store::tokens::Tokens;
use crate::store::usage::TokenUsage;
use crate::token::central::Central;
use crate::token::mint::Tally;
use crate::token::publisher::Publisher;
use crate::token::remote::{RemoteParts, RemoteTokens};
use crate::token::{Keeper, KeeperParts, TokenSource};
use crate::transport::{Dates, HttpTransport, Transport};

/// The API client, and where its tokens come from.
#[derive(Debug)]
pub(super) struct Outward {
    pub(super) api: Arc<Api>,
    /// What its calls are counted against.
    pub(super) quotas: Arc<Quotas>,
    pub(super) sources: Vec<Arc<dyn TokenSource>>,
    /// Those of the sources that ask the platform themselves.
    keepers: Vec<Arc<Keeper>>,
    /// Where plain copies of their tokens are kept.
    copies: Option<Arc<dyn PlainCopies>>,
    /// What the keepers share with other processes; one who asks a token service has none.
    stores: Option<TokenStores>,
    /// How far this machine's clock is off.
    skew: Arc<ClockSkew>,
}

/// One store, for the two things that are kept there.
#[derive(Debug, Clone)]
struct TokenStores {
    tokens: Arc<dyn Tokens>,
    usage: Arc<dyn TokenUsage>,
}

impl TokenStores {
    fn of<T: Tokens + TokenUsage + 'static>(store: Arc<T>) -> Self {
        Self {
            tokens: Arc::clone(&store) as Arc<dyn Tokens>,
            usage: store,
        }
    }
}

#[cfg(feature = "redis")]
fn open_copies(config: &Config) -> Result<Option<Arc<dyn PlainCopies>>, StartError> {
    let Some(publish) = &config.token.publish else {
        return Ok(None);
    };
    let copies = RedisCopies::open(publish.url.expose(), &publish.key)?;
    Ok(Some(Arc::new(copies)))
}

#[cfg(not(feature = "redis"))]
fn open_copies(_config: &Config) -> Result<Option<Arc<dyn PlainCopies>>, StartError> {
    Ok(None)
}

fn open_token_store(config: &Config, clock: &Arc<dyn Clock>) -> Result<TokenStores, StartError> {
    Ok(match &config.token.store {
        TokenStoreKind::Embedded => {
            let data_dir = &config.store.data_dir;
            TokenStores::of(EmbeddedTokens::open(data_dir, clock.clone())?)
        }
        TokenStoreKind::Memory => TokenStores::of(MemoryTokens::new(clock.clone())),
        #[cfg(feature = "redis")]
        TokenStoreKind::Redis(address) => {
            TokenStores::of(Arc::new(RedisTokens::open(address.expose())?))
        }
        #[cfg(feature = "mysql")]
        TokenStoreKind::Mysql(address) => {
            TokenStores::of(Arc::new(MysqlTokens::open(address.expose())?))
        }
    })
}

/// A keeper for each account that has an AppSecret.
fn make_keepers(
    config: &Config,
    platform: &Arc<Platform>,
    store: &Arc<dyn Tokens>,
    clock: &Arc<dyn Clock>,
    (counters, quotas): (&Arc<Counters>, &Arc<Quotas>),
) -> Vec<Arc<Keeper>> {
    let keeper = |account: &AccountSettings| {
        Some(Arc::new(Keeper::new(KeeperParts {
            account: account.credentials.app_id().clone(),
            secret: account.app_secret.clone()?,
            endpoint: account.token_endpoint.unwrap_or(config.token.endpoint),
            store: Arc::clone(store),
            platform: Arc::clone(platform),
            clock: Arc::clone(clock),
            counters: Arc::clone(counters),
            tally: Some(Arc::clone(quotas) as Arc<dyn Tally>),
        })))
    };
    config.accounts.values().filter_map(keeper).collect()
}

/// The service's tokens, of every account.
fn remote_sources(
    config: &Config,
    service: &TokenService,
    transport: &Arc<HttpTransport>,
    clock: &Arc<dyn Clock>,
) -> Vec<Arc<dyn TokenSource>> {
    let source = |account: &AccountSettings| {
        Arc::new(RemoteTokens::new(RemoteParts {
            account: account.credentials.app_id().clone(),
            service: service.url.clone(),
            key: service.key.clone(),
            transport: Arc::clone(transport) as Arc<dyn Transport>,
            clock: Arc::clone(clock),
        })) as Arc<dyn TokenSource>
    };
    config.accounts.values().map(source).collect()
}

impl Outward {
    /// Puts the parts together. One who asks a token service keeps no tokens, and opens no store.
    pub(super) fn new(
        config: &Config,
        clock: &Arc<dyn Clock>,
        counters: &Arc<Counters>,
    ) -> Result<Self, StartError> {
        let skew = Arc::new(ClockSkew::new(Arc::clone(clock)));
        let dates = Arc::clone(&skew) as Arc<dyn Dates>;
        let transport = HttpTransport::telling_dates(&config.transport, dates)?;
        let platform = Arc::new(Platform::new(
            Arc::clone(&transport) as Arc<dyn Transport>,
            Arc::clone(&config.hosts),
            Arc::clone(clock),
        ));
        let stores = match &config.token_service {
            Some(_) => None,
            None => Some(open_token_store(config, clock)?),
        };
        let quotas = Arc::new(Quotas::new(QuotaParts {
            store: open_counter_store(config, clock)?,
            clock: Arc::clone(clock),
            counters: Arc::clone(counters),
            settings: config.quota.quotas.clone(),
        }));
        let (keepers, sources) = match (&config.token_service, &stores) {
            (Some(service), _) => (
                Vec::new(),
                remote_sources(config, service, &transport, clock),
            ),
            (None, None) => (Vec::new(), Vec::new()),
            (None, Some(stores)) => {
                let keepers = make_keepers(
                    config,
                    &platform,
                    &stores.tokens,
                    clock,
                    (counters, &quotas),
                );
                let source = |keeper: &Arc<Keeper>| Arc::clone(keeper) as Arc<dyn TokenSource>;
                let sources = keepers.iter().map(source).collect();
                (keepers, sources)
            }
        };
        let api = Api::new(ApiParts {
            platform,
            sources: sources.clone(),
            tickets: stores.as_ref().map(|stores| Arc::clone(&stores.tokens)),
            clock: Arc::clone(clock),
            quotas: Some(Arc::clone(&quotas)),
            settings: config.api.clone(),
        });
        Ok(Self {
            api: Arc::new(api),
            quotas,
            sources,
            keepers,
            copies: open_copies(config)?,
            stores,
            skew,
        })
    }

    /// Has the keepers look after their tokens until `stop` says so.
    pub(super) fn look_after_tokens(&self, stop: &watch::Receiver<bool>, runtime: &Runtime) {
        for keeper in &self.keepers {
            if let Some(copies) = &self.copies {
                let publisher = Publisher::new(Arc::clone(keeper), Arc::clone(copies));
                runtime.spawn(publisher.run(stop.clone()));
            }
            let (keeper, stop) = (Arc::clone(keeper), stop.clone());
            runtime.spawn(async move { keeper.run(stop).await });
        }
    }

    fn central(&self, config: &Config, clock: &Arc<dyn Clock>, runtime: &Runtime) -> Central {
        let named = |(name, account): (&String, &AccountSettings)| {
            (name.clone(), account.credentials.app_id().clone())
        };
        let names = config.accounts.iter().map(named).collect();
        let (sources, clock) = (self.sources.clone(), Arc::clone(clock));
        let central = Central::new(sources, names, clock, runtime.handle().clone());
        let central = central.comparing_clocks(Arc::clone(&self.skew));
        match &self.stores {
            Some(stores) => central.counting_in(Arc::clone(&stores.usage)),
            None => central,
        }
    }

    /// The parts of an admin listener.
    pub(super) fn admin_parts(
        &self,
        config: &Config,
        clock: &Arc<dyn Clock>,
        counters: &Arc<Counters>,
        runtime: &Runtime,
    ) -> Result<AdminParts, StartError> {
        let key = admin_key::find_or_make(config).map_err(system("making the admin key"))?;
        Ok(AdminParts {
            pushes: None,
            central: self.central(config, clock, runtime),
            api: Arc::clone(&self.api),
            origins: config.js_origins.clone(),
            clock: Arc::clone(clock),
            counters: Arc::clone(counters),
            key,
            clients: config.clients.clone(),
        })
    }
}
