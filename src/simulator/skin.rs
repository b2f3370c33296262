//! The simulated platform behind a real socket: carries out what the state machine decides, the
//! resets, delays and half answers included, and lets other processes look inside.
//!
//! Everything under `/simulator/` is ours, not WeChat's:
//!
//! | call | does |
//! |---|---|
//! | `GET /simulator/status` | tells how many deliveries and calls there were |
//! | `GET /simulator/deliveries?after=N&openid=X&limit=M` | lists delivered messages, one JSON object a line |
//! | `GET /simulator/calls?after=N&limit=M` | lists calls in the same way |
//! | `GET /simulator/tokens` | lists minted tokens in the same way |
//! | `POST /simulator/faults` | adds one [`FaultRule`], or an array of them |
//! | `DELETE /simulator/faults` | ends all faults |
//! | `POST /simulator/admin` | `{"app_id":"…","act":{"whitelist":["203.0.113.0/24"]}}`: an administrator acts |
//! | `GET /simulator/prompts?app_id=X` | lists the addresses that wait for an administrator |
//! | `POST /simulator/acted` | `{"openid":"…","scene":"message"}`: a user opens a window |
//! | `GET /simulator/state?of=SHELF&app_id=X` | shows users, tags, menus, media, library, codes, quota of an account |
//! | `GET /simulator/events?after=N&limit=M` | lists what the platform says by itself, one JSON object a line |
//! | `GET /simulator/pushes` | lists what became of those on their way to the server |
//! | `POST /simulator/arrange` | `{"arrange":{"console_menu":…}}`: see [`Arrangement`] |
//! | `POST /simulator/clock` | `{"advance_milliseconds":N}`: time passes for the platform alone; `GET` tells it |

mod courier;
mod inspect;

use std::any::Any;
use std::io;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use actix_web::App;
use actix_web::HttpRequest;
use actix_web::HttpResponse;
use actix_web::HttpServer;
use actix_web::body::SizedStream;
use actix_web::dev::Extensions;
use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_DISPOSITION;
use actix_web::http::header::CONTENT_ENCODING;
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::http::header::DATE;
use actix_web::http::header::HeaderName;
use actix_web::rt;
use actix_web::web;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream;
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::clock::Timestamp;
use crate::simulator::platform::Answer;
#[cfg(doc)]
use crate::simulator::platform::Arrangement;
use crate::simulator::platform::Call;
#[cfg(doc)]
use crate::simulator::platform::FaultRule;
use crate::simulator::platform::Platform;
use crate::simulator::platform::WireFault;
use crate::simulator::pusher::Pusher;

/// Bytes of the largest body that is read; what is larger is answered 413. Files that are too large for
/// the platform are read, so that they get the platform's own answer.
const MAX_BODY_BYTES: usize = 32 * 1024 * 1024;

/// How long the first half of a half answer may take to leave before the connection is reset.
const HALF_ANSWER_PAUSE: Duration = Duration::from_millis(20);

/// Bytes that an answer of a wrong length announces beyond those that it has.
const WRONG_LENGTH_EXCESS: u64 = 7;

/// A platform that is being served. Dropping it leaves it running until the process ends;
/// [`stop`](Self::stop) ends it.
#[derive(Debug)]
pub struct Skin {
    url: String,
    handle: ServerHandle,
    thread: JoinHandle<io::Result<()>>,
}

impl Skin {
    /// Serves `platform` on `listener`, on a thread of its own, until it is stopped.
    ///
    /// # Errors
    /// What the operating system says to the listener or the thread.
    pub fn start(
        listener: TcpListener,
        platform: Arc<Mutex<Platform>>,
        clock: Arc<dyn Clock>,
    ) -> io::Result<Self> {
        Self::start_with(listener, platform, clock, None)
    }

    /// The same, and pushes what the platform says by itself — how jobs end, who scanned a code — to the
    /// server that the pusher knows.
    ///
    /// # Errors
    /// What the operating system says to the listener or the thread.
    pub fn start_pushing(
        listener: TcpListener,
        platform: Arc<Mutex<Platform>>,
        clock: Arc<dyn Clock>,
        pusher: Pusher,
    ) -> io::Result<Self> {
        Self::start_with(listener, platform, clock, Some(pusher))
    }

