//! Menus as the platform writes them: what it answers is read, what it is told is made.

use serde_json::{Map, Value, json};

use super::{Action, Button, Client, Conditional, Kind, MatchRule, Tap, place, shown};

/// An answer about menus that cannot be read: `what` it lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the platform's answer about menus has no {what}")]
pub struct Unreadable {
    /// What it lacks.
    pub what: &'static str,
}

/// Where the menu that users see was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Origin {
    /// There is none.
    #[default]
    Nowhere,
    /// By the API.
    Api,
    /// In the platform's console (公众平台). It vanishes as soon as a server URL is switched on there.
    Console,
}

/// What the account has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Current {
    /// Where the default menu was made.
    pub origin: Origin,
    /// The default menu.
    pub button: Vec<Button>,
    /// The conditional menus; the first that matches is shown.
    pub conditionalmenu: Vec<Found>,
    /// What a file cannot keep of it, for people.
    pub notes: Vec<String>,
}

/// A conditional menu of the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The platform's number of it, by which it is deleted.
    pub menuid: String,
    /// Whom it is for, and its buttons.
    pub menu: Conditional,
    /// Members of its rule that have been withdrawn, or are not known.
    pub foreign: Vec<String>,
}

impl Current {
    /// Reads the answer of `menu/get`. Newer conditional menus win, and have greater numbers.
    ///
    /// # Errors
    /// [`Unreadable`] names what is missing.
    pub fn from_menu_get(answer: &Value) -> Result<Self, Unreadable> {
        let button = answer["menu"]["button"].as_array();
        let button = button.ok_or(Unreadable {
            what: "menu.button",
        })?;
        let mut notes = Vec::new();
        let button = buttons(button, "", &mut notes);
        let listed = answer["conditionalmenu"].as_array();
        let mut conditionalmenu = Vec::new();
        for menu in listed.map_or(&[][..], Vec::as_slice) {
            conditionalmenu.push(found(menu, &mut notes)?);
        }
        conditionalmenu.sort_by_key(|found| {
            let number: u64 = found.menuid.parse().unwrap_or(0);
            std::cmp::Reverse(number)
        });
        Ok(Self {
            origin: Origin::Api,
            button,
            conditionalmenu,
            notes,
        })
    }

