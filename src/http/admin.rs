//! The admin listener: is the process alive, can it take pushes, what has it counted; tokens and
//! signatures for those who may have them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use actix_web::http::Method;
use actix_web::http::header::{ALLOW, AUTHORIZATION, HOST, WWW_AUTHENTICATE};
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;

use super::client::{Caller, Client, Keyring};
use super::file::UPLOADS_AT_ONCE;
use super::network::Network;
use super::source::Sources;
use super::standing::Standing;
use super::token::{at_a_glance, refused};
use crate::api::Api;
use crate::api::jssdk::Origin;
use crate::clock::Clock;
use crate::dispatch::{Bundles, NO_CUSTOMER_MESSAGES, Replays, SharedWindows};
use crate::metric::{Check, Counter, Counters, Gauge, Gauges, REFUSED};
use crate::secret::AdminKey;
use crate::store::{Health, Inbox};
use crate::token::central::Central;

/// What the admin listener is made of.
#[derive(Debug)]
pub struct AdminParts {
    /// The pushes; a server that only keeps tokens has none.
    pub pushes: Option<Pushes>,
    /// The tokens.
    pub central: Central,
    /// What asks for JS-SDK tickets.
    pub api: Arc<Api>,
    /// The origins of pages that may be signed.
    pub origins: Vec<Origin>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// What it has counted.
    pub counters: Arc<Counters>,
    /// What `/v1` asks for.
    pub key: AdminKey,
    /// Who else may ask, for tokens and signatures.
    pub clients: Vec<Client>,
}

/// What the admin listener tells and does about pushes.
#[derive(Debug)]
pub struct Pushes {
    /// Whose health it tells.
    pub inbox: Arc<dyn Inbox>,
    /// How pushes are handled again, and put away.
    pub replays: Replays,
    /// What an operator's messages use up like replies.
    pub windows: SharedWindows,
    /// What stands aside.
    pub gauges: Arc<Gauges>,
    /// Templates and rules, and whether those on the disk are used.
    pub bundles: Bundles,
    /// From where they may come.
    pub sources: Arc<Sources>,
}

/// Answers operators and probes.
#[derive(Debug)]
pub struct Admin {
    parts: AdminParts,
    keys: Keyring,
    stopping: AtomicBool,
    uploads: Semaphore,
    configuration: Mutex<Standing>,
}

impl Admin {
    /// Puts the parts together.
    pub fn new(parts: AdminParts) -> Self {
        Self {
            keys: Keyring::new(&parts.key, parts.clients.clone()),
            parts,
            stopping: AtomicBool::new(false),
            uploads: Semaphore::new(UPLOADS_AT_ONCE),
            configuration: Mutex::default(),
        }
    }

