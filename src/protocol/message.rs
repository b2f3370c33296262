//! What we say, as the platform's customer-message API (客服消息) wants it.

use serde::Serialize;

use crate::id::OpenId;

/// Bytes of the longest text that the platform takes; beyond it answers 45002.
pub const MAX_TEXT_BYTES: usize = 2048;

/// Why the platform would refuse a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// Nothing is left to say (44004).
    #[error("the text is empty")]
    Empty,
    /// The text is longer than [`MAX_TEXT_BYTES`] (45002).
    #[error("the text has {length} bytes; at most {MAX_TEXT_BYTES} are allowed")]
    TooLong {
        /// Bytes found.
        length: usize,
    },
}

/// Something to say to a user.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message {
    /// A text.
    Text(Text),
}

impl Message {
    /// Whether the platform would take it.
    ///
    /// # Errors
    /// [`MessageError`] says what is wrong.
    pub fn check(&self) -> Result<(), MessageError> {
        match self {
            Self::Text(text) => text.check(),
        }
    }

    /// The exact body of `custom/send`.
    pub fn to_json(&self, to: &OpenId) -> Vec<u8> {
        match self {
            Self::Text(text) => text.to_json(to),
        }
    }
}

impl From<Text> for Message {
    fn from(text: Text) -> Self {
        Self::Text(text)
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::Text(Text::new(text))
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::Text(Text::new(text))
    }
}

/// A text to say. `\n` breaks the line, `<a href="…">` makes a link; nothing else is markup.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Text {
    /// What the user will see.
    pub content: String,
}

impl Text {
    /// Takes the text without its control characters: in JSON they would need escapes, which the platform
    /// refuses or shows. Line feeds stay.
    pub fn new(content: impl Into<String>) -> Self {
        let mut content = content.into();
        content.retain(|c| c >= ' ' || c == '\n');
        Self { content }
    }

    /// Whether the platform would take it.
    ///
    /// # Errors
    /// [`MessageError::Empty`] or [`MessageError::TooLong`].
    pub fn check(&self) -> Result<(), MessageError> {
        match self.content.len() {
            0 => Err(MessageError::Empty),
            1..=MAX_TEXT_BYTES => Ok(()),
            length => Err(MessageError::TooLong { length }),
        }
    }

    /// The exact body of `custom/send`: UTF-8 as it is, for users would see `\u4f60`, and `<`, `>`, `&` as
    /// they are, for links would break.
    pub fn to_json(&self, to: &OpenId) -> Vec<u8> {
        let call = Call {
            touser: to.as_str(),
            msgtype: "text",
            text: Content {
                content: &self.content,
            },
        };
        // Strings always serialise.
        serde_json::to_vec(&call).unwrap_or_default()
    }
}

#[derive(Serialize)]
struct Call<'a> {
    touser: &'a str,
    msgtype: &'a str,
    text: Content<'a>,
}

#[derive(Serialize)]
struct Content<'a> {
    content: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_goes_out_as_the_platform_wants_it() {
        let text = Text::new("您好\r\n\"a\"\u{7}\t<a href=\"https://x.cn/?a=1&b=2\">链接</a>😀");
        assert_eq!(
            String::from_utf8(text.to_json(&OpenId::new("oABC"))).unwrap(),
            r#"{"touser":"oABC","msgtype":"text","text":{"content":"您好\n\"a\"<a href=\"https://x.cn/?a=1&b=2\">链接</a>😀"}}"#
        );
    }

    #[test]
    fn what_the_platform_would_refuse_is_known_before() {
        for (name, content, expected) in [
            ("empty", String::new(), Err(MessageError::Empty)),
            (
                "only control characters",
                "\u{0}\t".into(),
                Err(MessageError::Empty),
            ),
            ("zero is a text", "0".into(), Ok(())),
            ("at the limit", "中".repeat(682) + "ab", Ok(())),
            (
                "one over",
                "中".repeat(683),
                Err(MessageError::TooLong { length: 2049 }),
            ),
        ] {
            assert_eq!(
                Message::from(Text::new(content)).check(),
                expected,
                "{name}"
            );
        }
    }
}
