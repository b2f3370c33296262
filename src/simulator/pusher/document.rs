//! What a push says, written as WeChat writes it.

use crate::clock::Timestamp;
use crate::simulator::platform::Event;
use crate::simulator::platform::Scene;

/// What a user does.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Gesture {
    /// Writes a text.
    Text(String),
    /// Follows the account.
    Follow,
    /// Stops following.
    Unfollow,
    /// Taps a menu item.
    Click {
        /// The item's key.
        key: String,
    },
    /// Another event.
    Event {
        /// Its name, as the platform writes it.
        name: String,
        /// Its `EventKey`, often empty.
        key: String,
    },
    /// Whatever this document says; its own ids and times are left as they are.
    Document(String),
}

/// One push: the same document for its first delivery and its repeats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// The inner document.
    pub document: String,
    /// The user in the query, and in the document unless that was given whole.
    pub open_id: String,
    /// The `ToUserName` of the document.
    pub original_id: String,
    /// What it does to the user's sending windows.
    pub scene: Option<Scene>,
}

impl Push {
    /// Writes the document.
    pub fn new(
        gesture: Gesture,
        open_id: &str,
        original_id: &str,
        now: Timestamp,
        message_id: u64,
    ) -> Self {
        let scene = gesture.scene();
        let body = match gesture {
            Gesture::Document(document) => return Self::given(document, open_id, original_id),
            Gesture::Text(content) => {
                let content = cdata(&content);
                format!(
                    "<MsgType><![CDATA[text]]></MsgType>\n<Content>{content}</Content>\n<MsgId>{message_id}</MsgId>\n"
                )
            }
            Gesture::Follow => event("subscribe", ""),
            Gesture::Unfollow => event("unsubscribe", ""),
            Gesture::Click { key } => event("CLICK", &key),
            Gesture::Event { name, key } => event(&name, &key),
        };
        let document = format!(
            "<xml><ToUserName>{}</ToUserName>\n<FromUserName>{}</FromUserName>\n<CreateTime>{}</CreateTime>\n{body}</xml>",
            cdata(original_id),
            cdata(open_id),
            now.seconds()
        );
        Self {
            document,
            open_id: open_id.to_owned(),
            original_id: original_id.to_owned(),
            scene,
        }
    }

    /// What the platform says by itself, at the platform's own time.
    pub(super) fn of_event(event: &Event, original_id: &str) -> Self {
        let document = format!(
            "<xml><ToUserName>{}</ToUserName>\n<FromUserName>{}</FromUserName>\n<CreateTime>{}</CreateTime>\n\
             <MsgType><![CDATA[event]]></MsgType>\n<Event>{}</Event>\n{}</xml>",
            cdata(original_id),
            cdata(&event.from_user),
            event.at_milliseconds.div_euclid(1000),
            cdata(&event.event),
            event.elements
        );
        Self {
            document,
            open_id: event.from_user.clone(),
            original_id: original_id.to_owned(),
            // The platform knows already what it means for the user's windows.
            scene: None,
        }
    }

    /// A document from outside: who wrote it and to whom is what it says, where it says so.
    fn given(document: String, open_id: &str, original_id: &str) -> Self {
        let element = |name| super::judge::element(&document, name);
        let is_event = element("MsgType").is_some_and(|kind| kind.eq_ignore_ascii_case("event"));
        let scene = match element("Event") {
            Some(event) if is_event => scene_of(&event),
            // A tap on an item of a menu message comes as a text.
            _ if element("bizmsgmenuid").is_some() => Some(Scene::MenuClick),
            _ => element("MsgType").map(|_| Scene::Message),
        };
        Self {
            open_id: element("FromUserName").unwrap_or_else(|| open_id.to_owned()),
            original_id: element("ToUserName").unwrap_or_else(|| original_id.to_owned()),
            scene,
            document,
        }
    }

    /// Compatible mode: the document as it is, and itself sealed as one more element.
    pub(super) fn with_sealed_sibling(&self, sealed: &str) -> String {
        let end = self.document.rfind("</xml>").unwrap_or(self.document.len());
        let (before, after) = self.document.split_at(end);
        format!("{before}<Encrypt><![CDATA[{sealed}]]></Encrypt>\n{after}")
    }
}

/// Secure mode: nothing but to whom, and the sealed document.
pub(super) fn sealed(original_id: &str, sealed: &str) -> String {
    format!(
        "<xml>\n<ToUserName>{}</ToUserName>\n<Encrypt><![CDATA[{sealed}]]></Encrypt>\n</xml>",
        cdata(original_id)
    )
}

impl Gesture {
    fn scene(&self) -> Option<Scene> {
        match self {
            Self::Text(_) => Some(Scene::Message),
            Self::Follow => Some(Scene::Follow),
            Self::Unfollow => Some(Scene::Unfollow),
            Self::Click { .. } => Some(Scene::MenuClick),
            Self::Event { name, .. } => scene_of(name),
            Self::Document(_) => None,
        }
    }
}

fn scene_of(event: &str) -> Option<Scene> {
    match event.to_ascii_lowercase().as_str() {
        "subscribe" => Some(Scene::Follow),
        "unsubscribe" => Some(Scene::Unfollow),
        "scan" => Some(Scene::ScanCode),
        "click" | "scancode_push" | "scancode_waitmsg" => Some(Scene::MenuClick),
        _ => None,
    }
}

fn event(name: &str, key: &str) -> String {
    format!(
        "<MsgType><![CDATA[event]]></MsgType>\n<Event>{}</Event>\n<EventKey>{}</EventKey>\n",
        cdata(name),
        cdata(key)
    )
}

/// WeChat writes texts as CDATA; the one text that CDATA cannot hold is split in two.
fn cdata(text: &str) -> String {
    format!("<![CDATA[{}]]>", text.replace("]]>", "]]]]><![CDATA[>"))
}
