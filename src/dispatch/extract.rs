//! Extractors: what a handler can ask for by the types of its arguments.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::clock::Clock;
use crate::dispatch::accounts::Accounts;
use crate::dispatch::blocking::Pool;
use crate::dispatch::conversation::{ConversationType, Remembered};
use crate::dispatch::gates::Pass;
use crate::dispatch::live::Reply;
use crate::id::{AppId, OpenId};
use crate::protocol::push::{Push, PushType, Typed};

mod captured;

/// What is known about the push in hand: where extractors take their values from.
#[derive(Debug)]
pub struct Context {
    push: Arc<Push>,
    captures: Vec<(String, String)>,
    deadline: Deadline,
    reply: Reply,
    accounts: Accounts,
    pool: Pool,
    pass: Option<Arc<Pass>>,
    remembered: Remembered,
}

/// What a context is made of.
pub(crate) struct ContextParts {
    pub(crate) push: Arc<Push>,
    /// The named groups of the pattern that matched.
    pub(crate) captures: Vec<(String, String)>,
    pub(crate) deadline: Deadline,
    pub(crate) reply: Reply,
    pub(crate) accounts: Accounts,
    /// Where functions that are not async run.
    pub(crate) pool: Pool,
    /// The right to be behind the route's gate, if it has one.
    pub(crate) pass: Option<Arc<Pass>>,
    pub(crate) remembered: Remembered,
}

impl Context {
    pub(crate) fn new(parts: ContextParts) -> Self {
        Self {
            push: parts.push,
            captures: parts.captures,
            deadline: parts.deadline,
            reply: parts.reply,
            accounts: parts.accounts,
            pool: parts.pool,
            pass: parts.pass,
            remembered: parts.remembered,
        }
    }

    /// The push.
    pub fn push(&self) -> &Arc<Push> {
        &self.push
    }

    /// The named groups of the pattern that matched: name and text, in the pattern's order.
    pub fn captures(&self) -> &[(String, String)] {
        &self.captures
    }

    /// The account that received the push.
    pub fn account(&self) -> &AppId {
        self.reply.account()
    }

    /// When the handler must have ended.
    pub fn deadline(&self) -> &Deadline {
        &self.deadline
    }

    pub(crate) fn remembered(&self) -> &Remembered {
        &self.remembered
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    pub(crate) fn pass(&self) -> Option<Arc<Pass>> {
        self.pass.clone()
    }

    pub(crate) fn accounts(&self) -> &Accounts {
        &self.accounts
    }
}

/// A value that a handler can take as an argument.
///
/// Implement it for types of your own; take what you need from [`Context`] and the state.
#[diagnostic::on_unimplemented(
    message = "a handler cannot take `{Self}` as an argument",
    label = "this is no extractor for handlers of a `Router<{S}>`",
    note = "handlers take: `OpenId`, a typed push such as `Subscribe`, `Arc<Push>`, `Content`, `Captures<T>`, `State<S>`, `Conversation<C>`, `Reply`, `Api`, `Deadline`, an `Option` of one of these",
    note = "`State<T>` needs the router's own state: `Router<T>`, with `T: Clone`; `Captures<T>` and `Conversation<T>` need `T: Deserialize`"
)]
pub trait FromPush<S>: Sized {
    /// Takes the value.
    ///
    /// # Errors
    /// A [`Rejection`] gives the push up: trying again would not make the value appear.
    fn from_push(context: &Context, state: &S) -> Result<Self, Rejection>;

    /// The type of conversation that it takes. Only where a route asks for one are conversations read; an
    /// extractor of yours that takes a [`Conversation`](crate::dispatch::Conversation) inside says so
    /// here: `Some(ConversationType::of::<C>())`.
    fn conversation() -> Option<ConversationType> {
        None
    }
}

/// Why an argument could not be made from the push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    reason: String,
    wrong_kind: bool,
}