    /// Reads the answer of `get_current_selfmenu_info`, for a menu that was made in the console: it
    /// has shapes of its own. What no button of the API can do becomes a `click`, with a note.
    ///
    /// # Errors
    /// [`Unreadable`] names what is missing.
    pub fn from_selfmenu(answer: &Value) -> Result<Self, Unreadable> {
        let listed = &answer["selfmenu_info"]["button"];
        let Some(listed) = listed.as_array().filter(|listed| !listed.is_empty()) else {
            // An account without any menu has no list.
            return match answer.get("is_menu_open") {
                Some(_) => Ok(Self::default()),
                None => Err(Unreadable {
                    what: "selfmenu_info.button",
                }),
            };
        };
        let mut notes = Vec::new();
        let button = console_buttons(listed, "", &mut notes);
        let is_open = answer["is_menu_open"].as_i64() != Some(0);
        if !is_open {
            notes.push("the menu is switched off in the console".to_owned());
        }
        Ok(Self {
            origin: Origin::Console,
            button,
            conditionalmenu: Vec::new(),
            notes,
        })
    }
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

/// Numbers of the platform are written in quotes or not.
fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

fn found(menu: &Value, notes: &mut Vec<String>) -> Result<Found, Unreadable> {
    let menuid = number(&menu["menuid"]).ok_or(Unreadable {
        what: "conditionalmenu.menuid",
    })?;
    let listed = menu["button"].as_array().ok_or(Unreadable {
        what: "conditionalmenu.button",
    })?;
    let rule = &menu["matchrule"];
    let mut foreign = Vec::new();
    for (key, value) in rule.as_object().map(Map::iter).into_iter().flatten() {
        let is_known = matches!(key.as_str(), "tag_id" | "group_id" | "client_platform_type");
        if !is_known && !matches!(value.as_str(), Some("")) && !value.is_null() {
            foreign.push(key.clone());
        }
    }
    let tag = number(&rule["tag_id"]).or_else(|| number(&rule["group_id"]));
    let client = number(&rule["client_platform_type"]);
    let matchrule = MatchRule {
        tag_id: tag,
        client_platform_type: client.and_then(Client::from_number),
    };
    if !foreign.is_empty() {
        notes.push(format!(
            "conditional menu {menuid}: its rule has {}, which the platform has withdrawn",
            foreign.join(", ")
        ));
    }
    let button = buttons(listed, &format!("conditional menu {menuid}"), notes);
    Ok(Found {
        menuid: menuid.to_string(),
        menu: Conditional { matchrule, button },
        foreign,
    })
}

fn buttons(listed: &[Value], parent: &str, notes: &mut Vec<String>) -> Vec<Button> {
    let read = |button: &Value| {
        let name = text(button, "name").to_owned();
        let here = place(parent, &name);
        let inner = button["sub_button"]
            .as_array()
            .map_or(&[][..], Vec::as_slice);
        let kind = text(button, "type");
        let action = match (inner, Kind::parse(kind)) {
            ([], Some(kind)) => tap(button, kind),
            ([], None) => {
                notes.push(format!("{here}: the type {kind:?} is not known"));
                Action::Foreign(kind.to_owned())
            }
            (inner, _) => Action::Open(buttons(inner, &here, notes)),
        };
        Button { name, action }
    };
    listed.iter().map(read).collect()
}

fn tap(button: &Value, kind: Kind) -> Action {
    let values = kind.members().iter();
    let values = values.map(|member| text(button, member).to_owned());
    Action::Tap(Tap {
        kind,
        values: values.collect(),
    })
}

fn console_buttons(listed: &[Value], parent: &str, notes: &mut Vec<String>) -> Vec<Button> {
    let mut read = Vec::new();
    for button in listed {
        let name = text(button, "name").to_owned();
        let here = place(parent, &name);
        let inner = &button["sub_button"];
        let inner = inner["list"].as_array().or_else(|| inner.as_array());
        let action = match inner.filter(|inner| !inner.is_empty()) {
            Some(inner) => Action::Open(console_buttons(inner, &here, notes)),
            None => console_action(button, &here, notes),
        };
        read.push(Button { name, action });
    }
    read
}

/// What a button of the console becomes. A material of it is a `media_id` of the API.
fn console_action(button: &Value, here: &str, notes: &mut Vec<String>) -> Action {
    let (kind, value) = (text(button, "type"), text(button, "value"));
    let becomes = |kind, value: &str| {
        Action::Tap(Tap {
            kind,
            values: vec![value.to_owned()],
        })
    };
    match kind {
        "img" | "photo" | "voice" if !value.is_empty() => becomes(Kind::MediaId, value),
        "news" => {
            let articles = button["news_info"]["list"].as_array();
            let first = articles.and_then(|articles| articles.first());
            let url = first.map_or("", |article| text(article, "content_url"));
            if url.is_empty() {
                notes.push(format!(
                    "{here}: an article without an address was left a click"
                ));
                return becomes(Kind::Click, here);
            }
            let count = articles.map_or(0, Vec::len);
            notes.push(format!(
                "{here}: the console sends {count} article(s); the file opens the first as a page"
            ));
            becomes(Kind::View, url)
        }
        "text" => {
            notes.push(format!(
                "{here}: the console answers with a text; the file has a click, which a handler must answer with: {}",
                shown(value)
            ));
            becomes(Kind::Click, here)
        }
        "video" => {
            notes.push(format!(
                "{here}: the console sends a video, of which the platform tells only an address that expires; the file has a click, which a handler must answer"
            ));
            becomes(Kind::Click, here)
        }
        known => match Kind::parse(known) {
            Some(kind) => tap(button, kind),
            None => {
                notes.push(format!(
                    "{here}: the type {known:?} is not known; the file has a click"
                ));
                becomes(Kind::Click, here)
            }
        },
    }
}

/// The `button` member of a call.
pub(super) fn button_json(buttons: &[Button]) -> Value {
    let written = |button: &Button| {
        let mut members = Map::new();
        members.insert("name".to_owned(), json!(button.name));
        match &button.action {
            Action::Open(inner) => {
                members.insert("sub_button".to_owned(), button_json(inner));
            }
            Action::Tap(tap) => {
                members.insert("type".to_owned(), json!(tap.kind.name()));
                for (member, value) in tap.members() {
                    members.insert(member.to_owned(), json!(value));
                }
            }
            // Only what was read from the platform has it, and that is never written.
            Action::Foreign(kind) => {
                members.insert("type".to_owned(), json!(kind));
            }
        }
        Value::Object(members)
    };
    Value::Array(buttons.iter().map(written).collect())
}

/// The `matchrule` member of a call: the platform wants its numbers in quotes.
pub(super) fn matchrule_json(rule: &MatchRule) -> Value {
    let mut members = Map::new();
    if let Some(tag) = rule.tag_id {
        members.insert("tag_id".to_owned(), json!(tag.to_string()));
    }
    if let Some(client) = rule.client_platform_type {
        let number = client.number().to_string();
        members.insert("client_platform_type".to_owned(), json!(number));
    }
    Value::Object(members)
}
