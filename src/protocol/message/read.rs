//! A message as people write it, read: the JSON of `custom/send` without its `touser`.

use serde_json::{Map, Value};

use crate::nearest::nearest;
use crate::protocol::message::{
    Article, Body, Image, Message, MiniProgramPage, MpNews, MpNewsArticle, MsgMenu, Music, News,
    Text, VOCABULARY, Video, Voice, WxCard,
};

/// Why JSON is no message that could be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// It is no object.
    #[error("{path} is no object; write {{ … }}")]
    NotObject {
        /// Which part.
        path: String,
    },
    /// It is no list.
    #[error("{path} is no list; write [ … ]")]
    NotList {
        /// Which part.
        path: String,
    },
    /// It is neither a text nor a number.
    #[error("{path} is no text; put it in quotation marks")]
    NotText {
        /// Which part.
        path: String,
    },
    /// A member that must be there is not.
    #[error("{path} is missing")]
    Missing {
        /// Which one.
        path: String,
    },
    /// A member that the platform does not know: it would be ignored.
    #[error("{path} is not known; {remedy}")]
    Unknown {
        /// Which one.
        path: String,
        /// What was meant, or what there is.
        remedy: String,
    },
    /// A type that cannot be sent as a customer message.
    #[error("msgtype = {msg_type:?} cannot be sent; {remedy}")]
    MsgType {
        /// The type.
        msg_type: String,
        /// What was meant, or what there is.
        remedy: String,
    },
}

impl ReadError {
    /// The member that is wrong, without what it stands in.
    pub fn member(&self) -> Option<&str> {
        let path = match self {
            Self::NotObject { path }
            | Self::NotList { path }
            | Self::NotText { path }
            | Self::Missing { path }
            | Self::Unknown { path, .. } => path,
            Self::MsgType { .. } => return Some("msgtype"),
        };
        path.rsplit('.').next()
    }
}

impl Message {
    /// Reads the JSON of a customer message without its `touser`: `{"msgtype":"text","text":{"content":"…"}}`.
    /// What the platform would refuse for another reason than its form is for [`check`](Self::check).
    ///
    /// # Errors
    /// [`ReadError`]: the first member that is missing, unknown, or of the wrong form.
    pub fn from_json(value: &Value) -> Result<Self, ReadError> {
        let members = Members::of(value, "")?;
        let msg_type = members.text("msgtype")?;
        let sayable = || VOCABULARY.iter().filter(|entry| entry.customer_message);
        if !sayable().any(|entry| entry.msg_type == msg_type) {
            let remedy = remedy(&msg_type, sayable().map(|entry| entry.msg_type));
            return Err(ReadError::MsgType { msg_type, remedy });
        }
        members.only(&["msgtype", &msg_type, "customservice", "aimsgcontext"])?;
        let mut message = Self::new(body(&msg_type, &members.object(&msg_type)?)?);
        if members.has("customservice") {
            let speaker = members.object("customservice")?;
            speaker.only(&["kf_account"])?;
            message = message.by(speaker.text("kf_account")?);
        }
        if members.has("aimsgcontext") {
            let context = members.object("aimsgcontext")?;
            context.only(&["is_ai_msg"])?;
            message.is_ai = context.text("is_ai_msg")? == "1";
        }
        Ok(message)
    }
}

