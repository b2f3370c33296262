//! The query of a request: read, then verified.

use std::borrow::Cow;

use bytes::Bytes;
use memchr::{memchr, memchr2};

use crate::protocol::credentials::{Credentials, Mode, Slot};
use crate::protocol::opened::{self, OpenError, Opened};
use crate::protocol::signature;

/// Bytes of the longest value that a parameter of ours may have. Real ones have at most 40.
pub const MAX_VALUE_BYTES: usize = 128;

/// Digits of the largest timestamp: seconds until the year 33658.
const MAX_TIMESTAMP_DIGITS: usize = 12;

/// Why a query cannot belong to a push or a verification: the answer is 400.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// A parameter that every request carries is not there; `msg_signature` when `encrypt_type` is `aes`.
    #[error("the query has no {name}")]
    Missing {
        /// The parameter.
        name: &'static str,
    },
    /// One of the platform's parameters stands twice: which one was signed?
    #[error("the query has {name} twice")]
    Doubled {
        /// The parameter.
        name: &'static str,
    },
    /// A value is longer than [`MAX_VALUE_BYTES`].
    #[error("the query's {name} is longer than {MAX_VALUE_BYTES} bytes")]
    Oversized {
        /// The parameter.
        name: &'static str,
    },
    /// A value is broken percent-encoding or no UTF-8.
    #[error("the query's {name} is not text")]
    Encoding {
        /// The parameter.
        name: &'static str,
    },
    /// The timestamp is not 1 to 12 decimal digits.
    #[error("the query's timestamp is no number of seconds")]
    Timestamp,
    /// `encrypt_type` is neither `raw` nor `aes`.
    #[error("the query's encrypt_type is unknown")]
    EncryptType,
}

/// Why a well-formed request is refused: the answer is 403, the same for all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No token signs like this: a stranger, or the token differs from the console's.
    #[error("the signature is wrong")]
    Signature,
    /// Well signed, but in plaintext, for an account whose pushes must be encrypted. Either somebody
    /// replays a signature around a forged body, or the console's mode is 明文 (its default, even with
    /// a key filled in beside it).
    #[error("a well-signed plaintext push came to an account configured as {}", configured.name())]
    Downgrade {
        /// The mode that the configuration demands.
        configured: Mode,
    },
    /// Well signed, and encrypted, for an account configured as plain: configure the console's mode and key.
    #[error("an encrypted push came to an account configured as plain")]
    Unexpected,
}

/// Why a verified request has nothing to echo.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the query has no echostr")]
pub struct EchoError;

/// A query that has everything a push or a verification needs. Nothing about it is trusted yet.
#[derive(Debug, Clone)]
pub struct Sealed<'q> {
    query: Query<'q>,
}

/// A request that someone who knows the token has signed. Its body is not covered by that.
#[derive(Debug, Clone)]
pub struct Verified<'q> {
    query: Query<'q>,
    token: Slot,
}

/// The platform's parameters, decoded once.
#[derive(Debug, Clone)]
pub(crate) struct Query<'q> {
    pub(crate) signature: Cow<'q, str>,
    pub(crate) timestamp: Cow<'q, str>,
    pub(crate) nonce: Cow<'q, str>,
    pub(crate) openid: Option<Cow<'q, str>>,
    pub(crate) echostr: Option<Cow<'q, str>>,
    /// Present exactly when the body is encrypted.
    pub(crate) msg_signature: Option<Cow<'q, str>>,
    seconds: i64,
}

impl<'q> Sealed<'q> {
    /// Reads a query string (without `?`). Order does not matter, unknown parameters are ignored: the
    /// registered URL may bring its own.
    ///
    /// # Errors
    /// [`QueryError`] names the first fault found.
    pub fn parse(query: &'q str) -> Result<Self, QueryError> {
        Query::parse(query).map(|query| Self { query })
    }

    /// When the platform signed, in Unix seconds by its clock. Whether that is fresh is the caller's question.
    pub fn timestamp_seconds(&self) -> i64 {
        self.query.seconds
    }

