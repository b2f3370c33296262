//! Token servers of one account as real processes that share one store, and those who ask them.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wxhook::clock::{Clock as _, SystemClock};
use wxhook::simulator::platform::{Call, Fault, FaultRule, Settings, When};

use crate::main_job::{APP_ID, SECRET, StandIn, TOKEN};
use crate::servers::Software;
use crate::support::{LIMIT, Program, eventually};

const ADMIN: &str = "the-admin-key-of-the-tests";

/// Which of the platform's endpoints a fleet asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    Plain,
    Stable,
}

impl Endpoint {
    pub(super) const BOTH: [Self; 2] = [Self::Plain, Self::Stable];

    const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Stable => "stable",
        }
    }

    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Plain => "/cgi-bin/token",
            Self::Stable => "/cgi-bin/stable_token",
        }
    }
}

/// A token as a server gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) token: String,
    pub(super) generation: u64,
}

impl Given {
    fn parse(body: &str) -> Self {
        let given: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{body}"));
        Self {
            token: given["access_token"].as_str().unwrap().to_owned(),
            generation: given["generation"].as_u64().unwrap(),
        }
    }
}

/// One of the processes.
pub(super) struct Member {
    pub(super) program: Program,
    pub(super) admin: SocketAddr,
    _directory: TempDir,
}

impl Member {
    /// Answers nobody and does nothing, until [`Member::go_on`].
    pub(super) fn pause(&self) {
        self.program.signal("STOP");
    }

    pub(super) fn go_on(&self) {
        self.program.signal("CONT");
    }
}

/// Four processes of `wxhook serve --role token` on one store, and the platform that they ask.
pub(super) struct Fleet {
    pub(super) stand_in: StandIn,
    pub(super) members: Vec<Member>,
    endpoint: Endpoint,
    store: String,
}

impl Fleet {
    pub(super) const SIZE: usize = 4;

    /// All of them ready, and none of them with a token.
    pub(super) fn start(store: String, endpoint: Endpoint, settings: Settings) -> Self {
        let mut fleet = Self {
            stand_in: StandIn::with(settings),
            members: Vec::new(),
            endpoint,
            store,
        };
        let started: Vec<_> = (0..Self::SIZE).map(|_| fleet.launch()).collect();
        fleet.members = started.into_iter().map(await_ready).collect();
        fleet
    }

    fn launch(&self) -> (Program, TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        let environment = [
            ("WECHAT_APP_ID", APP_ID),
            ("WECHAT_APP_SECRET", SECRET),
            ("WECHAT_TOKEN", TOKEN),
            ("WXHOOK_ADMIN_LISTEN", "127.0.0.1:0"),
            ("WXHOOK_ADMIN_KEY", ADMIN),
            ("WXHOOK_DATA_DIR", data.to_str().unwrap()),
            ("WXHOOK_API_HOSTS", &self.stand_in.url),
            ("WXHOOK_TOKEN_STORE", &self.store),
            ("WXHOOK__TOKEN__ENDPOINT", self.endpoint.name()),
            ("WXHOOK_LOG_FORMAT", "json"),
        ];
        let program = Program::start(&["serve", "--role", "token"], &environment);
        (program, directory)
    }

    /// One more process, which knows nothing but the store.
    pub(super) fn newcomer(&self) -> Member {
        await_ready(self.launch())
    }

    /// Questions to the token endpoint so far.
    pub(super) fn calls(&self) -> usize {
        let platform = self.stand_in.platform.lock().unwrap();
        let calls = platform.calls_after(0);
        calls
            .filter(|call| call.path == self.endpoint.path())
            .count()
    }

    /// Tokens that the platform minted so far, oldest first.
    pub(super) fn minted(&self) -> Vec<String> {
        let platform = self.stand_in.platform.lock().unwrap();
        platform.tokens().map(|token| token.text.clone()).collect()
    }

    /// From now on the platform does this to the questions for a token.
    pub(super) fn fault(&self, when: When, fault: Fault) {
        let rule = FaultRule {
            host: None,
            path: Some(self.endpoint.path().to_owned()),
            open_id: None,
            when,
            fault,
        };
        let mut platform = self.stand_in.platform.lock().unwrap();
        platform.add_fault(rule).unwrap();
    }

    /// Waits until the platform was asked so often.
    pub(super) fn await_calls(&self, count: usize) {
        eventually("the platform is asked", || {
            (self.calls() >= count).then_some(())
        });
    }

