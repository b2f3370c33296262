//! A message as an operator writes it: the JSON of the platform, told apart by its members.

use serde_json::{Value, json};

use crate::api::RawCall;

/// Bytes of the longest message.
pub(super) const MAX_BYTES: u64 = 64 * 1024;

/// Bytes of the longest text. Source: the official page "发送客服消息", read 2026-11.
const MAX_TEXT_BYTES: usize = 2048;

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A customer message (客服消息).
    Custom,
    /// A template message (模板消息).
    Template,
    /// A subscribe notice (订阅通知).
    Subscribe,
}

impl Kind {
    fn path(self) -> &'static str {
        match self {
            Self::Custom => "/cgi-bin/message/custom/send",
            Self::Template => "/cgi-bin/message/template/send",
            Self::Subscribe => "/cgi-bin/message/subscribe/bizsend",
        }
    }
}

/// A message that can be sent.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Message {
    pub(super) kind: Kind,
    /// The user's OpenID.
    pub(super) to: String,
    body: Value,
}

impl Message {
    /// Looks at what the platform could only refuse.
    pub(super) fn parse(body: Value, subscribe: bool) -> Result<Self, String> {
        let Value::Object(members) = &body else {
            return Err("is no JSON object".to_owned());
        };
        let to = match members.get("touser") {
            Some(Value::String(to)) if !to.is_empty() => to.clone(),
            Some(Value::Array(_)) => {
                return Err("touser is a list: that is a mass message; see `wxhook api`".to_owned());
            }
            _ => return Err("touser is missing: the OpenID of who gets it".to_owned()),
        };
        let kind = match (members.get("msgtype"), members.get("template_id")) {
            (Some(Value::String(kind)), None) => {
                if members.get(kind).is_none_or(|branch| !branch.is_object()) {
                    return Err(format!("msgtype is {kind:?}, and {kind:?} is missing"));
                }
                Kind::Custom
            }
            (None, Some(Value::String(_))) => {
                if !members.get("data").is_some_and(Value::is_object) {
                    return Err("data is missing: the values of the template".to_owned());
                }
                match subscribe {
                    true => Kind::Subscribe,
                    false => Kind::Template,
                }
            }
            _ => {
                let wanted =
                    "either msgtype (a customer message) or template_id is needed, as text";
                return Err(wanted.to_owned());
            }
        };
        let length = body["text"]["content"].as_str().map_or(0, str::len);
        if kind == Kind::Custom && length > MAX_TEXT_BYTES {
            return Err(format!(
                "text.content has {length} bytes; 2048 are allowed, and a Chinese character has 3"
            ));
        }
        Ok(Self { kind, to, body })
    }

    /// The call that sends it.
    pub(super) fn call(&self) -> RawCall {
        RawCall::post(self.kind.path(), self.body.clone())
    }

    /// Gives a message an id of its own, where the platform knows one and it has none yet: one that
    /// comes again is then delivered once.
    pub(super) fn with_id(mut self, id: &str) -> Self {
        if self.kind != Kind::Custom
            && let Value::Object(members) = &mut self.body
        {
            members.entry("client_msg_id").or_insert_with(|| json!(id));
        }
        self
    }

    /// Whether the platform delivers it once, though it comes twice within ten minutes. Of subscribe
    /// notices it takes the id too, and does not say so.
    ///
    /// Source: the official page "发送模板消息", read 2026-11.
    pub(super) fn may_come_again(&self) -> bool {
        self.kind == Kind::Template
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_told_apart_by_their_members_and_checked() {
        let text = |length| json!({ "touser": "o", "msgtype": "text", "text": { "content": "a".repeat(length) } });
        let template = json!({ "touser": "o", "template_id": "T", "data": {} });
        for (name, body, subscribe, expected) in [
            ("a text", text(2048), false, Ok(Kind::Custom)),
            ("a template", template.clone(), false, Ok(Kind::Template)),
            ("a notice", template.clone(), true, Ok(Kind::Subscribe)),
            ("a long text", text(2049), false, Err("2049 bytes")),
            ("a list", json!([]), false, Err("no JSON object")),
            (
                "nobody",
                json!({ "msgtype": "text" }),
                false,
                Err("touser is missing"),
            ),
            (
                "many",
                json!({ "touser": ["a"] }),
                false,
                Err("a mass message"),
            ),
            (
                "no branch",
                json!({ "touser": "o", "msgtype": "image" }),
                false,
                Err("\"image\" is missing"),
            ),
            (
                "no data",
                json!({ "touser": "o", "template_id": "T" }),
                false,
                Err("data is missing"),
            ),
            (
                "neither",
                json!({ "touser": "o" }),
                false,
                Err("either msgtype"),
            ),
        ] {
            match (Message::parse(body, subscribe), expected) {
                (Ok(message), Ok(kind)) => assert_eq!(message.kind, kind, "{name}"),
                (Err(error), Err(part)) => assert!(error.contains(part), "{name}: {error}"),
                (found, _) => panic!("{name}: {found:?}"),
            }
        }
        let message = Message::parse(template, false).unwrap().with_id("a-1");
        assert_eq!(message.body["client_msg_id"], "a-1");
        assert_eq!(message.clone().with_id("a-2"), message);
        let custom = Message::parse(text(1), false).unwrap();
        assert_eq!(custom.clone().with_id("a-1"), custom);
    }
}
