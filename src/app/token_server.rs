//! A server that only keeps tokens: the admin listener, and no pushes.

use std::fs::DirBuilder;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::sync::Arc;

use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::signals::hang_ups;
use super::{Exit, Outward, Signals, StartError, engine_runtime, system};
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, Handed, StoreKind};
use crate::http::admin::Admin;
use crate::http::server::{AdminListener, RunningAdmin};
use crate::metric::Counters;

/// The token service alone, running: no webhook, no store of pushes, no handlers.
#[derive(Debug)]
pub struct TokenServer {
    admin: Arc<Admin>,
    running: RunningAdmin,
    /// Ends the keepers' own work, by its word or its end.
    stop_keepers: watch::Sender<bool>,
    admin_address: SocketAddr,
    runtime: Runtime,
}

impl TokenServer {
    /// Starts it, on a listener that was handed over or one of its own. Must not be called within a tokio runtime.
    ///
    /// # Errors
    /// [`StartError`] says what did not start.
    pub fn start(config: &Config, handed: Handed) -> Result<Self, StartError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let counters = Arc::new(Counters::default());
        let listener = AdminListener::bind(&config.http, handed.admin)?;
        let admin_address = listener
            .address()
            .map_err(system("reading a listener's address"))?;
        if config.store_kind == StoreKind::Embedded && config.admin_key.is_none() {
            // The admin key is kept there.
            let made = DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&config.store.data_dir);
            made.map_err(system("making the data directory"))?;
        }
        let runtime = engine_runtime()?;
        let outward = Outward::new(config, &clock, &counters)?;
        let parts = outward.admin_parts(config, &clock, &counters, &runtime)?;
        let admin = Arc::new(Admin::new(parts));
        let running = listener.serve(Arc::clone(&admin))?;
        let (stop_keepers, stopped) = watch::channel(false);
        outward.look_after_tokens(&stopped, &runtime);
        tracing::info!(
            admin_listen = %admin_address,
            accounts = outward.sources.len(),
            clients = config.clients.len(),
            "wxhook is ready for those who ask for tokens."
        );
        Ok(Self {
            admin,
            running,
            stop_keepers,
            admin_address,
            runtime,
        })
    }

    /// Where it listens.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin_address
    }

    /// Waits until the process is told to stop (SIGINT, SIGTERM), and stops.
    ///
    /// # Errors
    /// When the signals cannot be listened for.
    pub fn run(self) -> std::io::Result<Exit> {
        let Self {
            admin,
            mut running,
            stop_keepers,
            runtime,
            ..
        } = self;
        runtime.block_on(async {
            let mut signals = Signals::listen()?;
            // It holds no secret that changes without a restart; whoever asks all servers to read their
            // configuration again must not end this one.
            let _unused = hang_ups()?;
            let signal = signals.next().await;
            tracing::info!(signal, "Stopping: what is in hand is answered.");
            admin.stopping();
            let exit = tokio::select! {
                () = running.stop() => Exit::Clean,
                _ = signals.next() => Exit::SecondSignal,
            };
            admin.store_uses().await;
            // Whoever is answered may need a renewal, so the keepers end last. They may have already.
            let _ = stop_keepers.send(true);
            Ok(exit)
        })
    }

    /// Stops now.
    pub fn stop(mut self) {
        self.admin.stopping();
        self.runtime.block_on(async {
            self.running.stop().await;
            self.admin.store_uses().await;
        });
    }
}
