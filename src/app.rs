//! Start order, stop order, exit reasons: the only place that knows everything.
//!
//! Start: bind the listeners, so that a wrong address is known first; open the store, which may have
//! to recover; start the engine; only then answer requests. Stop (promise 9): not ready → claim no
//! more → wait for handlers *while pushes are still stored and acknowledged* → stop accepting → answer
//! what is in hand → close the store.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::api::message::{Typing, TypingCommand};
use crate::api::{Api, CallError, Delivery};
use crate::clock::{Clock, SystemClock};
use crate::config::{AccountSettings, ComponentSettings, Config, Handed, StoreKind, Watch};
use crate::dispatch::passive::{PASSIVE_WAITING, PassiveDesk, PassiveTerms};
use crate::dispatch::{
    Accounts, Courier, Engine, EngineError, EngineParts, Replays, Routes, SharedWindows, Stopped,
};
use crate::http::admin::{Admin, AdminParts, Pushes};
use crate::http::webhook::{Account, Role, Webhook};
use crate::http::{Listeners, Running};
use crate::id::{AppId, OpenId};
use crate::metric::{Counters, Gauges};
use crate::store::embedded::Embedded;
use crate::store::memory::MemoryInbox;
use crate::store::{Health, Inbox};
use crate::transport::SetupError;

mod admin_key;
mod aside;
mod callback_addresses;
mod descriptors;
mod direct;
mod limits;
pub mod logging;
mod outward;
mod reload;
mod signals;
mod swap;
mod token_server;

pub(crate) use admin_key::find as find_admin_key;
use callback_addresses::CallbackAddresses;
pub(crate) use direct::Direct;
use outward::Outward;
pub(crate) use signals::Signals;
pub use token_server::TokenServer;

/// How the server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Asked to stop, and nothing was left in hand: exit code 0.
    Clean,
    /// Asked to stop; some handlers or sends did not end within the grace and run again, or are
    /// unknown, after the next start: exit code 3.
    GraceExpired,
    /// Asked to stop a second time: exit code 4. What was acknowledged is stored.
    SecondSignal,
    /// The store failed: exit code 5. What was acknowledged is stored; the log says what to do.
    StoreFailed,
}

