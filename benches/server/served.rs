//! A server to measure, in a process of its own: this program, called with `--serve`.
//!
//! The process says `ready ADDRESS` on its standard output, answers the line `settled N` with `settled`
//! once N pushes were handled and nothing is pending any more, and ends when its standard input does.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::{App, HttpResponse, HttpServer, web};
use bytes::Bytes;
use wxhook::app::Server;
use wxhook::config;
use wxhook::config::{Config, Needs, Sources};
use wxhook::id::PushId;
use wxhook::{Router, State};

use crate::push::{APP_ID, KEY, TOKEN};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// actix-web with the same settings: reads the body, answers `success`.
    Bare,
    Memory,
    Embedded,
    /// As `embedded`, with handlers that never end.
    Held,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Memory => "memory",
            Self::Embedded => "embedded",
            Self::Held => "held",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        let all = [Self::Bare, Self::Memory, Self::Embedded, Self::Held];
        all.into_iter().find(|kind| kind.name() == name)
    }
}

/// A running server process.
pub(crate) struct Process {
    child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    pub(crate) address: SocketAddr,
}

impl Process {
    /// Starts a server that keeps its data in `directory`, and waits until it is ready.
    pub(crate) fn start(kind: Kind, directory: &Path) -> Result<Self, String> {
        // Not by its name: a build may replace it while this one runs.
        let mut child = Command::new("/proc/self/exe")
            .args(["--serve", kind.name()])
            .arg(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("starting {}: {error}", kind.name()))?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("piped")).lines();
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut process = Self {
            child,
            input,
            output,
            address,
        };
        let line = process.line()?;
        let address = line
            .strip_prefix("ready ")
            .and_then(|address| address.parse().ok());
        process.address = address.ok_or_else(|| format!("the server said {line:?}"))?;
        Ok(process)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until so many pushes are handled and settled.
    pub(crate) fn wait_settled(&mut self, count: usize) -> Result<(), String> {
        let input = self.input.as_mut().expect("open until dropped");
        writeln!(input, "settled {count}").map_err(|error| error.to_string())?;
        match self.line()?.as_str() {
            "settled" => Ok(()),
            line => Err(format!("the server said {line:?}")),
        }
    }

    fn line(&mut self) -> Result<String, String> {
        match self.output.next() {
            Some(Ok(line)) => Ok(line),
            Some(Err(error)) => Err(error.to_string()),
            None => Err("the server ended".to_owned()),
        }
    }
}

impl Drop for Process {
    /// Ends it at once: a measured server owes nobody anything.
    fn drop(&mut self) {
        self.input = None;
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The process's side of it.
pub(crate) fn serve(kind: Kind, directory: &Path) -> Result<(), String> {
    match kind {
        Kind::Bare => serve_bare(),
        Kind::Memory | Kind::Embedded | Kind::Held => serve_pushes(kind, directory),
    }
}

/// The settings of wxhook's own listener.
fn serve_bare() -> Result<(), String> {
    let text = |error: std::io::Error| error.to_string();
    let listener = TcpListener::bind("127.0.0.1:0").map_err(text)?;
    let address = listener.local_addr().map_err(text)?;
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::spawn(move || {
        let server = HttpServer::new(|| App::new().default_service(web::to(succeed)))
            .workers(workers)
            .client_request_timeout(Duration::from_secs(10))
            .keep_alive(Duration::from_secs(75))
            .disable_signals()
            .listen(listener)
            .map(HttpServer::run)
            .expect("a server");
        actix_web::rt::System::new().block_on(server)
    });
    say(&format!("ready {address}"));
    obey(|_| {})
}

async fn succeed(_body: Bytes) -> HttpResponse {
    let text = ("content-type", "text/plain; charset=utf-8");
    HttpResponse::Ok()
        .insert_header(text)
        .body(Bytes::from_static(b"success"))
}

async fn count(State(handled): State<Arc<AtomicUsize>>) {
    handled.fetch_add(1, Ordering::Relaxed);
}

async fn hold() {
    std::future::pending().await
}

fn serve_pushes(kind: Kind, directory: &Path) -> Result<(), String> {
    let handled = Arc::new(AtomicUsize::new(0));
    let router = Router::new();
    let router = match kind {
        Kind::Held => router.fallback(hold),
        _ => router.fallback(count),
    };
    let routes = router
        .with_state(Arc::clone(&handled))
        .map_err(|error| error.to_string())?;
    let server =
        Server::start(config(kind, directory)?, routes).map_err(|error| error.to_string())?;
    say(&format!("ready {}", server.webhook_address()));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|error| error.to_string())?;
    obey(|count| {
        runtime.block_on(async {
            let pause = Duration::from_millis(1);
            while handled.load(Ordering::Relaxed) < count || !is_settled(&server).await {
                tokio::time::sleep(pause).await;
            }
        });
    })
}

async fn is_settled(server: &Server) -> bool {
    let page = server.inbox().pending(PushId::ZERO, 1).await;
    page.is_ok_and(|page| page.pushes.is_empty())
}

fn config(kind: Kind, directory: &Path) -> Result<Config, String> {
    let store = if kind == Kind::Memory {
        "memory"
    } else {
        "embedded"
    };
    let variables = [
        ("WECHAT_APP_ID", APP_ID),
        ("WECHAT_TOKEN", TOKEN),
        ("WECHAT_ENCODING_AES_KEY", KEY),
        ("WXHOOK_LISTEN", "127.0.0.1:0"),
        ("WXHOOK_ADMIN_LISTEN", "127.0.0.1:0"),
        ("WXHOOK_STORE", store),
        (
            "WXHOOK_DATA_DIR",
            directory.to_str().ok_or("a path that is no text")?,
        ),
        // Held handlers are to stay.
        ("WXHOOK__DISPATCH__HANDLER_TIMEOUT", "60m"),
    ];
    let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let sources = Sources {
        file: None,
        environment: variables.map(own).into(),
    };
    config::load(&sources, Needs::Accounts).map_err(|faults| faults.to_string())
}

fn say(line: &str) {
    println!("{line}");
}

/// Answers `settled N` until the input ends.
fn obey(wait_settled: impl Fn(usize)) -> Result<(), String> {
    for line in std::io::stdin().lines().map_while(Result::ok) {
        let count = line
            .strip_prefix("settled ")
            .and_then(|count| count.parse().ok());
        wait_settled(count.ok_or_else(|| format!("what is {line:?}?"))?);
        say("settled");
    }
    Ok(())
}
