//! Known bytes: the vectors and documents in `tests/fixtures`, through the functions that the endpoint uses.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use proptest::prelude::*;
use serde::Deserialize;
use wxhook::id::AppId;
use wxhook::protocol::envelope::{self, EnvelopeError};
use wxhook::protocol::push::{Head, Kind, Push};
use wxhook::protocol::{Credentials, Mode, OpenError, Opened, Rotating, Sealed, signature};
use wxhook::secret::{AesKey, PushToken};

#[derive(Deserialize)]
struct Vectors {
    own: Vec<Own>,
    signatures: Vec<Signature>,
}

/// An envelope, and what opening it must come to.
#[derive(Deserialize)]
struct Own {
    id: String,
    expect: String,
    token: String,
    encoding_aes_key: String,
    receive_id: String,
    timestamp: String,
    nonce: String,
    signature: String,
    msg_signature: String,
    encrypt: String,
    msg: Option<String>,
    random: Option<String>,
    #[serde(default)]
    expect_content_any_of: Vec<String>,
    expect_from: Option<String>,
    expect_msg_type: Option<String>,
    expect_msg_id: Option<String>,
}

#[derive(Deserialize)]
struct Signature {
    token: String,
    timestamp: String,
    nonce: String,
    signature: String,
}

fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

fn vectors() -> Vectors {
    let text = std::fs::read_to_string(fixture("vectors.json")).expect("the file of vectors");
    serde_json::from_str(&text).expect("vectors")
}

impl Own {
    fn key(&self) -> AesKey {
        envelope::decode_key(&self.encoding_aes_key).expect("a key")
    }

    fn credentials(
        &self,
        mode: Mode,
        token: Rotating<PushToken>,
        key: Rotating<AesKey>,
    ) -> Credentials {
        let account = AppId::parse(&self.receive_id).expect("an AppID");
        Credentials::new(account, mode, token, Some(key)).expect("credentials")
    }

    fn usual(&self, mode: Mode) -> Credentials {
        let token = Rotating::only(PushToken::new(self.token.as_str()));
        self.credentials(mode, token, Rotating::only(self.key()))
    }

    fn query(&self) -> String {
        format!(
            "signature={}&timestamp={}&nonce={}&openid=o1&encrypt_type=aes&msg_signature={}",
            self.signature, self.timestamp, self.nonce, self.msg_signature
        )
    }

    fn secure_body(&self) -> String {
        let encrypt = &self.encrypt;
        format!(
            "<xml><ToUserName><![CDATA[gh_5f2c9a7d10be]]></ToUserName>\n<Encrypt><![CDATA[{encrypt}]]></Encrypt>\n</xml>\n"
        )
    }

    fn open(&self, credentials: &Credentials, body: impl Into<Bytes>) -> Result<Opened, OpenError> {
        let query = self.query();
        let sealed = Sealed::parse(&query).expect("a query");
        let verified = sealed.verify(credentials).expect("a right signature");
        verified.open(credentials, body.into())
    }
}

/// The vectors' own word for what came out.
fn class(opened: &Result<Opened, OpenError>) -> &'static str {
    match opened {
        Ok(opened) if opened.read().kind == Kind::Malformed => "parse",
        Ok(_) => "ok",
        Err(OpenError::MsgSignature) => "msg_signature",
        Err(OpenError::Envelope(EnvelopeError::Base64)) => "base64",
        Err(OpenError::Envelope(EnvelopeError::Length)) => "length",
        Err(OpenError::Envelope(EnvelopeError::Padding)) => "padding",
        Err(OpenError::Envelope(EnvelopeError::ReceiveId)) => "receive_id",
        Err(_) => "another error",
    }
}

#[test]
fn every_signature_vector_is_reproduced() {
    let vectors = vectors().signatures;
    assert_eq!(vectors.len(), 8);
    for vector in vectors {
        let Signature {
            token,
            timestamp,
            nonce,
            signature,
        } = &vector;
        let signed = signature::sign(&[nonce, token, timestamp].map(|part| part.as_bytes()));
        assert_eq!(signed.to_string(), *signature, "{token} {timestamp}");
    }
}