impl Exit {
    /// The process's exit code.
    pub fn code(self) -> ExitCode {
        ExitCode::from(match self {
            Self::Clean => 0,
            Self::GraceExpired => 3,
            Self::SecondSignal => 4,
            Self::StoreFailed => 5,
        })
    }
}

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A listener.
    #[error(transparent)]
    Listen(#[from] crate::http::server::ListenError),
    /// The store.
    #[error(transparent)]
    Store(#[from] crate::store::embedded::OpenError),
    /// The address of the Redis server that keeps the tokens.
    #[cfg(feature = "redis")]
    #[error(transparent)]
    Redis(#[from] crate::store::redis::AddressError),
    /// Where plain copies of the tokens are kept.
    #[cfg(feature = "redis")]
    #[error(transparent)]
    Copies(#[from] crate::store::redis::CopiesError),
    /// The address of the MySQL server that keeps the tokens.
    #[cfg(feature = "mysql")]
    #[error(transparent)]
    Mysql(#[from] crate::store::mysql::AddressError),
    /// Templates or rules.
    #[error(transparent)]
    Bundle(crate::template::Faults),
    /// The client of the platform.
    #[error(transparent)]
    Transport(#[from] SetupError),
    /// The handlers' threads.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A thread, a runtime, the admin key's file.
    #[error("{what}: {source}")]
    System {
        /// What was being done.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

fn system(what: &'static str) -> impl FnOnce(std::io::Error) -> StartError {
    move |source| StartError::System { what, source }
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    parts: Stoppable,
    webhook: Arc<Webhook>,
    counters: Arc<Counters>,
    clock: Arc<dyn Clock>,
    webhook_address: SocketAddr,
    admin_address: SocketAddr,
    runtime: Runtime,
}

fn open_store(config: &Config, clock: &Arc<dyn Clock>) -> Result<Arc<dyn Inbox>, StartError> {
    Ok(match config.store_kind {
        StoreKind::Embedded => Embedded::open(config.store.clone(), Arc::clone(clock))?,
        StoreKind::Memory => MemoryInbox::new(Arc::clone(clock)),
    })
}

fn make_webhook(
    config: &Config,
    inbox: &Arc<dyn Inbox>,
    clock: &Arc<dyn Clock>,
    counters: Arc<Counters>,
    passive: Option<Arc<PassiveDesk>>,
) -> Arc<Webhook> {
    let served = |(name, account): (&String, &AccountSettings)| Account {
        name: name.clone(),
        credentials: account.credentials.clone(),
        paths: account.paths.clone(),
        role: Role::Account,
        passive: account.passive,
        release_check: false,
    };
    let component = |(name, component): (&String, &ComponentSettings)| Account {
        name: name.clone(),
        credentials: component.credentials.clone(),
        paths: vec![format!("/component/{name}")],
        role: Role::Component,
        passive: PassiveTerms::default(),
        release_check: component.release_check,
    };
    let accounts = config.accounts.iter().map(served);
    let accounts = accounts.chain(config.components.iter().map(component));
    let accounts = accounts.collect();
    let (inbox, clock) = (Arc::clone(inbox), Arc::clone(clock));
    Arc::new(Webhook::new(
        accounts,
        &config.http,
        inbox,
        clock,
        counters,
        passive,
    ))
}

/// Where requests wait for their handlers, if an account or a route wants that.
fn passive_desk(config: &Config, routes: &Routes) -> Option<Arc<PassiveDesk>> {
    let routes = routes.longest_passive();
    let accounts = config.accounts.values();
    let is_wanted = accounts
        .map(|account| account.passive.within)
        .any(|within| !within.is_zero());
    (is_wanted || !routes.is_zero()).then(|| PassiveDesk::new(PASSIVE_WAITING, routes))
}

/// Sends the engine's messages through the API client.
#[derive(Debug)]
pub(crate) struct ApiCourier(pub(crate) Arc<Api>);

impl Courier for ApiCourier {
    fn deliver(&self, account: &AppId, message: Bytes) -> BoxFuture<'static, Delivery> {
        let (api, account) = (Arc::clone(&self.0), account.clone());
        Box::pin(async move { api.deliver(&account, message).await })
    }

    fn show_typing(
        &self,
        account: &AppId,
        user: &OpenId,
        command: TypingCommand,
    ) -> BoxFuture<'static, Result<(), CallError>> {
        let (api, account) = (Arc::clone(&self.0), account.clone());
        let touser = user.clone();
        Box::pin(async move {
            let typing = Typing { touser, command };
            api.show_typing(&account, &typing).await
        })
    }
}

/// The names of all that receive: a component's pushes are its own.
fn accounts(config: &Config) -> Accounts {
    let accounts = config.accounts.iter();
    let accounts = accounts.map(|(name, account)| (&account.credentials, name));
    let components = config.components.iter();
    let components = components.map(|(name, component)| (&component.credentials, name));
    let all = accounts.chain(components);
    Accounts::named(all.map(|(credentials, name)| (credentials.app_id().clone(), name.as_str())))
}

/// The runtime of everything that goes out.
fn engine_runtime() -> Result<Runtime, StartError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("wxhook-engine")
        .enable_all()
        .build()
        .map_err(system("starting the engine"))
}

/// The engine's task, and the two ends of its life.
#[derive(Debug)]
struct EngineTask {
    replays: Replays,
    windows: SharedWindows,
    stop: watch::Sender<bool>,
    done: tokio::task::JoinHandle<Result<Stopped, EngineError>>,
}

fn start_engine(
    config: &Config,
    engine: Engine,
    outward: &Outward,
    runtime: &Runtime,
) -> EngineTask {
    let (replays, windows) = (engine.replays(), engine.windows());
    let (stop, stopped) = watch::channel(false);
    // Messages in hand are sent after the word to stop: a keeper renews until all of them are.
    let (done_sending, all_sent) = watch::channel(false);
    outward.look_after_tokens(&all_sent, runtime);
    limits::look_after(config, (&outward.api, &outward.quotas), &all_sent, runtime);
    let quotas = Arc::clone(&outward.quotas);
    let done = runtime.spawn(async move {
        let stopped = engine.run(stopped).await;
        // The keepers may have ended by themselves.
        let _ = done_sending.send(true);
        quotas.close().await;
        stopped
    });
    EngineTask {
        replays,
        windows,
        stop,
        done,
    }
}

/// What an operator wants to see in the first lines of a log.
fn announce(config: &Config, server: &Server) {
    for (name, account) in &config.accounts {
        tracing::info!(
            account = %name,
            app_id = %account.credentials.app_id(),
            mode = account.credentials.mode().name(),
            paths = account.paths.join(" "),
            replies = account.app_secret.is_some() || config.token_service.is_some(),
            "An account is served."
        );
    }
    for (name, component) in &config.components {
        tracing::info!(
            component = %name,
            app_id = %component.credentials.app_id(),
            path = format!("/component/{name}"),
            "A third-party platform's pushes are received."
        );
    }
    tracing::info!(
        listen = %server.webhook_address,
        admin_listen = %server.admin_address,
        durability = server.parts.inbox.durability(),
        "wxhook is ready for pushes."
    );
}

impl Server {
    /// Starts everything. Blocks while the store recovers; must not be called within a tokio runtime.
    ///
    /// # Errors
    /// [`StartError`] says what did not start.
    pub fn start(config: Config, routes: Routes) -> Result<Self, StartError> {
        Self::start_on(config, routes, Handed::default())
    }

    /// The same, on listeners that a supervisor holds as well, so that none is refused while it starts.
    ///
    /// # Errors
    /// [`StartError`] says what did not start.
    pub fn start_on(config: Config, routes: Routes, handed: Handed) -> Result<Self, StartError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let counters = Arc::new(Counters::default());
        descriptors::make_room(config.http.max_connections);
        let listeners = Listeners::bind_rest(&config.http, handed.public, handed.admin)?;
        let address = system("reading a listener's address");
        let (webhook_address, admin_address) = listeners.addresses().map_err(address)?;
        let opened = swap::open(&config.bundle)?;
        let bundles = opened.bundles.clone();
        let inbox = open_store(&config, &clock)?;
        let runtime = engine_runtime()?;
        let outward = Outward::new(&config, &clock, &counters)?;
        let admin = outward.admin_parts(&config, &clock, &counters, &runtime)?;
        let passive = passive_desk(&config, &routes);
        let engine = Engine::new(EngineParts {
            inbox: Arc::clone(&inbox),
            courier: Arc::new(ApiCourier(Arc::clone(&outward.api))),
            routes,
            bundles: bundles.clone(),
            accounts: accounts(&config).calling(Api::clone(&outward.api), runtime.handle().clone()),
            clock: Arc::clone(&clock),
            counters: Arc::clone(&counters),
            settings: config.dispatch.clone(),
            passive: passive.clone(),
        })?;
        let engine = start_engine(&config, engine, &outward, &runtime);
        let gauges = Arc::new(Gauges::default());
        runtime.spawn(aside::watch_over(
            Arc::clone(&inbox),
            Arc::clone(&gauges),
            config.store.dead_cap,
            engine.stop.subscribe(),
        ));
        runtime.spawn(swap::watch_over(
            opened,
            config.bundle.clone(),
            (Arc::clone(&counters), Arc::clone(&gauges)),
            engine.stop.subscribe(),
        ));
        let webhook = make_webhook(&config, &inbox, &clock, Arc::clone(&counters), passive);
        let sources = webhook.sources();
        if let Some(upkeep) =
            CallbackAddresses::prepare(&config, &outward.api, sources, &clock, &counters)
        {
            runtime.spawn(upkeep.keep_up(engine.stop.subscribe()));
        }
        let admin = Arc::new(Admin::new(AdminParts {
            pushes: Some(Pushes {
                bundles,
                sources: Arc::clone(sources),
                inbox: Arc::clone(&inbox),
                replays: engine.replays.clone(),
                windows: engine.windows.clone(),
                gauges: Arc::clone(&gauges),
            }),
            ..admin
        }));
        let running = listeners.serve(&config.http, Arc::clone(&webhook), Arc::clone(&admin))?;
        let server = Self {
            parts: Stoppable {
                inbox,
                admin,
                running,
                engine,
            },
            webhook,
            counters,
            clock,
            webhook_address,
            admin_address,
            runtime,
        };
        announce(&config, &server);
        Ok(server)
    }

    /// From now on changed Tokens and EncodingAESKeys hold without a restart: the configuration is read
    /// again on SIGHUP, and when one of its files changed.
    ///
    /// # Errors
    /// When the signal cannot be listened for.
    pub fn follow(&self, watch: Watch) -> std::io::Result<()> {
        let _entered = self.runtime.enter();
        let hang_up = signals::hang_ups()?;
        let told = reload::Told {
            webhook: Arc::clone(&self.webhook),
            admin: Arc::clone(&self.parts.admin),
            counters: Arc::clone(&self.counters),
            clock: Arc::clone(&self.clock),
        };
        let stop = self.parts.engine.stop.subscribe();
        self.runtime
            .spawn(reload::follow(watch, hang_up, told, stop));
        Ok(())
    }

    /// Where pushes are awaited.
    pub fn webhook_address(&self) -> SocketAddr {
        self.webhook_address
    }

    /// Where operators and probes are awaited.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin_address
    }

    /// The store.
    pub fn inbox(&self) -> &Arc<dyn Inbox> {
        &self.parts.inbox
    }

    /// Waits until the process is told to stop (SIGINT, SIGTERM) or must, and stops.
    ///
    /// # Errors
    /// When the signals cannot be listened for.
    pub fn run(self) -> std::io::Result<Exit> {
        let Self {
            mut parts, runtime, ..
        } = self;
        runtime.block_on(async { Ok(parts.until_stopped(Signals::listen()?).await) })
    }

    /// Stops now, in the order of a stop.
    pub fn stop(self) -> Exit {
        let Self {
            mut parts, runtime, ..
        } = self;
        runtime.block_on(parts.stop())
    }
}

/// What a stop ends, in the order in which it does.
#[derive(Debug)]
struct Stoppable {
    inbox: Arc<dyn Inbox>,
    admin: Arc<Admin>,
    running: Running,
    engine: EngineTask,
}

impl Stoppable {
    /// Waits for the first reason to stop, and stops.
    async fn until_stopped(&mut self, mut signals: Signals) -> Exit {
        let mut health = self.inbox.health();
        let failed =
            health.wait_for(|health| matches!(health, Health::Poisoned(_) | Health::Closed));
        tokio::select! {
            signal = signals.next() => {
                tracing::info!(signal, "Stopping: handlers in hand are finished, pushes are still stored.");
                tokio::select! {
                    exit = self.stop() => exit,
                    signal = signals.next() => {
                        tracing::warn!(signal, "Asked a second time: ending at once.");
                        Exit::SecondSignal
                    }
                }
            }
            _ = failed => {
                self.store_failed().await
            }
            ended = &mut self.engine.done => {
                tracing::error!(outcome = ?ended, "The engine ended by itself.");
                self.store_failed().await
            }
        }
    }

    async fn stop(&mut self) -> Exit {
        self.admin.stopping();
        self.running.stopping();
        // Nobody listens any more only if the engine has ended already.
        let _ = self.engine.stop.send(true);
        let stopped = (&mut self.engine.done).await;
        self.running.stop_public().await;
        self.inbox.close().await;
        self.running.stop_admin().await;
        self.admin.store_uses().await;
        match stopped {
            Ok(Ok(Stopped { clean: true, .. })) => {
                tracing::info!("Stopped; nothing was left in hand.");
                Exit::Clean
            }
            Ok(Ok(stopped)) => {
                tracing::warn!(
                    running = stopped.running,
                    "The grace expired; what was in hand runs again after the next start."
                );
                Exit::GraceExpired
            }
            Ok(Err(error)) => {
                tracing::error!(error = %error, "The engine failed.");
                Exit::StoreFailed
            }
            Err(error) => {
                tracing::error!(error = %error, "The engine ended by a panic.");
                Exit::StoreFailed
            }
        }
    }

    /// What the disk holds is not known any more: nothing is acknowledged, nothing is waited for.
    async fn store_failed(&mut self) -> Exit {
        let health = self.inbox.health().borrow().clone();
        tracing::error!(
            health = ?health,
            "The store failed, so this process ends. Nothing was acknowledged that is not stored. \
             Look at the disk; the next start verifies the store before it is ready."
        );
        self.admin.stopping();
        self.running.stop_public().await;
        Exit::StoreFailed
    }
}
