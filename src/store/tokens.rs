//! What all processes of an account share about its access token: the token, the right to ask for
//! the next one, and who caused what.
//!
//! The algorithm is the token room's. A store does one thing well: each call is one atomic step, so
//! that of many processes one asks the platform, and what it is given is never overwritten by
//! something older. Nothing here commits together with a push, so this is a trait of its own.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::clock::Timestamp;
use crate::id::AppId;
use crate::secret::AccessToken;

/// Notes kept about one key; older ones are forgotten.
pub const NOTES_KEPT: usize = 100;

/// Characters of a note's texts that are kept.
pub const NOTE_CHARACTERS: usize = 200;

/// The longest time that a right may be asked for. A store may take a right that is said to last
/// longer for ended: a clock was set back.
pub const LONGEST_RIGHT: Duration = Duration::from_secs(60);

/// What a stored text is, and where it comes from. The platform keeps them apart: a new one of one
/// kind leaves the others as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TokenKind {
    /// An access token of the stable endpoint, `/cgi-bin/stable_token`.
    Stable,
    /// An access token of the plain endpoint, `/cgi-bin/token`.
    Plain,
    /// A `jsapi_ticket`, which signs what pages in WeChat may call.
    JsapiTicket,
    /// A ticket of type `wx_card`, which signs cards.
    CardTicket,
}

impl TokenKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [
        Self::Stable,
        Self::Plain,
        Self::JsapiTicket,
        Self::CardTicket,
    ];

    /// Whether it signs what pages may do, and calls nothing.
    pub const fn is_ticket(self) -> bool {
        matches!(self, Self::JsapiTicket | Self::CardTicket)
    }

    /// The word used everywhere: in stores, logs, JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Plain => "plain",
            Self::JsapiTicket => "jsapi",
            Self::CardTicket => "wx_card",
        }
    }
}

/// What everything is stored under.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenKey {
    /// The account.
    pub account: AppId,
    /// The kind.
    pub kind: TokenKind,
}

/// A token as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRecord {
    /// The token, or the ticket. At least 512 bytes must be expected; stores take 4,096.
    pub token: AccessToken,
    /// Grows with every other token; the same token again keeps its generation. It is made of wall
    /// milliseconds, so that it grows even when a store has lost everything. At most `i64::MAX`.
    pub generation: u64,
    /// When this token was first asked for.
    pub obtained_at: Timestamp,
    /// When the platform last gave it: later than `obtained_at` when it gave the same one again.
    pub confirmed_at: Timestamp,
    /// The end of its life, by the clock of the process that asked for it.
    pub expires_at: Timestamp,
    /// The process that asked for it, for people.
    pub obtained_by: String,
}

/// What the platform gave, to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// The token.
    pub token: AccessToken,
    /// When it was asked for: before the question, not after the answer.
    pub asked_at: Timestamp,
    /// The end of its life.
    pub expires_at: Timestamp,
    /// The newest generation that the process knows of; 0 for none.
    pub known: u64,
    /// The process that asked, for people.
    pub by: String,
}

impl NewToken {
    /// The record that this becomes beside what is stored. Every store stores exactly this.
    ///
    /// The token that is stored already keeps its generation and its beginning; that lies before
    /// [`NewToken::asked_at`] even when the clock was set back. Any other one gets a generation above the stored one, above [`NewToken::known`], and not below the milliseconds of
    /// [`NewToken::asked_at`].
    pub fn beside(self, stored: Option<&TokenRecord>) -> TokenRecord {
        let newest = stored.map_or(0, |stored| stored.generation).max(self.known);
        let same = stored.filter(|stored| stored.token == self.token);
        let (generation, obtained_at) = match same {
            Some(same) => {
                let before = Timestamp::from_milliseconds(self.asked_at.milliseconds() - 1);
                (newest, same.obtained_at.min(before))
            }
            None => {
                let asked_ms = u64::try_from(self.asked_at.milliseconds()).unwrap_or(0);
                let generation = newest.saturating_add(1).max(asked_ms);
                (generation, self.asked_at)
            }
        };
        TokenRecord {
            token: self.token,
            generation,
            obtained_at,
            confirmed_at: self.asked_at,
            expires_at: self.expires_at,
            obtained_by: self.by,
        }
    }
}