    /// Somebody else has the stable token replaced. The plain one needs nobody for that.
    pub(super) fn replace_stable_token(&self) {
        if self.endpoint == Endpoint::Plain {
            return;
        }
        let body = json!({
            "grant_type": "client_credential", "appid": APP_ID, "secret": SECRET,
            "force_refresh": true,
        });
        let call = Call {
            method: "POST".to_owned(),
            path: self.endpoint.path().to_owned(),
            has_content_length: true,
            body: body.to_string().into(),
            ..Call::default()
        };
        let mut platform = self.stand_in.platform.lock().unwrap();
        assert_eq!(
            platform.handle(SystemClock::start().now(), &call).status,
            200
        );
    }

    /// So many callers at once, spread over the processes.
    pub(super) async fn herd(&self, callers: usize) -> Vec<Given> {
        let asked = (0..callers).map(|number| read(self.members[number % Self::SIZE].admin));
        futures_util::future::join_all(asked).await
    }

    /// So many callers at once, all of whom say that this token was refused.
    pub(super) async fn herd_against(&self, bad: &Given, callers: usize) -> Vec<Given> {
        let asked = (0..callers).map(|number| {
            let admin = self.members[number % Self::SIZE].admin;
            report(admin, bad.generation)
        });
        futures_util::future::join_all(asked).await
    }
}

fn await_ready((mut program, directory): (Program, TempDir)) -> Member {
    let line = program.line_with("is ready for those who ask for tokens");
    let line: Value = serde_json::from_str(&line).unwrap();
    Member {
        admin: line["admin_listen"].as_str().unwrap().parse().unwrap(),
        program,
        _directory: directory,
    }
}

fn request(admin: SocketAddr, method: &str, target: &str, rest: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{method} {target} HTTP/1.1\r\nHost: {admin}\r\nAuthorization: Bearer {ADMIN}\r\n\
         Content-Length: {length}\r\n{rest}\r\n{body}"
    )
}

async fn ask(admin: SocketAddr, method: &str, target: &str, body: &str) -> Given {
    let request = request(admin, method, target, "Connection: close\r\n", body);
    let answer = tokio::time::timeout(LIMIT, async {
        let mut stream = TcpStream::connect(admin).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    });
    let answer = answer.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    Given::parse(answer.split_once("\r\n\r\n").unwrap().1)
}

/// The token of one process, on a connection of its own.
pub(super) async fn read(admin: SocketAddr) -> Given {
    ask(admin, "GET", "/v1/token/default", "").await
}

/// Tells one process that the token of this generation was refused.
pub(super) async fn report(admin: SocketAddr, generation: u64) -> Given {
    let body = json!({"generation": generation, "errcode": 40001}).to_string();
    ask(admin, "POST", "/v1/token/default/report", &body).await
}

/// A connection on which one token after another is asked for.
pub(super) struct Line {
    stream: TcpStream,
    request: String,
    buffer: Vec<u8>,
}

impl Line {
    pub(super) async fn open(admin: SocketAddr) -> Self {
        Self {
            stream: TcpStream::connect(admin).await.unwrap(),
            request: request(admin, "GET", "/v1/token/default", "", ""),
            buffer: Vec::new(),
        }
    }

    pub(super) async fn read(&mut self) -> Given {
        let request = self.request.as_bytes();
        self.stream.write_all(request).await.unwrap();
        self.buffer.clear();
        loop {
            if let Some(body) = whole_body(&self.buffer) {
                return Given::parse(body);
            }
            let read = self.stream.read_buf(&mut self.buffer).await.unwrap();
            assert!(read > 0, "the server closed a connection that was in use");
        }
    }
}

/// The body of an answer of which everything is there.
fn whole_body(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let head = head.to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1)?.lines().next()?;
    assert!(head.starts_with("http/1.1 200 "), "{text}");
    (body.len() == length.parse::<usize>().unwrap()).then_some(body)
}

/// Plays it on each kind of server at the same time, each on a thread and a runtime of its own.
pub(super) fn on_each_server(play: fn(Software)) {
    let mut kinds = vec![Software::Redis];
    kinds.extend(cfg!(feature = "mysql").then_some(Software::MariaDb));
    std::thread::scope(|scope| {
        for software in kinds {
            scope.spawn(move || play(software));
        }
    });
}

/// A runtime whose own thread may wait for processes while its tasks go on.
pub(super) fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
}

pub(super) const fn milliseconds(count: u64) -> Duration {
    Duration::from_millis(count)
}
