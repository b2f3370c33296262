//! Bytes in, values out: what WeChat sends and what we say. No clock, no I/O, no randomness: all are arguments.
//!
//! The way of a push is a chain of types, so that a skipped step does not compile:
//! [`Sealed`] (the query was read) → [`Verified`] (its signature is right) → [`Opened`] (the body is
//! authentic) → [`push::Head`] (what acceptance needs) or [`push::Push`] (everything).
//!
//! ```
//! use bytes::Bytes;
//! use wxhook::id::AppId;
//! use wxhook::protocol::{Credentials, Mode, Rotating, Sealed, signature};
//! use wxhook::secret::PushToken;
//!
//! let account = AppId::parse("wx0123456789abcdef")?;
//! let token = Rotating::only(PushToken::new("mpInboundT0ken"));
//! let credentials = Credentials::new(account, Mode::Plain, token, None)?;
//!
//! let proof = signature::sign(&[b"mpInboundT0ken", b"1718000000", b"904211378"]);
//! let query = format!("signature={proof}&timestamp=1718000000&nonce=904211378");
//! let body = Bytes::from_static(b"<xml><FromUserName>o1</FromUserName><MsgType>text</MsgType></xml>");
//!
//! let head = Sealed::parse(&query)?.verify(&credentials)?.open(&credentials, body)?.read();
//! assert_eq!(head.user.as_str(), "o1");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! ```compile_fail,E0599
//! # use bytes::Bytes;
//! # use wxhook::protocol::{Credentials, Sealed};
//! fn unverified(sealed: Sealed<'_>, credentials: &Credentials, body: Bytes) {
//!     let _ = sealed.open(credentials, body); // there is no such step
//! }
//! ```

pub mod envelope;
pub mod message;
pub mod push;
pub mod signature;

mod credentials;
mod opened;
mod outer;
mod reply;
mod sealed;
mod xml;

pub use credentials::{Credentials, CredentialsError, Mode, ModeError, Rotating};
pub use opened::{OpenError, Opened};
pub use reply::{Fresh, RetiredError};
pub use sealed::{EchoError, MAX_VALUE_BYTES, QueryError, Refusal, Sealed, Verified};
pub use xml::{
    MAX_DEPTH, MAX_DOCUMENT_BYTES, MAX_ELEMENTS, MAX_NAME_BYTES, MAX_TEXT_BYTES, XmlError,
};
