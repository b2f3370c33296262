//! What WeChat makes of an answer, and what the user gets to see.

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;
use serde::Serialize;

use super::Identity;
use super::Mode;
use super::Push;
use super::wire::WireError;
use crate::simulator::platform::MAX_TEXT_BYTES;
use crate::simulator::seal;
use crate::simulator::seal::SealError;

/// What WeChat makes of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// `success`: accepted; the user sees nothing.
    Success,
    /// An empty body: the same.
    Empty,
    /// A valid passive reply.
    Reply(Reply),
    /// Status 200, but neither `success`, nor empty, nor a valid reply.
    Invalid(ReplyFault),
    /// Another HTTP status than 200.
    Status(u16),
    /// No whole answer within five seconds.
    TimedOut,
    /// The connection broke before the whole answer was there.
    Broken,
    /// No connection came about.
    NotConnected,
}

/// A passive reply that WeChat would deliver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reply {
    /// `text`, `image`, …
    pub message_type: String,
    /// What the user reads, of a text.
    pub content: Option<String>,
    /// The reply as it was after opening.
    pub document: String,
    /// Whether it came sealed.
    pub was_sealed: bool,
}

/// Why a body is no valid reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplyFault {
    /// It is no XML document with the root `xml`.
    #[error("the body is neither \"success\", nor empty, nor an <xml> document")]
    NotXml,
    /// Secure mode asks for sealed replies.
    #[error("the reply is not sealed, but the mode is secure")]
    NotSealed,
    /// Plaintext mode knows no sealed replies.
    #[error("the reply is sealed, but the mode is plain")]
    Sealed,
    /// An element is missing, or empty where it must not be.
    #[error("the element {0} is missing or empty")]
    Missing(&'static str),
    /// `MsgSignature` does not sign `TimeStamp`, `Nonce` and `Encrypt`.
    #[error("the MsgSignature is wrong")]
    Signature,
    /// The envelope cannot be opened.
    #[error("the envelope cannot be opened: {0}")]
    Envelope(#[from] SealError),
    /// `ToUserName` and `FromUserName` are not those of the push, exchanged.
    #[error("ToUserName and FromUserName are not those of the push, exchanged")]
    Names,
    /// `CreateTime` is no bare integer.
    #[error("CreateTime is no bare integer")]
    CreateTime,
    /// `MsgType` is none that a passive reply can have.
    #[error("the MsgType is none of a passive reply")]
    MessageType,
    /// `ArticleCount` is not the number of items, or more than what is shown: one in answer to a message,
    /// eight in answer to an event.
    #[error("ArticleCount is not the number of items, or more than would be shown")]
    ArticleCount,
    /// A text of more than 2048 bytes.
    #[error("the text has more than {MAX_TEXT_BYTES} bytes")]
    TooLong,
}

/// What WeChat shows below a message when the server failed. Source: the tip in reports since 2018.
pub const ERROR_TIP: &str = "该公众号提供的服务出现故障，请稍后再试";

impl Verdict {
    /// Whether WeChat is content.
    pub const fn is_good(&self) -> bool {
        matches!(self, Self::Success | Self::Empty | Self::Reply(_))
    }

    /// Whether WeChat sends the push again.
    pub const fn is_repeated(&self) -> bool {
        !self.is_good()
    }

    /// What the user sees in the chat at once because of this answer.
    pub fn user_sees(&self) -> Option<&str> {
        match self {
            Self::Success | Self::Empty => None,
            Self::Reply(reply) => reply.content.as_deref().or(Some(&reply.message_type)),
            _ => Some(ERROR_TIP),
        }
    }

    /// The word by which answers are counted.
    pub const fn class(&self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Empty => "empty",
            Self::Reply(_) => "reply",
            Self::Invalid(_) => "invalid",
            Self::Status(_) => "status",
            Self::TimedOut => "timed_out",
            Self::Broken => "broken",
            Self::NotConnected => "not_connected",
        }
    }

    /// Every word that [`class`](Self::class) returns.
    pub const CLASSES: [&'static str; 8] = [
        "success",
        "empty",
        "reply",
        "invalid",
        "status",
        "timed_out",
        "broken",
        "not_connected",
    ];
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Success => f.write_str("success"),
            Self::Empty => f.write_str("accepted with an empty body"),
            Self::Reply(reply) => write!(f, "a {} reply", reply.message_type),
            Self::Invalid(fault) => write!(f, "invalid: {fault}"),
            Self::Status(status) => write!(f, "refused with HTTP status {status}"),
            Self::TimedOut => f.write_str("no whole answer in time"),
            Self::Broken => f.write_str("the connection broke before the answer was whole"),
            Self::NotConnected => f.write_str("no connection"),
        }
    }
}

impl From<WireError> for Verdict {
    fn from(error: WireError) -> Self {
        match error {
            WireError::NotConnected => Self::NotConnected,
            WireError::TimedOut => Self::TimedOut,
            WireError::Broken => Self::Broken,
        }
    }
}

