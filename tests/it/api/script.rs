//! A transport that plays what a test says, and remembers what it was asked.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::future::BoxFuture;
use futures_util::stream;
use futures_util::stream::{BoxStream, StreamExt};
use serde_json::json;
use wxhook::api::{Api, ApiParts, Settings};
use wxhook::clock::{Clock, ManualClock};
use wxhook::id::AppId;
use wxhook::metric::{Counter, Counters};
use wxhook::platform::Platform;
use wxhook::platform::hosts::Hosts;
use wxhook::quota;
use wxhook::quota::{QuotaParts, Quotas};
use wxhook::secret::AppSecret;
use wxhook::store::memory_counters::MemoryCounters;
use wxhook::store::memory_tokens::MemoryTokens;
use wxhook::token::mint::Tally;
use wxhook::token::{Endpoint, Keeper, KeeperParts, TokenSource};
use wxhook::transport::{Body, Request, Response, Transport, TransportError};

pub(super) const ACCOUNT: &str = "wx0123456789abcdef";
pub(super) const SECRET: &str = "s3cr3t-0123456789abcdef";
/// Every answer takes a moment, so that what is asked at the same time overlaps.
const MOMENT: Duration = Duration::from_millis(10);

/// A request as the platform would see it.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) host: String,
    pub(super) path: String,
    pub(super) token: Option<String>,
    pub(super) body: Bytes,
}

/// What is played for one request.
#[derive(Debug)]
pub(super) enum Play {
    /// Status 200 and this body.
    Body(String),
    /// This status and a page.
    Status(u16),
    /// No connection.
    NotConnected,
    /// The answer is lost.
    Lost,
    /// A good beginning, and then a byte a second without end.
    Trickle,
    /// Good, and far too long.
    Flood,
}

impl Play {
    pub(super) fn code(code: i64) -> Self {
        Self::Body(json!({"errcode": code, "errmsg": "said the script"}).to_string())
    }

    pub(super) fn token(token: &str, seconds: i64) -> Self {
        Self::Body(json!({"access_token": token, "expires_in": seconds}).to_string())
    }
}

type Rule = Box<dyn FnMut(&Seen) -> Play + Send>;

pub(super) struct Script {
    rule: Arc<Mutex<Rule>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Script")
    }
}

impl Transport for Script {
    fn send(&self, request: Request) -> BoxFuture<'static, Result<Response, TransportError>> {
        let seen = seen_of(request);
        let (rule, all) = (Arc::clone(&self.rule), Arc::clone(&self.seen));
        Box::pin(async move {
            all.lock().unwrap().push(seen.clone());
            tokio::time::sleep(MOMENT).await;
            let play = rule.lock().unwrap()(&seen);
            let (status, body) = match play {
                Play::Body(body) => (200, body),
                Play::Status(status) => (status, "<html>".to_owned()),
                Play::NotConnected => {
                    let reason = "refused".to_owned();
                    return Err(TransportError::NotConnected { reason });
                }
                Play::Trickle => return Ok(answer(200, trickle().boxed())),
                Play::Flood => {
                    let piece = || Ok(Bytes::from(vec![b' '; 64 * 1024]));
                    return Ok(answer(200, stream::repeat_with(piece).take(1000).boxed()));
                }
                Play::Lost => {
                    let reason = "reset".to_owned();
                    return Err(TransportError::Broken { reason });
                }
            };
            Ok(answer(
                status,
                stream::iter([Ok(Bytes::from(body))]).boxed(),
            ))
        })
    }
}

fn answer(status: u16, body: BoxStream<'static, Result<Bytes, TransportError>>) -> Response {
    Response {
        status,
        content_type: None,
        content_length: None,
        content_disposition: None,
        body,
    }
}

