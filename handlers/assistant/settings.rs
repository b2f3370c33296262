//! `[handlers.assistant]` of the configuration.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de};
use wxhook::HandlerSecret;
use wxhook::config::parse_duration;

/// How the assistant is set. Its `Debug` shows neither key nor proxy.
#[derive(Debug, Deserialize)]
pub(crate) struct Settings {
    /// Where the API is: `https://api.example.com/v1`, to which `/chat/completions` is added.
    #[serde(deserialize_with = "endpoint")]
    pub(super) endpoint: reqwest::Url,
    /// The model's name there.
    pub(super) model: String,
    /// The API's key; none for a service that wants none.
    pub(super) key: Option<HandlerSecret>,
    /// The way out: `http://USER:PASSWORD@HOST:PORT`, or `socks5h://…`.
    pub(super) proxy: Option<HandlerSecret>,
    /// What the model is told before each conversation.
    #[serde(default = "prompt")]
    pub(super) prompt: String,
    /// Questions with their answers that are remembered.
    #[serde(default = "turns", deserialize_with = "between::<_, 0, 20>")]
    pub(super) turns: u8,
    /// Messages of one answer at most. 1: an answer is said whole.
    #[serde(default = "messages", deserialize_with = "between::<_, 1, 20>")]
    pub(super) messages: u8,
    /// Questions that one user may ask in a minute.
    #[serde(default = "per_minute", deserialize_with = "between::<_, 1, 200>")]
    pub(super) per_minute: u8,
    /// How long nothing may come from the service.
    #[serde(default = "silence", deserialize_with = "duration")]
    pub(super) silence: Duration,
    /// Whether WeChat shows that a machine made the answer. A passive reply cannot have that mark.
    #[serde(default = "mark")]
    pub(super) mark: bool,
    /// What each message of an answer begins with.
    #[serde(default, deserialize_with = "label")]
    pub(super) label: String,
}

/// Bytes of the longest label.
const MAX_LABEL_BYTES: usize = 100;

fn prompt() -> String {
    "你是微信公众号里的助手。请用简短的纯文本回答，不要使用 Markdown。".to_owned()
}

fn turns() -> u8 {
    6
}

fn messages() -> u8 {
    4
}

fn per_minute() -> u8 {
    10
}

fn silence() -> Duration {
    Duration::from_secs(20)
}

fn mark() -> bool {
    true
}

fn endpoint<'de, D: Deserializer<'de>>(deserializer: D) -> Result<reqwest::Url, D::Error> {
    let text = String::deserialize(deserializer)?;
    let wrong = || de::Error::custom("is no address like https://api.example.com/v1");
    let mut url: reqwest::Url = text.trim().parse().map_err(|_| wrong())?;
    let is_bare = url.username().is_empty() && url.password().is_none();
    if !matches!(url.scheme(), "http" | "https") || !is_bare {
        return Err(wrong());
    }
    let base = url.path().trim_end_matches('/');
    let base = base.strip_suffix("/chat/completions").unwrap_or(base);
    let path = format!("{base}/chat/completions");
    url.set_path(&path);
    Ok(url)
}

fn between<'de, D: Deserializer<'de>, const LEAST: u8, const MOST: u8>(
    deserializer: D,
) -> Result<u8, D::Error> {
    let number = u8::deserialize(deserializer)?;
    match (LEAST..=MOST).contains(&number) {
        true => Ok(number),
        false => Err(de::Error::custom(format!("is not from {LEAST} to {MOST}"))),
    }
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    match parse_duration(&text).map_err(de::Error::custom)? {
        Duration::ZERO => Err(de::Error::custom("is no time at all")),
        duration => Ok(duration),
    }
}

fn label<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    match text.len() <= MAX_LABEL_BYTES {
        true => Ok(text),
        false => Err(de::Error::custom("is longer than 100 bytes")),
    }
}
