//! Short keys for long texts, and the short addresses that came before them.

use std::collections::HashMap;
use std::collections::VecDeque;

use serde_json::Value;
use serde_json::json;

use super::Answer;
use super::answer::Refusal;
use super::endpoint::Endpoint;
use super::endpoint::Handled;
use super::endpoint::Visit;
use super::endpoint::number;
use super::endpoint::post;
use super::endpoint::text;

pub(super) const ENDPOINTS: &[Endpoint] = &[
    post("/cgi-bin/shorten/gen", make),
    post("/cgi-bin/shorten/fetch", fetch),
    post("/cgi-bin/shorturl", short_url),
];

/// Bytes of a text that gets a key.
pub const MAX_LONG_DATA_BYTES: usize = 4 * 1024;

/// Seconds that a key lives at most, and when nothing was said.
pub const MAX_SHORT_KEY_SECONDS: i64 = 2_592_000;

/// Keys kept for an account; the oldest go first.
const MAX_KEYS: usize = 10_000;

#[derive(Debug)]
struct Long {
    data: String,
    made_seconds: i64,
    seconds: i64,
}

/// The short keys of one account.
#[derive(Debug, Default)]
pub(super) struct ShortKeys {
    kept: HashMap<String, Long>,
    order: VecDeque<String>,
}

/// `POST /cgi-bin/shorten/gen`
fn make(visit: &mut Visit<'_>) -> Handled {
    let request = visit.json()?;
    let data = request.get("long_data").and_then(Value::as_str);
    let data = data
        .filter(|data| !data.is_empty())
        .ok_or(Refusal::code(47003))?;
    if data.len() > MAX_LONG_DATA_BYTES {
        return Err(Refusal::code(9_410_010));
    }
    let seconds = number(&request, "expire_seconds").unwrap_or(MAX_SHORT_KEY_SECONDS);
    if !(1..=MAX_SHORT_KEY_SECONDS).contains(&seconds) {
        return Err(Refusal::code(9_410_011));
    }
    let key: String = visit
        .random
        .letters(15)
        .replace(|character: char| !character.is_ascii_alphanumeric(), "0");
    let keys = &mut visit.state.short_keys;
    let long = Long {
        data: data.to_owned(),
        made_seconds: visit.now.seconds(),
        seconds,
    };
    keys.kept.insert(key.clone(), long);
    keys.order.push_back(key.clone());
    if keys.order.len() > MAX_KEYS
        && let Some(oldest) = keys.order.pop_front()
    {
        keys.kept.remove(&oldest);
    }
    Ok(Answer::done(json!({ "short_key": key })))
}

/// `POST /cgi-bin/shorten/fetch`
fn fetch(visit: &mut Visit<'_>) -> Handled {
    let request = visit.json()?;
    let key = text(&request, "short_key").ok_or(Refusal::code(47003))?;
    let long = visit.state.short_keys.kept.get(key);
    let age = |long: &&Long| visit.now.seconds() - long.made_seconds;
    let long = long
        .filter(|long| age(long) < long.seconds)
        .ok_or(Refusal::code(9_410_012))?;
    Ok(Answer::done(json!({
        "long_data": long.data,
        "create_time": long.made_seconds,
        "expire_seconds": long.seconds - age(&long),
    })))
}

/// `POST /cgi-bin/shorturl`: an address in which `access_token=` stands is answered 40001, as if the token
/// of the call were bad. Whoever believes it burns tokens.
fn short_url(visit: &mut Visit<'_>) -> Handled {
    let request = visit.json()?;
    if text(&request, "action") != Some("long2short") {
        return Err(Refusal::code(40002));
    }
    let url = text(&request, "long_url").ok_or(Refusal::code(40039))?;
    if url.contains("access_token=") {
        return Err(Refusal::code(40001));
    }
    let short = format!("https://w.url.cn/s/{}", visit.random.letters(7));
    Ok(Answer::done(json!({ "short_url": short })))
}
