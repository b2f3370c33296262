//! The encryption envelope: AES-256-CBC around random bytes, a length, the document and the receive id.
//!
//! Source: official page "消息加解密说明", and public captures recomputed.

use std::fmt;
use std::sync::LazyLock;

use aes::cipher::{Array, KeyIvInit as _};
use aes::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, InnerIvInit as _, KeyInit as _};
use aes::{Aes256, Aes256Dec};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::PAD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;

use crate::secret::AesKey;

/// Characters of an EncodingAESKey.
pub const ENCODED_KEY_LENGTH: usize = 43;

/// Padding fills up to this many bytes: twice AES's own block, so that the usual PKCS#7 code does not fit.
const PADDING_BLOCK: usize = 32;

/// Sixteen random bytes and the document's length.
const HEADER_BYTES: usize = 20;

const AES_BLOCK: usize = 16;

/// The engine with this processor's vector instructions: three times as fast as the plain one at 4 KB.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
static BASE64: LazyLock<base64::engine::Simd> =
    LazyLock::new(|| base64::engine::Simd::standard(PAD));
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
static BASE64: LazyLock<GeneralPurpose> =
    LazyLock::new(|| GeneralPurpose::new(&alphabet::STANDARD, PAD));

/// Why a text is not an EncodingAESKey. Says nothing about the text but its length.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The console shows exactly 43 characters.
    #[error("has {length} characters; an EncodingAESKey has {ENCODED_KEY_LENGTH}")]
    Length {
        /// Characters found, blanks around them not counted.
        length: usize,
    },
    /// Something else than letters, digits, `+` and `/`.
    #[error("contains a character that is no letter and no digit")]
    Character,
}

/// Why an envelope does not open. After a right `msg_signature` the likely cause of all but
/// [`EnvelopeError::Base64`] is a wrong EncodingAESKey.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// The text is empty or no base64 with its padding.
    #[error("the ciphertext is not base64")]
    Base64,
    /// The ciphertext is no multiple of 32 bytes, or the length inside points outside.
    #[error("a length in the envelope is wrong; is it the right EncodingAESKey?")]
    Length,
    /// The padding is not 1 to 32 equal bytes.
    #[error("the padding is wrong; is it the right EncodingAESKey?")]
    Padding,
    /// The envelope is addressed to somebody else.
    #[error("the receive id is not this account's AppID")]
    ReceiveId,
}

/// Reads an EncodingAESKey as the console shows it.
///
/// 43 characters hold two bits more than 32 bytes need, and the console does not clear them: about
/// three quarters of all real keys are refused by a strict base64 decoder. Blanks around the key and one
/// `=` after it are tolerated.
///
/// # Errors
/// [`KeyError::Length`], then [`KeyError::Character`].
pub fn decode_key(text: &str) -> Result<AesKey, KeyError> {
    const TOLERANT: GeneralPurpose = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_allow_trailing_bits(true)
            .with_decode_padding_mode(DecodePaddingMode::RequireNone),
    );
    let text = text.trim();
    let text = text.strip_suffix('=').unwrap_or(text);
    let length = text.chars().count();
    if length != ENCODED_KEY_LENGTH {
        return Err(KeyError::Length { length });
    }
    let bytes = TOLERANT.decode(text).map_err(|_| KeyError::Character)?;
    let bytes = bytes.try_into().map_err(|_| KeyError::Character)?;
    Ok(AesKey::new(bytes))
}

/// A key with its decryption schedule ready.
#[derive(Clone)]
pub struct Cipher {
    key: AesKey,
    schedule: Aes256Dec,
}

/// The schedule is made of the key, so keys are compared.
impl PartialEq for Cipher {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Cipher {
    /// Expands the key.
    pub fn new(key: &AesKey) -> Self {
        Self {
            key: key.clone(),
            schedule: Aes256Dec::new(key.expose().into()),
        }
    }

    /// The key itself.
    pub fn key(&self) -> &AesKey {
        &self.key
    }

    /// Opens an envelope; see [`open`].
    ///
    /// # Errors
    /// See [`open`].
    pub fn open(&self, receive_id: &str, encrypted: &[u8]) -> Result<Bytes, EnvelopeError> {
        let mut buffer = decode(encrypted)?;
        let (blocks, _) = Array::slice_as_chunks_mut(&mut buffer);
        let iv = initialisation_vector(&self.key);
        cbc::Decryptor::inner_iv_init(&self.schedule, &iv.into()).decrypt_blocks(blocks);
        let message = locate(&buffer, receive_id)?;
        Ok(Bytes::from(buffer).slice(message))
    }
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cipher").field(&self.key).finish()
    }
}

/// Opens an envelope. Total: no input makes it panic or read outside.
///
/// Check `msg_signature` over the same text before: AES-CBC alone authenticates nothing.
///
/// # Errors
/// [`EnvelopeError`]: base64, ciphertext length, padding, inner length, receive id, in this order.
pub fn open(key: &AesKey, receive_id: &str, encrypted: &[u8]) -> Result<Bytes, EnvelopeError> {
    Cipher::new(key).open(receive_id, encrypted)
}

