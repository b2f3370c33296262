//! What is rightly signed and does not open: by who knows the token and not the key, or sends for another.

use aes::Aes256;
use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockModeEncrypt as _, KeyIvInit as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use wxhook::metric::Check;
use wxhook::protocol::Mode;
use wxhook::simulator::seal;

use super::stage::{Row, ciphertext, push, sealed_as, text_message};
use crate::webhook::{APP_ID, KEY};

/// Encrypts these bytes as they are: whole blocks of 16.
fn encrypted(plain: &[u8]) -> Vec<u8> {
    let key = seal::decode_key(KEY).unwrap();
    let vector: &[u8; 16] = key.expose().first_chunk().unwrap();
    let mut buffer = plain.to_vec();
    let length = buffer.len();
    cbc::Encryptor::<Aes256>::new(key.expose().into(), vector.into())
        .encrypt_padded::<NoPadding>(&mut buffer, length)
        .unwrap()
        .to_vec()
}

/// Random, length, document, receive id and padding, each as it is told.
fn envelope(
    length: u32,
    document: &str,
    receive_id: &str,
    padding: impl Fn(usize) -> Vec<u8>,
) -> String {
    let mut plain = vec![7; 16];
    plain.extend(length.to_be_bytes());
    plain.extend(document.as_bytes());
    plain.extend(receive_id.as_bytes());
    let missing = 32 - plain.len() % 32;
    plain.extend(padding(missing));
    STANDARD.encode(encrypted(&plain))
}

fn right_padding(missing: usize) -> Vec<u8> {
    vec![missing as u8; missing]
}

pub(super) fn rows(mode: Mode) -> Vec<Row> {
    let document = text_message();
    let length = u32::try_from(document.len()).unwrap();
    let opened = |name: &str, encrypt: String, check| {
        let (query, body) = sealed_as(&encrypt);
        Row::refused(name, push(&query, &body), 403, check)
    };
    let to = |receive_id: &str| envelope(length, &document, receive_id, right_padding);
    let long = |length| envelope(length, &document, APP_ID, right_padding);
    let padded = |padding: &dyn Fn(usize) -> Vec<u8>| envelope(length, &document, APP_ID, padding);
    let ending_in = |last: u8| {
        padded(&move |missing| {
            let mut bytes = right_padding(missing);
            bytes[missing - 1] = last;
            bytes
        })
    };
    let right = STANDARD.decode(ciphertext(&document)).unwrap();
    let other_key = seal::decode_key(&KEY.replace('a', "z")).unwrap();
    let mut rows = vec![
        opened("no base64", "你好".to_owned(), Check::Base64),
        opened(
            "base64 without padding",
            STANDARD_NO_PAD.encode(&right[..32]),
            Check::Base64,
        ),
        opened(
            "base64 of another alphabet",
            format!("{}-_", URL_SAFE.encode(&right)),
            Check::Base64,
        ),
        opened(
            "base64 with blanks inside",
            format!("{}\n{}", &to(APP_ID)[..40], &to(APP_ID)[40..]),
            Check::Base64,
        ),
        opened("16 bytes", STANDARD.encode(&right[..16]), Check::Length),
        opened("17 bytes", STANDARD.encode(&right[..17]), Check::Length),
        opened(
            "half a block too few",
            STANDARD.encode(&right[..right.len() - 16]),
            Check::Length,
        ),
        opened(
            "a byte too many",
            STANDARD.encode([&right[..], &[0]].concat()),
            Check::Length,
        ),
        opened(
            "another key",
            seal::seal(&other_key, APP_ID, [7; 16], document.as_bytes()),
            Check::Padding,
        ),
        opened("noise", STANDARD.encode([9; 64]), Check::Padding),
        opened(
            "the last block flipped",
            {
                let mut bytes = right.clone();
                *bytes.last_mut().unwrap() ^= 1;
                STANDARD.encode(bytes)
            },
            Check::Padding,
        ),
        opened("padding of 0", ending_in(0), Check::Padding),
        opened("padding of 33", ending_in(33), Check::Padding),
        opened("padding of 255", ending_in(255), Check::Padding),
        opened(
            "padding of unequal bytes",
            padded(&|missing| {
                assert!(missing > 1, "no room for two different bytes");
                let mut bytes = right_padding(missing);
                bytes[0] ^= 1;
                bytes
            }),
            Check::Padding,
        ),
        opened(
            "nothing but padding",
            STANDARD.encode(encrypted(&[32; 32])),
            Check::Length,
        ),
        opened(
            "a length one too long for all",
            long(length + APP_ID.len() as u32 + 1),
            Check::Length,
        ),
        opened("a length of 4 GiB", long(u32::MAX), Check::Length),
        opened("a length of 2 GiB", long(1 << 31), Check::Length),
        opened(
            "a length that takes the receive id in",
            long(length + APP_ID.len() as u32),
            Check::ReceiveId,
        ),
        opened("a length of nothing", long(0), Check::ReceiveId),
        opened("a length one too short", long(length - 1), Check::ReceiveId),
        opened(
            "for another account",
            to("wxfedcba9876543210"),
            Check::ReceiveId,
        ),
        opened("for nobody", to(""), Check::ReceiveId),
        opened("for a shorter name", to(&APP_ID[..17]), Check::ReceiveId),
        opened(
            "for a longer name",
            to(&format!("{APP_ID}0")),
            Check::ReceiveId,
        ),
        opened(
            "for the name with a blank",
            to(&format!("{APP_ID} ")),
            Check::ReceiveId,
        ),
        opened(
            "for the name in capitals",
            to(&APP_ID.to_uppercase()),
            Check::ReceiveId,
        ),
        opened(
            "padded twice",
            envelope(
                length,
                &document,
                &format!("{APP_ID}\u{3}\u{3}\u{3}"),
                right_padding,
            ),
            Check::ReceiveId,
        ),
    ];
    let (query, body) = sealed_as(&ciphertext(&text_message()));
    let outer = |name: &str, body: &str, check| {
        let status = if check == Check::MsgSignature {
            403
        } else {
            400
        };
        Row::refused(name, push(&query, body), status, check)
    };
    rows.extend([
        outer("no body", "", Check::Outer),
        outer("no XML", "{\"Encrypt\":\"x\"}", Check::Outer),
        outer(
            "no Encrypt",
            "<xml><ToUserName>gh_1</ToUserName></xml>",
            Check::Outer,
        ),
        outer(
            "an Encrypt in other letters",
            &body.replace("Encrypt", "encrypt"),
            Check::Outer,
        ),
        outer("another root", &body.replace("xml>", "html>"), Check::Outer),
        outer(
            "an empty Encrypt",
            "<xml><Encrypt></Encrypt></xml>",
            Check::MsgSignature,
        ),
        outer(
            "the plaintext in its place",
            &text_message().replace("Content", "Encrypt"),
            Check::MsgSignature,
        ),
        outer(
            "a document type",
            &format!("<!DOCTYPE x>{body}"),
            Check::Outer,
        ),
        outer(
            "an entity for the ciphertext",
            &format!("<!DOCTYPE x [<!ENTITY e \"a\">]>{body}"),
            Check::Outer,
        ),
    ]);
    if mode == Mode::Secure {
        let twice = body.replace("</xml>", "<Encrypt>x</Encrypt></xml>");
        rows.push(outer("two of them", &twice, Check::Outer));
    }
    rows
}
