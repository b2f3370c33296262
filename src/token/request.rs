//! The question to a token endpoint, and what makes an answer good.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use crate::id::AppId;
use crate::metric::{Counter, Counters};
use crate::platform::Platform;
use crate::platform::exchange::{Call, Repeat};
use crate::secret::{AccessToken, AppSecret};
use crate::store::tokens::TokenKind;
use crate::token::TokenError;
use crate::token::mint::{Mint, Minted, Tally};

/// The stable endpoint. It gives the same token again while that is valid, so the question may be
/// repeated.
///
/// Source: the official page "获取稳定版接口调用凭据", read 2026-11.
const STABLE_PATH: &str = "/cgi-bin/stable_token";

/// The plain endpoint. Every question ends the life of the last token, five minutes later.
///
/// Source: the official page "获取接口调用凭据", read 2026-11.
const PLAIN_PATH: &str = "/cgi-bin/token";

/// Seconds beyond which an `expires_in` is not believed. Today's tokens live two hours.
const LONGEST_LIFE_SECONDS: u64 = 86_400;

/// Which of the platform's token endpoints is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Endpoint {
    /// `/cgi-bin/stable_token`, which several systems of one account may ask.
    #[default]
    Stable,
    /// `/cgi-bin/token`, for accounts whose other systems need it. Nobody else may ask it.
    Plain,
}

impl Endpoint {
    /// What its tokens are stored as.
    pub(super) const fn kind(self) -> TokenKind {
        match self {
            Self::Stable => TokenKind::Stable,
            Self::Plain => TokenKind::Plain,
        }
    }
}

/// Asks for an account's access token. Never forces a new one: that would kill the token others use.
#[derive(Debug)]
pub(super) struct AccessTokens {
    pub(super) account: AppId,
    pub(super) secret: AppSecret,
    pub(super) endpoint: Endpoint,
    pub(super) platform: Arc<Platform>,
    pub(super) counters: Arc<Counters>,
    pub(super) tally: Option<Arc<dyn Tally>>,
}

impl Mint for AccessTokens {
    fn mint(&self) -> BoxFuture<'_, Result<Minted, TokenError>> {
        Box::pin(async move {
            self.counters.add(Counter::TokensRequested);
            let (path, call) = match self.endpoint {
                Endpoint::Stable => (STABLE_PATH, stable(&self.account, &self.secret)),
                Endpoint::Plain => (PLAIN_PATH, plain(&self.account, &self.secret)),
            };
            let question = Box::pin(self.platform.call(&call));
            let answer = match &self.tally {
                Some(tally) => tally.counted(&self.account, path, question).await,
                None => question.await,
            };
            let answer = answer.map_err(TokenError::from_exchange)?;
            read(&answer.value).map_err(|fault| TokenError::Answer { fault })
        })
    }
}

fn stable(account: &AppId, secret: &AppSecret) -> Call {
    let body = json!({
        "grant_type": "client_credential",
        "appid": account.as_str(),
        "secret": secret.expose(),
        "force_refresh": false,
    });
    Call::post(STABLE_PATH, Bytes::from(body.to_string()))
}

fn plain(account: &AppId, secret: &AppSecret) -> Call {
    Call {
        credentials: Some((account.clone(), secret.clone())),
        // A first question that arrives after a second one would end the second one's token.
        repeat: Repeat::Harmful,
        ..Call::get(PLAIN_PATH)
    }
}

/// Takes only a whole answer: a token without a life, or a life without a token, would be kept and
/// then be missed.
fn read(value: &Value) -> Result<Minted, &'static str> {
    let token = match value.get("access_token") {
        Some(Value::String(token)) if !token.is_empty() => token.as_str(),
        Some(_) => return Err("an access_token that is not a text"),
        None => return Err("no access_token"),
    };
    let seconds = match value.get("expires_in") {
        Some(Value::Number(seconds)) => seconds.as_u64(),
        // Seen nowhere, harmless to understand.
        Some(Value::String(seconds)) => seconds.trim().parse().ok(),
        _ => None,
    };
    match seconds {
        Some(seconds) if (1..=LONGEST_LIFE_SECONDS).contains(&seconds) => Ok(Minted {
            token: AccessToken::new(token),
            lifetime: Duration::from_secs(seconds),
        }),
        _ => Err("no expires_in between 1 and 86400 seconds"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_answer_is_taken() {
        for (name, answer, expected) in [
            (
                "usual",
                json!({"access_token": "a", "expires_in": 7200}),
                Ok(7200),
            ),
            (
                "remaining seconds",
                json!({"access_token": "a", "expires_in": 300}),
                Ok(300),
            ),
            (
                "one second",
                json!({"access_token": "a", "expires_in": 1}),
                Ok(1),
            ),
            (
                "a life in a string",
                json!({"access_token": "a", "expires_in": "345"}),
                Ok(345),
            ),
            (
                "no life",
                json!({"access_token": "a", "expires_in": 0}),
                Err(()),
            ),
            (
                "a negative life",
                json!({"access_token": "a", "expires_in": -5}),
                Err(()),
            ),
            (
                "an endless life",
                json!({"access_token": "a", "expires_in": 86_401}),
                Err(()),
            ),
            ("life absent", json!({"access_token": "a"}), Err(())),
            (
                "life null",
                json!({"access_token": "a", "expires_in": null}),
                Err(()),
            ),
            (
                "life in words",
                json!({"access_token": "a", "expires_in": "soon"}),
                Err(()),
            ),
            ("token absent", json!({"expires_in": 7200}), Err(())),
            (
                "token empty",
                json!({"access_token": "", "expires_in": 7200}),
                Err(()),
            ),
            (
                "token null",
                json!({"access_token": null, "expires_in": 7200}),
                Err(()),
            ),
        ] {
            let found = read(&answer).map(|minted| minted.lifetime.as_secs());
            assert_eq!(found.map_err(drop), expected, "{name}");
        }
    }
}
