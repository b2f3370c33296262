//! A plain copy of each account's current token, for systems that know nothing of wxhook.

use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::id::AppId;
use crate::secret::AccessToken;
use crate::store::tokens::TokensError;

/// What became of a token that was to be copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copied {
    /// It stands there now.
    Written,
    /// One of a newer generation stands there, and stays.
    Newer,
}

/// Where plain copies are kept.
///
/// Nothing is ever read from there: whoever can write there can mislead those who read the copies,
/// and not wxhook. Must be called within a tokio runtime.
pub trait PlainCopies: Send + Sync + fmt::Debug {
    /// Writes the token, to vanish by itself after `remaining`, unless a newer generation stands there.
    fn copy<'a>(
        &'a self,
        account: &'a AppId,
        token: &'a AccessToken,
        generation: u64,
        remaining: Duration,
    ) -> BoxFuture<'a, Result<Copied, TokensError>>;
}
