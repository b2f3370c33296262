//! `custom/send`: what the platform checks before it delivers a message.

use bytes::Bytes;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;

use super::answer::Refusal;

/// What a `\uXXXX` escape of a printable character in a message's body does. The platform was seen to
/// refuse such bodies, and to show the escapes to the user; careful callers send none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Escapes {
    /// 40033.
    Refused,
    /// The user reads the escape, not the character.
    Shown,
}

/// Bytes of UTF-8 that a text message may have.
pub const MAX_TEXT_BYTES: usize = 2048;

/// Message types that the page of custom/send lists.
const MESSAGE_TYPES: &[&str] = &[
    "text",
    "image",
    "voice",
    "video",
    "music",
    "news",
    "mpnews",
    "mpnewsarticle",
    "msgmenu",
    "wxcard",
    "miniprogrampage",
];

/// A message that may be delivered, as far as its body tells.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) open_id: String,
    pub(super) message_type: String,
    pub(super) content: Option<String>,
    pub(super) body: Bytes,
}

/// To whom a body is addressed, if it can be read at all.
pub(super) fn recipient(body: &[u8]) -> Option<String> {
    let document: Value = serde_json::from_slice(body).ok()?;
    document.get("touser")?.as_str().map(str::to_owned)
}

pub(super) fn validate(body: &Bytes, escapes: Escapes) -> Result<Message, Refusal> {
    if body.is_empty() {
        return Err(Refusal::code(44002));
    }
    let raw = std::str::from_utf8(body).map_err(|_| Refusal::code(47001))?;
    let document = parse(raw, escapes)?;
    let open_id = text_member(&document, "touser").ok_or(Refusal::code(40003))?;
    let message_type = text_member(&document, "msgtype")
        .filter(|name| MESSAGE_TYPES.contains(name))
        .ok_or(Refusal::code(40008))?;
    let branch = document.get(message_type);
    let content = match message_type {
        "text" => Some(text_content(branch)?),
        "news" => {
            check_articles(branch)?;
            None
        }
        _ => {
            branch
                .and_then(Value::as_object)
                .ok_or(Refusal::code(40008))?;
            None
        }
    };
    Ok(Message {
        open_id: open_id.to_owned(),
        message_type: message_type.to_owned(),
        content,
        body: body.clone(),
    })
}

fn text_member<'a>(document: &'a Value, name: &str) -> Option<&'a str> {
    document
        .get(name)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
}

fn parse(raw: &str, escapes: Escapes) -> Result<Value, Refusal> {
    let document: Value = serde_json::from_str(raw).map_err(|_| Refusal::code(47001))?;
    if !document.is_object() {
        return Err(Refusal::code(47001));
    }
    match (escapes, showing_escapes(raw)) {
        (_, None) => Ok(document),
        (Escapes::Refused, Some(_)) => Err(Refusal::code(40033)),
        (Escapes::Shown, Some(shown)) => {
            serde_json::from_str(&shown).map_err(|_| Refusal::code(47001))
        }
    }
}

/// The same JSON with every `\uXXXX` of a printable character turned into text that shows it; `None`
/// when there is no such escape. `raw` is valid JSON, so that backslashes stand in strings only.
fn showing_escapes(raw: &str) -> Option<String> {
    let mut shown = String::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(offset) = raw[at..].find('\\') {
        let backslash = at + offset;
        let digits = raw
            .get(backslash + 1..)
            .and_then(|rest| rest.strip_prefix('u'))
            .and_then(|rest| rest.get(..4));
        let code_unit = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        if code_unit.is_some_and(|unit| !is_control(unit)) {
            shown.push_str(&raw[copied..backslash]);
            shown.push('\\');
            copied = backslash;
        }
        // The character after the backslash is ASCII in valid JSON.
        at = backslash + 2;
    }
    (!shown.is_empty()).then(|| {
        shown.push_str(&raw[copied..]);
        shown
    })
}

/// Control characters cannot be written in any other way than by an escape.
fn is_control(code_unit: u32) -> bool {
    char::from_u32(code_unit).is_some_and(char::is_control)
}

fn text_content(branch: Option<&Value>) -> Result<String, Refusal> {
    let branch = branch
        .and_then(Value::as_object)
        .ok_or(Refusal::code(44004))?;
    let content = branch
        .get("content")
        .and_then(Value::as_str)
        .filter(|content| !content.is_empty())
        .ok_or(Refusal::code(44004))?;
    if content.len() > MAX_TEXT_BYTES {
        return Err(Refusal::code(45002));
    }
    Ok(content.to_owned())
}

/// A news message carries exactly one article since 2018-10-12.
fn check_articles(branch: Option<&Value>) -> Result<(), Refusal> {
    let articles = branch
        .and_then(|branch| branch.get("articles"))
        .and_then(Value::as_array)
        .ok_or(Refusal::code(40008))?;
    match articles.len() {
        1 => Ok(()),
        _ => Err(Refusal::code(45008)),
    }
}
