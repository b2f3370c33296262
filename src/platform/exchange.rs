//! One request to one host becomes one decoded answer. Tokens are only carried here, never asked for.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::stream::{BoxStream, StreamExt};
use serde_json::Value;

use crate::id::AppId;
use crate::platform::decode::{Decoded, decode};
use crate::platform::error::ErrorCode;
use crate::platform::hosts::ApiHost;
use crate::platform::scrub;
use crate::secret::{AccessToken, AppSecret};
use crate::transport::{Body, Method, Request, Transport, TransportError};

/// Bytes of the longest JSON answer that is read.
pub const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// How long a JSON call may take: from the wish for a connection to the last byte of the answer.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(8);

/// Bytes of the platform's own text that are kept.
const MAX_MESSAGE_BYTES: usize = 512;

const JSON: &str = "application/json; charset=utf-8";

/// Whether a call may be made again when it is not known whether it was executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// It only reads, or does the same thing however often it is made.
    Harmless,
    /// Twice is not once: a message would arrive twice.
    Harmful,
}

/// What is sent along with a call.
#[derive(Clone)]
pub enum Payload {
    /// Nothing.
    None,
    /// A JSON document.
    Json(Bytes),
    /// Bytes that come while they are sent, from their beginning for each host that is tried.
    Stream {
        /// What they are.
        content_type: Arc<str>,
        /// Exactly so many of them come.
        length: u64,
        /// Begins them anew.
        open: OpenStream,
    },
}

/// Begins a stream of bytes anew, each time that it is called.
pub type OpenStream = Arc<dyn Fn() -> BoxStream<'static, std::io::Result<Bytes>> + Send + Sync>;

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Json(json) => write!(f, "Json({} bytes)", json.len()),
            Self::Stream { length, .. } => write!(f, "Stream({length} bytes)"),
        }
    }
}

/// One call of the platform's API, without its host. Its `Debug` shows no body: it may hold a secret.
#[derive(Clone)]
pub struct Call {
    /// `GET` or `POST`.
    pub method: Method,
    /// The path, from its slash, with the part of the query that never changes, if there is one.
    pub path: Cow<'static, str>,
    /// What else stands in the query, as it is before it is encoded.
    pub query: Vec<(Cow<'static, str>, String)>,
    /// The access token that rides in the query.
    pub access_token: Option<AccessToken>,
    /// The credentials that ride in the query, as only the plain token endpoint wants them.
    pub credentials: Option<(AppId, AppSecret)>,
    /// The body.
    pub payload: Payload,
    /// Codes that are good answers to this call: what they say is in the answer.
    pub accepts: &'static [i64],
    /// Whether it may be repeated.
    pub repeat: Repeat,
    /// [`CALL_TIMEOUT`], or what this call needs.
    pub timeout: Duration,
}

impl Call {
    /// A `GET` that may be repeated, within [`CALL_TIMEOUT`].
    pub fn get(path: impl Into<Cow<'static, str>>) -> Self {
        Self {
            method: Method::Get,
            path: path.into(),
            query: Vec::new(),
            access_token: None,
            credentials: None,
            payload: Payload::None,
            accepts: &[],
            repeat: Repeat::Harmless,
            timeout: CALL_TIMEOUT,
        }
    }

    /// A `POST` of a JSON document that may be repeated, within [`CALL_TIMEOUT`].
    pub fn post(path: impl Into<Cow<'static, str>>, json: Bytes) -> Self {
        Self {
            method: Method::Post,
            payload: Payload::Json(json),
            ..Self::get(path)
        }
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("payload", &self.payload)
            .field("repeat", &self.repeat)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// What the platform answered when it did what was asked. Its `Debug` shows no value: it may be a token.
#[derive(Clone, PartialEq)]
pub struct Answer {
    /// The whole JSON object.
    pub value: Value,
    /// The platform's request id, when it gave one.
    pub rid: Option<String>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("rid", &self.rid)
            .finish_non_exhaustive()
    }
}

/// Why a call brought no good answer. No `Display` shows a body or a token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExchangeError {
    /// No whole answer came.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The platform answered a code.
    #[error("code {code} ({meaning}): {remedy}", meaning = code.meaning(), remedy = code.remedy())]
    Refused {
        /// The code.
        code: ErrorCode,
        /// The platform's own text, at most 512 bytes, without its request id and without tokens.
        message: String,
        /// The platform's request id.
        rid: Option<String>,
    },
    /// Something between us and the platform answered, or the path is wrong.
    #[error("HTTP status {status} instead of an answer{}", status_hint(*status))]
    Status {
        /// The status.
        status: u16,
        /// The beginning of the body, without tokens.
        excerpt: String,
    },
    /// The answer is a page for browsers, although its status says that all is well.
    #[error("a web page instead of an answer: a proxy, a portal or a wrong address is in between")]
    Page {
        /// The beginning of the page, without tokens.
        excerpt: String,
    },
    /// The answer has no body.
    #[error("an empty answer")]
    Empty,
    /// The answer is no JSON object with a code.
    #[error("an answer that is no JSON object of the platform")]
    Unreadable {
        /// The beginning of the body, without tokens.
        excerpt: String,
    },
    /// The answer exceeds [`MAX_ANSWER_BYTES`].
    #[error("an answer of more than {MAX_ANSWER_BYTES} bytes")]
    TooLong,
}

const fn status_hint(status: u16) -> &'static str {
    match status {
        407 => ": the egress proxy wants another user or password; see api.proxy",
        412 => ": the platform wants a Content-Length",
        404 => ": the path is wrong, or the host is not the platform",
        300..=399 => ": redirects are not followed, because they could carry the token away",
        _ => "",
    }
}

