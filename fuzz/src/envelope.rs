//! Any bytes as ciphertext, as what was encrypted, as a document to be sealed, and as the document around
//! the ciphertext: nothing panics, and what opens is what a plain reading of the rules says.

use std::sync::LazyLock;

use bytes::Bytes;

use crate::protocol::envelope::{EnvelopeError, open, seal};
use crate::protocol::{Credentials, Mode, Sealed};
use crate::secret::AesKey;
use crate::wechat;

const KEY: AesKey = AesKey::new(wechat::KEY);
const INNER: &[u8] = b"<xml><FromUserName>o1</FromUserName></xml>";

static SEALED: LazyLock<String> = LazyLock::new(|| wechat::seal(INNER));
static QUERY: LazyLock<String> = LazyLock::new(|| wechat::query(Some(&SEALED)));
static CREDENTIALS: LazyLock<[Credentials; 2]> =
    LazyLock::new(|| [Mode::Compatible, Mode::Secure].map(wechat::credentials));

/// All of them.
pub fn check(data: &[u8]) {
    // The fuzzer cannot encrypt, so nothing is known about this but that it must end well.
    drop(open(&KEY, wechat::APP_ID, data));
    opens_as_expected(&data[..data.len() - data.len() % 16]);
    opens_as_expected(&wechat::pad(data.to_vec()));
    comes_out_as_it_went_in(data);
    is_found_in(data);
}

/// What decrypts to these blocks.
fn opens_as_expected(blocks: &[u8]) {
    let opened = open(&KEY, wechat::APP_ID, wechat::encrypt(blocks).as_bytes());
    assert_eq!(opened.as_deref(), expected(blocks).as_deref());
}

/// The rules of the envelope in order, in wide signed numbers that cannot overflow.
fn expected(blocks: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
    let Some(last) = blocks.last().map(|last| i128::from(*last)) else {
        return Err(EnvelopeError::Base64);
    };
    let total = blocks.len() as i128;
    if total % 32 != 0 {
        return Err(EnvelopeError::Length);
    }
    let filler = blocks.iter().rev().take(last.max(0) as usize);
    if !(1..=32).contains(&last)
        || filler
            .map(|byte| i128::from(*byte))
            .any(|byte| byte != last)
    {
        return Err(EnvelopeError::Padding);
    }
    let content = total - last;
    if content < 20 {
        return Err(EnvelopeError::Length);
    }
    let length = blocks[16..20]
        .iter()
        .fold(0, |length, byte| length * 256 + i128::from(*byte));
    if 20 + length > content {
        return Err(EnvelopeError::Length);
    }
    let (end, content) = ((20 + length) as usize, content as usize);
    if &blocks[end..content] != wechat::APP_ID.as_bytes() {
        return Err(EnvelopeError::ReceiveId);
    }
    Ok(blocks[20..end].to_vec())
}

fn comes_out_as_it_went_in(document: &[u8]) {
    let sealed = seal(&KEY, wechat::APP_ID, *b"sixteen random b", document);
    assert_eq!(sealed, wechat::seal(document));
    let opened = open(&KEY, wechat::APP_ID, sealed.as_bytes());
    assert_eq!(opened.as_deref(), Ok(document));
    let elsewhere = open(&KEY, "wx0000000000000000", sealed.as_bytes());
    assert_eq!(elsewhere, Err(EnvelopeError::ReceiveId));
}

/// The ciphertext stands at the first `@` of the bytes, or behind them.
fn is_found_in(around: &[u8]) {
    let at = around.iter().position(|byte| *byte == b'@');
    let (before, behind) = around.split_at(at.unwrap_or(around.len()));
    let behind = behind.get(1..).unwrap_or_default();
    let element = format!("<Encrypt><![CDATA[{}]]></Encrypt>", *SEALED);
    let body = Bytes::from([before, element.as_bytes(), behind].concat());
    for credentials in &*CREDENTIALS {
        let verified = Sealed::parse(&QUERY).map(|sealed| sealed.verify(credentials));
        let Ok(Ok(verified)) = verified else {
            panic!("a right query is refused");
        };
        if let Ok(opened) = verified.open(credentials, body.clone()) {
            assert_eq!(&opened.body()[..], INNER);
        }
    }
}