    /// From now on `/readyz` says that pushes should go elsewhere.
    pub fn stopping(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// The configuration was read again: `/readyz` tells what became of it.
    pub fn configured(&self, standing: Standing) {
        *self.configuration.lock().unwrap_or_else(|e| e.into_inner()) = standing;
    }

    /// Stores who used tokens, as the last thing before the process ends.
    pub async fn store_uses(&self) {
        if let Err(error) = self.parts.central.store_uses().await {
            tracing::warn!(error = %error, "Who used tokens in the last seconds is not stored.");
        }
    }

    /// Whose turn it is to upload a file.
    pub(super) const fn uploads(&self) -> &Semaphore {
        &self.uploads
    }

    pub(super) fn parts(&self) -> &AdminParts {
        &self.parts
    }

    /// Whether whoever asks has the admin key.
    pub(super) fn is_admin(&self, request: &HttpRequest) -> bool {
        matches!(self.caller(request), Some(Caller::Admin))
    }

    /// Reads one request and answers it.
    pub(super) async fn receive(&self, request: &HttpRequest, payload: Payload) -> HttpResponse {
        if let Some(account) = self.upload_to(request) {
            return self.upload(account, request, payload).await;
        }
        match self.body(request, payload).await {
            Ok(body) => self.answer(request, &body).await,
            Err(refused) => refused,
        }
    }

    /// Answers one request.
    pub(super) async fn answer(&self, request: &HttpRequest, body: &[u8]) -> HttpResponse {
        let segments: Vec<&str> = request.path().split('/').skip(1).collect();
        let is_read = request.method() == Method::GET;
        match (is_read, segments.as_slice()) {
            (true, ["healthz"]) => HttpResponse::Ok().content_type("text/plain").body("ok\n"),
            (true, ["readyz"]) => self.ready(),
            (_, ["v1", rest @ ..]) => match self.caller(request) {
                Some(caller) => self.answer_caller(request, caller, rest, body).await,
                None => HttpResponse::Unauthorized()
                    .insert_header((WWW_AUTHENTICATE, "Bearer"))
                    .body("send a key as: Authorization: Bearer KEY\n"),
            },
            (false, ["healthz" | "readyz"]) => only_get(),
            _ => HttpResponse::NotFound().finish(),
        }
    }

    /// Answers one whose key is right.
    async fn answer_caller(
        &self,
        request: &HttpRequest,
        caller: Caller<'_>,
        rest: &[&str],
        body: &[u8],
    ) -> HttpResponse {
        let is_read = request.method() == Method::GET;
        match (is_read, rest) {
            (_, ["token", rest @ ..]) => {
                let method = request.method().as_str();
                self.token(method, rest, caller, body).await
            }
            (true, ["jssdk", account]) => self.jssdk(account, request.query_string(), caller).await,
            _ if !matches!(caller, Caller::Admin) => refused("this needs the admin key"),
            (_, ["quota", rest @ ..]) => self.quota(request.method().as_str(), rest, body).await,
            (true, ["counters"]) => HttpResponse::Ok().json(self.counted()),
            (true, ["media", account]) => self.media(account, request).await,
            (true, ["qr", account]) => self.qr(account, request).await,
            (false, ["api", account]) if request.method() == Method::POST => {
                self.call(account, body).await
            }
            (false, ["inbox", rest @ ..]) if request.method() == Method::POST => {
                self.operate(rest, request.query_string(), body).await
            }
            (false, _) => only_get(),
            _ => HttpResponse::NotFound().finish(),
        }
    }

    fn ready(&self) -> HttpResponse {
        let pushes = self.parts.pushes.as_ref();
        let health = pushes.map(|pushes| pushes.inbox.health().borrow().clone());
        let obstacle = match health.unwrap_or(Health::Ready) {
            _ if self.stopping.load(Ordering::Relaxed) => Some("the server is stopping".to_owned()),
            Health::Ready => None,
            Health::Refusing(reason) => Some(format!("the store takes no new pushes: {reason}")),
            Health::Poisoned(reason) => Some(format!("the store is poisoned: {reason}")),
            Health::Closed => Some("the store is closed".to_owned()),
        };
        let durability = pushes.map(|pushes| pushes.inbox.durability());
        let central = &self.parts.central;
        let tokens: Vec<Value> = central.at_hand().iter().map(at_a_glance).collect();
        let configuration = self.configuration.lock().unwrap_or_else(|e| e.into_inner());
        let configuration = configuration.json();
        let mut body = json!({
            "ready": obstacle.is_none(),
            "obstacle": obstacle,
            "durability": durability,
            "tokens": tokens,
            "clock_skew_seconds": central.clock_skew(),
            "quotas_used_up": self.used_up(),
            "configuration": configuration,
        });
        if self.parts.counters.value(Counter::PartsUnauthorized) > 0 {
            body["advice"] = NO_CUSTOMER_MESSAGES.into();
        }
        if let Some(pushes) = pushes {
            body["aside"] = gauged(&pushes.gauges).into();
            body["bundle"] = bundle(&pushes.bundles);
            body["bundle"]["swaps"] = self.parts.counters.value(Counter::BundlesSwapped).into();
            body["allow_list"] = allow_list(&pushes.sources);
            body["wrong_mode"] = self.wrong_mode().into();
        }
        match obstacle {
            None => HttpResponse::Ok().json(body),
            Some(_) => HttpResponse::ServiceUnavailable().json(body),
        }
    }

    /// What to do when rightly signed pushes come in another mode than the configured one: nobody sees a 403.
    fn wrong_mode(&self) -> Vec<&'static str> {
        let advice = [
            (
                Check::Downgrade,
                "signed plaintext pushes were refused: choose 安全模式 in the WeChat console, or set WECHAT_MODE=plain",
            ),
            (
                Check::Unexpected,
                "signed encrypted pushes were refused: set WECHAT_ENCODING_AES_KEY and WECHAT_MODE as in the WeChat console",
            ),
        ];
        let refused = |check| self.parts.counters.refused(check) > 0;
        let advice = advice.into_iter().filter(|(check, _)| refused(*check));
        advice.map(|(_, advice)| advice).collect()
    }

