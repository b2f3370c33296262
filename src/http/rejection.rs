//! Why a request is not answered `success`: status, counter and log line in one declaration.

use std::net::IpAddr;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::ALLOW;

use crate::metric::{Check, Counter, Counters};
use crate::protocol::envelope::EnvelopeError;
use crate::protocol::{EchoError, OpenError, QueryError, Refusal};
use crate::store::StoreError;

/// A request that gets an empty answer with an error status. What it says stays in the log: a forger
/// learns nothing but the status, and that is the same for every failed authentication.
#[derive(Debug, thiserror::Error)]
pub(super) enum Rejection {
    /// No account has this path.
    #[error("no account is served at this path")]
    UnknownPath,
    /// Neither GET nor POST.
    #[error("only GET and POST are served")]
    Method,
    /// The query is not one of WeChat's.
    #[error("the query is not a signed one: {0}")]
    Query(#[from] QueryError),
    /// A GET without `echostr`.
    #[error(transparent)]
    NoEcho(#[from] EchoError),
    /// The signature is wrong, or the push came in another mode than the configured one.
    #[error("not authentic: {0}")]
    Refused(#[from] Refusal),
    /// The signed timestamp is too far from our clock.
    #[error("the signed timestamp is {offset_seconds} s behind our clock")]
    Stale { offset_seconds: i64 },
    /// The source is not on the allow-list.
    #[error("the source {source_address:?} is not on the allow-list")]
    Unlisted { source_address: Option<IpAddr> },
    /// In plaintext mode: the signature was seen around another body.
    #[error("this signature came with another body before")]
    Replayed,
    /// The body is longer than allowed.
    #[error("the body is longer than {} bytes", super::MAX_BODY_BYTES)]
    TooLarge,
    /// The body did not arrive within the budget.
    #[error("the body did not arrive in time")]
    SlowBody,
    /// The connection broke before the body was complete.
    #[error("the body broke off")]
    BrokenBody,
    /// The body could not be opened.
    #[error("the body could not be opened: {0}")]
    Body(#[from] OpenError),
    /// No room in the store, or no commit, within the budget.
    #[error("the push was not stored within the request's budget")]
    Overloaded,
    /// The store failed or refuses.
    #[error("the push was not stored: {0}")]
    Store(StoreError),
}

impl From<StoreError> for Rejection {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Late => Self::Overloaded,
            error => Self::Store(error),
        }
    }
}

impl Rejection {
    fn status(&self) -> StatusCode {
        match self {
            Self::UnknownPath => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Query(_) | Self::NoEcho(_) | Self::BrokenBody => StatusCode::BAD_REQUEST,
            Self::Refused(_) | Self::Stale { .. } | Self::Unlisted { .. } | Self::Replayed => {
                StatusCode::FORBIDDEN
            }
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::SlowBody => StatusCode::REQUEST_TIMEOUT,
            Self::Body(error) if !error.is_form() => StatusCode::FORBIDDEN,
            Self::Body(_) => StatusCode::BAD_REQUEST,
            Self::Overloaded | Self::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn counter(&self) -> Counter {
        match self {
            Self::Refused(_) => Counter::RequestsForged,
            Self::Body(error) if !error.is_form() => Counter::RequestsForged,
            Self::Stale { .. } => Counter::RequestsStale,
            Self::Unlisted { .. } => Counter::RequestsUnlisted,
            Self::Replayed => Counter::RequestsReplayed,
            Self::Overloaded | Self::Store(_) => Counter::RequestsOverloaded,
            _ => Counter::RequestsInvalid,
        }
    }

    /// Which check refused it.
    pub(super) fn check(&self) -> Check {
        match self {
            Self::UnknownPath => Check::Path,
            Self::Method => Check::Method,
            Self::Query(_) => Check::Query,
            Self::NoEcho(_) => Check::Echo,
            Self::Refused(refusal) | Self::Body(OpenError::Refused(refusal)) => match refusal {
                Refusal::Downgrade { .. } => Check::Downgrade,
                Refusal::Unexpected => Check::Unexpected,
                Refusal::Signature => Check::Signature,
            },
            Self::Stale { .. } => Check::Freshness,
            Self::Unlisted { .. } => Check::Source,
            Self::Replayed => Check::Replay,
            Self::TooLarge => Check::Size,
            Self::SlowBody => Check::SlowBody,
            Self::BrokenBody => Check::BrokenBody,
            Self::Body(error) => match error {
                OpenError::Outer(_) => Check::Outer,
                OpenError::Body(_) => Check::Document,
                OpenError::Envelope(EnvelopeError::Base64) => Check::Base64,
                OpenError::Envelope(EnvelopeError::Length) => Check::Length,
                OpenError::Envelope(EnvelopeError::Padding) => Check::Padding,
                OpenError::Envelope(EnvelopeError::ReceiveId) => Check::ReceiveId,
                OpenError::MsgSignature | OpenError::Refused(_) => Check::MsgSignature,
            },
            Self::Overloaded => Check::Budget,
            Self::Store(_) => Check::Store,
        }
    }

    /// Whether the request may well be the platform's: it is to be repeated, not to be guarded against.
    pub(super) fn is_ours(&self) -> bool {
        matches!(self, Self::Overloaded | Self::Store(_))
    }

    /// Counts, logs and answers.
    pub(super) fn answer(&self, account: Option<&str>, counters: &Counters) -> HttpResponse {
        let (status, check) = (self.status(), self.check());
        counters.add(self.counter());
        counters.refuse(check);
        if self.is_ours() {
            tracing::error!(account, error = %self, "A push was answered 503; WeChat will repeat it.");
        } else {
            tracing::debug!(
                account, status = status.as_u16(), check = check.name(), error = %self,
                "A request was refused."
            );
        }
        let mut response = HttpResponse::build(status);
        if matches!(self, Self::Method) {
            response.insert_header((ALLOW, "GET, POST"));
        }
        response.finish()
    }
}
