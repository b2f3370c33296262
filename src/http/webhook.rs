//! The way of a push, from the request to `success`: the only place that says it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::http::Method;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use arc_swap::ArcSwap;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use tokio::time::{Instant, timeout_at};

use super::component;
use super::door::{MALFORMED_BYTES, Throttle};
use super::freshness::{Freshness, Judgement};
use super::rejection::Rejection;
use super::{MAX_BODY_BYTES, Settings};
use crate::clock::Clock;
use crate::metric::{Counter, Counters};
use crate::protocol::push::{Head, Kind};
use crate::protocol::{Credentials, Mode, OpenError, Opened, Refusal, Sealed, Verified};
use crate::store::{Accepted, Desk, Inbox, NewPush};

/// Whose pushes an address receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A service account's own.
    Account,
    /// A third-party platform's: its notices, and what is relayed for its authorizers. Each path is
    /// also served with one more segment, in which the platform puts the authorizer's AppID; it is not
    /// signed, and nothing depends on it.
    Component,
}

/// An account as the webhook needs it.
#[derive(Debug)]
pub struct Account {
    /// Its name in the configuration.
    pub name: String,
    /// What its pushes are verified and opened with, until [`Webhook::rotate`].
    pub credentials: Credentials,
    /// The paths at which it is served.
    pub paths: Vec<String>,
    /// Whose pushes come there.
    pub role: Role,
}

struct Served {
    account: Account,
    /// What pushes are verified and opened with now. A request takes them once and uses no others.
    credentials: ArcSwap<Credentials>,
    freshness: Freshness,
    malformed: Throttle,
    downgrade_explained: AtomicBool,
}

/// Everything that the public listener needs; shared by its workers.
pub struct Webhook {
    accounts: HashMap<String, Arc<Served>>,
    inbox: Arc<dyn Inbox>,
    clock: Arc<dyn Clock>,
    counters: Arc<Counters>,
    request_budget: Duration,
    public_healthz: bool,
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook")
            .field("paths", &self.accounts.keys())
            .finish_non_exhaustive()
    }
}

impl Webhook {
    /// Serves these accounts.
    pub fn new(
        accounts: Vec<Account>,
        settings: &Settings,
        inbox: Arc<dyn Inbox>,
        clock: Arc<dyn Clock>,
        counters: Arc<Counters>,
    ) -> Self {
        let mut served = HashMap::new();
        for account in accounts {
            let paths = account.paths.clone();
            let account = Arc::new(Served {
                credentials: ArcSwap::from_pointee(account.credentials.clone()),
                account,
                freshness: Freshness::new(settings.freshness_window),
                malformed: Throttle::new(),
                downgrade_explained: AtomicBool::new(false),
            });
            served.extend(paths.into_iter().map(|path| (path, Arc::clone(&account))));
        }
        let request_budget = settings.request_budget;
        Self {
            accounts: served,
            inbox,
            clock,
            counters,
            request_budget,
            public_healthz: settings.public_healthz,
        }
    }

    /// From the next request on, the pushes of this account or component are verified and opened with
    /// these. Requests in hand end with those that they began with.
    pub fn rotate(&self, role: Role, name: &str, credentials: Credentials) {
        let is_meant =
            |served: &&Arc<Served>| served.account.role == role && served.account.name == name;
        if let Some(served) = self.accounts.values().find(is_meant) {
            served.credentials.store(Arc::new(credentials));
        }
    }

    /// Answers one request.
    pub async fn answer(
        &self,
        request: &HttpRequest,
        payload: Payload,
        desk: &Desk,
    ) -> HttpResponse {
        let path = request.path();
        let path = path
            .strip_suffix('/')
            .filter(|path| !path.is_empty())
            .unwrap_or(path);
        let Some(served) = self.served_at(path) else {
            if self.public_healthz && path == HEALTHZ && *request.method() == Method::GET {
                return alive();
            }
            return Rejection::UnknownPath.answer(None, &self.counters);
        };
        let outcome = match *request.method() {
            Method::POST => self.receive(served, request, payload, desk).await,
            Method::GET => self.echo(served, request),
            _ => Err(Rejection::Method),
        };
        outcome.unwrap_or_else(|rejection| {
            rejection.answer(Some(&served.account.name), &self.counters)
        })
    }

    fn served_at(&self, path: &str) -> Option<&Arc<Served>> {
        self.accounts.get(path).or_else(|| {
            let (path, _) = path.rsplit_once('/')?;
            let served = self.accounts.get(path)?;
            (served.account.role == Role::Component).then_some(served)
        })
    }

