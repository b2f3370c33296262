//! Why a call of the platform's API was not answered well.

use std::borrow::Cow;

use crate::api::RequestError;
use crate::id::AppId;
use crate::platform::error::ErrorCode;
use crate::platform::exchange::ExchangeError;
use crate::quota::Exhausted;
use crate::token::TokenError;

/// Why a call was not answered well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The account only receives: it has no AppSecret, so it has no access tokens.
    #[error(
        "the account {account} has no AppSecret, so it can only receive; set WECHAT_APP_SECRET, or \
         app_secret in its section of the configuration file"
    )]
    NoSecret {
        /// The account.
        account: AppId,
    },
    /// The platform could only refuse it, so nothing was sent.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// Its quota is used up, so nothing was sent.
    #[error(transparent)]
    Exhausted(#[from] Exhausted),
    /// There is no access token, so nothing was sent.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The platform refused the access token, and no other one could be had.
    #[error("the access token was refused ({refusal}), and there is no other one: {source}")]
    NotRenewed {
        /// The refusal.
        refusal: Box<ExchangeError>,
        /// Why there is no other token.
        source: TokenError,
    },
    /// The call was made, and the answer lacks what was asked for.
    #[error("the platform's answer has {fault}")]
    Answer {
        /// What is wrong with it.
        fault: Cow<'static, str>,
    },
    /// The call was made, and this came back.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// The client was stopped while the call was under way: it may have been executed.
    #[error("the client was stopped while the call was under way")]
    Stopped,
}

impl CallError {
    /// The platform's code, if it answered one: to the call, or to the question for a token.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::NoSecret { .. }
            | Self::Request(_)
            | Self::Exhausted(_)
            | Self::Answer { .. }
            | Self::Stopped => None,
            Self::Token(source) => source.code(),
            Self::NotRenewed { refusal, .. } => refusal.code(),
            Self::Exchange(source) => source.code(),
        }
    }

    /// Whether the platform surely did nothing of what was asked.
    pub fn surely_not_executed(&self) -> bool {
        match self {
            Self::NoSecret { .. }
            | Self::Request(_)
            | Self::Exhausted(_)
            | Self::Token(_)
            | Self::NotRenewed { .. } => true,
            Self::Answer { .. } | Self::Stopped => false,
            Self::Exchange(source) => source.surely_not_executed(),
        }
    }

    /// The platform's request id, if it gave one: `rid/get` tells more about it for 7 days.
    pub fn rid(&self) -> Option<&str> {
        match self {
            Self::Exchange(source) => source.rid(),
            Self::NotRenewed { refusal, .. } => refusal.rid(),
            _ => None,
        }
    }
}
