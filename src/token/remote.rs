//! Access tokens from a central wxhook: for business servers, which never ask the platform.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use futures_util::stream::StreamExt as _;
use serde::Deserialize;
use serde_json::json;

use crate::clock::{Clock, Timestamp};
use crate::id::AppId;
use crate::platform::error::ErrorCode;
use crate::platform::hosts::ApiHost;
use crate::secret::{AccessToken, ClientKey};
use crate::store::tokens::{Note, TokensError};
use crate::token::flight::Flight;
use crate::token::{Asked, Lease, Status, Suspect, TokenError, TokenSource};
use crate::transport::{Body, Method, Request, Transport};

/// A token is kept for at most so long before the service is asked for it again: far less than the
/// five minutes for which the platform takes old and new token.
pub const LONGEST_CACHE: Duration = Duration::from_secs(60);

/// One who holds a living token waits so long for a fresher one.
pub const PATIENCE: Duration = Duration::from_millis(500);

/// How long the service may take: as long as it may need for a question to the platform.
pub const SERVICE_TIMEOUT: Duration = Duration::from_secs(10);

/// The pause after the service did not answer well.
const PAUSE: Duration = Duration::from_secs(1);

/// Bytes of the longest answer that is read.
const MAX_ANSWER_BYTES: usize = 16 * 1024;

/// What the client of a token service is made of.
#[derive(Debug, Clone)]
pub struct RemoteParts {
    /// The account.
    pub account: AppId,
    /// Where the service is.
    pub service: ApiHost,
    /// Our key there.
    pub key: ClientKey,
    /// How it is reached.
    pub transport: Arc<dyn Transport>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

/// One account's tokens, fetched from a central wxhook.
///
/// A token is kept for a minute or a quarter of its remaining life. While the service is away, the
/// last good token serves to the end of its life.
pub struct RemoteTokens {
    shared: Arc<Shared>,
    service: String,
    fetches: Flight<Result<Lease, TokenError>>,
    /// Apart from the fetches: a report must not be answered by a read that left before it.
    reports: Flight<Result<Lease, TokenError>>,
}

struct Shared {
    parts: RemoteParts,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    failure: Option<(TokenError, Duration)>,
}

struct Held {
    lease: Lease,
    asked_at: Duration,
}

impl Held {
    fn age(&self, now: Duration) -> Duration {
        now.saturating_sub(self.asked_at)
    }

    fn lease_at(&self, now: Duration) -> Lease {
        Lease {
            remaining: self.lease.remaining.saturating_sub(self.age(now)),
            ..self.lease.clone()
        }
    }

    fn is_alive(&self, now: Duration) -> bool {
        self.age(now) < self.lease.remaining
    }

    fn is_fresh(&self, now: Duration) -> bool {
        self.age(now) < LONGEST_CACHE.min(self.lease.remaining / 4)
    }
}

impl fmt::Debug for RemoteTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteTokens")
            .field("account", &self.shared.parts.account)
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}

/// What the service answers.
#[derive(Deserialize)]
struct Given {
    access_token: String,
    generation: u64,
    expires_in: u64,
}

enum Question {
    Read,
    Report { body: Bytes },
}

impl RemoteTokens {
    /// A client without a token. Asks for one when it is first needed.
    pub fn new(parts: RemoteParts) -> Self {
        Self {
            service: parts.service.to_string(),
            shared: Arc::new(Shared {
                parts,
                state: Mutex::new(State::default()),
            }),
            fetches: Flight::default(),
            reports: Flight::default(),
        }
    }

    async fn read(&self) -> Result<Lease, TokenError> {
        let now = self.shared.now();
        let (alive, paused) = {
            let state = self.shared.state();
            if let Some(held) = state.held.as_ref().filter(|held| held.is_fresh(now)) {
                return Ok(held.lease_at(now));
            }
            let alive = state.held.as_ref().filter(|held| held.is_alive(now));
            let alive = alive.map(|held| held.lease_at(now));
            let failure = state.failure.as_ref().filter(|(_, until)| now < *until);
            (alive, failure.map(|(error, _)| error.clone()))
        };
        match (alive, paused) {
            (Some(lease), Some(_)) => Ok(lease),
            (None, Some(error)) => Err(error),
            (None, None) => self.fetch(Question::Read).await,
            (Some(lease), None) => {
                // The fetch goes on when patience ends: the next caller may find its answer.
                let fetched = tokio::time::timeout(PATIENCE, self.fetch(Question::Read)).await;
                match fetched {
                    Ok(Ok(fresh)) => Ok(fresh),
                    _ => Ok(lease),
                }
            }
        }
    }

    async fn tell(&self, failed: &Suspect, code: ErrorCode) -> Result<Lease, TokenError> {
        if !code.refuses_the_token() {
            return self.read().await;
        }
        let other = self.held().filter(|lease| !failed.is(lease));
        let body = match failed {
            Suspect::Token(token) => json!({"sha256": hex(&token.digest()), "errcode": code.0}),
            Suspect::Digest(digest) => json!({"sha256": hex(digest), "errcode": code.0}),
            Suspect::Generation(generation) => {
                json!({"generation": generation, "errcode": code.0})
            }
        };
        if let Some(lease) = other {
            // It was replaced since: nobody need be asked.
            return Ok(lease);
        }
        let body = Bytes::from(body.to_string());
        self.fetch(Question::Report { body }).await
    }

