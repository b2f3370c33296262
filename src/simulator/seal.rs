//! WeChat's signatures and envelope, written for the referee alone.
//!
//! Deliberately not the functions of [`crate::protocol`]: what those get wrong, this must notice.

use aes::Aes256;
use aes::cipher::BlockModeDecrypt;
use aes::cipher::BlockModeEncrypt;
use aes::cipher::KeyIvInit;
use aes::cipher::block_padding::NoPadding;
use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::GeneralPurpose;
use base64::engine::GeneralPurposeConfig;
use base64::engine::general_purpose::STANDARD;
use sha1::Digest;
use sha1::Sha1;

use crate::secret::AesKey;

/// Why something sealed cannot be opened, or a key cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// An EncodingAESKey is not 43 base64 characters.
    #[error("the EncodingAESKey is not 43 base64 characters")]
    Key,
    /// The ciphertext is not base64.
    #[error("the ciphertext is not base64")]
    Base64,
    /// The ciphertext is empty or no multiple of 32 bytes.
    #[error("the ciphertext is no multiple of 32 bytes")]
    Blocks,
    /// The padding is not PKCS#7 with block size 32: the wrong key, most often.
    #[error("the padding is wrong; most often the key is")]
    Padding,
    /// The inner length points outside the envelope.
    #[error("the inner length points outside the envelope")]
    Length,
    /// The envelope is addressed to another receive-id.
    #[error("the envelope carries another receive-id than the account's AppID")]
    ReceiveId,
}

/// WeChat pads to multiples of 32 bytes, though the blocks of AES have 16.
const PAD_TO: usize = 32;

/// Sixteen random bytes and the length stand before the message.
const HEAD_BYTES: usize = 20;

/// Decodes the 43 characters of an EncodingAESKey. Three of four real keys end in bits that a strict
/// decoder refuses; they carry nothing and are dropped.
///
/// # Errors
/// [`SealError::Key`] when the text is anything else than 43 characters of base64.
pub fn decode_key(encoding_aes_key: &str) -> Result<AesKey, SealError> {
    let lenient = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_allow_trailing_bits(true)
            .with_decode_padding_mode(DecodePaddingMode::RequireNone),
    );
    let text = encoding_aes_key.trim();
    if text.len() != 43 {
        return Err(SealError::Key);
    }
    let bytes = lenient.decode(text).map_err(|_| SealError::Key)?;
    bytes
        .try_into()
        .map(AesKey::new)
        .map_err(|_| SealError::Key)
}

/// Seals a message as WeChat does: base64 of AES-256-CBC over random, length, message and receive-id.
///
/// # Panics
/// Never: the padding makes whole blocks, which is all that the cipher asks for.
pub fn seal(key: &AesKey, receive_id: &str, random: [u8; 16], message: &[u8]) -> String {
    let unpadded = HEAD_BYTES + message.len() + receive_id.len();
    let pad = PAD_TO - unpadded % PAD_TO;
    let mut envelope = Vec::with_capacity(unpadded + pad);
    envelope.extend_from_slice(&random);
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    envelope.extend_from_slice(&length.to_be_bytes());
    envelope.extend_from_slice(message);
    envelope.extend_from_slice(receive_id.as_bytes());
    envelope.resize(unpadded + pad, pad as u8);
    let length = envelope.len();
    let sealed = encryptor(key)
        .encrypt_padded::<NoPadding>(&mut envelope, length)
        .expect("padded to a whole number of blocks");
    STANDARD.encode(sealed)
}

/// Opens what was sealed for `receive_id`.
///
/// # Errors
/// [`SealError`] names the first check that failed, in the order of its variants.
pub fn open(key: &AesKey, receive_id: &str, sealed: &str) -> Result<Vec<u8>, SealError> {
    let mut envelope = STANDARD
        .decode(sealed.trim())
        .map_err(|_| SealError::Base64)?;
    if envelope.is_empty() || envelope.len() % PAD_TO != 0 {
        return Err(SealError::Blocks);
    }
    decryptor(key)
        .decrypt_padded::<NoPadding>(&mut envelope)
        .map_err(|_| SealError::Blocks)?;
    let content = unpad(&envelope)?;
    let length_bytes = content.get(16..HEAD_BYTES).ok_or(SealError::Length)?;
    let length = length_bytes
        .iter()
        .fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
    let end = HEAD_BYTES.checked_add(length).ok_or(SealError::Length)?;
    let message = content.get(HEAD_BYTES..end).ok_or(SealError::Length)?;
    if &content[end..] != receive_id.as_bytes() {
        return Err(SealError::ReceiveId);
    }
    Ok(message.to_vec())
}

fn unpad(envelope: &[u8]) -> Result<&[u8], SealError> {
    let pad = usize::from(*envelope.last().ok_or(SealError::Padding)?);
    let end = envelope.len().checked_sub(pad).ok_or(SealError::Padding)?;
    let (content, padding) = envelope.split_at(end);
    let right = (1..=PAD_TO).contains(&pad) && padding.iter().all(|byte| usize::from(*byte) == pad);
    right.then_some(content).ok_or(SealError::Padding)
}

/// Signs: lower-case hex of SHA-1 over the sorted parts, written one after the other.
pub fn sign(parts: &[&str]) -> String {
    let mut sorted = parts.to_vec();
    sorted.sort_unstable();
    let mut digest = Sha1::new();
    for part in sorted {
        digest.update(part.as_bytes());
    }
    let mut hex = String::with_capacity(40);
    for byte in digest.finalize() {
        for nibble in [byte >> 4, byte & 15] {
            hex.push(char::from(b"0123456789abcdef"[usize::from(nibble)]));
        }
    }
    hex
}

fn encryptor(key: &AesKey) -> cbc::Encryptor<Aes256> {
    let vector: &[u8; 16] = key.expose().first_chunk().unwrap_or(&[0; 16]);
    cbc::Encryptor::new(key.expose().into(), vector.into())
}

fn decryptor(key: &AesKey) -> cbc::Decryptor<Aes256> {
    let vector: &[u8; 16] = key.expose().first_chunk().unwrap_or(&[0; 16]);
    cbc::Decryptor::new(key.expose().into(), vector.into())
}

#[cfg(test)]
mod tests;
