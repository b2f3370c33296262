//! The one way of every call: token, host, exchange, and once more when the token was refused.

use std::time::Duration;

use crate::api::{Api, CallError};
use crate::id::AppId;
use crate::platform::error::ErrorCode;
use crate::platform::exchange::{Answer, Call};
use crate::token::Suspect;

/// The pause before the same token is tried once more, when the platform said that it is current:
/// its own servers may need a moment to agree.
const SAME_TOKEN_PAUSE: Duration = Duration::from_secs(1);

impl Api {
    /// Makes a call with the account's token. A refused token is reported and the call repeated
    /// **once**: the platform checks the token first, so nothing was executed.
    pub(super) async fn call(&self, account: &AppId, call: Call) -> Result<Answer, CallError> {
        let Some(source) = self.sources.get(account) else {
            return Err(CallError::NoSecret {
                account: account.clone(),
            });
        };
        let lease = source.token().await?;
        let mut call = Call {
            access_token: Some(lease.token.clone()),
            ..call
        };
        let refusal = match self.platform.call(&call).await {
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
        Ok(self.platform.call(&call).await?)
    }
}
