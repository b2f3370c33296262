//! Starts and stops the two listeners.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::http::ConnectionType;
use actix_web::{App, HttpRequest, HttpServer, rt, web};

use super::Settings;
use super::admin::Admin;
use super::webhook::Webhook;
use crate::store::Desk;

/// Why a listener did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The address cannot be had.
    #[error(
        "{key} = {address}: cannot listen there: {source}; choose another address or stop who holds it"
    )]
    Bind {
        /// The setting.
        key: &'static str,
        /// Its value.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The server's thread ended before it was ready.
    #[error("the HTTP server did not start: {0}")]
    Start(io::Error),
}

/// Listeners that are bound but not yet served.
#[derive(Debug)]
pub struct Listeners {
    webhook: TcpListener,
    admin: TcpListener,
}

impl Listeners {
    /// Binds both addresses, so that a wrong one is known before anything else is started.
    ///
    /// # Errors
    /// [`ListenError::Bind`] names the setting and the address.
    pub fn bind(settings: &Settings) -> Result<Self, ListenError> {
        Self::bind_rest(settings, None, None)
    }

    /// The same, with listeners that are open already in the place of their addresses.
    ///
    /// # Errors
    /// As [`Listeners::bind`].
    pub fn bind_rest(
        settings: &Settings,
        public: Option<TcpListener>,
        admin: Option<TcpListener>,
    ) -> Result<Self, ListenError> {
        Ok(Self {
            webhook: listener(public, "server.listen", settings.listen)?,
            admin: listener(admin, "admin.listen", settings.admin_listen)?,
        })
    }

    /// The addresses of the public and of the admin listener.
    ///
    /// # Errors
    /// What the system says when it does not know a socket.
    pub fn addresses(&self) -> io::Result<(SocketAddr, SocketAddr)> {
        Ok((self.webhook.local_addr()?, self.admin.local_addr()?))
    }

    /// Serves both listeners on threads of their own.
    ///
    /// # Errors
    /// [`ListenError::Start`] when actix does not take a listener.
    pub fn serve(
        self,
        settings: &Settings,
        webhook: Arc<Webhook>,
        admin: Arc<Admin>,
    ) -> Result<Running, ListenError> {
        let stopping = Arc::new(AtomicBool::new(false));
        let public = serve_webhook(self.webhook, settings, webhook, Arc::clone(&stopping))?;
        let admin = serve_admin(self.admin, admin)?;
        Ok(Running {
            public,
            admin,
            stopping,
        })
    }
}

/// The open one, or a new one.
fn listener(
    open: Option<TcpListener>,
    key: &'static str,
    address: SocketAddr,
) -> Result<TcpListener, ListenError> {
    if let Some(open) = open {
        return Ok(open);
    }
    TcpListener::bind(address).map_err(|source| ListenError::Bind {
        key,
        address,
        source,
    })
}

/// The admin listener alone, bound but not yet served: of a server that only keeps tokens.
#[derive(Debug)]
pub struct AdminListener(TcpListener);

impl AdminListener {
    /// Takes the open one, or binds the address.
    ///
    /// # Errors
    /// [`ListenError::Bind`] names the setting and the address.
    pub fn bind(settings: &Settings, open: Option<TcpListener>) -> Result<Self, ListenError> {
        listener(open, "admin.listen", settings.admin_listen).map(Self)
    }

    /// The address.
    ///
    /// # Errors
    /// What the system says when it does not know a socket.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Serves it on a thread of its own.
    ///
    /// # Errors
    /// [`ListenError::Start`] when actix does not take the listener.
    pub fn serve(self, admin: Arc<Admin>) -> Result<RunningAdmin, ListenError> {
        serve_admin(self.0, admin).map(RunningAdmin)
    }
}

/// The admin listener, being served.
#[derive(Debug)]
pub struct RunningAdmin(Served);

impl RunningAdmin {
    /// Answers what is in hand, and closes.
    pub async fn stop(&mut self) {
        self.0.stop().await;
    }
}

/// Both listeners, being served.
#[derive(Debug)]
pub struct Running {
    public: Served,
    admin: Served,
    stopping: Arc<AtomicBool>,
}

