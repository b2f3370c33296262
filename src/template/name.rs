//! What a file's name says: what it becomes, and for whom.

use std::fmt;

/// What a template becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Becomes {
    /// A text message.
    Text,
    /// Any message, written as the platform's JSON.
    Json,
}

/// A name taken apart: `sub/welcome.zh_CN.txt` is `sub/welcome.txt` for `zh_CN`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    /// What a handler calls it.
    pub(super) base: String,
    pub(super) locale: Option<Locale>,
    pub(super) becomes: Becomes,
}

impl Name {
    /// Whether a file of this name takes part at all: it becomes something, or may be included.
    pub(super) fn counts(file: &str) -> bool {
        Self::parse(file).is_some() || file.ends_with(".inc")
    }

    /// `None`: it becomes nothing by itself, but may be included.
    pub(super) fn parse(file: &str) -> Option<Self> {
        let (stem, ending) = file.rsplit_once('.')?;
        let becomes = match ending {
            "txt" => Becomes::Text,
            "json" => Becomes::Json,
            _ => return None,
        };
        let variant = stem
            .rsplit_once('.')
            .and_then(|(stem, locale)| Some((stem, Locale::parse(locale).ok()?)));
        let (stem, locale) = match variant {
            Some((stem, locale)) => (stem, Some(locale)),
            None => (stem, None),
        };
        Some(Self {
            base: format!("{stem}.{ending}"),
            locale,
            becomes,
        })
    }
}

/// A language, as the platform writes it: `zh_CN`, `zh_TW`, `en`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Locale(String);

impl Locale {
    /// Two or three lower-case letters, and perhaps `_` with a country (`zh_CN`) or script (`zh_Hant`).
    ///
    /// # Errors
    /// [`NoLocale`].
    pub fn parse(text: &str) -> Result<Self, NoLocale> {
        let (language, rest) = match text.split_once('_') {
            Some((language, rest)) => (language, Some(rest)),
            None => (text, None),
        };
        let is_language = (2..=3).contains(&language.len())
            && language.bytes().all(|byte| byte.is_ascii_lowercase());
        let is_rest = |rest: &str| {
            matches!(rest.len(), 2 | 4)
                && rest.starts_with(|first: char| first.is_ascii_uppercase())
                && rest.bytes().all(|byte| byte.is_ascii_alphabetic())
        };
        if is_language && rest.is_none_or(is_rest) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NoLocale)
        }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The language alone, if more was said.
    pub(super) fn wider(&self) -> Option<Self> {
        let (language, _) = self.0.split_once('_')?;
        Some(Self(language.to_owned()))
    }
}

impl fmt::Display for Locale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is no [`Locale`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a language is written like zh_CN, zh_TW or en")]
pub struct NoLocale;