#[test]
fn every_envelope_vector_comes_to_what_it_must() {
    let vectors = vectors().own;
    assert_eq!(vectors.len(), 37);
    for vector in vectors {
        for (mode, body) in [
            (Mode::Secure, vector.secure_body()),
            (Mode::Compatible, vector.secure_body()),
        ] {
            let name = format!("{} {}", vector.id, mode.name());
            let opened = vector.open(&vector.usual(mode), body);
            assert_eq!(class(&opened), vector.expect, "{name}");
            let Ok(opened) = opened else { continue };
            assert_eq!(opened.how(), mode.name(), "{name}");
            let expected = vector.msg.as_deref().unwrap_or_default();
            assert_eq!(opened.body(), expected.as_bytes(), "{name}");
        }
    }
}

#[test]
fn every_envelope_vector_is_sealed_to_the_same_text() {
    let mut sealed = 0;
    for vector in vectors().own {
        let (Some(message), Some(random)) = (&vector.msg, &vector.random) else {
            continue;
        };
        let random = u128::from_str_radix(random, 16).unwrap().to_be_bytes();
        let text = envelope::seal(
            &vector.key(),
            &vector.receive_id,
            random,
            message.as_bytes(),
        );
        assert_eq!(text, vector.encrypt, "{}", vector.id);
        sealed += 1;
    }
    assert_eq!(sealed, 11);
}

#[test]
fn every_odd_content_is_read_as_the_user_wrote_it() {
    let mut odd = 0;
    for vector in vectors().own {
        let Some(from) = &vector.expect_from else {
            continue;
        };
        let credentials = vector.usual(Mode::Secure);
        let opened = vector.open(&credentials, vector.secure_body()).unwrap();
        assert_eq!(opened.read().user.as_str(), from, "{}", vector.id);
        let push = Push::parse(credentials.app_id(), opened.body()).unwrap();
        assert_eq!(push.from().as_str(), from, "{}", vector.id);
        assert_eq!(
            Some(push.msg_type()),
            vector.expect_msg_type.as_deref(),
            "{}",
            vector.id
        );
        assert_eq!(
            push.msg_id(),
            vector.expect_msg_id.as_deref(),
            "{}",
            vector.id
        );
        let content = push.fields().get("Content").unwrap().to_owned();
        assert!(
            vector.expect_content_any_of.contains(&content),
            "{}: {content:?}",
            vector.id
        );
        odd += 1;
    }
    assert_eq!(odd, 8);
}

