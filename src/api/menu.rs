//! Custom menus (自定义菜单): the calls, and buttons as the platform writes them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::api::endpoint::{Done, endpoints};
use crate::api::{RequestError, lenient, request};

/// Buttons of the lowest row, at most.
pub const MAX_BUTTONS: usize = 3;

/// Buttons behind one of them, at most.
pub const MAX_SUB_BUTTONS: usize = 5;

endpoints! {
    CreateMenu => Done {
        call: Post "/cgi-bin/menu/create",
        page: "创建自定义菜单",
        send: json,
        check: |request: &CreateMenu| buttons(&request.button),
        quota: "menu_create",
        codes: [40016, 40017, 40018, 40019, 40020, 40023, 40024, 40025, 40026, 40027, 40033, 40054, 40055, 40119, 40120, 45064, 65316, 65317, 65318, 65319],
        limits: "3 buttons, 5 behind each; name 16 and 60 bytes; key 128 bytes; url 1024 bytes; seen after 5 min at the latest",
    }
    GetMenu => Menus {
        call: Get "/cgi-bin/menu/get",
        page: "获取自定义菜单配置",
        send: nothing,
        quota: "menu_get",
        accepts: [46003],
    }
    CurrentSelfMenu => SelfMenu {
        call: Get "/cgi-bin/get_current_selfmenu_info",
        page: "查询自定义菜单信息",
        send: nothing,
        limits: "menus made in the console, too",
    }
    DeleteMenu => Done {
        call: Get "/cgi-bin/menu/delete",
        page: "删除自定义菜单",
        send: nothing,
        quota: "menu_delete",
        limits: "deletes all conditional menus, too",
    }
    AddConditionalMenu => ConditionalMenuId {
        call: Post "/cgi-bin/menu/addconditional",
        page: "创建个性化菜单",
        send: json,
        check: |request: &AddConditionalMenu| buttons(&request.button),
        quota: "menu_addconditional",
        repeat: Harmful,
        codes: [40007, 53600, 65301, 65303, 65304, 65305, 65306, 65307, 65308, 65309, 65316, 65317, 65320],
        limits: "wants a default menu; links to 3 domains in all; the newest that matches is shown",
    }
    DeleteConditionalMenu => Done {
        call: Post "/cgi-bin/menu/delconditional",
        page: "删除个性化菜单",
        send: json,
        check: |request: &DeleteConditionalMenu| request::given("menuid", &request.menuid),
        quota: "menu_delconditional",
        codes: [65301],
    }
    TryMenu => MatchedMenu {
        call: Post "/cgi-bin/menu/trymatch",
        page: "测试个性化菜单匹配结果",
        send: json,
        check: |request: &TryMenu| request::given("user_id", &request.user_id),
        quota: "menu_trymatch",
        codes: [65302],
    }
}

fn buttons(buttons: &[Button]) -> Result<(), RequestError> {
    request::members("button", buttons.len(), 1, MAX_BUTTONS)?;
    for button in buttons {
        request::bytes("button.name", &button.name, 16)?;
        button.limits()?;
        if let Some(behind) = &button.sub_button {
            if !behind.is_empty() {
                request::members("sub_button", behind.len(), 1, MAX_SUB_BUTTONS)?;
            }
            for button in behind {
                request::bytes("sub_button.name", &button.name, 60)?;
                button.limits()?;
            }
        }
    }
    Ok(())
}

/// A button. What it needs besides a name depends on its type; what the platform adds later is kept.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Button {
    /// What it does, like `click` or `view`; none where buttons stand behind it.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// What stands on it: 16 bytes in the lowest row, 60 behind another.
    pub name: String,
    /// What comes back when it is tapped: at most 128 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Where it leads: at most 1024 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The mini program that it opens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub appid: Option<String>,
    /// The page there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pagepath: Option<String>,
    /// The permanent material that it shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_id: Option<String>,
    /// The published article that it shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub article_id: Option<String>,
    /// The buttons behind it. The platform writes an empty list where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub_button: Option<Vec<Button>>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Button {
    fn limits(&self) -> Result<(), RequestError> {
        for (field, value, most) in [
            ("button.key", &self.key, 128),
            ("button.url", &self.url, 1024),
        ] {
            if let Some(text) = value {
                request::bytes(field, text, most)?;
            }
        }
        Ok(())
    }
}

/// Makes this the menu that everyone sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CreateMenu {
    /// Its buttons, from left to right.
    pub button: Vec<Button>,
}

/// Asks for the menus that calls like [`CreateMenu`] made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GetMenu;

/// The account's menus.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
pub struct Menus {
    /// The one that everyone sees; `None` where there is none (46003).
    #[serde(default)]
    pub menu: Option<Menu>,
    /// Those that some see instead, the newest first.
    #[serde(default)]
    pub conditionalmenu: Vec<Menu>,
}

/// A menu.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Menu {
    /// Its buttons, from left to right.
    pub button: Vec<Button>,
    /// Its number.
    #[serde(default, deserialize_with = "lenient::some_number")]
    pub menuid: Option<i64>,
    /// Who sees it; none of the one that everyone sees.
    #[serde(default)]
    pub matchrule: Option<MatchRule>,
}

/// Who sees a conditional menu. Sex, place and language are withdrawn (65320).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MatchRule {
    /// Who has this tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag_id: Option<String>,
    /// Who uses it: 1 iOS, 2 Android, 3 anything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_platform_type: Option<String>,
    /// What old menus still have.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Asks for the menu that is shown now, whoever made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CurrentSelfMenu;

/// The menu that is shown now. Menus made in the console have types of their own (`news`, `text`,
/// `img`, `photo`, `video`, `voice`), and lists in shapes of their own: it is kept as it came.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct SelfMenu {
    /// 1 if the menu is switched on.
    #[serde(deserialize_with = "lenient::number")]
    pub is_menu_open: i64,
    /// The menu.
    #[serde(default)]
    pub selfmenu_info: Value,
}

/// Takes all menus away, conditional ones too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeleteMenu;

/// Makes a menu that some see. Twice makes two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AddConditionalMenu {
    /// Its buttons, from left to right.
    pub button: Vec<Button>,
    /// Who sees it.
    pub matchrule: MatchRule,
}

/// The number of a conditional menu.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct ConditionalMenuId {
    /// It.
    #[serde(deserialize_with = "lenient::text")]
    pub menuid: String,
}

/// Takes a conditional menu away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeleteConditionalMenu {
    /// Its number.
    pub menuid: String,
}

/// Asks which menu a user sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TryMenu {
    /// The user's OpenID, or WeChat name (微信号).
    pub user_id: String,
}

/// The menu that a user sees.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct MatchedMenu {
    /// Its buttons; in the platform's older answers they stand within `menu`.
    #[serde(default)]
    pub button: Vec<Button>,
    /// The same, in the older answers.
    #[serde(default)]
    pub menu: Option<Menu>,
}
