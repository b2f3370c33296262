//! The admin listener: is the process alive, can it take pushes, and what has it counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::http::Method;
use actix_web::http::header::{ALLOW, AUTHORIZATION, HOST, WWW_AUTHENTICATE};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value, json};

use crate::metric::{Counter, Counters};
use crate::secret::AdminKey;
use crate::store::{Health, Inbox};

/// What the admin listener needs.
#[derive(Debug)]
pub struct Admin {
    inbox: Arc<dyn Inbox>,
    counters: Arc<Counters>,
    key: AdminKey,
    stopping: AtomicBool,
}

impl Admin {
    /// Answers for this store; `/v1` asks for this key.
    pub fn new(inbox: Arc<dyn Inbox>, counters: Arc<Counters>, key: AdminKey) -> Self {
        Self {
            inbox,
            counters,
            key,
            stopping: AtomicBool::new(false),
        }
    }

    /// From now on `/readyz` says that pushes should go elsewhere.
    pub fn stopping(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Answers one request.
    pub(super) fn answer(&self, request: &HttpRequest) -> HttpResponse {
        if request.method() != Method::GET {
            return HttpResponse::MethodNotAllowed()
                .insert_header((ALLOW, "GET"))
                .finish();
        }
        match request.path() {
            "/healthz" => HttpResponse::Ok().content_type("text/plain").body("ok\n"),
            "/readyz" => self.ready(),
            path if path.starts_with("/v1/") => self.protected(request, path),
            _ => HttpResponse::NotFound().finish(),
        }
    }

    fn ready(&self) -> HttpResponse {
        let health = self.inbox.health().borrow().clone();
        let obstacle = match health {
            _ if self.stopping.load(Ordering::Relaxed) => Some("the server is stopping".to_owned()),
            Health::Ready => None,
            Health::Refusing(reason) => Some(format!("the store takes no new pushes: {reason}")),
            Health::Poisoned(reason) => Some(format!("the store is poisoned: {reason}")),
            Health::Closed => Some("the store is closed".to_owned()),
        };
        let durability = self.inbox.durability();
        let body =
            json!({ "ready": obstacle.is_none(), "obstacle": obstacle, "durability": durability });
        match obstacle {
            None => HttpResponse::Ok().json(body),
            Some(_) => HttpResponse::ServiceUnavailable().json(body),
        }
    }

    fn protected(&self, request: &HttpRequest, path: &str) -> HttpResponse {
        if !self.may(request) {
            return HttpResponse::Unauthorized()
                .insert_header((WWW_AUTHENTICATE, "Bearer"))
                .json(json!({ "error": "send the admin key as: Authorization: Bearer KEY" }));
        }
        match path {
            "/v1/counters" => HttpResponse::Ok().json(self.counted()),
            _ => HttpResponse::NotFound().finish(),
        }
    }

    fn counted(&self) -> Value {
        let entry = |counter: &Counter| {
            (
                counter.name().to_owned(),
                Value::from(self.counters.value(*counter)),
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
        addressed && claimed.is_some_and(|claimed| self.key.matches(claimed))
    }
}
