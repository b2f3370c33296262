//! Reads what the platform writes now as a number, now as a text.

use serde::{Deserialize, Deserializer};

#[derive(Deserialize)]
#[serde(untagged)]
enum Either {
    Number(i64),
    Text(String),
}

/// A number, or a number in a text.
pub(super) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    match Either::deserialize(deserializer)? {
        Either::Number(number) => Ok(number),
        Either::Text(text) => text
            .trim()
            .parse()
            .map_err(|_| serde::de::Error::custom("a text where a number was expected")),
    }
}

/// As [`number`], of what may be missing: with `#[serde(default)]`.
pub(super) fn some_number<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<i64>, D::Error> {
    number(deserializer).map(Some)
}

/// A text, or a number that stands for one: ids exceed what JSON's numbers hold elsewhere.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match Either::deserialize(deserializer)? {
        Either::Number(number) => Ok(number.to_string()),
        Either::Text(text) => Ok(text),
    }
}
