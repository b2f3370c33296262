//! The library: permanent pictures, recordings and films.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use serde_json::json;

use super::Answer;
use super::answer::Refusal;
use super::endpoint::Endpoint;
use super::endpoint::Handled;
use super::endpoint::Visit;
use super::endpoint::get;
use super::endpoint::number;
use super::endpoint::post;
use super::endpoint::text;
use super::media;
use super::media::MediaKind;
use super::media::Upload;
use super::multipart;

pub(super) const ENDPOINTS: &[Endpoint] = &[
    post("/cgi-bin/material/add_material", add),
    post("/cgi-bin/material/get_material", show),
    post("/cgi-bin/material/del_material", delete),
    post("/cgi-bin/material/batchget_material", list),
    get("/cgi-bin/material/get_materialcount", count),
];

/// How much a library holds: 45074 beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LibraryLimits {
    /// Pictures.
    pub images: usize,
    /// Files of each other kind.
    pub others: usize,
    /// Bytes of all files together. The platform names no such limit; this process has one.
    pub bytes: usize,
}

impl Default for LibraryLimits {
    fn default() -> Self {
        Self {
            images: 100_000,
            others: 1_000,
            bytes: 256 * 1024 * 1024,
        }
    }
}

#[derive(Debug)]
struct Material {
    kind: MediaKind,
    upload: Upload,
    url: Option<String>,
    description: Option<Description>,
    added_seconds: i64,
}

/// What stands beside a film.
#[derive(Debug, Deserialize)]
struct Description {
    title: String,
    introduction: String,
}

/// The permanent material of one account.
#[derive(Debug)]
pub(super) struct Library {
    limits: LibraryLimits,
    /// By the order of adding.
    kept: BTreeMap<u64, (String, Material)>,
    added: u64,
    bytes: usize,
}

impl Library {
    pub(super) fn new(limits: LibraryLimits) -> Self {
        Self {
            limits,
            kept: BTreeMap::new(),
            added: 0,
            bytes: 0,
        }
    }

    fn count(&self, kind: MediaKind) -> usize {
        let of_kind = |material: &&(String, Material)| material.1.kind == kind;
        self.kept.values().filter(of_kind).count()
    }

    fn check_room(&self, kind: MediaKind, bytes: usize) -> Result<(), Refusal> {
        let most = match kind {
            MediaKind::Image => self.limits.images,
            _ => self.limits.others,
        };
        match self.count(kind) >= most || self.bytes + bytes > self.limits.bytes {
            true => Err(Refusal::code(45074)),
            false => Ok(()),
        }
    }

    fn keep(&mut self, id: String, material: Material) {
        self.added += 1;
        self.bytes += material.upload.content.len();
        self.kept.insert(self.added, (id, material));
    }

    fn find(&self, id: &str) -> Option<&Material> {
        let all = self.kept.values();
        let mut same = all
            .filter(|(own, _)| own == id)
            .map(|(_, material)| material);
        same.next()
    }

    fn remove(&mut self, id: &str) -> bool {
        let place = self
            .kept
            .iter()
            .find(|(_, (own, _))| own == id)
            .map(|(place, _)| *place);
        let removed = place.and_then(|place| self.kept.remove(&place));
        if let Some((_, material)) = &removed {
            self.bytes -= material.upload.content.len();
        }
        removed.is_some()
    }

    pub(super) fn kind_of(&self, id: &str) -> Option<MediaKind> {
        self.find(id).map(|material| material.kind)
    }

    /// The film under this id, for whoever knows its address.
    pub(super) fn video(&self, id: &str) -> Option<Answer> {
        let film = self.find(id)?;
        (film.kind == MediaKind::Video).then(|| media::file(id, &film.upload))
    }

    pub(super) fn view(&self) -> Vec<Value> {
        let all = self.kept.values().map(|(id, material)| {
            json!({
                "media_id": id,
                "type": material.kind,
                "file_name": material.upload.file_name,
                "bytes": material.upload.content.len(),
                "url": material.url,
            })
        });
        all.collect()
    }
}

/// Extensions that permanent files of a kind may have.
const fn extensions(kind: MediaKind) -> &'static [&'static str] {
    match kind {
        MediaKind::Image => &["bmp", "png", "jpeg", "jpg", "gif"],
        MediaKind::Voice => &["mp3", "wma", "wav", "amr"],
        MediaKind::Video => &["mp4"],
        MediaKind::Thumb => &["jpg", "jpeg"],
    }
}