fn trickle() -> impl Stream<Item = Result<Bytes, TransportError>> {
    stream::unfold(true, |is_first| async move {
        if is_first {
            return Some((Ok(Bytes::from_static(br#"{"errcode":0,"errmsg":""#)), false));
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        Some((Ok(Bytes::from_static(b"o")), false))
    })
}

fn seen_of(request: Request) -> Seen {
    let (base, query) = match request.url.split_once('?') {
        Some((base, query)) => (base.to_owned(), query.to_owned()),
        None => (request.url.clone(), String::new()),
    };
    let (host, path) = base.split_once("://").unwrap().1.split_once('/').unwrap();
    Seen {
        host: host.to_owned(),
        path: format!("/{path}"),
        token: query.strip_prefix("access_token=").map(str::to_owned),
        body: match request.body {
            Body::Bytes(bytes) => bytes,
            _ => Bytes::new(),
        },
    }
}

/// Where a stage stands.
pub(super) struct Ground {
    pub(super) hosts: Hosts,
    pub(super) limits: Option<quota::Settings>,
    pub(super) settings: Settings,
}

impl Default for Ground {
    /// A platform with two hosts, `a.example` and `b.example`, where nothing is counted.
    fn default() -> Self {
        Self {
            hosts: Hosts::parse(["a.example", "b.example"]).unwrap(),
            limits: None,
            settings: Settings::default(),
        }
    }
}

/// A keeper and a client over a script.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) keeper: Arc<Keeper>,
    pub(super) api: Arc<Api>,
    pub(super) account: AppId,
    pub(super) clock: Arc<ManualClock>,
    counters: Arc<Counters>,
    script: Arc<Script>,
}

impl Stage {
    /// A platform with two hosts, `a.example` and `b.example`.
    pub(super) fn new(rule: impl FnMut(&Seen) -> Play + Send + 'static) -> Self {
        Self::counted(None, rule)
    }

    /// The same, with calls that are counted against limits.
    pub(super) fn counted(
        limits: Option<quota::Settings>,
        rule: impl FnMut(&Seen) -> Play + Send + 'static,
    ) -> Self {
        let script = Arc::new(Script {
            rule: Arc::new(Mutex::new(Box::new(rule))),
            seen: Arc::default(),
        });
        let transport = Arc::clone(&script) as Arc<dyn Transport>;
        let ground = Ground {
            limits,
            ..Ground::default()
        };
        Self::with(script, transport, ground)
    }

    /// The same over another transport; what the script has seen stays empty.
    pub(super) fn over(transport: Arc<dyn Transport>) -> Self {
        Self::on(transport, Ground::default())
    }

    /// The same on other ground.
    pub(super) fn on(transport: Arc<dyn Transport>, ground: Ground) -> Self {
        let script = Arc::new(Script {
            rule: Arc::new(Mutex::new(Box::new(|_| Play::NotConnected))),
            seen: Arc::default(),
        });
        Self::with(script, transport, ground)
    }

    fn with(script: Arc<Script>, transport: Arc<dyn Transport>, ground: Ground) -> Self {
        let clock = Arc::new(ManualClock::at(1_700_000_000));
        let hosts = Arc::new(ground.hosts);
        let shared_clock = || Arc::clone(&clock) as Arc<dyn Clock>;
        let platform = Arc::new(Platform::new(transport, hosts, shared_clock()));
        let account = AppId::parse(ACCOUNT).unwrap();
        let counters = Arc::new(Counters::default());
        let quotas = ground.limits.map(|settings| {
            Arc::new(Quotas::new(QuotaParts {
                store: MemoryCounters::new(shared_clock()),
                clock: shared_clock(),
                counters: Arc::clone(&counters),
                settings,
            }))
        });
        let keeper = Arc::new(Keeper::new(KeeperParts {
            account: account.clone(),
            secret: AppSecret::new(SECRET),
            endpoint: Endpoint::Stable,
            store: MemoryTokens::new(shared_clock()),
            platform: Arc::clone(&platform),
            clock: shared_clock(),
            counters: Arc::clone(&counters),
            tally: quotas
                .clone()
                .map(|quotas: Arc<Quotas>| quotas as Arc<dyn Tally>),
        }));
        let api = Arc::new(Api::new(ApiParts {
            platform,
            sources: vec![Arc::clone(&keeper) as Arc<dyn TokenSource>],
            tickets: None,
            clock: clock.clone(),
            quotas,
            settings: ground.settings,
        }));
        Self {
            keeper,
            api,
            account,
            clock,
            counters,
            script,
        }
    }

    pub(super) fn play(&self, rule: impl FnMut(&Seen) -> Play + Send + 'static) {
        *self.script.rule.lock().unwrap() = Box::new(rule);
    }

    pub(super) fn advance_seconds(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.script.seen.lock().unwrap().clone()
    }

    /// Requests for a token that reached the transport; the counter must say the same.
    pub(super) fn token_requests(&self) -> usize {
        let count = self
            .seen()
            .iter()
            .filter(|seen| seen.path == "/cgi-bin/stable_token")
            .count();
        assert_eq!(self.counters.value(Counter::TokensRequested), count as u64);
        count
    }

    pub(super) fn sends(&self) -> Vec<Seen> {
        let mut seen = self.seen();
        seen.retain(|seen| seen.path == "/cgi-bin/message/custom/send");
        seen
    }

    /// The token in hand.
    pub(super) async fn token(&self) -> String {
        self.keeper.token().await.unwrap().token.expose().to_owned()
    }
}

/// Mints `token-1`, `token-2`, …, one for each question, and takes every message.
pub(super) fn minting(seconds: i64) -> impl FnMut(&Seen) -> Play + Send + 'static {
    let mut minted = 0;
    move |seen| {
        if seen.path == "/cgi-bin/stable_token" {
            minted += 1;
            Play::token(&format!("token-{minted}"), seconds)
        } else {
            Play::code(0)
        }
    }
}

/// Lets what runs in the background finish. Time is paused: this costs none.
pub(super) async fn settle() {
    tokio::time::sleep(Duration::from_secs(5)).await;
}