    /// The signed nonce.
    pub fn nonce(&self) -> &str {
        &self.query.nonce
    }

    /// Who the query says has sent it. Not signed: good for logs, never for decisions.
    pub fn openid(&self) -> Option<&str> {
        self.query.openid.as_deref()
    }

    /// Checks the signature in constant time against the current, then the previous token; then that
    /// the request is as protected as the configuration demands.
    ///
    /// The verification of a URL (a GET with `echostr`) is plain in every mode; [`Verified::open`]
    /// refuses to take such a query for a push.
    ///
    /// # Errors
    /// [`Refusal::Signature`] first: a forger learns nothing else.
    pub fn verify(self, credentials: &Credentials) -> Result<Verified<'q>, Refusal> {
        let query = self.query;
        let signed = |token: &str| {
            let parts = [token, &*query.timestamp, &*query.nonce].map(str::as_bytes);
            signature::sign(&parts).matches(&query.signature)
        };
        let mut tokens = credentials.token().in_order();
        let (token, _) = tokens
            .find(|(_, token)| signed(token.expose()))
            .ok_or(Refusal::Signature)?;
        if query.echostr.is_none() {
            query.protected_as(credentials.mode())?;
        }
        Ok(Verified { query, token })
    }
}

impl Verified<'_> {
    /// When the platform signed, in Unix seconds by its clock.
    pub fn timestamp_seconds(&self) -> i64 {
        self.query.seconds
    }

    /// The platform's nonce, which its signature covers.
    pub fn nonce(&self) -> &str {
        &self.query.nonce
    }

    /// The first 128 bits of the signature: nobody who lacks the token can make two requests that share them.
    pub fn signature_key(&self) -> u128 {
        // It was found equal to 40 digits of our own.
        let digits = self.query.signature.get(..32).unwrap_or_default();
        u128::from_str_radix(digits, 16).unwrap_or_default()
    }

    /// What the verification of a URL wants to see again, byte for byte and nothing else.
    ///
    /// # Errors
    /// [`EchoError`] when there is none.
    pub fn echo(&self) -> Result<&str, EchoError> {
        self.query.echostr.as_deref().ok_or(EchoError)
    }

    /// Makes sure that the body is what the platform sent: in the encrypted modes by `msg_signature`,
    /// key and receive id, in plain mode as far as that can be known.
    ///
    /// # Errors
    /// [`OpenError`] says which check failed.
    pub fn open(self, credentials: &Credentials, body: Bytes) -> Result<Opened, OpenError> {
        self.query.protected_as(credentials.mode())?;
        opened::open(&self.query, self.token, credentials, body)
    }
}

impl<'q> Query<'q> {
    fn parse(text: &'q str) -> Result<Self, QueryError> {
        let mut found = Found {
            // Looked for once: real queries have none in any value of ours.
            may_be_escaped: memchr2(b'%', b'+', text.as_bytes()).is_some(),
            ..Found::default()
        };
        let mut rest = text;
        loop {
            let end = memchr(b'&', rest.as_bytes()).unwrap_or(rest.len());
            let pair = &rest[..end];
            // Names are short: a plain loop finds their end before a search has begun.
            let name_length = pair.bytes().position(|byte| byte == b'=');
            let name_length = name_length.unwrap_or(end);
            let value = pair.get(name_length + 1..).unwrap_or_default();
            found.take(&pair[..name_length], value)?;
            match rest.get(end + 1..) {
                Some(more) => rest = more,
                None => break,
            }
        }
        found.check()
    }

    /// The mode is the configuration's to choose.
    fn protected_as(&self, configured: Mode) -> Result<(), Refusal> {
        match (configured.is_encrypted(), self.msg_signature.is_some()) {
            (true, false) => Err(Refusal::Downgrade { configured }),
            (false, true) => Err(Refusal::Unexpected),
            (true, true) | (false, false) => Ok(()),
        }
    }
}