impl Running {
    /// A stop has begun: every answer from now on ends its connection, so that a proxy's idle ones are
    /// not cut off in the end while it sends on them.
    pub fn stopping(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Stops accepting on the public listener, answers what is in hand, closes.
    pub async fn stop_public(&mut self) {
        self.stopping();
        // What was accepted and has not reached its worker yet would be dropped by a stop.
        self.public.handle.pause().await;
        tokio::time::sleep(HAND_OVER).await;
        self.public.stop().await;
    }

    /// Stops the admin listener, the last thing that answers.
    pub async fn stop_admin(&mut self) {
        self.admin.stop().await;
    }
}

#[derive(Debug)]
struct Served {
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    async fn stop(&mut self) {
        self.handle.stop(true).await;
        if let Some(thread) = self.thread.take() {
            // The server has stopped, so its thread is about to end.
            drop(thread.join());
        }
    }
}

/// How long the head of a connection's first request may take; actix stops counting when it has it.
const HEAD_LIMIT: Duration = Duration::from_secs(6);
/// After a stop, requests in hand have so long.
const SHUTDOWN_SECONDS: u64 = 6;
/// Accepted connections have reached their workers after so long.
const HAND_OVER: Duration = Duration::from_millis(200);
/// An idle connection is kept so long: longer than the pauses between a user's messages matter.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// The open connections of the public listener.
#[derive(Debug)]
struct Connections {
    open: AtomicUsize,
    scarce_from: usize,
}

/// One of them, for as long as it is open.
#[derive(Debug)]
struct Connection(Arc<Connections>);

impl Connections {
    fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            open: AtomicUsize::new(0),
            scarce_from: most - most / 4,
        })
    }

    fn one_more(self: &Arc<Self>) -> Connection {
        self.open.fetch_add(1, Ordering::Relaxed);
        Connection(Arc::clone(self))
    }

    /// Whether there are so many that none should be kept for a next request: idle ones must not keep
    /// pushes out.
    fn are_scarce(&self) -> bool {
        self.open.load(Ordering::Relaxed) >= self.scarce_from
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

fn serve_webhook(
    listener: TcpListener,
    settings: &Settings,
    webhook: Arc<Webhook>,
    stopping: Arc<AtomicBool>,
) -> Result<Served, ListenError> {
    let workers = match settings.workers {
        0 => std::thread::available_parallelism().map_or(2, usize::from),
        workers => workers,
    };
    let connections = settings.max_connections.div_ceil(workers);
    // Whoever hangs up while its request waits for a handler takes no answer any more.
    let waits = webhook.waits();
    let open = Connections::new(settings.max_connections);
    start("wxhook-webhook", move || {
        let counted = Arc::clone(&open);
        let server = HttpServer::new(move || {
            let desk = Desk::new();
            rt::spawn(desk.clone().serve());
            let (webhook, stopping) = (Arc::clone(&webhook), Arc::clone(&stopping));
            let open = Arc::clone(&open);
            let answer = move |request: HttpRequest, payload: web::Payload| {
                let (webhook, desk) = (Arc::clone(&webhook), desk.clone());
                let (stopping, open) = (Arc::clone(&stopping), Arc::clone(&open));
                async move {
                    let mut answer = webhook.answer(&request, payload, &desk).await;
                    if stopping.load(Ordering::Relaxed) || open.are_scarce() {
                        answer.head_mut().set_connection_type(ConnectionType::Close);
                    }
                    answer
                }
            };
            App::new().default_service(web::to(answer))
        });
        server
            .workers(workers)
            .max_connections(connections)
            .on_connect(move |_, data| drop(data.insert(counted.one_more())))
            .client_request_timeout(HEAD_LIMIT)
            .keep_alive(KEEP_ALIVE)
            .h1_allow_half_closed(!waits)
            .shutdown_timeout(SHUTDOWN_SECONDS)
            .disable_signals()
            .listen(listener)
            .map(HttpServer::run)
    })
}

fn serve_admin(listener: TcpListener, admin: Arc<Admin>) -> Result<Served, ListenError> {
    start("wxhook-admin", move || {
        HttpServer::new(move || {
            let admin = Arc::clone(&admin);
            let answer = move |request: HttpRequest, payload: web::Payload| {
                let admin = Arc::clone(&admin);
                async move { admin.receive(&request, payload).await }
            };
            App::new().default_service(web::to(answer))
        })
        .workers(1)
        .shutdown_timeout(1)
        .disable_signals()
        .listen(listener)
        .map(HttpServer::run)
    })
}

/// Runs one server on a thread with a runtime of its own, and waits until it listens.
fn start(
    name: &str,
    build: impl FnOnce() -> io::Result<actix_web::dev::Server> + Send + 'static,
) -> Result<Served, ListenError> {
    let (ready, started) = sync_channel(1);
    let run = move || {
        rt::System::new().block_on(async move {
            match build() {
                Ok(server) => {
                    let told = ready.send(Ok(server.handle()));
                    if told.is_ok()
                        && let Err(error) = server.await
                    {
                        tracing::error!(error = %error, "A listener ended with an error.");
                    }
                }
                // Whoever started us is still waiting, or does not care any more.
                Err(error) => drop(ready.send(Err(error))),
            }
        });
    };
    let thread = std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map_err(ListenError::Start)?;
    match started.recv() {
        Ok(Ok(handle)) => Ok(Served {
            handle,
            thread: Some(thread),
        }),
        Ok(Err(error)) => Err(ListenError::Start(error)),
        Err(_) => Err(ListenError::Start(io::Error::other(
            "its thread ended early",
        ))),
    }
}
