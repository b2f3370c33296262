//! The transport that really goes out: reqwest over rustls with ring, HTTP/1.1 only.
//!
//! Certificates are judged by the *system's* root store, not by one that is compiled in: companies
//! whose egress passes an inspecting proxy install their own authority there, and a distribution
//! updates it without a new wxhook. What a bare container lacks, [`SetupError`] names.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use ::reqwest::header::{
    CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderMap,
    HeaderName, HeaderValue,
};
use ::reqwest::{Client, NoProxy, Proxy, redirect};
use futures_util::future::BoxFuture;
use futures_util::stream::{self, StreamExt};

use crate::clock::Timestamp;
use crate::transport::handed::Handed;
use crate::transport::{
    Body, Dates, EgressProxy, Method, Request, Response, Transport, TransportError,
};

/// How long a connection, with name resolution and TLS, may take to come about.
///
/// The platform's own alert for its servers' connections is at 3 to 5 seconds; the stricter one counts.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long an idle connection is kept.
///
/// Shorter than the 5 seconds after which many servers close theirs: a request that meets a closing
/// connection has an unknown outcome, which costs more than a new handshake.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// Idle connections kept for each host.
pub const IDLE_CONNECTIONS_PER_HOST: usize = 32;

/// How much longer than its limit an answer is looked for.
///
/// A process that stood still (a paused machine, a debugger) wakes up to a limit that has passed *and* to
/// an answer that lies in the socket: whoever looks once more knows what became of the request.
const LAST_LOOK: Duration = Duration::from_millis(20);

/// What the transport needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Whether any host is spoken to by https: then the system's root certificates are loaded.
    pub https: bool,
    /// Whether any host is configured with plain http. When none is, plain http is refused.
    pub plain_http: bool,
    /// [`CONNECT_TIMEOUT`].
    pub connect_timeout: Duration,
    /// [`IDLE_TIMEOUT`].
    pub idle_timeout: Duration,
    /// Through which proxy calls go out; this machine itself is reached without. Default: none, and
    /// what the environment says is ignored.
    pub proxy: Option<EgressProxy>,
}

/// What no proxy can reach: stand-ins on this machine.
const THIS_MACHINE: &str = "localhost,127.0.0.0/8,::1";

impl Default for Settings {
    fn default() -> Self {
        Self {
            https: true,
            plain_http: false,
            connect_timeout: CONNECT_TIMEOUT,
            idle_timeout: IDLE_TIMEOUT,
            proxy: None,
        }
    }
}

/// Why there is no transport.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// Mostly: the system has no root certificates.
    #[error(
        "the HTTPS client cannot start: {reason}; on Debian, `apt-get install ca-certificates` \
         brings the root certificates, elsewhere SSL_CERT_FILE names a file of them"
    )]
    Client {
        /// What the library said.
        reason: String,
    },
}

/// Keeps connections alive, verifies certificates, follows no redirects, keeps no cookies.
#[derive(Debug, Clone)]
pub struct HttpTransport {
    client: Client,
    proxy: Option<EgressProxy>,
    dates: Option<Arc<dyn Dates>>,
}

impl HttpTransport {
    /// Loads the root certificates if https is needed. Opens no connection.
    ///
    /// # Errors
    /// [`SetupError::Client`] when the system has no usable root certificates.
    pub fn new(settings: &Settings) -> Result<Arc<Self>, SetupError> {
        Self::build(settings, None)
    }

    /// As [`HttpTransport::new`]; and tells the date of each answer.
    ///
    /// # Errors
    /// [`SetupError::Client`] when the system has no usable root certificates.
    pub fn telling_dates(
        settings: &Settings,
        dates: Arc<dyn Dates>,
    ) -> Result<Arc<Self>, SetupError> {
        Self::build(settings, Some(dates))
    }

