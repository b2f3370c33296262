//! Handlers: async functions of up to eight extractors, and what they may return.

use std::future::Future;

use futures_util::future::BoxFuture;

use crate::dispatch::answer::Answer;
use crate::dispatch::conversation::ConversationType;
use crate::dispatch::error::Error;
use crate::dispatch::extract::{Context, FromPush, Rejection};
use crate::protocol::message::{
    Image, Message, MiniProgramPage, MpNews, MpNewsArticle, MsgMenu, Music, News, Text,
    TransferToCustomerService, Video, Voice, WxCard,
};
use crate::template::Render;

/// What a handler said, or why it failed.
pub type Handled = Result<Vec<Answer>, Error>;

/// A handler that was started.
pub type Called = BoxFuture<'static, Handled>;

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
    note = "a handler is an `async fn` with at most eight arguments, each an extractor: `OpenId`, a typed push such as `Subscribe`, `Arc<Push>`, `Content`, `Captures<T>`, `State<S>` with the router's own state, `Conversation<C>` with a `C` that derives `Serialize` and `Deserialize`, `Reply`, `Api`, `Deadline`, an `Option` of one of these; what the user wrote is `Content(text): Content`, never a `String`",
    note = "it returns `()`, `&'static str`, `String`, `Text`, `Image`, `News` or any other message, a `Render` of a template, a tuple, array, `Vec` or `Option` of these, or a `Result` of them whose error is a `wxhook` `Error` or turns into one",
    note = "a function that is not async is written as `blocking(function)`",
    note = "its future must be `Send`: nothing like `Rc` or a `std` lock guard may be held across an `.await`"
)]
pub trait Handler<S, Inputs>: Clone + Send + Sync + 'static {
    /// Takes the arguments from the push and starts the function.
    ///
    /// # Errors
    /// The [`Rejection`] of the first argument that the push does not have.
    fn start(&self, context: &Context, state: &S) -> Result<Called, Rejection>;

    /// Whether the push is of a kind that has what the arguments need.
    fn suits(&self, context: &Context, state: &S) -> bool;

    /// The types of conversations that the arguments ask for.
    fn conversations(&self) -> Vec<ConversationType>;
}

/// Whether the push is of a kind that has this argument.
pub(super) fn has_kind_of<S, T: FromPush<S>>(context: &Context, state: &S) -> bool {
    T::from_push(context, state)
        .err()
        .is_none_or(|rejection| !rejection.is_wrong_kind())
}

/// What a handler of these arguments tells beside being started.
macro_rules! of_inputs {
    ($($input:ident),*) => {
        #[allow(unused_variables, reason = "the one without arguments needs nothing")]
        fn suits(&self, context: &Context, state: &S) -> bool {
            true $(&& has_kind_of::<S, $input>(context, state))*
        }

        fn conversations(&self) -> Vec<ConversationType> {
            let asked: [Option<ConversationType>; _] = [$($input::conversation()),*];
            asked.into_iter().flatten().collect()
        }
    };
}

/// Handlers take up to eight arguments.
macro_rules! for_each_arity {
    ($handler:ident) => {
        $handler!();
        $handler!(A);
        $handler!(A, B);
        $handler!(A, B, C);
        $handler!(A, B, C, D);
        $handler!(A, B, C, D, E);
        $handler!(A, B, C, D, E, G);
        $handler!(A, B, C, D, E, G, H);
        $handler!(A, B, C, D, E, G, H, I);
    };
}

pub(crate) use {for_each_arity, of_inputs};

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

            of_inputs!($($input),*);
        }
    };
}

for_each_arity!(handler);

/// What a handler may return: nothing, a message, several, or a failure.
///
/// ```
/// use wxhook::dispatch::IntoReply;
/// use wxhook::protocol::message::{Image, Text};
///
/// let said = ("您的订单：", Image::new("MEDIA_ID"), Some(Text::new("谢谢").ai()));
/// assert_eq!(said.into_reply()?.len(), 3);
/// # Ok::<(), wxhook::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no reply",
    label = "a handler cannot return this",
    note = "a handler returns `()`, `&'static str`, `String`, `Text`, `Image`, `News` or any other message, a `Render` of a template, a tuple, array, `Vec` or `Option` of these, or a `Result` of them"
)]
pub trait IntoReply {
    /// What is said, in the order in which the user is to see it.
    ///
    /// # Errors
    /// The handler's failure.
    fn into_reply(self) -> Result<Vec<Answer>, Error>;
}