    async fn fetch(&self, question: Question) -> Result<Lease, TokenError> {
        let shared = Arc::clone(&self.shared);
        let flight = match &question {
            Question::Read => &self.fetches,
            Question::Report { .. } => &self.reports,
        };
        let fetched = flight.join(|| async move {
            let outcome = shared.ask(question).await;
            shared.keep(&outcome);
            outcome.map(|held| held.lease)
        });
        fetched.await.unwrap_or(Err(TokenError::Interrupted))
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn now(&self) -> Duration {
        self.parts.clock.monotonic()
    }

    fn fault(&self, fault: impl Into<String>) -> TokenError {
        TokenError::Service {
            service: self.parts.service.to_string(),
            fault: fault.into(),
        }
    }

    async fn ask(&self, question: Question) -> Result<Held, TokenError> {
        let asked_at = self.now();
        let whole = async {
            let response = self.parts.transport.send(self.request(question)).await;
            let mut response = response.map_err(|error| self.fault(error.to_string()))?;
            let mut body = BytesMut::new();
            while let Some(chunk) = response.body.next().await {
                body.extend_from_slice(&chunk.map_err(|error| self.fault(error.to_string()))?);
                if body.len() > MAX_ANSWER_BYTES {
                    return Err(self.fault("answers more than a token"));
                }
            }
            Ok((response.status, body.freeze()))
        };
        let (status, body) = tokio::time::timeout(SERVICE_TIMEOUT, whole)
            .await
            .map_err(|_elapsed| self.fault("does not answer"))??;
        let lease = self.understand(status, &body)?;
        Ok(Held { lease, asked_at })
    }

    fn request(&self, question: Question) -> Request {
        let parts = &self.parts;
        let url = format!("{}/v1/token/{}", parts.service, parts.account);
        let (method, url, content_type, body) = match question {
            Question::Read => (Method::Get, url, None, Body::Empty),
            Question::Report { body } => (
                Method::Post,
                format!("{url}/report"),
                Some("application/json"),
                Body::Bytes(body),
            ),
        };
        Request {
            method,
            url,
            content_type: content_type.map(Cow::Borrowed),
            bearer: Some(parts.key.clone()),
            body,
            timeout: SERVICE_TIMEOUT,
        }
    }

    fn understand(&self, status: u16, body: &[u8]) -> Result<Lease, TokenError> {
        match status {
            200 => {}
            401 => return Err(self.fault("does not know our key: look at token.client_key")),
            403 => return Err(self.fault("does not give our key the right to read tokens")),
            404 => return Err(self.fault("has no tokens of this account")),
            status => return Err(self.fault(format!("answers HTTP status {status}"))),
        }
        // An error of serde could show a part of the body.
        let given: Given = serde_json::from_slice(body)
            .map_err(|_| self.fault("answers something that is no token"))?;
        if given.access_token.is_empty() || !(1..=86_400).contains(&given.expires_in) {
            return Err(self.fault("answers a token without a life"));
        }
        Ok(Lease {
            token: AccessToken::new(given.access_token),
            generation: given.generation,
            remaining: Duration::from_secs(given.expires_in),
        })
    }

    /// Keeps what came, and says once when the service went away and when it came back.
    fn keep(&self, outcome: &Result<Held, TokenError>) {
        let now = self.now();
        let account = &self.parts.account;
        let mut state = self.state();
        match outcome {
            Ok(Held { lease, asked_at }) => {
                let was_away = state.failure.take().is_some();
                state.held = Some(Held {
                    lease: lease.clone(),
                    asked_at: *asked_at,
                });
                drop(state);
                if was_away {
                    tracing::info!(account = %account, "The token service gives tokens again.");
                }
            }
            Err(error) => {
                let before = state.failure.replace((error.clone(), now + PAUSE));
                let serving = state.held.as_ref().is_some_and(|held| held.is_alive(now));
                drop(state);
                if before.is_none() {
                    tracing::warn!(account = %account, error = %error,
                        serving_the_old_token = serving, "The token service gives no token.");
                }
            }
        }
    }
}

impl TokenSource for RemoteTokens {
    fn account(&self) -> &AppId {
        &self.shared.parts.account
    }

    fn origin(&self) -> &str {
        &self.service
    }

    fn held(&self) -> Option<Lease> {
        let now = self.shared.now();
        let state = self.shared.state();
        let held = state.held.as_ref().filter(|held| held.is_alive(now))?;
        Some(held.lease_at(now))
    }

    fn token(&self) -> BoxFuture<'_, Result<Lease, TokenError>> {
        Box::pin(self.read())
    }

    fn report<'a>(
        &'a self,
        failed: &'a Suspect,
        code: ErrorCode,
    ) -> BoxFuture<'a, Result<Lease, TokenError>> {
        Box::pin(self.tell(failed, code))
    }

    /// The service knows us by our key, and names us so.
    fn serve<'a>(
        &'a self,
        _who: &'a str,
        asked: &'a Asked,
    ) -> BoxFuture<'a, Result<Lease, TokenError>> {
        match asked {
            Asked::Token => Box::pin(self.read()),
            Asked::Replacement(failed, code) => Box::pin(self.tell(failed, *code)),
            Asked::Confirmation => Box::pin(self.fetch(Question::Read)),
        }
    }

    fn status(&self) -> Option<Status> {
        let now = self.shared.now();
        let wall = self.shared.parts.clock.now();
        let state = self.shared.state();
        let held = state.held.as_ref()?;
        let fetched_at = Timestamp::from_milliseconds(
            wall.milliseconds() - i64::try_from(held.age(now).as_millis()).unwrap_or(0),
        );
        Some(Status {
            generation: held.lease.generation,
            obtained_at: fetched_at,
            confirmed_at: fetched_at,
            obtained_by: self.service.clone(),
            remaining: held.lease_at(now).remaining,
            store_is_away: false,
            questions: None,
        })
    }

    fn failure(&self) -> Option<TokenError> {
        let state = self.shared.state();
        state.failure.as_ref().map(|(error, _)| error.clone())
    }

    fn history(&self) -> BoxFuture<'_, Result<Vec<Note>, TokensError>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