/// The bytes, one changed bit in each.
fn with_each_bit_changed(bytes: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> {
    (0..bytes.len() * 8).map(|bit| {
        let mut changed = bytes.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        (bit, changed)
    })
}

#[test]
fn every_single_bit_of_msg_signature_and_ciphertext_matters() {
    let all = vectors().own;
    let vector = &all[0];
    for mode in [Mode::Secure, Mode::Compatible] {
        let credentials = vector.usual(mode);
        let mut changes = 0;
        for (bit, changed) in with_each_bit_changed(vector.msg_signature.as_bytes()) {
            let escaped: String = changed.iter().map(|byte| format!("%{byte:02x}")).collect();
            let query = vector.query().replace(&vector.msg_signature, &escaped);
            // Some bytes are no text: the query itself is refused then.
            if let Ok(sealed) = Sealed::parse(&query) {
                let verified = sealed.verify(&credentials).unwrap();
                let opened = verified.open(&credentials, Bytes::from(vector.secure_body()));
                assert_eq!(opened.err(), Some(OpenError::MsgSignature), "bit {bit}");
            }
            changes += 1;
        }
        assert_eq!(changes, 40 * 8);
        let body = vector.secure_body();
        let (before, after) = body.split_once(&vector.encrypt).unwrap();
        for (bit, changed) in with_each_bit_changed(vector.encrypt.as_bytes()) {
            let body = [before.as_bytes(), &changed, after.as_bytes()].concat();
            let opened = vector.open(&credentials, body);
            assert!(opened.is_err(), "{mode:?}, bit {bit}: {opened:?}");
        }
        assert!(vector.open(&credentials, body.clone()).is_ok());
    }
}

#[test]
fn previous_secrets_still_open_and_are_named() {
    let all = vectors().own;
    let vector = &all[0];
    let rotated = |right: bool| Rotating {
        current: PushToken::new(if right {
            vector.token.as_str()
        } else {
            "n3wT0ken"
        }),
        previous: (!right).then(|| PushToken::new(vector.token.as_str())),
    };
    let keys = |right: bool| Rotating {
        current: if right {
            vector.key()
        } else {
            AesKey::new([9; 32])
        },
        previous: (!right).then(|| vector.key()),
    };
    for (token, key, how) in [
        (true, true, "secure"),
        (false, true, "secure, previous token"),
        (true, false, "secure, previous key"),
        (false, false, "secure, previous token and key"),
    ] {
        let credentials = vector.credentials(Mode::Secure, rotated(token), keys(key));
        let opened = vector.open(&credentials, vector.secure_body()).unwrap();
        assert_eq!(opened.how(), how);
    }
    let wrong = Rotating {
        current: AesKey::new([9; 32]),
        previous: Some(AesKey::new([8; 32])),
    };
    let credentials = vector.credentials(Mode::Secure, rotated(true), wrong);
    let opened = vector.open(&credentials, vector.secure_body());
    assert!(matches!(opened, Err(OpenError::Envelope(_))));
}

#[test]
fn in_compatible_mode_only_the_signed_document_counts() {
    let all = vectors().own;
    let vector = &all[0];
    let credentials = vector.usual(Mode::Compatible);
    let genuine = format!("<Encrypt><![CDATA[{}]]></Encrypt>", vector.encrypt);
    let forged = "<FromUserName><![CDATA[victim]]></FromUserName>";
    let fake = "<Encrypt><![CDATA[ZmFrZQ==]]></Encrypt>";
    for (name, body) in [
        (
            "forged siblings",
            format!("<xml>{forged}<MsgType>event</MsgType>{genuine}</xml>"),
        ),
        (
            "fakes before",
            format!("<xml><Content><![CDATA[{fake}{fake}]]></Content>{genuine}</xml>"),
        ),
        (
            "fakes behind",
            format!("<xml>{genuine}<Content><![CDATA[{fake}{fake}]]></Content></xml>"),
        ),
        (
            "text breaks out",
            format!("<xml><Content><![CDATA[]]></Content><a>]]></Content>{genuine}</xml>"),
        ),
        (
            "text opens",
            format!("<xml><Content><![CDATA[<Encrypt>]]></Content>{genuine}</xml>"),
        ),
    ] {
        let opened = vector.open(&credentials, body).unwrap();
        assert_eq!(
            opened.body(),
            vector.msg.as_deref().unwrap().as_bytes(),
            "{name}"
        );
        assert_eq!(
            opened.read().user.as_str(),
            "oJb3Uw5c9XkQm1T0s7Zr2LhVnA_8",
            "{name}"
        );
    }
    let three = vector.open(&credentials, format!("<xml>{fake}{genuine}{fake}</xml>"));
    assert_eq!(three.err(), Some(OpenError::MsgSignature));
}

#[test]
fn a_strange_text_in_a_compatible_push_does_not_stop_a_secure_account() {
    let all = vectors().own;
    let vector = &all[0];
    let credentials = vector.usual(Mode::Secure);
    let genuine = format!("<Encrypt><![CDATA[{}]]></Encrypt>", vector.encrypt);
    for written in [
        "hello",
        "<a><![CDATA[x]]></a>",
        "]]><b>",
        "]]>&< >",
        "a]]>b<Encrypt>",
    ] {
        let body = format!("<xml><Content><![CDATA[{written}]]></Content>{genuine}</xml>");
        let opened = vector.open(&credentials, body);
        assert_eq!(class(&opened), "ok", "{written}");
    }
}

#[test]
fn an_unusable_outer_document_is_a_fault_of_form() {
    let all = vectors().own;
    let vector = &all[0];
    let credentials = vector.usual(Mode::Secure);
    let genuine = format!("<Encrypt>{}</Encrypt>", vector.encrypt);
    assert!(
        vector
            .open(&credentials, format!("<xml>\n {genuine} \n</xml>"))
            .is_ok()
    );
    for (name, body) in [
        ("empty", String::new()),
        ("no XML", "encrypt".into()),
        ("JSON", format!("{{\"Encrypt\":\"{}\"}}", vector.encrypt)),
        (
            "no Encrypt",
            "<xml><ToUserName>gh_1</ToUserName></xml>".into(),
        ),
        ("two", format!("<xml>{genuine}{genuine}</xml>")),
        ("deeper", format!("<xml><a>{genuine}</a></xml>")),
        ("cut off", format!("<xml>{genuine}")),
        ("DOCTYPE", format!("<!DOCTYPE x><xml>{genuine}</xml>")),
    ] {
        let opened = vector.open(&credentials, body);
        assert!(
            opened.as_ref().is_err_and(OpenError::is_form),
            "{name}: {opened:?}"
        );
    }
    let plain = vector.usual(Mode::Plain);
    let query = vector.query();
    let unsealed = query.split("&encrypt_type").next().unwrap();
    for (name, body, is_push) in [
        ("a push", "<xml><a>1</a></xml>", true),
        ("broken", "<xml><a>1</xml>", true),
        ("no XML", "hello", false),
        ("empty", "", false),
        ("HTML", "<html></html>", false),
        ("DOCTYPE", "<!DOCTYPE xml><xml></xml>", false),
    ] {
        let verified = Sealed::parse(unsealed).unwrap().verify(&plain).unwrap();
        let opened = verified.open(&plain, Bytes::from_static(body.as_bytes()));
        assert_eq!(opened.is_ok(), is_push, "{name}");
    }
}

#[test]
fn every_document_of_the_platform_is_read_whole() {
    let account = AppId::parse("wx0123456789abcdef").unwrap();
    let mut keys = BTreeMap::new();
    let mut summary = String::new();
    for entry in std::fs::read_dir(fixture("push")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let body = Bytes::from(std::fs::read(&path).unwrap());
        let push = Push::parse(&account, &body).unwrap_or_else(|error| panic!("{name}: {error}"));
        let head = Head::read(&account, &body);
        assert_eq!(head.kind, push.kind(), "{name}");
        assert_eq!(&head.user, push.from(), "{name}");
        assert_eq!(head.dedupe_key, push.dedupe_key(), "{name}");
        let expected = match name.split('_').next() {
            Some("msg") => Kind::Message,
            Some("event") => Kind::Event,
            _ => Kind::Notice,
        };
        assert_eq!(push.kind(), expected, "{name}");
        assert!(
            push.event().is_some() || expected == Kind::Message,
            "{name}"
        );
        if let Some(other) = keys.insert(push.dedupe_key(), name.clone()) {
            panic!("{name} and {other} have the same key");
        }
        summary += &name;
    }
    assert!(keys.len() >= 94, "only {} documents", keys.len());
    assert!(summary.contains("event_unknown_event"));
}

/// Seals anything as the platform would, and sends it through the endpoint's own functions.
fn read_sealed(inner: &[u8]) -> Head {
    let all = vectors().own;
    let mut vector = all.into_iter().next().expect("a vector");
    vector.encrypt = envelope::seal(&vector.key(), &vector.receive_id, [7; 16], inner);
    let parts = [
        &vector.token,
        &vector.timestamp,
        &vector.nonce,
        &vector.encrypt,
    ];
    vector.msg_signature = signature::sign(&parts.map(|part| part.as_bytes())).to_string();
    let credentials = vector.usual(Mode::Secure);
    let opened = vector.open(&credentials, vector.secure_body());
    let opened = opened.expect("opened");
    assert_eq!(opened.body(), inner);
    let head = opened.read();
    let push = Push::parse(credentials.app_id(), opened.body());
    assert_eq!(
        push.map_err(|error| error.to_string())
            .map(|push| (push.kind(), push.dedupe_key())),
        match head.malformed.clone() {
            Some(reason) => Err(reason),
            None => Ok((head.kind, head.dedupe_key)),
        }
    );
    head
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_sealed_with_the_right_key_panics(noise in any::<Vec<u8>>()) {
        read_sealed(&noise);
        read_sealed(&[b"<xml>", &noise[..], b"</xml>"].concat());
    }

    #[test]
    fn whatever_a_user_writes_the_sender_and_the_id_stay(written in r"([a-z]|\PC|]]>|<!\[CDATA\[|</?(Content|MsgId|FromUserName|xml)>|[\x00-\x1f]){0,24}") {
        let inner = format!(
            "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[o1]]></FromUserName>\
             <CreateTime>1</CreateTime><MsgType><![CDATA[text]]></MsgType>\
             <Content><![CDATA[{written}]]></Content><MsgId>7</MsgId></xml>"
        );
        let head = read_sealed(inner.as_bytes());
        prop_assert_eq!(head.malformed, None);
        prop_assert_eq!(head.user.as_str(), "o1");
        let harmless = inner.replace(&format!("[{written}]"), "[harmless]");
        prop_assert_eq!(head.dedupe_key, read_sealed(harmless.as_bytes()).dedupe_key);
    }
}
