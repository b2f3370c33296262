//! The types of buttons, and what each one needs.

/// A `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Pushes the event `CLICK` with the key.
    Click,
    /// Opens a page, and pushes the event `VIEW`.
    View,
    /// Scans a code, shows the result, and pushes `scancode_push`.
    ScancodePush,
    /// Scans a code and pushes `scancode_waitmsg`, whose answer the user waits for.
    ScancodeWaitmsg,
    /// Takes a photograph.
    PicSysphoto,
    /// Takes a photograph, or picks one.
    PicPhotoOrAlbum,
    /// Picks pictures.
    PicWeixin,
    /// Picks a place on the map.
    LocationSelect,
    /// Sends a permanent material: a picture, a voice, a video; nothing is pushed.
    MediaId,
    /// Sends a published article as a card.
    ArticleId,
    /// Opens a published article.
    ArticleViewLimited,
    /// Opens an article of the old material library.
    ViewLimited,
    /// Opens a mini program, or the page where that cannot be.
    MiniProgram,
}

impl Kind {
    /// Every type.
    pub const ALL: [Self; 13] = [
        Self::Click,
        Self::View,
        Self::ScancodePush,
        Self::ScancodeWaitmsg,
        Self::PicSysphoto,
        Self::PicPhotoOrAlbum,
        Self::PicWeixin,
        Self::LocationSelect,
        Self::MediaId,
        Self::ArticleId,
        Self::ArticleViewLimited,
        Self::ViewLimited,
        Self::MiniProgram,
    ];

    /// The platform's word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Click => "click",
            Self::View => "view",
            Self::ScancodePush => "scancode_push",
            Self::ScancodeWaitmsg => "scancode_waitmsg",
            Self::PicSysphoto => "pic_sysphoto",
            Self::PicPhotoOrAlbum => "pic_photo_or_album",
            Self::PicWeixin => "pic_weixin",
            Self::LocationSelect => "location_select",
            Self::MediaId => "media_id",
            Self::ArticleId => "article_id",
            Self::ArticleViewLimited => "article_view_limited",
            Self::ViewLimited => "view_limited",
            Self::MiniProgram => "miniprogram",
        }
    }

    /// The members that a button of this type must have, and it has no others.
    pub const fn members(self) -> &'static [&'static str] {
        match self {
            Self::Click
            | Self::ScancodePush
            | Self::ScancodeWaitmsg
            | Self::PicSysphoto
            | Self::PicPhotoOrAlbum
            | Self::PicWeixin
            | Self::LocationSelect => &["key"],
            Self::View => &["url"],
            Self::MediaId | Self::ViewLimited => &["media_id"],
            Self::ArticleId | Self::ArticleViewLimited => &["article_id"],
            Self::MiniProgram => &["url", "appid", "pagepath"],
        }
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}
