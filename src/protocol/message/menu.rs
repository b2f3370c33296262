//! A question with answers to tap.

use serde::Serialize;

use crate::protocol::message::error::{optional, required};
use crate::protocol::message::media::is_none;
use crate::protocol::message::{MessageError, Words};

/// Answers of a menu message; beyond the platform answers 45098. This and the limits beside it are those
/// published for the same message of 微信客服; the service account's page gives none.
pub const MAX_MENU_ITEMS: usize = 10;
/// Bytes of what one answer says; beyond the platform answers 45099.
pub const MAX_MENU_ITEM_BYTES: usize = 128;
/// Bytes of an answer's id.
pub const MAX_MENU_ID_BYTES: usize = 64;
/// Bytes of the text above the answers, and of the one below.
pub const MAX_MENU_FRAME_BYTES: usize = 1024;

/// A question with answers to tap. The tapped one comes back as a text message that says what it said,
/// with its id in `bizmsgmenuid`.
///
/// ```
/// use wxhook::protocol::message::MsgMenu;
///
/// let menu = MsgMenu::new()
///     .head("满意吗？")
///     .item("101", "满意")
///     .item("102", "不满意")
///     .tail("谢谢");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct MsgMenu {
    /// What stands above the answers.
    #[serde(rename = "head_content", skip_serializing_if = "is_none")]
    pub head: Option<Words>,
    /// The answers, in order.
    #[serde(rename = "list")]
    pub items: Vec<MenuItem>,
    /// What stands below the answers.
    #[serde(rename = "tail_content", skip_serializing_if = "is_none")]
    pub tail: Option<Words>,
}

/// An answer to tap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MenuItem {
    /// What comes back in `bizmsgmenuid`.
    pub id: Words,
    /// What the user reads and, by tapping, says.
    pub content: Words,
}

impl MsgMenu {
    /// A menu without answers, which is none yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a text above the answers.
    #[must_use]
    pub fn head(mut self, content: impl Into<String>) -> Self {
        self.head = Some(Words::new(content));
        self
    }

    /// With one more answer.
    #[must_use]
    pub fn item(mut self, id: impl Into<String>, content: impl Into<String>) -> Self {
        self.items.push(MenuItem {
            id: Words::new(id),
            content: Words::new(content),
        });
        self
    }

    /// With a text below the answers.
    #[must_use]
    pub fn tail(mut self, content: impl Into<String>) -> Self {
        self.tail = Some(Words::new(content));
        self
    }

    pub(super) fn check(&self) -> Result<(), MessageError> {
        let field = "the menu's list";
        optional(
            "the menu's head_content",
            self.head.as_ref(),
            MAX_MENU_FRAME_BYTES,
        )?;
        match self.items.len() {
            0 => return Err(MessageError::Empty { field }),
            count if count > MAX_MENU_ITEMS => {
                return Err(MessageError::TooMany {
                    field,
                    count,
                    limit: MAX_MENU_ITEMS,
                });
            }
            _ => {}
        }
        for item in &self.items {
            required("a menu item's id", &item.id, MAX_MENU_ID_BYTES)?;
            required("a menu item's content", &item.content, MAX_MENU_ITEM_BYTES)?;
        }
        optional(
            "the menu's tail_content",
            self.tail.as_ref(),
            MAX_MENU_FRAME_BYTES,
        )
    }
}
