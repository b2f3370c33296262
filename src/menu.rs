//! Custom menus (自定义菜单) as a file: what is written, what the account has, and what must be called
//! to make the one into the other.
//!
//! The file is TOML with the platform's own words. It is checked whole before anything is called:
//!
//! ```
//! use wxhook::menu::{Current, Menu, plan};
//!
//! let text = r#"
//! [[button]]
//! name = "查单"
//! type = "click"
//! key = "ORDER"
//!
//! [[button]]
//! name = "更多"
//!
//! [[button.sub_button]]
//! name = "官网"
//! type = "view"
//! url = "https://example.com"
//! "#;
//! let menu = Menu::parse(text)?;
//! let planned = plan(&menu, &Current::default());
//! assert_eq!(planned.calls[0].path(), "/cgi-bin/menu/create");
//! # Ok::<_, wxhook::menu::Faults>(())
//! ```
//!
//! Nothing here calls anybody: what the account has is given as the platform's answers, and a [`Plan`]
//! is a list of calls.
//!
//! Source: the official pages "自定义菜单" and "个性化菜单", read 2026-11.

use std::fmt;

mod difference;
mod fault;
mod file;
mod kind;
mod limit;
mod plan;
mod print;
mod wire;

pub use self::difference::{Difference, Sign};
pub use self::fault::{Fault, Faults};
pub use self::kind::Kind;
pub use self::plan::{Call, Plan, plan};
pub use self::wire::{Current, Found, Origin, Unreadable};

/// Buttons of the lowest row of the screen, at most.
pub const MAX_BUTTONS: usize = 3;
/// Buttons within one of them, at most.
pub const MAX_SUB_BUTTONS: usize = 5;
/// Bytes of the name of a button of the lowest row; about 4 Chinese characters of it are shown.
pub const MAX_NAME_BYTES: usize = 16;
/// Bytes of the name of a button within another; about 8 Chinese characters of it are shown.
pub const MAX_SUB_NAME_BYTES: usize = 60;
/// Bytes of a `key`.
pub const MAX_KEY_BYTES: usize = 128;
/// Bytes of a `url`.
pub const MAX_URL_BYTES: usize = 1024;
/// Domains that all conditional menus together may link to (code 65316).
pub const MAX_CONDITIONAL_DOMAINS: usize = 3;

/// All menus of an account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Menu {
    /// The default menu, from left to right; empty: the account has no menu.
    pub button: Vec<Button>,
    /// Menus for some users (个性化菜单). The first whose rule matches is shown; a user whom none
    /// matches sees the default one.
    pub conditionalmenu: Vec<Conditional>,
}

/// A button.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Button {
    /// What is written on it.
    pub name: String,
    /// What it does.
    pub action: Action,
}

/// What a button does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// It opens a list of buttons (`sub_button`), from top to bottom.
    Open(Vec<Button>),
    /// It does something.
    Tap(Tap),
    /// The platform told of a button that this version does not know: its `type`.
    Foreign(String),
}

/// What happens at a tap: a type, and the values of its members in the order of [`Kind::members`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tap {
    /// The `type`.
    pub kind: Kind,
    values: Vec<String>,
}

impl Tap {
    /// The members with their values.
    pub fn members(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let values = self.values.iter().map(String::as_str);
        self.kind.members().iter().copied().zip(values)
    }
}

/// A menu for some users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conditional {
    /// For whom.
    pub matchrule: MatchRule,
    /// The buttons, from left to right.
    pub button: Vec<Button>,
}

/// Whom a conditional menu is for; every member that is given must match.
///
/// The platform has withdrawn `sex`, `country`, `province`, `city` and `language` (code 65320).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MatchRule {
    /// Users with this tag (标签).
    pub tag_id: Option<i64>,
    /// Users of this kind of device.
    pub client_platform_type: Option<Client>,
}

impl MatchRule {
    /// Whether it has a member at all.
    pub const fn has_a_member(&self) -> bool {
        self.tag_id.is_some() || self.client_platform_type.is_some()
    }

    /// Whether every user whom `other` matches is matched by this rule too.
    fn covers(&self, other: &Self) -> bool {
        (self.tag_id.is_none() || self.tag_id == other.tag_id)
            && (self.client_platform_type.is_none()
                || self.client_platform_type == other.client_platform_type)
    }
}

impl fmt::Display for MatchRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tag = self.tag_id.map(|tag| format!("tag_id = {tag}"));
        let client = self.client_platform_type.map(|client| {
            format!(
                "client_platform_type = {} ({})",
                client.number(),
                client.name()
            )
        });
        let parts: Vec<String> = tag.into_iter().chain(client).collect();
        f.write_str(&parts.join(", "))
    }
}

/// A kind of device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// 1.
    Ios,
    /// 2.
    Android,
    /// 3: everything else.
    Other,
}

impl Client {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Ios, Self::Android, Self::Other];

    /// The platform's number.
    pub const fn number(self) -> i64 {
        match self {
            Self::Ios => 1,
            Self::Android => 2,
            Self::Other => 3,
        }
    }

    /// The name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ios => "iOS",
            Self::Android => "Android",
            Self::Other => "other",
        }
    }

    fn from_number(number: i64) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|client| client.number() == number)
    }
}

impl Button {
    /// What it does, for people.
    fn told(&self) -> String {
        match &self.action {
            Action::Open(buttons) => format!("opens {}", counted(buttons)),
            Action::Tap(tap) => {
                let values: Vec<&str> = tap.values.iter().map(String::as_str).collect();
                shown(&format!("{} {}", tap.kind.name(), values.join(" ")))
            }
            Action::Foreign(kind) => format!("{} (not known to this version)", shown(kind)),
        }
    }
}

/// How a button is named in texts for people: 更多 / 官网.
fn place(parent: &str, name: &str) -> String {
    if parent.is_empty() {
        shown(name)
    } else {
        format!("{parent} / {}", shown(name))
    }
}

/// A text as a terminal may show it.
fn shown(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

fn counted(buttons: &[Button]) -> String {
    match buttons.len() {
        1 => "1 button".to_owned(),
        count => format!("{count} buttons"),
    }
}

#[cfg(test)]
mod tests;
