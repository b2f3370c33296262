//! What a user does, written as WeChat writes it.

use crate::clock::Timestamp;

/// The account's own name in pushes (`ToUserName`).
const ORIGINAL_ID: &str = "gh_testing";

/// The document of a push, without what makes it a message or an event.
pub(super) fn document(user: &str, now: Timestamp, inner: &str) -> String {
    format!(
        "<xml>{}{}<CreateTime>{}</CreateTime>{inner}</xml>",
        element("ToUserName", ORIGINAL_ID),
        element("FromUserName", user),
        now.seconds()
    )
}

/// A message's elements; `id` is one that no other message has.
pub(super) fn message(kind: &str, elements: &str, id: u64) -> String {
    format!("{}{elements}<MsgId>{id}</MsgId>", element("MsgType", kind))
}

/// An event's elements.
pub(super) fn event(name: &str, elements: &str) -> String {
    format!(
        "{}{}{elements}",
        element("MsgType", "event"),
        element("Event", name)
    )
}

/// One element with a text. WeChat writes texts as CDATA; the one that CDATA cannot hold is split in two.
pub(super) fn element(name: &str, text: &str) -> String {
    let text = text.replace("]]>", "]]]]><![CDATA[>");
    format!("<{name}><![CDATA[{text}]]></{name}>")
}
