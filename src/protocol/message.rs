//! What we say, whichever way it goes out: as JSON of the customer-message API (客服消息), or as the XML of
//! a passive reply (被动回复), the body of the answer to a push.
//!
//! Both channels say mostly the same things, so one type stands for both. Making a value never fails;
//! [`Message::check_for`] tells whether a channel can say it. What each can say, and with which limits:
//! [`VOCABULARY`].
//!
//! ```
//! use wxhook::id::OpenId;
//! use wxhook::protocol::message::{Answering, Channel, Message, MsgMenu, Text};
//!
//! let message = Text::new("由助手生成").by("a01@gh_abc").ai();
//! assert_eq!(message.check(), Ok(()));
//! assert_eq!(
//!     String::from_utf8(message.to_json(&OpenId::new("oABC")))?,
//!     r#"{"touser":"oABC","msgtype":"text","text":{"content":"由助手生成"},"customservice":{"kf_account":"a01@gh_abc"},"aimsgcontext":{"is_ai_msg":1}}"#
//! );
//!
//! let menu = Message::from(MsgMenu::new().head("满意吗？").item("1", "满意"));
//! assert!(menu.check_for(Channel::CustomerMessage).is_ok());
//! assert!(menu.check_for(Channel::PassiveReply(Answering::Message)).is_err());
//! # Ok::<(), std::string::FromUtf8Error>(())
//! ```

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::id::OpenId;
use crate::protocol::push::{Kind, Push};

mod card;
mod error;
mod media;
mod menu;
mod news;
mod passive;
mod read;
mod split;
mod text;
mod transfer;
mod vocabulary;
mod words;

pub use card::{MiniProgramPage, WxCard};
pub use error::{MAX_FIELD_BYTES, MessageError};
pub use media::{Image, Music, Video, Voice};
pub use menu::{
    MAX_MENU_FRAME_BYTES, MAX_MENU_ID_BYTES, MAX_MENU_ITEM_BYTES, MAX_MENU_ITEMS, MenuItem, MsgMenu,
};
pub use news::{Article, MAX_ARTICLES, MAX_ARTICLES_TO_EVENT, MpNews, MpNewsArticle, News};
pub use passive::PassiveReply;
pub use read::ReadError;
pub use split::Pieces;
pub use text::{MAX_TEXT_BYTES, Text};
pub use transfer::TransferToCustomerService;
pub use vocabulary::{Entry, Field, List, Member, VOCABULARY};
pub use words::{Words, without_links};

/// A way to the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channel {
    /// A call of `custom/send`, at any time while a sending window is open.
    CustomerMessage,
    /// The body of the answer to a push: one, within five seconds, costing nothing of any window.
    PassiveReply(Answering),
}

impl Channel {
    const fn name(self) -> &'static str {
        match self {
            Self::CustomerMessage => "customer message",
            Self::PassiveReply(_) => "passive reply",
        }
    }
}

/// What a passive reply answers, which decides what it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answering {
    /// Something that a user wrote or sent.
    Message,
    /// Something that happened: a follow, a menu tap, a scan.
    Event,
}

impl Answering {
    /// What a reply to this push would answer; `None` when nobody can be answered.
    pub fn of(push: &Push) -> Option<Self> {
        match push.kind() {
            Kind::Message => Some(Self::Message),
            Kind::Event => Some(Self::Event),
            Kind::Notice | Kind::Malformed => None,
        }
    }
}

/// Something to say to a user, and in whose name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// What is said.
    pub body: Body,
    /// The customer-service account (`name@account`) in whose name it is said; the account itself when none.
    pub kf_account: Option<Words>,
    /// Whether the user is told that an AI has made it.
    pub is_ai: bool,
}

