//! Temporary media (临时素材): what messages carry. The platform keeps them for 3 days.

use serde::{Deserialize, Serialize};

use crate::api::endpoint::{FromAnswer, Outgoing, endpoints};
use crate::api::{Api, CallError, RequestError, Upload, request};
use crate::platform::download::{Download, Received};
use crate::platform::exchange::{Answer, Call};
use crate::platform::hosts::ApiHost;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

endpoints! {
    UploadMedia => UploadedMedia {
        call: Post "/cgi-bin/media/upload",
        page: "新增临时素材",
        send: (UploadMedia::outgoing),
        check: |request: &UploadMedia| request.kind.check_temporary(&request.media),
        quota: "media_upload",
        moves_a_file: true,
        codes: [40004, 40005, 40006, 40009, 40010, 40011, 40012, 41005, 44001, 45001, 45007],
        limits: "image: 10 MB png jpg gif; voice: 2 MB, 60 s, amr mp3; video: 10 MB mp4; thumb: 64 KB jpg; kept for 3 days",
    }
    GetMedia => Media {
        call: Get "/cgi-bin/media/get",
        page: "获取临时素材",
        send: query,
        check: |request: &GetMedia| request::given("media_id", &request.media_id),
        quota: "media_download",
        moves_a_file: true,
        codes: [40007, 41006, 46001],
        limits: "of a video the address is given, which wants no token",
    }
    GetVoice => Download {
        call: Get "/cgi-bin/media/get/jssdk",
        page: "获取高清语音素材",
        send: query,
        check: |request: &GetVoice| request::given("media_id", &request.media_id),
        moves_a_file: true,
        codes: [40007],
        limits: "what the JS-SDK uploaded: speex, 16 kHz",
    }
    UploadArticleImage => UploadedImage {
        call: Post "/cgi-bin/media/uploadimg",
        page: "上传图文消息图片",
        send: (|request: &UploadArticleImage| request.media.outgoing(None)),
        check: |request: &UploadArticleImage| request.media.check(MIB - 1, &["jpg", "jpeg", "png"]),
        moves_a_file: true,
        codes: [40005, 40009],
        limits: "less than 1 MB; jpg png; not counted in the library",
    }
}

/// What a file is to the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaKind {
    /// A picture.
    Image,
    /// A voice message.
    Voice,
    /// A video.
    Video,
    /// The small picture that stands for a video or a piece of music.
    Thumb,
}

impl MediaKind {
    /// The platform's word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Voice => "voice",
            Self::Video => "video",
            Self::Thumb => "thumb",
        }
    }

    /// Bytes that such a file has at most. The platform may refuse pictures of more than 2 MB: its
    /// page names both figures.
    pub const fn max_bytes(self) -> u64 {
        match self {
            Self::Image | Self::Video => 10 * MIB,
            Self::Voice => 2 * MIB,
            Self::Thumb => 64 * KIB,
        }
    }

    fn check_temporary(self, media: &Upload) -> Result<(), RequestError> {
        let extensions: &[&str] = match self {
            Self::Image => &["png", "jpeg", "jpg", "gif"],
            Self::Voice => &["amr", "mp3"],
            Self::Video => &["mp4"],
            Self::Thumb => &["jpg", "jpeg"],
        };
        media.check(self.max_bytes(), extensions)
    }

    pub(super) fn check_permanent(self, media: &Upload) -> Result<(), RequestError> {
        let extensions: &[&str] = match self {
            Self::Image => &["bmp", "png", "jpeg", "jpg", "gif"],
            Self::Voice => &["mp3", "wma", "wav", "amr"],
            Self::Video => &["mp4"],
            Self::Thumb => &["jpg", "jpeg"],
        };
        media.check(self.max_bytes(), extensions)
    }
}

/// Uploads a file for messages. It may be tried again: a file that arrives twice harms nobody, and
/// goes away by itself.
#[derive(Debug, Clone)]
pub struct UploadMedia {
    /// What it is.
    pub kind: MediaKind,
    /// The file.
    pub media: Upload,
}

impl UploadMedia {
    fn outgoing(&self) -> Result<Outgoing, RequestError> {
        let mut outgoing = self.media.outgoing(None)?;
        outgoing.query = vec![("type".into(), self.kind.name().to_owned())];
        Ok(outgoing)
    }
}

/// A file that messages can carry for 3 days.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct UploadedMedia {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: MediaKind,
    /// Its name in messages. Of a thumb the platform calls it `thumb_media_id`.
    #[serde(alias = "thumb_media_id")]
    pub media_id: String,
    /// When it was uploaded, in Unix seconds: it lives for 3 days from then.
    pub created_at: i64,
}

/// Asks for a file, also for one that a user sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GetMedia {
    /// Its name.
    pub media_id: String,
}

/// What stands behind a name.
#[derive(Debug)]
pub enum Media {
    /// A file, to be read as it comes.
    File(Download),
    /// A video: its address, for [`Api::video`].
    Video {
        /// The address. Whoever has it can see the video.
        video_url: String,
    },
}

impl FromAnswer for Media {
    const MAY_BE_A_FILE: bool = true;

    fn read(received: Received) -> Result<Self, CallError> {
        #[derive(Deserialize)]
        struct Video {
            video_url: String,
        }
        Ok(match received {
            Received::File(file) => Self::File(file),
            json @ Received::Json(_) => {
                let answer = Answer::read(json)?;
                let Video { video_url } = FromAnswer::read(Received::Json(answer))?;
                Self::Video { video_url }
            }
        })
    }
}

/// Asks for a voice message that the JS-SDK uploaded, in the better of its two qualities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GetVoice {
    /// Its name.
    pub media_id: String,
}

/// Uploads a picture for the text of articles, where no others are shown.
#[derive(Debug, Clone)]
pub struct UploadArticleImage {
    /// The picture.
    pub media: Upload,
}

/// A picture for the text of articles.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct UploadedImage {
    /// Its address.
    pub url: String,
}

impl Api {
    /// Fetches a video from the address that the platform gave. No access token goes there. An address
    /// of plain http is asked for by https, unless the platform itself is a stand-in on plain http.
    ///
    /// # Errors
    /// [`CallError::Request`] when the address is none; else as [`Api::call`].
    pub async fn video(&self, video_url: &str) -> Result<Download, CallError> {
        let fault = |text: String| RequestError::new("video_url", text);
        let no_address = || fault("is no address".to_owned());
        request::given("video_url", video_url)?;
        let (scheme, rest) = video_url.split_once("://").ok_or_else(no_address)?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let scheme = match self.0.platform.stand_in() {
            Some(_) => scheme,
            None => "https",
        };
        let host = ApiHost::parse(&format!("{scheme}://{authority}"));
        let host = host.map_err(|_| no_address())?;
        let path = path.split('#').next().unwrap_or_default();
        let path = match path.starts_with('/') {
            true => path.to_owned(),
            false => format!("/{path}"),
        };
        self.fetch(&host, Call::get(path)).await
    }

    /// Fetches a file from a host that wants no token.
    pub(super) async fn fetch(&self, host: &ApiHost, call: Call) -> Result<Download, CallError> {
        let call = Call {
            timeout: self.0.settings.media_timeout,
            ..call
        };
        Download::read(self.0.platform.fetch(host, &call).await?)
    }
}