fn body(msg_type: &str, members: &Members<'_>) -> Result<Body, ReadError> {
    let media = || members.text("media_id");
    Ok(match msg_type {
        "text" => {
            members.only(&["content"])?;
            Text::new(members.text("content")?).into()
        }
        "image" => {
            members.only(&["media_id"])?;
            Image::new(media()?).into()
        }
        "voice" => {
            members.only(&["media_id"])?;
            Voice::new(media()?).into()
        }
        "video" => {
            members.only(&["media_id", "thumb_media_id", "title", "description"])?;
            let mut video = Video::new(media()?);
            video.thumb_media_id = members.optional("thumb_media_id")?.map(Into::into);
            video.title = members.optional("title")?.map(Into::into);
            video.description = members.optional("description")?.map(Into::into);
            video.into()
        }
        "music" => {
            members.only(&[
                "title",
                "description",
                "musicurl",
                "hqmusicurl",
                "thumb_media_id",
            ])?;
            let mut music = Music::new(members.text("thumb_media_id")?);
            music.title = members.optional("title")?.map(Into::into);
            music.description = members.optional("description")?.map(Into::into);
            music.url = members.optional("musicurl")?.map(Into::into);
            music.high_quality_url = members.optional("hqmusicurl")?.map(Into::into);
            music.into()
        }
        "news" => news(members)?.into(),
        "mpnews" => {
            members.only(&["media_id"])?;
            MpNews::new(media()?).into()
        }
        "mpnewsarticle" => {
            members.only(&["article_id"])?;
            MpNewsArticle::new(members.text("article_id")?).into()
        }
        "msgmenu" => menu(members)?.into(),
        "wxcard" => {
            members.only(&["card_id"])?;
            WxCard::new(members.text("card_id")?).into()
        }
        "miniprogrampage" => {
            members.only(&["title", "appid", "pagepath", "thumb_media_id"])?;
            MiniProgramPage::new(members.text("appid")?, members.text("pagepath")?)
                .title(members.text("title")?)
                .thumb(members.text("thumb_media_id")?)
                .into()
        }
        other => {
            return Err(ReadError::MsgType {
                msg_type: other.to_owned(),
                remedy: "this version does not read it".to_owned(),
            });
        }
    })
}

fn news(members: &Members<'_>) -> Result<News, ReadError> {
    members.only(&["articles"])?;
    let mut articles = Vec::new();
    for members in members.list("articles")? {
        members.only(&["title", "description", "url", "picurl"])?;
        let mut article = Article::new(members.text("title")?, members.text("url")?);
        if let Some(text) = members.optional("description")? {
            article = article.description(text);
        }
        if let Some(url) = members.optional("picurl")? {
            article = article.picture(url);
        }
        articles.push(article);
    }
    Ok(News { articles })
}

fn menu(members: &Members<'_>) -> Result<MsgMenu, ReadError> {
    members.only(&["head_content", "list", "tail_content"])?;
    let mut menu = MsgMenu::new();
    if let Some(text) = members.optional("head_content")? {
        menu = menu.head(text);
    }
    for members in members.list("list")? {
        members.only(&["id", "content"])?;
        menu = menu.item(members.text("id")?, members.text("content")?);
    }
    if let Some(text) = members.optional("tail_content")? {
        menu = menu.tail(text);
    }
    Ok(menu)
}

/// An object and where it stands.
struct Members<'v> {
    members: &'v Map<String, Value>,
    path: String,
}

impl<'v> Members<'v> {
    fn of(value: &'v Value, path: impl Into<String>) -> Result<Self, ReadError> {
        let path = path.into();
        match value {
            Value::Object(members) => Ok(Self { members, path }),
            _ if path.is_empty() => Err(ReadError::NotObject {
                path: "the message".to_owned(),
            }),
            _ => Err(ReadError::NotObject { path }),
        }
    }

    fn path(&self, name: &str) -> String {
        match self.path.as_str() {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        }
    }

    fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    fn only(&self, known: &[&str]) -> Result<(), ReadError> {
        match self
            .members
            .keys()
            .find(|name| !known.contains(&name.as_str()))
        {
            None => Ok(()),
            Some(name) if self.path.is_empty() && name == "touser" => Err(ReadError::Unknown {
                path: "touser".to_owned(),
                remedy: "take it out: it is the user of the push".to_owned(),
            }),
            Some(name) => Err(ReadError::Unknown {
                path: self.path(name),
                remedy: remedy(name, known.iter().copied()),
            }),
        }
    }

