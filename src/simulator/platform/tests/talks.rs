//! Typing, and short keys.

use serde_json::json;

use super::kit::Desk;
use super::*;

#[test]
fn typing_is_shown_while_one_is_talking_and_ends_by_itself_or_by_a_message() {
    let mut desk = Desk::with_followers(&["oA", "oB"]);
    let path = "/cgi-bin/message/custom/typing";
    let typing = |desk: &mut Desk, second: i64, open_id: &str, command: &str| {
        desk.second = second;
        desk.code(path, json!({ "touser": open_id, "command": command }))
    };
    assert_eq!(typing(&mut desk, 0, "oA", "Typing"), 45080);
    desk.platform
        .user_acted(at(0), &OpenId::new("oA"), Scene::Message);
    for (name, second, open_id, command, expected) in [
        ("within 30 seconds", 14, "oA", "Typing", 0),
        ("still shown", 28, "oA", "Typing", 45081),
        ("not shown any more", 29, "oA", "Typing", 0),
        ("cancelled", 30, "oA", "CancelTyping", 0),
        ("once more", 30, "oA", "Typing", 0),
        ("too late", 31, "oA", "Typing", 45080),
        ("another user", 1, "oB", "Typing", 45080),
        ("nobody", 1, "oX", "Typing", 40003),
        ("another command", 1, "oA", "Laugh", 45072),
    ] {
        assert_eq!(
            typing(&mut desk, second, open_id, command),
            expected,
            "{name}"
        );
    }
    let message: Value = serde_json::from_str(&text("oA", "hi")).unwrap();
    desk.second = 40;
    assert_eq!(
        desk.code("/cgi-bin/message/custom/send", message.clone()),
        0
    );
    assert_eq!(typing(&mut desk, 41, "oA", "Typing"), 0);
    assert_eq!(desk.code("/cgi-bin/message/custom/send", message), 0);
    assert_eq!(
        typing(&mut desk, 41, "oA", "Typing"),
        0,
        "a message ends it"
    );
}

#[test]
fn a_short_key_stands_for_a_long_text_until_it_ends() {
    let mut desk = Desk::open();
    let path = "/cgi-bin/shorten/gen";
    for (request, expected) in [
        (json!({ "long_data": "a".repeat(4097) }), 9_410_010),
        (
            json!({ "long_data": "a", "expire_seconds": 2_592_001 }),
            9_410_011,
        ),
        (json!({ "long_data": "" }), 47003),
    ] {
        assert_eq!(desk.code(path, request), expected);
    }
    let long = "长".repeat(1365);
    let made = desk.post(path, json!({ "long_data": long, "expire_seconds": 60 }));
    let key = made["short_key"].as_str().unwrap();
    assert!(
        key.len() == 15 && key.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        "{key}"
    );
    desk.second = 59;
    let fetch = "/cgi-bin/shorten/fetch";
    let told = desk.post(fetch, json!({ "short_key": key }));
    assert_eq!(
        (&told["long_data"], &told["expire_seconds"]),
        (&json!(long), &json!(1))
    );
    desk.second = 60;
    assert_eq!(desk.code(fetch, json!({ "short_key": key })), 9_410_012);
}

#[test]
fn a_long_address_with_a_token_in_it_is_answered_as_if_the_callers_token_were_bad() {
    let mut desk = Desk::open();
    let path = "/cgi-bin/shorturl";
    let order = |url: &str| json!({ "action": "long2short", "long_url": url });
    assert_eq!(
        desk.code(path, order("https://e.com/?access_token=1")),
        40001
    );
    assert_eq!(
        desk.code(path, json!({ "action": "x", "long_url": "u" })),
        40002
    );
    let short = desk.post(path, order("https://e.com/"));
    assert!(
        short["short_url"]
            .as_str()
            .unwrap()
            .starts_with("https://w.url.cn/s/")
    );
}
