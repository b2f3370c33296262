//! Cards of other products: coupons and mini programs.

use serde::Serialize;

use crate::protocol::message::error::{MAX_FIELD_BYTES, required};
use crate::protocol::message::{MessageError, Words};

/// A coupon or membership card (卡券). It must be usable and have no codes of the merchant's own; the
/// platform withdraws the product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct WxCard {
    /// The card's id.
    pub card_id: Words,
}

impl WxCard {
    /// The card with this id.
    pub fn new(card_id: impl Into<String>) -> Self {
        Self {
            card_id: Words::new(card_id),
        }
    }

    pub(super) fn check(&self) -> Result<(), MessageError> {
        required("the card_id", &self.card_id, MAX_FIELD_BYTES)
    }
}

/// A card that leads into a mini program, which must be linked with the account (40165, 40166). All four
/// members are required.
///
/// ```
/// use wxhook::protocol::message::MiniProgramPage;
///
/// let page = MiniProgramPage::new("wx0011", "pages/a?id=1")
///     .title("查看订单")
///     .thumb("T3");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MiniProgramPage {
    /// The card's title.
    pub title: Words,
    /// The mini program's AppID.
    pub appid: Words,
    /// The page that opens, with its query.
    #[serde(rename = "pagepath")]
    pub page_path: Words,
    /// The id of its picture; 520×416 looks best.
    pub thumb_media_id: Words,
}

impl MiniProgramPage {
    /// A card that opens this page of this mini program.
    pub fn new(appid: impl Into<String>, page_path: impl Into<String>) -> Self {
        Self {
            title: Words::default(),
            appid: Words::new(appid),
            page_path: Words::new(page_path),
            thumb_media_id: Words::default(),
        }
    }

    /// With a title.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Words::new(title);
        self
    }

    /// With the picture of this id.
    #[must_use]
    pub fn thumb(mut self, media_id: impl Into<String>) -> Self {
        self.thumb_media_id = Words::new(media_id);
        self
    }

    pub(super) fn check(&self) -> Result<(), MessageError> {
        for (field, words) in [
            ("the mini program card's title", &self.title),
            ("the mini program card's appid", &self.appid),
            ("the mini program card's pagepath", &self.page_path),
            (
                "the mini program card's thumb_media_id",
                &self.thumb_media_id,
            ),
        ] {
            required(field, words, MAX_FIELD_BYTES)?;
        }
        Ok(())
    }
}
