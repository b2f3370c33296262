//! Any query string: accepted exactly when a plain reading of the rules accepts it, verified exactly when
//! its signature is right, opened exactly when it is as protected as the configuration demands.

use std::sync::LazyLock;

use bytes::Bytes;
use percent_encoding::percent_decode_str;

use crate::protocol::{Credentials, MAX_VALUE_BYTES, Mode, Sealed};
use crate::wechat;

static CREDENTIALS: LazyLock<[Credentials; 3]> =
    LazyLock::new(|| Mode::ALL.map(wechat::credentials));

/// The platform's parameters.
const NAMES: [&str; 7] = [
    "signature",
    "timestamp",
    "nonce",
    "openid",
    "echostr",
    "encrypt_type",
    "msg_signature",
];

/// Reads the bytes as a query, once as they are, and once with the right signature behind them.
pub fn check(data: &[u8]) {
    let Ok(query) = std::str::from_utf8(data) else {
        return;
    };
    compare(query);
    let value = |name| Expected::values(query, name).next().unwrap_or_default();
    let (Some(timestamp), Some(nonce)) = (decode(value("timestamp")), decode(value("nonce")))
    else {
        return;
    };
    let signature = wechat::sign(&[wechat::TOKEN, &timestamp, &nonce]);
    compare(&format!("{query}&signature={signature}"));
}

fn compare(query: &str) {
    let expected = Expected::read(query);
    let sealed = Sealed::parse(query);
    assert_eq!(sealed.is_ok(), expected.is_some(), "{sealed:?}");
    let (Ok(sealed), Some(expected)) = (sealed, expected) else {
        return;
    };
    assert_eq!(sealed.nonce(), expected.nonce);
    assert_eq!(sealed.openid(), expected.openid.as_deref());
    assert_eq!(Ok(sealed.timestamp_seconds()), expected.timestamp.parse());
    for (mode, credentials) in Mode::ALL.into_iter().zip(&*CREDENTIALS) {
        let is_protected = expected.is_encrypted == mode.is_encrypted();
        let verified = sealed.clone().verify(credentials);
        let is_right = expected.is_signed() && (is_protected || expected.echostr.is_some());
        assert_eq!(verified.is_ok(), is_right, "{mode:?}: {verified:?}");
        let Ok(verified) = verified else { continue };
        assert_eq!(verified.echo().ok(), expected.echostr.as_deref());
        let opened = verified.open(credentials, Bytes::from_static(b"<xml></xml>"));
        // An encrypted push needs more than this body.
        assert_eq!(opened.is_ok(), is_protected && mode == Mode::Plain);
    }
}

/// What a query says, read slowly.
struct Expected {
    signature: String,
    timestamp: String,
    nonce: String,
    openid: Option<String>,
    echostr: Option<String>,
    is_encrypted: bool,
}

impl Expected {
    fn values<'q>(query: &'q str, name: &str) -> impl Iterator<Item = &'q str> {
        query.split('&').filter_map(move |pair| {
            let (known, value) = pair.split_once('=').unwrap_or((pair, ""));
            (known == name).then_some(value)
        })
    }

    /// None when the rules refuse it.
    fn read(query: &str) -> Option<Self> {
        let mut found = NAMES.map(|_| None);
        for (name, place) in NAMES.iter().zip(&mut found) {
            let mut values = Self::values(query, name);
            if let Some(value) = values.next() {
                let fits = value.len() <= 3 * MAX_VALUE_BYTES && values.next().is_none();
                let decoded = decode(value).filter(|text| fits && text.len() <= MAX_VALUE_BYTES);
                *place = Some(decoded?);
            }
        }
        let [
            signature,
            timestamp,
            nonce,
            openid,
            echostr,
            encryption,
            msg_signature,
        ] = found;
        let present = |value: Option<String>| value.filter(|text| !text.is_empty());
        let timestamp = present(timestamp)?;
        let is_number = timestamp.len() <= 12 && timestamp.bytes().all(|b| b.is_ascii_digit());
        let is_encrypted = match encryption.map(|kind| kind.to_ascii_lowercase()).as_deref() {
            None | Some("raw") => false,
            Some("aes") => present(msg_signature).is_some(),
            Some(_) => return None,
        };
        let is_whole = is_number && (is_encrypted || !Self::claims_encryption(query));
        is_whole.then_some(Self {
            signature: present(signature)?,
            timestamp,
            nonce: present(nonce)?,
            openid,
            echostr,
            is_encrypted,
        })
    }

    fn claims_encryption(query: &str) -> bool {
        let mut kinds = Self::values(query, "encrypt_type").filter_map(decode);
        kinds.any(|kind| kind.eq_ignore_ascii_case("aes"))
    }

    fn is_signed(&self) -> bool {
        wechat::sign(&[wechat::TOKEN, &self.timestamp, &self.nonce]) == self.signature
    }
}

/// Form decoding that refuses what is no UTF-8 and what only looks escaped.
fn decode(value: &str) -> Option<String> {
    let mut escapes = value.split('%').skip(1);
    let is_escape = |rest: &str| rest.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    if !escapes.all(is_escape) {
        return None;
    }
    let spaced = value.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8().ok()?;
    Some(decoded.into_owned())
}