/// The parameters as they come in.
#[derive(Default)]
struct Found<'q> {
    may_be_escaped: bool,
    signature: Option<Cow<'q, str>>,
    timestamp: Option<Cow<'q, str>>,
    nonce: Option<Cow<'q, str>>,
    openid: Option<Cow<'q, str>>,
    echostr: Option<Cow<'q, str>>,
    encrypt_type: Option<Cow<'q, str>>,
    msg_signature: Option<Cow<'q, str>>,
}

impl<'q> Found<'q> {
    fn take(&mut self, name: &str, value: &'q str) -> Result<(), QueryError> {
        let (name, place) = match name {
            "signature" => ("signature", &mut self.signature),
            "timestamp" => ("timestamp", &mut self.timestamp),
            "nonce" => ("nonce", &mut self.nonce),
            "openid" => ("openid", &mut self.openid),
            "echostr" => ("echostr", &mut self.echostr),
            "encrypt_type" => ("encrypt_type", &mut self.encrypt_type),
            "msg_signature" => ("msg_signature", &mut self.msg_signature),
            _ => return Ok(()),
        };
        if place.is_some() {
            return Err(QueryError::Doubled { name });
        }
        *place = Some(decode(name, value, self.may_be_escaped)?);
        Ok(())
    }

    fn check(self) -> Result<Query<'q>, QueryError> {
        let encrypted = match self.encrypt_type.as_deref() {
            None => false,
            Some(kind) if kind.eq_ignore_ascii_case("raw") => false,
            Some(kind) if kind.eq_ignore_ascii_case("aes") => true,
            Some(_) => return Err(QueryError::EncryptType),
        };
        let timestamp = required("timestamp", self.timestamp)?;
        let seconds = seconds(&timestamp)?;
        let msg_signature = if encrypted {
            Some(required("msg_signature", self.msg_signature)?)
        } else {
            None
        };
        Ok(Query {
            signature: required("signature", self.signature)?,
            timestamp,
            nonce: required("nonce", self.nonce)?,
            openid: self.openid,
            echostr: self.echostr,
            msg_signature,
            seconds,
        })
    }
}

/// An empty value is as good as none.
fn required<'q>(
    name: &'static str,
    value: Option<Cow<'q, str>>,
) -> Result<Cow<'q, str>, QueryError> {
    value
        .filter(|value| !value.is_empty())
        .ok_or(QueryError::Missing { name })
}

fn seconds(timestamp: &str) -> Result<i64, QueryError> {
    let digits = timestamp.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || timestamp.len() > MAX_TIMESTAMP_DIGITS {
        return Err(QueryError::Timestamp);
    }
    timestamp.parse().map_err(|_| QueryError::Timestamp)
}

/// Decodes a form value, once. What is not escaped stays where it is.
fn decode<'q>(
    name: &'static str,
    value: &'q str,
    may_be_escaped: bool,
) -> Result<Cow<'q, str>, QueryError> {
    // Three characters an encoded byte: what is longer still cannot become short enough.
    if value.len() > 3 * MAX_VALUE_BYTES {
        return Err(QueryError::Oversized { name });
    }
    let decoded = if may_be_escaped {
        let bytes = unescape(value.as_bytes()).ok_or(QueryError::Encoding { name })?;
        Cow::Owned(String::from_utf8(bytes).map_err(|_| QueryError::Encoding { name })?)
    } else {
        Cow::Borrowed(value)
    };
    if decoded.len() > MAX_VALUE_BYTES {
        return Err(QueryError::Oversized { name });
    }
    Ok(decoded)
}

fn unescape(value: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value;
    loop {
        rest = match rest {
            [] => return Some(bytes),
            [b'%', high, low, rest @ ..] => {
                // Two digits of base 16 make a byte.
                bytes.push((digit(*high)? * 16 + digit(*low)?) as u8);
                rest
            }
            [b'%', ..] => return None,
            [b'+', rest @ ..] => {
                bytes.push(b' ');
                rest
            }
            [byte, rest @ ..] => {
                bytes.push(*byte);
                rest
            }
        };
    }
}

#[cfg(test)]
mod tests;
