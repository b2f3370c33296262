//! Mass messages (群发): one message to many. The call takes the job; how it ended comes as the event
//! `MASSSENDJOBFINISH`. A follower gets at most 4 of them in a calendar month.

use serde::{Deserialize, Serialize};

use crate::api::endpoint::{Done, endpoints};
use crate::api::{RequestError, lenient, request};
use crate::id::OpenId;

/// Users that one call by OpenID names at most; at least 2.
pub const MAX_USERS: usize = 10_000;

/// Bytes of the longest `clientmsgid`.
pub const MAX_CLIENT_ID_BYTES: usize = 32;

endpoints! {
    SendToAll => MassJob {
        call: Post "/cgi-bin/message/mass/sendall",
        page: "根据标签进行群发",
        send: json,
        check: |request: &SendToAll| client_id(request.clientmsgid.as_deref()),
        quota: "mass",
        repeat: Harmful,
        accepts: [45065],
        codes: [40007, 40008, 40152, 40215, 41040, 42010, 45028, 45062, 45066, 45067, 45113, 48001, 48003, 48021, 48022, 89504, 89505, 268488001],
        limits: "60 a minute; 4 a month for each user; clientmsgid 32 bytes, known for 24 h",
    }
    SendToUsers => MassJob {
        call: Post "/cgi-bin/message/mass/send",
        page: "根据OpenID列表群发",
        send: json,
        check: SendToUsers::limits,
        quota: "mass",
        repeat: Harmful,
        accepts: [45065],
        codes: [40031, 40032, 40130, 45162, 48001, 9500002],
        limits: "touser: 2 to 10 000; service accounts alone; as by tag",
    }
    Preview => Done {
        call: Post "/cgi-bin/message/mass/preview",
        page: "预览接口",
        send: json,
        quota: "mass_preview",
        repeat: Harmful,
        codes: [40132],
        limits: "100 a day by WeChat name",
    }
    DeleteMass => Done {
        call: Post "/cgi-bin/message/mass/delete",
        page: "删除群发",
        send: json,
        check: DeleteMass::limits,
        quota: "news_delete",
        codes: [40059, 40060, 40065, 40204, 9500001],
        limits: "articles and videos alone",
    }
    MassStatus => MassReport {
        call: Post "/cgi-bin/message/mass/get",
        page: "查询群发消息发送状态",
        send: json,
        codes: [40059, 89504, 89505],
    }
    SetMassSpeed => Done {
        call: Post "/cgi-bin/message/mass/speed/set",
        page: "控制群发速度",
        send: json,
        check: |request: &SetMassSpeed| request::between("speed", i64::from(request.speed), 0, 4),
        codes: [45083, 45084],
        limits: "speed: 0 to 4",
    }
    MassSpeed => MassSpeedReport {
        call: Post "/cgi-bin/message/mass/speed/get",
        page: "获取群发速度",
        send: json,
    }
}

fn client_id(id: Option<&str>) -> Result<(), RequestError> {
    id.map_or(Ok(()), |id| {
        request::bytes("clientmsgid", id, MAX_CLIENT_ID_BYTES)
    })
}

/// What is sent to many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "msgtype", rename_all = "lowercase")]
pub enum MassMessage {
    /// Articles: a draft, which is then none any more.
    MpNews {
        /// The draft.
        mpnews: MediaId,
    },
    /// A text.
    Text {
        /// It.
        text: Content,
    },
    /// A voice message.
    Voice {
        /// It.
        voice: MediaId,
    },
    /// Pictures.
    Image {
        /// They.
        images: Images,
    },
    /// A video.
    MpVideo {
        /// It.
        mpvideo: MassVideo,
    },
}

/// Something by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MediaId {
    /// The name.
    pub media_id: String,
}

/// A text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Content {
    /// It.
    pub content: String,
}

/// Pictures.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Images {
    /// Their names.
    pub media_ids: Vec<String>,
    /// A few words with them.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub recommend: String,
    /// 1: readers may comment.
    pub need_open_comment: u8,
    /// 1: only followers may.
    pub only_fans_can_comment: u8,
}

/// A video.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MassVideo {
    /// Its name.
    pub media_id: String,
    /// Its title, where it is sent to users by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// A few words about it, where it is sent to users by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// Who gets a mass message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Filter {
    /// Everyone.
    pub is_to_all: bool,
    /// Else who has this tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag_id: Option<i64>,
}

impl Filter {
    /// All followers.
    pub const fn everyone() -> Self {
        Self {
            is_to_all: true,
            tag_id: None,
        }
    }

