//! How many messages an act allows, and for how long.

use std::time::Duration;

use crate::protocol::push::Window;

/// Users of whom windows are kept; about 110 bytes each.
pub const USERS: usize = 900_000;

/// The longest time that a window may be configured to last: a week.
pub const MOST_LASTS: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The most messages that a window may be configured to allow.
pub const MOST_MESSAGES: u8 = 100;

/// What one act allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figure {
    messages: u8,
    seconds: u32,
}

/// Why two numbers are not a [`Figure`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FigureError {
    /// None, or more than [`MOST_MESSAGES`].
    #[error("a window allows 1 to {MOST_MESSAGES} messages, not {0}")]
    Messages(u64),
    /// Less than a second, or more than [`MOST_LASTS`].
    #[error("a window lasts from 1s to 7d")]
    Lasts,
}

impl Figure {
    /// So many messages within this time, in whole seconds.
    ///
    /// # Errors
    /// [`FigureError`] names the number that is out of range.
    pub fn new(messages: u64, lasts: Duration) -> Result<Self, FigureError> {
        let messages = u8::try_from(messages)
            .ok()
            .filter(|messages| (1..=MOST_MESSAGES).contains(messages))
            .ok_or(FigureError::Messages(messages))?;
        let seconds = u32::try_from(lasts.as_secs()).map_err(|_| FigureError::Lasts)?;
        if seconds == 0 || lasts > MOST_LASTS {
            return Err(FigureError::Lasts);
        }
        Ok(Self { messages, seconds })
    }

    /// The platform's own.
    fn of(window: Window) -> Self {
        Self {
            messages: u8::try_from(window.messages()).unwrap_or(u8::MAX),
            seconds: window.seconds(),
        }
    }

    /// Messages.
    pub const fn messages(self) -> u8 {
        self.messages
    }

    /// How long.
    pub const fn lasts(self) -> Duration {
        Duration::from_secs(self.seconds as u64)
    }

    pub(super) const fn seconds(self) -> u32 {
        self.seconds
    }
}

/// Whether the scenes of a user are counted apart. The platform does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Buckets {
    /// A message uses one grant: the one that closes soonest.
    #[default]
    Separate,
    /// A message uses one of every grant that is open.
    Shared,
}

/// Which windows are counted with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Whether a message is held back when its window is known to be closed. Default: it is.
    pub check: bool,
    /// The user sent a message. Default: 5 in 48 h.
    pub message: Figure,
    /// The user tapped a menu button that sends a push, or an item of a menu message. Default: 3 in 1 min.
    pub menu: Figure,
    /// The user began to follow. Default: 3 in 1 min.
    pub follow: Figure,
    /// A follower scanned a code of the account. Default: 3 in 1 min.
    pub scan: Figure,
    /// Whether they are counted apart. Default: they are.
    pub buckets: Buckets,
    /// Users of whom windows are kept; 1 or more. Default [`USERS`].
    pub users: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            check: true,
            message: Figure::of(Window::Message),
            menu: Figure::of(Window::Menu),
            follow: Figure::of(Window::Follow),
            scan: Figure::of(Window::Scan),
            buckets: Buckets::default(),
            users: USERS,
        }
    }
}

impl Settings {
    /// What an act that opens this window allows.
    pub fn figure(&self, window: Window) -> Figure {
        match window {
            Window::Message => self.message,
            Window::Menu => self.menu,
            Window::Follow => self.follow,
            Window::Scan => self.scan,
        }
    }

    /// The most messages that one act allows.
    pub fn most_messages(&self) -> u8 {
        let figures = [self.message, self.menu, self.follow, self.scan];
        figures.map(Figure::messages).into_iter().max().unwrap_or(1)
    }

    /// The longest time for which one act allows them.
    pub fn longest(&self) -> Duration {
        Duration::from_secs(u64::from(self.longest_seconds()))
    }

    pub(super) fn longest_seconds(&self) -> u32 {
        let figures = [self.message, self.menu, self.follow, self.scan];
        figures.map(Figure::seconds).into_iter().max().unwrap_or(1)
    }
}