    /// The console's check of the URL: the signature first, then the echo.
    fn echo(&self, served: &Served, request: &HttpRequest) -> Result<HttpResponse, Rejection> {
        let credentials = served.credentials.load();
        let verified = self.verify(served, &credentials, request)?;
        let echo = verified.echo()?;
        tracing::info!(account = %served.account.name, "The server URL was verified.");
        Ok(HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, TEXT))
            .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .body(echo.to_owned()))
    }

    async fn receive(
        &self,
        served: &Served,
        request: &HttpRequest,
        payload: Payload,
        desk: &Desk,
    ) -> Result<HttpResponse, Rejection> {
        let deadline = Instant::now() + self.request_budget;
        let credentials = served.credentials.load_full();
        let verified = self.verify(served, &credentials, request)?;
        let body = read_body(request, payload, deadline).await?;
        let opened = verified
            .open(&credentials, body)
            .inspect_err(|error| explain_downgrade(served, error))?;
        let received_at = self.clock.now();
        let app_id = credentials.app_id();
        let (head, ticket) = match served.account.role {
            Role::Account => (opened.read(), None),
            Role::Component => {
                component::look_into(app_id, opened.body(), opened.read(), received_at)
            }
        };
        if head.kind == Kind::Malformed && !self.admit_malformed(served, &opened, &head) {
            return Ok(success());
        }
        let push = NewPush {
            account: app_id.clone(),
            user: head.user,
            kind: head.kind,
            key: head.dedupe_key,
            body: kept_body(&opened, credentials.mode()),
            received_at,
            verified: opened.how(),
            malformed: head.malformed,
            ticket,
        };
        self.store(push, desk, deadline).await?;
        Ok(success())
    }

    fn verify<'q>(
        &self,
        served: &Served,
        credentials: &Credentials,
        request: &'q HttpRequest,
    ) -> Result<Verified<'q>, Rejection> {
        let verified = Sealed::parse(request.query_string())?.verify(credentials)?;
        let signed = verified.timestamp_seconds();
        match served
            .freshness
            .judge(signed, verified.nonce(), self.clock.now())
        {
            Judgement::Fresh => Ok(verified),
            Judgement::Stale { offset_seconds } => Err(Rejection::Stale { offset_seconds }),
            Judgement::OurClockIsWrong { offset_seconds } => {
                tracing::error!(
                    account = %served.account.name,
                    offset_seconds,
                    "The clock of this machine is wrong: every authentic push is off by the same amount. \
                     They are accepted; set the clock."
                );
                Ok(verified)
            }
        }
    }

    /// Whether an unreadable push is stored. In plaintext mode anyone who saw one signed request can
    /// send any number of them.
    fn admit_malformed(&self, served: &Served, opened: &Opened, head: &Head) -> bool {
        self.counters.add(Counter::PushesMalformed);
        let stored = served.account.credentials.mode() != Mode::Plain
            || (opened.body().len() <= MALFORMED_BYTES
                && served.malformed.pass(self.clock.monotonic()));
        tracing::warn!(
            account = %served.account.name,
            bytes = opened.body().len(),
            reason = head.malformed.as_deref(),
            stored,
            "A signed push could not be read; it is kept as malformed and not handled."
        );
        stored
    }

    async fn store(&self, push: NewPush, desk: &Desk, deadline: Instant) -> Result<(), Rejection> {
        let room = match Arc::clone(self.inbox.room()).try_acquire_owned() {
            Ok(room) => room,
            Err(_) => timeout_at(deadline, Arc::clone(self.inbox.room()).acquire_owned())
                .await
                .map_err(|_| Rejection::Overloaded)?
                .map_err(|_| crate::store::StoreError::Closed)?,
        };
        let (ticket, pickup) = desk.ticket();
        self.inbox.accept(push, room, ticket);
        match timeout_at(deadline, pickup)
            .await
            .map_err(|_| Rejection::Overloaded)??
        {
            Accepted::Stored(id) => {
                self.counters.add(Counter::PushesStored);
                tracing::debug!(push_id = %id, "A push was stored.");
            }
            Accepted::Repeat(id) => {
                self.counters.add(Counter::PushesRepeated);
                tracing::debug!(push_id = %id, "A repeated push was recognised.");
            }
        }
        Ok(())
    }
}

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Where a load balancer asks whether the process lives, if it may.
const HEALTHZ: &str = "/healthz";

/// All that a stranger may know.
fn alive() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, TEXT))
        .body("ok\n")
}

/// The seven bytes that make WeChat forget the push. Every caller has stored it before.
fn success() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, TEXT))
        .body(Bytes::from_static(b"success"))
}

/// The document as it is stored.
fn kept_body(opened: &Opened, mode: Mode) -> Bytes {
    match mode {
        // As received, it is a few hundred bytes of the connection's read buffer, and would keep all of
        // that in memory for as long as the push is.
        Mode::Plain => Bytes::copy_from_slice(opened.body()),
        Mode::Compatible | Mode::Secure => opened.body().clone(),
    }
}

/// Reads the whole body, or as much as shows that it is too much.
async fn read_body(
    request: &HttpRequest,
    mut payload: Payload,
    deadline: Instant,
) -> Result<Bytes, Rejection> {
    let declared = request
        .headers()
        .get(actix_web::http::header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > MAX_BODY_BYTES) {
        return Err(Rejection::TooLarge);
    }
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(chunk) = timeout_at(deadline, payload.next())
        .await
        .map_err(|_| Rejection::SlowBody)?
    {
        let chunk = chunk.map_err(|_| Rejection::BrokenBody)?;
        if first.is_empty() {
            first = chunk;
        } else {
            if rest.is_empty() {
                rest.extend_from_slice(&first);
            }
            rest.extend_from_slice(&chunk);
        }
        if first.len().max(rest.len()) > MAX_BODY_BYTES {
            return Err(Rejection::TooLarge);
        }
    }
    Ok(if rest.is_empty() {
        first
    } else {
        rest.freeze()
    })
}

/// Said once for each account: it is the likeliest mistake of a first set-up, and nobody sees a 403.
fn explain_downgrade(served: &Served, error: &OpenError) {
    if !matches!(error, OpenError::Refused(Refusal::Downgrade { .. }))
        || served.downgrade_explained.swap(true, Ordering::Relaxed)
    {
        return;
    }
    tracing::error!(
        account = %served.account.name,
        mode = served.account.credentials.mode().name(),
        "A rightly signed push came in plaintext, but this account is configured with encryption; it was refused. \
         Either choose 安全模式 (secure) for the server configuration in the WeChat console, or set WECHAT_MODE=plain here. \
         收到签名正确的明文推送，但此账号配置为加密模式，已拒绝。请在公众平台“服务器配置”中选择“安全模式”，或在此处设置 WECHAT_MODE=plain（明文）。"
    );
}
