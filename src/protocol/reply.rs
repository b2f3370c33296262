//! The way back: an answer, protected as the push was that it answers.

use crate::clock::Timestamp;
use crate::protocol::credentials::Credentials;
use crate::protocol::envelope;
use crate::protocol::message::PassiveReply;
use crate::protocol::opened::Opened;
use crate::protocol::signature;

/// What must be new in every sealed answer.
#[derive(Debug, Clone, Copy)]
pub struct Fresh {
    /// From a generator that nobody can foresee.
    pub random: [u8; 16],
    /// Any number; written in decimal.
    pub nonce: u64,
    /// The present time.
    pub timestamp: Timestamp,
}

/// The secrets with which a push was opened are no longer among the credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secrets that opened the push are retired")]
pub struct RetiredError;

impl Opened {
    /// The body that answers this push: the reply's document as it is when the push came in plaintext,
    /// else sealed with the key that opened the push and signed with the token that verified it. That
    /// node of the platform knows these, whatever has been rotated since.
    ///
    /// The one exit of all replies, so that none leaves unsealed. `success` and an empty body are no
    /// replies; they are never sealed.
    ///
    /// # Errors
    /// [`RetiredError`] when `credentials` are not those that opened the push.
    pub fn answer(
        &self,
        reply: &PassiveReply,
        credentials: &Credentials,
        fresh: &Fresh,
    ) -> Result<String, RetiredError> {
        let document = reply.document();
        let Some(key) = self.key() else {
            return Ok(document.to_owned());
        };
        let token = credentials.token().at(self.token()).ok_or(RetiredError)?;
        let ciphers = credentials.ciphers().ok_or(RetiredError)?;
        let key = ciphers.at(key).ok_or(RetiredError)?.key();

        let receive_id = self.account().as_str();
        let encrypted = envelope::seal(key, receive_id, fresh.random, document.as_bytes());
        let (timestamp, nonce) = (
            fresh.timestamp.seconds().to_string(),
            fresh.nonce.to_string(),
        );
        let parts = [token.expose(), &timestamp, &nonce, &encrypted].map(str::as_bytes);
        let signature = signature::sign(&parts);
        Ok(format!(
            "<xml><Encrypt><![CDATA[{encrypted}]]></Encrypt><MsgSignature><![CDATA[{signature}]]></MsgSignature>\
             <TimeStamp>{timestamp}</TimeStamp><Nonce><![CDATA[{nonce}]]></Nonce></xml>"
        ))
    }
}
