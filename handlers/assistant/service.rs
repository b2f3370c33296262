//! The model's service: one question over HTTP, and its answer as it arrives.

use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use serde_json::{Value, json};
use wxhook::{Deadline, HandlerSecret};

use crate::assistant::history::Line;
use crate::assistant::service::events::Events;
use crate::assistant::settings::Settings;

mod events;

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Kept of the handler's time for the last messages to leave.
const FAREWELL: Duration = Duration::from_secs(5);
/// Bytes of a refusal that are looked at.
const MAX_REFUSAL_BYTES: usize = 4 * 1024;

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SetupError {
    /// Nothing is known of it that could not hold a password.
    #[error(
        "handlers.assistant.proxy is no address of a proxy like http://USER:PASSWORD@HOST:PORT"
    )]
    Proxy,
    /// Mostly: the system has no root certificates.
    #[error("the client of the assistant's service cannot start")]
    Client(#[source] reqwest::Error),
}

/// Why a question was not answered, or not to its end. Says nothing of what was asked or answered.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    #[error("the model's service cannot be reached")]
    NotReached(#[source] reqwest::Error),
    #[error("the model's service refused the question: HTTP {status}, {reason}")]
    Refused {
        status: u16,
        reason: String,
        /// How long it wants to be left alone.
        wait: Option<Duration>,
    },
    #[error("what the model's service answered is no stream of events (text/event-stream)")]
    NoStream,
    #[error("the model's service sent an event that is no piece of an answer")]
    Garbled,
    #[error("the model's service failed in the middle of its answer: {reason}")]
    Failed { reason: String },
    #[error("the answer of the model's service ended in the middle")]
    Cut,
    #[error("nothing came from the model's service for {seconds} s")]
    Silent { seconds: u64 },
    #[error("the handler's time was over before the model's answer")]
    Late,
    #[error("the model's service sent more than is read of an answer")]
    TooMuch,
    #[error("the model's answer is empty")]
    Empty,
}

impl AskError {
    /// Whether the same question may be answered a little later.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Refused { status, .. } => matches!(status, 408 | 409 | 429 | 500..),
            Self::NoStream | Self::Garbled | Self::TooMuch => false,
            Self::NotReached(_)
            | Self::Failed { .. }
            | Self::Cut
            | Self::Silent { .. }
            | Self::Late
            | Self::Empty => true,
        }
    }

    /// How long the service wants to be left alone.
    pub(super) fn wait(&self) -> Option<Duration> {
        match self {
            Self::Refused { wait, .. } => *wait,
            _ => None,
        }
    }
}

/// A piece of an answer.
#[derive(Debug, PartialEq)]
pub(super) enum Piece {
    Text(String),
    /// Nothing comes after it.
    End(Finish),
}

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Finish {
    Whole,
    /// The model's limit, or what the user can be sent.
    TooLong,
    /// The service's filter held the rest back.
    Filtered,
    Broken,
}

impl Finish {
    /// What the user is told.
    pub(super) fn note(self) -> Option<&'static str> {
        match self {
            Self::Whole => None,
            Self::TooLong => Some("……（回答太长，到此为止）"),
            Self::Filtered => Some("……（其余内容未能显示）"),
            Self::Broken => Some("……（回答中断了，请再问一次）"),
        }
    }
}

/// The client of one service.
pub(super) struct Service {
    client: reqwest::Client,
    endpoint: reqwest::Url,
    model: String,
    key: Option<HandlerSecret>,
    silence: Duration,
}

impl Service {
    pub(super) fn open(settings: &Settings) -> Result<Self, SetupError> {
        // An error says that a provider is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT);
        if settings.endpoint.scheme() == "http" {
            // A model beside the server must work on machines without certificates.
            builder = builder.tls_certs_only([]);
        }
        if let Some(proxy) = &settings.proxy {
            let proxy = reqwest::Proxy::all(proxy.expose()).map_err(|_| SetupError::Proxy)?;
            builder = builder.proxy(proxy);
        }
        let client = builder.build();
        Ok(Self {
            client: client.map_err(|error| SetupError::Client(error.without_url()))?,
            endpoint: settings.endpoint.clone(),
            model: settings.model.clone(),
            key: settings.key.clone(),
            silence: settings.silence,
        })
    }