impl ExchangeError {
    /// Whether the platform surely did nothing.
    pub fn surely_not_executed(&self) -> bool {
        match self {
            Self::Transport(error) => error.surely_not_executed(),
            Self::Refused { code, .. } => !code.may_have_acted(),
            Self::Status { status, .. } => (300..500).contains(status),
            Self::Page { .. } | Self::Empty | Self::Unreadable { .. } | Self::TooLong => false,
        }
    }

    /// Whether the host is to blame, so that another one may do better.
    ///
    /// An answer of the platform itself never is, save the one that a regional host gives to
    /// accounts which it does not serve.
    pub fn is_host_failure(&self) -> bool {
        match self {
            Self::Transport(_) | Self::Page { .. } => true,
            Self::Refused { code, .. } => *code == ErrorCode::WRONG_REGION,
            Self::Status { status, .. } => matches!(status, 502..=504),
            Self::Empty | Self::Unreadable { .. } | Self::TooLong => false,
        }
    }

    /// The platform's code, if it answered one.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// The platform's request id, if it gave one.
    pub fn rid(&self) -> Option<&str> {
        match self {
            Self::Refused { rid, .. } => rid.as_deref(),
            _ => None,
        }
    }

    /// The beginning of the body that could not be understood: at most 2 KB, without tokens.
    pub fn excerpt(&self) -> Option<&str> {
        match self {
            Self::Status { excerpt, .. }
            | Self::Page { excerpt }
            | Self::Unreadable { excerpt } => Some(excerpt),
            _ => None,
        }
    }
}

impl Call {
    pub(super) fn request_to(&self, host: &ApiHost) -> Request {
        let mut url = format!("{host}{}", self.path);
        for (name, value) in &self.query {
            push_parameter(&mut url, name, value);
        }
        if let Some(token) = &self.access_token {
            push_parameter(&mut url, "access_token", token.expose());
        }
        if let Some((account, secret)) = &self.credentials {
            push_parameter(&mut url, "grant_type", "client_credential");
            push_parameter(&mut url, "appid", account.as_str());
            push_parameter(&mut url, "secret", secret.expose());
        }
        let (content_type, body) = match &self.payload {
            Payload::None => (None, Body::Empty),
            Payload::Json(json) => (Some(Cow::Borrowed(JSON)), Body::Bytes(json.clone())),
            Payload::Stream {
                content_type,
                length,
                open,
            } => {
                let (length, chunks) = (*length, open());
                (
                    Some(Cow::Owned(content_type.to_string())),
                    Body::Stream { length, chunks },
                )
            }
        };
        Request {
            method: self.method,
            url,
            content_type,
            bearer: None,
            body,
            timeout: self.timeout,
        }
    }
}

/// Adds a parameter to a URL.
pub(crate) fn push_parameter(url: &mut String, name: &str, value: &str) {
    url.push(if url.contains('?') { '&' } else { '?' });
    push_encoded(url, name);
    url.push('=');
    push_encoded(url, value);
}

/// Percent-encodes everything but the characters that never need it.
fn push_encoded(url: &mut String, text: &str) {
    use std::fmt::Write;
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            url.push(char::from(byte));
        } else {
            // Writing into a String cannot fail.
            let _ = write!(url, "%{byte:02X}");
        }
    }
}

/// Makes one call to one host and decodes what comes back.
///
/// # Errors
/// [`ExchangeError`] says what came instead of a good answer, and whether the platform can have acted.
pub async fn exchange(
    transport: &dyn Transport,
    host: &ApiHost,
    call: &Call,
) -> Result<Answer, ExchangeError> {
    let whole = async {
        let response = transport.send(call.request_to(host)).await?;
        let body = read_whole(response.body).await?;
        Ok::<_, ExchangeError>((response.status, body))
    };
    // The transport's own limit ends with the head; a body that trickles must end too.
    let (status, body) = match tokio::time::timeout(call.timeout, whole).await {
        Ok(outcome) => outcome?,
        Err(_elapsed) => {
            return Err(ExchangeError::Transport(TransportError::TimedOut {
                limit_seconds: call.timeout.as_secs(),
            }));
        }
    };
    judge(status, &body, call)
}