impl Rejection {
    /// The push should have what is asked for, but has not.
    pub fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            wrong_kind: false,
        }
    }

    /// The push is of a kind that never has what is asked for. A `fallback` or `unknown` handler is
    /// then simply not meant, and the push is done; a step lets it pass to the other routes; any other route was
    /// written wrong.
    pub fn wrong_kind(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            wrong_kind: true,
        }
    }

    pub(crate) fn is_wrong_kind(&self) -> bool {
        self.wrong_kind
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl<S> FromPush<S> for Arc<Push> {
    fn from_push(context: &Context, _state: &S) -> Result<Self, Rejection> {
        Ok(Arc::clone(context.push()))
    }
}

impl<S, T: PushType> FromPush<S> for T {
    fn from_push(context: &Context, _state: &S) -> Result<Self, Rejection> {
        T::of(context.push())
            .cloned()
            .ok_or_else(|| Rejection::wrong_kind(format!("the push is not of type {}", T::NAME)))
    }
}

impl<S> FromPush<S> for OpenId {
    fn from_push(context: &Context, _state: &S) -> Result<Self, Rejection> {
        let from = context.push().from();
        match from.as_str() {
            "" => Err(Rejection::wrong_kind("the push comes from no user")),
            _ => Ok(from.clone()),
        }
    }
}

/// What only some pushes have: `None` of a push that is of another kind.
impl<S, T: FromPush<S>> FromPush<S> for Option<T> {
    fn from_push(context: &Context, state: &S) -> Result<Self, Rejection> {
        match T::from_push(context, state) {
            Ok(value) => Ok(Some(value)),
            Err(rejection) if rejection.is_wrong_kind() => Ok(None),
            Err(rejection) => Err(rejection),
        }
    }

    fn conversation() -> Option<ConversationType> {
        T::conversation()
    }
}

/// What the user wrote, of a text message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content(pub String);

impl<S> FromPush<S> for Content {
    fn from_push(context: &Context, _state: &S) -> Result<Self, Rejection> {
        match context.push().typed() {
            Typed::Text(text) => Ok(Self(text.content.clone())),
            _ => Err(Rejection::wrong_kind("the push is no text message")),
        }
    }
}

impl Deref for Content {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// The named groups of the pattern that matched, as a struct: `(?<no>\d+)` fills the field `no`.
///
/// Fields may be text, numbers, `bool`, `char`, enums of plain names, and `Option` of these for groups
/// that need not match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Captures<T>(pub T);

impl<S, T: DeserializeOwned> FromPush<S> for Captures<T> {
    fn from_push(context: &Context, _state: &S) -> Result<Self, Rejection> {
        captured::read(context.captures())
            .map(Captures)
            .map_err(|error| {
                Rejection::new(format!(
                    "the pattern's groups are not what is asked for: {error}"
                ))
            })
    }
}

/// The router's state, the one given to `Router::with_state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State<S>(pub S);

impl<S: Clone> FromPush<S> for State<S> {
    fn from_push(_context: &Context, state: &S) -> Result<Self, Rejection> {
        Ok(Self(state.clone()))
    }
}

/// When the handler must have ended: then its attempt counts as failed and the handler is dropped.
#[derive(Debug, Clone)]
pub struct Deadline {
    /// On the monotonic clock.
    at: Duration,
    clock: Arc<dyn Clock>,
}

impl Deadline {
    pub(crate) fn new(at: Duration, clock: &Arc<dyn Clock>) -> Self {
        Self {
            at,
            clock: Arc::clone(clock),
        }
    }

    /// What is left; zero when it has passed.
    pub fn remaining(&self) -> Duration {
        self.at.saturating_sub(self.clock.monotonic())
    }
}

impl<S> FromPush<S> for Deadline {
    fn from_push(context: &Context, _state: &S) -> Result<Self, Rejection> {
        Ok(context.deadline.clone())
    }
}

impl<S> FromPush<S> for Reply {
    fn from_push(context: &Context, _state: &S) -> Result<Self, Rejection> {
        Ok(context.reply.clone())
    }
}