/// Judges the answer to a push as WeChat does.
pub fn judge(identity: &Identity, push: &Push, status: u16, body: &[u8]) -> Verdict {
    match (status, body) {
        (200, b"success") => Verdict::Success,
        (200, b"") => Verdict::Empty,
        (200, _) => match judge_reply(identity, push, body) {
            Ok(reply) => Verdict::Reply(reply),
            Err(fault) => Verdict::Invalid(fault),
        },
        _ => Verdict::Status(status),
    }
}

fn judge_reply(identity: &Identity, push: &Push, body: &[u8]) -> Result<Reply, ReplyFault> {
    let outer = std::str::from_utf8(body).map_err(|_| ReplyFault::NotXml)?;
    let elements = Elements::read(outer).ok_or(ReplyFault::NotXml)?;
    let is_sealed = elements.text("Encrypt").is_some();
    match identity.mode {
        Mode::Secure if !is_sealed => return Err(ReplyFault::NotSealed),
        Mode::Plain if is_sealed => return Err(ReplyFault::Sealed),
        Mode::Plain | Mode::Compatible | Mode::Secure => {}
    }
    if !is_sealed {
        return judge_document(push, outer, &elements, false);
    }
    let document = open_reply(identity, &elements)?;
    let inner = Elements::read(&document).ok_or(ReplyFault::NotXml)?;
    judge_document(push, &document, &inner, true)
}

fn open_reply(identity: &Identity, elements: &Elements) -> Result<String, ReplyFault> {
    let part = |name| elements.text(name).ok_or(ReplyFault::Missing(name));
    let sealed = part("Encrypt")?;
    let (claimed, timestamp) = (part("MsgSignature")?, part("TimeStamp")?);
    let token = identity.token.expose();
    if claimed != seal::sign(&[token, timestamp, part("Nonce")?, sealed]) {
        return Err(ReplyFault::Signature);
    }
    let key = identity.key.as_ref().ok_or(ReplyFault::Sealed)?;
    let document = seal::open(key, identity.app_id.as_str(), sealed)?;
    String::from_utf8(document).map_err(|_| ReplyFault::NotXml)
}

fn judge_document(
    push: &Push,
    document: &str,
    elements: &Elements,
    was_sealed: bool,
) -> Result<Reply, ReplyFault> {
    let part = |name| elements.text(name).ok_or(ReplyFault::Missing(name));
    if part("ToUserName")? != push.open_id || part("FromUserName")? != push.original_id {
        return Err(ReplyFault::Names);
    }
    if !part("CreateTime")?
        .bytes()
        .all(|byte| byte.is_ascii_digit())
    {
        return Err(ReplyFault::CreateTime);
    }
    let message_type = part("MsgType")?;
    for &name in mandatory(message_type).ok_or(ReplyFault::MessageType)? {
        part(name)?;
    }
    let content = elements.text("Content").filter(|_| message_type == "text");
    if content.is_some_and(|content| content.len() > MAX_TEXT_BYTES) {
        return Err(ReplyFault::TooLong);
    }
    if message_type == "news" {
        judge_articles(push, elements)?;
    }
    Ok(Reply {
        message_type: message_type.to_owned(),
        content: content.map(str::to_owned),
        document: document.to_owned(),
        was_sealed,
    })
}

fn judge_articles(push: &Push, elements: &Elements) -> Result<(), ReplyFault> {
    let is_event = element(&push.document, "MsgType").as_deref() == Some("event");
    let shown = if is_event { 8 } else { 1 };
    let items = elements.count("Articles/item");
    for name in ["Title", "Description", "PicUrl", "Url"] {
        if elements.count(&format!("Articles/item/{name}")) != items {
            return Err(ReplyFault::ArticleCount);
        }
    }
    let claimed = elements.text("ArticleCount").unwrap_or_default();
    match claimed == items.to_string() && items <= shown {
        true => Ok(()),
        false => Err(ReplyFault::ArticleCount),
    }
}

/// What a reply of this type must hold and not leave empty; `None` for types that are no replies.
fn mandatory(message_type: &str) -> Option<&'static [&'static str]> {
    match message_type {
        "text" => Some(&["Content"]),
        "image" => Some(&["Image/MediaId"]),
        "voice" => Some(&["Voice/MediaId"]),
        "video" => Some(&["Video/MediaId"]),
        "music" => Some(&["Music/ThumbMediaId"]),
        "news" => Some(&["ArticleCount", "Articles/item/Title", "Articles/item/Url"]),
        "transfer_customer_service" => Some(&[]),
        _ => None,
    }
}

/// The text of an element right below the root, of any well-formed document.
pub(super) fn element(document: &str, name: &str) -> Option<String> {
    Elements::read(document)?.text(name).map(str::to_owned)
}

/// The texts of a document by their path below the root.
struct Elements(Vec<(String, String)>);

/// Deeper documents are none that WeChat would read.
const MAX_DEPTH: usize = 16;

