//! What WeChat's own test accounts ask a third-party platform before it is published (全网发布检测), and
//! the answers that need no token. Their `QUERY_AUTH_CODE:…` needs a call in the component's name, which
//! wxhook does not make; it is acknowledged like any other text.
//!
//! Source: the official page "全网发布接入检测说明", read 2026-11.

use super::passive::seal;
use crate::clock::Timestamp;
use crate::protocol::message::{Message, PassiveReply, Text};
use crate::protocol::push::{Kind, Push};
use crate::protocol::{Credentials, Opened};

/// The test accounts, by the `ToUserName` of what is sent to them: five official accounts, five mini programs.
const TEST_ACCOUNTS: [&str; 10] = [
    "gh_3c884a361561",
    "gh_c0f28a78b318",
    "gh_3f222ed8d140",
    "gh_26128078e9ab",
    "gh_2b3713f184a6",
    "gh_8dad206e9538",
    "gh_905ae9d01059",
    "gh_7818dcb60240",
    "gh_393666f1fdf4",
    "gh_39abb5d4e1b7",
];

/// The text that is asked.
const TEXT: &str = "TESTCOMPONENT_MSG_TYPE_TEXT";

/// The body that answers a push of the check, sealed as that push was, if it is one that has an answer.
pub(super) fn answer(opened: &Opened, credentials: &Credentials, now: Timestamp) -> Option<String> {
    let push = Push::parse(credentials.app_id(), opened.body()).ok()?;
    let reply = reply_to(&push, now)?;
    let body = seal(opened, &reply, credentials, now)?;
    tracing::info!(component = %credentials.app_id(), "WeChat's check before the publication was answered.");
    Some(body)
}

fn reply_to(push: &Push, now: Timestamp) -> Option<PassiveReply> {
    if !TEST_ACCOUNTS.contains(&push.to()) {
        return None;
    }
    let text = match push.kind() {
        Kind::Message if push.fields().get("Content") == Some(TEXT) => format!("{TEXT}_callback"),
        // Older editions of the check send an event, without a separator in what they await.
        Kind::Event => format!("{}from_callback", push.event()?),
        _ => return None,
    };
    Message::new(Text::new(text)).to_passive(push, now).ok()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::id::AppId;

    fn answered(to: &str, rest: &str) -> Option<String> {
        let document = format!(
            "<xml><ToUserName>{to}</ToUserName><FromUserName>oTester</FromUserName>\
             <CreateTime>1</CreateTime>{rest}</xml>"
        );
        let account = AppId::parse("wx0123456789abcdef").unwrap();
        let push = Push::parse(&account, &Bytes::from(document)).unwrap();
        let reply = reply_to(&push, Timestamp::from_seconds(2))?;
        Some(reply.document().to_owned())
    }

    #[test]
    fn the_texts_and_events_of_the_check_are_answered_and_nothing_else() {
        let text = |content: &str| {
            format!("<MsgType>text</MsgType><Content>{content}</Content><MsgId>1</MsgId>")
        };
        let event = "<MsgType>event</MsgType><Event>LOCATION</Event>";
        let (test, other) = ("gh_3c884a361561", "gh_5f2c9a7d10be");
        for (name, to, rest, expected) in [
            (
                "the text",
                test,
                text(TEXT),
                Some("TESTCOMPONENT_MSG_TYPE_TEXT_callback"),
            ),
            (
                "an event",
                test,
                event.to_owned(),
                Some("LOCATIONfrom_callback"),
            ),
            ("another text", test, text("你好"), None),
            ("a code", test, text("QUERY_AUTH_CODE:abc"), None),
            ("another account", other, text(TEXT), None),
            ("another account's event", other, event.to_owned(), None),
        ] {
            let document = answered(to, &rest);
            let content = document.as_ref().map(|document| {
                assert!(
                    document.contains(&format!("<FromUserName><![CDATA[{to}]]>")),
                    "{document}"
                );
                let (_, rest) = document.split_once("<Content><![CDATA[").unwrap();
                rest.split_once("]]>").unwrap().0
            });
            assert_eq!(content, expected, "{name}");
        }
    }
}
