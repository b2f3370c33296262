//! What a handler says when it could not do its work.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

/// Why a handler failed, and whether trying again helps. Takes any error by `?`.
///
/// As it is, the push is tried again after the times of its router's
/// [`Attempts`](crate::dispatch::Attempts); [`Error::give_up`] and [`Error::retry_after`] say otherwise.
pub struct Error {
    source: Box<dyn StdError + Send + Sync>,
    advice: Advice,
}

/// What should happen after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Advice {
    /// Again, at the next time of the schedule.
    Retry,
    /// Again, not before this time has passed.
    RetryAfter(Duration),
    /// Never again.
    GiveUp,
}

/// Bytes of a failure's text that are kept: what people read, not a dump.
const MAX_TEXT_BYTES: usize = 1_000;

impl Error {
    /// An error of a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            source: text.into().into(),
            advice: Advice::Retry,
        }
    }

    /// Trying again is useless: the push goes to the dead letters at once.
    #[must_use]
    pub fn give_up(mut self) -> Self {
        self.advice = Advice::GiveUp;
        self
    }

    /// Try again, but not before `delay` has passed. Counts as one of the schedule's attempts.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.advice = Advice::RetryAfter(delay);
        self
    }

    pub(crate) fn advice(&self) -> Advice {
        self.advice
    }

    /// The error and its causes in one line, cut to what people read.
    pub(crate) fn text(&self) -> String {
        let mut text = self.source.to_string();
        let mut cause = self.source.source();
        while let Some(error) = cause {
            if text.len() > MAX_TEXT_BYTES {
                break;
            }
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        shorten(text)
    }
}

/// Cuts a text to [`MAX_TEXT_BYTES`], at a character.
pub(crate) fn shorten(mut text: String) -> String {
    if text.len() > MAX_TEXT_BYTES {
        let end = text.floor_char_boundary(MAX_TEXT_BYTES);
        text.truncate(end);
        text.push('…');
    }
    text
}

// `Error` itself is no `std::error::Error`: that is what lets it take any other by `?`.
impl<E: StdError + Send + Sync + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        Self {
            source: Box::new(error),
            advice: Advice::Retry,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({:?}, {})", self.advice, self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_tells_its_causes_and_stays_short() {
        #[derive(Debug, thiserror::Error)]
        #[error("the shop is closed")]
        struct Closed(#[source] std::num::ParseIntError);
        let cause = "x".parse::<u8>().unwrap_err();
        let error = Error::from(Closed(cause));
        assert_eq!(
            error.to_string(),
            "the shop is closed: invalid digit found in string"
        );
        assert!(Error::new("长".repeat(1_000)).to_string().len() <= MAX_TEXT_BYTES + 3);
    }

    #[test]
    fn the_last_advice_wins() {
        let delay = Duration::from_secs(9);
        let error = Error::new("no").give_up().retry_after(delay);
        assert_eq!(error.advice(), Advice::RetryAfter(delay));
        assert_eq!(Error::new("no").advice(), Advice::Retry);
    }
}