    fn start_with(
        listener: TcpListener,
        platform: Arc<Mutex<Platform>>,
        clock: Arc<dyn Clock>,
        pusher: Option<Pusher>,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let shared = web::Data::new(Shared {
            platform,
            clock,
            ahead_milliseconds: AtomicU64::new(0),
            carried: Mutex::default(),
            changed: Notify::new(),
        });
        let (started, has_started) = mpsc::sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("simulator".to_owned())
            .spawn(move || serve(listener, shared, pusher, &started))?;
        let handle = has_started
            .recv()
            .map_err(|_| io::Error::other("the simulator's thread ended before it served"))??;
        Ok(Self {
            url: url_of(address),
            handle,
            thread,
        })
    }

    /// Where it listens: what belongs into `WXHOOK_API_HOSTS`, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Stops at once, without waiting for answers that are under way.
    ///
    /// # Errors
    /// What the server said when it ended.
    pub fn stop(self) -> io::Result<()> {
        drop(self.handle.stop(false));
        self.thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the simulator's thread panicked")))
    }
}

fn url_of(address: SocketAddr) -> String {
    format!("http://{address}")
}

fn serve(
    listener: TcpListener,
    shared: web::Data<Shared>,
    pusher: Option<Pusher>,
    started: &mpsc::SyncSender<io::Result<ServerHandle>>,
) -> io::Result<()> {
    rt::System::new().block_on(async move {
        let carried_by = shared.clone();
        let server = HttpServer::new(move || {
            App::new()
                .app_data(shared.clone())
                .app_data(web::PayloadConfig::new(MAX_BODY_BYTES))
                .default_service(web::to(answer))
        })
        .workers(1)
        .disable_signals()
        .on_connect(remember_connection)
        .listen(listener);
        match server {
            Ok(server) => {
                let running = server.run();
                // Whoever started us waits for this; if it is gone, nobody needs us.
                let _ = started.send(Ok(running.handle()));
                match pusher {
                    None => running.await,
                    Some(pusher) => tokio::select! {
                        ended = running => ended,
                        () = courier::carry(&carried_by, pusher) => Ok(()),
                    },
                }
            }
            Err(error) => {
                let _ = started.send(Err(error));
                Ok(())
            }
        }
    })
}

#[derive(Debug)]
struct Shared {
    platform: Arc<Mutex<Platform>>,
    clock: Arc<dyn Clock>,
    ahead_milliseconds: AtomicU64,
    carried: Mutex<courier::Log>,
    changed: Notify,
}

impl Shared {
    fn platform(&self) -> MutexGuard<'_, Platform> {
        self.platform.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        let ahead = self.ahead_milliseconds.load(Ordering::Relaxed);
        self.clock.now().after(Duration::from_millis(ahead))
    }

    fn advance(&self, milliseconds: u64) {
        self.ahead_milliseconds
            .fetch_add(milliseconds, Ordering::Relaxed);
        self.has_changed();
    }

    fn carried(&self) -> MutexGuard<'_, courier::Log> {
        self.carried.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something happened that may have begun or ended a job.
    fn has_changed(&self) {
        self.changed.notify_one();
    }

    /// Ready when something happens from now on, or happened since it was last waited for.
    fn changed(&self) -> impl Future<Output = ()> {
        self.changed.notified()
    }
}

/// The socket under a connection: actix lets go of it in order, and only the socket itself can be
/// told to break the order.
struct Socket(std::net::TcpStream);

fn remember_connection(io: &dyn Any, extensions: &mut Extensions) {
    let stream = io.downcast_ref::<rt::net::TcpStream>();
    if let Some(Ok(duplicate)) = stream.map(|stream| stream.as_fd().try_clone_to_owned()) {
        extensions.insert(Socket(duplicate.into()));
    }
}

impl Socket {
    /// From now on the end of the connection is a reset.
    fn end_by_reset(&self) -> io::Result<()> {
        rt::net::TcpStream::from_std(self.0.try_clone()?)?.set_zero_linger()
    }

    /// Ends the connection now, whatever is on it: actix finds it closed, and lets go of it.
    fn reset(&self) -> io::Result<()> {
        self.end_by_reset()?;
        self.0.shutdown(std::net::Shutdown::Both)
    }
}

