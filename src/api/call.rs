//! The one way of every call: check → quota → token → host → decode → class → again.
//!
//! Whether a *user* may be written to now (the window) is known before: the outbox asks it before a
//! part is marked as sending, and the call itself is then made here.

use std::time::Duration;

use crate::api::endpoint::{Endpoint, FromAnswer, Spec};
use crate::api::retry::{Situation, pause};
use crate::api::{Api, CallError, RequestError};
use crate::id::AppId;
use crate::platform::download::Received;
use crate::platform::error::ErrorCode;
use crate::platform::exchange::{Call, ExchangeError};
use crate::quota::{Limit, QuotaKey};
use crate::token::Suspect;

/// The pause before the same token is tried once more, when the platform said that it is current:
/// its own servers may need a moment to agree.
const SAME_TOKEN_PAUSE: Duration = Duration::from_secs(1);

/// A call, and how it is made.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) call: Call,
    pub(super) quota: Option<QuotaKey>,
    pub(super) needs_token: bool,
    /// Whether the answer may be a file.
    pub(super) may_be_a_file: bool,
    /// How long it may go on being made again; none where the caller sees to that.
    pub(super) patience: Duration,
}

impl Api {
    /// Makes a call in an account's name.
    ///
    /// What the platform could only refuse is refused here. A refused access token is renewed and the
    /// call made once more. What passes (busy, no connection, the minute's quota) is waited out, as
    /// long as [`Settings::patience`](crate::api::Settings) lasts and the call may be repeated:
    /// one that must not happen twice is never made again when it may have been executed.
    ///
    /// Must be called within a tokio runtime; [`ApiHandle`](crate::api::ApiHandle) needs none.
    /// Dropping the future ends the call; whether it was executed is then not known.
    ///
    /// # Errors
    /// [`CallError`] says what came instead of an answer, and whether the platform can have acted.
    pub async fn call<E: Endpoint>(
        &self,
        account: &AppId,
        request: &E,
    ) -> Result<E::Response, CallError> {
        let ask = self.prepare(request)?;
        let received = self.ask(account, &ask).await?;
        E::Response::read(received)
    }

    /// Checks a request and writes it down.
    pub(super) fn prepare<E: Endpoint>(&self, request: &E) -> Result<Ask, RequestError> {
        request.check()?;
        let outgoing = request.write()?;
        let spec = E::SPEC;
        let call = Call {
            method: spec.method,
            query: outgoing.query,
            payload: outgoing.payload,
            accepts: spec.accepts,
            repeat: spec.repeat,
            timeout: self.timeout_of(&spec),
            ..Call::get(spec.path)
        };
        Ok(Ask {
            call,
            quota: spec.quota,
            needs_token: spec.needs_token,
            may_be_a_file: <E::Response as FromAnswer>::MAY_BE_A_FILE,
            patience: self.0.settings.patience,
        })
    }

    fn timeout_of(&self, spec: &Spec) -> Duration {
        match spec.moves_a_file {
            true => self.0.settings.media_timeout,
            false => self.0.settings.timeout,
        }
    }

    /// Makes the call, and makes it again as long as that makes sense.
    pub(super) async fn ask(&self, account: &AppId, ask: &Ask) -> Result<Received, CallError> {
        let began = self.0.clock.monotonic();
        let (mut repeats, mut waited) = (0, Duration::ZERO);
        loop {
            let spent = || self.0.clock.monotonic().saturating_sub(began).max(waited);
            let error = match self.once(account, ask).await {
                Err(CallError::Exchange(error)) => error,
                // Nothing left: the next minute is waited for, and this was no repeat.
                Err(CallError::Exhausted(full)) if full.limit == Limit::Minute => {
                    let pause = full.returns_at.since(self.0.clock.now());
                    if pause.is_zero() || spent() + pause > ask.patience {
                        return Err(CallError::Exhausted(full));
                    }
                    tokio::time::sleep(pause).await;
                    waited += pause;
                    continue;
                }
                outcome => return outcome,
            };
            let situation = Situation {
                repeat: ask.call.repeat,
                busy_means_not_sent: self.0.settings.busy_means_not_sent,
                repeats,
                now: self.0.clock.now(),
                chance: getrandom::u32().unwrap_or_default(),
            };
            let pause = pause(&error, situation).filter(|pause| spent() + *pause <= ask.patience);
            let Some(pause) = pause else {
                return Err(CallError::Exchange(error));
            };
            tracing::debug!(account = %account, endpoint = &*ask.call.path, error = %error,
                attempt = repeats + 1, retry_in_ms = pause.as_millis(), "A call is made again.");
            tokio::time::sleep(pause).await;
            repeats += 1;
        }
    }

    /// Counts the call before it is made, and takes note of the answer.
    async fn once(&self, account: &AppId, ask: &Ask) -> Result<Received, CallError> {
        tracing::trace!(account = %account, endpoint = &*ask.call.path,
            quota = ask.quota.map(|key| key.0), "A call is made.");
        let (Some(quotas), Some(key)) = (&self.0.quotas, ask.quota) else {
            return self.send(account, ask).await;
        };
        quotas.take(account, key, self.1).await?;
        let outcome = self.send(account, ask).await;
        match &outcome {
            Err(CallError::Exchange(error)) => quotas.failed(account, key, error).await,
            // Without a good token nothing counts.
            Err(error) if error.surely_not_executed() => quotas.put_back(account, key),
            _ => {}
        }
        outcome
    }

    /// Token → host, and once more when the token was refused: the platform looks at the token first,
    /// so nothing was executed.
    async fn send(&self, account: &AppId, ask: &Ask) -> Result<Received, CallError> {
        if !ask.needs_token {
            return Ok(self.exchange(&ask.call, ask).await?);
        }
        let Some(source) = self.0.sources.get(account) else {
            return Err(CallError::NoSecret {
                account: account.clone(),
            });
        };
        let lease = source.token().await?;
        let mut call = Call {
            access_token: Some(lease.token.clone()),
            ..ask.call.clone()
        };
        let refusal = match self.exchange(&call, ask).await {
            Err(error) if error.code().is_some_and(ErrorCode::refuses_the_token) => error,
            outcome => return Ok(outcome?),
        };
        let code = refusal.code().unwrap_or(ErrorCode::OK);
        let refused = Suspect::Token(lease.token);
        let renewed = match source.report(&refused, code).await {
            Ok(renewed) => renewed,
            Err(source) => {
                let refusal = Box::new(refusal);
                return Err(CallError::NotRenewed { refusal, source });
            }
        };
        if renewed.generation == lease.generation {
            tokio::time::sleep(SAME_TOKEN_PAUSE).await;
        }
        call.access_token = Some(renewed.token);
        Ok(self.exchange(&call, ask).await?)
    }

    async fn exchange(&self, call: &Call, ask: &Ask) -> Result<Received, ExchangeError> {
        if ask.may_be_a_file {
            self.0.platform.download(call).await
        } else {
            self.0.platform.call(call).await.map(Received::Json)
        }
    }
}
