//! Pictures, voices, videos and music, by the ids of uploaded media.

use serde::Serialize;

use crate::protocol::message::error::{MAX_FIELD_BYTES, given, optional, required};
use crate::protocol::message::{Channel, MessageError, Words};

/// A picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Image {
    /// The id of a temporary or permanent image. Animated pictures are no passive replies.
    pub media_id: Words,
}

impl Image {
    /// The picture with this id.
    pub fn new(media_id: impl Into<String>) -> Self {
        Self {
            media_id: Words::new(media_id),
        }
    }

    pub(super) fn check(&self) -> Result<(), MessageError> {
        required("the image's media_id", &self.media_id, MAX_FIELD_BYTES)
    }
}

/// A voice recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Voice {
    /// The id of a temporary or permanent recording.
    pub media_id: Words,
}

impl Voice {
    /// The recording with this id.
    pub fn new(media_id: impl Into<String>) -> Self {
        Self {
            media_id: Words::new(media_id),
        }
    }

    pub(super) fn check(&self) -> Result<(), MessageError> {
        required("the voice's media_id", &self.media_id, MAX_FIELD_BYTES)
    }
}

/// A video. As a customer message it needs a [`thumb`](Self::thumb), which a passive reply has no place for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Video {
    /// The id of the video. One uploaded just now may still be converted, and answers 46007.
    pub media_id: Words,
    /// The id of the picture shown before it plays.
    #[serde(skip_serializing_if = "is_none")]
    pub thumb_media_id: Option<Words>,
    /// Its title.
    #[serde(skip_serializing_if = "is_none")]
    pub title: Option<Words>,
    /// What it is about.
    #[serde(skip_serializing_if = "is_none")]
    pub description: Option<Words>,
}

impl Video {
    /// The video with this id.
    pub fn new(media_id: impl Into<String>) -> Self {
        Self {
            media_id: Words::new(media_id),
            thumb_media_id: None,
            title: None,
            description: None,
        }
    }

    /// With the picture of this id before it plays.
    #[must_use]
    pub fn thumb(mut self, media_id: impl Into<String>) -> Self {
        self.thumb_media_id = Some(Words::new(media_id));
        self
    }

    /// With a title.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(Words::new(title));
        self
    }

    /// With a description.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(Words::new(description));
        self
    }

    pub(super) fn check(&self, channel: Channel) -> Result<(), MessageError> {
        let thumb = self.thumb_media_id.as_ref();
        required("the video's media_id", &self.media_id, MAX_FIELD_BYTES)?;
        match channel {
            Channel::CustomerMessage => {
                given("the video's thumb_media_id", thumb, MAX_FIELD_BYTES)?;
            }
            Channel::PassiveReply(_) => {}
        }
        optional("the video's title", self.title.as_ref(), MAX_FIELD_BYTES)?;
        let description = self.description.as_ref();
        optional("the video's description", description, MAX_FIELD_BYTES)
    }
}

/// Music to play. As a customer message it needs title, description and URL; a passive reply can do with
/// its thumb alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Music {
    /// Its title.
    #[serde(skip_serializing_if = "is_none")]
    pub title: Option<Words>,
    /// What it is.
    #[serde(skip_serializing_if = "is_none")]
    pub description: Option<Words>,
    /// Where it is played from.
    #[serde(rename = "musicurl", skip_serializing_if = "is_none")]
    pub url: Option<Words>,
    /// Where it is played from on Wi-Fi.
    #[serde(rename = "hqmusicurl", skip_serializing_if = "is_none")]
    pub high_quality_url: Option<Words>,
    /// The id of its picture.
    pub thumb_media_id: Words,
}

impl Music {
    /// Music with the picture of this id.
    pub fn new(thumb_media_id: impl Into<String>) -> Self {
        Self {
            title: None,
            description: None,
            url: None,
            high_quality_url: None,
            thumb_media_id: Words::new(thumb_media_id),
        }
    }

    /// With a title.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(Words::new(title));
        self
    }

    /// With a description.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(Words::new(description));
        self
    }

    /// Played from here.
    #[must_use]
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(Words::new(url));
        self
    }

    /// Played from here on Wi-Fi.
    #[must_use]
    pub fn high_quality_url(mut self, url: impl Into<String>) -> Self {
        self.high_quality_url = Some(Words::new(url));
        self
    }

    pub(super) fn check(&self, channel: Channel) -> Result<(), MessageError> {
        // The official table of custom/send marks all three as required.
        let needed = match channel {
            Channel::CustomerMessage => given,
            Channel::PassiveReply(_) => optional,
        };
        needed("the music's title", self.title.as_ref(), MAX_FIELD_BYTES)?;
        let description = self.description.as_ref();
        needed("the music's description", description, MAX_FIELD_BYTES)?;
        needed("the music's musicurl", self.url.as_ref(), MAX_FIELD_BYTES)?;
        let high_quality = self.high_quality_url.as_ref();
        optional("the music's hqmusicurl", high_quality, MAX_FIELD_BYTES)?;
        let thumb = &self.thumb_media_id;
        required("the music's thumb_media_id", thumb, MAX_FIELD_BYTES)
    }
}

/// Whether there is nothing to write: an empty text says as much as none.
pub(super) fn is_none(words: &Option<Words>) -> bool {
    words.as_deref().is_none_or(str::is_empty)
}
