//! Files in and out, wherever the platform keeps them: for callers that know the place only when they
//! run, like the commands.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::api::endpoint::Endpoint as _;
use crate::api::material::{AddMaterial, GetMaterial, Material, VideoDescription};
use crate::api::media::{GetMedia, Media, MediaKind, UploadMedia};
use crate::api::{Api, CallError, RequestError, Upload};
use crate::id::AppId;
use crate::platform::download::Download;

/// Where a file is to be kept, and as what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PutOrder {
    /// What it is.
    pub(crate) kind: MediaKind,
    /// Its name; the extension says what it is.
    pub(crate) name: String,
    /// In the library (永久素材), not for three days (临时素材).
    #[serde(default)]
    pub(crate) permanent: bool,
    /// What a video of the library is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) title: Option<String>,
    /// A few words about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) introduction: Option<String>,
}

/// What is wanted of the platform as a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fetch {
    /// What was uploaded, or sent by a user.
    Media {
        /// Its name.
        media_id: String,
        /// Out of the library.
        permanent: bool,
    },
    /// The picture of a QR code.
    Qr {
        /// The code's ticket.
        ticket: String,
    },
}

impl PutOrder {
    fn description(&self) -> Option<VideoDescription> {
        let title = self.title.clone()?;
        let introduction = self.introduction.clone().unwrap_or_default();
        Some(VideoDescription {
            title,
            introduction,
        })
    }

    fn material(&self, media: Upload) -> AddMaterial {
        AddMaterial {
            kind: self.kind,
            media,
            description: self.description(),
        }
    }

    fn medium(&self, media: Upload) -> UploadMedia {
        let kind = self.kind;
        UploadMedia { kind, media }
    }

    /// Looks for what the platform could only refuse.
    pub(crate) fn check(&self, media: &Upload) -> Result<(), RequestError> {
        if !self.permanent && (self.title.is_some() || self.introduction.is_some()) {
            return Err(RequestError::new(
                "title",
                "goes with a video of the library alone",
            ));
        }
        match self.permanent {
            true => self.material(media.clone()).check(),
            false => self.medium(media.clone()).check(),
        }
    }
}

impl Api {
    /// Uploads a file, and tells what the platform calls it.
    pub(crate) async fn put(
        &self,
        account: &AppId,
        order: &PutOrder,
        media: Upload,
    ) -> Result<Value, CallError> {
        order.check(&media)?;
        if order.permanent {
            let added = self.call(account, &order.material(media)).await?;
            return Ok(json!({ "media_id": added.media_id, "url": added.url }));
        }
        let uploaded = self.call(account, &order.medium(media)).await?;
        Ok(json!({ "media_id": uploaded.media_id, "created_at": uploaded.created_at }))
    }

    /// Downloads a file; a video from the address that the platform tells.
    pub(crate) async fn fetched(
        &self,
        account: &AppId,
        wanted: &Fetch,
    ) -> Result<Download, CallError> {
        let video_url = match wanted.clone() {
            Fetch::Qr { ticket } => return self.qr_image(&ticket).await,
            Fetch::Media {
                media_id,
                permanent: false,
            } => match self.call(account, &GetMedia { media_id }).await? {
                Media::File(file) => return Ok(file),
                Media::Video { video_url } => video_url,
            },
            Fetch::Media {
                media_id,
                permanent: true,
            } => match self.call(account, &GetMaterial { media_id }).await? {
                Material::File(file) => return Ok(file),
                Material::Video { down_url, .. } => down_url,
                Material::News(_) => {
                    let fault = "articles, which are no file: print them with \
                                 `wxhook api post /cgi-bin/material/get_material`";
                    return Err(CallError::Answer {
                        fault: fault.into(),
                    });
                }
            },
        };
        self.video(&video_url).await
    }
}
