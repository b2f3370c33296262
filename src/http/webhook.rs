//! The way of a push, from the request to `success`: the only place that says it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::http::ConnectionType;
use actix_web::http::Method;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use arc_swap::ArcSwap;
use bytes::Bytes;
use tokio::time::{Instant, timeout_at};

use super::Settings;
use super::body::read_body;
use super::component;
use super::door::{MALFORMED_BYTES, Throttle};
use super::freshness::{Freshness, Judgement};
use super::gate::Gate;
use super::guard::{Guard, Opinion};
use super::passive;
use super::rejection::Rejection;
use super::release_check;
use super::replay::Replays;
use super::source::Sources;
use crate::clock::Clock;
use crate::dispatch::passive::{PassiveDesk, PassiveTerms, Waiting};
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
    /// How long their requests wait for their handlers.
    pub passive: PassiveTerms,
    /// Whether WeChat's check before a third-party platform is published is answered.
    pub release_check: bool,
}

struct Served {
    account: Account,
    /// What pushes are verified and opened with now. A request takes them once and uses no others.
    credentials: ArcSwap<Credentials>,
    /// Its place among the accounts.
    number: usize,
    freshness: Freshness,
    replays: Replays,
    malformed: Throttle,
    downgrade_explained: AtomicBool,
}

/// Everything that the public listener needs; shared by its workers.
pub struct Webhook {
    accounts: HashMap<String, Arc<Served>>,
    inbox: Arc<dyn Inbox>,
    clock: Arc<dyn Clock>,
    counters: Arc<Counters>,
    sources: Arc<Sources>,
    guard: Guard,
    gate: Arc<Gate>,
    request_budget: Duration,
    public_healthz: bool,
    passive: Option<Arc<PassiveDesk>>,
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook")
            .field("paths", &self.accounts.keys())
            .finish_non_exhaustive()
    }
}

impl Webhook {
    /// Serves these accounts. `passive`: where requests wait for their handlers, if any does.
    pub fn new(
        accounts: Vec<Account>,
        settings: &Settings,
        inbox: Arc<dyn Inbox>,
        clock: Arc<dyn Clock>,
        counters: Arc<Counters>,
        passive: Option<Arc<PassiveDesk>>,
    ) -> Self {
        let mut served = HashMap::new();
        let gate = Gate::new(accounts.len(), settings.request_budget);
        for (number, account) in accounts.into_iter().enumerate() {
            let paths = account.paths.clone();
            let account = Arc::new(Served {
                credentials: ArcSwap::from_pointee(account.credentials.clone()),
                account,
                number,
                freshness: Freshness::new(settings.freshness_window),
                replays: Replays::new(settings.freshness_window),
                malformed: Throttle::new(),
                downgrade_explained: AtomicBool::new(false),
            });
            served.extend(paths.into_iter().map(|path| (path, Arc::clone(&account))));
        }
        let sources = Sources::new(
            settings.trusted_proxies.clone(),
            settings.allow_list.clone(),
        );
        Self {
            accounts: served,
            inbox,
            clock,
            counters,
            sources: Arc::new(sources),
            guard: Guard::default(),
            gate,
            request_budget: settings.request_budget,
            public_healthz: settings.public_healthz,
            passive,
        }
    }

    /// Whether requests may wait for their handlers.
    pub(super) const fn waits(&self) -> bool {
        self.passive.is_some()
    }

    /// Where requests come from, and who may send pushes.
    pub fn sources(&self) -> &Arc<Sources> {
        &self.sources
    }