/// `POST /cgi-bin/material/add_material`: a film needs its title and introduction beside it.
fn add(visit: &mut Visit<'_>) -> Handled {
    let kind = visit.call.parameter("type");
    let kind = kind.and_then(|kind| MediaKind::named(&kind));
    let kind = kind.ok_or(Refusal::code(40004))?;
    let upload = Upload::of(visit.call)?;
    upload.check(kind, extensions(kind))?;
    let description = match kind {
        MediaKind::Video => Some(description_in(visit)?),
        _ => None,
    };
    let library = &visit.state.library;
    library.check_room(kind, upload.content.len())?;
    let id = media::made_up_id(visit);
    let mut added = json!({ "media_id": id });
    let url = match kind {
        MediaKind::Image | MediaKind::Thumb => Some(media::picture_url(visit, &upload)),
        _ => None,
    };
    if let Some(url) = &url {
        added["url"] = url.as_str().into();
    }
    let material = Material {
        kind,
        upload,
        url,
        description,
        added_seconds: visit.now.seconds(),
    };
    visit.state.library.keep(id, material);
    Ok(Answer::json(added.to_string()))
}

fn description_in(visit: &Visit<'_>) -> Result<Description, Refusal> {
    let parts = multipart::parts(visit.call).unwrap_or_default();
    let description = parts.iter().find(|part| part.name == "description");
    let description = description.ok_or(Refusal::code(47001))?;
    serde_json::from_slice(&description.content).map_err(|_| Refusal::code(47001))
}

/// `POST /cgi-bin/material/get_material`: the bytes, except for a film.
fn show(visit: &mut Visit<'_>) -> Handled {
    let request = visit.json()?;
    let id = text(&request, "media_id").ok_or(Refusal::code(40007))?;
    let material = visit.state.library.find(id);
    let material = material.ok_or(Refusal::code(40007))?;
    match &material.description {
        Some(description) => {
            let film = json!({
                "title": description.title,
                "description": description.introduction,
                "down_url": media::video_url(visit.call, id),
            });
            Ok(Answer::json(film.to_string()))
        }
        None => Ok(media::file(id, &material.upload)),
    }
}

/// `POST /cgi-bin/material/del_material`
fn delete(visit: &mut Visit<'_>) -> Handled {
    let request = visit.json()?;
    let id = text(&request, "media_id").ok_or(Refusal::code(40007))?;
    match visit.state.library.remove(id) {
        true => Ok(Answer::ok()),
        false => Err(Refusal::code(40007)),
    }
}

/// The part of a list that `offset` and `count` ask for, newest first as the platform lists.
pub(super) fn page_of<T>(
    request: &Value,
    newest_first: impl Iterator<Item = T>,
) -> Result<Vec<T>, Refusal> {
    let offset = number(request, "offset").unwrap_or(0);
    let offset = usize::try_from(offset).map_err(|_| Refusal::code(45164))?;
    let count = number(request, "count").filter(|count| (1..=20).contains(count));
    let count = count.ok_or(Refusal::code(45165))?;
    let count = usize::try_from(count).unwrap_or(0);
    Ok(newest_first.skip(offset).take(count).collect())
}

/// `POST /cgi-bin/material/batchget_material`
fn list(visit: &mut Visit<'_>) -> Handled {
    let request = visit.json()?;
    let kind = match text(&request, "type") {
        Some("news") => return Ok(listed(0, Vec::new())),
        Some(name @ ("image" | "voice" | "video")) => MediaKind::named(name),
        _ => None,
    };
    let kind = kind.ok_or(Refusal::code(40004))?;
    let library = &visit.state.library;
    let newest_first = library.kept.values().rev();
    let items = newest_first
        .filter(|(_, material)| material.kind == kind)
        .map(|(id, material)| {
            let mut item = json!({
                "media_id": id,
                "name": material.upload.file_name,
                "update_time": material.added_seconds,
            });
            if let Some(url) = &material.url {
                item["url"] = url.as_str().into();
            }
            item
        });
    let items = page_of(&request, items)?;
    Ok(listed(library.count(kind), items))
}

/// A page of a list, as all lists of material and articles are written.
pub(super) fn listed(total: usize, items: Vec<Value>) -> Answer {
    let page = json!({ "total_count": total, "item_count": items.len(), "item": items });
    Answer::json(page.to_string())
}

/// `GET /cgi-bin/material/get_materialcount`
fn count(visit: &mut Visit<'_>) -> Handled {
    let library = &visit.state.library;
    let counts = json!({
        "voice_count": library.count(MediaKind::Voice),
        "video_count": library.count(MediaKind::Video),
        "image_count": library.count(MediaKind::Image),
        "news_count": 0,
    });
    Ok(Answer::json(counts.to_string()))
}