impl Elements {
    /// `None` when the text is not one well-formed document with the root `xml`.
    fn read(document: &str) -> Option<Self> {
        let mut reader = Reader::from_str(document.trim());
        let mut path: Vec<String> = Vec::new();
        let mut text = String::new();
        let mut elements = Vec::new();
        let mut has_root = false;
        loop {
            match reader.read_event().ok()? {
                Event::Start(start) => {
                    let name = start.name().as_ref().to_owned();
                    let is_second_root = path.is_empty() && (has_root || name != "xml");
                    if is_second_root || path.len() == MAX_DEPTH {
                        return None;
                    }
                    has_root = true;
                    path.push(name);
                    text.clear();
                }
                Event::End(_) => {
                    let name = path.get(1..).unwrap_or_default().join("/");
                    elements.push((name, std::mem::take(&mut text)));
                    path.pop();
                }
                Event::Text(part) => text.push_str(&part.into_inner()),
                Event::CData(part) => text.push_str(&part.into_inner()),
                Event::GeneralRef(reference) => match reference.resolve_char_ref().ok()? {
                    Some(character) => text.push(character),
                    None => text.push_str(resolve_predefined_entity(&reference.into_inner())?),
                },
                Event::DocType(_) => return None,
                Event::Empty(empty) if has_root => {
                    let mut names = path.get(1..).unwrap_or_default().to_vec();
                    names.push(empty.name().as_ref().to_owned());
                    elements.push((names.join("/"), String::new()));
                }
                Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
                Event::Eof => return (has_root && path.is_empty()).then_some(Self(elements)),
            }
        }
    }

    /// How many elements have this path.
    fn count(&self, path: &str) -> usize {
        self.0.iter().filter(|(name, _)| name == path).count()
    }

    /// The text of the first element with this path; `None` when it is missing or empty.
    fn text(&self, path: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(name, _)| name == path)
            .map(|(_, text)| text.as_str())
            .filter(|text| !text.trim().is_empty())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::Timestamp;
    use crate::id::AppId;
    use crate::secret::AesKey;
    use crate::secret::PushToken;
    use crate::simulator::pusher::Gesture;

    fn push(content: String) -> Push {
        let now = Timestamp::from_seconds(1_718_000_001);
        Push::new(Gesture::Text(content), "oUser", "gh_1", now, 1)
    }

    proptest! {
        #[test]
        fn no_answer_makes_the_judge_panic(
            noise in any::<Vec<u8>>(),
            marked_up in r"<xml>(<(Encrypt|Content|a)>|</(Encrypt|Content|a)>|&[a-z#0-9]{0,4};|<!\[CDATA\[|\]\]>|.){0,20}</xml>",
        ) {
            for mode in [Mode::Plain, Mode::Compatible, Mode::Secure] {
                let identity = Identity {
                    url: String::new(),
                    app_id: AppId::parse("wx1").unwrap(),
                    token: PushToken::new("token"),
                    key: Some(AesKey::new([0; 32])),
                    mode,
                    original_id: "gh_1".into(),
                };
                for body in [noise.as_slice(), marked_up.as_bytes()] {
                    let _ = judge(&identity, &push(String::new()), 200, body);
                }
            }
        }

        #[test]
        fn whatever_a_user_writes_stands_in_the_document(content in r".*(\]\]>)?.*[^\s]") {
            let document = push(content.clone()).document;
            prop_assert_eq!(element(&document, "Content"), Some(content));
        }
    }

    #[test]
    fn news_show_as_many_articles_as_they_count_and_no_more_than_wechat_shows() {
        let identity = Identity {
            url: String::new(),
            app_id: AppId::parse("wx1").unwrap(),
            token: PushToken::new("token"),
            key: None,
            mode: Mode::Plain,
            original_id: "gh_1".into(),
        };
        let now = Timestamp::from_seconds(1_718_000_001);
        let event = Push::new(Gesture::Follow, "oUser", "gh_1", now, 1);
        let item =
            "<item><Title>t</Title><Description></Description><PicUrl></PicUrl><Url>u</Url></item>";
        let brief = "<item><Title>t</Title><Description/><PicUrl/><Url>u</Url></item>";
        let lacking = "<item><Title>t</Title><Description></Description><Url>u</Url></item>";
        for (push, count, items, is_good) in [
            (push("a".into()), 1, item.to_owned(), true),
            (push("a".into()), 2, item.repeat(2), false),
            (push("a".into()), 1, item.repeat(2), false),
            (push("a".into()), 1, brief.into(), true),
            (push("a".into()), 1, lacking.into(), false),
            (event.clone(), 8, item.repeat(8), true),
            (event.clone(), 9, item.repeat(9), false),
            (event, 0, String::new(), false),
        ] {
            let body = format!(
                "<xml><ToUserName>oUser</ToUserName><FromUserName>gh_1</FromUserName>\
                 <CreateTime>1</CreateTime><MsgType>news</MsgType><ArticleCount>{count}</ArticleCount>\
                 <Articles>{items}</Articles></xml>"
            );
            let verdict = judge(&identity, &push, 200, body.as_bytes());
            assert_eq!(verdict.is_good(), is_good, "{body}: {verdict}");
        }
    }
}
