//! Where an account's access tokens come from: an own keeper, or a central token service.

use std::fmt;

use futures_util::future::BoxFuture;

use crate::id::AppId;
use crate::platform::error::ErrorCode;
use crate::store::tokens::{Note, TokensError};
use crate::token::{Keeper, Lease, Status, Suspect, TokenError};

/// What somebody else asks a source for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Asked {
    /// A token.
    Token,
    /// The token to use instead of one that the platform refused with this code.
    Replacement(Suspect, ErrorCode),
    /// That the platform is asked, unless it gave the token a moment ago. Nothing is forced: it may
    /// give the same one again.
    Confirmation,
}

/// One account's access tokens. All methods must be called within a tokio runtime.
pub trait TokenSource: Send + Sync + fmt::Debug {
    /// The account.
    fn account(&self) -> &AppId;

    /// Where the tokens come from, for people: `platform`, or the address of a token service.
    fn origin(&self) -> &str;

    /// The token in hand, if it may be used. Asks nobody.
    fn held(&self) -> Option<Lease>;

    /// A token that may be used now. Waits for nobody while one is in hand that surely is current.
    fn token(&self) -> BoxFuture<'_, Result<Lease, TokenError>>;

    /// Tells that the platform refused a token, and gives the one to use instead. It may be the same
    /// one, with the same generation: then trying it once more is all that makes sense.
    fn report<'a>(
        &'a self,
        failed: &'a Suspect,
        code: ErrorCode,
    ) -> BoxFuture<'a, Result<Lease, TokenError>>;

    /// As [`token`](Self::token) and [`report`](Self::report), for `who`, whom the history names.
    fn serve<'a>(
        &'a self,
        who: &'a str,
        asked: &'a Asked,
    ) -> BoxFuture<'a, Result<Lease, TokenError>>;

    /// What is known about the token; `None` before the first one.
    fn status(&self) -> Option<Status>;

    /// Why no token could be had the last time, if none was had since.
    fn failure(&self) -> Option<TokenError>;

    /// Which process asked the platform when, why and for whom, and what came of it: the oldest first.
    /// A source that asks nobody itself has none.
    fn history(&self) -> BoxFuture<'_, Result<Vec<Note>, TokensError>>;
}

impl TokenSource for Keeper {
    fn account(&self) -> &AppId {
        Keeper::account(self)
    }

    fn origin(&self) -> &str {
        "platform"
    }

    fn held(&self) -> Option<Lease> {
        Keeper::held(self)
    }

    fn token(&self) -> BoxFuture<'_, Result<Lease, TokenError>> {
        Box::pin(Keeper::token(self))
    }

    fn report<'a>(
        &'a self,
        failed: &'a Suspect,
        code: ErrorCode,
    ) -> BoxFuture<'a, Result<Lease, TokenError>> {
        Box::pin(Keeper::report(self, failed, code))
    }

    fn serve<'a>(
        &'a self,
        who: &'a str,
        asked: &'a Asked,
    ) -> BoxFuture<'a, Result<Lease, TokenError>> {
        Box::pin(Keeper::serve(self, who, asked))
    }

    fn status(&self) -> Option<Status> {
        Keeper::status(self)
    }

    fn failure(&self) -> Option<TokenError> {
        Keeper::failure(self)
    }

    fn history(&self) -> BoxFuture<'_, Result<Vec<Note>, TokensError>> {
        Box::pin(Keeper::notes(self))
    }
}
