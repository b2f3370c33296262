//! Every mode of the configuration with everything that a request may claim: how its body is encrypted, whether
//! there is a ciphertext, and whether that is signed.

use wxhook::http::Settings;
use wxhook::metric::Check;
use wxhook::protocol::Mode;
use wxhook::simulator::seal;

use super::stage::{By, Played, Row, ciphertext, fresh_nonce, play_all, push, text_message};
use crate::webhook::{NOW, TOKEN, open_door, signed_at};

/// What must become of a request.
type Fate = (u16, By);

const STORED: Fate = (200, By::Taken);
const UNCLEAR: Fate = (400, By::Check(Check::Query));
const NOT_SEALED: Fate = (400, By::Check(Check::Outer));
const DOWNGRADE: Fate = (403, By::Check(Check::Downgrade));
const UNEXPECTED: Fate = (403, By::Check(Check::Unexpected));

/// What the query says of the encryption, whether the body has an `Encrypt`, whether the query has a right
/// `msg_signature`; then what becomes of it where pushes are plain, and where they are encrypted (secure and
/// compatible alike).
#[rustfmt::skip]
const CELLS: [(Option<&str>, bool, bool, Fate, Fate); 16] = [
    (None,          false, false, STORED,     DOWNGRADE),
    (None,          false, true,  STORED,     DOWNGRADE),
    (None,          true,  false, STORED,     DOWNGRADE),
    (None,          true,  true,  STORED,     DOWNGRADE),
    (Some("raw"),   false, false, STORED,     DOWNGRADE),
    (Some("raw"),   false, true,  STORED,     DOWNGRADE),
    (Some("raw"),   true,  false, STORED,     DOWNGRADE),
    (Some("raw"),   true,  true,  STORED,     DOWNGRADE),
    (Some("aes"),   false, false, UNCLEAR,    UNCLEAR),
    (Some("aes"),   false, true,  UNEXPECTED, NOT_SEALED),
    (Some("aes"),   true,  false, UNCLEAR,    UNCLEAR),
    (Some("aes"),   true,  true,  UNEXPECTED, STORED),
    (Some("rot13"), false, false, UNCLEAR,    UNCLEAR),
    (Some("rot13"), false, true,  UNCLEAR,    UNCLEAR),
    (Some("rot13"), true,  false, UNCLEAR,    UNCLEAR),
    (Some("rot13"), true,  true,  UNCLEAR,    UNCLEAR),
];

/// The text of what stands beside the ciphertext, which nobody has signed.
const DECORATION: &str = "decoration";

fn rows(mode: Mode) -> Vec<Row> {
    let row = |(encrypt_type, has_encrypt, has_signature, plain, encrypted)| {
        let encrypt = ciphertext(&text_message());
        let nonce = fresh_nonce();
        let mut query = signed_at(NOW, &nonce, TOKEN);
        if let Some(encrypt_type) = encrypt_type {
            query += &format!("&encrypt_type={encrypt_type}");
        }
        if has_signature {
            let signature = seal::sign(&[TOKEN, &NOW.to_string(), &nonce, &encrypt]);
            query += &format!("&msg_signature={signature}");
        }
        let mut body = text_message().replace("你好", DECORATION);
        if has_encrypt {
            let sealed = format!("<Encrypt><![CDATA[{encrypt}]]></Encrypt></xml>");
            body = body.replace("</xml>", &sealed);
        }
        let (status, by) = match mode {
            Mode::Plain => plain,
            Mode::Compatible | Mode::Secure => encrypted,
        };
        let name =
            format!("{encrypt_type:?}, Encrypt {has_encrypt}, msg_signature {has_signature}");
        Row::new(&name, push(&query, &body), status, by)
    };
    CELLS.into_iter().map(row).collect()
}

#[test]
fn every_mode_meets_every_claim_of_encryption_with_the_check_that_is_there_for_it() {
    let mut played = Played::default();
    for (mode, decorated) in [(Mode::Plain, 8), (Mode::Compatible, 0), (Mode::Secure, 0)] {
        let door = open_door(mode, Settings::default());
        play_all(&door, mode, "", &rows(mode), &mut played);
        let says_decoration = |body: &[u8]| String::from_utf8_lossy(body).contains(DECORATION);
        let stored = door.stored();
        let stored = stored.iter().filter(|push| says_decoration(&push.body));
        assert_eq!(stored.count(), decorated, "{mode:?}");
    }
    let wrong = played.wrong.join("\n");
    assert!(wrong.is_empty(), "{wrong}");
    assert_eq!(played.rows, 48);
}