macro_rules! bodies {
    ($($(#[$doc:meta])* $kind:ident,)*) => {
        /// What a message says: one variant for each type of the platform's.
        #[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
        #[serde(untagged)]
        #[non_exhaustive]
        pub enum Body {
            $($(#[$doc])* $kind($kind),)*
        }

        $(
            impl From<$kind> for Body {
                fn from(body: $kind) -> Self {
                    Self::$kind(body)
                }
            }

            impl From<$kind> for Message {
                fn from(body: $kind) -> Self {
                    Self::new(body)
                }
            }
        )*
    };
}

bodies! {
    /// A text.
    Text,
    /// A picture.
    Image,
    /// A voice recording.
    Voice,
    /// A video.
    Video,
    /// Music.
    Music,
    /// Cards that lead to pages.
    News,
    /// An article of the material library.
    MpNews,
    /// A published article.
    MpNewsArticle,
    /// A question with answers to tap.
    MsgMenu,
    /// A coupon.
    WxCard,
    /// A card that leads into a mini program.
    MiniProgramPage,
    /// A conversation handed to people.
    TransferToCustomerService,
}

macro_rules! speakable {
    ($($kind:ident),*) => {$(
        impl $kind {
            /// Says it in the name of a customer-service account (`name@account`). Customer messages only.
            #[must_use]
            pub fn by(self, kf_account: impl Into<String>) -> Message {
                Message::from(self).by(kf_account)
            }

            /// Says it with the platform's mark for what an AI has made. Customer messages only: a
            /// passive reply has no such mark and must say so in its text.
            #[must_use]
            pub fn ai(self) -> Message {
                Message::from(self).ai()
            }
        }
    )*};
}

speakable!(
    Text,
    Image,
    Voice,
    Video,
    Music,
    News,
    MpNews,
    MpNewsArticle,
    MsgMenu,
    WxCard,
    MiniProgramPage
);

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::new(Text::new(text))
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::new(Text::new(text))
    }
}

impl Message {
    /// Said by the account itself, and by people.
    pub fn new(body: impl Into<Body>) -> Self {
        Self {
            body: body.into(),
            kf_account: None,
            is_ai: false,
        }
    }

    /// Says it in the name of a customer-service account (`name@account`). Customer messages only.
    #[must_use]
    pub fn by(mut self, kf_account: impl Into<String>) -> Self {
        self.kf_account = Some(Words::new(kf_account));
        self
    }

    /// Says it with the platform's mark for what an AI has made. Customer messages only: a passive
    /// reply has no such mark and must say so in its text.
    #[must_use]
    pub fn ai(mut self) -> Self {
        self.is_ai = true;
        self
    }

    /// Whether the platform would take it as a customer message; short for
    /// [`check_for`](Self::check_for).
    ///
    /// # Errors
    /// [`MessageError`] says what is wrong.
    pub fn check(&self) -> Result<(), MessageError> {
        self.check_for(Channel::CustomerMessage)
    }

    /// The same for what is still to be split: a text may be longer than one message.
    ///
    /// # Errors
    /// [`MessageError`] says what is wrong.
    pub(crate) fn check_unsplit(&self) -> Result<(), MessageError> {
        match self.check() {
            Err(MessageError::TooLong { .. }) if matches!(self.body, Body::Text(_)) => Ok(()),
            checked => checked,
        }
    }

    /// Whether this channel can say it, and the platform would take it there.
    ///
    /// # Errors
    /// [`MessageError`]: the channel's own limits first, then those of the body in the order of its
    /// fields.
    pub fn check_for(&self, channel: Channel) -> Result<(), MessageError> {
        self.sayable(channel)?;
        if let Some(account) = &self.kf_account {
            check_account(account)?;
        }
        self.body.check(channel)
    }

    /// Whether only a passive reply can say it.
    pub(crate) fn is_passive_only(&self) -> bool {
        let entry = self.body.entry();
        entry.passive_reply && !entry.customer_message
    }

    /// Whether the channel knows such a thing at all.
    fn sayable(&self, channel: Channel) -> Result<(), MessageError> {
        let entry = self.body.entry();
        let (known, framed) = match channel {
            Channel::CustomerMessage => (entry.customer_message, true),
            Channel::PassiveReply(Answering::Message) => (entry.passive_reply, false),
            Channel::PassiveReply(Answering::Event) => {
                // The platform ignores a transfer that answers an event.
                let transfer = matches!(self.body, Body::TransferToCustomerService(_));
                (entry.passive_reply && !transfer, false)
            }
        };
        let what = match self {
            _ if !known => entry.msg_type,
            Self {
                kf_account: Some(_),
                ..
            } if !framed => "a customer-service account",
            Self { is_ai: true, .. } if !framed => "the mark of an AI",
            _ => return Ok(()),
        };
        Err(MessageError::Channel {
            what,
            channel: channel.name(),
        })
    }

    /// The exact body of `custom/send`: UTF-8 as it is, for users would see `\u4f60`, and `<`, `>`, `&` as
    /// they are, for links would break. What [`check`](Self::check) refuses is written all the same.
    pub fn to_json(&self, to: &OpenId) -> Vec<u8> {
        let call = Call {
            touser: to.as_str(),
            message: self,
        };
        // Strings and numbers under names always serialise.
        serde_json::to_vec(&call).unwrap_or_default()
    }
}

impl Body {
    /// What is known about its type.
    pub fn entry(&self) -> &'static Entry {
        match self {
            Self::Text(_) => &vocabulary::TEXT,
            Self::Image(_) => &vocabulary::IMAGE,
            Self::Voice(_) => &vocabulary::VOICE,
            Self::Video(_) => &vocabulary::VIDEO,
            Self::Music(_) => &vocabulary::MUSIC,
            Self::News(_) => &vocabulary::NEWS,
            Self::MpNews(_) => &vocabulary::MP_NEWS,
            Self::MpNewsArticle(_) => &vocabulary::MP_NEWS_ARTICLE,
            Self::MsgMenu(_) => &vocabulary::MSG_MENU,
            Self::WxCard(_) => &vocabulary::WX_CARD,
            Self::MiniProgramPage(_) => &vocabulary::MINI_PROGRAM_PAGE,
            Self::TransferToCustomerService(_) => &vocabulary::TRANSFER,
        }
    }

    /// The type as the platform calls it.
    pub fn msg_type(&self) -> &'static str {
        self.entry().msg_type
    }

    fn check(&self, channel: Channel) -> Result<(), MessageError> {
        match self {
            Self::Text(text) => text.check(),
            Self::Image(image) => image.check(),
            Self::Voice(voice) => voice.check(),
            Self::Video(video) => video.check(channel),
            Self::Music(music) => music.check(channel),
            Self::News(news) => news.check(channel),
            Self::MpNews(material) => material.check(),
            Self::MpNewsArticle(article) => article.check(),
            Self::MsgMenu(menu) => menu.check(),
            Self::WxCard(card) => card.check(),
            Self::MiniProgramPage(page) => page.check(),
            Self::TransferToCustomerService(transfer) => transfer.check(),
        }
    }
}