async fn answer(request: HttpRequest, body: Bytes, shared: web::Data<Shared>) -> HttpResponse {
    if let Some(name) = request.path().strip_prefix("/simulator/") {
        return inspect::answer(&request, name, &body, &shared);
    }
    let call = Call {
        method: request.method().as_str().to_owned(),
        path: request.path().to_owned(),
        host: request.connection_info().host().to_owned(),
        from: request.peer_addr().map(|address| address.ip()),
        query: request.query_string().to_owned(),
        content_type: header(&request, &CONTENT_TYPE),
        has_content_length: request.headers().contains_key(CONTENT_LENGTH),
        // A copy: the platform keeps bodies, and this one sits in a read buffer of many kilobytes.
        body: Bytes::copy_from_slice(&body),
    };
    let now = shared.now();
    let answer = shared.platform().handle(now, &call);
    shared.has_changed();
    deliver(&request, answer, now).await
}

fn header(request: &HttpRequest, name: &HeaderName) -> String {
    let value = request.headers().get(name);
    let text = value.and_then(|value| value.to_str().ok());
    text.unwrap_or_default().to_owned()
}

async fn deliver(request: &HttpRequest, answer: Answer, now: Timestamp) -> HttpResponse {
    match answer.fault {
        None => response(&answer).body(bytes_of(answer)),
        Some(WireFault::Delay { milliseconds }) => {
            rt::time::sleep(Duration::from_millis(milliseconds)).await;
            response(&answer).body(bytes_of(answer))
        }
        Some(WireFault::Reset { after_milliseconds }) => {
            rt::time::sleep(Duration::from_millis(after_milliseconds)).await;
            broken_after(request, &answer, 0)
        }
        Some(WireFault::ResetLater { after_milliseconds }) => {
            reset_later(request, Duration::from_millis(after_milliseconds));
            response(&answer).body(bytes_of(answer))
        }
        Some(WireFault::Half) => {
            let half = bytes_of(answer.clone()).len() / 2;
            broken_after(request, &answer, half)
        }
        Some(WireFault::WrongLength) => {
            let whole = bytes_of(answer.clone()).len();
            broken_after(request, &answer, whole)
        }
        Some(WireFault::Gzip) => response(&answer)
            .insert_header((CONTENT_ENCODING, "gzip"))
            .body(answer.gzipped()),
        Some(WireFault::Date { skew_seconds }) => {
            let date = now.seconds().saturating_add(skew_seconds);
            let mut builder = response(&answer);
            if let Ok(date) = jiff::Timestamp::from_second(date) {
                let printer = jiff::fmt::rfc2822::DateTimePrinter::new();
                // Only years that no clock shows cannot be written.
                if let Ok(date) = printer.timestamp_to_rfc9110_string(&date) {
                    builder.insert_header((DATE, date));
                }
            }
            builder.body(bytes_of(answer))
        }
    }
}

fn reset_later(request: &HttpRequest, pause: Duration) {
    let socket = request.conn_data::<Socket>();
    let Some(Ok(socket)) = socket.map(|socket| socket.0.try_clone()) else {
        return;
    };
    // It ends with the simulator's thread, and so does the connection.
    rt::spawn(async move {
        rt::time::sleep(pause).await;
        // The client may have closed it before.
        drop(Socket(socket).reset());
    });
}

fn response(answer: &Answer) -> actix_web::HttpResponseBuilder {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut builder = HttpResponse::build(status);
    builder.content_type(answer.content_type);
    if let Some(name) = answer.file.as_ref().and_then(|file| file.name.as_deref()) {
        builder.insert_header((
            CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ));
    }
    builder
}

fn bytes_of(answer: Answer) -> Bytes {
    match answer.file {
        Some(file) => file.content,
        None => answer.body.into(),
    }
}

/// Sends so many bytes of the body and breaks the connection; with none of them, the head does not
/// leave either, because actix drops what it has not written when a body fails at once.
fn broken_after(request: &HttpRequest, answer: &Answer, bytes: usize) -> HttpResponse {
    if let Some(socket) = request.conn_data::<Socket>()
        && let Err(error) = socket.end_by_reset()
    {
        tracing::warn!(error = %error, "The connection will be closed instead of reset.");
    }
    let whole = bytes_of(answer.clone());
    let part = whole.slice(..bytes);
    let parts = stream::iter((bytes > 0).then_some(Ok::<_, io::Error>(part)));
    let end = stream::once(async move {
        if bytes > 0 {
            rt::time::sleep(HALF_ANSWER_PAUSE).await;
        }
        Err(io::Error::from(io::ErrorKind::ConnectionReset))
    });
    let excess = match answer.fault {
        Some(WireFault::WrongLength) => WRONG_LENGTH_EXCESS,
        _ => 0,
    };
    let length = whole.len() as u64 + excess;
    response(answer).body(SizedStream::new(length, parts.chain(end).boxed_local()))
}
