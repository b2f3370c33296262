//! Taps on the custom menu (自定义菜单).

use serde::Serialize;

use crate::protocol::push::Fields;

/// A user tapped a button of type `click`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Click {
    /// The button's key. Menus made in the console have generated ones, like `rselfmenu_2_2`.
    pub key: String,
}

impl Click {
    pub(super) fn read(fields: &Fields) -> Self {
        Self {
            key: fields.get("EventKey").unwrap_or_default().to_owned(),
        }
    }
}
