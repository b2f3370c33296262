//! From a body that anyone may have sent to a document that the platform has sent.

use std::fmt;

use bytes::Bytes;

use crate::id::AppId;
use crate::protocol::credentials::{Credentials, Mode, Rotating, Slot};
use crate::protocol::envelope::{Cipher, EnvelopeError};
use crate::protocol::outer::{self, OuterError};
use crate::protocol::push::Head;
use crate::protocol::sealed::{Query, Refusal};
use crate::protocol::signature;
use crate::protocol::xml::{self, XmlError};

/// Why a body does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The request is refused whatever its body.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The document that should hold `Encrypt` cannot be read, or holds none or several.
    #[error("the outer document is unusable: {0}")]
    Outer(#[from] OuterError),
    /// In plain mode: not XML at all, or XML with a DOCTYPE.
    #[error("the body is unusable: {0}")]
    Body(XmlError),
    /// No `Encrypt` carries the signature that the query claims.
    #[error("the msg_signature is wrong")]
    MsgSignature,
    /// Well signed, but the envelope does not open.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
}

impl OpenError {
    /// Whether the sender broke a rule of form (400) rather than one of trust (403).
    pub const fn is_form(&self) -> bool {
        match self {
            Self::Outer(_) | Self::Body(_) => true,
            Self::Refused(_) | Self::MsgSignature | Self::Envelope(_) => false,
        }
    }
}

/// The inner document of an authentic push, exactly as it was sent.
#[derive(Clone)]
pub struct Opened {
    account: AppId,
    body: Bytes,
    mode: Mode,
    token: Slot,
    /// `None` when it came in plaintext.
    key: Option<Slot>,
}

impl Opened {
    /// The document. Keep these bytes: everything else can be made from them again.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The account it is addressed to.
    pub fn account(&self) -> &AppId {
        &self.account
    }

    /// How it was verified, for people: the mode, and which secrets when they were the previous ones.
    pub fn how(&self) -> &'static str {
        how(self.mode, self.token, self.key.unwrap_or(Slot::Current))
    }

    /// Whether it came encrypted; then its answer must be.
    pub fn is_encrypted(&self) -> bool {
        self.key.is_some()
    }

    /// Which token verified it.
    pub(crate) fn token(&self) -> Slot {
        self.token
    }

    /// Which key opened it.
    pub(crate) fn key(&self) -> Option<Slot> {
        self.key
    }

    /// What acceptance needs to know. Never fails: what cannot be read is a value too.
    pub fn read(&self) -> Head {
        Head::read(&self.account, &self.body)
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("account", &self.account)
            .field("body_bytes", &self.body.len())
            .field("how", &self.how())
            .finish()
    }
}

pub(crate) fn open(
    query: &Query<'_>,
    token: Slot,
    credentials: &Credentials,
    body: Bytes,
) -> Result<Opened, OpenError> {
    let (body, key) = match &query.msg_signature {
        Some(claimed) => {
            let (body, key) = decrypt(query, claimed, token, credentials, &body)?;
            (body, Some(key))
        }
        None => {
            // Nothing protects this body, so what is no push at all is not taken for one of ours.
            xml::root(&body).map_err(OpenError::Body)?;
            (body, None)
        }
    };
    Ok(Opened {
        account: credentials.app_id().clone(),
        body,
        mode: credentials.mode(),
        token,
        key,
    })
}

/// Finds the ciphertext that the platform has signed, and opens it.
fn decrypt(
    query: &Query<'_>,
    claimed: &str,
    token: Slot,
    credentials: &Credentials,
    body: &[u8],
) -> Result<(Bytes, Slot), OpenError> {
    let downgrade = Refusal::Downgrade {
        configured: credentials.mode(),
    };
    // Both are there: the mode was checked, and encrypted modes have keys.
    let (Some(token), Some(ciphers)) = (credentials.token().at(token), credentials.ciphers())
    else {
        return Err(downgrade.into());
    };
    let signed = |encrypted: &&[u8]| {
        let [timestamp, nonce] = [&*query.timestamp, &*query.nonce].map(str::as_bytes);
        let parts = [token.expose().as_bytes(), timestamp, nonce, encrypted];
        signature::sign(&parts).matches(claimed)
    };
    let candidates = outer::candidates(credentials.mode(), body)?;
    let encrypted = candidates
        .into_iter()
        .flatten()
        .find(signed)
        .ok_or(OpenError::MsgSignature)?;

    unseal(ciphers, credentials.app_id(), encrypted).map_err(OpenError::Envelope)
}

/// Opens with the current, then the previous key. If neither fits, the current one's error is told.
fn unseal(
    ciphers: &Rotating<Cipher>,
    receive_id: &AppId,
    encrypted: &[u8],
) -> Result<(Bytes, Slot), EnvelopeError> {
    let open = |cipher: &Cipher| cipher.open(receive_id.as_str(), encrypted);
    let error = match open(&ciphers.current) {
        Ok(inner) => return Ok((inner, Slot::Current)),
        Err(error) => error,
    };
    let previous = ciphers.previous.as_ref().ok_or(error)?;
    open(previous)
        .map(|inner| (inner, Slot::Previous))
        .map_err(|_| error)
}

const fn how(mode: Mode, token: Slot, key: Slot) -> &'static str {
    use Slot::{Current, Previous};
    match (mode, token, key) {
        (Mode::Plain, Current, _) => "plain",
        (Mode::Plain, Previous, _) => "plain, previous token",
        (Mode::Compatible, Current, Current) => "compatible",
        (Mode::Compatible, Previous, Current) => "compatible, previous token",
        (Mode::Compatible, Current, Previous) => "compatible, previous key",
        (Mode::Compatible, Previous, Previous) => "compatible, previous token and key",
        (Mode::Secure, Current, Current) => "secure",
        (Mode::Secure, Previous, Current) => "secure, previous token",
        (Mode::Secure, Current, Previous) => "secure, previous key",
        (Mode::Secure, Previous, Previous) => "secure, previous token and key",
    }
}