    fn build(settings: &Settings, dates: Option<Arc<dyn Dates>>) -> Result<Arc<Self>, SetupError> {
        // An error says that a provider is installed already: an embedding program's choice stands.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            .http1_only()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .referer(false)
            .https_only(!settings.plain_http)
            .connect_timeout(settings.connect_timeout)
            .pool_idle_timeout(settings.idle_timeout)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_PER_HOST)
            .user_agent(concat!("wxhook/", env!("CARGO_PKG_VERSION")));
        if !settings.https {
            // Stand-ins on plain http must work on machines without certificates.
            builder = builder.tls_certs_only([]);
        }
        let proxy = settings.proxy.clone();
        let unusable = |error: ::reqwest::Error| SetupError::Client {
            reason: reason_of(&error.without_url(), proxy.as_ref()),
        };
        if let Some(proxy) = &proxy {
            let way_out = Proxy::all(proxy.url().as_str()).map_err(unusable)?;
            builder = builder.proxy(way_out.no_proxy(NoProxy::from_string(THIS_MACHINE)));
        }
        let client = builder.build().map_err(unusable)?;
        Ok(Arc::new(Self {
            client,
            proxy,
            dates,
        }))
    }

    fn prepare(&self, request: Request) -> (::reqwest::RequestBuilder, Handed) {
        let length = request.body.length();
        let handed = Handed::of(length);
        let mut builder = match request.method {
            Method::Get => self.client.get(request.url),
            Method::Post => self
                .client
                .post(request.url)
                .header(CONTENT_LENGTH, HeaderValue::from(length)),
        };
        if let Some(content_type) = request.content_type {
            builder = builder.header(CONTENT_TYPE, &*content_type);
        }
        if let Some(key) = request.bearer {
            builder = builder.bearer_auth(key.expose());
        }
        let chunks = match request.body {
            Body::Empty => return (builder, handed),
            Body::Bytes(bytes) => stream::once(std::future::ready(Ok(bytes))).boxed(),
            Body::Stream { chunks, .. } => chunks,
        };
        let body = ::reqwest::Body::wrap_stream(handed.counting(chunks));
        (builder.body(body), handed)
    }
}

impl Transport for HttpTransport {
    fn send(&self, request: Request) -> BoxFuture<'static, Result<Response, TransportError>> {
        let limit = request.timeout;
        let (prepared, handed) = self.prepare(request);
        let sending = prepared.send();
        let (proxy, dates) = (self.proxy.clone(), self.dates.clone());
        Box::pin(async move {
            let mut sending = std::pin::pin!(sending);
            let mut outcome = tokio::time::timeout(limit, &mut sending).await;
            if outcome.is_err() {
                outcome = tokio::time::timeout(LAST_LOOK, sending).await;
            }
            match outcome {
                Ok(Ok(response)) => {
                    if let (Some(dates), Some(date)) = (dates, date_of(response.headers())) {
                        dates.saw(date);
                    }
                    refuse_encoded(response.headers())?;
                    Ok(head_of(response, proxy))
                }
                Ok(Err(error)) => Err(match classify(error, limit, proxy.as_ref()) {
                    TransportError::Broken { reason } if !handed.may_be_whole() => {
                        TransportError::Unfinished { reason }
                    }
                    error => error,
                }),
                Err(_elapsed) => Err(TransportError::TimedOut {
                    limit_seconds: limit.as_secs(),
                }),
            }
        })
    }
}

/// `Wed, 25 Nov 2026 03:29:00 GMT`; a date that cannot be read is none.
fn date_of(headers: &HeaderMap) -> Option<Timestamp> {
    let text = headers.get(DATE)?.to_str().ok()?;
    let date = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(Timestamp::from_seconds(date.timestamp().as_second()))
}

/// No answer is asked for in another encoding, so none is understood.
fn refuse_encoded(headers: &HeaderMap) -> Result<(), TransportError> {
    let encoding = headers.get(CONTENT_ENCODING).map(HeaderValue::as_bytes);
    match encoding {
        None | Some(b"" | b"identity") => Ok(()),
        Some(encoding) => Err(TransportError::Encoded {
            encoding: String::from_utf8_lossy(encoding).chars().take(40).collect(),
        }),
    }
}

fn head_of(response: ::reqwest::Response, proxy: Option<EgressProxy>) -> Response {
    let text = |name: HeaderName| {
        let value = response.headers().get(name)?;
        // A file's name may be UTF-8 as it is, which header values are not meant to be.
        Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    Response {
        status: response.status().as_u16(),
        content_type: text(CONTENT_TYPE),
        content_length: text(CONTENT_LENGTH).and_then(|length| length.trim().parse().ok()),
        content_disposition: text(CONTENT_DISPOSITION),
        body: response
            .bytes_stream()
            .map(move |chunk| {
                chunk.map_err(|error| classify(error, Duration::ZERO, proxy.as_ref()))
            })
            .boxed(),
    }
}

/// Connecting comes first: a connect time-out is a time-out too, but surely nothing was executed.
fn classify(
    error: ::reqwest::Error,
    limit: Duration,
    proxy: Option<&EgressProxy>,
) -> TransportError {
    let error = error.without_url();
    let reason = reason_of(&error, proxy);
    if error.is_connect() || error.is_builder() {
        TransportError::NotConnected { reason }
    } else if error.is_timeout() {
        TransportError::TimedOut {
            limit_seconds: limit.as_secs(),
        }
    } else {
        TransportError::Broken { reason }
    }
}

/// The whole chain of causes: reqwest's own text only says that something went wrong.
fn reason_of(error: &dyn Error, proxy: Option<&EgressProxy>) -> String {
    let mut reason = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !reason.contains(&text) {
            reason.push_str(": ");
            reason.push_str(&text);
        }
        source = cause.source();
    }
    match proxy {
        Some(proxy) => proxy.scrubbed(reason),
        None => reason,
    }
}
