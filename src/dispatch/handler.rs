//! Handlers: async functions of up to eight extractors, and what they may return.

use std::future::Future;

use futures_util::future::BoxFuture;

use crate::dispatch::error::Error;
use crate::dispatch::extract::{Context, FromPush, Rejection};
use crate::protocol::message::{Message, Text};

/// A handler that was started: what it says, or why it failed.
pub type Called = BoxFuture<'static, Result<Vec<Message>, Error>>;

/// An async function that handles pushes: up to eight extractors in, a reply out.
///
/// ```
/// use wxhook::dispatch::{Content, Router};
///
/// async fn echo(Content(text): Content) -> String {
///     format!("你说: {text}")
/// }
/// let router = Router::<()>::new().fallback(echo);
/// ```
///
/// A function that is not async is no handler:
///
/// ```compile_fail,E0277
/// use wxhook::dispatch::{Content, Router};
///
/// fn echo(Content(text): Content) -> String {
///     text
/// }
/// let router = Router::<()>::new().fallback(echo);
/// ```
///
/// Nor is one with an argument that no push can fill:
///
/// ```compile_fail,E0277
/// use wxhook::dispatch::Router;
///
/// async fn echo(text: String) -> String {
///     text
/// }
/// let router = Router::<()>::new().fallback(echo);
/// ```
///
/// Nor is one that returns what cannot be said:
///
/// ```compile_fail,E0277
/// use wxhook::dispatch::Router;
///
/// async fn count() -> u32 {
///     7
/// }
/// let router = Router::<()>::new().fallback(count);
/// ```
///
/// Nor is one that asks for another state than its router's:
///
/// ```compile_fail,E0277
/// use wxhook::dispatch::{Router, State};
///
/// #[derive(Clone)]
/// struct Shop;
/// async fn open(State(_shop): State<Shop>) {}
/// let router = Router::<()>::new().fallback(open);
/// ```
///
/// Nor is one that keeps something of its thread while it awaits:
///
/// ```compile_fail
/// use wxhook::dispatch::Router;
///
/// async fn keep() {
///     let kept = std::rc::Rc::new(1);
///     std::future::ready(()).await;
///     drop(kept);
/// }
/// let router = Router::<()>::new().fallback(keep);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no handler for a `Router<{S}>`",
    label = "not an async function of extractors that returns a reply",
    note = "a handler is an `async fn` with at most eight arguments, each an extractor: `OpenId`, a typed push such as `Subscribe`, `Arc<Push>`, `Content`, `Captures<T>`, `State<S>` with the router's own state, `Reply`, `Deadline`",
    note = "it returns `()`, `&'static str`, `String`, `Text`, an `Option` or `Vec` of these, or a `Result` of them whose error is a `wxhook` `Error` or turns into one",
    note = "its future must be `Send`: nothing like `Rc` or a `std` lock guard may be held across an `.await`"
)]
pub trait Handler<S, Inputs>: Clone + Send + Sync + 'static {
    /// Takes the arguments from the push and starts the function.
    ///
    /// # Errors
    /// The [`Rejection`] of the first argument that the push does not have.
    fn start(&self, context: &Context, state: &S) -> Result<Called, Rejection>;
}

macro_rules! handler {
    ($($input:ident),*) => {
        impl<S, F, Fut, R, $($input,)*> Handler<S, ($($input,)*)> for F
        where
            F: Fn($($input),*) -> Fut + Clone + Send + Sync + 'static,
            Fut: Future<Output = R> + Send + 'static,
            R: IntoReply,
            $($input: FromPush<S>,)*
        {
            #[allow(unused_variables, reason = "the one without arguments needs nothing")]
            fn start(&self, context: &Context, state: &S) -> Result<Called, Rejection> {
                let future = self($($input::from_push(context, state)?),*);
                Ok(Box::pin(async move { future.await.into_reply() }))
            }
        }
    };
}

handler!();
handler!(A);
handler!(A, B);
handler!(A, B, C);
handler!(A, B, C, D);
handler!(A, B, C, D, E);
handler!(A, B, C, D, E, G);
handler!(A, B, C, D, E, G, H);
handler!(A, B, C, D, E, G, H, I);

/// What a handler may return: nothing, a message, several, or a failure.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no reply",
    label = "a handler cannot return this",
    note = "a handler returns `()`, `&'static str`, `String`, `Text`, an `Option` or `Vec` of these, or a `Result` of them"
)]
pub trait IntoReply {
    /// The messages, in the order in which the user is to see them.
    ///
    /// # Errors
    /// The handler's failure.
    fn into_reply(self) -> Result<Vec<Message>, Error>;
}

impl IntoReply for () {
    fn into_reply(self) -> Result<Vec<Message>, Error> {
        Ok(Vec::new())
    }
}

impl IntoReply for Message {
    fn into_reply(self) -> Result<Vec<Message>, Error> {
        Ok(vec![self])
    }
}

impl IntoReply for Text {
    fn into_reply(self) -> Result<Vec<Message>, Error> {
        Message::from(self).into_reply()
    }
}

impl IntoReply for String {
    fn into_reply(self) -> Result<Vec<Message>, Error> {
        Message::from(self).into_reply()
    }
}

impl IntoReply for &'static str {
    fn into_reply(self) -> Result<Vec<Message>, Error> {
        Message::from(self).into_reply()
    }
}

impl<R: IntoReply> IntoReply for Option<R> {
    fn into_reply(self) -> Result<Vec<Message>, Error> {
        self.map_or_else(|| Ok(Vec::new()), R::into_reply)
    }
}

impl<R: IntoReply> IntoReply for Vec<R> {
    fn into_reply(self) -> Result<Vec<Message>, Error> {
        let mut messages = Vec::with_capacity(self.len());
        for reply in self {
            messages.extend(reply.into_reply()?);
        }
        Ok(messages)
    }
}

impl<R: IntoReply, E: Into<Error>> IntoReply for Result<R, E> {
    fn into_reply(self) -> Result<Vec<Message>, Error> {
        self.map_err(Into::into)?.into_reply()
    }
}