/// A random value that names one wish for the right to ask. Never used twice.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Owner(String);

impl Owner {
    /// Of 16 random bytes.
    pub fn new(random: [u8; 16]) -> Self {
        Self(format!("{:032x}", u128::from_be_bytes(random)))
    }

    /// 32 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The right to ask the platform, for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Right {
    /// For what.
    pub key: TokenKey,
    /// Whose it is.
    pub owner: Owner,
    /// Above that of every right given before for this key; not below the milliseconds of the store's
    /// clock when it was given, so that it grows even when the store has lost everything.
    pub fence: u64,
}

/// What became of what the platform gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Saved {
    /// It is stored, as this.
    Stored(TokenRecord),
    /// The right had ended, or another one was given since: nothing was stored.
    Fenced,
}

/// What became of a record that was put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PutBack {
    /// It is stored.
    Stored,
    /// The store has this one of the same or a newer generation, and keeps it.
    Newer(TokenRecord),
}

/// Who did what to a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// When.
    pub at: Timestamp,
    /// The process, or the client behind it. At most [`NOTE_CHARACTERS`] are kept.
    pub who: String,
    /// What, in words; never a token. At most [`NOTE_CHARACTERS`] are kept.
    pub what: String,
}

impl Note {
    /// The note with its texts cut to [`NOTE_CHARACTERS`]. Every store stores exactly this.
    pub fn cut(mut self) -> Self {
        for text in [&mut self.who, &mut self.what] {
            if let Some((end, _)) = text.char_indices().nth(NOTE_CHARACTERS) {
                text.truncate(end);
            }
        }
        self
    }
}

/// Why a store did not do what was asked. That somebody else was first is no error: the outcomes
/// say so.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum TokensError {
    /// The store cannot be reached, does not answer in time, or refuses to work. Whether the step was
    /// done is not known. It says nothing about the token: what is in hand stays good.
    #[error("the token store is away: {0}")]
    Away(Arc<str>),
    /// What is stored cannot be understood: it was written by a newer version, or by something else.
    #[error("the token store holds something else: {0}")]
    Unreadable(Arc<str>),
}

impl TokensError {
    /// [`TokensError::Away`], for this reason; it must not hold a password.
    pub fn away(reason: impl fmt::Display) -> Self {
        Self::Away(reason.to_string().into())
    }

    /// [`TokensError::Unreadable`], for this reason; it must not hold a token.
    pub fn unreadable(reason: impl fmt::Display) -> Self {
        Self::Unreadable(reason.to_string().into())
    }
}

/// The answer to one call of [`Tokens`].
pub type Promise<'a, T> = BoxFuture<'a, Result<T, TokensError>>;

/// Where tokens are kept for all processes that use them.
///
/// - Each call is one atomic step: of calls made at the same time, by whichever process, one is first.
/// - A call answers within a second or so, or fails with [`TokensError::Away`]; a store that hangs is
///   away. It recovers by itself: a later call works when the store works again.
/// - A call whose future is dropped may have been done or not.
/// - How long a right lasts is measured by the store's own clock, the same for all processes; records
///   carry the times of those who wrote them, and no store compares those with its clock.
/// - Must be called within a tokio runtime.
pub trait Tokens: Send + Sync + fmt::Debug {
    /// Where it is kept and for how long, in one sentence for start-up and `/readyz`.
    fn durability(&self) -> &'static str;

    /// What is stored. An expired record is given back like any other: its generation still counts. A
    /// store may forget a record a day after its end.
    fn load<'a>(&'a self, key: &'a TokenKey) -> Promise<'a, Option<TokenRecord>>;

