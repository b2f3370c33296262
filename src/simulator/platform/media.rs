//! Temporary media: uploaded, good for three days, downloaded.

use std::collections::HashMap;
use std::collections::VecDeque;

use bytes::Bytes;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;

use super::Answer;
use super::Call;
use super::Platform;
use super::answer::Refusal;
use super::endpoint::Endpoint;
use super::endpoint::Handled;
use super::endpoint::Method;
use super::endpoint::Visit;
use super::endpoint::get;
use super::endpoint::open;
use super::endpoint::post;
use super::multipart;
use super::quota::QuotaRow;
use crate::clock::Timestamp;

pub(super) const ENDPOINTS: &[Endpoint] = &[
    post("/cgi-bin/media/upload", upload).counted(QuotaRow::MediaUpload),
    get("/cgi-bin/media/get", download).counted(QuotaRow::MediaDownload),
    get("/cgi-bin/media/get/jssdk", download_voice),
    post("/cgi-bin/media/uploadimg", upload_image),
    open(Method::Get, VIDEO_PATH, video),
];

/// Where videos lie: on the platform that is another host, which wants no access_token.
const VIDEO_PATH: &str = "/mmvideo/play";

/// Seconds that temporary media live.
pub const MEDIA_SECONDS: i64 = 3 * 24 * 3600;

/// Bytes of temporary media that are kept for an account; the oldest go first.
const MAX_KEPT_BYTES: usize = 256 * 1024 * 1024;

/// What a file is to the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MediaKind {
    /// A picture.
    Image,
    /// A recording.
    Voice,
    /// A film.
    Video,
    /// A small picture that stands for something larger.
    Thumb,
}

impl MediaKind {
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "image" => Some(Self::Image),
            "voice" => Some(Self::Voice),
            "video" => Some(Self::Video),
            "thumb" => Some(Self::Thumb),
            _ => None,
        }
    }

    /// Bytes that such a file may have, and the code of a larger one.
    const fn limit(self) -> (usize, i64) {
        match self {
            Self::Image => (10 * 1024 * 1024, 40009),
            Self::Voice => (2 * 1024 * 1024, 40010),
            Self::Video => (10 * 1024 * 1024, 40011),
            Self::Thumb => (64 * 1024, 40012),
        }
    }
}

/// A file as it was uploaded.
#[derive(Debug, Clone)]
pub(super) struct Upload {
    pub(super) file_name: String,
    /// In lower case, without the dot.
    extension: String,
    pub(super) content: Bytes,
}

impl Upload {
    /// The part named `media`, which must have a file name and a content; 41005 otherwise.
    pub(super) fn of(call: &Call) -> Result<Self, Refusal> {
        let parts = multipart::parts(call).ok_or(Refusal::code(41005))?;
        let media = parts.into_iter().find(|part| part.name == "media");
        let media = media.ok_or(Refusal::code(41005))?;
        let file_name = media.file_name.filter(|name| !name.is_empty());
        let file_name = file_name.ok_or(Refusal::code(41005))?;
        if media.content.is_empty() {
            return Err(Refusal::code(41005));
        }
        let (_, extension) = file_name.rsplit_once('.').ok_or(Refusal::code(40005))?;
        Ok(Self {
            extension: extension.to_ascii_lowercase(),
            // A copy: a slice would keep the whole body alive.
            content: Bytes::copy_from_slice(&media.content),
            file_name,
        })
    }

    pub(super) fn check(&self, kind: MediaKind, extensions: &[&str]) -> Result<(), Refusal> {
        if !extensions.contains(&self.extension.as_str()) {
            return Err(Refusal::code(40005));
        }
        let (most, code) = kind.limit();
        match self.content.len() {
            length if length > most => Err(Refusal::code(code)),
            _ => Ok(()),
        }
    }

