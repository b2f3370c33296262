//! The admin listener: is the process alive, can it take pushes, and what has it counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::http::Method;
use actix_web::http::header::{ALLOW, AUTHORIZATION, HOST, WWW_AUTHENTICATE};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value, json};

use crate::dispatch::{ReplayError, Replays};
use crate::id::PushId;
use crate::metric::{Counter, Counters};
use crate::secret::AdminKey;
use crate::store::{Health, Inbox, StoreError};

/// What the admin listener is made of.
#[derive(Debug)]
pub struct AdminParts {
    /// Whose health it tells.
    pub inbox: Arc<dyn Inbox>,
    /// What it has counted.
    pub counters: Arc<Counters>,
    /// How pushes are handled again.
    pub replays: Replays,
    /// What `/v1` asks for.
    pub key: AdminKey,
}

/// Answers operators and probes.
#[derive(Debug)]
pub struct Admin {
    parts: AdminParts,
    stopping: AtomicBool,
}

impl Admin {
    /// Puts the parts together.
    pub fn new(parts: AdminParts) -> Self {
        Self {
            parts,
            stopping: AtomicBool::new(false),
        }
    }

    /// From now on `/readyz` says that pushes should go elsewhere.
    pub fn stopping(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Answers one request.
    pub(super) async fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let segments: Vec<&str> = request.path().split('/').skip(1).collect();
        let is_read = request.method() == Method::GET;
        match (is_read, segments.as_slice()) {
            (true, ["healthz"]) => HttpResponse::Ok().content_type("text/plain").body("ok\n"),
            (true, ["readyz"]) => self.ready(),
            (_, ["v1", ..]) if !self.may(request) => HttpResponse::Unauthorized()
                .insert_header((WWW_AUTHENTICATE, "Bearer"))
                .body("send the admin key as: Authorization: Bearer KEY\n"),
            (true, ["v1", "counters"]) => HttpResponse::Ok().json(self.counted()),
            (false, ["v1", "inbox", id, "replay"]) if request.method() == Method::POST => {
                self.replay(id, request.query_string() == "force=true")
                    .await
            }
            (false, ["healthz" | "readyz" | "v1", ..]) => HttpResponse::MethodNotAllowed()
                .insert_header((ALLOW, "GET"))
                .finish(),
            _ => HttpResponse::NotFound().finish(),
        }
    }

    /// Has a push handled again; the body says why not.
    async fn replay(&self, id: &str, force: bool) -> HttpResponse {
        let Ok(id) = id.parse() else {
            return HttpResponse::NotFound().body("an id is a number\n");
        };
        let replayed = self.parts.replays.replay(PushId(id), force).await;
        let Err(error) = replayed else {
            tracing::info!(push_id = id, force, "An operator has a push handled again.");
            return HttpResponse::Ok().body("pending\n");
        };
        let mut refused = match &error {
            ReplayError::Missing(_) => HttpResponse::NotFound(),
            ReplayError::Store(StoreError::Conflict(_))
            | ReplayError::Handled(_)
            | ReplayError::Unreadable { .. } => HttpResponse::Conflict(),
            _ => HttpResponse::ServiceUnavailable(),
        };
        refused.body(format!("{error}\n"))
    }

    fn ready(&self) -> HttpResponse {
        let health = self.parts.inbox.health().borrow().clone();
        let obstacle = match health {
            _ if self.stopping.load(Ordering::Relaxed) => Some("the server is stopping".to_owned()),
            Health::Ready => None,
            Health::Refusing(reason) => Some(format!("the store takes no new pushes: {reason}")),
            Health::Poisoned(reason) => Some(format!("the store is poisoned: {reason}")),
            Health::Closed => Some("the store is closed".to_owned()),
        };
        let durability = self.parts.inbox.durability();
        let body =
            json!({ "ready": obstacle.is_none(), "obstacle": obstacle, "durability": durability });
        match obstacle {
            None => HttpResponse::Ok().json(body),
            Some(_) => HttpResponse::ServiceUnavailable().json(body),
        }
    }

    fn counted(&self) -> Value {
        let entry = |counter: &Counter| {
            (
                counter.name().to_owned(),
                Value::from(self.parts.counters.value(*counter)),
            )
        };
        Value::Object(Counter::ALL.iter().map(entry).collect::<Map<_, _>>())
    }

    /// The key must be right, and the Host must be an address: a web page that an operator visits can
    /// point a name of its own at this listener, but cannot make the browser send an address as Host.
    fn may(&self, request: &HttpRequest) -> bool {
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
        addressed && claimed.is_some_and(|claimed| self.parts.key.matches(claimed))
    }
}