    /// The right to ask the platform, for `lasting` (at most [`LONGEST_RIGHT`]); `None` while it is
    /// another's. It is not given twice to one owner either.
    fn acquire<'a>(
        &'a self,
        key: &'a TokenKey,
        owner: &'a Owner,
        lasting: Duration,
    ) -> Promise<'a, Option<Right>>;

    /// Whether the right still holds: asked right before the platform is. If it does, it holds for
    /// `lasting` from now on; if it does not, nothing changes, and it never holds again.
    fn holds<'a>(&'a self, right: &'a Right, lasting: Duration) -> Promise<'a, bool>;

    /// Stores what the platform gave, as [`NewToken::beside`] what is stored says, if the right still
    /// holds at this moment; else stores nothing. The right stays.
    fn save<'a>(&'a self, right: &'a Right, new: NewToken) -> Promise<'a, Saved>;

    /// Stores a record again that the store lost, or could not take when it was made, whoever has the
    /// right: only if nothing is stored, or something of a lower generation.
    fn put_back<'a>(&'a self, key: &'a TokenKey, record: &'a TokenRecord) -> Promise<'a, PutBack>;

    /// Gives the owner's right back, if it is still the owner's; else does nothing.
    fn release<'a>(&'a self, key: &'a TokenKey, owner: &'a Owner) -> Promise<'a, ()>;

    /// Adds a note, [cut](Note::cut); the newest [`NOTES_KEPT`] of a key stay.
    fn note<'a>(&'a self, key: &'a TokenKey, note: Note) -> Promise<'a, ()>;

    /// The notes that are kept, in the order in which they came.
    fn notes<'a>(&'a self, key: &'a TokenKey) -> Promise<'a, Vec<Note>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(token: &str, asked_ms: i64, known: u64) -> NewToken {
        NewToken {
            token: AccessToken::new(token),
            asked_at: Timestamp::from_milliseconds(asked_ms),
            expires_at: Timestamp::from_milliseconds(asked_ms + 7_200_000),
            known,
            by: "test".to_owned(),
        }
    }

    #[test]
    fn a_generation_grows_whatever_was_lost() {
        let stored = new("old", 1_000, 0).beside(None);
        assert_eq!(stored.generation, 1_000);
        for (name, token, asked_ms, known, beside, expected) in [
            ("the first", "new", 5_000, 0, None, 5_000),
            ("after a flush", "new", 5_000, 9_000, None, 9_001),
            (
                "with the clock set back",
                "new",
                500,
                0,
                Some(&stored),
                1_001,
            ),
            ("later", "new", 5_000, 1_000, Some(&stored), 5_000),
            ("the same again", "old", 5_000, 1_000, Some(&stored), 1_000),
            ("before 1970", "new", -5, 0, None, 1),
        ] {
            let record = new(token, asked_ms, known).beside(beside);
            assert_eq!(record.generation, expected, "{name}");
        }
    }

    #[test]
    fn the_same_token_again_keeps_its_beginning() {
        let stored = new("old", 1_000, 0).beside(None);
        let again = new("old", 5_000, 1_000).beside(Some(&stored));
        assert_eq!(again.obtained_at, stored.obtained_at);
        assert_eq!(again.confirmed_at, Timestamp::from_milliseconds(5_000));
        assert_eq!(again.expires_at, Timestamp::from_milliseconds(7_205_000));
        let behind = new("old", 500, 1_000).beside(Some(&stored));
        assert_eq!(behind.obtained_at, Timestamp::from_milliseconds(499));
    }

    #[test]
    fn notes_are_cut_between_characters() {
        let note = Note {
            at: Timestamp::default(),
            who: "谁".repeat(300),
            what: "short".to_owned(),
        };
        let cut = note.cut();
        assert_eq!(cut.who.chars().count(), NOTE_CHARACTERS);
        assert_eq!(cut.what, "short");
    }
}
