use proptest::prelude::*;

use super::*;
use crate::id::AppId;
use crate::protocol::credentials::Rotating;
use crate::secret::{AesKey, PushToken};

const BASE: &str = "signature=s&timestamp=1718000000&nonce=n";

fn credentials(mode: Mode) -> Credentials {
    let token = Rotating {
        current: PushToken::new("n3w"),
        previous: Some(PushToken::new("0ld")),
    };
    let key = mode
        .is_encrypted()
        .then(|| Rotating::only(AesKey::new([7; 32])));
    Credentials::new(AppId::parse("wx1").unwrap(), mode, token, key).unwrap()
}

fn signed(token: &str, more: &str) -> String {
    let signature = signature::sign(&[token.as_bytes(), b"1718000000", b"n"]);
    format!("signature={signature}&timestamp=1718000000&nonce=n{more}")
}

#[test]
fn each_fault_of_a_query_has_its_name() {
    let long = "x".repeat(MAX_VALUE_BYTES + 1);
    let escaped = "%41".repeat(MAX_VALUE_BYTES + 1);
    for (query, error) in [
        (String::new(), QueryError::Missing { name: "timestamp" }),
        (
            "timestamp=1&nonce=n".into(),
            QueryError::Missing { name: "signature" },
        ),
        (
            "timestamp=1&signature=s".into(),
            QueryError::Missing { name: "nonce" },
        ),
        (
            "timestamp=1&signature=&nonce=n".into(),
            QueryError::Missing { name: "signature" },
        ),
        (
            format!("{BASE}&encrypt_type=aes"),
            QueryError::Missing {
                name: "msg_signature",
            },
        ),
        (
            format!("{BASE}&nonce=n"),
            QueryError::Doubled { name: "nonce" },
        ),
        (
            format!("{BASE}&openid=a&openid=b"),
            QueryError::Doubled { name: "openid" },
        ),
        (
            format!("{BASE}&openid={long}"),
            QueryError::Oversized { name: "openid" },
        ),
        (
            format!("{BASE}&echostr={escaped}"),
            QueryError::Oversized { name: "echostr" },
        ),
        (
            format!("{BASE}&openid=%4"),
            QueryError::Encoding { name: "openid" },
        ),
        (
            format!("{BASE}&openid=%zz"),
            QueryError::Encoding { name: "openid" },
        ),
        (
            format!("{BASE}&openid=%ff"),
            QueryError::Encoding { name: "openid" },
        ),
        (
            "signature=s&timestamp=-1&nonce=n".into(),
            QueryError::Timestamp,
        ),
        (
            "signature=s&timestamp=1e9&nonce=n".into(),
            QueryError::Timestamp,
        ),
        (
            "signature=s&timestamp=1234567890123&nonce=n".into(),
            QueryError::Timestamp,
        ),
        (format!("{BASE}&encrypt_type=des"), QueryError::EncryptType),
        (format!("{BASE}&encrypt_type="), QueryError::EncryptType),
    ] {
        assert_eq!(Sealed::parse(&query).err(), Some(error), "{query}");
    }
}

#[test]
fn order_and_foreign_parameters_do_not_matter_and_values_are_decoded_once() {
    let query = "tenant=7&nonce=a%2541+b&&x&timestamp=0017&openid=o1&tenant=8&signature=%73";
    let sealed = Sealed::parse(query).unwrap();
    assert_eq!(sealed.nonce(), "a%41 b");
    assert_eq!(sealed.timestamp_seconds(), 17);
    assert_eq!(sealed.openid(), Some("o1"));
    assert_eq!(sealed.query.timestamp, "0017");
    assert_eq!(sealed.query.signature, "s");
}

#[test]
fn a_request_is_verified_only_by_a_token_and_in_the_configured_mode() {
    let aes = "&encrypt_type=aes&msg_signature=m";
    let downgrade = |configured| Some(Refusal::Downgrade { configured });
    for (name, mode, query, refusal) in [
        ("plain", Mode::Plain, signed("n3w", ""), None),
        ("raw", Mode::Plain, signed("n3w", "&encrypt_type=raw"), None),
        ("previous token", Mode::Plain, signed("0ld", ""), None),
        (
            "stranger",
            Mode::Plain,
            signed("x", ""),
            Some(Refusal::Signature),
        ),
        (
            "aes to plain",
            Mode::Plain,
            signed("n3w", aes),
            Some(Refusal::Unexpected),
        ),
        ("secure", Mode::Secure, signed("n3w", aes), None),
        ("compatible", Mode::Compatible, signed("0ld", aes), None),
        (
            "plain to secure",
            Mode::Secure,
            signed("n3w", ""),
            downgrade(Mode::Secure),
        ),
        (
            "raw with msg_signature",
            Mode::Secure,
            signed("n3w", "&encrypt_type=raw&msg_signature=m"),
            downgrade(Mode::Secure),
        ),
        (
            "plain to compatible",
            Mode::Compatible,
            signed("0ld", ""),
            downgrade(Mode::Compatible),
        ),
        (
            "forged downgrade",
            Mode::Secure,
            signed("x", ""),
            Some(Refusal::Signature),
        ),
        (
            "echo in secure mode",
            Mode::Secure,
            signed("n3w", "&echostr=5"),
            None,
        ),
    ] {
        let verified = Sealed::parse(&query).unwrap().verify(&credentials(mode));
        assert_eq!(verified.err(), refusal, "{name}");
    }
}

#[test]
fn every_single_bit_of_what_is_signed_and_of_its_signature_matters() {
    let (timestamp, nonce) = ("1718000000", "904211378");
    let parts = ["n3w", timestamp, nonce].map(str::as_bytes);
    let signature = signature::sign(&parts).to_string();
    let values = [
        ("signature", signature.as_str()),
        ("timestamp", timestamp),
        ("nonce", nonce),
    ];
    let credentials = credentials(Mode::Plain);
    let is_taken = |name: &str, value: &[u8]| {
        let escaped: String = value.iter().map(|byte| format!("%{byte:02x}")).collect();
        let pairs = values.map(|(other, usual)| match other == name {
            true => format!("{other}={escaped}"),
            false => format!("{other}={usual}"),
        });
        let query = pairs.join("&");
        Sealed::parse(&query).is_ok_and(|sealed| sealed.verify(&credentials).is_ok())
    };
    for (name, value) in values {
        assert!(is_taken(name, value.as_bytes()), "{name} as it was signed");
        for bit in 0..value.len() * 8 {
            let mut changed = value.as_bytes().to_vec();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_taken(name, &changed), "{name}, bit {bit}");
        }
    }
}

#[test]
fn an_echo_comes_back_as_it_was_sent_and_does_not_open_a_plaintext_push() {
    let query = signed("n3w", "&echostr=%3Cb%3E%2B5833258582299191661");
    let credentials = credentials(Mode::Secure);
    let verified = Sealed::parse(&query).unwrap().verify(&credentials).unwrap();
    assert_eq!(verified.echo(), Ok("<b>+5833258582299191661"));
    let opened = verified.open(&credentials, Bytes::from_static(b"<xml></xml>"));
    let downgrade = Refusal::Downgrade {
        configured: Mode::Secure,
    };
    assert_eq!(opened.err(), Some(OpenError::Refused(downgrade)));
}

proptest! {
    #[test]
    fn no_query_panics(query in "[a-z_=&%+0-9é]{0,60}", tail in any::<String>()) {
        drop(Sealed::parse(&query));
        drop(Sealed::parse(&format!("{BASE}&openid={tail}")));
    }
}
