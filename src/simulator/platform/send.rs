//! `custom/send`: what the platform checks before it delivers a message.

use bytes::Bytes;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;

use super::Answer;
use super::Delivery;
use super::Way;
use super::answer::Refusal;
use super::endpoint::Endpoint;
use super::endpoint::Handled;
use super::endpoint::Visit;
use super::endpoint::post;
use super::existing;
use super::quota::QuotaRow;
use crate::id::OpenId;

mod branch;

pub(super) const ENDPOINTS: &[Endpoint] =
    &[post("/cgi-bin/message/custom/send", custom_send).counted(QuotaRow::CustomSend)];

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

/// A message that may be delivered, as far as its body tells.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) open_id: String,
    pub(super) message_type: String,
    pub(super) content: Option<String>,
    pub(super) kf_account: Option<String>,
    pub(super) is_ai: bool,
    pub(super) body: Bytes,
}

/// `POST /cgi-bin/message/custom/send`
fn custom_send(visit: &mut Visit<'_>) -> Handled {
    let (message, document) = validate(&visit.call.body, visit.settings.escapes)?;
    existing::message(visit, &message.message_type, &document)?;
    let open_id = OpenId::new(message.open_id.as_str());
    let followers = &visit.state.followers;
    if !followers.includes(open_id.as_str()) {
        return Err(Refusal::code(40003));
    }
    let user = followers.seen(open_id.as_str());
    if user.is_some_and(|user| user.blacklisted) {
        return Err(Refusal::code(43019));
    }
    visit.grants.consume(visit.now, &open_id)?;
    visit.state.talks.exchanged(visit.now, open_id.as_str());
    let (at_milliseconds, token) = (visit.now.milliseconds(), visit.token.number);
    let app_id = visit.account.app_id.as_str().to_owned();
    visit.deliveries.push(|number| Delivery {
        number,
        at_milliseconds,
        app_id,
        way: Way::Custom,
        open_id: message.open_id,
        message_type: message.message_type,
        content: message.content,
        kf_account: message.kf_account,
        is_ai: message.is_ai,
        body: message.body,
        token,
    });
    Ok(Answer::ok())
}

/// To whom a body is addressed, if it can be read at all.
pub(super) fn recipient(body: &[u8]) -> Option<String> {
    let document: Value = serde_json::from_slice(body).ok()?;
    document.get("touser")?.as_str().map(str::to_owned)
}

fn validate(body: &Bytes, escapes: Escapes) -> Result<(Message, Value), Refusal> {
    if body.is_empty() {
        return Err(Refusal::code(44002));
    }
    let raw = std::str::from_utf8(body).map_err(|_| Refusal::code(47001))?;
    let document = parse(raw, escapes)?;
    let open_id = text_member(&document, "touser").ok_or(Refusal::code(40003))?;
    let message_type = text_member(&document, "msgtype").ok_or(Refusal::code(40008))?;
    let branch = document.get(message_type);
    let content = branch::check(message_type, branch).ok_or(Refusal::code(40008))??;
    let message = Message {
        open_id: open_id.to_owned(),
        message_type: message_type.to_owned(),
        content,
        kf_account: kf_account(&document)?,
        is_ai: is_ai(&document)?,
        body: body.clone(),
    };
    Ok((message, document))
}

/// Who speaks: `customservice.kf_account`, a name and an account around an `@`.
fn kf_account(document: &Value) -> Result<Option<String>, Refusal> {
    let Some(speaker) = document.get("customservice") else {
        return Ok(None);
    };
    let account = text_member(speaker, "kf_account").ok_or(Refusal::code(61452))?;
    let has_two_sides = account
        .find('@')
        .is_some_and(|at| at > 0 && at + 1 < account.len());
    match has_two_sides {
        true => Ok(Some(account.to_owned())),
        false => Err(Refusal::code(61452)),
    }
}

/// Whether the grey line about an AI stands below: `aimsgcontext.is_ai_msg`, 0 or 1.
fn is_ai(document: &Value) -> Result<bool, Refusal> {
    let Some(context) = document.get("aimsgcontext") else {
        return Ok(false);
    };
    match context.get("is_ai_msg").and_then(Value::as_u64) {
        Some(0) => Ok(false),
        Some(1) => Ok(true),
        _ => Err(Refusal::code(47001)),
    }
}

fn text_member<'a>(document: &'a Value, name: &str) -> Option<&'a str> {
    document
        .get(name)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
}

pub(super) fn parse(raw: &str, escapes: Escapes) -> Result<Value, Refusal> {
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
