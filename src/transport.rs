//! How bytes reach the platform: one trait that streams both ways, and its reqwest implementation.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;

use crate::clock::Timestamp;
use crate::secret::ClientKey;

mod handed;
mod proxy;
mod reqwest;

pub use self::proxy::{EgressProxy, ProxyError};
pub use self::reqwest::{
    CONNECT_TIMEOUT, HttpTransport, IDLE_CONNECTIONS_PER_HOST, IDLE_TIMEOUT, Settings, SetupError,
};

/// The method of a request. The platform uses no others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `GET`
    Get,
    /// `POST`
    Post,
}

/// What is sent along. The length is always known: the platform answers 412 to a chunked request.
pub enum Body {
    /// Nothing.
    Empty,
    /// Bytes in memory.
    Bytes(Bytes),
    /// Bytes that come while they are sent.
    Stream {
        /// Exactly so many bytes.
        length: u64,
        /// The bytes.
        chunks: BoxStream<'static, std::io::Result<Bytes>>,
    },
}

impl Body {
    /// Exactly so many bytes will be sent.
    pub fn length(&self) -> u64 {
        match self {
            Self::Empty => 0,
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Stream { length, .. } => *length,
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Self::Stream { length, .. } => write!(f, "Stream({length})"),
        }
    }
}

/// One HTTP request. The URL holds secrets: it has no `Display`, and `Debug` hides the query.
pub struct Request {
    /// `GET` or `POST`.
    pub method: Method,
    /// Scheme, host, path and query. Never printed whole.
    pub url: String,
    /// The content type of the body.
    pub content_type: Option<Cow<'static, str>>,
    /// A key that is sent as `Authorization: Bearer`; never to the platform.
    pub bearer: Option<ClientKey>,
    /// The body.
    pub body: Body,
    /// From the wish for a connection to the last byte of the answer's head.
    pub timeout: Duration,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.url.split('?').next().unwrap_or_default();
        write!(f, "{:?} {shown} {:?}", self.method, self.body)
    }
}

/// The head of an answer, and its body as it comes.
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The content type, if one was given.
    pub content_type: Option<String>,
    /// How many bytes the body has, if that was said.
    pub content_length: Option<u64>,
    /// The `Content-Disposition`, which names a file, if one was given.
    pub content_disposition: Option<String>,
    /// The body.
    pub body: BoxStream<'static, Result<Bytes, TransportError>>,
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// Why there is no whole answer. What matters is whether the platform can have acted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// No connection came about: the request surely was not executed, and may be tried elsewhere.
    #[error("no connection: {reason}")]
    NotConnected {
        /// What the network said, without the URL.
        reason: String,
    },
    /// The connection broke before all of the request was given to it, mostly because it was closed
    /// while it was idle: the request surely was not executed, and may be tried again.
    #[error("the connection broke before the whole request was on its way: {reason}")]
    Unfinished {
        /// What the network said, without the URL.
        reason: String,
    },
    /// The request may have been executed: the answer did not come in time.
    #[error("no answer within {limit_seconds} s")]
    TimedOut {
        /// The limit.
        limit_seconds: u64,
    },
    /// The request may have been executed: the connection broke.
    #[error("the connection broke before the whole answer was here: {reason}")]
    Broken {
        /// What the network said, without the URL.
        reason: String,
    },
    /// The request may have been executed: its answer is compressed, which was not asked for.
    #[error(
        "the answer is compressed ({encoding}), which was not asked for: a proxy in between changes it"
    )]
    Encoded {
        /// The `Content-Encoding`.
        encoding: String,
    },
}

impl TransportError {
    /// Whether the platform surely did nothing.
    pub fn surely_not_executed(&self) -> bool {
        matches!(self, Self::NotConnected { .. } | Self::Unfinished { .. })
    }
}

/// Sends requests. Implementations keep connections alive and verify certificates.
pub trait Transport: Send + Sync + fmt::Debug {
    /// Sends one request and waits for the head of its answer.
    fn send(&self, request: Request) -> BoxFuture<'static, Result<Response, TransportError>>;
}

/// Is told what time it is where answers come from.
pub trait Dates: Send + Sync + fmt::Debug {
    /// An answer's `Date` header said this.
    fn saw(&self, date: Timestamp);
}