    /// From the next request on, the pushes of this account or component are verified and opened with
    /// these. Requests in hand end with those that they began with, their answers included.
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
            return self.reject(request, None, &Rejection::UnknownPath);
        };
        let outcome = match *request.method() {
            Method::POST => self.receive(served, request, payload, desk).await,
            Method::GET => self.echo(served, request),
            _ => Err(Rejection::Method),
        };
        outcome.unwrap_or_else(|rejection| {
            self.reject(request, Some(&served.account.name), &rejection)
        })
    }

    /// The answer to a refused request. Who sends very many of them has each on a connection of its own.
    fn reject(
        &self,
        request: &HttpRequest,
        account: Option<&str>,
        rejection: &Rejection,
    ) -> HttpResponse {
        let mut answer = rejection.answer(account, &self.counters);
        let source = self.sources.source_of(request);
        if let (Some(source), false) = (source, rejection.is_ours())
            && let Opinion::Excessive { say } = self.guard.refused(source, self.clock.monotonic())
        {
            self.counters.add(Counter::RequestsGuarded);
            answer.head_mut().set_connection_type(ConnectionType::Close);
            if say {
                tracing::warn!(account, %source, "Very many requests of one source are refused; a firewall could keep it out.");
            }
        }
        answer
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
        // From now on this signature is not one for a push.
        self.admit_body(served, verified.signature_key(), &[])?;
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
        let came_at = Instant::now();
        let deadline = came_at + self.request_budget;
        let credentials = served.credentials.load_full();
        let verified = self.verify(served, &credentials, request)?;
        let signature = verified.signature_key();
        let body = read_body(request, payload, deadline).await?;
        let opened = verified
            .open(&credentials, body)
            .inspect_err(|error| explain_downgrade(served, error))?;
        self.admit_body(served, signature, opened.body())?;
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
        let waiting = self.expect(served, &head, came_at);
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
        let accepted = self.store(push, served.number, desk, deadline).await?;
        if let Some(waiting) = waiting {
            let request = passive::Request {
                opened: &opened,
                credentials: &credentials,
                counters: &self.counters,
                came_at,
                now: received_at,
            };
            return Ok(request.answer(accepted, waiting, &*self.inbox).await);
        }
        let answer = served
            .account
            .release_check
            .then(|| release_check::answer(&opened, &credentials, self.clock.now()));
        Ok(answer.flatten().map_or_else(success, reply))
    }

    /// Waits for the push's handler, where that is wanted and somebody can be answered.
    fn expect(&self, served: &Served, head: &Head, came_at: Instant) -> Option<Waiting> {
        let desk = self.passive.as_ref()?;
        let from_user = matches!(head.kind, Kind::Message | Kind::Event);
        let is_answerable =
            from_user && !head.user.as_str().is_empty() && served.account.role == Role::Account;
        if !is_answerable {
            return None;
        }
        desk.expect(head.dedupe_key, served.account.passive, came_at)
    }

    /// In plaintext mode the signature does not cover the body: a signature that was seen comes with the
    /// body that it was seen with, or not at all.
    fn admit_body(&self, served: &Served, signature: u128, body: &[u8]) -> Result<(), Rejection> {
        let now = self.clock.monotonic();
        if served.account.credentials.mode() == Mode::Plain
            && !served.replays.admit(signature, body, now)
        {
            return Err(Rejection::Replayed);
        }
        Ok(())
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
            Judgement::Fresh => {}
            Judgement::Stale { offset_seconds } => return Err(Rejection::Stale { offset_seconds }),
            Judgement::OurClockIsWrong { offset_seconds } => {
                tracing::error!(
                    account = %served.account.name,
                    offset_seconds,
                    "The clock of this machine is wrong: every authentic push is off by the same amount. \
                     They are accepted; set the clock."
                );
            }
        }
        self.check_source(served, request)?;
        Ok(verified)
    }

    /// After the signature: what is signed and comes from elsewhere is worth knowing.
    fn check_source(&self, served: &Served, request: &HttpRequest) -> Result<(), Rejection> {
        if !self.sources.allowed().is_on() {
            return Ok(());
        }
        let source = self.sources.source_of(request);
        if self.sources.allows(source) {
            return Ok(());
        }
        tracing::error!(
            account = %served.account.name,
            ?source,
            "A rightly signed request came from an address that is not on server.allow_list; it was refused. \
             If that is a proxy of yours, name it in server.trusted_proxies."
        );
        Err(Rejection::Unlisted {
            source_address: source,
        })
    }

    /// Whether an unreadable push is stored. In plaintext mode a signature that was not seen
    /// before fits any body.
    fn admit_malformed(&self, served: &Served, opened: &Opened, head: &Head) -> bool {
        self.counters.add(Counter::PushesMalformed);
        let stored = served.account.credentials.mode() != Mode::Plain
            || (opened.body().len() <= MALFORMED_BYTES
                && served.malformed.pass(self.clock.monotonic()));
        let becomes = match stored {
            true => "kept as malformed",
            false => "not kept, as so many or so large ones in plaintext mode are not",
        };
        tracing::warn!(
            account = %served.account.name,
            bytes = opened.body().len(),
            reason = head.malformed.as_deref(),
            stored,
            "A signed push could not be read; it is {becomes}, and not handled."
        );
        stored
    }

    async fn store(
        &self,
        push: NewPush,
        account: usize,
        desk: &Desk,
        deadline: Instant,
    ) -> Result<Accepted, Rejection> {
        let place = self.gate.enter(account, deadline).await?;
        let room = match Arc::clone(self.inbox.room()).try_acquire_owned() {
            Ok(room) => room,
            Err(_) => timeout_at(deadline, Arc::clone(self.inbox.room()).acquire_owned())
                .await
                .map_err(|_| Rejection::Overloaded)?
                .map_err(|_| crate::store::StoreError::Closed)?,
        };
        let (ticket, pickup) = desk.ticket();
        // A commit that ends with the budget would be told too late.
        let left = deadline.saturating_duration_since(Instant::now());
        let left = left.saturating_sub(self.request_budget / 16);
        let ticket = ticket.until(self.clock.monotonic() + left);
        self.inbox.accept(push, room, ticket);
        let outcome = timeout_at(deadline, pickup).await;
        place.served();
        let accepted = outcome.map_err(|_| Rejection::Overloaded)??;
        match accepted {
            Accepted::Stored(id) => {
                self.counters.add(Counter::PushesStored);
                tracing::debug!(push_id = %id, "A push was stored.");
            }
            Accepted::Repeat(id) => {
                self.counters.add(Counter::PushesRepeated);
                tracing::debug!(push_id = %id, "A repeated push was recognised.");
            }
        }
        Ok(accepted)
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
pub(super) fn success() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, TEXT))
        .body(Bytes::from_static(b"success"))
}

/// A reply as the body of the answer.
fn reply(body: String) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, passive::XML))
        .body(body)
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
