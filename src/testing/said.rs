//! What a test sees of what happened.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use crate::id::OpenId;
use crate::store::{Part, PartState, PushState, Story};

/// A message that the bot said, or tried to say.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Said {
    /// To whom.
    pub to: OpenId,
    /// The message as the platform gets it: the JSON of a customer message (客服消息).
    pub message: Value,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fate {
    /// The platform took it.
    Sent,
    /// The user does not get it.
    Refused {
        /// The platform's code, or the one that it would have answered.
        code: Option<i64>,
        /// Why, for people.
        detail: String,
    },
    /// The platform's answer was not seen: the user may have got it.
    Unknown {
        /// Why, for people.
        detail: String,
    },
}

impl Said {
    /// A part, once its fate is known.
    pub(super) fn of(part: &Part) -> Option<Self> {
        let detail = part.detail.clone().unwrap_or_default();
        let fate = match part.state {
            PartState::Waiting | PartState::Sending => return None,
            PartState::Sent => Fate::Sent,
            PartState::Refused => Fate::Refused {
                code: part.error_code,
                detail,
            },
            PartState::Unknown => Fate::Unknown { detail },
        };
        Some(Self {
            to: part.to.clone(),
            message: serde_json::from_slice(&part.message).unwrap_or(Value::Null),
            fate,
        })
    }

    /// The kind of message: `text`, `image`, `news`, `msgmenu` …
    pub fn kind(&self) -> &str {
        self.message["msgtype"].as_str().unwrap_or_default()
    }

    /// The text of a text message.
    pub fn text(&self) -> Option<&str> {
        self.message["text"]["content"].as_str()
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text() {
            Some(text) => write!(f, "{text:?} to {}", self.to)?,
            None => write!(f, "{} to {}", self.message, self.to)?,
        }
        match &self.fate {
            Fate::Sent => Ok(()),
            Fate::Refused {
                code: Some(code),
                detail,
            } => write!(f, ", refused with {code}: {detail}"),
            Fate::Refused { code: None, detail } => write!(f, ", refused: {detail}"),
            Fate::Unknown { detail } => write!(f, ", perhaps: {detail}"),
        }
    }
}

/// Where a push stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// *Done* (handled, or nobody's), *retry*, *dead* …; *pending* when it waits behind one that is
    /// tried again soon.
    pub state: PushState,
    /// The route that won; `None` when no route took it, or none was asked.
    pub route: Option<String>,
    /// Attempts of its present run that have ended.
    pub attempts: u32,
    /// Why it is dead, malformed or to be tried again.
    pub reason: Option<String>,
    /// How long until it is tried again.
    pub next_try_in: Option<Duration>,
    /// How often it came again, and was recognised.
    pub repeats: u32,
}

impl Outcome {
    pub(super) fn of(story: &Story, now: crate::clock::Timestamp) -> Self {
        let push = &story.push;
        let last = story.attempts.last();
        let route = last.map(|(_, attempt)| attempt.route.as_str());
        Self {
            state: push.state,
            // The engine's words for nobody, and for an attempt that did not come so far.
            route: route
                .filter(|name| !["none", "-"].contains(name))
                .map(str::to_owned),
            attempts: push.attempts,
            reason: push.reason.clone(),
            next_try_in: push
                .retry_at
                .filter(|_| push.state == PushState::Retry)
                .map(|at| at.since(now)),
            repeats: push.repeats,
        }
    }
}
