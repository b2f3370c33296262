//! Where what a keeper keeps comes from.

use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;

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
