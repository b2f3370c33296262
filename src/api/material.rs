//! Permanent material (永久素材): the account's library. At most 100 000 pictures, 100 000 news, and
//! 1 000 of each other type.

use serde::{Deserialize, Serialize};

use crate::api::draft::{Articles, NewsItem};
use crate::api::endpoint::{Done, FromAnswer, Outgoing, endpoints};
use crate::api::media::MediaKind;
use crate::api::{CallError, RequestError, Upload, request};
use crate::platform::download::{Download, Received};

/// Items that one page of a list has at most.
pub const MAX_PAGE: u32 = 20;

endpoints! {
    AddMaterial => AddedMaterial {
        call: Post "/cgi-bin/material/add_material",
        page: "新增其他类型永久素材",
        send: (AddMaterial::outgoing),
        check: AddMaterial::limits,
        repeat: Harmful,
        moves_a_file: true,
        codes: [40005, 40006, 40007, 45034, 45074],
        limits: "image: 10 MB bmp png jpg gif; voice: 2 MB, 60 s, mp3 wma wav amr; video: 10 MB mp4; thumb: 64 KB jpg",
    }
    GetMaterial => Material {
        call: Post "/cgi-bin/material/get_material",
        page: "获取永久素材",
        send: json,
        check: |request: &GetMaterial| request::given("media_id", &request.media_id),
        moves_a_file: true,
        codes: [40007],
    }
    DeleteMaterial => Done {
        call: Post "/cgi-bin/material/del_material",
        page: "删除永久素材",
        send: json,
        check: |request: &DeleteMaterial| request::given("media_id", &request.media_id),
        codes: [40007, 45060, 48005],
    }
    ListMaterial => Materials {
        call: Post "/cgi-bin/material/batchget_material",
        page: "获取永久素材列表",
        send: json,
        check: |request: &ListMaterial| page(request.count),
        codes: [40004, 40007],
        limits: "count: 1 to 20",
    }
    CountMaterial => MaterialCount {
        call: Get "/cgi-bin/material/get_materialcount",
        page: "获取永久素材总数",
        send: nothing,
    }
}

/// Checks the length of a page.
pub(super) fn page(count: u32) -> Result<(), RequestError> {
    request::between("count", i64::from(count), 1, i64::from(MAX_PAGE))
}

/// Puts a file into the library. Twice makes two.
#[derive(Debug, Clone)]
pub struct AddMaterial {
    /// What it is.
    pub kind: MediaKind,
    /// The file.
    pub media: Upload,
    /// What a video is called; other files have no description.
    pub description: Option<VideoDescription>,
}

/// What a video is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VideoDescription {
    /// Its title.
    pub title: String,
    /// A few words about it.
    pub introduction: String,
}

impl AddMaterial {
    fn limits(&self) -> Result<(), RequestError> {
        self.kind.check_permanent(&self.media)?;
        let fault = |text| Err(RequestError::new("description", text));
        match (self.kind, &self.description) {
            (MediaKind::Video, None) => {
                fault("is missing: a video needs a title and an introduction")
            }
            (MediaKind::Video, Some(description)) => request::given("title", &description.title),
            (_, Some(_)) => fault("goes with a video alone"),
            (_, None) => Ok(()),
        }
    }

    fn outgoing(&self) -> Result<Outgoing, RequestError> {
        let description = match &self.description {
            Some(description) => Some(
                serde_json::to_vec(description)
                    .map_err(|error| RequestError::new("description", error.to_string()))?,
            ),
            None => None,
        };
        let mut outgoing = self.media.outgoing(description.as_deref())?;
        outgoing.query = vec![("type".into(), self.kind.name().to_owned())];
        Ok(outgoing)
    }
}

/// A file in the library.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct AddedMaterial {
    /// Its name.
    pub media_id: String,
    /// The address of a picture, which is shown within Tencent's domains alone.
    #[serde(default)]
    pub url: Option<String>,
}

/// Asks for what stands in the library under a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GetMaterial {
    /// The name.
    pub media_id: String,
}

/// What stands in the library.
#[derive(Debug)]
pub enum Material {
    /// A picture, a voice message or a thumb, to be read as it comes.
    File(Download),
    /// A video, whose file stands at an address: [`Api::video`](crate::api::Api::video).
    Video {
        /// Its title.
        title: String,
        /// A few words about it.
        description: String,
        /// The address.
        down_url: String,
    },
    /// Articles.
    News(Vec<NewsItem>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum MaterialAnswer {
    Video {
        #[serde(default)]
        title: String,
        #[serde(default)]
        description: String,
        down_url: String,
    },
    News {
        news_item: Vec<NewsItem>,
    },
}

impl FromAnswer for Material {
    const MAY_BE_A_FILE: bool = true;

    fn read(received: Received) -> Result<Self, CallError> {
        let answer = match received {
            Received::File(file) => return Ok(Self::File(file)),
            json @ Received::Json(_) => MaterialAnswer::read(json)?,
        };
        Ok(match answer {
            MaterialAnswer::Video {
                title,
                description,
                down_url,
            } => Self::Video {
                title,
                description,
                down_url,
            },
            MaterialAnswer::News { news_item } => Self::News(news_item),
        })
    }
}

/// Takes something out of the library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeleteMaterial {
    /// Its name.
    pub media_id: String,
}

/// Asks for a page of the library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListMaterial {
    /// Of what.
    #[serde(rename = "type")]
    pub kind: MaterialKind,
    /// How many are passed over.
    pub offset: u32,
    /// How many are wanted: at most [`MAX_PAGE`].
    pub count: u32,
}

/// What the library can list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MaterialKind {
    /// Pictures.
    Image,
    /// Voice messages.
    Voice,
    /// Videos.
    Video,
    /// Articles.
    News,
}

/// A page of the library.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Materials {
    /// How many there are in all.
    pub total_count: i64,
    /// How many are on this page.
    pub item_count: i64,
    /// They.
    #[serde(default)]
    pub item: Vec<MaterialItem>,
}

/// Something in the library.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct MaterialItem {
    /// Its name.
    pub media_id: String,
    /// The name of its file; articles have none.
    #[serde(default)]
    pub name: Option<String>,
    /// When it changed, in Unix seconds.
    #[serde(default)]
    pub update_time: i64,
    /// Its address, if it has one.
    #[serde(default)]
    pub url: Option<String>,
    /// Articles.
    #[serde(default)]
    pub content: Option<Articles>,
}

/// Asks how much stands in the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountMaterial;

/// How much stands in the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
pub struct MaterialCount {
    /// Voice messages.
    pub voice_count: i64,
    /// Videos.
    pub video_count: i64,
    /// Pictures.
    pub image_count: i64,
    /// Articles.
    pub news_count: i64,
}
