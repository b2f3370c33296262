//! Whether a user may be written to, and why not.

use std::fmt;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::platform::error::ErrorCode;

/// Whether a user may be written to, as far as this server saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Standing {
    /// At least one window is open.
    Open {
        /// Messages that may be sent before the user acts again; 1 or more.
        remaining: u32,
        /// When the last of these windows closes.
        closes_at: Timestamp,
    },
    /// None is.
    Closed(Closed),
    /// What was seen does not tell: it may be tried.
    Unknown,
}

/// Why a user may not be written to. Only the user can change it, by acting.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Closed {
    /// Every message of the window was sent.
    UsedUp {
        /// How long the window lasts.
        lasts: Duration,
        /// How many messages it allowed.
        messages: u8,
        /// When it closes.
        closes_at: Timestamp,
    },
    /// Its time is over.
    Over {
        /// How long the window lasted.
        lasts: Duration,
        /// How many messages it allowed.
        messages: u8,
        /// How many of them were sent.
        used: u8,
        /// When it closed.
        closed_at: Timestamp,
    },
    /// The user does not follow any more.
    Unfollowed {
        /// When the user stopped.
        at: Timestamp,
    },
    /// The platform said so when it was asked last.
    Refused {
        /// With this code.
        code: i64,
        /// When.
        at: Timestamp,
    },
    /// The user did nothing that opens a window.
    Silent {
        /// For so long.
        lasts: Duration,
    },
}

impl Closed {
    /// The code with which the platform would refuse a message.
    pub const fn code(&self) -> i64 {
        match self {
            Self::UsedUp { .. } => 45047,
            Self::Over { .. } | Self::Unfollowed { .. } | Self::Silent { .. } => 45015,
            Self::Refused { code, .. } => *code,
        }
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UsedUp {
                lasts,
                messages,
                closes_at,
            } => write!(
                f,
                "the window of {} is used up: {messages} of {messages} messages used; it closes at {}",
                Shown(*lasts),
                Moment(*closes_at)
            ),
            Self::Over {
                lasts,
                messages,
                used,
                closed_at,
            } => write!(
                f,
                "the window of {} closed at {}: {used} of {messages} messages used",
                Shown(*lasts),
                Moment(*closed_at)
            ),
            Self::Unfollowed { at } => {
                write!(f, "the user stopped to follow at {}", Moment(*at))
            }
            Self::Refused { code, at } => write!(
                f,
                "the platform refused the message before it at {} with code {code} ({})",
                Moment(*at),
                ErrorCode(*code).meaning()
            ),
            Self::Silent { lasts } => write!(
                f,
                "the user did nothing within {} that opens a window",
                Shown(*lasts)
            ),
        }
    }
}

/// A duration in its largest whole unit.
struct Shown(Duration);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            seconds if seconds % 3600 == 0 => write!(f, "{} h", seconds / 3600),
            seconds if seconds % 60 == 0 => write!(f, "{} min", seconds / 60),
            seconds => write!(f, "{seconds} s"),
        }
    }
}

/// A moment as people and programs read it, in UTC.
struct Moment(Timestamp);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.0.seconds()) {
            Ok(moment) => moment.fmt(f),
            Err(_) => write!(f, "{} s", self.0.seconds()),
        }
    }
}