    /// Asks, and waits until an answer begins.
    pub(super) async fn ask(
        &self,
        lines: &[Line<'_>],
        deadline: &Deadline,
    ) -> Result<Answer, AskError> {
        let question = json!({ "model": self.model, "messages": lines, "stream": true });
        let mut request = self
            .client
            .post(self.endpoint.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "text/event-stream")
            .body(question.to_string());
        if let Some(key) = &self.key {
            request = request.bearer_auth(key.expose());
        }
        let limit = Limit::new(self.silence, deadline);
        let response = match limit.of(request.send()).await? {
            Ok(response) => response,
            Err(error) => return Err(AskError::NotReached(error.without_url())),
        };
        if !response.status().is_success() {
            return Err(refused(response, &limit).await);
        }
        let content_type = response.headers().get(CONTENT_TYPE);
        let content_type = content_type.and_then(|text| text.to_str().ok());
        if !content_type.is_some_and(|text| text.starts_with("text/event-stream")) {
            return Err(AskError::NoStream);
        }
        Ok(Answer {
            response,
            events: Events::default(),
            silence: self.silence,
        })
    }
}

/// An answer on its way. Dropped, its connection is closed, and the model stops.
pub(super) struct Answer {
    response: reqwest::Response,
    events: Events,
    silence: Duration,
}

impl Answer {
    /// The next piece; after [`Piece::End`] there is none.
    pub(super) async fn next(&mut self, deadline: &Deadline) -> Result<Piece, AskError> {
        loop {
            if let Some(piece) = self.events.next() {
                return Ok(piece);
            }
            let limit = Limit::new(self.silence, deadline);
            match limit.of(self.response.chunk()).await? {
                Ok(Some(bytes)) => self.events.push(&bytes)?,
                Ok(None) | Err(_) => return Err(AskError::Cut),
            }
        }
    }
}

/// How long a step may take.
struct Limit {
    silence: Duration,
    left: Duration,
}

impl Limit {
    fn new(silence: Duration, deadline: &Deadline) -> Self {
        Self {
            silence,
            left: deadline.remaining().saturating_sub(FAREWELL),
        }
    }

    async fn of<T>(&self, step: impl Future<Output = T>) -> Result<T, AskError> {
        let limit = self.silence.min(self.left);
        let outcome = tokio::time::timeout(limit, step).await;
        outcome.map_err(|_| match self.left <= self.silence {
            true => AskError::Late,
            false => AskError::Silent {
                seconds: self.silence.as_secs(),
            },
        })
    }
}

async fn refused(mut response: reqwest::Response, limit: &Limit) -> AskError {
    let status = response.status().as_u16();
    let wait = response.headers().get(RETRY_AFTER);
    let wait = wait.and_then(|text| text.to_str().ok()?.trim().parse().ok());
    let mut body = Vec::new();
    while body.len() < MAX_REFUSAL_BYTES
        && let Ok(Ok(Some(bytes))) = limit.of(response.chunk()).await
    {
        let left = MAX_REFUSAL_BYTES - body.len();
        body.extend_from_slice(&bytes[..bytes.len().min(left)]);
    }
    let said: Value = serde_json::from_slice(&body).unwrap_or_default();
    AskError::Refused {
        status,
        reason: reason_of(&said["error"]),
        wait: wait.map(Duration::from_secs),
    }
}

/// The name of a service's error. Its text is not repeated: some quote the key, or the question.
fn reason_of(error: &Value) -> String {
    let is_name = |text: &&str| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        !text.is_empty() && text.len() <= 60 && text.chars().all(is_plain)
    };
    let named = [&error["code"], &error["type"]].map(|name| name.as_str().filter(is_name));
    let named = named.into_iter().flatten().next();
    named.unwrap_or("without a reason").to_owned()
}