impl IntoReply for () {
    fn into_reply(self) -> Result<Vec<Answer>, Error> {
        Ok(Vec::new())
    }
}

impl IntoReply for Message {
    fn into_reply(self) -> Result<Vec<Answer>, Error> {
        Ok(vec![self.into()])
    }
}

impl IntoReply for Answer {
    fn into_reply(self) -> Result<Vec<Answer>, Error> {
        Ok(vec![self])
    }
}

impl IntoReply for Render {
    fn into_reply(self) -> Result<Vec<Answer>, Error> {
        Ok(vec![self.into()])
    }
}

macro_rules! said {
    ($($said:ty),*) => {$(
        impl From<$said> for Answer {
            fn from(said: $said) -> Self {
                Self::Message(said.into())
            }
        }

        impl IntoReply for $said {
            fn into_reply(self) -> Result<Vec<Answer>, Error> {
                Message::from(self).into_reply()
            }
        }
    )*};
}

said!(
    String,
    &'static str,
    Text,
    Image,
    Voice,
    Video,
    Music,
    News,
    MpNews,
    MpNewsArticle,
    MsgMenu,
    WxCard,
    MiniProgramPage,
    TransferToCustomerService
);

impl<R: IntoReply> IntoReply for Option<R> {
    fn into_reply(self) -> Result<Vec<Answer>, Error> {
        self.map_or_else(|| Ok(Vec::new()), R::into_reply)
    }
}

impl<R: IntoReply> IntoReply for Vec<R> {
    fn into_reply(self) -> Result<Vec<Answer>, Error> {
        let mut messages = Vec::with_capacity(self.len());
        for reply in self {
            messages.extend(reply.into_reply()?);
        }
        Ok(messages)
    }
}

impl<R: IntoReply, const N: usize> IntoReply for [R; N] {
    fn into_reply(self) -> Result<Vec<Answer>, Error> {
        Vec::from(self).into_reply()
    }
}

macro_rules! said_in_order {
    ($($reply:ident),*) => {
        impl<$($reply: IntoReply),*> IntoReply for ($($reply,)*) {
            #[allow(non_snake_case, reason = "a value is called as its type")]
            fn into_reply(self) -> Result<Vec<Answer>, Error> {
                let ($($reply,)*) = self;
                let mut messages = Vec::new();
                $(messages.extend($reply.into_reply()?);)*
                Ok(messages)
            }
        }
    };
}

// As many as the platform lets an account say after a user's message.
said_in_order!(A, B);
said_in_order!(A, B, C);
said_in_order!(A, B, C, D);
said_in_order!(A, B, C, D, E);

impl<R: IntoReply, E: Into<Error>> IntoReply for Result<R, E> {
    fn into_reply(self) -> Result<Vec<Answer>, Error> {
        self.map_err(Into::into)?.into_reply()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(reply: impl IntoReply) -> Vec<Answer> {
        reply.into_reply().unwrap()
    }

    #[test]
    fn several_replies_keep_their_order_and_a_failure_among_them_counts_for_all() {
        let (text, image) = (Text::new("a"), Image::new("m"));
        let expected: [Message; 2] = [text.clone().into(), image.clone().into()];
        let expected = expected.map(Answer::from);
        assert_eq!(said((text.clone(), image.clone())), expected);
        assert_eq!(
            said(vec![Message::from(text), image.clone().into()]),
            expected
        );
        assert_eq!(said(["a"; 3]).len(), 3);
        assert_eq!(said(("a", None::<Image>, ["b", "c"], ())).len(), 3);
        let failed = ("a", Err::<Image, _>(Error::new("no picture"))).into_reply();
        assert!(failed.is_err());
        assert_eq!(said(image.by("a01@gh_abc").ai()).len(), 1);
    }
}