    /// Those who have a tag.
    pub const fn tag(id: i64) -> Self {
        Self {
            is_to_all: false,
            tag_id: Some(id),
        }
    }
}

/// Sends to all followers, or to those with a tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SendToAll {
    /// Who gets it.
    pub filter: Filter,
    /// What they get.
    #[serde(flatten)]
    pub message: MassMessage,
    /// 1: go on when an article is judged to be a copy of another's. 0: stop then.
    pub send_ignore_reprint: u8,
    /// A name of one's own: the same again within 24 h sends nothing, and brings the first job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clientmsgid: Option<String>,
}

/// Sends to followers by their names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SendToUsers {
    /// Who gets it: 2 to [`MAX_USERS`].
    pub touser: Vec<OpenId>,
    /// What they get.
    #[serde(flatten)]
    pub message: MassMessage,
    /// 1: go on when an article is judged to be a copy of another's. 0: stop then.
    pub send_ignore_reprint: u8,
    /// A name of one's own: the same again within 24 h sends nothing, and brings the first job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clientmsgid: Option<String>,
}

impl SendToUsers {
    fn limits(&self) -> Result<(), RequestError> {
        request::members("touser", self.touser.len(), 2, MAX_USERS)?;
        client_id(self.clientmsgid.as_deref())
    }
}

/// A job that was taken, now or before under the same `clientmsgid` (45065).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
pub struct MassJob {
    /// 45065 of a job that was taken before, else 0.
    #[serde(default, deserialize_with = "lenient::number")]
    pub errcode: i64,
    /// Its number.
    #[serde(deserialize_with = "lenient::number")]
    pub msg_id: i64,
    /// Its number in statistics; articles alone have one.
    #[serde(default, deserialize_with = "lenient::some_number")]
    pub msg_data_id: Option<i64>,
}

impl MassJob {
    /// Whether the same `clientmsgid` was there before: nothing more is sent.
    pub const fn was_there(&self) -> bool {
        self.errcode == 45065
    }
}

/// Shows a mass message to one user, before it is sent to many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Preview {
    /// To whom.
    #[serde(flatten)]
    pub to: PreviewTo,
    /// What.
    #[serde(flatten)]
    pub message: PreviewMessage,
}

/// To whom a preview goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum PreviewTo {
    /// A follower.
    #[serde(rename = "touser")]
    OpenId(OpenId),
    /// Someone by WeChat name (微信号).
    #[serde(rename = "towxname")]
    WeChatName(String),
}

/// What a preview shows. A picture comes by itself here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "msgtype", rename_all = "lowercase")]
pub enum PreviewMessage {
    /// Articles.
    MpNews {
        /// The draft.
        mpnews: MediaId,
    },
    /// A text.
    Text {
        /// It.
        text: Content,
    },
    /// A voice message.
    Voice {
        /// It.
        voice: MediaId,
    },
    /// A picture.
    Image {
        /// It.
        image: MediaId,
    },
    /// A video.
    MpVideo {
        /// It.
        mpvideo: MediaId,
    },
}

/// Takes a mass message of articles, or a video, away from those who got it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeleteMass {
    /// The number of the job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub msg_id: Option<i64>,
    /// Or the address of an article.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Which article, from 1; `None` for all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub article_idx: Option<u32>,
}

impl DeleteMass {
    fn limits(&self) -> Result<(), RequestError> {
        match (self.msg_id, &self.url) {
            (None, None) => Err(RequestError::new("msg_id", "is missing, and so is url")),
            _ => Ok(()),
        }
    }
}

/// Asks how a job goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct MassStatus {
    /// Its number.
    pub msg_id: i64,
}

/// How a job goes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct MassReport {
    /// Its number.
    #[serde(deserialize_with = "lenient::number")]
    pub msg_id: i64,
    /// `SEND_SUCCESS`, `SENDING`, `SEND_FAIL` or `DELETE`.
    pub msg_status: String,
}

/// Sets how fast mass messages go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SetMassSpeed {
    /// 0 to 4: 800 000, 600 000, 450 000, 300 000, 100 000 users a minute.
    pub speed: u8,
}

/// Asks how fast mass messages go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct MassSpeed {}

/// How fast mass messages go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
pub struct MassSpeedReport {
    /// 0 to 4, see [`SetMassSpeed`].
    pub speed: i64,
    /// In ten thousand users a minute.
    pub realspeed: i64,
}
