//! WeChat's side of the secrets, written for the harness alone: what the protocol gets wrong, this must notice.

use std::sync::LazyLock;

use aes::Aes256;
use aes::cipher::{Array, BlockModeEncrypt as _, KeyIvInit as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

use crate::id::AppId;
use crate::protocol::{Credentials, Mode, Rotating};
use crate::secret::{AesKey, PushToken};

pub(crate) const TOKEN: &str = "mpInboundT0ken";
pub(crate) const APP_ID: &str = "wx0123456789abcdef";
pub(crate) const KEY: [u8; 32] = *b"0123456789abcdefghijklmnopqrstuv";
pub(crate) const TIMESTAMP: &str = "1718000000";
pub(crate) const NONCE: &str = "904211378";

/// The platform pads to twice AES's own block.
const PADDING_BLOCK: usize = 32;

pub(crate) fn credentials(mode: Mode) -> Credentials {
    let account = AppId::parse(APP_ID).expect("an AppID");
    let token = Rotating::only(PushToken::new(TOKEN));
    let key = mode
        .is_encrypted()
        .then(|| Rotating::only(AesKey::new(KEY)));
    Credentials::new(account, mode, token, key).expect("credentials")
}

/// SHA-1 over the sorted parts, in lower-case hexadecimal digits.
pub(crate) fn sign(parts: &[&str]) -> String {
    let mut sorted = parts.to_vec();
    sorted.sort_unstable();
    let digest = Sha1::digest(sorted.concat());
    let digits = |byte: u8| [byte >> 4, byte & 15].map(u32::from);
    let digits = digest.into_iter().flat_map(digits);
    digits
        .filter_map(|digit| char::from_digit(digit, 16))
        .collect()
}

/// The query of a push; `sealed` is the text of its `Encrypt`, if it has one.
pub(crate) fn query(sealed: Option<&str>) -> String {
    static PLAIN: LazyLock<String> = LazyLock::new(|| {
        let signature = sign(&[TOKEN, TIMESTAMP, NONCE]);
        format!("signature={signature}&timestamp={TIMESTAMP}&nonce={NONCE}&openid=o1")
    });
    match sealed {
        Some(sealed) => {
            let signature = sign(&[TOKEN, TIMESTAMP, NONCE, sealed]);
            [&**PLAIN, "&encrypt_type=aes&msg_signature=", &signature].concat()
        }
        None => PLAIN.clone(),
    }
}

/// Encrypts whole blocks as they are, however wrong they may be inside.
pub(crate) fn encrypt(blocks: &[u8]) -> String {
    let mut buffer = blocks.to_vec();
    let (whole, rest) = Array::slice_as_chunks_mut(&mut buffer);
    assert!(rest.is_empty(), "only whole blocks can be encrypted");
    let mut vector = [0; 16];
    vector.copy_from_slice(&KEY[..16]);
    cbc::Encryptor::<Aes256>::new(&KEY.into(), &vector.into()).encrypt_blocks(whole);
    STANDARD.encode(buffer)
}

pub(crate) fn pad(mut content: Vec<u8>) -> Vec<u8> {
    let padding = PADDING_BLOCK - content.len() % PADDING_BLOCK;
    content.resize(content.len() + padding, padding as u8);
    content
}

/// Seals a document: random bytes, its length, itself, the receive id, padding.
pub(crate) fn seal(document: &[u8]) -> String {
    let mut content = b"sixteen random b".to_vec();
    content.extend_from_slice(&(document.len() as u32).to_be_bytes());
    content.extend_from_slice(document);
    content.extend_from_slice(APP_ID.as_bytes());
    encrypt(&pad(content))
}

/// Whether XML 1.0 has the character: what it lacks of Unicode are most C0 controls and two non-characters.
pub(crate) fn is_xml(c: char) -> bool {
    match u32::from(c) {
        0x9 | 0xA | 0xD => true,
        code => code >= 0x20 && code != 0xFFFE && code != 0xFFFF,
    }
}