/// Seals a document: the base64 text that goes into `Encrypt`.
///
/// `random` must be unpredictable. The document may have at most 4 GiB − 1 bytes, which memory bounds before.
pub fn seal(key: &AesKey, receive_id: &str, random: [u8; 16], message: &[u8]) -> String {
    let length = HEADER_BYTES + message.len() + receive_id.len();
    let padding = PADDING_BLOCK - length % PADDING_BLOCK;
    let mut buffer = Vec::with_capacity(length + padding);
    buffer.extend_from_slice(&random);
    buffer.extend_from_slice(&(message.len() as u32).to_be_bytes());
    buffer.extend_from_slice(message);
    buffer.extend_from_slice(receive_id.as_bytes());
    // 1 to 32, so it fits into the byte that it fills.
    buffer.resize(length + padding, padding as u8);
    let (blocks, _) = Array::slice_as_chunks_mut(&mut buffer);
    let iv = initialisation_vector(key);
    cbc::Encryptor::<Aes256>::new(key.expose().into(), &iv.into()).encrypt_blocks(blocks);
    BASE64.encode(buffer)
}

/// The platform uses the key's own first half.
fn initialisation_vector(key: &AesKey) -> [u8; AES_BLOCK] {
    let mut vector = [0; AES_BLOCK];
    vector.copy_from_slice(&key.expose()[..AES_BLOCK]);
    vector
}

/// Base64 with its padding, to whole padding blocks.
fn decode(encrypted: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
    if encrypted.is_empty() {
        return Err(EnvelopeError::Base64);
    }
    let buffer = BASE64
        .decode(encrypted)
        .map_err(|_| EnvelopeError::Base64)?;
    if buffer.is_empty() || !buffer.len().is_multiple_of(PADDING_BLOCK) {
        return Err(EnvelopeError::Length);
    }
    Ok(buffer)
}

/// Where in the decrypted bytes the document is.
fn locate(plain: &[u8], receive_id: &str) -> Result<std::ops::Range<usize>, EnvelopeError> {
    let padding = usize::from(*plain.last().ok_or(EnvelopeError::Length)?);
    if !(1..=PADDING_BLOCK).contains(&padding) || padding > plain.len() {
        return Err(EnvelopeError::Padding);
    }
    let (content, filler) = plain.split_at(plain.len() - padding);
    if filler.iter().any(|byte| usize::from(*byte) != padding) {
        return Err(EnvelopeError::Padding);
    }
    let header = content.first_chunk::<HEADER_BYTES>();
    let [.., a, b, c, d] = header.ok_or(EnvelopeError::Length)?;
    let length = u32::from_be_bytes([*a, *b, *c, *d]);
    let length = usize::try_from(length).map_err(|_| EnvelopeError::Length)?;
    let rest = content.len() - HEADER_BYTES;
    if length > rest {
        return Err(EnvelopeError::Length);
    }
    let end = HEADER_BYTES + length;
    if &content[end..] != receive_id.as_bytes() {
        return Err(EnvelopeError::ReceiveId);
    }
    Ok(HEADER_BYTES..end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: AesKey = AesKey::new(*b"0123456789abcdefghijklmnopqrstuv");

    #[test]
    fn a_key_is_read_in_every_spelling_that_the_console_may_have_given_it() {
        let key = |last| format!("q7Lm2ZxT9vB4kRfW1sYd8HcN6uJgP3oEaXiQ0wVtKz{last}");
        let expected = decode_key(&key("A")).unwrap();
        for (name, text) in [
            ("trailing bits 01", key("B")),
            ("trailing bits 10", key("C")),
            ("trailing bits 11", key("D")),
            ("blanks around", format!(" \t{}\n", key("A"))),
            ("with its equals sign", format!("{}=", key("C"))),
        ] {
            assert_eq!(decode_key(&text).as_ref(), Ok(&expected), "{name}");
        }
        for (name, text, error) in [
            ("empty", String::new(), KeyError::Length { length: 0 }),
            ("42", key(""), KeyError::Length { length: 42 }),
            ("44", key("AA"), KeyError::Length { length: 44 }),
            (
                "two equals signs",
                key("A=="),
                KeyError::Length { length: 44 },
            ),
            (
                "a blank inside",
                key(" A").replacen('q', "", 1),
                KeyError::Character,
            ),
            ("URL alphabet", key("_"), KeyError::Character),
            ("not ASCII", key("钥"), KeyError::Character),
        ] {
            assert_eq!(decode_key(&text), Err(error), "{name}");
        }
    }

    #[test]
    fn every_length_up_to_200_comes_out_as_it_went_in() {
        for length in 0..=200 {
            let message: Vec<u8> = (0..length).collect();
            let sealed = seal(&KEY, "wx0123456789abcdef", [length; 16], &message);
            let opened = open(&KEY, "wx0123456789abcdef", sealed.as_bytes());
            assert_eq!(opened.as_deref(), Ok(&message[..]), "{length}");
        }
    }

    #[test]
    fn what_is_sealed_for_one_account_does_not_open_for_another() {
        let sealed = seal(&KEY, "wx0123456789abcdef", [7; 16], b"<xml/>");
        for other in [
            "",
            "wx0123456789abcde",
            "WX0123456789ABCDEF",
            "wx0123456789abcdef ",
        ] {
            let opened = open(&KEY, other, sealed.as_bytes());
            assert_eq!(opened, Err(EnvelopeError::ReceiveId), "{other:?}");
        }
    }

    proptest! {
        #[test]
        fn noise_does_not_open_and_does_not_panic(noise in any::<Vec<u8>>()) {
            prop_assert!(open(&KEY, "wx1", &noise).is_err());
            prop_assert!(open(&KEY, "wx1", BASE64.encode(&noise).as_bytes()).is_err());
        }
    }
}