/// Reads a body to its end, if that comes soon enough.
pub(super) async fn read_whole(
    mut chunks: BoxStream<'static, Result<Bytes, TransportError>>,
) -> Result<Bytes, ExchangeError> {
    let mut body = BytesMut::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(ExchangeError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// A code counts whatever the status is; success needs a status that says so too.
pub(super) fn judge(status: u16, body: &[u8], call: &Call) -> Result<Answer, ExchangeError> {
    let token = call.access_token.as_ref().map(AccessToken::expose);
    let secret = token.or(call.credentials.as_ref().map(|(_, secret)| secret.expose()));
    let excerpt = || scrub::excerpt(body, secret);
    match decode(body) {
        Decoded::Object {
            code, message, rid, ..
        } if code != ErrorCode::OK && !call.accepts.contains(&code.0) => {
            let mut message = scrub::excerpt(message.as_bytes(), secret);
            message.truncate(message.floor_char_boundary(MAX_MESSAGE_BYTES));
            Err(ExchangeError::Refused { code, message, rid })
        }
        _ if status != 200 => Err(ExchangeError::Status {
            status,
            excerpt: excerpt(),
        }),
        Decoded::Object { value, rid, .. } => Ok(Answer { value, rid }),
        Decoded::Empty => Err(ExchangeError::Empty),
        Decoded::Html => Err(ExchangeError::Page { excerpt: excerpt() }),
        Decoded::Other => Err(ExchangeError::Unreadable { excerpt: excerpt() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(token: &str) -> Call {
        Call {
            access_token: Some(AccessToken::new(token)),
            repeat: Repeat::Harmful,
            ..Call::post("/cgi-bin/message/custom/send", Bytes::from_static(b"{}"))
        }
    }

    #[test]
    fn the_token_rides_encoded_in_the_query_and_is_not_seen_in_debug() {
        let host = ApiHost::parse("api.weixin.qq.com").unwrap();
        let request = call("87_a&b=c/ü").request_to(&host);
        assert_eq!(
            request.url,
            "https://api.weixin.qq.com/cgi-bin/message/custom/send?access_token=87_a%26b%3Dc%2F%C3%BC"
        );
        assert!(!format!("{request:?}{:?}", call("87_a")).contains("87_a"));
    }

    #[test]
    fn what_stands_in_the_query_is_encoded() {
        let host = ApiHost::parse("api.weixin.qq.com").unwrap();
        let call = Call {
            query: vec![("media_id".into(), "a+b/c==&x=1".to_owned())],
            access_token: Some(AccessToken::new("87_a")),
            ..Call::get("/cgi-bin/media/get?type=x")
        };
        assert_eq!(
            call.request_to(&host).url,
            "https://api.weixin.qq.com/cgi-bin/media/get?type=x&media_id=a%2Bb%2Fc%3D%3D%26x%3D1&access_token=87_a"
        );
    }

    #[test]
    fn a_code_that_the_call_takes_for_an_answer_is_one() {
        let call = Call {
            accepts: &[46003],
            ..Call::get("/cgi-bin/menu/get")
        };
        let answer = judge(200, br#"{"errcode":46003,"errmsg":"none"}"#, &call).unwrap();
        assert_eq!(answer.value["errcode"], 46003);
        let error = judge(200, br#"{"errcode":46002,"errmsg":"none"}"#, &call).unwrap_err();
        assert_eq!(error.code(), Some(ErrorCode(46002)));
    }

    #[test]
    fn every_answer_has_its_verdict() {
        // (status, body) → (surely not executed, the host's fault)
        for (name, status, body, not_executed, host_failure) in [
            (
                "a code",
                200,
                r#"{"errcode":45015,"errmsg":"x"}"#,
                true,
                false,
            ),
            ("busy", 200, r#"{"errcode":-1,"errmsg":"x"}"#, false, false),
            ("wrong region", 200, r#"{"errcode":40222}"#, true, true),
            (
                "a code under another status",
                500,
                r#"{"errcode":40001}"#,
                true,
                false,
            ),
            ("a bad gateway", 502, "<html>", false, true),
            (
                "a bad gateway that says ok",
                502,
                r#"{"errcode":0}"#,
                false,
                true,
            ),
            ("an inner failure", 500, "oops", false, false),
            ("no length", 412, "<html>", true, false),
            ("a wrong path", 404, "", true, false),
            ("a redirect", 302, "", true, false),
            ("a page", 200, "<html>", false, true),
            ("empty", 200, "", false, false),
            ("a list", 200, "[]", false, false),
        ] {
            let error = judge(status, body.as_bytes(), &call("t")).unwrap_err();
            let verdict = (error.surely_not_executed(), error.is_host_failure());
            assert_eq!(verdict, (not_executed, host_failure), "{name}: {error}");
        }
    }

    #[test]
    fn no_text_of_an_error_shows_the_token() {
        for (status, body) in [
            (
                200,
                r#"{"errcode":40001,"errmsg":"87_secret is not latest"}"#,
            ),
            (502, "<a href='?access_token=87_secret'>"),
            (200, "<html>87_secret</html>"),
            (200, "87_secret"),
        ] {
            let error = judge(status, body.as_bytes(), &call("87_secret")).unwrap_err();
            let texts = format!("{error} {error:?} {:?}", error.excerpt());
            assert!(!texts.contains("87_secret"), "{texts}");
        }
    }
}
