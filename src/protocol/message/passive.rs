//! Passive replies: what we say as the body of the answer to a push.
//!
//! Source: the official page "回复消息", and captures.

use crate::clock::Timestamp;
use crate::protocol::message::{
    Answering, Article, Body, Channel, Message, MessageError, Music, News,
    TransferToCustomerService, Video, Words,
};
use crate::protocol::push::Push;

/// The document of a passive reply. On its way it is protected as the push was:
/// [`Opened::answer`](crate::protocol::Opened::answer).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassiveReply {
    document: String,
}

impl PassiveReply {
    /// One whose document was kept.
    pub(crate) fn kept(document: String) -> Self {
        Self { document }
    }

    /// The XML.
    pub fn document(&self) -> &str {
        &self.document
    }

    /// The XML.
    pub(crate) fn into_document(self) -> String {
        self.document
    }
}

impl Message {
    /// The passive reply that says this to the sender of `push`. `created_at`: the present time.
    ///
    /// # Errors
    /// [`MessageError`] when a reply to this push cannot say it.
    pub fn to_passive(
        &self,
        push: &Push,
        created_at: Timestamp,
    ) -> Result<PassiveReply, MessageError> {
        let answering = Answering::of(push).ok_or(MessageError::Notice)?;
        self.check_for(Channel::PassiveReply(answering))?;
        let mut xml = Xml::default();
        xml.within("xml", |xml| {
            xml.text("ToUserName", &Words::new(push.from().as_str()));
            xml.text("FromUserName", &Words::new(push.to()));
            xml.number("CreateTime", created_at.seconds());
            xml.text("MsgType", &Words::new(self.body.msg_type()));
            self.body.write(xml);
        });
        Ok(PassiveReply { document: xml.0 })
    }
}

impl Body {
    fn write(&self, xml: &mut Xml) {
        match self {
            Self::Text(text) => xml.text("Content", &text.content),
            Self::Image(image) => xml.within("Image", |xml| xml.text("MediaId", &image.media_id)),
            Self::Voice(voice) => xml.within("Voice", |xml| xml.text("MediaId", &voice.media_id)),
            Self::Video(video) => write_video(video, xml),
            Self::Music(music) => write_music(music, xml),
            Self::News(news) => write_news(news, xml),
            Self::TransferToCustomerService(transfer) => write_transfer(transfer, xml),
            // No passive reply has them: the check has refused them.
            Self::MpNews(_)
            | Self::MpNewsArticle(_)
            | Self::MsgMenu(_)
            | Self::WxCard(_)
            | Self::MiniProgramPage(_) => {}
        }
    }
}

fn write_video(video: &Video, xml: &mut Xml) {
    xml.within("Video", |xml| {
        xml.text("MediaId", &video.media_id);
        xml.optional("Title", video.title.as_ref());
        xml.optional("Description", video.description.as_ref());
    });
}

fn write_music(music: &Music, xml: &mut Xml) {
    xml.within("Music", |xml| {
        xml.optional("Title", music.title.as_ref());
        xml.optional("Description", music.description.as_ref());
        xml.optional("MusicUrl", music.url.as_ref());
        xml.optional("HQMusicUrl", music.high_quality_url.as_ref());
        xml.text("ThumbMediaId", &music.thumb_media_id);
    });
}

fn write_news(news: &News, xml: &mut Xml) {
    // The check has bounded it to a handful.
    xml.number("ArticleCount", news.articles.len() as i64);
    xml.within("Articles", |xml| {
        for article in &news.articles {
            xml.within("item", |xml| write_article(article, xml));
        }
    });
}

fn write_article(article: &Article, xml: &mut Xml) {
    xml.text("Title", &article.title);
    xml.text("Description", &article.description);
    xml.text("PicUrl", &article.picture_url);
    xml.text("Url", &article.url);
}

fn write_transfer(transfer: &TransferToCustomerService, xml: &mut Xml) {
    if let Some(kf_account) = &transfer.kf_account {
        xml.within("TransInfo", |xml| xml.text("KfAccount", kf_account));
    }
}

/// A document being written. Names are ours; texts are [`Words`], which hold only what XML 1.0 knows.
#[derive(Default)]
struct Xml(String);

impl Xml {
    fn within(&mut self, name: &str, write: impl FnOnce(&mut Self)) {
        self.0 += "<";
        self.0 += name;
        self.0 += ">";
        write(self);
        self.0 += "</";
        self.0 += name;
        self.0 += ">";
    }

    /// A `]]>` in the text would end the section: it is split between two.
    fn text(&mut self, name: &str, words: &Words) {
        self.within(name, |xml| {
            xml.0 += "<![CDATA[";
            xml.0 += &words.replace("]]>", "]]]]><![CDATA[>");
            xml.0 += "]]>";
        });
    }

    /// What was not given is left out.
    fn optional(&mut self, name: &str, words: Option<&Words>) {
        if let Some(words) = words.filter(|words| !words.is_empty()) {
            self.text(name, words);
        }
    }

    fn number(&mut self, name: &str, number: i64) {
        self.within(name, |xml| xml.0 += &number.to_string());
    }
}