    fn value(&self, name: &str) -> Result<&'v Value, ReadError> {
        let found = self.members.get(name).filter(|value| !value.is_null());
        found.ok_or_else(|| ReadError::Missing {
            path: self.path(name),
        })
    }

    fn optional(&self, name: &str) -> Result<Option<String>, ReadError> {
        match self.value(name) {
            Err(_) => Ok(None),
            Ok(Value::String(text)) => Ok(Some(text.clone())),
            Ok(Value::Number(number)) => Ok(Some(number.to_string())),
            Ok(_) => Err(ReadError::NotText {
                path: self.path(name),
            }),
        }
    }

    fn text(&self, name: &str) -> Result<String, ReadError> {
        self.value(name)?;
        Ok(self.optional(name)?.unwrap_or_default())
    }

    fn object(&self, name: &str) -> Result<Members<'v>, ReadError> {
        Members::of(self.value(name)?, self.path(name))
    }

    fn list(&self, name: &str) -> Result<Vec<Members<'v>>, ReadError> {
        let path = self.path(name);
        let Value::Array(items) = self.value(name)? else {
            return Err(ReadError::NotList { path });
        };
        let items = items.iter().enumerate();
        items
            .map(|(index, item)| Members::of(item, format!("{path}[{index}]")))
            .collect()
    }
}

fn remedy<'n>(name: &str, known: impl Iterator<Item = &'n str> + Clone) -> String {
    match nearest(name, known.clone()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("there can be: {}", known.collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::id::OpenId;

    #[test]
    fn what_is_written_as_json_is_read_back_as_it_was() {
        let mut video = Video::new("V").title("片").thumb("T");
        video.description = Some("a".into());
        let messages: Vec<Message> = vec![
            Text::new("您好\n<a href=\"https://example.com\">x</a>").into(),
            Image::new("M").by("a01@gh_1").ai(),
            Voice::new("M").into(),
            video.into(),
            Music::new("T")
                .title("歌")
                .description("d")
                .url("https://a")
                .into(),
            News::new(
                Article::new("t", "https://a")
                    .description("d")
                    .picture("https://p"),
            )
            .into(),
            MpNews::new("M").into(),
            MpNewsArticle::new("A").into(),
            MsgMenu::new().head("h").item("1", "满意").tail("t").into(),
            WxCard::new("C").into(),
            MiniProgramPage::new("wx1", "pages/a")
                .title("t")
                .thumb("T")
                .into(),
        ];
        let sayable = VOCABULARY.iter().filter(|entry| entry.customer_message);
        assert_eq!(messages.len(), sayable.count());
        for message in messages {
            let mut written: Value =
                serde_json::from_slice(&message.to_json(&OpenId::new("o"))).unwrap();
            written.as_object_mut().unwrap().remove("touser");
            assert_eq!(Message::from_json(&written), Ok(message));
        }
    }

    #[test]
    fn what_is_no_message_is_told_with_its_place() {
        for (written, expected) in [
            (json!([]), "the message is no object; write { … }"),
            (json!({}), "msgtype is missing"),
            (
                json!({ "msgtype": "txet" }),
                "msgtype = \"txet\" cannot be sent; did you mean text?",
            ),
            (json!({ "msgtype": "text" }), "text is missing"),
            (
                json!({ "msgtype": "text", "text": { "contents": "a" } }),
                "text.contents is not known; did you mean content?",
            ),
            (
                json!({ "touser": "o", "msgtype": "text", "text": { "content": "a" } }),
                "touser is not known; take it out: it is the user of the push",
            ),
            (
                json!({ "msgtype": "news", "news": { "articles": [{ "title": "t" }] } }),
                "news.articles[0].url is missing",
            ),
            (
                json!({ "msgtype": "text", "text": { "content": [] } }),
                "text.content is no text; put it in quotation marks",
            ),
        ] {
            let error = Message::from_json(&written).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    }
}
