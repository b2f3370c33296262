//! Where what a keeper keeps comes from.

use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::id::AppId;
use crate::platform::exchange::{Answer, ExchangeError};
use crate::secret::AccessToken;
use crate::token::TokenError;

/// A token, or a ticket, as the platform gave it.
#[derive(Debug, Clone)]
pub struct Minted {
    /// The token.
    pub token: AccessToken,
    /// What is left of its life, counted from the question.
    pub lifetime: Duration,
}

/// Asks the platform for one kind of token of one account. A [`Keeper`](crate::token::Keeper) sees to
/// it that this happens rarely, and in one process at a time.
pub trait Mint: Send + Sync + fmt::Debug {
    /// Asks once.
    fn mint(&self) -> BoxFuture<'_, Result<Minted, TokenError>>;
}

/// One question to a token endpoint, on its way.
pub type Question<'a> = BoxFuture<'a, Result<Answer, ExchangeError>>;

/// Counts the questions to token endpoints, which the platform limits like its other calls.
pub trait Tally: Send + Sync + fmt::Debug {
    /// Asks a question to this path in the account's name, and counts it. It is asked whatever the counts
    /// say: without a token nothing goes, and how often is asked a keeper limits itself.
    fn counted<'a>(
        &'a self,
        account: &'a AppId,
        path: &'static str,
        question: Question<'a>,
    ) -> Question<'a>;
}
