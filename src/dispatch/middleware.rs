//! Code of the user's own around handlers.

use std::fmt;
use std::future::Future;

use crate::dispatch::conversation::ConversationType;
use crate::dispatch::extract::{Context, FromPush, Rejection};
use crate::dispatch::handler::{Called, Handled, IntoReply};

/// What a middleware stands around: the handler, or the next middleware. Dropped without
/// [`Next::run`], the handler does not run.
pub struct Next(Called);

impl Next {
    pub(crate) fn new(called: Called) -> Self {
        Self(called)
    }

    /// Runs the handler; what it says is to be returned, as it is or changed.
    ///
    /// # Errors
    /// The handler's. Returned as it is, it has the push tried again, or given up, as if there were no
    /// middleware.
    pub async fn run(self) -> Handled {
        self.0.await
    }
}

impl fmt::Debug for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Next")
    }
}

/// An async function around handlers, for [`Router::wrap`](crate::dispatch::Router::wrap): [`Next`] in,
/// then up to seven extractors, a reply out.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be wrapped around handlers of a `Router<{S}>`",
    label = "not an async function of `Next` and extractors that returns a reply",
    note = "write it like this: `async fn around(next: Next, user: OpenId) -> Handled {{ next.run().await }}`, with `Next` as the first argument and at most seven extractors after it",
    note = "it returns whatever a handler may return; `Handled` is what `next.run().await` gives"
)]
pub trait Middleware<S, Inputs>: Clone + Send + Sync + 'static {
    /// Takes the arguments from the push and starts the function.
    ///
    /// # Errors
    /// The [`Rejection`] of the first argument that the push does not have.
    fn start(&self, next: Next, context: &Context, state: &S) -> Result<Called, Rejection>;

    /// The types of conversations that the arguments ask for.
    fn conversations(&self) -> Vec<ConversationType>;
}

macro_rules! middleware {
    ($($input:ident),*) => {
        impl<S, F, Fut, R, $($input,)*> Middleware<S, ($($input,)*)> for F
        where
            F: Fn(Next, $($input),*) -> Fut + Clone + Send + Sync + 'static,
            Fut: Future<Output = R> + Send + 'static,
            R: IntoReply,
            $($input: FromPush<S>,)*
        {
            #[allow(unused_variables, reason = "the one without extractors needs nothing")]
            fn start(&self, next: Next, context: &Context, state: &S) -> Result<Called, Rejection> {
                let future = self(next, $($input::from_push(context, state)?),*);
                Ok(Box::pin(async move { future.await.into_reply() }))
            }

            fn conversations(&self) -> Vec<ConversationType> {
                let asked: [Option<ConversationType>; _] = [$($input::conversation()),*];
                asked.into_iter().flatten().collect()
            }
        }
    };
}

middleware!();
middleware!(A);
middleware!(A, B);
middleware!(A, B, C);
middleware!(A, B, C, D);
middleware!(A, B, C, D, E);
middleware!(A, B, C, D, E, G);
middleware!(A, B, C, D, E, G, H);
