//! Whether what a call names exists: media of the right kind, articles.

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;

use super::answer::Refusal;
use super::endpoint::Visit;
use super::endpoint::text;
use super::media::MediaKind;

/// Whether media and articles that a call names are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum References {
    /// As on the platform: 40007 for media that do not exist or have ended, 40004 for those of another
    /// kind, 53600 for articles that do not exist.
    Checked,
    /// Any id is taken: for tests of what is said, without uploading anything first.
    #[default]
    Unchecked,
}

/// Checks every id in a customer message.
pub(super) fn message(visit: &Visit<'_>, kind: &str, message: &Value) -> Result<(), Refusal> {
    use MediaKind::Image;
    use MediaKind::Thumb;
    use MediaKind::Video;
    use MediaKind::Voice;
    let branch = &message[kind];
    let media = |member: &str, kinds: &[MediaKind]| {
        text(branch, member).map_or(Ok(()), |id| medium(visit, id, kinds))
    };
    match kind {
        "image" => media("media_id", &[Image]),
        "voice" => media("media_id", &[Voice]),
        "video" => {
            media("media_id", &[Video])?;
            media("thumb_media_id", &[Thumb, Image])
        }
        "music" | "miniprogrampage" => media("thumb_media_id", &[Thumb, Image]),
        "mpnews" => text(branch, "media_id").map_or(Ok(()), |id| draft(visit, id)),
        "mpnewsarticle" => text(branch, "article_id").map_or(Ok(()), |id| article(visit, id)),
        _ => Ok(()),
    }
}

/// Temporary or permanent media of one of these kinds.
pub(super) fn medium(visit: &Visit<'_>, id: &str, kinds: &[MediaKind]) -> Result<(), Refusal> {
    if visit.settings.references == References::Unchecked {
        return Ok(());
    }
    let temporary = visit.state.media.kind_of(visit.now, id);
    let kind = temporary.or_else(|| visit.state.library.kind_of(id));
    match kind {
        None => Err(Refusal::code(40007)),
        Some(kind) if kinds.contains(&kind) => Ok(()),
        Some(_) => Err(Refusal::code(40004)),
    }
}

/// A draft that was not published or sent yet.
pub(super) fn draft(visit: &Visit<'_>, id: &str) -> Result<(), Refusal> {
    let exists = visit.state.drafts.has(id);
    match exists || visit.settings.references == References::Unchecked {
        true => Ok(()),
        false => Err(Refusal::code(40007)),
    }
}

/// An article that is published.
pub(super) fn article(visit: &Visit<'_>, id: &str) -> Result<(), Refusal> {
    let exists = visit.state.publications.has(id);
    match exists || visit.settings.references == References::Unchecked {
        true => Ok(()),
        false => Err(Refusal::code(53600)),
    }
}

/// Something in the library.
pub(super) fn permanent(visit: &Visit<'_>, id: &str) -> Result<(), Refusal> {
    let exists = visit.state.library.kind_of(id).is_some();
    match exists || visit.settings.references == References::Unchecked {
        true => Ok(()),
        false => Err(Refusal::code(40007)),
    }
}