    pub(super) fn content_type(&self) -> &'static str {
        match self.extension.as_str() {
            "jpg" | "jpeg" => "image/jpeg",
            "png" => "image/png",
            "gif" => "image/gif",
            "bmp" => "image/bmp",
            "mp3" => "audio/mpeg",
            "amr" => "audio/amr",
            "wma" => "audio/x-ms-wma",
            "wav" => "audio/wav",
            "mp4" => "video/mp4",
            _ => "application/octet-stream",
        }
    }
}

#[derive(Debug)]
struct Kept {
    kind: MediaKind,
    upload: Upload,
    until_seconds: i64,
}

/// The temporary media of one account.
#[derive(Debug, Default)]
pub(super) struct Media {
    kept: HashMap<String, Kept>,
    /// Oldest first, which is also the order in which they end.
    order: VecDeque<String>,
    bytes: usize,
}

impl Media {
    fn keep(&mut self, now: Timestamp, id: String, kind: MediaKind, upload: Upload) {
        self.forget(now);
        self.bytes += upload.content.len();
        while self.bytes > MAX_KEPT_BYTES && self.drop_oldest() {}
        self.order.push_back(id.clone());
        let until_seconds = now.seconds() + MEDIA_SECONDS;
        let kept = Kept {
            kind,
            upload,
            until_seconds,
        };
        self.kept.insert(id, kept);
    }

    fn forget(&mut self, now: Timestamp) {
        let ended = |id: &String| {
            let kept = self.kept.get(id);
            kept.is_none_or(|kept| kept.until_seconds <= now.seconds())
        };
        let ended = self.order.iter().take_while(|id| ended(id)).count();
        for _ in 0..ended {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) -> bool {
        let Some(oldest) = self.order.pop_front() else {
            return false;
        };
        let kept = self.kept.remove(&oldest);
        self.bytes -= kept.map_or(0, |kept| kept.upload.content.len());
        true
    }

    /// What is still good under this id.
    fn find(&self, now: Timestamp, id: &str) -> Option<&Kept> {
        let kept = self.kept.get(id);
        kept.filter(|kept| now.seconds() < kept.until_seconds)
    }

    pub(super) fn kind_of(&self, now: Timestamp, id: &str) -> Option<MediaKind> {
        self.find(now, id).map(|kept| kept.kind)
    }

    pub(super) fn view(&self, now: Timestamp) -> Vec<Value> {
        let good = self.order.iter().filter_map(|id| {
            let kept = self.find(now, id)?;
            Some(json!({
                "media_id": id,
                "type": kept.kind,
                "file_name": kept.upload.file_name,
                "bytes": kept.upload.content.len(),
                "until": kept.until_seconds,
            }))
        });
        good.collect()
    }
}

/// An id as media have: letters, digits, `-` and `_`.
pub(super) fn made_up_id(visit: &mut Visit<'_>) -> String {
    visit.random.letters(43)
}

/// Extensions that temporary files of a kind may have.
const fn temporary_extensions(kind: MediaKind) -> &'static [&'static str] {
    match kind {
        MediaKind::Image => &["png", "jpeg", "jpg", "gif"],
        MediaKind::Voice => &["amr", "mp3"],
        MediaKind::Video => &["mp4"],
        MediaKind::Thumb => &["jpg", "jpeg"],
    }
}

/// `POST /cgi-bin/media/upload`
fn upload(visit: &mut Visit<'_>) -> Handled {
    let kind = visit.call.parameter("type");
    let kind = kind.and_then(|kind| MediaKind::named(&kind));
    let kind = kind.ok_or(Refusal::code(40004))?;
    let upload = Upload::of(visit.call)?;
    upload.check(kind, temporary_extensions(kind))?;
    let id = made_up_id(visit);
    let mut made = json!({ "type": kind, "created_at": visit.now.seconds() });
    // A thumbnail's id has another name than those of all others.
    let member = match kind {
        MediaKind::Thumb => "thumb_media_id",
        _ => "media_id",
    };
    made[member] = id.as_str().into();
    visit.state.media.keep(visit.now, id, kind, upload);
    Ok(Answer::json(made.to_string()))
}

