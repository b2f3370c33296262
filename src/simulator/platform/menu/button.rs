//! What a menu may be made of.

use serde_json::Value;
use serde_json::json;

use crate::simulator::platform::answer::Refusal;
use crate::simulator::platform::endpoint::Visit;
use crate::simulator::platform::endpoint::text;
use crate::simulator::platform::existing;

/// Buttons of a menu.
pub const MAX_TOP_BUTTONS: usize = 3;
/// Buttons below a button.
pub const MAX_SUB_BUTTONS: usize = 5;
/// Bytes of a button's name.
pub const MAX_NAME_BYTES: usize = 16;
/// Bytes of the name of a button below another.
pub const MAX_SUB_NAME_BYTES: usize = 60;
/// Bytes of a button's key.
pub const MAX_KEY_BYTES: usize = 128;
/// Bytes of a button's address.
pub const MAX_URL_BYTES: usize = 1024;

/// The codes for faults of a button: the platform has other ones for those below a button.
struct Codes {
    kind: i64,
    name: i64,
    key: i64,
    url: i64,
    domain: i64,
}

const TOP: Codes = Codes {
    kind: 40017,
    name: 40018,
    key: 40019,
    url: 40020,
    domain: 40055,
};

const BELOW: Codes = Codes {
    kind: 40024,
    name: 40025,
    key: 40026,
    url: 40027,
    domain: 40054,
};

/// Checks the buttons of a menu; how the platform gives them back, every one with a list of those below.
pub(super) fn check(visit: &Visit<'_>, buttons: &Value) -> Result<Value, Refusal> {
    let buttons = list_of(buttons, MAX_TOP_BUTTONS, 40016)?;
    let checked: Result<Vec<Value>, Refusal> = buttons
        .iter()
        .map(|button| check_top(visit, button))
        .collect();
    checked.map(Value::Array)
}

fn list_of(buttons: &Value, most: usize, code: i64) -> Result<&[Value], Refusal> {
    let buttons = buttons.as_array().map(Vec::as_slice);
    buttons
        .filter(|buttons| (1..=most).contains(&buttons.len()))
        .ok_or(Refusal::code(code))
}

fn check_top(visit: &Visit<'_>, button: &Value) -> Result<Value, Refusal> {
    let below = match &button["sub_button"] {
        Value::Null => None,
        Value::Array(below) if below.is_empty() => None,
        below => Some(list_of(below, MAX_SUB_BUTTONS, 40023)?),
    };
    let Some(below) = below else {
        let mut checked = check_button(visit, button, MAX_NAME_BYTES, &TOP)?;
        checked["sub_button"] = json!([]);
        return Ok(checked);
    };
    let name = name_of(button, MAX_NAME_BYTES, &TOP)?;
    let below: Result<Vec<Value>, Refusal> = below
        .iter()
        .map(|button| {
            if button["sub_button"]
                .as_array()
                .is_some_and(|deeper| !deeper.is_empty())
            {
                return Err(Refusal::code(40022));
            }
            let mut checked = check_button(visit, button, MAX_SUB_NAME_BYTES, &BELOW)?;
            checked["sub_button"] = json!([]);
            Ok(checked)
        })
        .collect();
    Ok(json!({ "name": name, "sub_button": below? }))
}

fn name_of<'a>(button: &'a Value, most: usize, codes: &Codes) -> Result<&'a str, Refusal> {
    text(button, "name")
        .filter(|name| name.len() <= most)
        .ok_or(Refusal::code(codes.name))
}

/// A button that does something: its type decides what else it must have, and only that is kept.
fn check_button(
    visit: &Visit<'_>,
    button: &Value,
    most: usize,
    codes: &Codes,
) -> Result<Value, Refusal> {
    let name = name_of(button, most, codes)?;
    let kind = text(button, "type").ok_or(Refusal::code(codes.kind))?;
    let member = |name: &str, code: i64| text(button, name).ok_or(Refusal::code(code));
    let mut checked = json!({ "type": kind, "name": name });
    match kind {
        "click" | "scancode_push" | "scancode_waitmsg" | "pic_sysphoto" | "pic_photo_or_album"
        | "pic_weixin" | "location_select" => {
            let key = member("key", codes.key)?;
            if key.len() > MAX_KEY_BYTES {
                return Err(Refusal::code(codes.key));
            }
            checked["key"] = key.into();
        }
        "view" => checked["url"] = address(button, codes)?.into(),
        "miniprogram" => {
            checked["url"] = address(button, codes)?.into();
            checked["appid"] = member("appid", 40166)?.into();
            checked["pagepath"] = member("pagepath", 40165)?.into();
        }
        "media_id" | "view_limited" => {
            let media_id = member("media_id", 40007)?;
            existing::permanent(visit, media_id)?;
            checked["media_id"] = media_id.into();
        }
        "article_id" | "article_view_limited" => {
            let article_id = member("article_id", 53600)?;
            existing::article(visit, article_id)?;
            checked["article_id"] = article_id.into();
        }
        _ => return Err(Refusal::code(codes.kind)),
    }
    Ok(checked)
}

fn address<'a>(button: &'a Value, codes: &Codes) -> Result<&'a str, Refusal> {
    let url = text(button, "url").ok_or(Refusal::code(codes.url))?;
    if url.len() > MAX_URL_BYTES {
        return Err(Refusal::code(codes.url));
    }
    match domain_of(url) {
        Some(_) => Ok(url),
        None => Err(Refusal::code(codes.domain)),
    }
}

/// The host of a web address.
fn domain_of(url: &str) -> Option<&str> {
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))?;
    let host = rest.split(['/', '?', '#', ':']).next()?;
    Some(host).filter(|host| !host.is_empty())
}

/// The hosts to which these buttons lead.
pub(super) fn domains(buttons: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for button in buttons.as_array().into_iter().flatten() {
        found.extend(text(button, "url").and_then(domain_of).map(str::to_owned));
        found.extend(domains(&button["sub_button"]));
    }
    found
}

/// The same buttons as `get_current_selfmenu_info` writes them: those below stand in a `list`.
pub(super) fn with_lists(buttons: &Value) -> Value {
    let listed = |button: &Value| {
        let mut button = button.clone();
        match button["sub_button"].take() {
            Value::Array(below) if !below.is_empty() => {
                button["sub_button"] = json!({ "list": with_lists(&Value::Array(below)) });
            }
            _ => {
                button
                    .as_object_mut()
                    .map(|members| members.remove("sub_button"));
            }
        }
        button
    };
    buttons
        .as_array()
        .into_iter()
        .flatten()
        .map(listed)
        .collect()
}
