//! What all handlers share, and what the configuration says about it in `[handlers]`.

use serde::Deserialize;

use crate::assistant::{self, Assistant, SetupError};
use crate::order::Shop;

/// What stands in `[handlers]`.
#[derive(Deserialize)]
pub(crate) struct Settings {
    assistant: Option<assistant::Settings>,
}

/// The router's state: cloned for each push.
#[derive(Clone)]
pub(crate) struct Bot {
    pub(crate) shop: Shop,
    /// Answers what nothing else answers; none where the configuration has no `[handlers.assistant]`.
    pub(crate) assistant: Option<Assistant>,
}

impl Bot {
    /// Made once, when the server starts.
    pub(crate) fn open(settings: Settings) -> Result<Self, SetupError> {
        Ok(Self {
            shop: Shop::sample(),
            assistant: settings.assistant.map(Assistant::open).transpose()?,
        })
    }
}

#[cfg(test)]
impl Bot {
    /// One for tests, which ask nobody.
    pub(crate) fn sample() -> Self {
        Self {
            shop: Shop::sample(),
            assistant: None,
        }
    }
}
