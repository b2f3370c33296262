//! QR codes that tell from which of them a user came (带参数的二维码).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::api::endpoint::endpoints;
use crate::api::{Api, CallError, RequestError, request};
use crate::platform::download::Download;
use crate::platform::exchange::Call;
use crate::platform::hosts::ApiHost;

/// Seconds that a temporary code lives at most: 30 days.
pub const MAX_EXPIRE_SECONDS: u32 = 2_592_000;

/// The largest number of a permanent code.
pub const MAX_PERMANENT_SCENE: u32 = 100_000;

/// Characters of the longest text of a code.
pub const MAX_SCENE_CHARACTERS: usize = 64;

endpoints! {
    CreateQr => QrCode {
        call: Post "/cgi-bin/qrcode/create",
        page: "生成带参数的二维码",
        send: json,
        check: CreateQr::limits,
        quota: "qr_create",
        codes: [40052, 40053, 45029],
        limits: "30 days; scene_id 1 to 100 000 of permanent ones, 32 bits of others; scene_str 1 to 64 characters; 100 000 permanent ones",
    }
}

/// What a code tells when it is scanned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scene {
    /// A number, not 0.
    Number(u32),
    /// A text of 1 to 64 characters.
    Text(String),
}

impl From<u32> for Scene {
    fn from(number: u32) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for Scene {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Scene {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// Makes a code. The same permanent one twice is one; a temporary one more costs nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CreateQr {
    #[serde(skip_serializing_if = "Option::is_none")]
    expire_seconds: Option<u32>,
    action_name: &'static str,
    action_info: ActionInfo,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct ActionInfo {
    scene: SceneInfo,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum SceneInfo {
    SceneId(u32),
    SceneStr(String),
}

impl CreateQr {
    /// A code that lives for so many seconds: at most [`MAX_EXPIRE_SECONDS`].
    pub fn temporary(scene: impl Into<Scene>, expire_seconds: u32) -> Self {
        Self::of(scene.into(), Some(expire_seconds))
    }

    /// A code that lives for ever. An account has 100 000 of them.
    pub fn permanent(scene: impl Into<Scene>) -> Self {
        Self::of(scene.into(), None)
    }

    fn of(scene: Scene, expire_seconds: Option<u32>) -> Self {
        let (action_name, scene) = match (scene, expire_seconds) {
            (Scene::Number(number), Some(_)) => ("QR_SCENE", SceneInfo::SceneId(number)),
            (Scene::Number(number), None) => ("QR_LIMIT_SCENE", SceneInfo::SceneId(number)),
            (Scene::Text(text), Some(_)) => ("QR_STR_SCENE", SceneInfo::SceneStr(text)),
            (Scene::Text(text), None) => ("QR_LIMIT_STR_SCENE", SceneInfo::SceneStr(text)),
        };
        Self {
            expire_seconds,
            action_name,
            action_info: ActionInfo { scene },
        }
    }

    fn limits(&self) -> Result<(), RequestError> {
        if let Some(seconds) = self.expire_seconds {
            let most = i64::from(MAX_EXPIRE_SECONDS);
            request::between("expire_seconds", i64::from(seconds), 1, most)?;
        }
        match (&self.action_info.scene, self.expire_seconds) {
            (SceneInfo::SceneId(number), None) => {
                let most = i64::from(MAX_PERMANENT_SCENE);
                request::between("scene_id", i64::from(*number), 1, most)
            }
            (SceneInfo::SceneId(number), Some(_)) => {
                request::between("scene_id", i64::from(*number), 1, i64::from(u32::MAX))
            }
            (SceneInfo::SceneStr(text), _) => {
                request::characters("scene_str", text, MAX_SCENE_CHARACTERS)
            }
        }
    }
}

/// A code.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct QrCode {
    /// With it [`Api::qr_image`] shows the code.
    pub ticket: String,
    /// Seconds that it lives; of a permanent one none are told.
    #[serde(default)]
    pub expire_seconds: Option<i64>,
    /// What the code says: for one's own picture of it.
    pub url: String,
}

impl fmt::Debug for QrCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QrCode")
            .field("ticket_bytes", &self.ticket.len())
            .field("expire_seconds", &self.expire_seconds)
            .field("url", &self.url)
            .finish()
    }
}

impl Api {
    /// The picture of a code: a JPEG. Wants no access token. A ticket that is none brings HTTP status
    /// 404.
    ///
    /// # Errors
    /// As [`Api::call`].
    pub async fn qr_image(&self, ticket: &str) -> Result<Download, CallError> {
        request::given("ticket", ticket)?;
        let call = Call {
            query: vec![("ticket".into(), ticket.to_owned())],
            ..Call::get("/cgi-bin/showqrcode")
        };
        let configured = self.0.settings.qr_host.as_ref();
        match configured.or(self.0.platform.stand_in()) {
            Some(host) => self.fetch(host, call).await,
            None => self.fetch(&ApiHost::of_qr_images(), call).await,
        }
    }
}