/// A customer-service account is called `name@account`.
fn check_account(kf_account: &Words) -> Result<(), MessageError> {
    let field = "the kf_account";
    error::required(field, kf_account, MAX_FIELD_BYTES)?;
    match kf_account.split_once('@') {
        Some((name, account)) if !name.is_empty() && !account.is_empty() => Ok(()),
        _ => Err(MessageError::Form {
            field,
            form: "name@account",
        }),
    }
}

/// The body of `custom/send`, its members in the order of the platform's examples.
struct Call<'a> {
    touser: &'a str,
    message: &'a Message,
}

impl Serialize for Call<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let message = self.message;
        let msg_type = message.body.msg_type();
        let mut members = serializer.serialize_map(None)?;
        members.serialize_entry("touser", self.touser)?;
        members.serialize_entry("msgtype", msg_type)?;
        members.serialize_entry(msg_type, &message.body)?;
        if let Some(kf_account) = &message.kf_account {
            members.serialize_entry("customservice", &Speaker { kf_account })?;
        }
        if message.is_ai {
            members.serialize_entry("aimsgcontext", &AiContext { is_ai_msg: 1 })?;
        }
        members.end()
    }
}

#[derive(serde::Serialize)]
struct Speaker<'a> {
    kf_account: &'a Words,
}

#[derive(serde::Serialize)]
struct AiContext {
    is_ai_msg: u8,
}

#[cfg(test)]
mod tests;
