//! What somebody has seen on the wire, and sends again.

use wxhook::metric::Check;
use wxhook::protocol::Mode;

use super::stage::{
    By, Row, ciphertext, fresh_nonce, push, request, right, sealed_as, signed, text_message,
};
use crate::support::raw;
use crate::webhook::Door;

/// Sends what the platform would, and builds the replays of it.
pub(super) fn rows(door: &Door, mode: Mode) -> Vec<Row> {
    let (query, body) = right(mode, &text_message());
    let first = raw(door.address, push(&query, &body));
    assert_eq!((first.status, first.body.as_str()), (200, "success"));
    let repeat = |name: &str, target: &str| {
        Row::new(name, request("POST", target, "", &body), 200, By::Repeat)
    };
    let reversed = query.split('&').rev().collect::<Vec<_>>().join("&");
    let mut rows = vec![
        repeat("the same again", &format!("/wechat?{query}")),
        repeat(
            "the same at another path",
            &format!("/wechat/default?{query}"),
        ),
        repeat(
            "the same for another openid",
            &format!("/wechat?{query}&openid=victim"),
        ),
        repeat("the same in another order", &format!("/wechat?{reversed}")),
        repeat("the same with more", &format!("/wechat?{query}&x=y")),
    ];
    if mode == Mode::Plain {
        rows.push(Row::new(
            "the same with another signature",
            push(&signed(), &body),
            200,
            By::Repeat,
        ));
        let (check, other) = (Check::Replay, text_message());
        let replayed = |name: &str, target: String, body: &str| {
            Row::refused(name, request("POST", &target, "", body), 403, check)
        };
        let nonce = query.rsplit_once('=').unwrap().1;
        let escaped = query.replace(
            nonce,
            &format!("%{:02x}{}", nonce.as_bytes()[0], &nonce[1..]),
        );
        rows.extend([
            replayed("around another body", format!("/wechat?{query}"), &other),
            replayed(
                "around another body, at another path",
                format!("/wechat/default?{query}"),
                &other,
            ),
            replayed(
                "around another body, with a slash",
                format!("/wechat/?{query}"),
                &other,
            ),
            replayed(
                "around another body, in another order",
                format!("/wechat?{reversed}"),
                &other,
            ),
            replayed(
                "around another body, escaped",
                format!("/wechat?{escaped}"),
                &other,
            ),
            replayed(
                "around another body, for another openid",
                format!("/wechat?{query}&openid=victim"),
                &other,
            ),
            replayed(
                "around the same with a blank",
                format!("/wechat?{query}"),
                &format!("{body} "),
            ),
            replayed(
                "around a document that is malformed",
                format!("/wechat?{query}"),
                "<xml></xml>",
            ),
        ]);
        rows.extend(of_a_verification(door));
        return rows;
    }
    let (_, stolen) = sealed_as(&ciphertext(&text_message()));
    let reverified = query.replace("encrypt_type=aes", "encrypt_type=raw");
    rows.extend([
        Row::refused(
            "around another ciphertext",
            push(&query, &stolen),
            403,
            Check::MsgSignature,
        ),
        Row::refused(
            "around a plaintext",
            push(&query, &text_message()),
            400,
            Check::Outer,
        ),
        Row::refused(
            "said to be plain",
            push(&reverified, &text_message()),
            403,
            Check::Downgrade,
        ),
        Row::refused(
            "with a nonce of its own",
            push(&query.replace("nonce=", "nonce=9"), &body),
            403,
            Check::Signature,
        ),
    ]);
    rows.extend(of_a_verification(door));
    rows
}

/// The console's check of the URL is signed like a push.
fn of_a_verification(door: &Door) -> Vec<Row> {
    let query = signed();
    let echo = fresh_nonce();
    let target = format!("/wechat?{query}&echostr={echo}");
    let first = raw(door.address, request("GET", &target, "", ""));
    assert_eq!((first.status, first.body), (200, echo));
    let check = if door.is_plain() {
        Check::Replay
    } else {
        Check::Downgrade
    };
    vec![
        Row::refused(
            "a verification's signature around a push",
            push(&query, &text_message()),
            403,
            check,
        ),
        Row::refused(
            "a verification turned into a push",
            request("POST", &target, "", &text_message()),
            403,
            check,
        ),
    ]
}