/// `GET /cgi-bin/media/get`: the bytes, except for a video, of which the address is told.
fn download(visit: &mut Visit<'_>) -> Handled {
    let id = visit.call.parameter("media_id");
    let id = id.ok_or(Refusal::code(41006))?;
    let kept = visit.state.media.find(visit.now, &id);
    let kept = kept.ok_or_else(|| media_refusal(visit, 40007))?;
    if kept.kind == MediaKind::Video {
        let url = video_url(visit.call, &id);
        return Ok(Answer::json(json!({ "video_url": url }).to_string()));
    }
    Ok(file(&id, &kept.upload))
}

fn media_refusal(visit: &Visit<'_>, code: i64) -> Refusal {
    match visit.settings.media_errors_as_text {
        true => Refusal::code(code).in_plain_text(),
        false => Refusal::code(code),
    }
}

/// `GET /cgi-bin/media/get/jssdk`: voices alone.
fn download_voice(visit: &mut Visit<'_>) -> Handled {
    let id = visit.call.parameter("media_id");
    let id = id.ok_or(Refusal::code(41006))?;
    let kept = visit.state.media.find(visit.now, &id);
    let voice = kept.filter(|kept| kept.kind == MediaKind::Voice);
    let voice = voice.ok_or_else(|| media_refusal(visit, 40007))?;
    Ok(Answer::file(
        "audio/speex",
        &format!("{id}.speex"),
        voice.upload.content.clone(),
    ))
}

/// A file as it is downloaded: under a name that is none of its own.
pub(super) fn file(id: &str, upload: &Upload) -> Answer {
    let name = format!("{id}.{}", upload.extension);
    Answer::file(upload.content_type(), &name, upload.content.clone())
}

/// Where a video can be got, on the host that was called.
pub(super) fn video_url(call: &Call, id: &str) -> String {
    format!("http://{}{VIDEO_PATH}?vid={id}", call.host)
}

/// The host of the videos: an access_token has no business there.
fn video(platform: &mut Platform, now: Timestamp, call: &Call) -> Handled {
    if call.parameter("access_token").is_some() {
        return Ok(Answer::forbidden());
    }
    let id = call.parameter("vid").unwrap_or_default();
    let temporary = |state: &super::state::State| {
        let kept = state.media.find(now, &id)?;
        (kept.kind == MediaKind::Video).then(|| file(&id, &kept.upload))
    };
    let found = platform
        .states
        .iter()
        .find_map(|state| temporary(state).or_else(|| state.library.video(&id)));
    Ok(found.unwrap_or_else(Answer::not_found))
}

/// Bytes of a picture for articles: fewer than this.
pub const MAX_ARTICLE_IMAGE_BYTES: usize = 1024 * 1024;

/// `POST /cgi-bin/media/uploadimg`: a picture that articles may show; it is not counted in the library.
fn upload_image(visit: &mut Visit<'_>) -> Handled {
    let upload = Upload::of(visit.call)?;
    upload.check(MediaKind::Image, &["jpg", "jpeg", "png"])?;
    if upload.content.len() >= MAX_ARTICLE_IMAGE_BYTES {
        return Err(Refusal::code(40009));
    }
    let name = visit.random.letters(60);
    let url = format!(
        "http://mmbiz.qpic.cn/mmbiz/{name}/0?wx_fmt={}",
        upload.extension
    );
    Ok(Answer::json(json!({ "url": url }).to_string()))
}

/// The address at which a permanent picture can be seen, within WeChat alone.
pub(super) fn picture_url(visit: &mut Visit<'_>, upload: &Upload) -> String {
    let name = visit.random.letters(60);
    let extension = &upload.extension;
    format!("http://mmbiz.qpic.cn/mmbiz_{extension}/{name}/0?wx_fmt={extension}")
}