    fn counted(&self) -> Value {
        let entry = |counter: &Counter| {
            (
                counter.name().to_owned(),
                Value::from(self.parts.counters.value(*counter)),
            )
        };
        let mut counted: Map<_, _> = Counter::ALL.iter().map(entry).collect();
        counted.extend(Check::ALL.iter().map(|check| {
            let name = format!("{REFUSED}{{check=\"{}\"}}", check.name());
            (name, Value::from(self.parts.counters.refused(*check)))
        }));
        if let Some(pushes) = &self.parts.pushes {
            counted.extend(gauged(&pushes.gauges));
        }
        Value::Object(counted)
    }

    /// The key must be right, and the Host must be an address: a web page that an operator visits can
    /// point a name of its own at this listener, but cannot make the browser send an address as Host.
    fn caller(&self, request: &HttpRequest) -> Option<Caller<'_>> {
        let header = |name| {
            request
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        let host = header(HOST).unwrap_or_default();
        let addressed = host.parse::<std::net::SocketAddr>().is_ok()
            || host.parse::<std::net::IpAddr>().is_ok()
            || host.split(':').next() == Some("localhost");
        let claimed = header(AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
        self.keys.caller(claimed.filter(|_| addressed)?)
    }
}

/// Faults of templates and rules that are told; `wxhook render --check` tells all.
const FAULTS_TOLD: usize = 20;

/// What is used, and what is wrong with what is not.
fn bundle(bundles: &Bundles) -> Value {
    let (current, broken) = (bundles.current(), bundles.broken());
    let faults = broken.iter().flat_map(|faults| &faults.0);
    let faults: Vec<String> = faults.take(FAULTS_TOLD).map(ToString::to_string).collect();
    json!({
        "templates": current.templates().names().count(),
        "rules": current.rules().iter().len(),
        "broken": broken.is_some(),
        "faults": faults,
    })
}

/// From where pushes may come, for people.
fn allow_list(sources: &Sources) -> Value {
    let allowed = sources.allowed();
    if !allowed.is_on() {
        return "off".into();
    }
    let callbacks = sources.callbacks();
    let networks: Vec<String> = allowed.networks.iter().map(Network::to_string).collect();
    json!({
        "networks": networks,
        "wechat": allowed.wechat,
        "wechat_addresses": callbacks.as_ref().map(|callbacks| callbacks.networks.len()),
        "wechat_read_at": callbacks.as_ref().map(|callbacks| callbacks.read_at.seconds()),
        "open_for_want_of_a_list": allowed.wechat && callbacks.is_none(),
    })
}

fn gauged(gauges: &Gauges) -> Map<String, Value> {
    let entry = |gauge: &Gauge| (gauge.name().to_owned(), gauges.value(*gauge).into());
    Gauge::ALL.iter().map(entry).collect()
}

fn only_get() -> HttpResponse {
    HttpResponse::MethodNotAllowed()
        .insert_header((ALLOW, "GET"))
        .finish()
}
